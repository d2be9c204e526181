#' Score predictions of held-out conditions, beside honest baselines
#'
#' For every condition with observed cells, the counterfactual that [predict()][predict.compert_fit]
#' would give from control cells is compared with what was measured: the vector over genes of means
#' and of variances, by `r2 = 1 - sum((truth - prediction)^2) / sum((truth - mean(truth))^2)`
#' (the coefficient of determination: at most 1, unbounded below, not a squared correlation). The
#' same scores of baselines stand beside the model's, because r2 over all genes is high for any
#' prediction that resembles a cell. Continuous covariates have the mean value of the condition's measured
#' cells in the model's prediction.
#'
#' @section Rows:
#' `method` is `"model"` (the fit's default kind of counterfactual; with a reference's preset the
#' decoded kind, which is the only one they have), `"model_decoded"` or `"model_difference"` (the
#' other kind; with the preset `"compert"` only), or one of `baselines`, whose effects are learned on training
#' cells only. [baseline_fit()] has their formulas:
#' \describe{
#'   \item{`"control"`}{No effect: the observed controls of the same covariates.}
#'   \item{`"additive"`}{The mean effect under other covariates or, where the condition was measured under none, the
#'     sum of the effects of its single perturbations.}
#'   \item{`"mean"`}{The mean effect of all other perturbations, for drugs that were left out entirely.}
#'   \item{`"interpolation"`}{The straight line between the effects at the next lower and the next higher dose of the
#'     same perturbation; the variance is on the line between theirs.}
#'   \item{`"nearest"`}{The effect of the perturbation whose molecule is the most similar, for drugs that were left out
#'     entirely, if `fit` was made with features of molecules; `note` names it.}
#' }
#' Where a baseline has no answer its row is `NA` and `note` says why. Where `newdata` has no split column, training
#' cells are those under the conditions that the fit was trained on, without the scored ones; test cells
#' among them cannot be told.
#'
#' @section Ceiling:
#' `baselines = "ceiling"` adds what can be expected of a prediction that is right: the measured cells are few,
#' and their means are not the condition's. A random half of a condition's measured cells stands for the
#' prediction and is scored as predictions are, against all of these cells. Scores are averages over five
#' halvings, which `seed` draws. With n cells of variance s^2, the squared difference between the means of a half
#' and of all is s^2 / n on average, and so is that between the means of infinitely many such cells and of these.
#' So the ceiling of `r2_mean` is the score of a prediction that knows the expected values; for variances and
#' correlations this holds to the first order of 1 / n. (Halves that predict each other, the "technical
#' duplicate" of other benchmarks, are four times as far apart.)
#'
#' It is an average and no bound. On conditions that training did not see, a model is above it by chance only; of
#' cells that it was trained on it may know more. Cells of one plate or donor share what another experiment would
#' not repeat, which halves of them repeat: replicates agree less. A condition of fewer than two cells has none.
#' It knows what is asked for, and is no baseline that could predict: [baseline_fit()] has none.
#'
#' @section Scores:
#' \describe{
#'   \item{`r2_mean`, `r2_mean_deg`}{r2 of means, over all genes and over the condition's DEGs.}
#'   \item{`r2_var`, `r2_var_deg`}{r2 of variances.}
#'   \item{`r2_lfc_deg`}{r2 of the effect, mean - observed control mean, over the DEGs (a log fold
#'     change when the data are logarithms).}
#'   \item{`pearson_delta`}{Pearson correlation of the same effect over all genes; `NA` for the
#'     control baseline, which has none.}
#'   \item{`r2_mean_protein`, `r2_var_protein`}{For fits of RNA and proteins: r2 of the means and
#'     variances of proteins, over cells that have them; raw counts as log(1 + mean), on scale
#'     `"model"` as they are.}
#'   \item{`r2_lfc_protein`, `pearson_delta_protein`}{r2 and Pearson correlation of the effect on these means, over
#'     all proteins. `r2_mean_protein` is high for whatever resembles a cell of the type; these are not.}
#' }
#' Effects are always taken against the *observed* controls of the same covariates. Fewer than two
#' genes give `NA`; a constant truth gives 1 if met exactly and 0 otherwise, as in scikit-learn.
#' Fits on log-normalised values are scored on these. Fits on counts are scored on log-normalised
#' values too (`scale = "log"`: cells brought to the median total, log(1 + value); the prediction is
#' draws treated alike: one per source cell, of fewer than 500 cells up to five each, from at most 2,000
#' cells, which `seed` draws where there are more), because on raw counts a few strong genes decide; the
#' references' presets score raw counts (`scale = "model"`).
#'
#' @section Presets:
#' | | `compert` | `fb` | `fb_api` | `chemcpa` | `multicpa` | `theislab` |
#' |---|---|---|---|---|---|---|
#' | fewest cells | 5 | 31 | 1 | 6 | 31 | 1 |
#' | controls fed in | same covariates | of split | of split | of split | of split | all |
#' | denominator of variances | n - 1 | n | n | n - 1 | n | n |
#' | predicted variance | mean + variance of means | mean | mean | mean | mean | variance of means |
#' | ... for raw counts | the same | one draw per cell (the mean too) | mean | mean | mean | variance of means |
#' | scale for counts | log | raw | raw | raw | raw | raw |
#' | negative r2 set to 0 | no | no | no | yes | no | no |
#' | DEGs of | each dose | each dose | each dose | all doses | each dose | each dose |
#'
#' "Same covariates": the controls of every split. "Of split": training controls for training
#' conditions, *test* controls for test and ood conditions, whatever their covariates. "All": every
#' control (`theislab` is the Norman tutorial of theislab/cpa, with the 10, 20 or 50 DEGs that
#' `n_degs` says). The
#' references also score control cells in ood (`fb`, `fb_api`, `multicpa`), leave out names with
#' "dmso" or "control" and conditions with fewer than two DEGs, cut predictions at 3e12 and, as
#' torchmetrics does, count sums of squares up to 1e-4 as 0 (`chemcpa`). The default's `total`
#' variance is what the model says about the spread over cells: the mean of the predicted variances
#' plus the variance of the predicted means.
#'
#' @inheritParams predict.compert_fit
#' @param fit A `compert_fit`, or a baseline of [baseline_fit()], which is scored as the model is.
#' @param newdata All cells of the screen, in any container that [cpa()] takes: the held-out cells,
#'   controls, and the training cells that the baselines learn from.
#' @param preset Whose conventions: see "Presets". Every argument below that is not `NULL` overrides
#'   the preset.
#' @param split Splits to score, of `"train"`, `"test"` and `"ood"`, or the words for them that [cpa()]
#'   takes in the column.
#' @param condition A [condition()]: score only these conditions; what covariates and doses it leaves open
#'   may have any value. The batch and continuous covariates are no part of them.
#' @param baselines Names of baselines, of `"control"`, `"additive"`, `"mean"`, `"interpolation"` and `"nearest"` (see
#'   "Rows"), and `"ceiling"` (see "Ceiling"). `TRUE` stands for the first two, `FALSE` for none.
#' @param n_degs Number of DEGs per condition: the genes with the largest Welch |t| of the
#'   condition's observed cells against the controls of the same covariates ([rank_degs()]).
#' @param degs Your own DEGs: a named list of gene names, named by perturbation (for every dose), by
#'   perturbation and dose (`"A@0.5"`, `"A@0.5+B@1"`), or by covariates and one of these (`"B, IFNb"`).
#'   Conditions that it does not name have no scores of DEGs. Names and genes that are unknown are named in a
#'   warning.
#'   The order of the parts of a combination does not matter.
#' @param min_cells Fewest observed cells of a condition in its split.
#' @param controls `"matched"`, `"pooled"`, or a vector of cells that all predictions start from, all of
#'   them on the scale `"log"` too.
#' @param ddof 0 or 1: variances are divided by n - `ddof`.
#' @param variance Predicted variance: `"predicted"` (mean of the decoder's variances),
#'   `"of_means"` (variance over cells of predicted means), `"total"` (their sum) or `"sampled"`
#'   (variance over cells of one draw each).
#' @param scale For fits on counts, `"log"` or `"model"` (raw counts), see "Scores".
#' @param clamp_negative `TRUE` sets negative r2 to 0.
#' @param residual Which counterfactual is `"model"`; `NULL`: as "Rows" in [evaluate_r2()] says.
#' @param from For fits of RNA and proteins by product of experts: `"rna"` (`"proteins"`) predicts from the
#'   source cells by that modality alone, so that `r2_mean_protein` scores proteins that are predicted from
#'   RNA. The truth and the baselines are the measured ones all the same. What is not used of a source cell
#'   is decoded, so that of counts of genes by proteins alone both kinds of counterfactual are the decoded one.
#' @return A tibble of class `compert_r2` with one row per condition and method: the covariates,
#'   perturbation and dose under your own column names, `method`, `split`, `seen` (see
#'   [predict()][predict.compert_fit]), `n_cells` (observed), the scores, `n_controls` (cells
#'   that the model started from) and `note`. A column of yours that has one of these names gets
#'   `own_` in front (`own_split`), and so does one called `dose` that is not the dose. `print()` shows the
#'   preset, the averages of each split over the conditions that all methods can score, and says whether
#'   the model beats each baseline, is level with it (less than 0.02 apart) or does not beat it. The mean
#'   baseline is compared with where there is no additive one. Of the ceiling it says whether the model is
#'   below it, level with it or above it.
#'   `summary()` gives the averages per `split` and `method` over `n_conditions`, those that have a score,
#'   in the preset's order and, for `fb` and `multicpa`, with the -1 that they print for a split
#'   without conditions.
#' @section Errors:
#' No split column and no `condition`; no controls in the split that a reference's preset predicts
#' from; missing genes; unknown names; `degs` that name no condition of the cells, or for one of them
#' no gene; a batch or a continuous covariate in `condition`; the baseline `"nearest"` without features.
#' Values on another scale than those of training are a warning.
#' @source `evaluate_r2` in `cpa/train.py` and `cpa/api.py` of facebookresearch/CPA,
#'   `chemCPA/train.py` of theislab/chemCPA, and `MultiCPA/train.py` of theislab/multicpa. A technical duplicate
#'   stands beside models in CellSimBench (shiftbioscience/Perturbation-Models-Outperform-Baselines).
#' @seealso [baseline_fit()] for baselines that predict, [compare_r2()] for several models,
#'   [evaluate_effects()], [evaluate_cells()], [r2_matrix()], [plot_r2()], [plot_means()], [rank_degs()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' scores <- evaluate_r2(fit, screen, split = "ood", baselines = c("control", "additive", "ceiling"))
#' scores
#' summary(scores)
#' @export
evaluate_r2 <- function(fit, newdata, ..., preset = c("compert", "fb", "fb_api", "chemcpa",
                                                      "multicpa", "theislab"),
                        split = c("test", "ood"), condition = NULL, baselines = TRUE,
                        n_degs = 50L, degs = NULL, min_cells = NULL, controls = NULL, ddof = NULL,
                        variance = NULL, scale = NULL, clamp_negative = NULL, residual = NULL,
                        from = c("all", "rna", "proteins"), seed = NULL, assay = NULL, layer = NULL,
                        col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  need_newdata(missing(newdata), "evaluate_r2")
  from <- check_from(fit, from)
  own <- list(min_cells = min_cells, controls = controls, ddof = ddof, variance = variance,
              clamp_negative = clamp_negative, residual = residual, scale = scale,
              from = if (from != "all") from)
  options <- r2_options(fit, preset, own)
  options <- with_degs(options, n_degs, degs)
  check_seed(seed)
  baselines <- check_baselines(baselines)
  split <- check_split_names(split)
  screen <- read_to_score(fit, newdata, assay, layer, col_data, missing_genes, condition)
  evaluate_screen(fit, screen, split, options, condition, degs, baselines, seed)
}

