# Reading .h5mu files: one structure of an .h5ad file per modality, and a table of the cells of all.

#' Read an .h5mu file
#'
#' Reads the multimodal data (for instance RNA and proteins of CITE-seq) that Python's mudata and
#' muon write, without Python. Rows of the file (cells) become columns, as [read_h5ad()] does.
#'
#' @details
#' Cells are matched between modalities by name, or by the file's `obsmap` where names repeat. Cells
#' that the main modality lacks are dropped, and a warning tells how many.
#'
#' Columns of the global `obs` follow the modality's own. Those that mudata names after a modality,
#' like `"rna:condition"`, are called `"condition"` where that name is free; those that repeat a
#' column of the main modality are left out. Any other name that is taken becomes
#' `"global:condition"`.
#'
#' `raw` is not read. Arrays of all modalities together (`obsm` and `uns` of the root, `obsp`,
#' `varm`, `varp`) are left out, and a warning names them.
#'
#' @inheritParams read_h5ad
#' @param main Name of the modality whose cells are returned. `NULL`: `"rna"`, `"gex"` or `"RNA"`
#'   where there is one, else the first of the file. Of no effect with `as = "list"`.
#' @param as What to return, see below.
#'
#' @return
#' With `as = "SingleCellExperiment"`, such an object of features x cells of the main modality, with
#' assays, `rowData()`, `reducedDims()` and `metadata()` as [read_h5ad()] gives them. Every other
#' modality is an alternative experiment under its name, its features x the same cells; cells that
#' it lacks are columns of `NA` (stored values in a sparse assay, so that many of them need memory).
#' With `as = "list"`, a list of `modalities`, a named list of what `read_h5ad(as = "list")` gives
#' of each, all its cells included, and `obs`, the global data frame with one row per cell of the
#' file.
#'
#' @section Errors:
#' A path that names no file, a file that is truncated or damaged or has no modalities, and a `main`
#' that is not there, each stop with a message that says so.
#'
#' @references The format: <https://mudata.readthedocs.io/en/latest/io/spec.html>
#' @seealso [write_h5mu()], [read_h5ad()]
#' @examples
#' path <- system.file("extdata", "cite.h5mu", package = "compert")
#' file <- read_h5mu(path, as = "list")
#' file$obs
#' file$modalities$prot$X
#' if (requireNamespace("SingleCellExperiment", quietly = TRUE)) {
#'   cells <- suppressWarnings(read_h5mu(path))
#'   SummarizedExperiment::assay(SingleCellExperiment::altExp(cells, "prot"))
#' }
#' @export
read_h5mu <- function(path, ..., main = NULL, as = c("SingleCellExperiment", "list")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  check_string(main, "main", null_ok = TRUE, call = call)
  as <- check_choice(as, c("SingleCellExperiment", "list"), "as", call = call)
  if (as == "SingleCellExperiment") {
    check_package("SingleCellExperiment", "to return one; or use as = \"list\"", call = call)
  }
  names <- h5mu_modalities(path, call)
  main <- main_modality(names, main, call)
  parts <- tell_h5mu(read_h5mu_parts(path, call, names))
  if (as == "list") return(parts[c("modalities", "obs")])
  h5mu_to_sce(parts, main, names, call)
}

# The main modality as a SingleCellExperiment, of the others only what the keys name as proteins:
# cells that a modality lacks are columns of NA, which can be more than all else.
h5mu_screen <- function(path, keys, call) {
  check_package("SingleCellExperiment", "to read an .h5mu file", call = call)
  names <- h5mu_modalities(path, call)
  main <- main_modality(names)
  second <- if (!is.null(keys$proteins)) choose_place(setdiff(names, main), keys)
  wanted <- c(main, second)
  h5mu_to_sce(tell_h5mu(read_h5mu_parts(path, call, wanted), wanted), main, wanted, call)
}

h5mu_modalities <- function(path, call) {
  full <- check_h5ad_path(path, call, "h5mu")
  names <- with_core_errors(core_h5ad_modalities(full), call, todo = todo_h5mu)
  if (length(names) > 0) return(names)
  abort_input("`path` must name an .h5mu file (MuData).",
              paste0(dQuote(path, FALSE), " has no modalities (groups in \"mod\")."),
              "Read an .h5ad file with read_h5ad().", call = call)
}

