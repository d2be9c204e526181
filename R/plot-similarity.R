# The cosines of embeddings as a heat map.

#' @rdname plot_embedding
#' @export
plot_similarity <- function(embedding, ...) {
  need_ggplot()
  embedding <- only_matrix(embedding)
  if (is_similarity(embedding)) {
    value <- embedding
  } else {
    check_embedding(embedding)
    value <- similarity(embedding)
  }
  check_no_dots(...)
  names <- make.unique(rownames(embedding) %||% as.character(seq_len(nrow(embedding))), " ")
  # A vector of length 0, as the controls' at dose 0, points nowhere.
  without <- names[rowSums(!is.na(value)) == 0L]
  if (length(without) < length(names) - 1L) {
    value <- value[!names %in% without, !names %in% without, drop = FALSE]
    names <- setdiff(names, without)
  }
  far <- 1 - value
  far[is.na(far)] <- 1
  order <- names[stats::hclust(stats::as.dist(far), "average")$order]
  n <- length(names)
  side <- square_side(n)
  if (side > 1L) {
    value <- mean_squares(structure(value, dimnames = list(names, names))[order, order], side)
    names <- order <- rownames(value)
  }
  table <- data.frame(row = factor(rep(names, length(names)), rev(order)),
                      column = factor(rep(names, each = length(names)), order),
                      cosine = as.vector(value))
  draw_similarity(table, names, similarity_caption(without, side, n))
}

# In a frame of its own: a ggplot keeps it, and the cosines of a genome are large.
draw_similarity <- function(table, names, caption) {
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$column, .data$row, fill = .data$cosine)) +
    ggplot2::geom_raster() + # hundreds of tiles would show their edges as a pattern
    ggplot2::scale_fill_gradient2(low = "#D55E00", mid = "white", high = "#0072B2",
                                  limits = c(-1, 1), na.value = "grey85") +
    ggplot2::coord_fixed() +
    names_axis("x", names, slant = TRUE) +
    names_axis("y", names) +
    ggplot2::labs(x = NULL, y = NULL, fill = "Cosine", caption = caption) +
    theme_compert() +
    ggplot2::theme(panel.grid = ggplot2::element_blank(), legend.position = "right")
  if (length(names) > 12L) return(p)
  p + tile_numbers(table, table$cosine, abs(table$cosine) > 0.75, length(names))
}

# How many rows and columns a square of a heat map stands for, so that a picture of thousands has no more squares
# than it has room for.
square_side <- function(n, most = 400L) ceiling(n / most)

# The means of squares of neighbouring rows and columns, named by the first ones.
mean_squares <- function(value, side) {
  sums_of <- function(x) rowsum(x, (seq_len(nrow(x)) - 1L) %/% side)
  first <- lapply(dimnames(value), function(names) names[seq(1L, length(names), side)])
  size <- sums_of(matrix(1, nrow(value), 1L)) %*% t(sums_of(matrix(1, ncol(value), 1L)))
  structure(t(sums_of(t(sums_of(value)))) / size, dimnames = first)
}

similarity_caption <- function(without, side, n) {
  words <- c(
    if (length(without)) paste0("Without direction: ", short_list(short_names(without), 12L)),
    if (side > 1L) {
      paste0("A square is the mean of ", side, " x ", side, " of ", count(n), " vectors, named by the first")
    }
  )
  if (length(words)) paste(words, collapse = "\n")
}

# What similarity() returns by cosines: no embedding has the same names in rows and columns.
is_similarity <- function(x, call = rlang::caller_env()) {
  square <- is.matrix(x) && is.numeric(x) && nrow(x) > 1L && !is.null(rownames(x)) &&
    identical(rownames(x), colnames(x)) && (identical(x, t(x)) || isTRUE(all.equal(x, t(x))))
  if (!square) return(FALSE)
  if (all(abs(diag(x) - 1) < 1e-6, na.rm = TRUE) && all(abs(x) <= 1 + 1e-6, na.rm = TRUE)) return(TRUE)
  if (!all(diag(x) %in% 0)) return(FALSE)
  abort_input("`embedding` must hold vectors, or their cosines.", "It holds distances.",
              "Give the vectors, or `similarity(embedding)`.", call)
}
