#' compert: compositional perturbation models for single-cell expression
#'
#' Fits the compositional perturbation autoencoder (CPA) to cells that were treated, and answers what
#' those cells would look like under a perturbation, a combination or a dose that was not measured
#' in them; also as chemCPA, which reads molecules, and MultiCPA, which knows RNA and proteins.
#'
#' A cell's expression is encoded into a basal state that is stripped of the perturbation: by an
#' alignment of basal states between conditions, by adversaries (off by default), or by both. The embedding of
#' each perturbation, scaled by what its doser makes of the dose, and the embeddings of the
#' covariates are added, and the sum is decoded into a mean and a variance for every gene.
#' Another perturbation, dose or cell type is asked for by adding another embedding.
#'
#' @section Where to start:
#' [cpa()] fits, [predict()][predict.compert_fit] answers, [evaluate_r2()] says how well, beside baselines;
#' `vignette("compert")` does this with the cells of [kang_example()], step by step. Drugs with structures:
#' `vignette("drugs")`; surface proteins: `vignette("proteins")`; by the names of theislab/cpa:
#' `vignette("features")`. R has its vignettes where it was installed from an archive that `R CMD build` made; in
#' the folder of the sources `make vignettes` writes them to `doc/`.
#'
#' @section Words:
#' \describe{
#'   \item{condition}{A perturbation, or several together, with their doses, in cells of given covariates.}
#'   \item{covariate, batch}{What a cell is beside its perturbation, such as its type or donor; a batch is a covariate
#'     that answers can leave out.}
#'   \item{train, test, ood}{Parts of the split: cells that training learns from; other cells, mostly of the same
#'     conditions, that choose the best epoch; cells held out, which training never sees (out of distribution).}
#'   \item{basal state, treated state}{The latent state of a cell without, and with, the embeddings of its perturbation
#'     and covariates.}
#'   \item{source cells}{The cells that a prediction starts from: controls of the same covariates, unless others are
#'   named.} \item{decoded, by difference}{The two kinds of prediction, see [predict()][predict.compert_fit].}
#'   \item{effect}{The difference between the mean expression of a condition and that of its controls.}
#'   \item{DEGs}{The genes that a condition changes most, see [rank_degs()].}
#'   \item{measured, observed}{Of the cells of the screen, in contrast to predicted ones.}
#' }
#'
#' @section Which verb answers which question:
#' \describe{
#'   \item{Is my screen in order, and did the perturbations do anything?}{[check_screen()], with `effects = TRUE`;
#'     [rank_degs()] for the genes.}
#'   \item{Which cells do I hold out?}{[split_cells()], of a [condition()] or at random.}
#'   \item{Which model?}{[cpa()] for perturbations that were measured, in combinations, doses or cell types that were
#'     not; [chemcpa()] for drugs that no cell was treated with ([smiles_features()], [canonical_smiles()],
#'     [pretrain_molecules()]); [multicpa()] for RNA and proteins ([protein_expression()]). What they have to beat:
#'     [baseline_fit()], [scgen()].}
#'   \item{Which settings?}{The defaults of [cpa_settings()], [chemcpa_settings()], [multicpa_settings()],
#'     [scgen_settings()]; those of tutorials, [published_settings()]; a search, [tune_fit()], over [default_space()]
#'     or a [search_space()] with [uniform()], [log_uniform()], [integer_uniform()].}
#'   \item{How did training go?}{[plot()][plot_history] of the fit, its [history][compert_fit], `summary()`,
#'     [glance()].}
#'   \item{What would these cells look like under that condition?}{[predict()][predict.compert_fit] of a [condition()]
#'     or [condition_grid()]. Under their own, or without batch or perturbation: [reconstruct()].}
#'   \item{At which dose?}{[dose_response()], of two perturbations [dose_response2d()]; measured:
#'     [observed_response()].}
#'   \item{Do two perturbations add up?}{[interaction_table()].}
#'   \item{How good are the predictions?}{[evaluate_r2()]; fold changes and signs: [evaluate_effects()];
#'   reconstruction of
#'     single cells: [evaluate_cells()]; distributions: [distribution_distance()]; each condition told from the others:
#'     [r2_matrix()]; several models: [compare_r2()]; random cells in place of a model: [expected_r2()].}
#'   \item{How far is a condition from what training saw?}{[prediction_uncertainty()], [cycle_uncertainty()]; of a
#'     drug, [molecular_uncertainty()].}
#'   \item{Is the basal state free of the perturbation, and are batches mixed?}{[disentanglement()], [knn_purity()],
#'     [batch_mixing()].}
#'   \item{What are the latent states, and what is alike?}{[cell_embedding()], [perturbation_embedding()],
#'     [covariate_embedding()]; [similarity()], [embedding_clusters()]; in your own object: [write_back()]. As tibbles:
#'     [tidy()], [augment()].}
#'   \item{How do I draw it?}{[plot_r2()], [plot_r2_matrix()], [plot_means()], [plot_genes()], [plot_embedding()],
#'     [plot_similarity()], [plot_dose_response()], [plot_dose_response2d()], [plot_interactions()],
#'     [plot_uncertainty()]; `autoplot()` of fits, scores and [searches][plot_tuning]; all on one page:
#'     [render_report()].}
#'   \item{More cells, molecules or levels?}{[resume_fit()] trains on; [fine_tune()] goes on with other cells
#'     ([transfer_table()]); [add_molecules()] and [add_levels()] train nothing.}
#'   \item{Where do I keep a fit?}{[save_fit()], [load_fit()]. One that a reference trained: [read_reference_fit()].}
#'   \item{Files of Python?}{[read_h5ad()], [write_h5ad()], [read_h5mu()], [write_h5mu()].}
#'   \item{Why is it slow?}{[compert_sitrep()], [device_info()]; several processes: [launch_local()].}
#'   \item{Real cells to try it with?}{[kang_example()], [drugseq_example()], [cite_example()].}
#' }
#'
#' @references
#' Lotfollahi M, Klimovskaia Susmelj A, De Donno C, et al. (2023).
#' Predicting cellular responses to complex perturbations in high-throughput screens.
#' *Molecular Systems Biology* 19:e11517. \doi{10.15252/msb.202211517}
#'
#' @importFrom Rcpp evalCpp
#' @importClassesFrom Matrix dgCMatrix
#' @useDynLib compert, .registration = TRUE
"_PACKAGE"
