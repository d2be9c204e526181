#' Predict expression under conditions of your choice
#'
#' Answers "what would these cells look like under that perturbation, dose and covariate?". Every
#' condition is predicted from its *source cells*: by default the control cells of `newdata` with
#' the covariates that the condition names. Without a condition there is no question to answer, so
#' that is an error; to pass cells through the model unchanged use [reconstruct()].
#'
#' @section Kinds of prediction:
#' With `residual = FALSE` the answer is the decoded counterfactual, the references' way: encode the
#' source cell, take its basal state, add the embeddings of the new condition, decode. With
#' `residual = TRUE` it is the counterfactual *by difference*,
#' `observed cell + decoded(new condition) - decoded(own condition)`, which keeps what the
#' autoencoder does not reconstruct; values slightly below 0 can occur. The default is by difference, but decoded
#' for fits of [multicpa()] and with the `parity` of a reference (`fit$meta$residual`, and the printed fit, say which).
#'
#' @section Variances:
#' Per cell, the variance is the decoder's, in squared units of the expression (negative binomial:
#' `mu + mu^2 / theta`). Per condition (`summarise = "condition"`) it is the variance over cells
#' that the model expects: `mean(variance) + var(mean)` over the source cells with
#' `residual = FALSE`; with `residual = TRUE` the variance of the per-cell values plus the mean
#' change of the decoder's variance, not below 0 (variances with denominator n). The variance of
#' proteins as a mixture is that at a fixed background, and with a variational encoder means and
#' variances are those at the mean of the state; draws (`type = "sample"`) spread with both.
#'
#' @section Beside measured cells:
#' An answer keeps the source cells' own columns: what was predicted is in `cpa_condition`, with its doses. Of a
#' SingleCellExperiment, where assays that predicted cells lack become `NA`, and in the last line of a Seurat object:
#' ```
#' predicted <- predict(fit, x, "A+B")
#' predicted$condition <- predicted$cpa_condition
#' colnames(predicted) <- paste0("predicted_", colnames(predicted)); assayNames(predicted) <- "logcounts"
#' both <- S4Vectors::combineCols(x, predicted)
#' both <- merge(x, SeuratObject::RenameAssays(predicted, mean = "RNA"), add.cell.ids = c("measured", "predicted"))
#' ```
#' In that Seurat object the counts of predicted cells are 0: only `data` was predicted.
#'
#' Predicted cells are their source cells, all moved by nearly the same amount. Tests between cells, as of
#' Seurat's `FindMarkers()`, and principal components of scaled genes make much of the smallest change that all
#' share. Rank genes by the size of the change from the predicted control, which is a condition like others
#' (`c("control", "A+B")`), and ask measured cells for p values ([rank_degs()]). Methods for counts, as edgeR, take
#' draws of a fit on counts (`type = "sample"`), which are whole numbers, summed over the cells of each replicate.
#'
#' @param object A `compert_fit`, or a baseline of [baseline_fit()].
#' @param newdata The cells to start from, in any container that [cpa()] takes, with the columns
#'   that the fit was made with. Genes are matched by name: their order is free and further genes
#'   are ignored.
#' @param condition A [condition()] or [condition_grid()] with K conditions. A covariate that it
#'   leaves out keeps each source cell's own level, or value; a dose that it leaves out is the only trained one of the
#'   perturbation (see Open doses in [condition()], also for perturbations without training cells).
#' @param ... Must be empty: later arguments are given by name.
#' @param type `"mean"`: expected expression; `"variance"`: expected expression and its variance;
#'   `"sample"`: draws from the model's distribution, of a variational encoder's state too (negative
#'   draws of genes are set to 0, Gaussian draws use the standard deviation; always the decoded kind). Structural
#'   zeros of the loss `"zinb"` count in all three; with `parity = "theislab"` in draws only: the means of
#'   theislab/cpa leave them out, and it draws nothing.
#' @param summarise `"cell"`: one column per condition and source cell, condition by condition;
#'   `"condition"`: one column per condition, the mean over its source cells.
#' @param source Where predictions start: `"matched"`, the control cells of `newdata` with the
#'   covariates of the condition; `"all"`, all control cells whatever their covariates, relabelled
#'   (the references' convention); or a vector of cells of `newdata` (names, numbers or `TRUE`/
#'   `FALSE`).
#' @param residual `TRUE` or `FALSE`, see "Kinds of prediction"; `NULL` takes the fit's default.
#' @param correct Covariates whose embedding is left out before decoding: `"batch"` for the fit's batch
#'   (batch-corrected expression), or names of covariates; none by default.
#' @param n_samples Draws per source cell, for `type = "sample"` only; they come next to each other.
#' @param seed Whole number that fixes the draws; `NULL` takes one from R's stream, so that
#'   `set.seed()` governs. Where nothing is drawn the stream stays where it is.
#' @param from For fits of RNA and proteins by product of experts: `"rna"` or `"proteins"` takes the
#'   source cells by that modality alone, as if the other had not been measured.
#' @param assay,layer,col_data As in [cpa()]: another assay or layer than the one that training read,
#'   which `NULL` takes, and the data frame with a row per cell that goes with a matrix.
#' @param missing_genes `"error"`, or `"zero"` to take up to a tenth of the fit's genes as 0 when
#'   `newdata` lacks them. Genes and proteins are matched by name; as Seurat writes `"-"` for `"_"`, the two are
#'   the same where no name has the other.
#' @param uncertainty `TRUE` adds the columns of [prediction_uncertainty()] to the description: `cosine`,
#'   `nearest_cosine`, `euclidean` and `nearest_euclidean`, how far each condition lies from those of training
#'   and which is the nearest. Like `seen` they tell of the condition without its batch and continuous covariates.
#'   With `summarise = "condition"` a covariate that the condition leaves open counts as its farthest level.
#' @param min_cells As in [prediction_uncertainty()], with `uncertainty = TRUE` only.
#' @return An object like `newdata` with the fit's genes as rows, on the scale of the training data:
#'   SingleCellExperiment and SummarizedExperiment (also for `DelayedMatrix` and `.h5ad` input: a
#'   SingleCellExperiment) with assay `mean`, `mean` and `variance`, or `sample`; Seurat with
#'   assays of these names and `cpa_condition` as identities; for a matrix, a matrix (of variances for
#'   `type = "variance"`) with the columns' description as attribute `col_data` and `scale` (`"log"`, `"counts"` or
#'   `"other"`, as in `metadata(x)$cpa$scale`, or `Misc(x, "cpa")$scale` of Seurat, of the others). The description holds
#'   the columns of the source cells and `cpa_condition` (label), `cpa_source` (`"counterfactual"`),
#'   `cpa_cell` (source cell), the covariates and the batch that were predicted (`cpa_cell_type` for
#'   `cell_type`), `cpa_draw` where there are several, and `seen`, what training saw of the condition:
#'   `"condition"`, `"parts only"` (every perturbation under these covariates, but not this combination or dose),
#'   `"drug new to covariate"`, or `"drug new"` (`NA` where [read_reference_fit()] could not know); dose 0 is
#'   the control, as [dose_response()] says. With `uncertainty = TRUE` also `cosine`, `nearest_cosine`, `euclidean`
#'   and `nearest_euclidean`. With `summarise = "condition"` it holds `cpa_condition`, `cpa_source`, the covariates
#'   and the batch that the condition names, these columns and `n_cells` (source cells); assays are `mean` and
#'   `variance`. A baseline of `method = "nearest"` says whose effect
#'   it takes, in `nearest` and `similarity` ([baseline_fit()]). Where names would be the same, yours
#'   gets `own_`: a column `seen` of the source cells becomes `own_seen`, a covariate `condition`,
#'   `source`, `cell` or `draw` is `cpa_own_condition`.
#' @section Errors:
#' Names that the fit never saw, missing genes, conditions without source cells, and a missing
#' condition or one without rows; no dose where training saw several; `n_samples` where nothing is drawn;
#' `uncertainty` of a baseline, and where no training condition has `min_cells` cells; 2^31 predicted cells or more.
#' Doses outside the range that training saw of the perturbation (of one that it never saw: of all others)
#' give one warning with the range, and so do values of continuous covariates. Without the column of
#' perturbations all cells of `newdata` are taken
#' as controls, with a message; verbs that ask for the cells' own condition, and cells at other doses than
#' controls had in training, need it. Negative or large values for a fit on log-normalised ones are a
#' warning.
#' @source `API.predict` in `cpa/api.py` of facebookresearch/CPA; Lotfollahi et al. (2023),
#'   Molecular Systems Biology 19:e11517.
#' @seealso [condition()], [reconstruct()], [evaluate_r2()], [plot_means()], [dose_response()],
#'   [prediction_uncertainty()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' stimulated_b <- condition(condition = "IFNb", cell_type = "B")
#' predict(fit, screen, stimulated_b)
#' short <- predict(fit, screen, stimulated_b, summarise = "condition", uncertainty = TRUE)
#' SummarizedExperiment::colData(short)
#' @importFrom stats predict
#' @export
predict.compert_fit <- function(object, newdata, condition, ...,
                                type = c("mean", "variance", "sample"),
                                summarise = c("cell", "condition"), source = "matched",
                                residual = NULL, correct = character(), n_samples = 1L,
                                seed = NULL, from = c("all", "rna", "proteins"), assay = NULL,
                                layer = NULL, col_data = NULL,
                                missing_genes = c("error", "zero"), uncertainty = FALSE,
                                min_cells = 31L) {
  check_no_dots(...)
  validate_fit(object, "object", baseline = TRUE)
  type <- check_choice(type, c("mean", "variance", "sample"), "type")
  summarise <- check_choice(summarise, c("cell", "condition"), "summarise")
  need_newdata(missing(newdata), "predict")
  need_condition(missing(condition), if (!missing(newdata)) newdata)
  check_samples(n_samples, type, summarise, residual)
  min_cells <- asked_distances(object, uncertainty, min_cells, missing(min_cells))
  from <- check_from(object, from)
  if (is_baseline(object)) check_baseline_question(type, summarise, residual, correct)
  # Only draws move R's random stream.
  seed <- resolve_seed(if (type == "sample") seed else seed %||% 0L)
  without <- left_out(object, correct)
  residual <- pick_residual(object, residual) && type != "sample"
  screen <- read_newdata(object, newdata, assay, layer, col_data, missing_genes, from = from)
  screen <- use_modality(screen, from)
  asked <- knowing_molecules(object, condition)
  object <- asked$fit
  targets <- make_targets(object, asked$condition)
  warn_dose_range(object, targets)
  warn_continuous_range(object, targets)
  if (is_baseline(object)) stop_at_batch(object, targets)
  cells <- source_cells(object, screen, targets, source)
  answer <- if (is_baseline(object)) {
    baseline_values(object, screen, targets, cells, summarise)
  } else {
    list(values = model_values(object, screen, targets, cells, summarise, residual, type, n_samples, seed, without))
  }
  about <- if (summarise == "condition") describe_conditions(object, targets, lengths(cells), min_cells) else
    describe_cells(object, screen, targets, cells, n_samples, min_cells)
  if (length(answer$about)) about <- beside_own(about, answer$about)
  wrap_output(answer$values, about, screen, object, type, newdata)
}

