# What every verb on a fit does with the user's cells: read, match genes, encode.

# The screen of `newdata`, read by the fit's column names, with the fit's genes in the fit's order. What else
# reading has to know of the fit is in `keys$of_fit`.
# `need` are the roles whose columns must be there. `labels`: what the cells' own conditions are used
# for. "start": controls are what the answer starts from, and without a perturbation column all cells are
# taken as such; "own": the answer is about the conditions, so that the column must be there; "unused".
# `split`: what to do where the column of splits holds other words; NULL where nobody looks at it.
read_newdata <- function(fit, newdata, assay = NULL, layer = NULL, col_data = NULL,
                         missing_genes = "error", need = c("covariates", "batch"),
                         labels = c("start", "own", "unused"), split = NULL, from = "all", call = rlang::caller_env()) {
  check_process(call)
  labels <- labels[1L]
  if (labels == "own") need <- c("perturbation", need)
  keys <- keys_of_training(fit$meta, container_kind(newdata))
  if (!is.null(assay)) keys[c("assay", "layer")] <- list(assay, NULL)
  if (!is.null(layer)) keys$layer <- layer
  if (is.null(split)) keys["split"] <- list(NULL)
  conditions <- fit$meta$conditions
  keys$of_fit <- list(
    # Which of `assay` and `layer` are the fit's, not the user's.
    arguments = if (is.null(assay)) c("assay", if (is.null(layer)) "layer"),
    genes = fit$meta$registry$genes, proteins = fit$meta$registry$proteins,
    control_doses = unlist(conditions$doses[conditions$control]), unused = labels == "unused", split_todo = split
  )
  logs <- if (identical(fit$meta$scale, "log")) {
    c(must = "`newdata` should be on the scale of the cells of training, which were log-normalised.",
      todo = "What the fit tells of other values means nothing. `assay = ` and `layer = ` choose what is read.")
  }
  screen <- as_screen(newdata, keys, col_data = col_data, need = need, expects_log = logs, call = call)
  if (labels == "start" && is.null(screen$keys$perturbation)) inform_all_controls(screen, keys)
  screen$x <- match_genes(screen$x, fit$meta$registry, missing_genes, call)
  match_proteins(screen, fit, from, call)
}

# What tables of measured conditions are made of.
measured_roles <- function() c("perturbation", "dose", "covariates", "batch")

need_newdata <- function(gone, verb, arg = "newdata", call = rlang::caller_env()) {
  if (!gone) return(invisible())
  abort_input(paste0("`", arg, "` must be given: a fit keeps no cells."), "It is missing.",
              paste0("Write `", verb, "(fit, ", arg, ", ...)` with the cells in question."), call)
}

inform_all_controls <- function(screen, keys) {
  names <- given_columns(keys, "perturbation")
  text <- paste0(if (length(names) > 1L) "There are no columns " else "There is no column ", name_list(names), ": all ",
                 count_of(ncol(screen$x), "cell"), " are taken as controls.")
  cli::cli_inform(c(i = escape_braces(text)), class = "compert_all_controls")
}

# The columns that training read, and the assay and layer for its own kind of container,
# whatever is the object's default by now. Another kind falls back on that ecosystem's default.
keys_of_training <- function(meta, kind) {
  keys <- meta$keys
  keys["loss"] <- list(meta$settings$loss_ae)
  keys[c("assay", "layer")] <- list(NULL)
  if (kind != kind_of_name(meta$container)) {
    keys["protein_assay"] <- list(NULL)
  } else if (kind == "h5ad") {
    keys$layer <- meta$assay
  } else if (kind != "matrix") {
    keys[c("assay", "layer")] <- list(meta$assay, meta$layer)
  }
  keys
}

# Containers whose assays are named alike.
container_kind <- function(x) {
  if (inherits(x, "SummarizedExperiment")) return("experiment")
  if (inherits(x, "Seurat")) return("seurat")
  if (is.character(x) && !any(is_tenx(x))) return("h5ad")
  "matrix"
}

kind_of_name <- function(container) {
  switch(container, SingleCellExperiment = , SummarizedExperiment = "experiment",
         Seurat = "seurat", h5ad = , h5mu = "h5ad", "matrix")
}

# "B+A@2": what people read. Doses only where the screen has them, or hides them; covariates are other
# columns.
pair_labels <- function(fit, parts, doses) {
  shown <- shown_doses(doses, fit$meta$keys, c(fit$meta$conditions$doses, doses))
  condition_label(parts, shown, fit$meta$registry$sep)
}

# Names of the covariates that describe a condition: all but the batch.
condition_covariates <- function(fit) {
  registry <- fit$meta$registry
  setdiff(names(registry$covariates), registry$batch)
}

# One string per row of a data frame of covariates; equal strings mean equal rows.
row_keys <- function(table) {
  if (ncol(table) == 0L) return(rep("", nrow(table)))
  do.call(paste, c(unname(as.list(table)), sep = "\r"))
}

# One number per row of a list of columns, the same for equal rows: 1, 2, ... in the order in which
# they appear. Columns are numbered one by one, so no text is made for every cell.
row_codes <- function(columns) {
  number <- function(x) match(x, unique(x))
  Reduce(function(code, column) number(code + max(code, 0) * (number(column) - 1)),
         unname(columns)[-1], number(columns[[1]]))
}