# The scores of a screen that is read and split; `options` are complete.
evaluate_screen <- function(fit, screen, split, options, condition = NULL, degs = NULL,
                            baselines = check_baselines(TRUE), seed = NULL,
                            call = rlang::caller_env()) {
  rows <- evaluation_rows(fit, screen, split, condition, options, call)
  if (nrow(rows$table) == 0L) {
    return(new_r2(table_of_none(fit, metric_names, protein_metrics), rows, split, options))
  }
  rows$degs <- evaluation_degs(fit, screen, rows, degs, options$n_degs, call, options$degs_by_dose)
  rows <- keep_with_degs(rows, options)
  table <- score_rows(fit, screen, rows, options, baselines, resolve_seed(seed, call), call)
  scores <- new_r2(table, rows, split, options)
  attr(scores, "dose_unit") <- fit$meta$registry$dose_unit
  scores
}

# Splits under their own names; a column's words for them are understood here too.
check_split_names <- function(split, call = rlang::caller_env()) {
  if (is.character(split) && length(split) > 0L) {
    meaning <- split_meaning(split)
    if (!anyNA(meaning)) return(unique(meaning))
  }
  abort_input("`split` must be some of \"train\", \"test\" and \"ood\".",
              paste0("It is ", describe(split), "."), "Write `split = \"ood\"`.", call)
}