todo_h5mu <- "Write the file anew, or read it with Python's mudata."

# Warns of what is not as in the file; names are unique then.
tell_h5mu <- function(parts, wanted = names(parts$modalities)) {
  warn_h5ad("Not all of the file was read as it is.", parts$skipped)
  parts$modalities[wanted] <- lapply(wanted, function(name) {
    part <- unique_h5ad_names(parts$modalities[[name]], paste0(" of ", name))
    part[setdiff(names(part), c("skipped", "index"))]
  })
  parts
}

# The parts of a file: `modalities`, what read_h5ad_parts() gives of each (only the tables where it is
# not `wanted`); `obs`, the global table; `cells`, for each modality the position in it of each row of
# `obs`, NA where it lacks the cell; `skipped`, all that was left out, named by path.
read_h5mu_parts <- function(path, call = rlang::caller_env(), wanted = h5mu_modalities(path, call)) {
  full <- check_h5ad_path(path, call, "h5mu")
  names <- h5mu_modalities(path, call)
  root <- with_core_errors(core_read_h5ad(full, FALSE, character(), TRUE, TRUE, FALSE), call,
                           todo = todo_h5mu)
  modalities <- lapply(rlang::set_names(names), function(name) {
    all <- name %in% wanted
    read_h5ad_parts(path, if (!all) character(), obsm = all, uns = all, group = paste0("mod/", name),
                    call = call)
  })
  cells <- lapply(rlang::set_names(names), function(name) {
    cells_of_modality(name, frame_cells(modalities[[name]]), root$obs$index, full, call)
  })
  # In obsm, MuData says of each modality which cells are its own.
  beside <- list(obsm = setdiff(names(root$obsm), names), uns = names(root$uns))
  beside <- vapply(beside[lengths(beside) > 0], function(x) {
    paste0("not read; it holds ", name_list(x))
  }, "")
  ours <- root$skipped[names(root$skipped) != "mod"]
  list(modalities = modalities, obs = h5ad_frame(root$obs), cells = cells,
       skipped = c(ours, beside, unlist(lapply(unname(modalities[wanted]), `[[`, "skipped"))))
}

# Is this the path of an .h5mu file?
is_h5mu <- function(path) {
  full <- path.expand(path)
  if (!file.exists(full) || dir.exists(full)) return(FALSE)
  tryCatch(length(core_h5ad_modalities(enc2native(full))) > 0, error = function(e) FALSE)
}

main_modality <- function(names, main = NULL, call = rlang::caller_env()) {
  if (is.null(main)) return(c(intersect(c("rna", "gex", "RNA"), names), names)[1])
  if (main %in% names) return(main)
  abort_input("`main` must name a modality of the file.",
              paste0("There is no modality ", dQuote(main, FALSE), "."),
              paste0(did_you_mean(main, names), "The modalities are ", name_list(names), "."),
              call = call)
}

# Names of the cells of a modality, NA where the file gives one name to several.
frame_cells <- function(part) {
  frame_names(part$obs) %||% rep(NA_character_, nrow(part$obs))
}

# The position in a modality of each cell of the file, NA where there is none: by names where these
# are unique, otherwise by the file's own map.
cells_of_modality <- function(name, own, all, path, call) {
  if (length(own) == 0) return(rep(NA_integer_, length(all)))
  if (!anyNA(own) && !anyDuplicated(all) && all(own %in% all)) return(match(all, own))
  at <- with_core_errors(core_h5ad_obsmap(path, name), call)
  at[at == 0] <- NA
  if (length(at) == length(all) && identical(sort(at), seq_along(own))) return(at)
  abort_input("`path` must name an .h5mu file that says which cells every modality has.",
              paste0("In ", dQuote(path, FALSE), ", neither names nor \"obsmap/", name,
                     "\" place each cell of ", dQuote(name, FALSE), " once in the global table."),
              "Make the names unique and write the file anew: mdata.obs_names_make_unique().",
              call = call)
}

