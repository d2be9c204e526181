#' Scores of the model beside the baselines
#'
#' One row per condition and split, one point per method, a little apart so that equal scores can be
#' seen. With more rows than `max_conditions` the methods' distributions are drawn instead. What all rows
#' have in common, such as the only perturbation, stands in the subtitle. For a comparison of models,
#' their distributions over conditions stand side by side in each group, with the mean as a diamond (a
#' triangle at the edge where it lies beyond the axis). Boxes and means are those of the scores themselves.
#'
#' @param scores,object,x What [evaluate_r2()] returns, whole or filtered by rows, or what [compare_r2()]
#'   returns.
#' @param metric Scores to show, of `"r2_mean"`, `"r2_mean_deg"`, `"r2_var"`, `"r2_var_deg"`,
#'   `"r2_lfc_deg"` and `"pearson_delta"`, for fits of RNA and proteins also `"r2_mean_protein"`,
#'   `"r2_var_protein"`, `"r2_lfc_protein"` and `"pearson_delta_protein"`, one panel each. A comparison has those
#'   that it was made
#'   of, and shows all of them unless some are named.
#' @param ... Must be empty: later arguments are given by name. For `autoplot()` and `plot()`, the arguments of
#'   `plot_r2()`.
#' @param methods Methods to show, in this order; `NULL` for all. For a comparison, its models.
#' @param limits Lower and upper end of the axis, `NULL` for the lowest score (-1 at least) to 1: of each
#'   panel where rows are drawn, of all panels together for distributions and comparisons, there with 0;
#'   points beyond are drawn at its edge as triangles (r2 is unbounded below).
#' @param max_conditions Most rows that are drawn one by one.
#' @return A ggplot. `autoplot()`, of ggplot2, which needs `library(ggplot2)`, is the same; `plot()` draws
#'   it and returns it invisibly.
#' @section Errors:
#' A table that is not from [evaluate_r2()]; unknown scores or methods; scores that are all `NA`.
#' @source `plot_r2_matrix` and `plot_scatter` in `cpa/plotting.py` of facebookresearch/CPA show
#'   such scores without baselines.
#' @seealso [evaluate_r2()], [compare_r2()]; [plot_means()] for the genes of a condition, [plot_r2_matrix()]
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' scores <- evaluate_r2(fit, screen)
#' plot_r2(scores)
#' plot_r2(compare_r2(cpa = scores, baselines = c("control", "additive")))
#' @export
plot_r2 <- function(scores, metric = c("r2_mean_deg", "r2_lfc_deg"), ..., methods = NULL,
                    limits = NULL, max_conditions = 40L) {
  need_ggplot()
  if (inherits(scores, "compert_comparison")) {
    check_no_dots(...)
    return(plot_comparison(scores, if (missing(metric)) NULL else metric, methods, limits))
  }
  need_columns(scores, c("method", "split", "n_cells", metric_names), "scores", "evaluate_r2()")
  check_no_dots(...)
  check_among(metric, metrics_of(scores), "metric")
  methods <- methods %||% unique(scores$method)
  check_among(methods, unique(scores$method), "methods")
  if (!is.null(limits)) check_limits(limits)
  many <- nrow(unique(scores[c(own_columns(scores), "split")])) > max_conditions
  ends <- if (is.null(limits)) lower_ends(scores, metric, methods, together = many)
  table <- r2_table(scores, metric, methods, limits, ends)
  p <- if (many) r2_distributions(table) else r2_rows(table)
  p <- p +
    ggplot2::facet_grid(ggplot2::vars(.data$split), ggplot2::vars(.data$metric),
                        scales = if (many) "fixed" else "free",
                        space = if (many) "fixed" else "free_y",
                        labeller = ggplot2::label_wrap_gen(max(10L, 56L %/% length(metric)))) +
    ggplot2::scale_x_continuous(n.breaks = if (length(metric) > 3L) 3L else 5L,
                                labels = format_dose) +
    ggplot2::scale_shape_manual(values = c(`FALSE` = 16, `TRUE` = 17), guide = "none") +
    ggplot2::scale_colour_manual(values = method_colours(methods), breaks = methods,
                                 labels = method_words(methods)) +
    ggplot2::labs(x = NULL, y = NULL, colour = NULL, title = "Predicted against observed",
                  subtitle = r2_subtitle(scores)) +
    theme_compert() +
    ggplot2::theme(strip.text.y = ggplot2::element_text(angle = 0),
                   panel.spacing.x = ggplot2::unit(10, "pt"))
  if (!many) p <- p + room_for_rows(table)
  if (many || !is.null(limits)) {
    return(p + ggplot2::coord_cartesian(xlim = limits %||% c(min(ends), 1)))
  }
  # Each panel has its own axis, which reaches from its lower end to 1.
  reach <- data.frame(metric = rep(factor(r2_words()[metric], levels(table$metric)), 2L),
                      value = c(ends, rep(1, length(ends))), condition = table$condition[1L],
                      split = table$split[1L])
  p + ggplot2::geom_blank(data = reach)
}

