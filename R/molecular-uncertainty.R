#' Do a drug's neighbours act as one?
#'
#' A drug whose latent neighbours share a pathway can be predicted by their example; one whose
#' neighbours act in many ways cannot. This is the score that chemCPA's authors compare with the
#' model's gain over the control baseline.
#'
#' @details
#' The dimensions of `embedding` are standardised (denominator n) and reduced by principal components.
#' With p the frequencies of pathways among the `k` nearest other drugs that have one, and d_i their
#' Euclidean distances: `uncertainty = -sum(p log2(p)) / log(sum(d_i))`. It is 0 where all neighbours share a
#' pathway. The formula means nothing where `sum(d_i)` is at most 1, and is `NA` there. A drug is
#' never its own neighbour; among equal distances the one of the earlier row is nearer.
#'
#' @param embedding Matrix, drugs x dimensions, with drug names as row names: those of
#'   [`perturbation_embedding(fit, dose = )`][perturbation_embedding], at one dose for all.
#' @param pathway Pathways, named by drug. Drugs without one (`NA`, `""`, or not named) get a value
#'   of their own but are nobody's neighbours.
#' @param ... Must be empty: later arguments are given by name.
#' @param k Number of neighbours; fewer when there are not as many. The reference's ten
#'   (`n_neighbors = 10` of scanpy) count the drug itself.
#' @param dims Number of principal components; fewer when there are not as many.
#' @return A tibble with one row per drug: `drug`, `pathway`, `uncertainty`, `entropy` (in bits),
#'   `distance` (the sum), `nearest` (the nearest drug) and `k` (how many neighbours it had).
#' @section Errors:
#' An embedding without row names; no name in common with `pathway`; fewer than two drugs that have
#' a pathway.
#' @source Table 4 of chemCPA (Hetzel et al. 2022, Predicting cellular responses to novel drug
#'   perturbations at a single-cell resolution), there for latent vectors at 10 micromolar.
#' @seealso [prediction_uncertainty()], [embedding_clusters()]
#' @examples
#' drugs <- rbind(a = c(1, 3, 2), b = c(1.1, 2.9, 2.2), c = c(6, 1, 0), d = c(5.8, 1.2, 0.3))
#' molecular_uncertainty(drugs, c(a = "HDAC", b = "HDAC", c = "MEK", d = "MEK"), k = 2)
#' @export
molecular_uncertainty <- function(embedding, pathway, ..., k = 9L, dims = 15L) {
  check_no_dots(...)
  check_embedding(embedding)
  check_count(k, "k")
  check_count(dims, "dims")
  drugs <- check_drug_names(embedding)
  pathway <- pathway_of(pathway, drugs)
  known <- which(!is.na(pathway))
  points <- standard_scores(embedding, dims)
  columns <- t(points[known, , drop = FALSE])
  code <- match(pathway[known], unique(pathway[known]))
  of <- vapply(seq_along(drugs), function(i) {
    far <- sqrt(colSums((columns - points[i, ])^2))
    near <- order(far)
    near <- utils::head(near[known[near] != i], k)
    share <- tabulate(code[near]) / length(near)
    share <- share[share > 0]
    c(max(0, -sum(share * log2(share))), sum(far[near]), known[near[1L]], length(near))
  }, numeric(4L))
  tibble::tibble(drug = drugs, pathway = pathway,
                 uncertainty = ifelse(of[2L, ] > 1, of[1L, ] / log(of[2L, ]), NA_real_), entropy = of[1L, ],
                 distance = of[2L, ], nearest = drugs[of[3L, ]], k = as.integer(of[4L, ]))
}

check_drug_names <- function(embedding, call = rlang::caller_env()) {
  names <- rownames(embedding)
  if (length(names) && !anyDuplicated(names)) return(names)
  abort_input("`embedding` must have the names of the drugs as row names, each once.",
              if (length(names)) paste0(dQuote(names[duplicated(names)][1L], FALSE),
                                        " is there twice.") else "It has none.",
              "Take it from `perturbation_embedding()`, or set `rownames(embedding)`.", call)
}

# The pathways in the order of the drugs; at least two must be known.
pathway_of <- function(pathway, drugs, call = rlang::caller_env()) {
  named <- is.atomic(pathway) && !is.null(names(pathway))
  values <- if (named) as.character(pathway)[match(drugs, names(pathway))]
  values[!nzchar(values)] <- NA
  if (sum(!is.na(values)) >= 2L) return(values)
  abort_input("`pathway` must name the pathways of at least two drugs of `embedding`.",
              if (!named) paste0("It is ", describe(pathway), ", without names.") else
                paste0("It has those of ", sum(!is.na(values)), ". The drugs are ",
                       name_list(drugs), "."),
              "Write `pathway = c(Trametinib = \"MEK\", ...)`.", call)
}

# Columns standardised, then `dims` principal components.
standard_scores <- function(embedding, dims) {
  stats::prcomp(standardise(embedding), rank. = min(dims, dim(embedding)))$x
}
