#' Fit RNA and surface proteins together
#'
#' The compositional autoencoder of cells in which both RNA and surface proteins (or another second
#' modality) were measured: CITE-seq, ECCITE-seq, Perturb-CITE-seq. What it knows of the basal state
#' comes from both; what perturbations and covariates add is decoded to both.
#'
#' @section Fusion:
#' `"concat"`: one encoder of all genes and proteins. `"poe"`: one encoder each, which give normal
#' distributions; the cell's state is their product with the prior N(0, 1) (product of experts). A
#' cell that lacks a modality has the product of what it has, so such cells train and are predicted
#' beside the others, and `predict(..., from = "rna")` gives proteins from RNA. theislab/multicpa
#' compares every cell with the proteins of one cell in this model; `parity = "multicpa"` does too.
#'
#' @section Proteins:
#' `proteins` names where they are: an `altExp` of a SingleCellExperiment or one of its `reducedDims` (where
#' [read_h5ad()] puts `obsm`; names of columns may be in the metadata, as in `uns`), an assay of a Seurat
#' object, an array of `obsm` in an `.h5ad`, a modality of an `.h5mu`, a type of features in a 10x `.h5`,
#' or rows of `x`. `NULL` looks for the usual names (`"ADT"`, `"Antibody Capture"`, `"protein_expression"`,
#' ...); `FALSE` fits the RNA
#' alone. A cell without proteins has `NA` in all of them (`fusion = "poe"` only).
#'
#' Raw counts are modelled as a mixture of background and foreground (`protein_loss = "nb_mixture"`,
#' totalVI's): `sigmoid(pi) NB(b, theta) + (1 - sigmoid(pi)) NB(f, theta)` with a log-normal
#' background `b`, whose prior is learned per protein, and `f >= b`. `"nb"` is one negative binomial;
#' `"gauss"` is for normalised values (centred log ratios, serum markers), which are scaled inside.
#' `NULL` takes the mixture for whole numbers, the Gaussian else. Predictions are deterministic: the
#' posterior mean of the cell's state and the background's median (`protein_background`).
#'
#' @inheritParams cpa
#' @param proteins Where the proteins are, see Proteins.
#' @param fusion `"concat"` or `"poe"`, see Fusion.
#' @param protein_loss Likelihood of proteins: `"nb_mixture"`, `"nb"`, `"gauss"` or `NULL`.
#' @param protein_assay Assay (layer) of the proteins; `NULL`: raw counts where there are some, or
#'   normalised values for `protein_loss = "gauss"`. Arrays and rows have no assays.
#' @param molecules Features of the perturbations, as in [cpa()].
#' @param settings Hyperparameters, from [multicpa_settings()].
#' @section Verbs:
#' * Proteins come back beside the genes: [predict()][predict.compert_fit] and [reconstruct()] return an `altExp`
#'   (Seurat: an assay) with the name of the place that they came from, which may be one of the `reducedDims`; for a
#'   matrix the attribute `"proteins"`.
#' * Scores of proteins have columns of their own, with `protein` in their names: in [evaluate_r2()],
#'   [evaluate_effects()], [evaluate_cells()], [cycle_uncertainty()] and [augment()][tidiers], which
#'   [compare_r2()], [plot_r2()] and [tune_fit()] take by name. [expected_r2()] has a row of them.
#' * `features = "proteins"` asks [dose_response()], [dose_response2d()], [observed_response()],
#'   [interaction_table()], [plot_means()], [plot_genes()] and [r2_matrix()] for proteins; [rank_degs()] ranks
#'   them by its argument `proteins`.
#' * [baseline_fit()] makes baselines of both (`proteins = `).
#' * Embeddings, [disentanglement()] and [prediction_uncertainty()] are of the latent space, which genes and
#'   proteins share. [distribution_distance()] compares whatever it is given, such as `altExp(x)`.
#' * DEGs (`n_degs`, `degs`) are genes. [rank_degs()] ranks proteins where its `proteins` says where they are.
#'
#' Cells without proteins have no part in any number of proteins; what no cell tells is `NA`.
#'
#' @return A `compert_fit`.
#' @inheritSection cpa Doses
#' @section Errors: As [cpa()]; proteins that are not found, that are rows named as other rows, in part
#'   missing in a cell, or no counts where counts are needed; `fusion = "concat"` with cells that lack proteins.
#' @references Inecik, Uhlmann, Lotfollahi, Theis (2022) MultiCPA: Multimodal Compositional
#'   Perturbation Autoencoder. bioRxiv 2022.07.08.499049. Gayoso et al. (2021) Joint probabilistic
#'   modeling of single-cell multi-omic data with totalVI. Nature Methods 18, 272-282.
#' @source theislab/multicpa, `MultiCPA/model.py`.
#' @seealso `vignette("proteins")`; [protein_expression()], [expected_r2()], [read_h5mu()]
#' @examplesIf requireNamespace("SingleCellExperiment", quietly = TRUE)
#' screen <- cite_example()   # antibodies in its alternative experiment "ADT"
#' fit <- multicpa(screen, "condition", control = "control", covariates = "cell_type",
#'                 assay = "logcounts",
#'                 settings = multicpa_settings(epochs = 2, seed = 1, verbose = FALSE))
#' fit
#' evaluate_effects(fit, screen, baselines = FALSE)$r2_logfold_protein
#' @export
multicpa <- function(x, perturbation, ..., proteins = NULL, fusion = c("concat", "poe"),
                     protein_loss = NULL, dose = NULL, covariates = NULL, continuous = NULL,
                     control, batch = NULL, split = NULL, assay = NULL, layer = NULL, loss = NULL, protein_assay = NULL,
                     molecules = NULL, col_data = NULL, sep = "+", degs = NULL,
                     dose_unit = NULL, dose_transform = NULL, settings = multicpa_settings()) {
  check_no_dots(...)
  need_cells(missing(x))
  given <- given_arguments()
  if (missing(fusion)) given["fusion"] <- list(NULL)
  train_model("multicpa", given)
}

