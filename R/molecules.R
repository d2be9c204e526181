# What is known of the perturbations: molecules as SMILES or as a matrix of features.

# list(names; free: which have none; features: perturbations x features, or smiles for a network that
# reads graphs; kind: how they are read; n: how many features; columns: the features' names, if any).
# `known`: kind, n and columns of the fit that they are for. SMILES in a column of cells wait for these:
# list(in_cells = the column, known, encoder). `todo`: what else than correcting invalid SMILES helps.
read_molecules <- function(molecules, known = NULL, encoder = NULL, call = rlang::caller_env(),
                           todo = "leave the control out, and write NA for what is no molecule") {
  if (is.null(molecules)) return(NULL)
  molecules <- as_named_smiles(molecules)
  if (names_a_column(molecules)) return(list(in_cells = molecules, known = known, encoder = encoder))
  read <- if (is.character(molecules) && is.null(dim(molecules))) {
    read_molecule_smiles(molecules, encoder, todo, call)
  } else {
    read_feature_matrix(molecules, encoder, call)
  }
  if (is.null(known)) return(read)
  if (identical(read$kind, known$kind) && read$n == known$n) return(match_features(read, known, call))
  words <- function(m) {
    paste(m$n, if (m$kind == "matrix") "features of a matrix" else "features of SMILES")
  }
  abort_input("`molecules` must be described as those of the fit are.",
              paste0("The fit has ", words(known), ", these are ", words(read), "."),
              if (known$kind == "matrix") {
                "Give the same columns as in training; a fit with named SMILES takes any molecule."
              } else {
                "Give named SMILES."
              }, call)
}

# Features in the fit's order: by name where both have names, else by place.
match_features <- function(read, known, call) {
  if (is.null(known$columns) || is.null(read$columns)) {
    read$columns <- read$columns %||% known$columns
    return(read)
  }
  at <- match(known$columns, read$columns)
  if (anyNA(at)) {
    abort_input("`molecules` must have the features of the fit as columns.",
                paste0("It lacks ", name_list(known$columns[is.na(at)]), "; it has ",
                       name_list(setdiff(read$columns, known$columns)), "."),
                paste("Give the same columns as in training, in any order. Those of a matrix without",
                      "column names (colnames(molecules) <- NULL) go by place."), call)
  }
  read$features <- read$features[, at, drop = FALSE]
  read$columns <- known$columns
  read
}

# Molecules for a fit that exists, described as its own.
read_more_molecules <- function(molecules, registry, ..., call = rlang::caller_env()) {
  if (!isTRUE(registry$n_features > 0)) return(read_molecules(molecules, call = call))
  if (is.null(molecules)) {
    abort_input("`molecules` must say what the perturbations are.",
                "It is missing, and the embeddings of `fit` are computed from molecules.",
                "Give them as those of `fit` were given.", call)
  }
  encoder <- if (registry$feature_kind == "graph") list(width = registry$n_features)
  read_molecules(molecules, list(kind = registry$feature_kind, n = registry$n_features,
                                 columns = registry$feature_names), encoder, call, ...)
}

read_molecule_smiles <- function(molecules, encoder, todo, call) {
  names <- rlang::names2(molecules)
  if (length(molecules) == 0 || !all(nzchar(names)) || anyDuplicated(names)) {
    abort_unnamed_smiles(molecules, call)
  }
  known <- !is.na(molecules)
  if (!any(known)) {
    abort_input("`molecules` must hold at least one SMILES.", "All are NA.",
                "Without molecules use `cpa()`.", call)
  }
  # Refuses invalid ones by name.
  read_smiles(molecules[known], FALSE, "error", call, "molecules", todo)
  out <- list(names = names, free = unname(!known))
  if (!is.null(encoder)) {
    return(c(out, list(smiles = unname(molecules), kind = "graph", n = encoder$width)))
  }
  made <- smiles_features(molecules[known])
  features <- matrix(NA_real_, length(molecules), ncol(made))
  features[known, ] <- made
  c(out, list(features = features, kind = "rdkit", n = ncol(made)))
}

