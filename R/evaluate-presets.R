# How each published code scores a condition, as options of one procedure.

# `min_cells`: fewest observed cells; `controls`: cells that predictions start from;
# `control_split`: "all", or "own" for the training controls with training conditions and the test
# controls with test and ood ones; `variance`, `variance_nb`: see evaluate_r2(); `residual`: which
# counterfactual is the row "model" (NULL: the fit's default); `control_rows`: splits whose control
# cells are scored as a condition; `skip_names`: conditions left out by name; `min_degs`: fewest
# DEGs; `limit`: bound on predictions; `flat`: sums of squares up to this count as 0; `scale`: see
# evaluate_r2(); `order`, `empty`: columns of the summary and its value without conditions. Made of
# them, `kinds`: the counterfactuals to score, the first of which is "model".
r2_presets <- function() {
  fb <- list(
    min_cells = 31L, controls = "pooled", control_split = "own", ddof = 0L,
    variance = "predicted", variance_nb = "sampled", clamp_negative = FALSE, residual = FALSE,
    control_rows = "ood", skip_names = NULL, degs_by_dose = TRUE, min_degs = 0L, limit = Inf, flat = 0,
    scale = "model",
    order = c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg"), empty = -1
  )
  list(
    compert = utils::modifyList(fb, list(
      min_cells = 5L, controls = "matched", control_split = "all", ddof = 1L, variance = "total",
      variance_nb = "total", residual = NULL, control_rows = character(), scale = "log",
      empty = NA_real_
    )),
    fb = fb,
    fb_api = utils::modifyList(fb, list(
      min_cells = 1L, variance_nb = "predicted", empty = NA_real_
    )),
    chemcpa = utils::modifyList(fb, list(
      min_cells = 6L, ddof = 1L, variance_nb = "predicted", clamp_negative = TRUE,
      skip_names = "dmso|control", degs_by_dose = FALSE, min_degs = 2L, limit = 3e12, flat = 1e-4, empty = NA_real_
    )),
    multicpa = utils::modifyList(fb, list(
      variance_nb = "predicted",
      order = c("r2_mean", "r2_var", "r2_mean_deg", "r2_var_deg", "r2_mean_protein", "r2_var_protein")
    )),
    # The Norman tutorial of theislab/cpa; its Kang tutorial passes the treated cells themselves
    # through the model, which is reconstruct() and no prediction.
    theislab = utils::modifyList(fb, list(
      min_cells = 1L, control_split = "all", variance = "of_means", variance_nb = "of_means",
      control_rows = character(), empty = NA_real_
    ))
  )
}

# The preset with the user's own choices laid over it, all checked.
r2_options <- function(fit, preset, own, call = rlang::caller_env()) {
  loss <- fit$meta$settings$loss_ae
  presets <- r2_presets()
  preset <- check_choice(preset, names(presets), "preset", call)
  options <- presets[[preset]]
  if (is_count_loss(loss)) options$variance <- options$variance_nb
  check_count(own$min_cells, "min_cells", null_ok = TRUE, call = call)
  check_flag(own$clamp_negative, "clamp_negative", null_ok = TRUE, call = call)
  check_count(own$ddof, "ddof", min = 0, max = 1, null_ok = TRUE, call = call)
  if (!is.null(own$variance)) {
    check_choice(own$variance, c("total", "predicted", "of_means", "sampled"), "variance", call)
  }
  if (!is.null(own$scale)) check_choice(own$scale, c("log", "model"), "scale", call)
  if (is.character(own$controls) && length(own$controls) == 1L) {
    check_choice(own$controls, c("matched", "pooled"), "controls", call)
  }
  given <- own[!vapply(own, is.null, TRUE)]
  options[names(given)] <- given
  if (is_baseline(fit)) options <- baseline_options(options, own, call)
  # The references have one kind of counterfactual.
  kinds <- c("decoded", "difference")
  if (pick_residual(fit, options$residual, call)) kinds <- rev(kinds)
  options$kinds <- if (preset == "compert" && !is_baseline(fit)) kinds else kinds[1]
  options$preset <- preset
  options$mean_of_draws <- preset == "fb" && options$variance == "sampled"
  options$changed <- names(given)
  options$log_counts <- is_count_loss(loss) && options$scale == "log"
  if (options$log_counts && !is.null(own$variance)) {
    abort_input("`variance` must be left out on the log scale.",
                "The variance of counts is taken from draws there.",
                "Set `scale = \"model\"` to choose it.", call)
  }
  options
}

# Those of a table that scores DEGs.
with_degs <- function(options, n_degs, degs, call = rlang::caller_env()) {
  check_count(n_degs, "n_degs", min = 2, call = call)
  options$n_degs <- n_degs
  options$own_degs <- !is.null(degs)
  options
}

# One line on what the numbers mean, for print(). `source`: what predictions start from; `more`: what else matters.
preset_words <- function(options, source = source_words(options), more = NULL) {
  changed <- if (length(options$changed)) {
    paste0(" with own ", paste0("`", options$changed, "`", collapse = ", "))
  }
  paste0("preset \"", options$preset, "\"", changed, ": ", source,
         if (options$log_counts) ", log-normalised counts", ", at least ",
         count_of(options$min_cells, "cell"), ", ",
         if (isTRUE(options$own_degs)) "your own" else options$n_degs, " DEGs",
         if (!is.null(options$ddof)) paste(", ddof", options$ddof),
         if (options$clamp_negative) ", negative r2 set to 0", more)
}

source_words <- function(options) {
  controls <- if (!is.character(options$controls) || length(options$controls) > 1L) {
    "chosen source cells"
  } else if (options$controls == "matched") {
    "controls of the same covariates"
  } else if (options$control_split == "own") {
    "all controls of the split"
  } else {
    "all controls, whatever their covariates"
  }
  paste0(controls,
         if (!is.null(options$from)) c(rna = " by RNA alone", proteins = " by proteins alone")[[options$from]])
}
