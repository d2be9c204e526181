# SMILES in the forms in which screens hold them.

# A factor, a list or a data frame of perturbations and SMILES as named texts; all else as it is.
as_named_smiles <- function(molecules) {
  text <- function(x) is.character(x) || is.factor(x)
  # tapply() makes arrays of one dimension.
  if (text(molecules) && length(dim(molecules)) < 2L) {
    return(stats::setNames(as.character(molecules), names(molecules)))
  }
  if (is.data.frame(molecules) && length(molecules) == 2L && all(vapply(molecules, text, NA))) {
    smiles <- match("smiles", tolower(names(molecules)), 2L)
    pairs <- unique(as.data.frame(lapply(molecules[c(3L - smiles, smiles)], as.character)))
    return(stats::setNames(pairs[[2L]], pairs[[1L]]))
  }
  single <- is.list(molecules) && !is.data.frame(molecules) && length(molecules) > 0L &&
    all(lengths(molecules) == 1L) && all(vapply(molecules, function(m) text(m) || is.na(m), NA))
  if (single) vapply(molecules, as.character, "") else molecules
}

# One text without a name says which column of the cells holds the SMILES.
names_a_column <- function(molecules) {
  is.character(molecules) && length(molecules) == 1L && is.null(names(molecules)) && !is.na(molecules)
}

# What read_molecules() left for when the cells are read: the SMILES of single perturbations, one each;
# `NA` where none of its cells has any. Controls stay a row of 0.
molecules_of_cells <- function(molecules, read, call) {
  column <- molecules$in_cells
  screen <- read$screen %||% read$partial
  if (is.null(column)) return(molecules)
  if (is.null(screen)) return(NULL)  # defects of the screen are told
  columns <- names(screen$col_data)
  if (!column %in% columns) {
    abort_input("`molecules` must name a column of the cells, or be SMILES named by perturbation.",
                paste0("There is no column ", dQuote(column, FALSE), "."),
                paste0(did_you_mean(column, columns), "The columns are ", name_list(columns, 12),
                       "; SMILES are written c(\"Drug A\" = \"CCO\", \"Drug B\" = \"c1ccccc1\")."), call)
  }
  cells <- which(lengths(screen$parts) == 1L & !screen$control)
  pairs <- unique(data.frame(drug = unlist(screen$parts[cells]),
                             smiles = as.character(screen$col_data[[column]])[cells]))
  drugs <- unique(pairs$drug)
  pairs <- pairs[!is.na(pairs$smiles), ]
  twice <- pairs$drug[duplicated(pairs$drug)]
  if (length(twice) > 0L) {
    abort_input("`molecules` must name a column with one SMILES per perturbation.",
                paste0(dQuote(twice[1L], FALSE), " has ",
                       name_list(pairs$smiles[pairs$drug == twice[1L]]), "."),
                "Make them equal, or give SMILES named by perturbation.", call)
  }
  read_molecules(stats::setNames(pairs$smiles[match(drugs, pairs$drug)], drugs), molecules$known,
                 molecules$encoder, call)
}

# Perturbations that the model cannot tell apart. `names`: those of the screen.
warn_same_molecules <- function(molecules, names, call = rlang::caller_env()) {
  at <- if (!is.null(molecules)) which(molecules$names %in% names & !molecules$free)
  if (length(at) < 2L) return(invisible())
  key <- if (molecules$kind == "graph") canonical_smiles(molecules$smiles[at]) else
    row_sums_by_place(molecules$features[at, , drop = FALSE])
  alike <- unname(split(molecules$names[at], match(key, key)))
  alike <- alike[lengths(alike) > 1L]
  if (length(alike) == 0L) return(invisible())
  shown <- vapply(utils::head(alike, 3L), name_list, "")
  cli::cli_warn(c(
    "Perturbations should have molecules of their own.",
    stats::setNames(escape_braces(paste("The same:", shown)), rep("x", length(shown))),
    if (length(alike) > 3L) c(x = paste("And", count_of(length(alike) - 3L, "more group"))),
    i = "The model can't tell them apart, and one that is held out is not new to it where another was trained."
  ), call = call, class = "compert_same_molecules")
}

# Equal for equal rows, and for hardly any others.
row_sums_by_place <- function(x) {
  largest <- pmax(apply(abs(x), 2L, max), .Machine$double.xmin)
  rowSums(x * rep(sin(seq_len(ncol(x))) / largest, each = nrow(x)))
}

# Features of a matrix go into the network as they are.
warn_unscaled_features <- function(molecules, names, call = rlang::caller_env()) {
  if (!identical(molecules$kind, "matrix")) return(invisible())
  largest <- apply(abs(molecules$features[molecules$names %in% names & !molecules$free, , drop = FALSE]), 2L, max)
  at <- which.max(largest)
  if (length(at) == 0L || largest[at] <= 30) return(invisible())
  cli::cli_warn(c(
    "Features of molecules should be on one scale, near 1.",
    x = escape_braces(paste0("Column ", if (is.null(molecules$columns)) at else dQuote(molecules$columns[at], FALSE),
                             " goes up to ", format(largest[at], digits = 3), ".")),
    i = "They go into the network as they are, and a large one drowns the others: scale() them, or give SMILES."
  ), call = call, class = "compert_unscaled_features")
}
