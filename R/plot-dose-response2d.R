#' The response to two perturbations as a map
#'
#' Draws what [dose_response2d()] returns: the doses of two perturbations on the axes, the response as
#' colour, with contour lines. Measured conditions can be laid over it as points in the same colours.
#'
#' @param response What [dose_response2d()] returns, whole or filtered by rows.
#' @param ... Must be empty: later arguments are given by name.
#' @param value Column to draw; `NULL` takes `norm_of_shift`, `norm_of_difference` or `difference`,
#'   whichever is there.
#' @param observed Measured points: what `observed_response(pair = )` returns, with `genes` where
#'   `response` has them.
#' @param log_dose `TRUE` draws logarithmic axes; dose 0 is set a tenth below the lowest dose above 0.
#' @return A ggplot with a panel per covariate combination and gene (of one panel its name is the
#'   subtitle). Changes, which have a sign, are
#'   drawn from blue over white to orange, lengths from dark to light; the colours reach over measured
#'   points as well. The legend says the scale.
#' @section Errors:
#' A table that is not from [dose_response2d()]; measured points without the column that is drawn, of
#' other perturbations or on another scale. Cells that were brought to another total are a warning.
#' @source `plot_contvar_response2D` in `cpa/plotting.py` of facebookresearch/CPA.
#' @seealso [plot_dose_response()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' wells <- drugseq_example()
#' fit <- cpa(wells, "condition", dose = "dose", dose_unit = "uM", control = "control",
#'            settings = cpa_settings(epochs = 30, seed = 1, verbose = FALSE))
#' two <- c("Trametinib", "Abemaciclib")
#' map <- dose_response2d(fit, wells, perturbation = two, genes = "SELENBP1", dose = c(0, 0.1, 0.3, 1, 3, 10))
#' measured <- observed_response(fit, wells, pair = two, genes = "SELENBP1")
#' plot_dose_response2d(map, observed = measured, log_dose = TRUE)
#' @export
plot_dose_response2d <- function(response, ..., value = NULL, observed = NULL, log_dose = FALSE) {
  need_ggplot()
  columns <- c("perturbation_1", "dose_1", "perturbation_2", "dose_2")
  need_columns(response, columns, "response", "dose_response2d()")
  check_no_dots(...)
  check_flag(log_dose, "log_dose")
  known <- intersect(names(response2d_words()), names(response))
  if (length(known) == 0L) {
    need_columns(response, "norm_of_difference", "response", "dose_response2d()")
  }
  value <- check_choice(value %||% known[1L], known, "value")
  table <- as.data.frame(response)
  check_one_pair(table)
  points <- observed_points(observed, table, value, columns, map_numbers(), "dose_response2d")
  table <- map_table(table, value, log_dose, points)
  check_same_scale(response, observed, rlang::current_env())
  p <- dose_map(table, value == "difference", value_title(response, value, response2d_words(), "\n"),
                also = points$.value) +
    ggplot2::labs(x = dose_title(response, short_names(table$perturbation_1[1L], 40L)),
                  y = dose_title(response, short_names(table$perturbation_2[1L])),
                  subtitle = if (nlevels(table$.panel) == 1L) {
                    constant_subtitle(c(panel = levels(table$.panel)))
                  }, caption = dose_note(response))
  if (!is.null(points)) {
    points <- map_places(points, attr(table, "lowest"))
    points$.panel <- table$.panel[points$.row]
    p <- p + map_points(points)
  }
  if (!log_dose) return(p)
  p + log_dose_scale("x", table$dose_1, table$.x) + log_dose_scale("y", table$dose_2, table$.y)
}

response2d_words <- function() {
  c(norm_of_shift = "Length of\nlatent shift", norm_of_difference = "Length of\nchange",
    difference = "Change of\nexpression", mean = "Mean\nexpression",
    norm_of_mean = "Length of\nmean", response = "Latent response\nh1 + h2")
}

check_one_pair <- function(table, call = rlang::caller_env()) {
  pairs <- unique(table[c("perturbation_1", "perturbation_2")])
  if (nrow(pairs) == 1L) return(invisible())
  abort_input("`response` must be of one pair of perturbations.",
              paste0("It has rows of ", nrow(pairs), "."), "Filter it by rows.", call)
}

# Adds the value, the panel, and the place and the borders of each tile. On logarithmic axes dose 0 is
# a tenth below the lowest dose of that axis, `points` included.
map_table <- function(table, value, log_dose, points = NULL) {
  table$.value <- table[[value]]
  own <- setdiff(names(table), c("perturbation_1", "perturbation_2", map_numbers()))
  own <- union(intersect("gene", own), own)
  panel <- joined_words(table, own)
  table$.panel <- factor(panel, unique(panel))
  lowest <- lapply(c("dose_1", "dose_2"), function(name) {
    if (log_dose) lowest_dose(c(table[[name]], points[[name]]))
  })
  table <- map_places(table, lowest)
  x <- tile_borders(table$.x, log_dose)
  y <- tile_borders(table$.y, log_dose)
  table[c(".xmin", ".xmax", ".ymin", ".ymax")] <- c(x, y)
  structure(table, lowest = lowest)
}

