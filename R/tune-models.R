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

# Arguments of tune_fit() that not every model has, those that were given, under the names that the
# verbs have for them.
own_arguments <- function(..., model, call = rlang::caller_env()) {
  own <- Filter(Negate(is.null), list(...))
  having <- function(model) names(formals(model_verb(model)))
  wrong <- setdiff(names(own), having(model))
  if (length(wrong) == 0) return(own)
  others <- Filter(function(other) wrong[1] %in% having(other), model_names())
  verbs <- paste0("`", others, "()`", collapse = ", ")
  abort_input("Arguments must be those of the model that the settings are of.",
              paste0("`", wrong[1], "` is an argument of ", verbs, "; the settings are of `", model, "()`."),
              paste0("Leave it out, or write settings = ", paste0(others, "_settings(...)", collapse = " or "),
                     "."), call)
}

# What the verb makes of them before it reads the cells: list(keys, settings, molecules, doses), the
# arguments of new_task().
read_own <- function(keys, settings, own, dose_unit = NULL, call = rlang::caller_env()) {
  keys$degs <- check_own_degs(own$degs, call)
  if (settings$model == "chemcpa") {
    need_molecules(own$molecules, call)
    return(c(list(keys = keys), read_chemcpa(settings, own$molecules, own$molecule_encoder,
                                             own$dose_transform, dose_unit, call)))
  }
  how <- list(keys = keys, settings = settings)
  if (settings$model == "multicpa") {
    how <- read_multicpa(keys, settings, own$proteins, own$fusion, own$protein_loss, own$protein_assay, call)
  }
  doses <- list(unit = check_dose_unit(dose_unit, call),
                transform = if (settings$model == "scgen") "none")
  c(how, list(molecules = read_molecules(own$molecules, call = call), doses = doses))
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
  list(proteins = if (identical(own$proteins, FALSE)) {
         c("fusion", "protein_loss", "protein_background", "recon_weight_pro")
       },
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