# `wanted`: the main modality and those that become alternative experiments.
h5mu_to_sce <- function(parts, main, wanted, call) {
  first <- parts$modalities[[main]]
  rows <- match(seq_len(nrow(first$obs)), parts$cells[[main]])
  warn_dropped_cells(parts$cells[names(parts$cells) != main], is.na(parts$cells[[main]]))
  global <- parts$obs[rows, , drop = FALSE]
  first$obs <- cbind_columns(first$obs, global, main, names(parts$modalities))
  out <- h5ad_to_sce(first)
  SingleCellExperiment::mainExpName(out) <- main
  for (name in setdiff(wanted, main)) {
    other <- spread_part(parts$modalities[[name]], parts$cells[[name]][rows], rownames(first$obs),
                         name, call)
    SingleCellExperiment::altExp(out, name) <- h5ad_to_sce(other)
  }
  out
}

warn_dropped_cells <- function(cells, dropped) {
  if (!any(dropped)) return(invisible())
  counts <- vapply(cells, function(at) sum(!is.na(at[dropped])), 1L)
  counts <- counts[counts > 0]
  warn_h5ad(paste0(count_of(sum(dropped), "cell"), " that the main modality lacks ",
                   if (sum(dropped) == 1) "was" else "were", " dropped."),
            if (length(counts)) vapply(counts, function(n) paste("has", n, "of them"), "") else
              c(mod = "no other modality has any of them"))
}

# The modality's own columns, then the global ones of the same cells.
cbind_columns <- function(own, global, main, modalities) {
  full <- names(global)
  prefix <- sub(":.*", "", full)
  named <- prefix != full & prefix %in% modalities & nzchar(sub("^[^:]*:", "", full))
  bare <- ifelse(named, sub("^[^:]*:", "", full), full)
  mine <- named & prefix == main
  repeats <- vapply(seq_along(full), function(k) {
    (mine[k] || !named[k]) && bare[k] %in% names(own) &&
      identical(as.character(own[[bare[k]]]), as.character(global[[k]]))
  }, NA)
  new <- ifelse(!named & full %in% names(own), paste0("global:", full), full)
  shorten <- function(which) {
    free <- which & !repeats & !bare %in% c(names(own), new)
    replace(new, free, bare[free])
  }
  new <- shorten(mine)
  # A name that several other modalities would take stays as it is.
  others <- named & !mine
  new <- shorten(others & !bare %in% bare[others][duplicated(bare[others])])
  structure(c(as.list(own), as.list(global)[!repeats]), class = "data.frame",
            names = make.unique(c(names(own), new[!repeats])), row.names = rownames(own))
}

# A part whose cells are those at the positions `at`; cells that it lacks (NA) have no values.
spread_part <- function(part, at, cells, name, call) {
  columns <- function(x) if (!is.null(x)) take_columns(x, at, cells, name, call)
  part$X <- columns(part$X)
  part$layers <- lapply(part$layers, columns)
  if (!is.null(part$raw)) part$raw$X <- columns(part$raw$X)
  part$obs <- take_rows(part$obs, at, cells)
  part$obsm <- lapply(part$obsm, function(x) {
    if (methods::is(x, "dgCMatrix")) Matrix::t(columns(Matrix::t(x))) else take_rows(x, at, cells)
  })
  part
}

take_rows <- function(x, at, cells) {
  x <- x[at, , drop = FALSE]
  rownames(x) <- cells
  x
}

take_columns <- function(x, at, cells, name, call) {
  gone <- is.na(at)
  if (methods::is(x, "dgCMatrix") && any(gone)) {
    if (as.double(nrow(x)) * sum(gone) + length(x@x) > .Machine$integer.max) {
      abort_input("Modalities must have fewer than 2^31 values, `NA` of missing cells included.",
                  paste0(dQuote(name, FALSE), " has ", nrow(x), " features and lacks ", sum(gone),
                         " cells."), "Use as = \"list\", or keep the cells of both.", call = call)
    }
    empty <- methods::new("dgCMatrix", Dim = c(nrow(x), 1L), p = c(0L, nrow(x)),
                          i = seq_len(nrow(x)) - 1L, x = rep(NA_real_, nrow(x)))
    at[gone] <- ncol(x) + 1L
    x <- cbind(x, empty)
  }
  x <- x[, at, drop = FALSE]
  colnames(x) <- cells
  x
}
