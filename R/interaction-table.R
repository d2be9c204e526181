#' How two perturbations act together
#'
#' For combinations of two perturbations, the effect of both beside the effects of the parts: do they add
#' up, is there more than the sum (synergy) or less, does one of them decide (epistasis)? Predicted from
#' the same source cells and, where the pair and both parts were measured, observed.
#'
#' @details
#' The effects d1, d2 (of the parts, at the doses that they have in the combination) and d12 (of both) are
#' differences of mean expression from the control, one number per gene: of predictions those from the
#' same source cells under the control, of measured cells those of the controls of the same covariates.
#'
#' * Additive: the effect that is expected is d1 + d2. `r2_additive` and `pearson_additive` compare it
#'   with d12; `deviation` is the length of d12 - d1 - d2 as a share of that of d1 + d2.
#' * Norman et al. fit `d12 = coef_1 d1 + coef_2 d2` over genes. Their `magnitude`
#'   `sqrt(coef_1^2 + coef_2^2)` is 1.41 where effects add up, above it with synergy, below it where the
#'   parts buffer each other or do the same. `dominance`, `log10(|coef_1| / |coef_2|)`, is 0 where both
#'   contribute alike, above 0 where the first decides, below 0 where the second does (they and GEARS take
#'   its absolute value). `pearson_fit`, the correlation of the fit with d12, is low where both together
#'   do what neither of them does.
#' * `similarity` is the cosine of d1 and d2, `similarity_1` and `similarity_2` those of d12 with d1 and
#'   d2. The papers have distance correlations there, which need a matrix of genes x genes.
#'
#' The fit is one of least squares without an intercept. Norman et al. and GEARS fit robustly
#' (Theil-Sen, over random subsets of genes). Least squares has one answer, exactly 1 and 1 where effects
#' add up, and lets the genes decide that respond, which are outliers to a robust fit where most do not.
#' Norman et al. also bring every gene to the spread of the controls first, so compare numbers within a
#' table, not with theirs. Where d1 and d2 are alike (`similarity` near 1) the two coefficients cannot be
#' told apart well. No column calls a pair synergistic or epistatic: the papers rank the pairs of a
#' screen and take the extremes, and fixed thresholds would not follow from them.
#'
#' @section What it can tell:
#' Perturbations have no interaction term in the latent space of these models: their embeddings add up
#' there. What is predicted beyond the sum comes from the decoder alone (and of counts also from the
#' logarithm), so that a small predicted deviation is no evidence against an interaction, and with effects
#' that are alike a large one may be a matter of saturation. Pairs
#' that training has not seen (`seen` is not `"condition"`) are extrapolated; compare `predicted` with
#' `observed` on held-out pairs before believing in others.
#'
#' Predictions of fits on counts that are decoded (`residual = FALSE`) start from 200 of the source cells
#' here, of single genes as well (see Scale).
#'
#' Measured deviations hold the noise of four means. `noise` is the length (root mean square) that a
#' deviation has by the spread of cells alone, on the scale of `deviation`: a measured deviation near it
#' says that effects add up, as far as these cells can tell.
#'
#' @inheritParams dose_response
#' @param newdata Cells in any container that [cpa()] takes: the controls that predictions start from,
#'   and for observed rows all measured cells.
#' @param condition A [condition()] that names combinations of two perturbations, such as
#'   `condition(drug = "A+B", dose = "1+10")`. A covariate that it leaves out takes every level of which
#'   `newdata` has controls, a dose that it leaves out all measured ones, or the only one of training (see
#'   Open doses in [condition()]). `NULL` for all pairs that the screen of the fit or `newdata` holds, held-out
#'   ones included; combinations of three and more are left out there.
#' @param by `"combination"` for a row per pair, `"gene"` for a row per pair and gene.
#' @param features `"genes"`, or of a fit of RNA and proteins `"proteins"`.
#' @param genes Names of the genes (proteins) that count, such as DEGs; `NULL` for all.
#' @param observed `FALSE` leaves measured pairs out; perturbations and doses of `newdata` are not
#'   needed then, and `condition = NULL` means the pairs of the fit's screen.
#' @param min_cells Fewest measured cells of each of the four means of an observed row.
#' @param scale For fits on counts, `"log"` (log-normalised) or `"model"` (raw counts), see Scale.
#' @return A tibble with a row per combination, combination of covariates and `method`, `"predicted"` or
#'   `"observed"`: the covariates, perturbation and dose under your own column names, `method`,
#'   `perturbation_1`, `dose_1`, `perturbation_2`, `dose_2` (the parts), `seen`, `seen_1`, `seen_2` (what
#'   training saw of both and of the parts, see [predict()][predict.compert_fit]), `n_cells` (source cells of
#'   a prediction, of a measurement the cells of the smallest of the four means); then
#'   `coef_1`, `coef_2`, `magnitude`, `dominance`, `pearson_fit`, `r2_additive`, `pearson_additive`,
#'   `similarity`, `similarity_1`, `similarity_2`, the lengths `norm_1`, `norm_2`, `norm_both` and
#'   `norm_expected` (of d1 + d2), `deviation` and, of observed rows, `noise`. What cannot be told, as
#'   the coefficients of a part without effect, is `NA`.
#'
#'   `by = "gene"`: after `seen` and `n_cells` the columns `gene`, the means `control`, `first`, `second` and
#'   `both`, `expected` (first + second - control), `deviation` (both - expected) and, of observed rows, its
#'   standard error `se`. A column of yours that has one of these names gets `own_` in front. The
#'   attribute `scale` says the scale of the means.
#' @inheritSection dose_response Scale
#' @section Dose 0:
#' Where controls have dose 0, a part at dose 0 is not there, and what is left is no combination; where they
#' have another dose, dose 0 is a dose like others (see [dose_response()]).
#' @section Errors:
#' Unknown names; a condition that is no combination of two; no pair in the screen; covariates without
#' controls in `newdata`; a batch or a continuous covariate in `condition`; a baseline of [baseline_fit()],
#' which predicts no interaction. Doses outside the trained range give one warning.
#' @references
#' Norman TM, Horlbeck MA, Replogle JM, et al. (2019). Exploring genetic interaction manifolds
#' constructed from rich single-cell phenotypes. *Science* 365:786-793. \doi{10.1126/science.aax4438}
#'
#' Roohani Y, Huang K, Leskovec J (2023). Predicting transcriptional outcomes of novel multigene
#' perturbations with GEARS. *Nature Biotechnology* 42:927-935. \doi{10.1038/s41587-023-01905-6}
#' @seealso [plot_interactions()], [dose_response2d()] for a grid of doses, [evaluate_r2()], which has the
#'   sum of the parts as a baseline
#' @examples
#' wells <- drugseq_example()
#' fit <- cpa(wells, "condition", dose = "dose", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' # No pair was measured in this screen: there are predictions only.
#' both <- condition(condition = "Abemaciclib+Trametinib", dose = c(1, 10))
#' interaction_table(fit, wells, both)
#' interaction_table(fit, wells, both, by = "gene", genes = c("CASK", "SELENBP1"))
#' @export
interaction_table <- function(fit, newdata, condition = NULL, ..., by = c("combination", "gene"),
                              features = c("genes", "proteins"), genes = NULL, observed = TRUE,
                              min_cells = 1L, source = "matched", residual = NULL,
                              scale = c("log", "model"), assay = NULL, layer = NULL, col_data = NULL,
                              missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  if (is_baseline(fit)) stop_at_interactions(fit)
  need_newdata(missing(newdata), "interaction_table")
  by <- check_choice(by, c("combination", "gene"), "by")
  scale <- check_choice(scale, c("log", "model"), "scale")
  features <- check_features(fit, features)
  genes <- check_genes(fit, genes, of = features)
  check_flag(observed, "observed")
  check_count(min_cells, "min_cells")
  residual <- pick_residual(fit, residual)
  need <- c(if (observed) c("perturbation", "dose"), "covariates", "batch")
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes, need = need)
  pairs <- asked_pairs(fit, screen, condition, observed, rlang::current_env())
  means <- list(predicted = predicted_pairs(fit, screen, pairs, source, residual, scale, features,
                                            rlang::current_env()))
  if (observed) means$observed <- observed_pairs(fit, screen, pairs, min_cells, scale, features)
  at <- match(genes %||% fit$meta$registry[[features]], fit$meta$registry[[features]])
  rows <- pair_rows(fit, pairs, means)
  build <- if (by == "gene") gene_rows_of_pairs else score_rows_of_pairs
  table <- build(rows, lapply(means, only_genes, at), fit$meta$registry[[features]][at])
  with_scale(with_dose_unit(table, fit), fit, screen, scale, features)
}

