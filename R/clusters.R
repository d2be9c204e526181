#' Do embeddings group by what is known of them?
#'
#' Compares an embedding, such as that of drugs, with labels such as pathways: do members of a label
#' lie closer to each other than to others (silhouette), and do clusters found without the labels
#' agree with them (homogeneity, completeness)?
#'
#' @details
#' **Silhouette.** With a the mean distance of a point to the others of its label and b the smallest
#' mean distance to those of another label: `(b - a) / max(a, b)`, from -1 to 1, 0 for a point that
#' is alone with its label. A label's value is the mean over its points, the overall value the mean
#' over all points.
#'
#' **Clusters.** As many as there are labels, by k-means that starts from the clusters of Ward's
#' linkage (`"kmeans"`), or those themselves (`"ward"`). Nothing is drawn, so that the answer is
#' always the same. With H the entropy, C the labels and K the clusters,
#' `homogeneity = 1 - H(C|K) / H(C)` is 1 when every cluster holds one label only, `completeness =
#' 1 - H(K|C) / H(K)` is 1 when every label is within one cluster; `v_measure` is their harmonic
#' mean. A label's completeness is `1 - H(K|C = label) / H(K)`; homogeneity belongs to clusters and
#' has no value per label. With many small labels homogeneity is high by chance: compare with
#' shuffled labels.
#'
#' @param embedding Matrix, one row per drug (or cell), as [perturbation_embedding()] gives it.
#' @param labels One label per row: text, factor or numbers. Where both they and the rows have names,
#'   these are matched, and there may be more of them, as in a table of all drugs.
#' @param ... Must be empty: later arguments are given by name.
#' @param distance `"euclidean"`, or `"cosine"`: silhouettes by 1 - cosine, clusters of rows scaled
#'   to length 1.
#' @param method How clusters are found: `"kmeans"` or `"ward"`.
#' @return A tibble, overall values first (`label` is `NA`), then one row per label: `label`, `n`,
#'   `silhouette`, `homogeneity`, `completeness`, `v_measure`.
#' @section Errors:
#' An embedding that is not a numeric matrix of finite values; labels of another length, with other
#' names than the rows, missing or `""`; fewer than two labels; rows of length 0 with the cosine distance.
#' @source Rousseeuw (1987) Silhouettes. Journal of Computational and Applied Mathematics 20, 53-65;
#'   Rosenberg and Hirschberg (2007) V-measure. EMNLP-CoNLL, 410-420. CPA's authors report both for
#'   drug embeddings and pathways.
#' @seealso [perturbation_embedding()], [knn_purity()], [molecular_uncertainty()]
#' @examples
#' drugs <- rbind(a = c(1, 3, 2), b = c(1.1, 2.9, 2.2), c = c(6, 1, 0), d = c(5.8, 1.2, 0.3))
#' embedding_clusters(drugs, c("HDAC", "HDAC", "MEK", "MEK"))
#' @export
embedding_clusters <- function(embedding, labels, ..., distance = c("euclidean", "cosine"),
                               method = c("kmeans", "ward")) {
  check_no_dots(...)
  distance <- check_choice(distance, c("euclidean", "cosine"), "distance")
  method <- check_choice(method, c("kmeans", "ward"), "method")
  check_embedding(embedding)
  labels <- check_labels(labels, embedding, "labels")
  if (nlevels(labels) < 2L) {
    abort_input("`labels` must hold at least two labels.",
                paste0("All ", length(labels), " rows are of ", name_list(levels(labels)), "."),
                "Give labels that differ between rows.")
  }
  if (distance == "cosine") embedding <- directions(embedding)
  width <- silhouette_widths(embedding, labels, squared = distance == "cosine")
  cluster <- find_clusters(embedding, nlevels(labels), method)
  counts <- table(labels, cluster)
  scores <- cluster_agreement(counts)
  size <- as.integer(table(labels))
  tibble::tibble(
    label = c(NA, levels(labels)), n = c(length(labels), size),
    silhouette = c(mean(width), as.vector(tapply(width, labels, mean))),
    homogeneity = c(scores$homogeneity, rep(NA_real_, nlevels(labels))),
    completeness = c(scores$completeness, scores$by_label),
    v_measure = c(scores$v_measure, rep(NA_real_, nlevels(labels)))
  )
}

# Rows scaled to length 1; NA where they have none.
unit_rows <- function(x) {
  length <- sqrt(rowSums(x^2))
  length[length == 0] <- NA
  x / length
}

# Of rows of length 1.
cosines <- function(a, b = a) pmax(pmin(tcrossprod(a, b), 1), -1)

directions <- function(embedding, call = rlang::caller_env()) {
  unit <- unit_rows(embedding)
  zero <- which(is.na(unit[, 1L]))
  if (length(zero) == 0L) return(unit)
  abort_input("Every row of `embedding` must have a direction for the cosine distance.",
              paste0(count_of(length(zero), "row"), if (length(zero) > 1L) " are" else " is", " 0; the first is row ",
                     zero[1L], "."),
              "Leave them out, or use `distance = \"euclidean\"`.", call)
}

# One width per row. Half the squared distance of unit vectors is 1 - cosine.
silhouette_widths <- function(points, labels, squared = FALSE) {
  own <- as.integer(labels)
  size <- tabulate(own, nlevels(labels))
  at <- match(seq_along(size), unique(own))
  columns <- t(points)
  vapply(seq_len(nrow(points)), function(i) {
    d2 <- colSums((columns - columns[, i])^2)
    d <- if (squared) d2 / 2 else sqrt(d2)
    sums <- rowsum(d, own, reorder = FALSE)[at]
    if (size[own[i]] == 1) return(0)
    a <- sums[own[i]] / (size[own[i]] - 1)
    b <- min((sums / size)[-own[i]])
    if (max(a, b) == 0) 0 else unname((b - a) / max(a, b))
  }, 0)
}

# One cluster number per row; nothing is drawn.
find_clusters <- function(points, k, method) {
  if (k >= nrow(points)) return(seq_len(nrow(points)))
  ward <- stats::cutree(stats::hclust(stats::dist(points), "ward.D2"), k)
  if (method == "ward") return(ward)
  centres <- rowsum(points, ward) / as.vector(table(ward))
  if (anyDuplicated(centres)) return(ward)
  stats::kmeans(points, centres, iter.max = 100L)$cluster
}

# Of a table labels x clusters.
cluster_agreement <- function(counts) {
  n <- sum(counts)
  entropy <- function(p) {
    p <- p[p > 0] / sum(p)
    -sum(p * log(p))
  }
  share <- function(given, total) if (total > 0) pmax(1 - given / total, 0) else 1 + 0 * given
  h_label <- entropy(rowSums(counts))
  h_cluster <- entropy(colSums(counts))
  within_label <- apply(counts, 1L, entropy)
  within_cluster <- apply(counts, 2L, entropy)
  homogeneity <- share(sum(within_cluster * colSums(counts)) / n, h_label)
  completeness <- share(sum(within_label * rowSums(counts)) / n, h_cluster)
  both <- homogeneity + completeness
  # A label's own value may be below 0: it is spread more than the clusters themselves.
  list(homogeneity = homogeneity, completeness = completeness,
       v_measure = if (both > 0) 2 * homogeneity * completeness / both else 0,
       by_label = as.vector(if (h_cluster > 0) 1 - within_label / h_cluster else
         0 * within_label + 1))
}
