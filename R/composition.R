# Which parts are added to the basal states: perturbation and covariates (the batch is one).

# Names of covariates and continuous covariates, in the order in which the core numbers them.
covariate_parts <- function(registry) c(names(registry$covariates), names(registry$continuous))

# Codes of the covariates that are left out, 0-based. `correct` names them; "batch" also stands for
# the fit's batch, whatever its column is called.
left_out <- function(fit, correct, call = rlang::caller_env()) {
  names <- covariate_parts(fit$meta$registry)
  batch <- fit$meta$registry$batch
  check_strings(correct, "correct", call = call)
  if ("batch" %in% correct && !"batch" %in% names && is.null(batch)) {
    abort_input("`correct = \"batch\"` needs a fit with a batch.",
                paste0("This fit has ", if (length(names)) paste0("the covariates ", name_list(names))
                       else "no covariates", ", and none was given as `batch`."),
                "Fit with `cpa(..., batch = \"column\")`, or name a covariate.", call)
  }
  correct <- unique(ifelse(correct == "batch" & !correct %in% names, batch %||% "", correct))
  unknown <- setdiff(correct, names)
  if (length(unknown)) {
    abort_input("`correct` must name covariates of the fit, or \"batch\".",
                paste0(name_list(unknown), " is none."),
                paste0(did_you_mean(unknown[1L], names), "The covariates are ", name_list(names),
                       "."), call)
  }
  match(correct, names) - 1L
}

# The screen with labels that are encoded for a composition: what `parts` leaves out need not be known to
# the fit.
labels_in_use <- function(fit, screen, parts) {
  registry <- fit$meta$registry
  if (!parts$perturbation) {
    n <- length(screen$code)
    screen[c("parts", "doses", "code")] <- list(rep(list(registry$perturbations[1L]), n), rep(list(1), n),
                                                rep(1L, n))
  }
  for (name in intersect(names(registry$covariates), covariate_parts(registry)[parts$without + 1L])) {
    known <- registry$covariates[[name]]
    screen$covariates[[name]][!screen$covariates[[name]] %in% known] <- known[1L]
  }
  screen
}

# `add` as list(perturbation, without): TRUE adds everything, NULL nothing, names what they say.
as_composition <- function(fit, add, call = rlang::caller_env()) {
  names <- own_names(covariate_parts(fit$meta$registry), "perturbation")
  if (isTRUE(add)) return(list(perturbation = TRUE, without = integer()))
  if (is.null(add)) return(list(perturbation = FALSE, without = seq_along(names) - 1L))
  known <- c("perturbation", names)
  if (!is.character(add) || anyNA(add) || length(setdiff(add, known))) {
    abort_input("`add` must be TRUE, NULL, or name parts of the composition.",
                paste0("It is ", describe(add), "."),
                paste0("The parts are ", name_list(known, 12), "."), call)
  }
  list(perturbation = "perturbation" %in% add, without = match(setdiff(names, add), names) - 1L)
}