map_places <- function(table, lowest) {
  place <- function(dose, lowest) if (is.null(lowest)) dose else lift_zero(dose, lowest)
  table$.x <- place(table$dose_1, lowest[[1L]])
  table$.y <- place(table$dose_2, lowest[[2L]])
  table
}

map_numbers <- function() {
  c("dose_1", "dose_2", "n_cells", "seen", ".x", ".y", ".value", names(response2d_words()))
}

# Lower and upper borders of tiles around `at`: half-way to the neighbours. The outer ones have room for
# points, and on logarithmic axes no more than others: dose 0 is further from its neighbour.
tile_borders <- function(at, log) {
  to <- if (log) log10 else identity
  from <- if (log) function(x) 10^x else identity
  place <- sort(unique(to(at)))
  if (length(place) == 1L) return(list(from(to(at) - 0.5), from(to(at) + 0.5)))
  middle <- (place[-1L] + place[-length(place)]) / 2
  half <- diff(place) / 2
  out <- half[c(1L, length(half))]
  if (log) out <- pmin(out, stats::median(half))
  out <- pmax(out, 0.05 * (place[length(place)] - place[1L]))
  edge <- c(place[1L] - out[1L], middle, place[length(place)] + out[2L])
  k <- match(to(at), place)
  list(from(edge[k]), from(edge[k + 1L]))
}

# Tiles, with contours where the response is smooth, for tables of map_table(). The colours are for
# the values `also` as well.
dose_map <- function(table, signed, legend, contours = TRUE, also = NULL) {
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$.x, .data$.y)) +
    ggplot2::geom_rect(ggplot2::aes(xmin = .data$.xmin, xmax = .data$.xmax, ymin = .data$.ymin,
                                    ymax = .data$.ymax, fill = .data$.value,
                                    # Without lines of their own, seams would show between tiles.
                                    colour = ggplot2::after_scale(.data$fill)), linewidth = 0.5)
  lines <- if (contours) contour_breaks(table, signed)
  if (length(lines)) {
    p <- p + ggplot2::geom_contour(
      ggplot2::aes(z = .data$.value), attr(lines, "table"), breaks = lines, linewidth = 0.3,
      colour = if (signed) "grey45" else "white", alpha = 0.8
    )
  }
  span <- range(table$.value, also, na.rm = TRUE)
  limit <- max(abs(span))
  fill <- if (signed) {
    ggplot2::scale_fill_gradient2(low = "#0072B2", mid = "white", high = "#D55E00",
                                  limits = c(-1, 1) * if (limit > 0) limit else 1)
  } else {
    ggplot2::scale_fill_viridis_c(limits = span)
  }
  p <- p + fill + ggplot2::coord_cartesian(expand = FALSE, clip = "off") +
    ggplot2::labs(fill = legend) + theme_compert() +
    ggplot2::theme(legend.position = "right", panel.grid = ggplot2::element_blank(),
                   panel.spacing = ggplot2::unit(12, "pt"))
  if (nlevels(table$.panel) == 1L) return(p)
  p + ggplot2::facet_wrap(ggplot2::vars(.data$.panel), labeller = name_headings())
}

# Eight steps or so, and the panels in which at least one of them is crossed.
contour_breaks <- function(table, signed) {
  breaks <- pretty(range(table$.value, na.rm = TRUE), 8L)
  # The line between hardly anything and hardly anything wanders about.
  if (signed) breaks <- setdiff(breaks, 0)
  grid <- function(part) length(unique(part$.x)) > 1L && length(unique(part$.y)) > 1L
  crossed <- vapply(split(table, table$.panel), function(part) {
    grid(part) && any(breaks > min(part$.value, na.rm = TRUE) & breaks < max(part$.value, na.rm = TRUE))
  }, NA)
  table <- table[table$.panel %in% names(crossed)[crossed], , drop = FALSE]
  if (nrow(table) == 0L) return(NULL)
  structure(breaks, table = table)
}

# Measured conditions in the colours of the map, rimmed so that they stand out.
map_points <- function(points) {
  list(
    ggplot2::geom_point(ggplot2::aes(shape = .data$.seen, fill = .data$.value), points, size = 3,
                        stroke = 1, colour = "black"),
    ggplot2::scale_shape_manual(values = c(`in training` = 21, `not in training` = 24, `training unknown` = 22)),
    ggplot2::labs(shape = "Measured")
  )
}
