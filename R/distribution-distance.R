#' How far two samples of cells lie apart
#'
#' Compares whole distributions, such as draws of a prediction with the cells that were measured: these
#' may differ where means and variances agree.
#'
#' @details
#' With d the Euclidean distance of two cells over `genes`:
#'
#' * `"mmd"`: squared maximum mean discrepancy, `mean k(x, x') + mean k(y, y') - 2 mean k(x, y)`, each
#'   over all pairs, where k is the sum of the kernels `exp(-d^2 / (2 a))` with 19 widths a from 1e-6 to
#'   1e6.
#' * `"wasserstein"`: the earth mover's distance of one gene's values, averaged over genes. It does not see
#'   how genes go together.
#' * `"energy"`: `2 mean d(x, y) - mean d(x, x') - mean d(y, y')`.
#'
#' All are 0 for equal samples. None is on the scale of another one, and all have noise that falls with the
#' number of cells: compare with the distance between two halves of the measured cells. Time grows with the
#' product of the numbers of cells.
#'
#' @param x,y Matrices (genes x cells), plain, sparse or delayed, on one scale; or SummarizedExperiments
#'   or Seurat objects, of which the only assay is taken, as [predict()][predict.compert_fit] gives
#'   one with `type = "sample"`, else the log-normalised values under their usual names (see [cpa()]),
#'   or the counts where the other sample holds counts.
#'   Rows are matched by name where both have names. For proteins give these alone, such as `altExp(x)`.
#' @param method Distances, some of `"mmd"`, `"wasserstein"` and `"energy"`.
#' @param ... Must be empty: later arguments are given by name.
#' @param genes Names of the genes to compare, such as DEGs; `NULL` for all.
#' @return A number per method, with its name.
#' @section Errors:
#' Genes that one of the two lacks, no cells, values that are not finite, counts beside logarithms.
#' @source `mmd_loss_calc` and the earth mover's distance in `cpa/helper.py` of facebookresearch/CPA.
#' @seealso [evaluate_r2()] for means and variances
#' @examples
#' screen <- kang_example(as = "list")
#' fit <- cpa(screen$x, "condition", covariates = "cell_type", control = "control",
#'            col_data = screen$col_data, settings = cpa_settings(epochs = 2, verbose = FALSE))
#' b_cells <- condition(condition = "IFNb", cell_type = "B")
#' draws <- predict(fit, screen$x, b_cells, type = "sample", seed = 1, col_data = screen$col_data)
#' of <- function(what) screen$col_data$cell_type == "B" & screen$col_data$condition == what
#' # Predicted cells against those that were measured, and what it is without a prediction: their controls.
#' distribution_distance(draws, screen$x[, of("IFNb")])
#' distribution_distance(screen$x[, of("control")], screen$x[, of("IFNb")])
#' @export
distribution_distance <- function(x, y, method = c("mmd", "wasserstein", "energy"), ..., genes = NULL) {
  check_no_dots(...)
  known <- c(mmd = core_mmd, wasserstein = core_wasserstein, energy = core_energy)
  check_among(method, names(known), "method")
  check_strings(genes, "genes")
  samples <- same_genes(one_scale(x, y), genes)
  for (name in names(samples)) check_sample(samples[[name]], name)
  with_core_errors(vapply(known[method], function(distance) distance(samples$x, samples$y), 0))
}

# Both samples as values of one scale: beside counts, those of an object that has counts too.
one_scale <- function(x, y, call = rlang::caller_env()) {
  samples <- lapply(list(x = x, y = y), read_sample, call = call)
  scales <- function() vapply(samples, `[[`, "", "scale")
  for (k in if ("counts" %in% scales()) which(!scales() %in% "counts")) {
    # Where counts cannot be told among the assays, it stays as it was read.
    samples[[k]] <- tryCatch(read_sample(list(x, y)[[k]], "nb", call),
                             compert_input_error = function(e) samples[[k]])
  }
  if (setequal(scales(), c("counts", "log"))) {
    held <- ifelse(scales() == "counts", "counts", "logarithms")
    abort_input("`x` and `y` must be on one scale.", paste0("`x` holds ", held[1], ", `y` ", held[2], "."),
                c("Give matrices of one scale, such as assay(x, \"counts\").",
                  "Predictions that were transformed are no longer what their attribute \"scale\" says: remove it."),
                call)
  }
  lapply(samples, `[[`, "values")
}

# list(values, scale). Predictions have the scale that they note, unless whole numbers, or logarithms of
# them, tell another: draws keep their note when they are transformed.
read_sample <- function(x, loss = NULL, call = rlang::caller_env()) {
  if (inherits(x, "compert_fit")) {
    abort_input("`x` and `y` must be cells, measured or predicted.", "One of them is a fit.",
                "Give what predict(fit, ...) returns and the measured cells of that condition.", call)
  }
  container <- inherits(x, c("SummarizedExperiment", "Seurat"))
  values <- if (container) read_cells(x, list(loss = loss), call = call)$x else as_columns(x, call)
  scale <- value_scale(inspect_values(values))
  noted <- noted_scale(x)
  if (is.null(noted) || scale %in% "counts") return(list(values = values, scale = scale))
  logs <- scale %in% "log" && noted == "counts" && value_scale(inspect_values(expm1_near(values))) %in% "counts"
  list(values = values, scale = if (logs) scale else noted)
}

# exp(values) - 1, to the precision of single numbers.
expm1_near <- function(values) as_columns(signif(expm1(as.matrix(values)), 6))

# What predictions say of themselves.
noted_scale <- function(x) {
  if (inherits(x, "Seurat")) return(SeuratObject::Misc(x, "cpa")$scale)
  if (inherits(x, "SummarizedExperiment")) return(S4Vectors::metadata(x)$cpa$scale)
  attr(x, "scale", exact = TRUE)
}

check_sample <- function(values, arg, call = rlang::caller_env()) {
  seen <- inspect_values(values)
  if (ncol(values) > 0L && nrow(values) > 0L && seen$n_bad == 0) return(invisible())
  abort_input(paste0("`", arg, "` must have cells and genes, and finite values."),
              if (seen$n_bad > 0) paste0("It has ", count_of(seen$n_bad, "value"), " that are not.") else
                paste0("It has ", count_of(ncol(values), "cell"), " and ", count_of(nrow(values), "gene"), "."),
              "Give a matrix of genes x cells.", call)
}

# Both samples with the same genes in the same order.
same_genes <- function(samples, genes, call = rlang::caller_env()) {
  names <- lapply(samples, rownames)
  unnamed <- any(vapply(names, is.null, NA))
  if (is.null(genes) && nrow(samples$x) == nrow(samples$y) && (unnamed || identical(names$x, names$y))) {
    return(samples)
  }
  genes <- genes %||% unique(unlist(names))
  missing <- lapply(names, function(own) setdiff(genes, own))
  if (unnamed || any(lengths(missing) > 0L)) {
    lacks <- vapply(missing, name_list, "")[lengths(missing) > 0L]
    abort_input("`x` and `y` must have the same genes.",
                if (length(lacks)) paste0("`", names(lacks), "` lacks ", lacks, ".") else
                  paste0("They have ", nrow(samples$x), " and ", nrow(samples$y), "."),
                "Write genes = intersect(rownames(x), rownames(y)).", call)
  }
  lapply(samples, function(values) values[genes, , drop = FALSE])
}