abort_unnamed_smiles <- function(molecules, call) {
  names <- rlang::names2(molecules)
  twice <- names[duplicated(names) & nzchar(names)]
  without <- which(!nzchar(names))
  spellings <- name_list(molecules[names %in% twice[1L]])
  abort_input("`molecules` must be SMILES named by perturbation, each name once.",
              if (length(twice)) paste0(dQuote(twice[1L], FALSE), " is there twice, with ", spellings, and_more(
                length(unique(twice)), "such name"), ".") else
                paste0("It is ", describe(molecules),
                       if (any(nzchar(names))) paste0(", entry ", without[1L], " without a name"), "."),
              if (length(twice)) "Keep one SMILES of each; canonical_smiles() writes two spellings in one way." else
                "Write c(\"Drug A\" = \"CCO\", \"Drug B\" = \"c1ccccc1\").", call)
}

read_feature_matrix <- function(molecules, encoder, call) {
  if (!is.null(encoder)) {
    abort_input("`molecules` must be named SMILES for a network that reads molecular graphs.",
                paste0("It is ", describe(molecules), "."),
                "Give SMILES; a matrix goes with a fit that was made without `molecule_encoder`.", call)
  }
  features <- as_feature_matrix(molecules)
  wrong <- feature_defect(features, molecules)
  if (!is.null(wrong)) {
    abort_input("`molecules` must be a matrix of finite numbers with one named row per perturbation.", wrong,
                paste("Give its rows the names of the perturbations, each once; or give SMILES, as a named",
                      "vector or a table of two columns. A row of NA is a perturbation without a molecule."), call)
  }
  list(names = rownames(features), free = unname(is.na(features[, 1L])),
       features = unname(features), kind = "matrix", n = ncol(features),
       columns = distinct_names(colnames(features)))
}

# Names by which columns can be told apart, or NULL.
distinct_names <- function(names) {
  if (is.null(names) || anyNA(names) || !all(nzchar(names)) || anyDuplicated(names)) return(NULL)
  names
}

# Molecules that predictions can name, whether a cell had them or not.
known_molecules <- function(molecules) if (is.null(molecules)) character() else molecules$names[!molecules$free]

# Names that the perturbation column was split into.
hint_of_sep <- function(given, absent, registry) {
  whole <- names_that_hold_sep(given, absent, registry$perturbations, registry$sep)
  if (length(whole) == 0) return(NULL)
  paste0(name_list(whole[1]), " was split at ", dQuote(registry$sep, FALSE),
         ": write sep = NULL, or the `sep` that joins names in the perturbation column.")
}

# For the core: features x perturbations in the registry's order, and who has any. The control may be
# left out and counts as a row of 0; a row of NA has an embedding of its own, learned freely.
perturbation_features <- function(molecules, registry, call) {
  if (is.null(molecules)) return(NULL)
  given <- molecules$names
  absent <- setdiff(registry$perturbations, c(given, registry$control))
  if (length(absent) > 0) {
    abort_input("`molecules` must have an entry for every perturbation.",
                paste0("It lacks ", name_list(absent), "."),
                c(hint_of_sep(given, absent, registry),
                  paste0("Add them (NA for what is no molecule: its embedding is then learned freely); ",
                         "those that it has are ", name_list(given), ".")), call)
  }
  row <- match(registry$perturbations, given)
  has <- as.double(is.na(row) | !molecules$free[row])
  if (molecules$kind == "graph") {
    # A control that is no molecule has an embedding of its own.
    smiles <- molecules$smiles[row]
    return(list(graphs = smiles, n_features = molecules$n, has_features = as.double(!is.na(smiles))))
  }
  features <- t(molecules$features)[, row, drop = FALSE]
  features[is.na(features)] <- 0
  list(features = features, has_features = has)
}

