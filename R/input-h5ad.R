# The path of an .h5ad or .h5mu file, or of a 10x file. Only the matrix that is needed is read, with the
# table of cells.

#' @exportS3Method read_cells character
read_cells.character <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  check_string(x, "x", call = call)
  if (is_tenx(x)) {
    check_file(x, call)
    return(cells_of_tenx(x, keys, col_data, call))
  }
  refuse_argument(col_data, "col_data", "an .h5ad file has its own table of cells (obs)",
                  "Leave it out.", call)
  if (!is.null(keys$assay) && !is.null(keys$layer) && keys$assay != keys$layer) {
    refuse_argument(keys$assay, "assay", "an .h5ad file has layers",
                    "Write layer = \"...\" only.", call)
  }
  wanted <- keys$layer %||% keys$assay
  check_file(x, call)
  if (is_h5mu(x)) return(cells_of_h5mu(x, keys, wanted, call))
  outline <- with_core_errors(core_h5ad_outline(path.expand(x)), call, argument = "x",
                              todo = "Write the file anew, or read it with Python's anndata.")
  available <- c(if (outline$x) "X", outline$layers)
  name <- choose_assay(available, wanted, keys$loss, log_names = c("X", "logcounts"),
                       count_names = c("counts", "X"), arg = "layer", call = call,
                       of_fit = keys$of_fit$arguments)
  stored <- stored_h5ad(x, name, call)
  parts <- read_h5ad_parts(x, if (is.null(stored)) name else character(), obsm = FALSE, uns = FALSE,
                           call = call)
  if (!is.null(stored)) stored <- name_stored(stored, parts$index[c("genes", "cells")], x, name, call)
  values <- if (name == "X") parts$X else parts$layers[[name]]
  list(x = stored %||% as_columns(values, call), col_data = parts$obs, container = "h5ad", assay = name,
       layer = NULL, types = row_types(parts$var, parts$index$genes),
       log_hint = if (name != "X" && outline$x) {
         "Use layer = \"X\" if X is log-normalised."
       } else {
         "Log-normalise in Python: sc.pp.normalize_total(a, target_sum=1e4); sc.pp.log1p(a)."
       },
       raw_hint = if (outline$raw) {
         paste("The file has others in `raw`: altExp(read_h5ad(path, raw = TRUE), \"raw\", withColData = TRUE)",
               "gives them.")
       },
       count_hint = if ("counts" %in% outline$layers) "Use layer = \"counts\"." else
         "Put the raw counts into a layer \"counts\".")
}

# The tables beside a matrix say how large it is as well.
name_stored <- function(stored, index, path, name, call) {
  if (any(dim(stored) != lengths(index))) {
    abort_input("`x` must be an intact .h5ad file.",
                paste0("In ", dQuote(path, FALSE), ", ", dQuote(name, FALSE), " has ",
                       paste(rev(dim(stored)), collapse = " x "), " values for ",
                       length(index$cells), " observations x ", length(index$genes), " variables."),
                "Write the file anew.", call)
  }
  dimnames(stored) <- index
  stored
}

is_tenx <- function(path) grepl("[.](h5|hdf5)$", path, ignore.case = TRUE)

# The main modality of an .h5mu file; that of the proteins waits in `experiment`.
cells_of_h5mu <- function(x, keys, assay, call) {
  experiment <- h5mu_screen(x, keys, call)
  keys[c("assay", "layer")] <- list(assay, NULL)
  cells <- read_cells(experiment, keys, NULL, call)
  cells$container <- "h5mu"
  cells$experiment <- experiment
  cells
}

check_file <- function(x, call) {
  path <- path.expand(x)
  if (file.exists(path) && !dir.exists(path)) return(invisible())
  near <- list.files(dirname(path), "[.](h5ad|h5mu|h5)$")
  abort_input("A text given as `x` must be the path of an .h5ad, .h5mu or 10x .h5 file.",
              paste0(dQuote(x, FALSE), if (dir.exists(path)) " is a folder." else
                " does not exist."),
              paste0("Files of this kind in that folder: ", name_list(near), "."), call = call)
}