model_values <- function(fit, screen, targets, cells, summarise, residual, type, n_samples, seed, without,
                         call = rlang::caller_env()) {
  start <- if (residual) screen else decoded_start(fit, screen, targets, without)
  if (summarise == "condition") {
    # A matrix holds the one or the other; other containers have both.
    variance <- type == "variance" || screen$container != "matrix"
    return(condition_values(run_summarise(fit, start, targets, cells, !residual && variance, residual, variance,
                                          without, call), residual))
  }
  cell_values(run_predict(fit, start, targets, cells, residual, type, n_samples, seed, without, call), type)
}

# Decoding reads those covariates of the source cells that stay as they are.
decoded_start <- function(fit, screen, targets, without) {
  named <- which(!vapply(targets$covariates, anyNA, NA)) - 1L
  labels_in_use(fit, screen, list(perturbation = FALSE, without = union(without, named)))
}

need_condition <- function(gone, newdata, call = rlang::caller_env()) {
  if (!gone) return(invisible())
  if (inherits(newdata, "compert_condition")) {
    abort_input("`newdata` must be the cells that predictions start from.", "It is a condition().",
                "Write predict(fit, cells, condition(...)); fits do not hold their cells.", call)
  }
  abort_input(
    "`condition` must say what to predict.", "It is missing.",
    paste0("For a counterfactual give `condition(...)`; to pass cells through the model under ",
           "their own condition use `reconstruct(fit, newdata)`."), call
  )
}

