# Molecules in conditions, which a fit need not know: `smiles` as the perturbation or beside its name.

# list(fit, condition): the fit knows the molecules, and the condition has their names.
knowing_molecules <- function(fit, condition, call = rlang::caller_env()) {
  asked <- list(fit = fit, condition = condition)
  if (is.data.frame(plain_table(condition))) condition <- table_as_condition(condition, fit$meta$keys, call)
  if (!inherits(condition, "compert_condition")) return(asked)
  asked <- name_molecules(condition, fit$meta$keys, call)
  # A SMILES that is a name of the fit is that perturbation.
  known <- names(asked$smiles) %in% fit$meta$registry$perturbations
  smiles <- asked$smiles[!(known & names(asked$smiles) == asked$smiles)]
  if (length(smiles)) fit <- add_smiles(fit, smiles, call)
  list(fit = fit, condition = asked$condition)
}

# Of a table with the screen's columns and `smiles`, which no other column is.
table_as_condition <- function(table, keys, call) {
  table <- plain_table(table)
  if (inherits(table, "compert_condition")) return(table)
  column <- smiles_column(table, c(keys$perturbation, keys$dose, names(condition_columns(keys))), call)
  if (length(column) == 0L) return(table)
  condition <- as_condition(table[setdiff(names(table), column)], keys, call)
  condition[[column]] <- as.character(table[[column]])
  condition
}

# The column of a condition that holds molecules, if any.
smiles_column <- function(condition, known, call) {
  column <- setdiff(names(condition)[lower_case(names(condition)) == "smiles"], known)
  if (length(column) > 1L) {
    abort_input("`smiles` in a condition must be one for each name.", paste0("There are ", name_list(column), "."),
                "Leave one of them out.", call)
  }
  column
}

add_smiles <- function(fit, smiles, call) {
  registry <- fit$meta$registry
  kind <- registry$feature_kind
  if (!isTRUE(kind %in% c("rdkit", "graph"))) {
    abort_input("`smiles` in a condition must be asked of a fit that computes embeddings from SMILES.",
                if (is_baseline(fit)) "The fit is a baseline." else
                  if (isTRUE(registry$n_features > 0)) "It was made with a matrix of features." else
                    "Its embeddings are a free table.",
                if (isTRUE(registry$n_features > 0)) how_to_know(names(smiles)[1L], registry) else
                  "Fit with `chemcpa(..., molecules = )`, and SMILES of all perturbations.", call)
  }
  known <- intersect(names(smiles), c(registry$perturbations, fit$meta$keys$further_controls))
  if (length(known)) {
    abort_input("`smiles` in a condition must be of molecules that the fit does not know.",
                paste0("It knows ", name_list(known), "."), "Leave its `smiles` out, or write NA.", call)
  }
  read_smiles(smiles, FALSE, "error", call, todo = "or leave it out")
  know_more(fit, read_more_molecules(smiles, registry, call = call), call)
}

# Whether a perturbation was written as smiles = , which is not the name of the screen's column.
is_smiles_key <- function(perturbation, column = NULL) {
  key <- attr(perturbation, "key") %||% ""
  lower_case(key) == "smiles" && !key %in% column
}

# list(condition without `smiles`, smiles by the names that stand for them there)
name_molecules <- function(condition, keys, call) {
  own <- vapply(condition$perturbation, is_smiles_key, NA, keys$perturbation)
  column <- smiles_column(condition, condition_columns(keys), call)
  smiles <- character()
  for (k in which(own)) {
    text <- as.vector(condition$perturbation[[k]])
    # Of a list every part is a molecule.
    name <- if (length(text) == 1L) attr(condition$perturbation[[k]], "written")$name %||% text else text
    smiles <- c(smiles, stats::setNames(text, name))
    condition$perturbation[[k]] <- name
  }
  for (k in if (length(column)) which(!is.na(condition[[column]]))) {
    name <- as.vector(condition$perturbation[[k]])
    if (own[k] || length(name) != 1L) {
      abort_input("`smiles` in a condition must be beside the name of one perturbation.",
                  if (own[k]) "It is there twice." else paste0("It is beside ", name_list(name), "."),
                  "Of a combination make new molecules known by add_molecules(), and leave `smiles` out.", call)
    }
    smiles <- c(smiles, stats::setNames(condition[[column]][k], name))
  }
  condition[column] <- NULL
  smiles <- smiles[!duplicated(data.frame(names(smiles), smiles))]
  twice <- names(smiles)[duplicated(names(smiles))]
  if (length(twice)) {
    abort_input("`smiles` in a condition must be one for each name.",
                paste0(dQuote(twice[1L], FALSE), " has ", name_list(smiles[names(smiles) == twice[1L]]), "."),
                "Give the molecules names of their own.", call)
  }
  list(condition = condition, smiles = smiles)
}
