# One look for all plots: white ground, light grid, colours that colour-blind readers tell apart
# (Okabe and Ito, 2008, https://jfly.uni-koeln.de/color/).

#' @importFrom rlang .data
NULL

okabe_ito <- function() {
  c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
}

# `n` different colours: the eight of the palette, or steps of hue at two brightnesses, which need a
# legend's order beside them.
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

# Names made to fit an axis or a heading: of each part ("B, IFNb" has two) at most `width` letters.
# Parts that are longer together have a line each; where there are more than eight names, lines would
# have no room, and parts are shorter. The middle of a part is left out, or its end or start if
# names are told apart only then.
short_names <- function(x, width = 26L, many = length(x) > 8L) {
  given <- as.character(x)
  if (length(given) == 0L) return(given)
  given[is.na(given)] <- "NA"
  x <- unique(given)
  parts <- strsplit(x, ", ", fixed = TRUE)
  joint <- short_combinations(unlist(parts), width, many)
  for (head in c(0.6, 1, 0)) {
    short <- vapply(parts, short_name, "", width, many, head, joint)
    if (anyDuplicated(short) == 0L) break
  }
  for (alike in unique(short[duplicated(short)])) {
    short[short == alike] <- where_they_differ(x[short == alike], width)
  }
  make.unique(short, " ")[match(given, x)]
}

# A few letters before the first one in which names differ, and what follows.
where_they_differ <- function(x, width) {
  letters <- lapply(seq_len(max(nchar(x))), function(k) substr(x, k, k))
  first <- which(vapply(letters, function(letter) any(letter != letter[1L]), NA))[1L]
  from <- max(1L, first - 5L)
  short <- paste0(if (from > 1L) "...", substr(x, from, from + width - 7L),
                  ifelse(nchar(x) > from + width - 7L, "...", ""))
  # The rest differs later on.
  for (alike in unique(short[duplicated(short)])) {
    short[short == alike] <- where_they_differ(x[short == alike], width)
  }
  short
}

# Of long combinations ("A+B") each name is shortened for itself: a named vector.
short_combinations <- function(parts, width, many) {
  long <- unique(parts[nchar(parts) > width & grepl("[^+][+][^+]", parts)])
  names <- strsplit(long, "+", fixed = TRUE)
  single <- unique(unlist(names))
  if (length(single) == 0L) return(character())
  short <- short_names(single, max(16L, width %/% 2L), FALSE)
  stats::setNames(vapply(names, function(name) {
    paste(short[match(name, single)], collapse = if (many) "+" else "+\n")
  }, ""), long)
}

short_name <- function(parts, width, many, head, joint) {
  if (sum(nchar(parts) + 2L) <= width + 2L) return(paste(parts, collapse = ", "))
  if (many && length(parts) > 1L) width <- 18L
  head <- ceiling((width - 3L) * head)
  n <- nchar(parts)
  cut <- paste0(substr(parts, 1L, head), "...", substring(parts, n - (width - 4L - head)))
  text <- ifelse(n > width, cut, parts)
  paste(ifelse(parts %in% names(joint), joint[parts], text), collapse = if (many) ", " else ",\n")
}

# Lines of at most `width` letters, broken between words.
wrap_text <- function(x, width) {
  vapply(strwrap(as.character(x), width, simplify = FALSE), paste, "", collapse = "\n")
}

# Discrete axes: short names, of which those that would lie over others are left out. Names of a
# horizontal axis that have no room beside each other (`panels` axes are) are wrapped or slanted.
names_axis <- function(axis, names, panels = 1L, slant = NULL) {
  guide <- function(angle = NULL) ggplot2::guide_axis(check.overlap = TRUE, angle = angle)
  if (axis == "y") {
    # A panel may have few of many names.
    return(ggplot2::scale_y_discrete(labels = function(x) short_names(x, many = length(names) > 8L),
                                     guide = guide()))
  }
  room <- 84L %/% (length(names) * panels)
  if (!(slant %||% (max(nchar(short_names(names)), 0L) >= room && room < 12L))) {
    return(ggplot2::scale_x_discrete(labels = function(x) wrap_text(short_names(x), room),
                                     guide = guide()))
  }
  ggplot2::scale_x_discrete(labels = short_names, guide = guide(45))
}

