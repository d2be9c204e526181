# Training that ran away without a value that is not finite: Adam's steps are bounded, and so are weights.

# Warns where the weights that the fit keeps predict test cells with more than ten times the squared error that 0 for
# every gene has. An untrained network has about this error itself, in every likelihood, and training only lowers it:
# a fixed bound of r2 would be passed by healthy fits of few epochs, since 0 has an r2 of -0.3 where most genes are
# silent and of -17 on a microarray.
tell_divergence <- function(fit, screen, call = rlang::caller_env()) {
  settings <- fit$meta$settings
  kept <- kept_epoch(fit$history, settings$restore_best)
  # That of 0 is at least 1.
  if (!isTRUE(1 - kept$r2_mean > 10)) return(invisible())
  times <- (1 - kept$r2_mean) / error_of_zero(screen, is_log_scored(settings))
  if (!isTRUE(times > 10)) return(invisible())
  text <- paste0("Test cells are predicted with ", number_text(times), " times the squared error of 0 for every gene: ",
                 "r2_mean is ", number_text(kept$r2_mean), " at epoch ", kept$epoch, ".")
  cli::cli_warn(c("Training diverged, and the fit is of no use.", "!" = text, i = rate_advice(settings)),
                call = call, class = "compert_diverged")
}

# The mean over test conditions of 1 - r2 of a prediction of 0, on the scale of the history: `logs`, see is_log_scored().
error_of_zero <- function(screen, logs) {
  truth <- tested_conditions(screen, condition_group(screen), 5)
  code <- rep(-1L, ncol(screen$x))
  code[unlist(truth)] <- rep(seq_along(truth) - 1L, lengths(truth))
  means <- core_group_stats(screen$x, code, length(truth))$mean
  if (logs) means <- log1p(means)
  mean(1 - apply(means, 2L, function(m) core_r2(m, numeric(length(m)))), na.rm = TRUE)
}

# During training counts are scored as logs, but by the parities of theislab/multicpa.
is_log_scored <- function(settings) is_count_loss(settings$loss_ae) && !startsWith(settings$parity, "multicpa")

rate_advice <- function(settings) {
  table <- core_settings_table(settings$parity, settings$model)
  usual <- vapply(rate_names, function(name) jsonlite::fromJSON(table$default[table$name == name]), 0)
  high <- rate_names[unlist(settings[rate_names]) > usual]
  told <- paste0("`", high, "` is ", number_text(settings[high]), ", by default ", number_text(usual[high]),
                 recycle0 = TRUE, collapse = "; ")
  paste0("Fit again with smaller learning rates", if (length(high)) paste0(" (", told, ")"),
         if (settings$clip_grad_norm == 0) ", or with clip_grad_norm = 1",
         ", and look for values of `x` out of all proportion.")
}
