#' Scores of the model beside the baselines
#'
#' One row per condition, one point per method. With more conditions than `max_conditions` the
#' methods' distributions are drawn instead. For a comparison of models, their distributions over
#' conditions stand side by side in each group, with the mean as a diamond (a triangle at the edge where
#' it lies beyond the axis). Boxes and means are those of the scores themselves.
#'
#' @param scores What [evaluate_r2()] returns, whole or filtered by rows, or what [compare_r2()]
#'   returns.
#' @param metric Scores to show, of `"r2_mean"`, `"r2_mean_deg"`, `"r2_var"`, `"r2_var_deg"`,
#'   `"r2_lfc_deg"` and `"pearson_delta"`, one panel each. A comparison has those that it was made
#'   of, and shows all of them unless some are named.
#' @param ... Not used.
#' @param methods Methods to show, in this order; `NULL` for all. For a comparison, its models.
#' @param limits Lower and upper end of the axis, `NULL` for -1 to 1, or for a comparison from the
#'   lowest score (-1 at least) to 1; points beyond are drawn at its edge as triangles
#'   (r2 is unbounded below).
#' @param max_conditions Most conditions that are drawn one by one.
#' @return A ggplot.
#' @section Errors:
#' A table that is not from [evaluate_r2()]; unknown scores or methods.
#' @source `plot_r2_matrix` and `plot_scatter` in `cpa/plotting.py` of facebookresearch/CPA show
#'   such scores without baselines.
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
  check_no_dots(...)
  need_ggplot()
  if (inherits(scores, "compert_comparison")) {
    return(plot_comparison(scores, if (missing(metric)) NULL else metric, methods, limits))
  }
  need_columns(scores, c("method", "split", "n_cells", metric_names), "scores", "evaluate_r2()")
  check_among(metric, metrics_of(scores), "metric")
  methods <- methods %||% unique(scores$method)
  check_among(methods, unique(scores$method), "methods")
  limits <- limits %||% c(-1, 1)
  check_limits(limits)
  table <- r2_table(scores, metric, methods, limits)
  many <- length(unique(table$condition)) > max_conditions
  p <- if (many) r2_distributions(table) else r2_rows(table)
  p +
    ggplot2::facet_grid(ggplot2::vars(.data$split), ggplot2::vars(.data$metric),
                        scales = if (many) "fixed" else "free_y",
                        space = if (many) "fixed" else "free_y",
                        labeller = ggplot2::label_wrap_gen(max(10L, 56L %/% length(metric)))) +
    ggplot2::coord_cartesian(xlim = limits) +
    ggplot2::scale_x_continuous(n.breaks = if (length(metric) > 3L) 3L else 5L,
                                labels = format_dose) +
    ggplot2::scale_shape_manual(values = c(`FALSE` = 16, `TRUE` = 17), guide = "none") +
    ggplot2::scale_colour_manual(values = method_colours(methods),
                                 labels = method_words(methods)) +
    ggplot2::labs(x = NULL, y = NULL, colour = NULL, title = "Predicted against observed",
                  subtitle = r2_subtitle(scores)) +
    theme_compert() +
    ggplot2::theme(strip.text.y = ggplot2::element_text(angle = 0),
                   panel.spacing.x = ggplot2::unit(10, "pt"))
}

# Some of `choices`, at least one.
check_among <- function(x, choices, arg, call = rlang::caller_env()) {
  if (is.character(x) && length(x) > 0L && all(x %in% choices)) return(invisible())
  unknown <- if (is.character(x)) setdiff(x, choices)
  abort_input(
    paste0("`", arg, "` must be some of ", name_list(choices, 20L), "."),
    if (length(unknown)) paste0("Not among them: ", name_list(unknown), ".") else
      paste0("It is ", describe(x), "."),
    paste0("Write ", arg, " = ", dQuote(choices[1L], FALSE), "."), call
  )
}

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
    r2_var_protein = "r2 of variances, proteins")
}

# "B, IFNb": the user's columns that differ between rows (all of them when none does). Doses that
# are 1 throughout say nothing and are left out.
condition_names <- function(scores) {
  own <- as.list(scores[seq_len(match("method", names(scores)) - 1L)])
  dose <- length(own)
  if (all(grepl("^1([^0-9.]1)*$", own[[dose]]))) own <- own[-dose]
  differs <- vapply(own, function(column) length(unique(column)) > 1L, TRUE)
  do.call(paste, c(unname(lapply(if (any(differs)) own[differs] else own, as.character)),
                   sep = ", "))
}

# Long form: `score`, and `value`, where it is drawn; what lies outside `limits` is pulled to the
# edge and marked.
r2_table <- function(scores, metric, methods, limits) {
  label <- condition_names(scores)
  rows <- lapply(metric, function(name) {
    data.frame(condition = label, split = scores$split, method = scores$method,
               metric = unname(r2_words()[name]), score = scores[[name]])
  })
  table <- do.call(rbind, rows)
  table <- table[table$method %in% methods & is.finite(table$score), , drop = FALSE]
  table <- to_limits(table, limits)
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
             control = "#999999", additive = "#D55E00")
  other <- setdiff(methods, names(known))
  known[other] <- rep_len(c("#009E73", "#CC79A7", "#E69F00", "#000000"), length(other))
  known[methods]
}

method_words <- function(methods) {
  words <- c(model_decoded = "model, decoded", model_difference = "model, by difference",
             control = "control (no effect)")
  ifelse(methods %in% names(words), words[methods], methods)
}

r2_rows <- function(table) {
  ggplot2::ggplot(table, ggplot2::aes(.data$value, .data$condition)) +
    ggplot2::geom_line(ggplot2::aes(group = .data$condition), colour = "grey80",
                       linewidth = 0.4) +
    ggplot2::geom_point(ggplot2::aes(colour = .data$method, shape = .data$off), size = 2.2) +
    names_axis("y", levels(table$condition))
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
  words <- attr(scores, "words")
  if (is.null(words)) return(NULL)
  paste(strwrap(words, 78), collapse = "\n")
}