pick_residual <- function(fit, residual, call = rlang::caller_env()) {
  check_flag(residual, "residual", null_ok = TRUE, call = call)
  if (is.null(residual)) isTRUE(fit$meta$residual) else residual
}

check_samples <- function(n_samples, type, summarise, residual, call = rlang::caller_env()) {
  check_count(n_samples, "n_samples", call = call)
  if (type != "sample" && n_samples != 1) {
    abort_input("`n_samples` must be 1 unless `type = \"sample\"`: nothing else is drawn.",
                paste0("It is ", n_samples, " and `type` is ", dQuote(type, FALSE), "."),
                "Write `type = \"sample\"`, or leave `n_samples` out.", call)
  }
  if (type == "sample" && isTRUE(residual)) {
    abort_input("`residual` must not be TRUE for samples.",
                "Draws come from the decoder's distribution, which is the decoded kind.",
                "Leave `residual` out.", call)
  }
  if (type == "sample" && summarise == "condition") {
    abort_input("`type = \"sample\"` must go with `summarise = \"cell\"`.",
                "`summarise` is \"condition\".",
                "Take `type = \"mean\"` for the average, or average the draws yourself.", call)
  }
}

# One warning when a dose lies outside what training saw for its perturbation (of one that it never saw:
# what corresponds to the others' doses). Dose 0 does not where it is the control.
warn_dose_range <- function(fit, targets, below = TRUE, call = rlang::caller_env()) {
  if (!knows_training(fit$meta)) return(invisible())
  registry <- fit$meta$registry
  acting <- acting_pairs(fit, targets$parts, targets$doses)
  asked <- data.frame(part = unlist(acting$parts), dose = unlist(acting$doses))
  asked <- unique(asked[asked$part != registry$control, , drop = FALSE])
  range <- trained_ranges(registry, asked$part)
  low <- range[, 1L]
  high <- range[, 2L]
  slack <- 1e-8 * high
  out <- which((below & asked$dose < low - slack) | asked$dose > high + slack)
  if (length(out) == 0L) return(invisible())
  own <- was_treated(registry$dose_range[asked$part], registry)
  trained <- paste0(ifelse(own, "trained on ", "not trained on, others on what corresponds to "), format_dose(low),
                    ifelse(low < high, paste0(" to ", format_dose(high)), ""))
  warn_extrapolation("doses", paste(dQuote(asked$part, FALSE), "at dose")[out], format_dose(asked$dose)[out],
                     trained[out], call)
}

cell_values <- function(answer, type) {
  switch(type,
    mean = list(mean = answer$mean),
    variance = list(mean = answer$mean, variance = answer$variance),
    sample = list(sample = answer$mean)
  )
}
