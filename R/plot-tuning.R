#' The trials of a search, setting by setting
#'
#' One panel per setting: the metric of each trial against the value that it had. Ranges of
#' [log_uniform()] have a logarithmic axis. A ring marks the best trial; trials that did not go on
#' to the last rung are pale, and triangles are scores below -1. Failed trials have no metric and are not
#' there. `autoplot()` is of ggplot2 and needs `library(ggplot2)`.
#'
#' @param object,x A `compert_tuning`, from [tune_fit()].
#' @param ... Must be empty.
#' @return A ggplot. `plot()` draws it and returns it invisibly.
#' @section Errors:
#' ggplot2 not installed.
#' @seealso [tune_fit()], [tidy()][tidy.compert_tuning]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' cells <- kang_example(as = "list")
#' found <- tune_fit(cells$x, "condition", control = "control", covariates = "cell_type",
#'                   split = "split", col_data = cells$col_data, trials = 3, seed = 1,
#'                   space = list(dim = c(4, 8, 16), autoencoder_lr = log_uniform(1e-3, 1e-2)),
#'                   settings = cpa_settings(epochs = 1, verbose = FALSE))
#' plot(found)
#' @name plot_tuning
NULL

#' @rdname plot_tuning
#' @method autoplot compert_tuning
#' @exportS3Method ggplot2::autoplot compert_tuning
autoplot.compert_tuning <- function(object, ...) {
  check_no_dots(...)
  need_ggplot()
  metric <- read_metric(object$metric)
  axes <- Map(setting_axis, unclass(object$space), seq_along(object$space))
  table <- tuning_points(object, axes, metric)
  best <- table[table$trial == object$best_trial, , drop = FALSE]
  ends <- data.frame(setting = factor(rep(names(axes), each = 2L), names(axes)),
                     position = unlist(lapply(axes, `[[`, "limits")), value = best$value[1L])
  failed <- sum(object$trials$status == "failed")
  ggplot2::ggplot(table, ggplot2::aes(.data$position, .data$value)) +
    ggplot2::geom_blank(data = ends) +
    ggplot2::geom_point(ggplot2::aes(alpha = .data$status, shape = .data$off), size = 2,
                        colour = okabe_ito()[1L]) +
    ggplot2::geom_point(data = best, shape = 21, size = 4, stroke = 1, colour = okabe_ito()[2L]) +
    ggplot2::facet_wrap(ggplot2::vars(.data$setting), scales = "free_x") +
    ggplot2::scale_x_continuous(breaks = function(limits) axis_of(axes, limits)$breaks,
                                labels = function(breaks) axis_labels(axes, breaks),
                                minor_breaks = NULL,
                                guide = ggplot2::guide_axis(check.overlap = TRUE)) +
    # Room for the ring.
    ggplot2::scale_y_continuous(expand = ggplot2::expansion(0.15)) +
    ggplot2::scale_shape_manual(values = c(`FALSE` = 16, `TRUE` = 17), guide = "none") +
    ggplot2::scale_alpha_manual(values = c(finished = 0.9, stopped = 0.35),
                                guide = if (object$method == "random") "none" else "legend") +
    ggplot2::labs(x = NULL, y = metric$column, alpha = NULL, title = "Search of settings",
                  subtitle = paste0("Ring: trial ", object$best_trial, ", the best of ",
                                    nrow(object$trials), if (failed) paste0(" (", failed,
                                                                            " failed)"))) +
    theme_compert() +
    # The last label of a panel and the first of the next stand over the borders.
    ggplot2::theme(panel.spacing.x = ggplot2::unit(20, "pt"))
}

# A facet has one kind of scale, the settings have several. Each setting therefore gets a stretch of
# the axis, from 10 k to 10 k + 1, on which breaks and labels stand as its own scale has them.
setting_axis <- function(entry, k) {
  at <- function(share) 10 * k + share
  if (!is_range(entry)) {
    n <- length(entry)
    share <- if (n == 1L) 0.5 else seq(0.08, 0.92, length.out = n)
    return(list(place = function(v) at(share[match(v, entry)]), breaks = at(share),
                limits = at(0:1), labels = if (is.numeric(entry)) number_text(entry) else
                  as.character(entry)))
  }
  log <- entry$kind == "log_uniform"
  scale <- if (log) log10 else identity
  lower <- scale(entry$lower)
  share <- function(v) pmin(pmax((scale(v) - lower) / (scale(entry$upper) - lower), 0), 1)
  ticks <- if (log) {
    log_ticks(entry$lower, entry$upper)
  } else {
    pretty(c(entry$lower, entry$upper), 4L)
  }
  if (entry$kind == "integer_uniform") ticks <- ticks[ticks == round(ticks)]
  ticks <- few_ticks(ticks[ticks >= entry$lower & ticks <= entry$upper])
  list(place = function(v) at(share(v)), breaks = at(share(ticks)), limits = at(0:1),
       labels = number_text(ticks))
}

# Powers of ten where there are two of them, steps between them otherwise.
log_ticks <- function(lower, upper) {
  ticks <- grDevices::axisTicks(log10(c(lower, upper)), log = TRUE, nint = 4L)
  powers <- 10^seq(ceiling(log10(lower) - 1e-9), floor(log10(upper) + 1e-9), by = 1)
  if (floor(log10(upper) + 1e-9) > ceiling(log10(lower) - 1e-9)) powers else ticks
}

# Every second, or fourth, where labels would meet: three panels stand in a row.
few_ticks <- function(ticks, room = 22L) {
  while (length(ticks) > 2L && sum(nchar(number_text(ticks)) + 2L) > room) ticks <- ticks[c(TRUE, FALSE)]
  ticks
}

# The setting whose stretch `x` lies on, with some room on both sides; NULL where it is on none.
axis_of <- function(axes, x) {
  k <- floor(mean(x) / 10)
  if (k %in% seq_along(axes)) axes[[k]]
}

axis_labels <- function(axes, breaks) {
  axis <- axis_of(axes, breaks[!is.na(breaks)])
  if (is.null(axis)) return(rep("", length(breaks)))
  labels <- axis$labels[match(round(breaks, 6), round(axis$breaks, 6))]
  ifelse(is.na(breaks) | is.na(labels), "", labels)
}

# Long form: one row per setting and trial that has a metric.
tuning_points <- function(object, axes, metric) {
  trials <- object$trials[object$trials$status != "failed", , drop = FALSE]
  trials <- trials[is.finite(trials[[metric$column]]), , drop = FALSE]
  rows <- lapply(names(axes), function(name) {
    data.frame(trial = trials$trial, setting = name, position = axes[[name]]$place(trials[[name]]),
               value = trials[[metric$column]], status = trials$status)
  })
  table <- do.call(rbind, rows)
  table$setting <- factor(table$setting, names(axes))
  # A trial that diverged would make a line of the others: scores below -1 are drawn there.
  low <- if (startsWith(metric$column, "loss") || max(table$value) < -1) -Inf else -1
  table$off <- table$value < low
  table$value <- pmax(table$value, low)
  table
}

#' @rdname plot_tuning
#' @export
plot.compert_tuning <- function(x, ...) {
  p <- autoplot.compert_tuning(x, ...)
  print(p)
  invisible(p)
}
