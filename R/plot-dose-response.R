#' Dose-response curves
#'
#' Draws what [dose_response()] returns: the latent response h(dose), the length of the predicted
#' change, or genes one by one. Measured means can be laid over the lines.
#'
#' @param response What [dose_response()] returns, whole or filtered by rows.
#' @param ... Must be empty: later arguments are given by name.
#' @param value Column to draw; `NULL` takes `response`, `norm_of_difference` or `mean`, whichever
#'   is there.
#' @param log_dose `TRUE` draws a logarithmic dose axis; dose 0 is a point of its own at a tenth of
#'   the lowest dose above 0.
#' @param observed Measured points over the lines: what [observed_response()] returns, with `genes`
#'   where `response` has them. Rows of perturbations, covariates or genes that have no line are left
#'   out. Filled points are conditions that training saw, open ones it did not; bars of genes reach two standard
#'   errors over cells to either side.
#' @return A ggplot with one panel per gene; the title of the axis says the scale. With one perturbation
#'   there is a line per covariate combination, with several a line per perturbation and a panel per
#'   combination; more than 8 lines,
#'   which colours would not tell apart, have a panel each (up to 48 panels). What there is one of (gene,
#'   perturbation, covariates) stands in the subtitle.
#' @section Errors:
#' A table that is not from [dose_response()]; measured points without the column that is drawn (the
#' latent response is not measured) or, where `response` is at several values of a continuous covariate, without
#' a column of these; of proteins beside genes, or on another scale. Cells that were
#' brought to another total are a warning.
#' @source `plot_contvar_response` in `cpa/plotting.py` of facebookresearch/CPA.
#' @seealso [dose_response()], [observed_response()], [plot_dose_response2d()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' wells <- drugseq_example()
#' fit <- cpa(wells, "condition", dose = "dose", dose_unit = "uM", control = "control",
#'            settings = cpa_settings(epochs = 30, seed = 1, verbose = FALSE))
#' two <- c("Trametinib", "Abemaciclib")
#' plot_dose_response(dose_response(fit, perturbation = two), log_dose = TRUE)
#' curve <- dose_response(fit, wells, perturbation = two, genes = "SELENBP1")
#' measured <- observed_response(fit, wells, perturbation = two, genes = "SELENBP1")
#' plot_dose_response(curve, observed = measured, log_dose = TRUE)
#' @export
plot_dose_response <- function(response, ..., value = NULL, log_dose = FALSE, observed = NULL) {
  need_ggplot()
  need_columns(response, c("perturbation", "dose"), "response", "dose_response()")
  check_no_dots(...)
  check_flag(log_dose, "log_dose")
  known <- intersect(c("response", "norm_of_difference", "mean", "norm_of_mean", "difference"),
                     names(response))
  if (length(known) == 0L) need_columns(response, "response", "response", "dose_response()")
  value <- value %||% known[1L]
  check_choice(value, known, "value")
  table <- as.data.frame(response)
  table$.value <- table[[value]]
  points <- observed_points(observed, table, value, c("perturbation", "dose", "n_cells"),
                            c("dose", "n_cells", names(response_words())), "dose_response")
  check_same_scale(response, observed, rlang::current_env())
  lowest <- lowest_dose(c(table$dose, points$dose))
  table$.dose <- if (log_dose) lift_zero(table$dose, lowest) else table$dose
  table <- response_layout(table, known)
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$.dose, .data$.value, colour = .data$.line)) +
    ggplot2::geom_line(ggplot2::aes(linetype = .data$.line),
                       joined_doses(table, log_dose),
                       linewidth = if (nlevels(table$.line) > 40L) 0.3 else 0.7) +
    scale_colour_compert(nlevels(table$.line)) +
    ggplot2::labs(x = dose_title(response), y = value_title(response, value, response_words(!is.null(points))),
                  colour = NULL, linetype = NULL, subtitle = constant_subtitle(attr(table, "constant")),
                  caption = dose_note(response)) +
    theme_compert() +
    names_legend(levels(table$.line))
  if (!is.null(points)) {
    points$.dose <- if (log_dose) lift_zero(points$dose, lowest) else points$dose
    points[c(".line", ".panel")] <- table[points$.row, c(".line", ".panel")]
    p <- p + observed_layers(points)
  }
  dots <- is.null(points) && length(unique(table$.dose)) <= 12L
  dotted <- dots | (log_dose & table$dose == 0)
  if (any(dotted)) {
    p <- p + ggplot2::geom_point(data = table[dotted, , drop = FALSE], size = 1.4,
                                 show.legend = dots)
  }
  p <- p + dose_panels(nlevels(table$.panel), if ("gene" %in% names(table)) "free_y" else "fixed", log_dose,
                       unique(table$dose))
  if (!log_dose) return(p)
  p + log_dose_scale("x", c(table$dose, points$dose), c(table$.dose, points$.dose))
}

