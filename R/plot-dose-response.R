#' Dose-response curves
#'
#' Draws what [dose_response()] returns: the latent response h(dose), the length of the predicted
#' change, or genes one by one.
#'
#' @param response What [dose_response()] returns, whole or filtered by rows.
#' @param ... Not used.
#' @param value Column to draw; `NULL` takes `response`, `norm_of_difference` or `mean`, whichever
#'   is there.
#' @param log_dose `TRUE` draws a logarithmic dose axis; dose 0 is set a tenth below the lowest
#'   dose above 0.
#' @return A ggplot with one panel per gene. With one perturbation there is a line per covariate
#'   combination, with several a line per perturbation and a panel per combination.
#' @section Errors:
#' A table that is not from [dose_response()].
#' @source `plot_contvar_response` in `cpa/plotting.py` of facebookresearch/CPA.
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' plot_dose_response(dose_response(fit))
#' @export
plot_dose_response <- function(response, ..., value = NULL, log_dose = FALSE) {
  check_no_dots(...)
  need_ggplot()
  need_columns(response, c("perturbation", "dose"), "response", "dose_response()")
  check_flag(log_dose, "log_dose")
  known <- intersect(c("response", "norm_of_difference", "mean", "norm_of_mean", "difference"),
                     names(response))
  if (length(known) == 0L) need_columns(response, "response", "response", "dose_response()")
  value <- value %||% known[1L]
  check_choice(value, known, "value")
  table <- as.data.frame(response)
  table$.value <- table[[value]]
  table$.dose <- if (log_dose) lift_zero(table$dose) else table$dose
  table <- response_layout(table, known)
  p <- ggplot2::ggplot(table, ggplot2::aes(.data$.dose, .data$.value, colour = .data$.line)) +
    ggplot2::geom_line(linewidth = 0.7) +
    scale_colour_compert(nlevels(table$.line)) +
    ggplot2::labs(x = "Dose", y = response_words()[[value]], colour = NULL,
                  subtitle = if (length(unique(table$perturbation)) == 1L) table$perturbation[1L]) +
    theme_compert()
  if (length(unique(table$.dose)) <= 12L) p <- p + ggplot2::geom_point(size = 1.4)
  if (nlevels(table$.line) == 1L) p <- p + ggplot2::guides(colour = "none")
  if (nlevels(table$.panel) > 1L) {
    p <- p + ggplot2::facet_wrap(ggplot2::vars(.data$.panel),
                                 scales = if ("gene" %in% names(table)) "free_y" else "fixed")
  }
  if (!log_dose) return(p)
  zero <- if (any(table$dose == 0)) min(table$.dose)
  p + ggplot2::scale_x_log10(
    breaks = function(limits) log_breaks(limits, zero),
    labels = function(at) ifelse(at %in% zero, "0", format_dose(at))
  )
}

# Powers of ten within the limits, and the place where dose 0 is drawn.
log_breaks <- function(limits, zero) {
  powers <- 10^seq(ceiling(log10(limits[1L]) - 1e-9), floor(log10(limits[2L]) + 1e-9))
  c(zero, powers[is.null(zero) | powers > 1.5 * (zero %||% 0)])
}

response_words <- function() {
  c(response = "Latent response h(dose)", norm_of_difference = "Length of predicted change",
    norm_of_mean = "Length of predicted mean", mean = "Predicted mean expression",
    difference = "Predicted change of expression")
}

# Lines and panels, in order of appearance: with one perturbation the covariate combinations are
# the lines, with several the perturbations are and the combinations are panels; genes are panels.
response_layout <- function(table, known) {
  other <- c("perturbation", "dose", "n_cells", "gene", known, ".value", ".dose")
  own <- setdiff(names(table), other)
  join <- function(columns) {
    if (length(columns) == 0L) return(rep("", nrow(table)))
    do.call(paste, c(unname(lapply(table[columns], as.character)), sep = ", "))
  }
  one <- length(unique(table$perturbation)) == 1L
  line <- join(if (one && length(own)) own else "perturbation")
  panel <- join(c(if (!one) own, intersect("gene", names(table))))
  table$.line <- factor(line, unique(line))
  table$.panel <- factor(panel, unique(panel))
  table
}

# For logarithmic axes: a dose of 0 is drawn at a tenth of the lowest positive one.
lift_zero <- function(dose) {
  if (!any(dose > 0)) return(dose)
  ifelse(dose > 0, dose, min(dose[dose > 0]) / 10)
}
