#' Can the perturbation still be read from the basal states?
#'
#' The basal state of a cell is to hold nothing about its perturbation and its covariates: these are
#' added to it afterwards. `disentanglement()` trains a classifier on the basal states and tells how
#' often it names the right perturbation, and the right level of every covariate, for cells that it
#' did not see. Near `chance` is what one hopes for; 1 means that nothing was taken out.
#'
#' @details
#' Basal states are scaled to mean 0 and standard deviation 1 per dimension (denominator n, over
#' all scored cells). The cells of every class are divided into five folds in their order, nothing
#' is drawn. For each fold a classifier learns from the other four, and the fold's score is its
#' balanced accuracy: with recall_l the share of the fold's cells of class l that are named right,
#' the mean of recall_l over the classes in the fold. `score` is the mean over folds, from 0 to 1.
#'
#' **Linear.** One logistic regression per class against the rest (one for two classes), the class
#' with the largest value wins. With t = 1 for cells of the class and -1 for others, minimised are
#' `0.5 (|w|^2 + b^2) + sum_i log(1 + exp(-t_i (w x_i + b)))`. liblinear stops a little before the
#' minimum, so that a cell on the border may fall on its other side there.
#'
#' **Neighbours.** The most frequent class among the k nearest cells by Euclidean distance, with k
#' the square root of the number of cells of all folds, rounded down. Of equally frequent classes
#' the first in the order of their names (as in the C locale) wins.
#'
#' **To compare with.** `chance` is 1 / (number of classes). `most_frequent` is the score of always
#' naming the class that is most frequent in the other four folds; it differs from `chance` where
#' a class is not in every fold. Classes of fewer than five cells are named in a message: some
#' folds lack them. A score is `NA` where all cells are of one class, or where a fold leaves the
#' linear classifier one class to learn from.
#'
#' @inheritParams evaluate_r2
#' @param fit A `compert_fit`.
#' @param newdata Cells, in any container that [cpa()] takes.
#' @param split Splits whose cells are scored, controls included, of `"train"`, `"test"` and
#'   `"ood"`; several are scored together. `NULL`: all cells.
#' @param classifier `"linear"` or `"knn"`, see Details.
#' @param dose `TRUE`: the same perturbation at another dose is another class. In the references it
#'   is not. Controls are one class always.
#' @return A tibble with a row for the perturbation and one per covariate (the batch is one):
#'   `label` (`"perturbation"`, or the covariate's name, with `own_` in front if it is that),
#'   `classifier`, `score`, `chance`,
#'   `most_frequent`, `n_classes`, `n_cells`.
#' @section Errors:
#' No cells in the split, or no split column while `split` is given; a label that no five cells
#' share; missing genes; unknown names.
#' @source `evaluate_disentanglement` in `compert/train.py` of facebookresearch/CPA (2021) and in
#'   `MultiCPA/train.py` of theislab/multicpa. They call scikit-learn's `LogisticRegression` (solver
#'   liblinear) or, with `nonlinear`, `KNeighborsClassifier`, in five stratified folds. Their
#'   "optimal for perturbations" counts the single perturbations of the whole screen; `chance`
#'   counts the classes in the scored cells. A covariate of one level scores 0 there, `NA` here.
#' @references Fan et al. (2008) LIBLINEAR: a library for large linear classification. Journal of
#'   Machine Learning Research 9, 1871-1874.
#' @seealso [knn_purity()] for the same question without a classifier, [cell_embedding()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' disentanglement(fit, screen)
#' disentanglement(fit, screen, classifier = "knn")
#' @export
disentanglement <- function(fit, newdata, ..., split = "test", classifier = c("linear", "knn"),
                            dose = FALSE, assay = NULL, layer = NULL, col_data = NULL,
                            missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit)
  need_newdata(missing(newdata), "disentanglement")
  classifier <- check_choice(classifier, c("linear", "knn"), "classifier")
  if (!is.null(split)) split <- check_split_names(split)
  check_flag(dose, "dose")
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes,
                         need = c("perturbation", if (dose) "dose", "covariates", "batch"),
                         split = if (!is.null(split)) "Write `split = NULL` to score all cells.")
  cells <- cells_in_split(fit, screen, split)
  disentangle_screen(fit, subset_screen(screen, cells), classifier, dose)
}

disentangle_screen <- function(fit, screen, classifier, dose = FALSE, which = "basal",
                               call = rlang::caller_env()) {
  labels <- latent_labels(fit, screen, dose)
  check_class_sizes(labels, call = call)
  z <- embed_screen(fit, screen, which)
  scores <- lapply(labels, function(of_cell) disentanglement_of(z, of_cell, classifier))
  tibble::as_tibble(cbind(label = names(labels), do.call(rbind, unname(scores))))
}

# Numbers of the cells to score.
cells_in_split <- function(fit, screen, split, call = rlang::caller_env()) {
  if (is.null(split)) return(seq_len(ncol(screen$x)))
  # With a condition it gives NULL, not an error, when there is no split.
  of_cell <- evaluation_split(fit, screen, condition = TRUE)
  if (is.null(of_cell)) {
    abort_input(
      "`newdata` must have the split column that the fit was made with.", "There is none.",
      c("Write `split = NULL` to score all cells.",
        "After an automatic split the cells must be those of the training, in their order."), call
    )
  }
  cells <- which(of_cell %in% split)
  if (length(cells)) return(cells)
  abort_input(paste0("`newdata` must hold cells of the split ", name_list(split), "."),
              paste0("Its cells are in ", name_list(of_cell), "."),
              "Name another split, or write `split = NULL` to score all cells.", call)
}