# The cells with their split, for verbs that score conditions.
read_to_score <- function(fit, newdata, assay, layer, col_data, missing_genes, condition,
                          call = rlang::caller_env()) {
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes, split = no_split_todo,
                         need = c("perturbation", "covariates", "batch"), call = call)
  screen["split"] <- list(evaluation_split(fit, screen, condition, call))
  screen
}

no_split_todo <- "Write these words; or leave the column out, and name what to score by `condition = `."

# The split of the cells: their column, or the automatic split of the same cells drawn again. NULL
# when the user names the conditions to score.
evaluation_split <- function(fit, screen, condition, call = rlang::caller_env()) {
  if (!is.null(screen$split)) return(screen$split)
  if (is.null(fit$meta$keys$split)) {
    screen$split <- auto_split(screen, fit$meta$seed)
    if (same_cells(fit$meta, screen)) return(screen$split)
  }
  if (!is.null(condition)) return(NULL)
  abort_input(
    "`newdata` must have the split column that the fit was made with, or `condition` be given.",
    "There is none, so held-out conditions cannot be told from trained ones.",
    c("Make one with `split_cells()` before fitting, or name the conditions to score.",
      "After an automatic split the cells must be those of the training, in their order."), call
  )
}

# The reference leaves out conditions with too few DEGs (a preset with min_degs).
keep_with_degs <- function(rows, options) {
  keep <- which(lengths(rows$degs) >= options$min_degs)
  rows$few_degs <- nrow(rows$table) - length(keep)
  rows$table <- rows$table[keep, , drop = FALSE]
  rows$degs <- rows$degs[keep]
  rows$of_cell <- match(rows$of_cell, keep)
  rows
}
