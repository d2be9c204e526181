# How a fit stands on its test cells beside the baselines; it is kept in the fit and printed with it.

# The fit with its scores. Not after an interrupt, which must end at once. Whatever goes wrong here, the
# fit is made and is given back.
with_test_scores <- function(fit, screen, stopped, call = rlang::caller_env()) {
  if (identical(stopped, "interrupt") || !any(screen$split == "test" & !screen$control)) return(fit)
  unscored <- function(why) {
    cli::cli_warn(c("The fit is trained, but not scored on its test cells.", "!" = escape_braces(why),
                    i = "Score it by `evaluate_r2(fit, newdata)`, with the cells of the training."),
                  call = call, class = "compert_unscored")
    fit
  }
  tryCatch(score_test_cells(fit, screen), error = function(cnd) unscored(plain_message(cnd)),
           interrupt = function(cnd) unscored("Scoring was interrupted."))
}

# Averages over the test conditions, per method.
score_test_cells <- function(fit, screen) {
  options <- r2_options(fit, "compert", list())
  options$n_degs <- 50L
  table <- evaluate_screen(fit, screen, "test", options, seed = fit$meta$seed)
  if (nrow(table) == 0L) return(fit)
  means <- method_averages(table)
  meta <- fit$meta
  meta$test_scores <- lapply(rlang::set_names(means$method), function(method) {
    as.list(means[means$method == method, c("n", metrics_of(means))])
  })
  new_fit(with_core_errors(core_state_with_meta(fit$state, meta_to_json(meta))))
}

# Two lines for print(): DEG r2 of means and of effects, the winner named.
format_test_scores <- function(meta) {
  scores <- meta$test_scores
  if (is.null(scores$model) || is.null(scores$additive)) return(NULL)
  number <- function(method, metric) scores[[method]][[metric]] %||% NA_real_
  line <- function(metric, words) {
    model <- number("model", metric)
    additive <- number("additive", metric)
    control <- number("control", metric)
    if (is.na(model)) return(NULL)
    verdict <- if (is.na(additive)) {
      ""
    } else if (model > max(additive, control, na.rm = TRUE)) {
      ": the model is ahead"
    } else if (isTRUE(control > additive)) {
      ": no effect at all (control) is ahead"
    } else {
      ": the additive baseline is ahead"
    }
    paste0(words, " ", score_text(model), ", additive baseline ", score_text(additive),
           ", control ", score_text(control), verdict)
  }
  lines <- c(line("r2_mean_deg", "DEG r2"), line("r2_lfc_deg", "effect r2"),
             if (!is.null(scores$model$r2_mean_protein)) line("r2_mean_protein", "protein r2"))
  if (length(lines)) paste0(c("Test cells:    ", rep(strrep(" ", 15L), 2L))[seq_along(lines)], lines)
}

score_text <- function(x) if (is.na(x)) "-" else formatC(x, digits = 2, format = "f")