# Headings of panels, of which four stand in a row where there are more than nine.
name_headings <- function() {
  ggplot2::as_labeller(function(x) short_names(x, if (length(x) > 9L) 13L else 24L, many = FALSE))
}

# The numbers of a map of `n` rows or columns, white on dark tiles; many tiles are narrow.
tile_numbers <- function(table, value, dark, n) {
  table$.number <- ifelse(is.na(value), NA, sprintf("%.2f", round(value, 2L) + 0))
  table$.ink <- ifelse(dark %in% TRUE, "white", "grey10")
  list(ggplot2::geom_text(ggplot2::aes(.data$column, .data$row, label = .data$.number, colour = .data$.ink), table,
                          size = if (n > 8L) 2 else 3, na.rm = TRUE, inherit.aes = FALSE),
       ggplot2::scale_colour_identity())
}

# What a whole picture is of, as its subtitle: "ISG15, IFNb, cell_type: B"; NULL for nothing. The user's
# own columns have their names.
constant_subtitle <- function(parts) {
  if (length(parts) == 0L) return(NULL)
  named <- setdiff(names(parts), c("gene", "perturbation", "panel"))
  text <- stats::setNames(vapply(parts, short_names, "", 40L), names(parts))
  text[named] <- paste0(named, ": ", text[named])
  paste(strwrap(paste(text, collapse = ", "), 78), collapse = "\n")
}

# Beyond eight groups colours come again, with another type of line or shape of points.
turn_of <- function(n) (seq_len(max(n, 1L)) - 1L) %/% length(okabe_ito())

# The legend of coloured names: below the plot, or on the right where it has no room there. One name
# needs none, and more than 40 cannot be told apart: `advice` says what to do then. `also`: what else tells the
# names apart.
names_legend <- function(names, ..., also = "linetype", advice = NULL) {
  n <- length(names)
  guides <- function(...) do.call(ggplot2::guides, stats::setNames(list(...), c("colour", also)))
  none <- guides("none", "none")
  if (n == 1L) return(none)
  if (n > 40L) {
    return(list(none, ggplot2::labs(caption = paste(c(paste("No legend for", n, "colours"), advice), collapse = "; "))))
  }
  list(
    # Alike, so that they are one legend.
    guides(ggplot2::guide_legend(ncol = if (n > 18L) 2L, order = 1L, ...),
           ggplot2::guide_legend(ncol = if (n > 18L) 2L, order = 1L)),
    if (wide_legend(names)) ggplot2::theme(legend.position = "right")
  )
}

wide_legend <- function(names) {
  n <- length(names)
  n > 8L || (n > 1L && sum(nchar(legend_names(names)) + 5L) > 95L)
}

# The share of a page 7 inches wide that a legend on the right takes.
legend_share <- function(names) {
  if (!wide_legend(names) || length(names) > 40L) return(0)
  letters <- max(nchar(unlist(strsplit(legend_names(names), "\n", fixed = TRUE))))
  (0.03 + (0.05 + 0.0092 * letters) * (if (length(names) > 18L) 2 else 1))
}

legend_names <- function(x) short_names(x, if (length(x) > 18L) 16L else 26L)

need_ggplot <- function(call = rlang::caller_env()) {
  check_package("ggplot2", "to draw plots", call = call)
}

# Colours, and types of lines where they are mapped, for a discrete variable with `n` values, of which those
# numbered `grey` are no groups.
scale_colour_compert <- function(n, grey = integer()) {
  types <- c("solid", "22", "82", "4212", "12")
  colours <- replace(rep_len(okabe_ito(), max(n, 1L)), grey, "grey80")
  list(ggplot2::scale_colour_manual(values = colours, na.value = "grey60", labels = legend_names),
       ggplot2::scale_linetype_manual(values = types[turn_of(n) %% 5L + 1L], labels = legend_names))
}

# The shapes of points that go with these colours.
scale_shape_compert <- function(n) {
  ggplot2::scale_shape_manual(values = c(16, 17, 15, 3, 4)[turn_of(n) %% 5L + 1L], na.value = 16,
                              labels = legend_names)
}

# The points that are on a line with others, of equal values in `columns`: a single one has no line.
rows_of_lines <- function(table, columns) {
  line <- row_keys(table[columns])
  table[line %in% line[duplicated(line)], , drop = FALSE]
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
