# What is known of the perturbations: molecules as SMILES or as a matrix of features.

# list(features: perturbations x features with row names, NA rows have none; kind: how they were made)
read_molecules <- function(molecules, kind = NULL, call = rlang::caller_env()) {
  if (is.null(molecules)) return(NULL)
  if (is.character(molecules) && is.null(dim(molecules))) {
    check_named_smiles(molecules, call)
    known <- !is.na(molecules)
    if (!any(known)) {
      abort_input("`molecules` must hold at least one SMILES.", "All are NA.",
                  "Without molecules use `cpa()`.", call)
    }
    made <- smiles_features(molecules[known])
    features <- matrix(NA_real_, length(molecules), ncol(made),
                       dimnames = list(names(molecules), colnames(made)))
    features[known, ] <- made
    return(check_kind(list(features = features, kind = "rdkit"), kind, call))
  }
  molecules <- if (is.data.frame(molecules)) as.matrix(molecules) else molecules
  whole <- is.matrix(molecules) && is.numeric(molecules) && !is.null(rownames(molecules)) &&
    ncol(molecules) > 0 && !anyDuplicated(rownames(molecules))
  if (whole) {
    gone <- rowSums(!is.finite(molecules))
    whole <- all(gone == 0 | (gone == ncol(molecules) & rowSums(is.na(molecules)) > 0))
  }
  if (!whole) {
    abort_input("`molecules` must be a matrix of finite numbers with one named row per perturbation.",
                paste0("It is ", describe(molecules), "."),
                paste("Give its rows the names of the perturbations, each once; or give a named",
                      "vector of SMILES. A row of NA is a perturbation without a molecule."), call)
  }
  check_kind(list(features = molecules, kind = "matrix"), kind, call)
}

check_named_smiles <- function(molecules, call) {
  names <- rlang::names2(molecules)
  if (length(molecules) > 0 && all(nzchar(names)) && !anyDuplicated(names)) return(invisible())
  abort_input("`molecules` must be SMILES named by perturbation, each name once.",
              paste0("It is ", describe(molecules),
                     if (anyDuplicated(names)) paste0(" with ", dQuote(names[duplicated(names)][1],
                                                                       FALSE), " twice"), "."),
              "Write c(\"Drug A\" = \"CCO\", \"Drug B\" = \"c1ccccc1\").", call)
}

# Features of a fit and of molecules that come later must mean the same.
check_kind <- function(read, kind, call) {
  if (is.null(kind)) return(read)
  same <- identical(read$kind, kind$kind) && ncol(read$features) == kind$n
  if (same) return(read)
  abort_input("`molecules` must be described as those of the fit are.",
              paste0("The fit has ", kind$n, " features",
                     if (kind$kind == "rdkit") " of SMILES" else " of a matrix", ", these are ",
                     ncol(read$features), if (read$kind == "rdkit") " of SMILES" else
                       " of a matrix", "."),
              if (kind$kind == "rdkit") "Give SMILES." else
                "Give the same columns as in training.", call)
}

# Molecules that predictions can name, whether a cell had them or not.
known_molecules <- function(molecules) {
  if (is.null(molecules)) return(character())
  rownames(molecules$features)[!is.na(molecules$features[, 1L])]
}

# For the core: features x perturbations in the registry's order, and who has any. The control may be
# left out and counts as a row of 0; a row of NA has an embedding of its own, learned freely.
perturbation_features <- function(molecules, registry, call) {
  if (is.null(molecules)) return(NULL)
  given <- rownames(molecules$features)
  absent <- setdiff(registry$perturbations, c(given, registry$control))
  if (length(absent) > 0) {
    abort_input("`molecules` must have an entry for every perturbation.",
                paste0("It lacks ", name_list(absent), "."),
                paste0("Add them (NA for what is no molecule: its embedding is then learned ",
                       "freely); those that it has are ", name_list(given), "."), call)
  }
  row <- match(registry$perturbations, given)
  features <- t(unname(molecules$features))[, row, drop = FALSE]
  free <- !is.na(row) & is.na(features[1L, ])
  features[is.na(features)] <- 0
  list(features = features, has_features = as.double(!free))
}

#' Add molecules to a fit
#'
#' A fit whose embeddings come from molecules can predict any molecule. `add_molecules()` makes new
#' ones known to it by name; nothing is trained, and all other predictions stay as they are, to the
#' bit.
#'
#' @param fit A `compert_fit` made with `molecules`.
#' @param molecules Named SMILES, or a matrix with one named row per new molecule, as the fit's own
#'   were given. Names must be new.
#' @return A `compert_fit` that knows the new perturbations (`seen` is `"drug new"` for them).
#' @section Errors: A fit without molecules; names that the fit knows already; features of another
#'   kind or number; invalid SMILES, by name.
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
  read <- read_molecules(molecules, list(kind = registry$feature_kind, n = registry$n_features))
  names <- rownames(read$features)
  known <- intersect(names, registry$perturbations)
  if (length(known)) {
    abort_input("`molecules` must have names that the fit does not know.",
                paste0("It knows ", name_list(known), "."), "Leave them out or rename them.")
  }
  if (anyNA(read$features)) {
    abort_input("`molecules` must all be molecules: nothing is learned here.",
                paste0(name_list(names[is.na(read$features[, 1L])]), " is NA."), "Leave it out.")
  }
  meta <- fit$meta
  meta$registry$perturbations <- c(registry$perturbations, names)
  meta$registry$dose_range[names] <- list(c(NA_real_, NA_real_))
  meta$registry$dose_scale <- c(registry$dose_scale, rep(1, length(names)))
  new_fit(with_core_errors(
    core_add_perturbations(fit$state, t(unname(read$features)), meta_to_json(meta))
  ))
}
