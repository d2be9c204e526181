# What the trials of a search are compared by.

# "score" or a column of the history; a leading minus means that less is better.
read_metric <- function(metric, call = rlang::caller_env()) {
  check_string(metric, "metric", call = call)
  column <- sub("^-", "", metric)
  check_choice(column, tuning_metrics(), "metric", call)
  list(name = metric, column = column, sign = if (startsWith(metric, "-")) -1 else 1)
}

tuning_metrics <- function() {
  known <- history_series()
  c("score", known$column[known$kind == "r2"], "cpa_metric", known$column[known$kind == "loss"])
}

# Metrics that no trial will have. `own`: see own_arguments().
check_metric <- function(metric, space, settings, own = list(), call = rlang::caller_env()) {
  if (grepl("protein|background", metric$column)) return(check_protein_metric(metric, settings, own, call))
  if (metric$column == "cpa_metric") return(check_cpa_metric(space, settings, call))
  needs <- list(loss_kl = "variational", loss_adv_perturbations = "reg_adversary",
                loss_adv_covariates = c("reg_adversary", "reg_adversary_cov"))[[metric$column]]
  on <- vapply(needs, function(name) settings[[name]] > 0, NA)
  if (length(needs) == 0 || any(on) || any(c(needs, "parity") %in% names(space))) return(invisible())
  abort_metric(metric$column, paste0(" is not there without `", needs[1], "`."),
               paste0("Give ", settings$model, "_settings(", needs[1], " = ",
                      if (needs[1] == "variational") "TRUE" else "1", ")"), call)
}

check_protein_metric <- function(metric, settings, own, call) {
  if (settings$model != "multicpa" || identical(own$proteins, FALSE)) {
    abort_metric(metric$column, " is of fits of proteins, and these have none.",
                 "Search with settings = multicpa_settings(...) and `proteins`", call)
  }
}

check_cpa_metric <- function(space, settings, call) {
  if (settings$stopping_metric == "cpa_metric" || any(c("stopping_metric", "parity") %in% names(space))) {
    return(invisible())
  }
  abort_metric("cpa_metric", paste0(" is computed where training stops by it, and `stopping_metric` is ",
                                    dQuote(settings$stopping_metric, FALSE), "."),
               paste0("Give ", settings$model, "_settings(stopping_metric = \"cpa_metric\")"), call)
}

# The background has a Kullback-Leibler term in the mixture only, and which likelihood proteins have
# is known once the cells are read.
check_background <- function(metric, space, task, call = rlang::caller_env()) {
  if (metric$column != "loss_kl_background" || "protein_loss" %in% names(space) ||
        task$settings$protein_loss == "nb_mixture") {
    return(invisible())
  }
  abort_metric(metric$column, paste0(" is of the mixture, and proteins have protein_loss = ",
                                     dQuote(task$settings$protein_loss, FALSE), "."),
               "Give raw counts of proteins with protein_loss = \"nb_mixture\"", call)
}

abort_metric <- function(column, why, advice, call) {
  abort_input("`metric` must be something that the fits of the search have.",
              paste0(dQuote(column, FALSE), why), paste0(advice, ", or another metric."), call)
}
