# Answers in the container that the question came in.

# `values`: named list of genes x N matrices; `about`: data frame with N rows; `screen`: what was
# read from the user's object `newdata`.
wrap_output <- function(values, about, screen, fit, type, newdata) {
  values <- lapply(values, function(value) {
    dimnames(value) <- list(fit$meta$registry$genes, rownames(about))
    value
  })
  switch(screen$container,
    Seurat = as_seurat(values, about),
    matrix = as_plain_matrix(values, about, type),
    SummarizedExperiment = as_experiment(values, about, fit, newdata, FALSE),
    as_experiment(values, about, fit, newdata, TRUE)
  )
}

# For matrix input: the matrix of the type asked, its description as an attribute.
as_plain_matrix <- function(values, about, type) {
  value <- values[[if (type == "variance") "variance" else 1L]]
  attr(value, "col_data") <- about
  value
}
