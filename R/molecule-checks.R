# What may be wrong with molecules that can be read. `names`: the perturbations of the screen.

# Their rows, without those of perturbations that are no molecules.
molecules_of <- function(molecules, names) which(molecules$names %in% names & !(molecules$free %in% TRUE))

# Perturbations that the model cannot tell apart.
warn_same_molecules <- function(molecules, names, call = rlang::caller_env()) {
  at <- molecules_of(molecules, names)
  if (length(at) < 2L) return(invisible())
  key <- if (molecules$kind == "graph") canonical_smiles(molecules$smiles[at]) else
    row_sums_by_place(molecules$features[at, , drop = FALSE])
  alike <- unname(split(molecules$names[at], match(key, key)))
  alike <- alike[lengths(alike) > 1L]
  if (length(alike) == 0L) return(invisible())
  shown <- vapply(utils::head(alike, 3L), name_list, "")
  cli::cli_warn(c(
    "Perturbations should have molecules of their own.",
    stats::setNames(escape_braces(paste0("The same: ", shown, ".")), rep("x", length(shown))),
    if (length(alike) > 3L) c(x = paste0("And ", count_of(length(alike) - 3L, "more group"), ".")),
    i = "The model can't tell them apart, and one that is held out is not new to it where another was trained."
  ), call = call, class = "compert_same_molecules")
}

# Equal for equal rows, and for hardly any others.
row_sums_by_place <- function(x) {
  largest <- pmax(apply(abs(x), 2L, max), .Machine$double.xmin)
  rowSums(x * rep(sin(seq_len(ncol(x))) / largest, each = nrow(x)))
}

# Features of a matrix are taken as they are.
warn_unscaled_features <- function(molecules, names, call = rlang::caller_env()) {
  own <- molecules_of(molecules, names)
  if (!identical(molecules$kind, "matrix") || length(own) == 0L) return(invisible())
  largest <- apply(abs(molecules$features[own, , drop = FALSE]), 2L, max)
  at <- which.max(largest)
  if (largest[at] <= 30) return(invisible())
  cli::cli_warn(c(
    "Features of molecules should be on one scale, near 1.",
    x = escape_braces(paste0("Column ", if (is.null(molecules$columns)) at else dQuote(molecules$columns[at], FALSE),
                             " goes up to ", format(largest[at], digits = 3), ".")),
    i = "They are taken as they are, and a large one drowns the others: scale() them, or give SMILES."
  ), call = call, class = "compert_unscaled_features")
}