# The points of lines: those of a single dose have none, and what lies between dose 0 and the next is not on
# a logarithmic axis.
joined_doses <- function(table, log_dose) {
  if (log_dose) table <- table[table$dose > 0, , drop = FALSE]
  rows_of_lines(table, c(".panel", ".line"))
}

# Panels, with room for the last label of one beside the first of the next. Axes have few breaks where
# many panels share the page, and one where all have one dose.
dose_panels <- function(n, scales, log_dose, doses) {
  guide <- ggplot2::guide_axis(check.overlap = TRUE)
  single <- if (length(doses) == 1L && !log_dose) ggplot2::scale_x_continuous(breaks = doses, labels = format_dose)
  if (n == 1L) return(single)
  list(
    ggplot2::facet_wrap(ggplot2::vars(.data$.panel), labeller = name_headings(), scales = scales),
    ggplot2::theme(panel.spacing.x = ggplot2::unit(20, "pt"),
                   plot.margin = ggplot2::margin(5.5, 18, 5.5, 5.5), strip.clip = "off"),
    single %||% if (n > 4L && !log_dose) ggplot2::scale_x_continuous(n.breaks = 3L, guide = guide),
    if (n > 9L) ggplot2::scale_y_continuous(n.breaks = 3L, guide = guide),
    # From 17 panels on there are five or more beside each other.
    if (n > 16L) ggplot2::theme(strip.text = ggplot2::element_text(size = ggplot2::rel(0.75)))
  )
}

# A logarithmic axis of doses, on which `place` is where `dose` is drawn.
log_dose_scale <- function(axis, dose, place) {
  zero <- if (any(dose == 0)) min(place)
  scale <- if (axis == "x") ggplot2::scale_x_log10 else ggplot2::scale_y_log10
  scale(
    guide = ggplot2::guide_axis(check.overlap = TRUE),
    breaks = function(limits) log_breaks(limits, zero),
    labels = function(at) {
      ifelse(!is.null(zero) & abs(at / (zero %||% 1) - 1) < 1e-6, "0", format_dose(at))
    }
  )
}

# Powers of ten within the limits, and the place where dose 0 is drawn.
log_breaks <- function(limits, zero) {
  powers <- 10^seq(ceiling(log10(limits[1L]) - 1e-9), floor(log10(limits[2L]) + 1e-9))
  c(zero, powers[is.null(zero) | powers > 1.5 * (zero %||% 0)])
}

# `words`: what each value is called; `space` stands before what the value is of.
value_title <- function(response, value, words, space = " ") {
  if (value %in% latent_values) return(words[[value]])
  scale <- attr(response, "scale")
  proteins <- grepl("^norm", value) && identical(names(scale), "proteins")
  # On one line title and scale are longer than panels may be high.
  with_scale_words(paste0(words[[value]], if (proteins) paste0(space, "of proteins")), scale, "\n")
}

latent_values <- c("response", "norm_of_shift")

response_words <- function(measured = FALSE) {
  words <- c(response = "Latent response h(dose)", norm_of_difference = "Length of predicted change",
    norm_of_mean = "Length of predicted mean", mean = "Predicted mean expression",
    difference = "Predicted change of expression")
  if (!measured) return(words)
  c(response = words[["response"]], norm_of_difference = "Length of change",
    norm_of_mean = "Length of mean", mean = "Mean expression", difference = "Change of expression")
}