#' @rdname plot_r2
#' @method autoplot compert_r2
#' @exportS3Method ggplot2::autoplot compert_r2
autoplot.compert_r2 <- function(object, ...) plot_r2(object, ...)

#' @rdname plot_r2
#' @method autoplot compert_comparison
#' @exportS3Method ggplot2::autoplot compert_comparison
autoplot.compert_comparison <- function(object, ...) plot_r2(object, ...)

#' @rdname plot_r2
#' @export
plot.compert_r2 <- function(x, ...) {
  p <- plot_r2(x, ...)
  print(p)
  invisible(p)
}

#' @rdname plot_r2
#' @export
plot.compert_comparison <- plot.compert_r2

check_limits <- function(limits, call = rlang::caller_env()) {
  if (is.numeric(limits) && length(limits) == 2L && isTRUE(limits[1L] < limits[2L])) {
    return(invisible())
  }
  abort_input("`limits` must be two increasing numbers.", paste0("It is ", describe(limits), "."),
              "Write `limits = c(-1, 1)`.", call)
}

r2_words <- function() {
  c(r2_mean = "r2 of means", r2_mean_deg = "r2 of means, DEGs", r2_var = "r2 of variances",
    r2_var_deg = "r2 of variances, DEGs", r2_lfc_deg = "r2 of effects, DEGs",
    pearson_delta = "Pearson r of effects", r2_mean_protein = "r2 of means, proteins",
    r2_var_protein = "r2 of variances, proteins", r2_lfc_protein = "r2 of effects, proteins",
    pearson_delta_protein = "Pearson r of effects, proteins")
}

# Where the axis of each metric starts: at its lowest score, rounded down, or at -1.
lower_ends <- function(scores, metric, methods, together) {
  ends <- vapply(metric, function(name) {
    score <- scores[[name]][scores$method %in% methods]
    lowest <- min(score[is.finite(score)], 0.9)
    max(-1, floor(lowest * 10) / 10)
  }, 0)
  if (together) rep(min(ends), length(ends)) else unname(ends)
}

metrics_with_scores <- function(scores) {
  Filter(function(name) any(is.finite(scores[[name]])), intersect(names(r2_words()), names(scores)))
}

# Long form: `score`, and `value`, where it is drawn; what lies outside `limits`, or below the `ends` of
# the metrics, is pulled to the edge and marked.
r2_table <- function(scores, metric, methods, limits, ends, call = rlang::caller_env()) {
  label <- condition_names(scores)
  rows <- lapply(seq_along(metric), function(k) {
    part <- data.frame(condition = label, split = scores$split, method = scores$method,
                       metric = unname(r2_words()[metric[k]]), score = scores[[metric[k]]])
    to_limits(part, limits %||% c(ends[k], 1))
  })
  table <- do.call(rbind, rows)
  table <- table[table$method %in% methods & is.finite(table$score), , drop = FALSE]
  if (nrow(table) == 0L) {
    abort_input("`scores` must have scores of `metric` to draw.",
                paste0("All rows lack ", name_list(metric), " (NA)."),
                paste0("Choose another metric; ", name_list(metrics_with_scores(scores), 12L), " have scores."), call)
  }
  table$method <- factor(table$method, methods)
  table$metric <- factor(table$metric, r2_words()[metric])
  table$split <- ifelse(is.na(table$split), "", table$split)
  table$split <- factor(table$split, intersect(c("train", "test", "ood", ""), table$split))
  model <- table$method == methods[1L] & table$metric == r2_words()[metric[1L]]
  ranked <- table$condition[model][order(table$score[model])]
  table$condition <- factor(table$condition, unique(c(ranked, table$condition)))
  # Rows are drawn in their order: the first method lies on top where points meet.
  table[order(-as.integer(table$method)), , drop = FALSE]
}

