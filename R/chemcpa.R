#' Fit a perturbation autoencoder that reads molecules
#'
#' As [cpa()], but the embedding of a perturbation is computed from what its molecule is: a network
#' takes features of the molecule to the embedding, and another takes features and dose to the
#' response. A drug that no cell was treated with can therefore be predicted from its structure.
#'
#' Stereoisomers (E and Z, R and S) are the same to RDKit's descriptors and to the network that reads
#' graphs. Salts are kept as they are written, so that a drug that is a salt in one screen and a base in
#' another is two molecules, in [fine_tune()] too: give `canonical_smiles(smiles, strip_salts = TRUE)`.
#'
#' @inheritParams cpa
#' @param molecules What is known of each perturbation: SMILES (see [smiles_features()]) named by
#'   perturbation, as a character vector, a factor or a list, or as a data frame of two columns, the
#'   perturbations and their SMILES; the name of the column of the cells that holds SMILES; or a numeric
#'   matrix (a sparse one or one of bits too) with one named row per perturbation
#'   (GROVER, JT-VAE or foundation-model embeddings, fingerprints, descriptors), whose columns should be on
#'   one scale: they go into the network as they are. Further molecules
#'   than those of the screen become known to the fit and can be predicted. `NA` (a row of `NA`) is
#'   a perturbation that is no molecule, such as a guide: its embedding is learned freely. The
#'   control may be left out and counts as a row of 0. From a column of the cells the SMILES of single
#'   perturbations are read, one for each, and those of controls are not.
#' @param molecule_encoder `NULL`: SMILES become RDKit's descriptors ([smiles_features()]).
#'   `"graph"`: a message-passing network reads the molecular graphs of SMILES and is trained with the
#'   model; what [pretrain_molecules()] returns: the same, starting from what it learned.
#' @param settings Hyperparameters, from [chemcpa_settings()].
#' @return A `compert_fit`, see [cpa()].
#' @section Errors: As [cpa()]; perturbations without an entry in `molecules`; invalid SMILES, by
#'   name and position; a column with two SMILES for one perturbation; a known unit in other upper and lower
#'   case (`"um"`).
#' @references Hetzel et al. (2022) Predicting cellular responses to novel drug perturbations at a
#'   single-cell resolution. NeurIPS 35. Reference implementation: theislab/chemCPA,
#'   `chemCPA/model.py`.
#' @seealso `vignette("drugs")`; [smiles_features()], [pretrain_molecules()], [add_molecules()], [fine_tune()],
#'   [molecular_uncertainty()]; `baseline_fit(method = "nearest")`
#' @examples
#' screen <- drugseq_example(as = "list")
#' fit <- chemcpa(screen$x, "condition", dose = "dose", control = "control",
#'                molecules = screen$descriptors, dose_unit = "uM", col_data = screen$col_data,
#'                settings = chemcpa_settings(epochs = 2, seed = 1, verbose = FALSE))
#' fit
#' trametinib <- condition("Trametinib", dose = 500, dose_unit = "nM")
#' predict(fit, screen$x, trametinib, col_data = screen$col_data, summarise = "condition")[1:3, ]
#' @export
chemcpa <- function(x, perturbation, ..., molecules, dose = NULL, covariates = NULL,
                    continuous = NULL, control, batch = NULL, split = NULL, assay = NULL, layer = NULL, loss = NULL,
                    molecule_encoder = NULL, dose_unit = NULL,
                    dose_transform = NULL, col_data = NULL, sep = "+",
                    degs = NULL, settings = chemcpa_settings()) {
  check_no_dots(...)
  need_cells(missing(x))
  train_model("chemcpa", given_arguments())
}

need_molecules <- function(molecules, call = rlang::caller_env(), todo = "without either use `cpa()`") {
  if (!is.null(molecules)) return(invisible())
  abort_input("`molecules` must say what the perturbations are.", "It is missing.",
              paste0("Give named SMILES or a matrix of features; ", todo, "."), call)
}

# What chemcpa() adds to `how`, see read_own().
read_chemcpa <- function(how, given, call) {
  need_molecules(given$molecules, call)
  how$encoder <- check_encoder(given$molecule_encoder, how$settings, call)
  if (!is.null(how$encoder)) {
    how$settings[c("molecule_width", "molecule_depth")] <- how$encoder[c("width", "depth")]
  }
  how
}

# list(width, depth, weights) of the network that reads graphs; NULL for none.
check_encoder <- function(encoder, settings, call = rlang::caller_env()) {
  if (is.null(encoder)) return(NULL)
  if (identical(encoder, "graph")) {
    return(list(width = settings$molecule_width, depth = settings$molecule_depth))
  }
  if (inherits(encoder, "compert_molecule_encoder")) return(encoder[c("width", "depth", "weights")])
  abort_input("`molecule_encoder` must be NULL, \"graph\" or made by `pretrain_molecules()`.",
              paste0("It is ", describe(encoder), "."),
              "Leave it out to take RDKit's descriptors.", call)
}

#' Hyperparameters of a fit with molecules
#'
#' All settings of [cpa_settings()], with the defaults of [chemcpa()]: the amortized doser, one hidden
#' layer from features to embedding, and a stronger weight decay, without which few drugs are
#' learned by heart.
#'
#' @param ... Settings by the names of [cpa_settings()].
#' @param parity `"none"` (fixed behaviour), or the defaults and quirks of theislab/chemCPA:
#'   `"chemcpa"` (its main branch of January 2025) or `"chemcpa_v2"` (that of the paper). With the `doser_type`
#'   `"mlp"` a drug's network rests, as there: in every batch without a cell of the drug (`"chemcpa"`), or until
#'   the first one with such a cell (`"chemcpa_v2"`). One quirk of the former is changed: its batch normalisation
#'   between features and embedding sees first names of combinations and second ones apart, in the order of the label;
#'   here in the order of the names, so that `"B+A"` trains as `"A+B"` does.
#'   `"chemcpa_v2"` has the values that its search on L1000 chose with RDKit features, where its code has others.
#' @inheritParams cpa_settings
#' @return A list of class `compert_settings`.
#' @references theislab/chemCPA, `chemCPA/model.py` and `config/model`; Hetzel et al. (2022), table
#'   of hyperparameters in the supplement.
#' @section Errors: As [cpa_settings()].
#' @seealso [chemcpa()], [cpa_settings()], [default_space()]
#' @examples
#' chemcpa_settings(dim = 16)$doser_type
#' chemcpa_settings(parity = "chemcpa")$reg_adversary
#' @export
chemcpa_settings <- function(..., parity = NULL, seed = NULL, verbose = NULL) {
  model_settings("chemcpa", list(..., parity = parity, seed = seed), verbose)
}