# The measured points that belong to a row of `table`, the number `.row` of its first, with `.value` and `.seen`;
# NULL for none. `columns`: those that they must have; `numbers`: those in which rows of a line (a map) differ;
# `verb` made the table.
observed_points <- function(observed, table, value, columns, numbers, verb, call = rlang::caller_env()) {
  if (is.null(observed)) return(NULL)
  if (value %in% latent_values) {
    abort_input("`observed` must be left out for the latent response, which cannot be measured.",
                paste0("It is ", describe(observed), "."),
                paste0("Draw `", verb, "(fit, newdata, space = \"genes\")`."), call)
  }
  need_columns(observed, c(columns, "seen", value), "observed",
               if ("perturbation_1" %in% columns) "observed_response(pair = )" else "observed_response()", call)
  points <- as.data.frame(observed)
  shared <- setdiff(intersect(names(points), names(table)), numbers)
  apart <- setdiff(names(table), c(names(points), numbers, ".value"))
  apart <- apart[vapply(table[apart], function(v) length(unique(v)) > 1L, NA)]
  if (length(apart)) {
    abort_input(paste0("`observed` must say which `", apart[1L], "` its points are of."),
                "`response` has several, and `observed` has no such column.",
                paste0("Ask `observed_response()` for the cells of each by themselves, and add it: observed$",
                       apart[1L], " <- ", deparse1(as.vector(table[[apart[1L]]])[1L]), "."), call)
  }
  points$.row <- match(row_keys(points[shared]), row_keys(table[shared]))
  points <- points[!is.na(points$.row) & is.finite(points[[value]]), , drop = FALSE]
  if (nrow(points) == 0L) {
    abort_input("`observed` must have points that belong to `response`.",
                "None of its rows has its perturbations, covariates and genes.",
                "Ask both functions for the same perturbations and genes.", call)
  }
  points$.value <- points[[value]]
  points$.error <- points[[paste0("se_", value)]] %||% rep(NA_real_, nrow(points))
  points$.seen <- seen_words(points$seen)
  points
}

# What training saw, in two words; a third where the fit does not know it.
seen_words <- function(seen) {
  words <- c("in training", "not in training", "training unknown")
  factor(words[ifelse(is.na(seen), 3L, ifelse(seen == "condition", 1L, 2L))], words[c(TRUE, TRUE, anyNA(seen))])
}

seen_shapes <- function() c(`in training` = 16, `not in training` = 1, `training unknown` = 4)

# Open or filled points, their size the number of cells where that differs, with two standard errors to either side.
observed_layers <- function(points) {
  same <- length(unique(points$n_cells)) == 1L
  aes <- ggplot2::aes(shape = .data$.seen, size = .data$n_cells)
  if (same) aes$size <- NULL
  layer <- if (same) {
    ggplot2::geom_point(aes, points, size = 2.2, stroke = 0.8)
  } else {
    ggplot2::geom_point(aes, points, stroke = 0.8)
  }
  ranges <- points[is.finite(points$.error), , drop = FALSE]
  reach <- ggplot2::aes(ymin = .data$.value - 2 * .data$.error, ymax = .data$.value + 2 * .data$.error)
  list(
    if (nrow(ranges)) ggplot2::geom_linerange(reach, ranges, linewidth = 0.3, show.legend = FALSE),
    layer,
    ggplot2::scale_shape_manual(values = seen_shapes(), drop = TRUE),
    if (!same) ggplot2::scale_size_area(max_size = 4, breaks = range(points$n_cells)),
    ggplot2::labs(shape = "Measured", size = "Cells"),
    ggplot2::theme(legend.box = "vertical", legend.margin = ggplot2::margin(0, 0, 0, 0),
                   legend.spacing.y = ggplot2::unit(2, "pt"))
  )
}

# Lines and panels, in order of appearance: with one perturbation the covariate combinations are
# the lines, with several the perturbations are and the combinations are panels; genes are panels. More
# lines than colours tell apart are panels as well. What is the same throughout is `constant`.
response_layout <- function(table, known, most_lines = 8L, most_panels = 48L) {
  other <- c("perturbation", "dose", "n_cells", "gene", known, ".value", ".dose")
  own <- setdiff(names(table), other)
  gene <- intersect("gene", names(table))
  names <- c(gene, "perturbation", own)
  varied <- names[vapply(table[names], function(v) length(unique(v)) > 1L, NA)]
  constant <- vapply(setdiff(names, varied), function(name) as.character(table[[name]][1L]), "")
  join <- function(columns) joined_words(table, columns)
  count <- function(columns) length(unique(join(columns)))
  own <- intersect(own, varied)
  gene <- intersect(gene, varied)
  one <- !"perturbation" %in% varied
  lines <- if (one && length(own)) own else "perturbation"
  panels <- c(gene, if (!one) own)
  if (count(lines) > most_lines && count(c(gene, lines)) <= most_panels &&
      (one || count(own) <= most_lines)) {
    panels <- c(gene, lines)
    lines <- if (!one) own
  }
  line <- join(lines)
  panel <- join(panels)
  table$.line <- factor(line, unique(line))
  table$.panel <- factor(panel, unique(panel))
  structure(table, constant = constant)
}

# For logarithmic axes: a dose of 0 is drawn at a tenth of the lowest positive one, or of 1 where there
# is none.
lift_zero <- function(dose, lowest = lowest_dose(dose)) ifelse(dose > 0, dose, lowest / 10)

lowest_dose <- function(dose) if (any(dose > 0)) min(dose[dose > 0]) else 1