# Where scores are drawn: those beyond the limits at the edge.
to_limits <- function(table, limits) {
  table$off <- table$score < limits[1L] | table$score > limits[2L]
  table$value <- to_edge(table$score, limits)
  table
}

# The model in blues, what it has to beat in other colours; further methods from the palette.
method_colours <- function(methods) {
  known <- c(model = "#0072B2", model_decoded = "#56B4E9", model_difference = "#56B4E9",
             control = "#999999", additive = "#D55E00", mean = "#CC79A7", interpolation = "#009E73",
             nearest = "#E69F00", ceiling = "#000000")
  other <- setdiff(methods, names(known))
  known[other] <- rep_len(c("#F0E442", "#882255"), length(other))
  known[methods]
}

method_words <- function(methods) {
  words <- c(model_decoded = "model, decoded", model_difference = "model, by difference",
             control = "control (no effect)", mean = "mean of the others", nearest = "nearest molecule",
             ceiling = "ceiling (half of the cells)")
  ifelse(methods %in% names(words), words[methods], methods)
}

# Methods lie a little apart, in their order from top to bottom: equal scores would hide each other.
r2_rows <- function(table) {
  methods <- levels(table$method)
  apart <- if (length(methods) > 1L) seq(0.24, -0.24, length.out = length(methods)) else 0
  size <- if (nlevels(table$condition) > 20L) 1.3 else 2
  points <- lapply(rev(seq_along(methods)), function(k) {
    ggplot2::geom_point(ggplot2::aes(colour = .data$method, shape = .data$off),
                        table[table$method == methods[k], , drop = FALSE], size = size,
                        position = ggplot2::position_nudge(y = apart[k]))
  })
  ggplot2::ggplot(table, ggplot2::aes(.data$value, .data$condition)) +
    ggplot2::geom_line(ggplot2::aes(group = .data$condition),
                       rows_of_lines(table, c("metric", "split", "condition")),
                       colour = "grey80", linewidth = 0.4) +
    points +
    names_axis("y", levels(table$condition))
}

# Smaller names where there are many rows, and a word on those that the axis leaves out.
room_for_rows <- function(table) {
  n <- nrow(unique(table[c("condition", "split")]))
  if (n <= 20L) return(NULL)
  list(ggplot2::theme(axis.text.y = ggplot2::element_text(size = ggplot2::rel(0.7))),
       ggplot2::labs(caption = paste(n, "rows: should names lack, a taller picture has room for them")))
}

# Boxes are those of the scores themselves, cut at the edge.
r2_distributions <- function(table) {
  ggplot2::ggplot(table, ggplot2::aes(.data$value, .data$method, colour = .data$method)) +
    ggplot2::geom_boxplot(ggplot2::aes(.data$score), outlier.shape = NA, width = 0.6,
                          linewidth = 0.4) +
    ggplot2::geom_point(ggplot2::aes(shape = .data$off, size = .data$off, alpha = .data$off),
                        position = ggplot2::position_jitter(height = 0.18, width = 0, seed = 1)) +
    ggplot2::scale_size_manual(values = c(`FALSE` = 0.7, `TRUE` = 1.4), guide = "none") +
    ggplot2::scale_alpha_manual(values = c(`FALSE` = 0.5, `TRUE` = 0.8), guide = "none") +
    ggplot2::scale_y_discrete(limits = rev, labels = method_words) +
    ggplot2::guides(colour = "none")
}

r2_subtitle <- function(scores) {
  same <- constant_names(scores)
  words <- attr(scores, "words")
  if (is.null(words) && is.null(same)) return(NULL)
  paste(c(same, if (!is.null(words)) strwrap(words, 78)), collapse = "\n")
}
