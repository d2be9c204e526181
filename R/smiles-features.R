#' Features of molecules from their SMILES
#'
#' `smiles_features()` turns SMILES into a matrix that `cpa(molecules = )` takes: RDKit's
#' two-dimensional descriptors, or Morgan fingerprints. `canonical_smiles()` writes each molecule in
#' one way, so that two spellings of it can be told to be the same.
#'
#' @details
#' **Descriptors** (`type = "rdkit"`): 112 of the columns of RDKit's own descriptor list, under
#' its names: weights, electron and partial charges, electrotopological and connectivity indices,
#' surface areas by charge, refractivity and solubility, counts of atoms, bonds and rings,
#' `MolLogP`, `MolMR`. Its counts of functional groups (`fr_...`), `BCUT2D_...`, `BertzCT`, `Ipc`
#' and `qed` are not computed. What is not finite, or has no parameters in RDKit (the charges of
#' some metals), is 0.
#'
#' **Scaling** (`normalise = TRUE`): each descriptor minus its mean, over its standard deviation,
#' and then clipped to \[-10, 10\]. Mean and standard deviation do not come from the molecules
#' given, but from a table in this package, made once from 609 compounds of drug screens: those of
#' sci-Plex 3, and of plates of L1000 and MAC-seq. A molecule has therefore the same features in
#' every data set, and the columns are the same: a model can be trained on one screen and go on
#' with another. Descriptors that hardly differ among the 609 (standard deviation of at most 0.01)
#' are left out. chemCPA scales by the molecules of the data set at hand, so its columns change
#' with them.
#'
#' **Fingerprints** (`type = "morgan"`): 0 and 1 for the atoms' neighbourhoods up to `radius` bonds,
#' folded to `n_bits` bits, without chirality. They are not scaled.
#'
#' Features are those of the canonical SMILES: all spellings of a molecule give the same numbers.
#' Stereoisomers (E and Z, R and S) have the same descriptors and fingerprints. Isotopes, charges and
#' salts stay as they are written. With `strip_salts = TRUE` the fragment with most
#' atoms other than hydrogen is kept, of equals the heaviest: `"CC(=O)[O-].[Na+]"` becomes acetate,
#' not acetic acid.
#'
#' @param smiles Character vector (or factor), one SMILES per molecule. Its names, for instance the
#'   drugs', become row names.
#' @param type `"rdkit"` for descriptors, `"morgan"` for fingerprints.
#' @param ... Must be empty: later arguments are given by name.
#' @param strip_salts `TRUE` keeps the largest fragment only.
#' @param normalise `FALSE` gives descriptors in their own units (daltons, square angstroms, ...),
#'   all 112.
#' @param model Path of a TorchScript file, a model of molecules that was trained elsewhere: its
#'   `forward()` gets the features (molecules x features, single precision), and what it gives
#'   (molecules x any number) is returned in their place.
#' @param radius,n_bits Of the fingerprint: bonds, and number of columns.
#' @param invalid What to do about a SMILES that RDKit cannot read, or a missing one: stop
#'   (`"error"`), or give `NA` and one warning (`"na"`).
#' @return `smiles_features()`: a numeric matrix, molecules x features, in the order of `smiles`.
#'   Rows have the names of `smiles`, and the SMILES where there is none; columns the descriptors'
#'   names, or `bit_0`, `bit_1`, ..., or with `model` `model_1`, `model_2`, ... `canonical_smiles()`:
#'   a character vector with the names of `smiles`.
#' @section Errors:
#' The package was built without RDKit (see [compert_sitrep()]); `smiles` is not text; an entry is
#' missing, empty, longer than 2,000 characters, or no molecule (the error has its position, its name
#' and the reason); `radius` outside 0 to 20, `n_bits` outside 1 to 1,048,576; a `model` that cannot
#' be read or that gives something else.
#' @source The values are those of RDKit's Python functions of the same names; electrotopological
#'   ones, `Chi0`, `Chi1` and `BalabanJ` are computed here from their definitions. chemCPA's `rdkit`
#'   features have 200 descriptors and drop a column by the same rule. Rogers and Hahn (2010)
#'   Extended-connectivity fingerprints. Journal of Chemical Information and Modeling 50, 742-754.
#' @seealso [chemcpa()] and [cpa()], whose `molecules` take the matrix or SMILES.
#' @examples
#' drugs <- c(aspirin = "CC(=O)Oc1ccccc1C(=O)O", caffeine = "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
#'            metformin = "CN(C)C(=N)NC(N)=N.Cl")
#' if (compert_sitrep()$built_with[["RDKit"]]) {
#'   print(smiles_features(drugs, strip_salts = TRUE)[, c("MolWt", "MolLogP", "TPSA")])
#'   print(rowSums(smiles_features(drugs, "morgan", n_bits = 256)))
#'   print(canonical_smiles(c("OCC", "C(O)C", "C-C-O")))
#' }
#' @export
smiles_features <- function(smiles, type = c("rdkit", "morgan"), ..., strip_salts = FALSE,
                            normalise = TRUE, model = NULL, radius = 2, n_bits = 1024,
                            invalid = c("error", "na")) {
  check_no_dots(...)
  type <- check_choice(type, c("rdkit", "morgan"), "type")
  check_flag(normalise, "normalise")
  check_string(model, "model", null_ok = TRUE)
  check_count(radius, "radius", 0, 20)
  check_count(n_bits, "n_bits", 1, 2^20)
  molecules <- read_smiles(smiles, strip_salts, invalid)
  valid <- !is.na(molecules)
  known <- with_core_errors(switch(
    type,
    rdkit = core_smiles_descriptors(molecules[valid]),
    morgan = core_smiles_morgan(molecules[valid], as.integer(radius), as.integer(n_bits))
  ))
  if (type == "morgan") colnames(known) <- paste0("bit_", seq_len(n_bits) - 1L)
  if (type == "rdkit" && normalise) known <- scale_descriptors(known)
  if (!is.null(model)) {
    known <- t(with_core_errors(core_molecule_model(path.expand(model), t(known))))
    colnames(known) <- paste0("model_", seq_len(ncol(known)))
  }
  out <- matrix(NA_real_, length(molecules), ncol(known),
                dimnames = list(row_labels(smiles), colnames(known)))
  out[valid, ] <- known
  out
}