# What multicpa() adds to `how`, see read_own().
read_multicpa <- function(how, given, call) {
  settings <- how$settings
  how$settings$fusion <- agreed_setting(settings, "fusion", given$fusion, c("concat", "poe"), call = call)
  how$keys <- with_protein_keys(how$keys, given$proteins, given$protein_loss, given$protein_assay, call)
  if (is.null(how$keys$proteins)) return(how)
  how$keys["protein_loss"] <- list(agreed_setting(
    settings, "protein_loss", given$protein_loss, c("nb_mixture", "nb", "gauss"),
    if (settings$parity != "none") settings$protein_loss, call
  ))
  how
}

# An argument, or what the settings were given; they must not contradict each other.
agreed_setting <- function(settings, name, value, choices, otherwise = settings[[name]],
                           call = rlang::caller_env()) {
  set <- attr(settings, "given")[[name]]
  if (name == "protein_loss" && is.null(value) && is.null(set) && settings$parity == "none") return(NULL)
  if (is.null(value)) return(set %||% otherwise)
  value <- check_choice(value, choices, name, call)
  if (is.null(set) || set == value) return(value)
  abort_input(paste0("`", name, "` and that of the settings must agree."),
              paste0("They are ", dQuote(value, FALSE), " and ", dQuote(set, FALSE), "."),
              "Give one of the two only.", call)
}

#' Hyperparameters of a fit of RNA and proteins
#'
#' All settings of [cpa_settings()], with the defaults of [multicpa()]: a variational encoder, whose
#' Kullback-Leibler term reaches its weight in the first `kl_annealing_frac = 0.3` of the run. The
#' three weights of MultiCPA's objective are `recon_weight_pro` (proteins beside genes), `kl_weight`
#' and `reg_adversary`.
#'
#' @param ... Settings by the names of [cpa_settings()].
#' @param parity `"none"` (fixed behaviour), or the defaults and quirks of theislab/multicpa:
#'   `"multicpa"`, or `"multicpa_fixed"` with every cell's own proteins in the product of experts.
#' @inheritParams cpa_settings
#' @return A list of class `compert_settings`.
#' @references theislab/multicpa, `MultiCPA/model.py` and `MultiCPA/train.py`.
#' @section Errors: As [cpa_settings()].
#' @seealso [multicpa()], [cpa_settings()], [default_space()]
#' @examples
#' multicpa_settings(fusion = "poe")$recon_weight_pro
#' multicpa_settings(parity = "multicpa")$kl_weight
#' @export
multicpa_settings <- function(..., parity = NULL, seed = NULL, verbose = NULL) {
  model_settings("multicpa", list(..., parity = parity, seed = seed), verbose)
}
