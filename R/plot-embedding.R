#' Embeddings in the plane, and how alike they are
#'
#' `plot_embedding()` shows latent vectors on their first two principal components (or by UMAP),
#' `plot_similarity()` the cosine of every pair as a heat map, ordered by clustering. Vectors of length 0 have no
#' cosines, as the controls' where these have dose 0, and are left out; the caption names them. Of more than 400
#' vectors, squares of neighbours are averaged, so that a genome-wide screen has a picture too.
#'
#' @param embedding Matrix with one vector per row: [cell_embedding()], [perturbation_embedding()]
#'   or [covariate_embedding()]. `plot_similarity()` takes what [similarity()] returns by cosines, too.
#' @param colour One value per row to colour by: text, factor, dates or numbers. Where both they and the rows
#'   have names, these are matched, and there may be more of them. `NULL`: one colour. Eight groups have a
#'   colour each, which colour-blind readers tell apart; of more, colours come again with points of another
#'   shape, and more than 40 have no legend: `highlight` picks some.
#' @param ... Must be empty: later arguments are given by name.
#' @param highlight Names of groups of `colour`, or of rows where there is no `colour`: these are coloured, in this
#'   order in the legend; all others are one group, grey, below them and without names. `NULL`: no difference.
#' @param label `TRUE` writes row names beside points, `FALSE` does not, `NULL` does for at most 60
#'   points (highlighted rows, where there are any). Of more than 12 points, names that have no room are left
#'   out, and the caption tells how many.
#' @param method `"pca"`, `"umap"` (needs uwot), or `"none"` for a matrix that has two columns.
#' @param rays `TRUE` draws a line from the origin to every point, as the references do for
#'   perturbations (`"pca"` is not centred then).
#' @param legend Title of the legend.
#' @param seed Seed of UMAP.
#' @return A ggplot.
#' @section Errors:
#' A matrix that is not numeric, has values that are not finite, or has fewer than two rows or columns;
#' distances instead of vectors; `colour` of another length or with other names than the rows; a `highlight` that is
#' no group, or of numbers, which are no groups.
#' @source `CompertVisuals.plot_latent_embeddings` in `cpa/plotting.py` of facebookresearch/CPA.
#' @seealso [cell_embedding()], [similarity()]; [knn_purity()] and [disentanglement()] for numbers
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' cells <- cell_embedding(fit, screen, "basal")
#' plot_embedding(cells, colour = screen$cell_type)
#' plot_embedding(cells, colour = screen$cell_type, highlight = c("B", "NK"))
#' plot_similarity(covariate_embedding(fit, "cell_type"))
#' @export
plot_embedding <- function(embedding, colour = NULL, ..., highlight = NULL, label = NULL,
                           method = c("pca", "umap", "none"), rays = FALSE, legend = NULL,
                           seed = 1L) {
  need_ggplot()
  method <- check_choice(method, c("pca", "umap", "none"), "method")
  check_flag(rays, "rays")
  check_flag(label, "label", null_ok = TRUE)
  embedding <- only_matrix(embedding)
  check_embedding(embedding, 2L)
  check_no_dots(...)
  rest <- attr(colour, "rest")
  colour <- check_colour(colour, embedding)
  rows <- is.null(colour)
  if (!is.null(highlight)) {
    colour <- highlighted(highlight, colour, rownames(embedding))
    rest <- attr(colour, "rest")
  }
  plane <- to_plane(embedding, method, rays, seed)
  table <- data.frame(x = plane$at[, 1L], y = plane$at[, 2L],
                      name = rownames(embedding) %||% seq_len(nrow(embedding)))
  table$colour <- if (is.character(colour)) factor(colour, by_number(sort(unique(colour)))) else
    colour %||% factor("all")
  named <- is.null(highlight) | table$colour %in% highlight
  few <- (if (rows) sum(named) else nrow(table)) <= 60L
  draw_plane(table, plane$axes, named & (label %||% few), rays, legend, rest)
}

# A ggplot keeps the frame that it was made in: this one is without the embedding. `label`: which rows are named.
# `rest`: the level of what is in no group of its own, which is grey and lies below the others.
draw_plane <- function(table, axes, label, rays, legend, rest = NULL) {
  if (!is.null(rest)) {
    above <- order(table$colour != rest)
    table <- table[above, , drop = FALSE]
    label <- label[above]
  }
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$x, .data$y, colour = .data$colour))
  if (rays) {
    p <- p + ggplot2::geom_segment(ggplot2::aes(xend = 0, yend = 0), linewidth = 0.3, alpha = 0.6)
  }
  size <- point_size(nrow(table))
  # What is highlighted, and a few that are named, are to be found among thousands.
  if (!is.null(rest)) size <- ifelse(table$colour == rest, size, point_size(sum(table$colour != rest)))
  if (sum(label) <= 60L) size <- ifelse(label, 2.4, size)
  p <- p + ggplot2::geom_point(if (!is.numeric(table$colour)) ggplot2::aes(shape = .data$colour), size = size,
                               alpha = if (nrow(table) > 200L) 0.7 else 1)
  if (any(label)) {
    # A legend on the right leaves less width.
    legend_takes <- if (is.numeric(table$colour)) 0 else legend_share(unique(as.character(table$colour)))
    named <- place_names(table, 0.0125 / (0.92 - legend_takes), which(label), crowd = !label)
    left <- sum(label) - nrow(named)
    p <- p + ggplot2::geom_text(ggplot2::aes(label = .data$name, hjust = .data$hjust,
                                             vjust = .data$vjust), named, size = 3,
                                show.legend = FALSE) +
      ggplot2::scale_x_continuous(expand = ggplot2::expansion(pmax(0.14, 1.1 * attr(named, "beyond")))) +
      ggplot2::scale_y_continuous(expand = ggplot2::expansion(0.10)) +
      ggplot2::coord_cartesian(clip = "off") +
      ggplot2::labs(caption = if (left) paste(count_of(left, "name"), "left out for want of room"))
  }
  p + ggplot2::labs(x = axes[1L], y = axes[2L], colour = legend, shape = legend) + theme_compert() +
    colour_layer(table$colour, rest)
}