# Of the methods two add effects up, and the others take the effect of a pair from other conditions.
stop_at_interactions <- function(fit, call = rlang::caller_env()) {
  refuse_baseline(fit, "fit", call, which = paste(
    if (fit$meta$settings$method %in% c("additive", "nearest")) "in which effects add up by definition:" else
      "which takes no effect of a pair from its parts:", "it predicts no interaction"
  ), todo = "`cpa()` fits a model; `observed_response(pair = )` tells what was measured.")
}

# The combinations that are asked for, one row per combination of covariates: list(parts, doses,
# covariates, row).
asked_pairs <- function(fit, screen, condition, observed, call) {
  measured <- if (observed) measured_conditions(fit, screen) else known_conditions(fit)
  condition <- condition %||% all_pairs(fit, measured, call)
  targets <- make_targets(fit, condition, call, any_dose(measured, only_dose(fit)))
  stop_at_batch(fit, targets, call)
  stop_unless_pairs(targets, call)
  asked <- measured_levels(every_level(fit, targets), measured)
  # Covariates that were left open take the levels that there are controls of.
  place <- row_keys(screen$covariates[screen$control, condition_covariates(fit), drop = FALSE])
  ready <- row_keys(asked$covariates) %in% place
  keep <- ready | !asked$row %in% asked$row[ready]
  list(parts = asked$parts[keep], doses = asked$doses[keep],
       covariates = asked$covariates[keep, , drop = FALSE])
}