#' Add molecules to a fit
#'
#' A fit whose embeddings come from molecules can predict any molecule. `add_molecules()` makes new
#' ones known to it by name; nothing is trained, and all other predictions stay as they are, to the
#' bit. [resume_fit()] goes on from the weights of the result, with new optimisers and adversaries.
#' For a single question `smiles` in [condition()] does the same.
#'
#' @param fit A `compert_fit` made with `molecules`.
#' @param molecules SMILES by name, or a matrix with one named row per new molecule, as the fit's own
#'   were given ([chemcpa()]), but no column of cells. Names must be new. Columns are matched by name where
#'   both matrices have column names.
#' @return A `compert_fit` that knows the new perturbations (`seen` is `"drug new"` for them).
#' @section Errors: A fit without molecules, or one in which every drug acts at dose 0 (`parity =
#'   "chemcpa"` with `use_drugs_idx = FALSE` and the `doser_type` `"mlp"` or `"amortized"`); names that
#'   the fit knows already; features of another kind, number or name; `NA` and invalid SMILES, by name.
#' @source Hetzel et al. (2022) Predicting cellular responses to novel drug perturbations at a
#'   single-cell resolution. NeurIPS 35.
#' @seealso [chemcpa()], [smiles_features()]
#' @examples
#' screen <- drugseq_example(as = "list")
#' described <- as.matrix(screen$descriptors)
#' fit <- chemcpa(screen$x, "condition", dose = "dose", control = "control",
#'                molecules = described, col_data = screen$col_data,
#'                settings = chemcpa_settings(epochs = 1, seed = 1, verbose = FALSE))
#' new <- described[1, , drop = FALSE]
#' rownames(new) <- "Compound 1"
#' fit <- add_molecules(fit, new)
#' predict(fit, screen$x, condition("Compound 1", dose = 1), col_data = screen$col_data,
#'         summarise = "condition")[1:3, ]
#' @export
add_molecules <- function(fit, molecules) {
  validate_fit(fit)
  registry <- fit$meta$registry
  if (!isTRUE(registry$n_features > 0)) {
    abort_input("`fit` must have been made with molecules.", "Its embeddings are a free table.",
                "Fit with `chemcpa(..., molecules = )`.")
  }
  read <- read_more_molecules(molecules, registry, todo = "or leave it out")
  if (!is.null(read$in_cells)) abort_unnamed_smiles(molecules, rlang::current_env())
  known <- intersect(read$names, c(registry$perturbations, fit$meta$keys$further_controls))
  if (length(known)) {
    abort_input("`molecules` must have names that the fit does not know.",
                paste0("It knows ", name_list(known), "."), "Leave them out or rename them.")
  }
  if (any(read$free)) {
    abort_input("`molecules` must all be molecules: nothing is learned here.",
                paste0(name_list(read$names[read$free]), " is NA."), "Leave it out.")
  }
  know_more(fit, read)
}

# The fit that knows more molecules, as read_molecules() has them.
know_more <- function(fit, read, call = rlang::caller_env()) {
  refuse_drugs_everywhere(fit$meta$settings, call)
  registry <- fit$meta$registry
  meta <- fit$meta
  meta$registry$perturbations <- c(registry$perturbations, read$names)
  meta$registry$dose_range[read$names] <- list(c(NA_real_, NA_real_))
  meta$registry$dose_scale <- c(registry$dose_scale, rep(registry$dose_top, length(read$names)))
  features <- if (is.null(read$features)) matrix(0, 0, 0) else t(read$features)
  new_fit(with_core_errors(
    core_add_perturbations(fit$state, features, read$smiles %||% character(), meta_to_json(meta)), call
  ))
}

# theislab/chemCPA without `use_drugs_idx`: all drugs act in all cells, at dose 0 where they were not given.
refuse_drugs_everywhere <- function(settings, call) {
  networks <- c("mlp", "amortized")  # the other curves are 0 at dose 0
  everywhere <- identical(settings$parity, "chemcpa") && isFALSE(settings$use_drugs_idx) &&
    settings$doser_type %in% networks
  if (!everywhere) return(invisible())
  abort_input("`fit` must leave all predictions as they are when a drug is added.",
              paste0("With parity = \"chemcpa\", use_drugs_idx = FALSE and doser_type = ",
                     dQuote(settings$doser_type, FALSE), " every drug acts at dose 0 in every cell, so that ",
                     "a new one changes them all."),
              "Fit with use_drugs_idx = TRUE, or with all molecules from the beginning.", call)
}
