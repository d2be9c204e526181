# What is known of molecules in the forms in which screens hold it.

# A factor, a list or a data frame of perturbations and SMILES as named texts; all else as it is.
as_named_smiles <- function(molecules) {
  molecules <- plain_table(molecules)
  text <- function(x) is.character(x) || is.factor(x)
  # tapply() makes arrays of one dimension.
  if (text(molecules) && length(dim(molecules)) < 2L) {
    text <- stats::setNames(as.character(molecules), names(molecules))
    return(if (is.null(names(text))) text else text[!duplicated(data.frame(names(text), text))])
  }
  if (is.data.frame(molecules) && length(molecules) == 2L && all(vapply(molecules, text, NA))) {
    smiles <- match("smiles", lower_case(names(molecules)), 2L)
    pairs <- unique(as.data.frame(lapply(molecules[c(3L - smiles, smiles)], as.character)))
    return(stats::setNames(pairs[[2L]], pairs[[1L]]))
  }
  single <- is.list(molecules) && !is.data.frame(molecules) && length(molecules) > 0L &&
    all(lengths(molecules) == 1L) && all(vapply(molecules, function(m) text(m) || is.na(m), NA))
  if (single) vapply(molecules, as.character, "") else molecules
}

# Tables, sparse matrices and bits, as of fingerprints, as a matrix of numbers; all else as it is.
as_feature_matrix <- function(molecules) {
  if (is.data.frame(molecules) || methods::is(molecules, "Matrix")) molecules <- as.matrix(molecules)
  if (is.matrix(molecules) && is.logical(molecules)) molecules + 0 else molecules
}

# What keeps them from being features of named perturbations, NULL for nothing. `given`: as the user has them.
feature_defect <- function(features, given) {
  if (!is.matrix(features) || !is.numeric(features)) return(paste0("It is ", describe(given), "."))
  names <- rownames(features)
  if (is.null(names) || ncol(features) == 0L) {
    return(paste0("It has no ", if (is.null(names)) "names of its rows" else "columns", "."))
  }
  twice <- names[duplicated(names)]
  if (length(twice)) return(paste0(dQuote(twice[1L], FALSE), " is there twice."))
  none <- rowSums(!is.na(features)) == 0
  wrong <- !none & rowSums(!is.finite(features)) > 0
  if (!any(wrong)) return(NULL)
  at <- which(!is.finite(features[which(wrong)[1L], ]))
  columns <- colnames(features)[at] %||% as.character(at)
  paste0(dQuote(names[wrong][1L], FALSE), " has NA or an infinite number in ", count_of(length(at), "column"), ", ",
         name_list(columns, 3L), and_more(sum(wrong), "row"), ".")
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
  if (is.null(column)) return(control_molecule(molecules, screen$keys, call))
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
  twice <- unique(pairs$drug[duplicated(pairs$drug)])
  if (length(twice) > 0L) {
    abort_input("`molecules` must name a column with one SMILES per perturbation.",
                c(paste0(dQuote(twice[1L], FALSE), " has ", name_list(pairs$smiles[pairs$drug == twice[1L]]), "."),
                  if (length(twice) > 1L) paste0("So have ", name_list(twice[-1L], 12L), ".")),
                paste("Make them equal, or give SMILES named by perturbation. canonical_smiles() writes two",
                      "spellings of a molecule in one way."), call)
  }
  read_molecules(stats::setNames(pairs$smiles[match(drugs, pairs$drug)], drugs), molecules$known,
                 molecules$encoder, call)
}

# Of several names of the control the first has the molecule, whichever of them it was given under.
control_molecule <- function(molecules, keys, call) {
  at <- which(molecules$names %in% control_names(keys))
  if (length(at) == 0L || is.null(keys$further_controls)) return(molecules)
  entry <- function(i) if (molecules$kind == "graph") molecules$smiles[i] else molecules$features[i, ]
  other <- Find(function(i) !identical(entry(i), entry(at[1L])), at)
  if (!is.null(other)) {
    abort_input("`molecules` must have one molecule for all names of the control.",
                paste0(name_list(molecules$names[c(at[1L], other)]), " have different ones."),
                paste0("Keep one of them; ", dQuote(keys$control, FALSE), " stands for all."), call)
  }
  molecules$names[at[1L]] <- keys$control
  keep <- setdiff(seq_along(molecules$names), at[-1L])
  molecules[c("names", "free")] <- list(molecules$names[keep], molecules$free[keep])
  if (molecules$kind == "graph") molecules$smiles <- molecules$smiles[keep] else
    molecules$features <- molecules$features[keep, , drop = FALSE]
  molecules
}