# All combinations of two known perturbations among `measured`, as a condition.
all_pairs <- function(fit, measured, call) {
  known <- fit$meta$registry$perturbations
  pair <- vapply(measured$parts, function(p) length(p) == 2L && all(p %in% known), NA)
  parts <- measured$parts[pair]
  doses <- measured$doses[pair]
  first <- which(!duplicated(condition_key(parts, doses)))
  if (length(first)) return(new_condition(parts[first], doses[first]))
  two <- c(setdiff(known, fit$meta$registry$control), "A", "B")[1:2]
  abort_input("`condition` must name combinations of two perturbations where the screen holds none.",
              "It is `NULL`, and no cell has two perturbations.",
              paste0("Write `condition(", fit$meta$keys$perturbation, " = list(", deparse(two), "))`."), call)
}

stop_unless_pairs <- function(targets, call) {
  other <- which(lengths(targets$parts) != 2L)
  if (length(other) == 0L) return(invisible())
  n <- length(targets$parts[[other[1L]]])
  abort_input("`condition` must name combinations of two perturbations.",
              paste0(dQuote(targets$label[other[1L]], FALSE), " has ",
                     if (n == 1L) "one part that acts." else paste0(n, " parts.")),
              if (n == 1L) "Write \"A+B\", with a dose above 0 of both, and two different names." else
                "Ask for its pairs one by one.", call)
}

# What all rows of a table say: `index` of the pair and `method`, and the columns in front of the scores.
pair_rows <- function(fit, pairs, means) {
  n <- length(pairs$parts)
  index <- unlist(lapply(means, `[[`, "pair"), use.names = FALSE)
  method <- rep(names(means), vapply(means, function(m) length(m$pair), 0L))
  order <- order(index, match(method, names(means)))
  index <- index[order]
  about <- describe_rows(fit, pairs, data.frame(group = seq_len(n), split = "", n_cells = 0L))
  seen <- function(k) {
    part <- if (is.null(k)) identity else function(x) lapply(x, `[`, k)
    seen_in_training(fit, part(pairs$parts), part(pairs$doses), pairs$covariates)
  }
  of <- function(what, k) unlist(lapply(what, `[`, k))
  fixed <- list(perturbation_1 = of(pairs$parts, 1L), dose_1 = of(pairs$doses, 1L),
                perturbation_2 = of(pairs$parts, 2L), dose_2 = of(pairs$doses, 2L),
                seen = seen(NULL), seen_1 = seen(1L), seen_2 = seen(2L))
  cells <- unlist(lapply(means, `[[`, "n_cells"), use.names = FALSE)[order]
  list(method = method[order], column = unlist(lapply(means, function(m) seq_along(m$pair)))[order],
       own = about$own[index, , drop = FALSE],
       fixed = c(list(method = method[order]), lapply(fixed, `[`, index), list(n_cells = cells)))
}
