# One look for all plots: white ground, light grid, colours that colour-blind readers tell apart
# (Okabe and Ito, 2008, https://jfly.uni-koeln.de/color/).

#' @importFrom rlang .data
NULL

okabe_ito <- function() {
  c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
}

# `n` colours: the eight of the palette, then steps of hue at two brightnesses.
palette_compert <- function(n) {
  if (n <= 8L) return(okabe_ito()[seq_len(n)])
  hue <- seq(15, 375, length.out = n + 1L)[seq_len(n)]
  grDevices::hcl(h = hue, c = 70, l = rep_len(c(45, 70), n))
}

theme_compert <- function(base_size = 11) {
  ggplot2::theme_minimal(base_size = base_size) +
    ggplot2::theme(
      panel.grid.minor = ggplot2::element_blank(),
      panel.grid.major = ggplot2::element_line(colour = "grey92", linewidth = 0.3),
      panel.border = ggplot2::element_rect(colour = "grey70", fill = NA, linewidth = 0.4),
      strip.text = ggplot2::element_text(face = "bold", hjust = 0),
      plot.title = ggplot2::element_text(face = "bold", size = ggplot2::rel(1.05)),
      plot.title.position = "plot",
      plot.subtitle = ggplot2::element_text(colour = "grey30"),
      legend.position = "bottom",
      plot.background = ggplot2::element_rect(fill = "white", colour = NA)
    )
}

need_ggplot <- function(call = rlang::caller_env()) {
  check_package("ggplot2", "to draw plots", call = call)
}

# Colour scale for a discrete variable with `n` values.
scale_colour_compert <- function(n, ...) {
  ggplot2::scale_colour_manual(values = palette_compert(max(n, 1L)), na.value = "grey60", ...)
}

# Stops when a table lacks columns that a plot needs.
need_columns <- function(table, columns, arg, from, call = rlang::caller_env()) {
  absent <- if (is.data.frame(table)) setdiff(columns, names(table)) else columns
  if (length(absent) == 0L && nrow(table) > 0L) return(invisible())
  abort_input(paste0("`", arg, "` must be a table made by `", from, "`."),
              if (!is.data.frame(table)) paste0("It is ", describe(table), ".") else
                if (length(absent)) paste0("It lacks ", name_list(absent), ".") else "It has no rows.",
              paste0("Give what `", from, "` returns, whole or filtered by rows."), call)
}
