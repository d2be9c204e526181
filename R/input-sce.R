# SummarizedExperiment and its children, SingleCellExperiment among them.

#' @exportS3Method read_cells SummarizedExperiment
read_cells.SummarizedExperiment <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  check_package("SummarizedExperiment", "to read a SummarizedExperiment", call = call)
  refuse_col_data(col_data, "colData(x)", call)
  refuse_argument(keys$layer, "layer", "a SummarizedExperiment has assays",
                  "Write assay = \"...\" instead.", call)
  available <- assay_names(x)
  name <- choose_assay(available, keys$assay, keys$loss, log_names = c("logcounts", "X"),
                       count_names = c("counts", "X"), arg = "assay", call = call,
                       of_fit = keys$of_fit$arguments)
  values <- as_columns(SummarizedExperiment::assay(x, match(name, available), withDimnames = FALSE), call)
  dimnames(values) <- list(rownames(x), colnames(x))
  counts <- setdiff(intersect(c("counts", "X"), available), name)
  list(x = values,
       col_data = as.data.frame(SummarizedExperiment::colData(x), optional = TRUE),
       container = if (inherits(x, "SingleCellExperiment")) "SingleCellExperiment" else
         "SummarizedExperiment",
       assay = name, layer = NULL, types = row_types(SummarizedExperiment::rowData(x), rownames(x)),
       log_hint = if ("logcounts" %in% available && name != "logcounts") {
         "Use assay = \"logcounts\"."
       } else {
         "Log-normalise: x <- scuttle::logNormCounts(x), then assay = \"logcounts\"."
       },
       count_hint = if (length(counts) > 0) {
         paste0("Use assay = ", dQuote(counts[1], FALSE), ".")
       } else {
         "Put the raw counts into assay(x, \"counts\")."
       })
}

# One name per assay: its number where it has none, or that of an assay before it.
assay_names <- function(x) {
  n <- length(SummarizedExperiment::assays(x, withDimnames = FALSE))
  names <- SummarizedExperiment::assayNames(x) %||% rep("", n)
  ifelse(nzchar(names) & !duplicated(names), names, as.character(seq_len(n)))
}
