# Searches of every model: the verb that makes the fits, its own arguments, and which settings act in it.

model_names <- function() c("cpa", "chemcpa", "multicpa", "scgen")

model_verb <- function(model) {
  switch(model, cpa = cpa, chemcpa = chemcpa, multicpa = multicpa, scgen = scgen)
}

# The call that makes settings of the model that a search was given, for advice; of cpa() if they are none.
call_of_settings <- function(settings) {
  model <- if (inherits(settings, "compert_settings")) settings$model
  call(paste0(model %||% "cpa", "_settings"))
}

# Of the arguments of tune_fit() those that not every model has, and that were given.
own_arguments <- function(given, model, call = rlang::caller_env()) {
  having <- lapply(rlang::set_names(model_names()), function(model) names(formals(model_verb(model))))
  not_all <- setdiff(unlist(having), Reduce(intersect, having))
  own <- Filter(Negate(is.null), given[intersect(names(given), not_all)])
  wrong <- setdiff(names(own), having[[model]])
  if (length(wrong) == 0) return(own)
  others <- names(Filter(function(arguments) wrong[1] %in% arguments, having))
  verbs <- paste0("`", others, "()`", collapse = ", ")
  abort_input("Arguments must be those of the model that the settings are of.",
              paste0("`", wrong[1], "` is an argument of ", verbs, "; the settings are of `", model, "()`."),
              paste0("Leave it out, or write settings = ", paste0(others, "_settings(...)", collapse = " or "),
                     "."), call)
}

# Those that say what is where, which every model has.
column_arguments <- function(given) {
  columns <- c("perturbation", "dose", "covariates", "control", "batch", "split", "sep", "dose_unit")
  given[intersect(columns, names(given))]
}

# The settings by which the cells are read: of what is searched, the value that asks most of them.
reading_settings <- function(settings, plan) {
  drawn <- lapply(plan$values[intersect(names(plan$values), c("fusion", "protein_loss"))], unique)
  if ("concat" %in% drawn$fusion) drawn$fusion <- "concat"
  for (name in names(drawn)) {
    settings[[name]] <- attr(settings, "given")[[name]] <- drawn[[name]][1]
  }
  settings
}

# A setting is fixed or searched, and acts in the model.
check_searched <- function(names, model, given, own, call) {
  encoder <- if (inherits(own$molecule_encoder, "compert_molecule_encoder")) {
    c("molecule_width", "molecule_depth")
  }
  both <- intersect(names, c(given, names(own), encoder))
  if (length(both)) {
    where <- if (all(both %in% given)) "in `settings`" else if (all(both %in% names(own))) "an argument" else
      "that of `molecule_encoder`"
    abort_input("A setting must be either fixed or searched.",
                paste0(name_list(both), " is ", where, " and in `space`."),
                "Leave it out of one of them.", call)
  }
  idle <- intersect(names, idle_settings(model))
  if (length(idle)) {
    abort_input(paste0("`space` must hold settings that act in fits of `", model, "()`."),
                paste0(name_list(idle), if (length(idle) == 1) " acts" else " act", " in other models only."),
                "Leave it out, or give the settings of the model that is to be searched.", call)
  }
  off <- Filter(length, lapply(switched_off(model, own), intersect, x = names))
  if (length(off) == 0) return(invisible())
  todo <- c(proteins = "search with `proteins`.",
            "a network over molecules" = "write molecule_encoder = \"graph\".",
            "continuous covariates" = "name them in `continuous`.")
  abort_input("`space` must hold settings that act in the fits of the search.",
              paste0(name_list(off[[1L]]), if (length(off[[1L]]) == 1) " does" else " do", " nothing without ",
                     names(off)[1L], "."),
              paste("Leave it out, or", todo[[names(off)[1L]]]), call)
}

# Settings of the model that do nothing with these arguments, by what they act in.
switched_off <- function(model, own) {
  list(proteins = if (identical(own$proteins, FALSE)) own_settings$multicpa,
       "a network over molecules" = if (model == "chemcpa" && is.null(own$molecule_encoder)) {
         c("molecule_width", "molecule_depth")
       },
       "continuous covariates" = if (length(own$continuous) == 0L) "continuous_doser")
}

# The default space of a model, of what these arguments do not switch off.
default_search <- function(settings, own) {
  space <- default_space(settings)
  space[unlist(switched_off(settings$model, own))] <- NULL
  space
}

idle_settings <- function(model) {
  of_effects <- c("doser_type", "continuous_doser", "embeddings_lr", "counterfactual_targets",
                  "counterfactual_shrinkage",
                  paste0("dosers_", c("width", "depth", "lr", "wd")),
                  paste0("embedding_encoder_", c("width", "depth", "norm")))
  c(foreign_settings(model), if (model == "scgen") of_effects)
}

# The likelihoods of proteins that one search may hold.
check_protein_losses <- function(losses, call) {
  if (length(losses) < 2 || !"gauss" %in% losses) return(invisible())
  abort_input("`space` must hold settings whose fits can be compared by their scores.",
              paste0("`protein_loss` has ", name_list(losses), ": the Gaussian is of normalised values."),
              "Compare \"nb_mixture\" and \"nb\", or fix it.", call)
}