point_size <- function(n) if (n > 5000L) 0.4 else if (n > 200L) 0.9 else 2.4

# Three labels at least: values from just above 0 to just below 1 hold neither end.
inner_breaks <- function(limits) {
  for (n in 3:6) {
    at <- pretty(limits, n)
    at <- at[at >= limits[1L] & at <= limits[2L]]
    if (length(at) >= 3L) break
  }
  at
}

colour_layer <- function(colour, rest = NULL) {
  if (is.numeric(colour)) {
    # Labels of large numbers need a long bar to stand beside each other.
    return(ggplot2::scale_colour_viridis_c(
      breaks = inner_breaks, guide = ggplot2::guide_colourbar(barwidth = ggplot2::unit(16, "lines"))))
  }
  names <- unique(as.character(colour))
  list(scale_colour_compert(length(names), match(rest, levels(colour))), scale_shape_compert(length(names)),
       names_legend(names, override.aes = list(size = 2.5, alpha = 1), also = "shape",
                    advice = "`highlight` picks some"))
}

# The groups that are named, in their order; all others are one.
highlighted <- function(highlight, groups, rows, call = rlang::caller_env()) {
  if (is.numeric(groups)) {
    abort_input("`highlight` must go with a `colour` of groups.", "`colour` has numbers, which are a scale.",
                "Write colour = factor(...) where they are groups, or leave `highlight` out.", call)
  }
  if (is.null(groups %||% rows)) {
    abort_input("`highlight` must go with `colour`, or with names of the rows of `embedding`.", "There are neither.",
                "Give the groups of the rows as `colour`.", call)
  }
  groups <- as.character(groups %||% rows)
  if (is.factor(highlight) || is.logical(highlight)) highlight <- as.character(highlight)
  check_among(highlight, unique(groups), "highlight", call)
  main_and_rest(groups, unique(highlight))
}

# A factor of the groups `main`, the others as one: the last level, and the attribute `rest`.
main_and_rest <- function(groups, main) {
  others <- setdiff(groups, main)
  if (length(others) == 0L) return(factor(groups, main))
  rest <- count_of(length(others), "other")
  structure(factor(ifelse(groups %in% main, groups, rest), c(main, rest)), rest = rest)
}

# The colours in the order of the rows.
check_colour <- function(colour, embedding, call = rlang::caller_env()) {
  n <- nrow(embedding)
  if (is.null(colour)) return(NULL)
  if (is.atomic(colour) && length(colour) > n) colour <- by_row_name(colour, embedding, "colour", call)
  # Dates and times are groups.
  if (is.object(colour) && is.atomic(colour) && !is.factor(colour)) {
    colour <- stats::setNames(level_names(colour), names(colour))
  }
  if (is.atomic(colour) && length(colour) == n) return(by_row_name(colour, embedding, "colour", call))
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
    at <- with_stream(seed, umap(embedding, n_neighbors = min(15L, nrow(embedding) - 1L), n_threads = 1L))
    return(list(at = at, axes = c("UMAP 1", "UMAP 2")))
  }
  pca <- stats::prcomp(embedding, center = !rays, rank. = 2L)
  at <- pca$x
  if (ncol(at) < 2L) at <- cbind(at, 0)
  share <- 100 * pca$sdev^2 / max(sum(pca$sdev^2), .Machine$double.eps)
  # What rounding left of a component that is not there would look like a spread.
  at[, share[1:2] < 1e-9 | is.na(share[1:2])] <- 0
  list(at = at, axes = sprintf("PC%d (%.0f %%)", 1:2, share[1:2]))
}

# `expr` under a seed of R's stream, which goes on afterwards as if nothing had been drawn. Not every
# version of uwot has an argument for the seed.
with_stream <- function(seed, expr) {
  if (exists(".Random.seed", globalenv(), inherits = FALSE)) {
    before <- get(".Random.seed", globalenv())
    on.exit(assign(".Random.seed", before, globalenv()))
  } else {
    on.exit(rm(".Random.seed", envir = globalenv()))
  }
  set.seed(seed)
  expr
}
