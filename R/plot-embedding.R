#' Embeddings in the plane, and how alike they are
#'
#' `plot_embedding()` shows latent vectors on their first two principal components (or by UMAP),
#' `plot_similarity()` the cosine of every pair as a heat map, ordered by clustering.
#'
#' @param embedding Matrix with one vector per row: [cell_embedding()], [perturbation_embedding()]
#'   or [covariate_embedding()].
#' @param colour One value per row to colour by: text, factor or numbers. `NULL`: one colour.
#' @param ... Not used.
#' @param label `TRUE` writes row names beside points, `FALSE` does not, `NULL` does for at most 60
#'   points.
#' @param method `"pca"`, `"umap"` (needs uwot), or `"none"` for a matrix that has two columns.
#' @param rays `TRUE` draws a line from the origin to every point, as the references do for
#'   perturbations (`"pca"` is not centred then).
#' @param legend Title of the legend.
#' @param seed Seed of UMAP.
#' @return A ggplot.
#' @section Errors:
#' A matrix that is not numeric or has fewer than two rows or columns; `colour` of another length.
#' @source `CompertVisuals.plot_latent_embeddings` in `cpa/plotting.py` of facebookresearch/CPA.
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' cells <- cell_embedding(fit, screen, "basal")
#' plot_embedding(cells, colour = screen$cell_type)
#' plot_similarity(covariate_embedding(fit, "cell_type"))
#' @export
plot_embedding <- function(embedding, colour = NULL, ..., label = NULL,
                           method = c("pca", "umap", "none"), rays = FALSE, legend = NULL,
                           seed = 1L) {
  check_no_dots(...)
  need_ggplot()
  method <- check_choice(method, c("pca", "umap", "none"), "method")
  check_flag(rays, "rays")
  check_flag(label, "label", null_ok = TRUE)
  check_embedding(embedding, 2L)
  check_colour(colour, nrow(embedding))
  plane <- to_plane(embedding, method, rays, seed)
  table <- data.frame(x = plane$at[, 1L], y = plane$at[, 2L],
                      name = rownames(embedding) %||% seq_len(nrow(embedding)))
  table$colour <- if (is.character(colour)) factor(colour) else colour %||% factor("all")
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$x, .data$y, colour = .data$colour))
  if (rays) {
    p <- p + ggplot2::geom_segment(ggplot2::aes(xend = 0, yend = 0), linewidth = 0.3, alpha = 0.6)
  }
  size <- if (nrow(table) > 2000L) 0.4 else if (nrow(table) > 200L) 0.9 else 2.4
  p <- p + ggplot2::geom_point(size = size, alpha = if (nrow(table) > 200L) 0.7 else 1)
  if (label %||% (nrow(table) <= 60L)) {
    p <- p + ggplot2::geom_text(ggplot2::aes(label = .data$name,
                                             vjust = ifelse(.data$y < 0, 1.8, -0.8)), size = 3,
                                check_overlap = TRUE, show.legend = FALSE) +
      ggplot2::scale_x_continuous(expand = ggplot2::expansion(0.14)) +
      ggplot2::scale_y_continuous(expand = ggplot2::expansion(0.10))
  }
  p <- p + colour_layer(table$colour, is.null(colour)) +
    ggplot2::labs(x = plane$axes[1L], y = plane$axes[2L], colour = legend) +
    theme_compert()
  many <- !is.numeric(table$colour) && length(unique(table$colour)) > 8L
  if (many) p + ggplot2::theme(legend.position = "right") else p
}

colour_layer <- function(colour, none) {
  if (is.numeric(colour)) return(ggplot2::scale_colour_viridis_c())
  list(
    scale_colour_compert(length(unique(colour))),
    ggplot2::guides(colour = if (none) "none" else
      ggplot2::guide_legend(override.aes = list(size = 2.5, alpha = 1)))
  )
}

check_embedding <- function(embedding, columns, call = rlang::caller_env()) {
  ok <- is.matrix(embedding) && is.numeric(embedding) && nrow(embedding) >= 2L &&
    ncol(embedding) >= columns && all(is.finite(embedding))
  if (ok) return(invisible())
  abort_input(
    paste0("`embedding` must be a numeric matrix of at least 2 rows and ", columns, " columns."),
    if (is.matrix(embedding)) paste0("It is ", nrow(embedding), " x ", ncol(embedding), ".") else
      paste0("It is ", describe(embedding), "."),
    "Take one from `cell_embedding()`, `perturbation_embedding()` or `covariate_embedding()`.",
    call
  )
}

check_colour <- function(colour, n, call = rlang::caller_env()) {
  if (is.null(colour) || (is.atomic(colour) && length(colour) == n)) return(invisible())
  abort_input("`colour` must have one value per row of `embedding`.",
              paste0("It has ", length(colour), " for ", n, " rows."),
              "Take a column of the cells' table.", call)
}

# list(at = n x 2 coordinates, axes = their names)
to_plane <- function(embedding, method, rays, seed) {
  if (method == "none") return(list(at = embedding[, 1:2], axes = colnames(embedding)[1:2]))
  if (method == "umap") {
    check_package("uwot", "for `method = \"umap\"`")
    umap <- getExportedValue("uwot", "umap")
    at <- umap(embedding, n_neighbors = min(15L, nrow(embedding) - 1L), n_threads = 1L,
               seed = seed)
    return(list(at = at, axes = c("UMAP 1", "UMAP 2")))
  }
  pca <- stats::prcomp(embedding, center = !rays, rank. = 2L)
  at <- pca$x
  if (ncol(at) < 2L) at <- cbind(at, 0)
  share <- 100 * pca$sdev^2 / max(sum(pca$sdev^2), .Machine$double.eps)
  list(at = at, axes = sprintf("PC%d (%.0f %%)", 1:2, share[1:2]))
}

#' @rdname plot_embedding
#' @export
plot_similarity <- function(embedding, ...) {
  check_no_dots(...)
  need_ggplot()
  check_embedding(embedding, 1L)
  value <- similarity(embedding)
  names <- rownames(embedding) %||% as.character(seq_len(nrow(embedding)))
  far <- 1 - value
  far[is.na(far)] <- 1
  order <- names[stats::hclust(stats::as.dist(far), "average")$order]
  table <- data.frame(row = factor(rep(names, length(names)), rev(order)),
                      column = factor(rep(names, each = length(names)), order),
                      cosine = as.vector(value))
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$column, .data$row, fill = .data$cosine)) +
    ggplot2::geom_tile() +
    ggplot2::scale_fill_gradient2(low = "#D55E00", mid = "white", high = "#0072B2",
                                  limits = c(-1, 1), na.value = "grey85") +
    ggplot2::coord_fixed() +
    ggplot2::labs(x = NULL, y = NULL, fill = "Cosine") +
    theme_compert() +
    ggplot2::theme(panel.grid = ggplot2::element_blank(), legend.position = "right",
                   axis.text.x = ggplot2::element_text(angle = 45, hjust = 1))
  if (length(names) > 12L) return(p)
  p + ggplot2::geom_text(ggplot2::aes(label = sprintf("%.2f", .data$cosine)), size = 3,
                         colour = "grey15", na.rm = TRUE)
}