#' @rdname smiles_features
#' @export
canonical_smiles <- function(smiles, ..., strip_salts = FALSE, invalid = c("error", "na")) {
  check_no_dots(...)
  stats::setNames(read_smiles(smiles, strip_salts, invalid), names(smiles))
}

# Canonical SMILES, NA where `invalid = "na"` lets a bad one pass. `todo`: what else than correcting
# them helps.
read_smiles <- function(smiles, strip_salts, invalid, call = rlang::caller_env(), arg = "smiles",
                        todo = "or write invalid = \"na\" to get `NA`") {
  check_flag(strip_salts, "strip_salts", call = call)
  invalid <- check_choice(invalid, c("error", "na"), "invalid", call)
  if (is.factor(smiles)) smiles <- stats::setNames(as.character(smiles), names(smiles))
  if (!is.character(smiles) && !(is.logical(smiles) && all(is.na(smiles)))) {
    abort_input("`smiles` must be a character vector, one SMILES per molecule.",
                paste0("It is ", describe(smiles), "."),
                "Give the column of your table that holds the SMILES.", call)
  }
  missing <- is.na(smiles)
  texts <- unname(as.character(smiles))
  texts[missing] <- ""
  read <- with_core_errors(core_canonical_smiles(texts, strip_salts), call)
  read$problem[missing] <- "it is missing"
  bad <- which(nzchar(read$problem))
  if (length(bad) > 0L) report_invalid(smiles, bad, read$problem[bad], invalid, call, arg, todo)
  read$canonical[bad] <- NA_character_
  read$canonical
}

report_invalid <- function(smiles, bad, problems, invalid, call, arg, todo, max = 5L) {
  shown <- seq_len(min(length(bad), max))
  labels <- names(smiles)[bad[shown]]
  text <- unname(as.character(smiles))[bad[shown]]
  cut <- ifelse(nchar(text, "bytes") > 60L, paste0(substr(text, 1L, 57L), "..."), text)
  lines <- paste0(
    "Entry ", bad[shown],
    if (length(labels)) ifelse(nzchar(labels), paste0(" (", labels, ")"), ""),
    ifelse(is.na(text), "", paste0(", ", dQuote(cut, FALSE))), ": ", problems[shown], "."
  )
  more <- length(bad) - length(shown)
  if (more > 0L) lines <- c(lines, paste0("And ", count(more), " more."))
  if (invalid == "error") {
    abort_input(paste0("`", arg, "` must hold valid SMILES."), lines,
                paste0("Correct ", if (length(bad) > 1L) "them" else "it", ", ", todo, "."), call)
  }
  verbs <- if (length(bad) > 1L) "are invalid and give" else "is invalid and gives"
  rlang::warn(c(paste(length(bad), "of", length(smiles), "SMILES", verbs, "`NA`."),
                rlang::set_names(lines, rep("x", length(lines)))), call = call)
}

# The names of `smiles`, or what it holds.
row_labels <- function(smiles) {
  own <- as.character(smiles)
  own[is.na(own)] <- "NA"
  labels <- names(smiles)
  if (is.null(labels)) return(own)
  ifelse(is.na(labels) | !nzchar(labels), own, labels)
}

# By the constants of inst/extdata, not by the molecules at hand: see the help page.
scale_descriptors <- function(x, limit = 10) {
  constants <- utils::read.csv(system.file("extdata", "rdkit2d_constants.csv",
                                           package = "compert", mustWork = TRUE))
  constants <- constants[constants$kept, ]
  x <- x[, constants$descriptor, drop = FALSE]
  scaled <- t((t(x) - constants$mean) / constants$sd)
  pmin(pmax(scaled, -limit), limit)
}
