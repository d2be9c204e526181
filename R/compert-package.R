#' compert: compositional perturbation models for single-cell expression
#'
#' Fits the compositional perturbation autoencoder to cells that were treated, and answers what
#' those cells would look like under a perturbation, a combination or a dose that was not measured
#' in them.
#'
#' A cell's expression is encoded into a basal state that is stripped of the perturbation: by an
#' alignment of basal states between conditions, by adversaries (off by default), or by both. The embedding of
#' each perturbation, scaled by what its doser makes of the dose, and the embeddings of the
#' covariates are added, and the sum is decoded into a mean and a variance for every gene.
#' Another perturbation, dose or cell type is asked for by adding another embedding.
#'
#' @section Where to start:
#' `vignette("compert")` goes through one screen from reading it to looking at the answer. R has its
#' vignettes where it was installed from an archive that `R CMD build` made; in the folder of the sources
#' `make vignettes` writes them to `doc/`.
#' [cpa()] fits, [predict][predict.compert_fit] answers, [evaluate_r2()] says how well, beside
#' baselines.
#' [kang_example()] opens the cells that come with the package.
#'
#' @section What there is:
#' * Before a fit: [check_screen()], [split_cells()], [rank_degs()], [read_h5ad()], [read_h5mu()].
#' * Fits: [cpa()]; [chemcpa()], which reads molecules ([smiles_features()], [pretrain_molecules()],
#'   [add_molecules()]); [multicpa()], of RNA and proteins ([protein_expression()]); [scgen()], a baseline.
#'   Their settings: [cpa_settings()], [chemcpa_settings()], [multicpa_settings()],
#'   [scgen_settings()]; [published_settings()] of tutorials.
#' * More of a fit: [resume_fit()], [fine_tune()], [add_levels()] for cell types that it has not seen, [tune_fit()] for
#'   a search of settings ([search_space()], [default_space()]),
#'   [launch_local()] for several processes, [save_fit()]; [read_reference_fit()] of models that the references trained.
#' * Answers: [predict()][predict.compert_fit] of a [condition()], [reconstruct()], [dose_response()],
#'   [dose_response2d()], [observed_response()], [prediction_uncertainty()], [cycle_uncertainty()],
#'   [molecular_uncertainty()], [interaction_table()].
#' * Baselines: [baseline_fit()], no effect, effects that add, mean effects, lines between doses and effects of
#'   similar molecules, behind the same verbs.
#' * Scores: [evaluate_r2()], [evaluate_effects()], [evaluate_cells()], [compare_r2()], [r2_matrix()],
#'   [expected_r2()], [distribution_distance()], [disentanglement()], [knn_purity()].
#' * Latent states: [cell_embedding()], [perturbation_embedding()], [covariate_embedding()],
#'   [similarity()], [embedding_clusters()], [write_back()].
#' * Pictures: [plot_r2()], [plot_means()], [plot_genes()], [plot_r2_matrix()], [plot_embedding()], [plot_similarity()],
#'   [plot_dose_response()], [plot_dose_response2d()], [plot_uncertainty()],
#'   [plot_interactions()];
#'   `plot()` and `autoplot()` of a [fit][plot_history] and of a [search][plot_tuning]; all of a fit
#'   on one page by [render_report()].
#' * Files for other programs: [write_h5ad()], [write_h5mu()].
#' * Help with the machine: [compert_sitrep()], [device_info()].
#'
#' @references
#' Lotfollahi M, Klimovskaia Susmelj A, De Donno C, et al. (2023).
#' Predicting cellular responses to complex perturbations in high-throughput screens.
#' *Molecular Systems Biology* 19:e11517. \doi{10.15252/msb.202211517}
#'
#' @keywords internal
#' @importFrom Rcpp evalCpp
#' @importClassesFrom Matrix dgCMatrix
#' @useDynLib compert, .registration = TRUE
"_PACKAGE"
