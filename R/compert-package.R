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
#' `vignette("compert")` goes through one screen from reading it to looking at the answer.
#' [cpa()] fits, [predict][predict.compert_fit] answers, [evaluate_r2()] says how well, beside
#' baselines.
#' [kang_example()] opens the cells that come with the package.
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
