#' Who lies beside whom: purity and mixing of neighbourhoods
#'
#' `knn_purity()` tells how far cells of one label keep to themselves in an embedding,
#' `batch_mixing()` how evenly batches mix in it. In a good basal state cells of all perturbations
#' are mixed; in a good corrected state, cells of all batches.
#'
#' @details
#' Neighbours are the `k` nearest other cells by Euclidean distance, found exactly. A cell is never
#' its own neighbour. Among equal distances the cell of the earlier row is nearer. Where there are
#' fewer than `k` other cells, all of them are taken.
#'
#' **Purity.** With s_i the share of cell i's neighbours that have its label, and C_l the cells of
#' label l: `purity_l = mean(s_i over C_l)`, and the score is the mean of purity_l over labels, so
#' that rare labels count as much as common ones. It lies in \[0, 1\]. Labels without any structure
#' give about 1 / (number of labels); labels that lie apart give 1. A label with n_l <= k cells
#' cannot exceed (n_l - 1) / k.
#'
#' **Mixing.** With p_ib the share of batch b among cell i's neighbours, and B batches:
#' `entropy_i = -sum_b p_ib log(p_ib) / log(B)`. The score is the mean over `pools` pools of the
#' mean over `cells` cells drawn with replacement. It lies in \[0, 1\]: 0 where batches lie apart, 1
#' where all are equally frequent around every cell. Batches of unequal size stay below 1 however
#' well they mix: then the most to be had is about the entropy of their frequencies. With
#' `pools = 1` nothing is drawn and every cell counts once, which is what many pools tend to.
#'
#' Time grows with the square of the number of cells: seconds for 20,000, minutes for 100,000.
#' Memory does not.
#'
#' @param embedding Matrix, cells x dimensions, as [cell_embedding()] returns it.
#' @param labels,batch One value per cell: text, factor or numbers. Where both they and the rows of
#'   `embedding` have names, these are matched, and there may be more of them. Levels without cells do not count.
#' @param k Number of neighbours.
#' @param ... Must be empty: later arguments are given by name.
#' @param by_label `TRUE` gives a table of the labels in place of one number.
#' @param pools Number of pools, 1 for no draws.
#' @param cells Number of cells in a pool.
#' @param seed Rules the draws. `NULL`: drawn from R's stream, so that [set.seed()] governs.
#' @return One number in \[0, 1\]. `knn_purity(by_label = TRUE)`: a tibble with a row per label and
#'   the columns `label`, `cells` (how many), `purity`, and `chance`, the purity to be expected
#'   if labels were shuffled, (n_l - 1) / (n - 1).
#' @section Errors:
#' An embedding that is not a numeric matrix, has fewer than two cells, or values that are not
#' finite; labels of another length, with other names than the rows, missing or `""`; `k`,
#' `pools` or `cells` below 1; a single batch.
#' @source `knn_purity` and `entropy_batch_mixing` in `cpa/_metrics.py` of theislab/cpa; the latter
#'   is also the "entropy of batch mixing" of scgen and scVI. It goes back to Haghverdi et al.
#'   (2018) Batch effects in single-cell RNA-sequencing data are corrected by matching mutual
#'   nearest neighbors. Nature Biotechnology 36, 421-427. The reference drops the nearest hit, which
#'   may be another cell where cells coincide; here the cell itself is left out.
#' @seealso [cell_embedding()], [plot_embedding()]
#' @examples
#' screen <- kang_example(as = "list")
#' fit <- cpa(screen$x, "condition", covariates = "cell_type", control = "control",
#'            col_data = screen$col_data, settings = cpa_settings(epochs = 2, verbose = FALSE))
#' basal <- cell_embedding(fit, screen$x, "basal", col_data = screen$col_data)
#' knn_purity(basal, screen$col_data$condition)
#' knn_purity(basal, screen$col_data$cell_type, by_label = TRUE)
#' batch_mixing(basal, screen$col_data$condition)
#' @export
knn_purity <- function(embedding, labels, k = 30, ..., by_label = FALSE) {
  check_no_dots(...)
  check_flag(by_label, "by_label")
  check_count(k, "k")
  check_embedding(embedding)
  labels <- check_labels(labels, embedding, "labels")
  out <- with_core_errors(core_knn_purity(as_points(embedding), as.integer(labels), as.integer(k)))
  if (!by_label) return(out$mean)
  cells <- tabulate(labels, nlevels(labels))
  tibble::tibble(label = levels(labels), cells = cells, purity = out$by_label,
                 chance = (cells - 1) / (length(labels) - 1))
}

#' @rdname knn_purity
#' @export
batch_mixing <- function(embedding, batch, k = 50, ..., pools = 50, cells = 100, seed = 0) {
  check_no_dots(...)
  check_count(k, "k")
  check_count(pools, "pools")
  check_count(cells, "cells")
  check_embedding(embedding)
  batch <- check_labels(batch, embedding, "batch")
  if (nlevels(batch) < 2L) {
    abort_input("`batch` must hold at least two batches.",
                paste0("All ", length(batch), " cells are of ", name_list(levels(batch)), "."),
                "Take a column of the cells' table in which they differ.")
  }
  seed <- resolve_seed(seed)
  with_core_errors(core_batch_mixing(as_points(embedding), as.integer(batch), as.integer(k),
                                     as.integer(pools), as.integer(cells), seed))
}

# The core has one cell after the other.
as_points <- function(embedding) {
  points <- t(embedding)
  storage.mode(points) <- "double"
  points
}

# One label per row, as a factor whose levels all occur.
check_labels <- function(labels, embedding, arg, call = rlang::caller_env()) {
  n <- nrow(embedding)
  if (is.atomic(labels) && length(labels) > n) labels <- by_row_name(labels, embedding, arg, call)
  if (!is.atomic(labels) || length(labels) != n) {
    turned <- is.atomic(labels) && length(labels) == ncol(embedding)
    abort_input(paste0("`", arg, "` must have one value per row of `embedding`."),
                paste0("It is ", describe(labels), ", of length ", length(labels), ", for ", n,
                       " rows."),
                if (turned) "Cells are rows: write `t(embedding)`." else
                  "Take a column of the cells' table, as a plain vector or factor.", call)
  }
  labels <- by_row_name(labels, embedding, arg, call)
  none <- which(is.na(labels) | labels %in% "")
  if (length(none)) {
    abort_input(paste0("`", arg, "` must not have missing values."),
                paste0("It has ", length(none), ", the first for row ", none[1L], "."),
                "Leave these rows out of both, or name them \"unknown\".", call)
  }
  droplevels(as.factor(unname(labels)))
}

# Named values in the order of named rows, of which a table of all drugs, say, has more; without names they are
# taken to be in it.
by_row_name <- function(values, embedding, arg, call = rlang::caller_env()) {
  rows <- rownames(embedding)
  names <- names(values)
  if (is.null(rows) || is.null(names) || identical(names, rows)) return(values)
  absent <- setdiff(rows, names)
  twice <- unique(c(rows[duplicated(rows)], intersect(names[duplicated(names)], rows)))
  if (length(c(absent, twice)) == 0L) return(values[match(rows, names)])
  abort_input(paste0("`", arg, "` must have one value for the name of every row of `embedding`, or no names."),
              c(if (length(absent)) paste0("It has none for ", name_list(absent), "."),
                if (length(twice)) paste0(name_list(twice), " is there twice.")),
              paste0("Write `unname(", arg, ")` where it is in the order of the rows."), call)
}
