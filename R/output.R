# Answers in the container that the question came in.

# `values`: named list of matrices of N columns, rows as the core has them (genes, then proteins); `about`:
# data frame with N rows; `screen`: what was
# read from the user's object `newdata`.
wrap_output <- function(values, about, screen, fit, type, newdata) {
  registry <- fit$meta$registry
  named <- function(values, rows) {
    lapply(values, function(value) {
      dimnames(value) <- list(rows, rownames(about))
      value
    })
  }
  proteins <- if (!is.null(registry$proteins)) {
    named(lapply(values, protein_rows, registry = registry), registry$proteins)
  }
  values <- named(lapply(values, gene_rows, registry = registry), registry$genes)
  switch(screen$container,
    Seurat = as_seurat(values, about, fit, proteins),
    matrix = as_plain_matrix(values, about, type, proteins, fit$meta$scale),
    SummarizedExperiment = as_experiment(values, about, fit, newdata, FALSE, proteins),
    as_experiment(values, about, fit, newdata, TRUE, proteins)
  )
}

# What the proteins' experiment (assay) is called: as in the training data.
protein_place <- function(fit) {
  place <- fit$meta$keys$proteins
  if (length(place) == 1L) place else "proteins"
}

# For matrix input: the matrix of the type asked, its description, scale and the proteins as attributes.
as_plain_matrix <- function(values, about, type, proteins = NULL, scale = NULL) {
  wanted <- if (type == "variance") "variance" else 1L
  value <- values[[wanted]]
  attr(value, "col_data") <- about
  attr(value, "scale") <- scale
  if (!is.null(proteins)) attr(value, "proteins") <- proteins[[wanted]]
  value
}
