# How a fit stands on its test cells beside the baselines; it is kept in the fit and printed with it.

# The fit with its scores in `meta`. Not after an interrupt, which must end at once. Whatever goes wrong here, the
# fit is made and is given back.
with_test_scores <- function(fit, screen, stopped, call = rlang::caller_env()) {
  if (identical(stopped, "interrupt") || !any(screen$split == "test" & !screen$control)) return(fit)
  unscored <- function(why, class = NULL) {
    cli::cli_warn(c("The fit is trained, but not scored on its test cells.", "!" = escape_braces(why),
                    i = "Score it by `evaluate_r2(fit, newdata)`, with the cells of the training."),
                  call = call, class = c(class, "compert_unscored"))
    fit
  }
  tryCatch({
    if (!identical(stopped, "nan")) tell_divergence(fit, screen, call)
    score_test_cells(fit, screen)
  }, error = function(cnd) unscored(plain_message(cnd)), interrupt = function(cnd) {
    unscored("Scoring was interrupted.", "compert_scoring_interrupted")
  })
}

# Averages over the test conditions, per method, and what print() compares.
score_test_cells <- function(fit, screen) {
  options <- with_degs(r2_options(fit, "compert", list()), 50L, NULL)
  table <- evaluate_screen(fit, screen, "test", options, seed = fit$meta$seed)
  if (nrow(table) == 0L) return(fit)
  means <- method_averages(table)
  meta <- fit$meta
  meta$test_scores <- lapply(rlang::set_names(means$method), function(method) {
    as.list(means[means$method == method, c("n", metrics_of(means))])
  })
  meta$test_comparison <- c(
    list(seen = all(table$seen == "condition")),
    lapply(rlang::set_names(intersect(names(compared_metrics), names(table))), compare_on_shared, table = table)
  )
  fit$meta <- meta
  fit
}

compared_metrics <- c(r2_mean_deg = "DEG r2", r2_lfc_deg = "effect r2", r2_mean_protein = "protein r2",
                      r2_lfc_protein = "protein effect r2")

# Means of model, additive baseline and control over the conditions that all of them can score (the
# additive baseline lacks many), `n` of `of`. A baseline that can score none is left out.
compare_on_shared <- function(metric, table) {
  values <- lapply(rlang::set_names(c("model", "additive", "control")), function(method) {
    table[[metric]][table$method == method]
  })
  values <- values[vapply(values, function(v) any(is.finite(v)), NA)]
  shared <- Reduce(`&`, lapply(values, is.finite), is.finite(values$model %||% NA_real_))
  c(list(n = sum(shared), of = length(shared)), lapply(values, function(v) mean(v[shared])))
}

# A line for each score that the model has, the winner named, or those that are level. The model's kind of
# counterfactual is told, for the scores of the history are those of the decoded expression.
format_test_scores <- function(meta) {
  compared <- meta$test_comparison
  kind <- if (isTRUE(meta$residual)) "by difference" else "decoded"
  lines <- unlist(lapply(intersect(names(compared_metrics), names(compared)), function(metric) {
    format_comparison(compared[[metric]], compared_metrics[[metric]], kind)
  }))
  if (length(lines) == 0L) return(NULL)
  if (isTRUE(compared$seen)) {
    lines <- c(lines, "(The model saw training cells of these conditions; no baseline uses them.)")
  }
  paste0(c("Test cells:    ", rep(strrep(" ", 15L), length(lines) - 1L)), lines)
}

format_comparison <- function(of, words, kind) {
  if (is.null(of$model) || of$n == 0L) return(NULL)
  shown <- c(model = "", additive = "additive baseline ", control = "control ")
  shown <- shown[names(shown) %in% names(of)]
  scores <- paste0(shown, vapply(of[names(shown)], score_text, ""),
                   ifelse(names(shown) == "model", paste0(" (", kind, ")"), ""), collapse = ", ")
  names <- c(model = "the model", additive = "the additive baseline", control = "no effect at all (control)")
  value <- sort(unlist(of[names(shown)]), decreasing = TRUE)
  best <- names[names(value)[value[1L] - value < level_gap]]
  ahead <- if (length(best) > 1L) paste(paste(best, collapse = " and "), "are level") else paste(best, "is ahead")
  paste0(words, " ", scores, if (length(shown) > 1L) paste0(": ", ahead),
         if (of$n < of$of) paste0(" (", of$n, " of ", of$of, " conditions, which all can score)"))
}

#' @rdname compert_fit
#' @name compert_fit
#' @section History:
#' Losses are means over the steps of an epoch, before their weights in [cpa_settings()]; of parts that a model does
#' not have they are `NA`, and those of alignment and counterfactuals 0. Scores are of epochs in which the test cells
#' were scored.
#' \describe{
#'   \item{`epoch`, `seconds`}{number of the epoch, and seconds since training began, over all runs.}
#'   \item{`loss_reconstruction`}{the decoder's: of cells against what the model decodes under their own conditions,
#'     with proteins of both modalities together.}
#'   \item{`loss_proteins`}{the part of it that is the proteins'.}
#'   \item{`loss_adv_perturbations`, `loss_adv_covariates`}{cross entropy of the adversaries' guesses.}
#'   \item{`penalty_adv_perturbations`, `penalty_adv_covariates`}{gradient penalty of the adversaries.}
#'   \item{`loss_kl`, `loss_kl_background`}{Kullback-Leibler divergence of a variational encoder's state, and of the
#'     background of proteins as a mixture, from what is expected of them.}
#'   \item{`loss_alignment`, `loss_counterfactual`, `loss_degs`}{what `reg_alignment`, `reg_counterfactual` and
#'     `reg_multi_task` weigh.}
#'   \item{`r2_mean`, `r2_mean_deg`, `r2_var`, `r2_var_deg`, `r2_mean_protein`, `r2_var_protein`}{scores of the
#'     decoded expression (`residual = FALSE`, whatever the fit predicts), from test controls where there are
#'     five, and with the decoder's own variances, so that [evaluate_r2()] differs a little.}
#'   \item{`cpa_metric`}{theislab/cpa's, where `stopping_metric` asks for it.}
#'   \item{`best`}{whether these weights were kept (for good, with `restore_best`): the score was the best so far, or
#'     below it by no more than `best_tolerance` of [cpa_settings()] allows for noise. The last such row counts.}
#' }
NULL