# What is to be read from the basal states: a label per cell, for the perturbation (controls are
# one class, whatever their dose) and for each covariate.
latent_labels <- function(fit, screen, dose) {
  perturbation <- if (dose) pair_labels(fit, screen$parts, screen$doses) else
    condition_label(screen$parts, NULL, fit$meta$registry$sep)
  perturbation[screen$control] <- fit$meta$registry$control %||% "control"
  covariates <- lapply(screen$covariates, as.character)
  names(covariates) <- own_names(names(covariates), "perturbation")
  c(list(perturbation = perturbation), covariates)
}

# As scikit-learn's StratifiedKFold: it refuses labels without a class of five, and warns of smaller
# classes among larger ones.
check_class_sizes <- function(labels, n_folds = 5L, call = rlang::caller_env()) {
  small <- lapply(labels, function(of_cell) {
    size <- table(of_cell)
    if (max(size) >= n_folds) return(names(size)[size < n_folds])
    NULL
  })
  none <- names(small)[vapply(small, is.null, NA)]
  if (length(none)) {
    abort_input(
      paste0("Some class of every label must have at least ", n_folds, " cells."),
      paste0("All classes of ", name_list(none), " have fewer in the scored cells."),
      "Score more cells: several splits, as `split = c(\"train\", \"test\")`, or `split = NULL`.",
      call
    )
  }
  small <- small[lengths(small) > 0L]
  if (length(small) == 0L) return(invisible())
  which <- paste0(vapply(small, name_list, ""), " (", names(small), ")", collapse = "; ")
  cli::cli_inform(c(i = escape_braces(paste0(
    "Classes of fewer than ", n_folds, " cells are missing in some folds: ", which, "."
  ))))
}

# The score of one label, and what to compare it with, for the basal states of cells (rows of `z`).
disentanglement_of <- function(z, labels, classifier, n_folds = 5L) {
  classes <- sort(unique(labels), method = "radix")
  class <- match(labels, classes)
  out <- data.frame(classifier = classifier, score = NA_real_, chance = 1 / length(classes),
                    most_frequent = NA_real_, n_classes = length(classes), n_cells = nrow(z))
  if (length(classes) < 2L) return(out)
  z <- standardise(z)
  fold <- stratified_folds(class, n_folds)
  k <- floor(sqrt(nrow(z)))
  scores <- vapply(seq_len(n_folds), function(f) {
    train <- fold != f
    known <- class[train]
    seen <- z[train, , drop = FALSE]
    new <- z[!train, , drop = FALSE]
    named <- if (classifier == "knn") name_by_neighbours(seen, known, new, k) else
      name_by_regression(seen, known, new)
    c(balanced_accuracy(class[!train], named),
      balanced_accuracy(class[!train], which.max(tabulate(known))))
  }, c(0, 0))
  out[c("score", "most_frequent")] <- as.list(rowMeans(scores))
  out
}

# Mean 0 and standard deviation 1 (denominator n) per column; constant columns become 0. The bound
# on rounding errors is that of scikit-learn's StandardScaler.
standardise <- function(z) {
  n <- nrow(z)
  mean <- colMeans(z)
  z <- z - rep(mean, each = n)
  variance <- colMeans(z^2)
  eps <- .Machine$double.eps
  constant <- variance <= n * eps * variance + (n * mean * eps)^2
  unname(z) / rep(ifelse(constant, 1, sqrt(variance)), each = n)
}

# The fold of each cell. Dealing out the cells, sorted by class, gives every fold its number of
# cells per class; in each class the first cells go to the first fold. Classes are numbered by
# their first cell.
stratified_folds <- function(class, n_folds) {
  class <- match(class, unique(class))
  dealt <- rep_len(seq_len(n_folds), length(class))
  fold <- integer(length(class))
  fold[order(class)] <- dealt[order(sort(class), dealt)]
  fold
}

# `truth` and `named` are numbers of classes; NA when nothing could be named.
balanced_accuracy <- function(truth, named) mean(tapply(named == truth, truth, mean))

# The most frequent class among the k nearest cells, for some cells at a time.
name_by_neighbours <- function(z, class, new, k) {
  length2 <- rowSums(z^2)
  n_classes <- max(class)
  named <- integer(nrow(new))
  size <- max(1L, floor(4e6 / nrow(z)))
  for (start in seq(1L, nrow(new), by = size)) {
    rows <- start:min(nrow(new), start + size - 1L)
    # Squared distances, but for the new cell's own length, which is the same for all.
    distance <- length2 + tcrossprod(z, -2 * new[rows, , drop = FALSE])
    named[rows] <- vapply(seq_along(rows), function(j) {
      which.max(tabulate(class[k_smallest(distance[, j], k)], n_classes))
    }, 0L)
  }
  named
}

# The places of the k smallest values; of several that are equal only the first have one. Values above the k-th smallest
# of some are above that of all, and most need not be sorted.
k_smallest <- function(values, k) {
  n <- length(values)
  bound <- function(some) sort.int(some, partial = k)[k]
  near <- which(values <= bound(values[seq.int(1L, n, by = n %/% ceiling(sqrt(k * n)))]))
  near <- near[values[near] <= bound(values[near])]
  if (length(near) > k) near[order(values[near])[seq_len(k)]] else near
}
