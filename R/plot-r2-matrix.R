#' The r2 of every pair of conditions as a heat map
#'
#' Draws what [r2_matrix()] returns. A dark frame marks the best row of every column: for a prediction
#' that is right it lies on the diagonal.
#'
#' @param r2 What [r2_matrix()] returns.
#' @param ... Must be empty: later arguments are given by name.
#' @param limits Lower and upper end of the colours; `NULL` for the lowest value (-1 at least) and 1.
#'   Values beyond take the colour of the end.
#' @param numbers `TRUE` writes the numbers into the tiles, `NULL` does for at most 12 conditions.
#' @return A ggplot, the rows of `r2` from top to bottom. What all conditions have in common stands in the
#'   subtitle, and what is compared (means or variances, of which genes or proteins) over the legend.
#' @section Errors:
#' Not a numeric matrix with names; more than 1,000 rows or columns, which no picture has room for.
#' @source `plot_r2_matrix` in `cpa/plotting.py` of facebookresearch/CPA.
#' @seealso [plot_r2()], [plot_similarity()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' plot_r2_matrix(r2_matrix(fit, screen, n_degs = 50))
#' @export
plot_r2_matrix <- function(r2, ..., limits = NULL, numbers = NULL) {
  need_ggplot()
  good <- is.matrix(r2) && is.numeric(r2) && !is.null(rownames(r2)) && !is.null(colnames(r2)) &&
    any(is.finite(r2)) && !anyDuplicated(rownames(r2)) && !anyDuplicated(colnames(r2))
  if (!good) {
    abort_input("`r2` must be a numeric matrix with names, made by `r2_matrix()`.",
                paste0("It is ", describe(r2), "."), "Give what `r2_matrix()` returns.")
  }
  if (max(dim(r2)) > 1000L) {
    abort_input("`r2` must have at most 1,000 rows and columns to be drawn.",
                paste0("It is ", count(nrow(r2)), " x ", count(ncol(r2)), "."),
                "Name the conditions in question: r2_matrix(fit, cells, condition = condition(...)).")
  }
  check_no_dots(...)
  limits <- limits %||% c(max(-1, min(r2, 1, na.rm = TRUE)), 1)
  if (limits[1L] == limits[2L]) limits[1L] <- 0
  check_limits(limits)
  check_flag(numbers, "numbers", null_ok = TRUE)
  table <- data.frame(row = factor(rep(rownames(r2), ncol(r2)), rev(rownames(r2))),
                      column = factor(rep(colnames(r2), each = nrow(r2)), colnames(r2)),
                      r2 = as.vector(r2))
  best <- apply(r2, 2L, function(v) if (all(is.na(v))) NA else which.max(v))
  best <- data.frame(row = rownames(r2)[best], column = colnames(r2))
  best <- best[!is.na(best$row), , drop = FALSE]
  predicted <- identical(attr(r2, "rows"), "predicted")
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$column, .data$row)) +
    ggplot2::geom_raster(ggplot2::aes(fill = .data$r2)) +
    ggplot2::geom_tile(data = best, fill = NA, colour = "grey10", linewidth = 0.6, width = 0.94,
                       height = 0.94) +
    r2_fill(limits) +
    ggplot2::coord_fixed(expand = FALSE) +
    names_axis("x", colnames(r2), slant = TRUE) +
    names_axis("y", rownames(r2)) +
    ggplot2::labs(x = "Measured", y = if (predicted) "Predicted" else "Measured",
                  fill = sub(" of ", "\nof ", paste(c("r2", attr(r2, "of")), collapse = ", "), fixed = TRUE),
                  subtitle = attr(r2, "constant"), caption = "Framed: the best of its column") +
    theme_compert() +
    ggplot2::theme(panel.grid = ggplot2::element_blank(), legend.position = "right")
  if (!(numbers %||% (max(dim(r2)) <= 12L))) return(p)
  place <- (pmin(pmax(table$r2, limits[1L]), limits[2L]) - limits[1L]) / diff(limits)
  dark <- if (limits[1L] < 0) abs(table$r2) > 0.75 else place > 0.6
  p + tile_numbers(table, table$r2, dark, max(dim(r2)))
}

# White to blue; orange below 0, where there is anything.
r2_fill <- function(limits) {
  if (limits[1L] < 0) {
    return(ggplot2::scale_fill_gradient2(low = "#D55E00", mid = "white", high = "#0072B2",
                                         limits = limits, oob = to_edge, na.value = "grey85"))
  }
  ggplot2::scale_fill_gradient(low = "white", high = "#0072B2", limits = limits, oob = to_edge,
                               na.value = "grey85")
}

# Values beyond the limits take the colour of the limit.
to_edge <- function(x, range, ...) pmin(pmax(x, range[1L]), range[2L])
