# The picture of compare_r2(): models side by side in each group, one panel per metric.

plot_comparison <- function(comparison, metric, models, limits, call = rlang::caller_env()) {
  scores <- attr(comparison, "scores")
  if (is.null(scores)) {
    abort_input("`scores` must be the whole of what `compare_r2()` returns.",
                "It has lost the scores of the conditions.", "Draw it before it is changed.", call)
  }
  metric <- metric %||% names(scores$values)
  check_among(metric, names(scores$values), "metric", call)
  models <- models %||% colnames(scores$values[[1L]])
  check_among(models, colnames(scores$values[[1L]]), "methods", call)
  limits <- limits %||% comparison_limits(scores$values[metric], models)
  check_limits(limits, call)
  table <- comparison_table(comparison, metric, models, limits)
  baselines <- intersect(models, attr(comparison, "baselines"))
  words <- ifelse(models %in% baselines, method_words(models), models)
  place <- ggplot2::position_dodge2(width = 0.8, preserve = "single", padding = 0.15)
  ggplot2::ggplot(table, ggplot2::aes(.data$group, .data$value)) +
    ggplot2::geom_boxplot(ggplot2::aes(y = .data$score, fill = .data$model, colour = .data$model),
                          alpha = 0.25, width = 0.8, linewidth = 0.4, outlier.shape = NA,
                          position = place) +
    comparison_points(table) +
    ggplot2::geom_point(data = comparison_means(table, limits),
                        ggplot2::aes(fill = .data$model, shape = .data$mark), size = 2.2,
                        colour = "grey10", position = ggplot2::position_dodge(width = 0.8),
                        show.legend = FALSE) +
    ggplot2::facet_wrap(ggplot2::vars(.data$metric)) +
    names_axis("x", levels(table$group), min(nlevels(table$metric), 3L)) +
    ggplot2::coord_cartesian(ylim = limits) +
    ggplot2::scale_fill_manual(values = comparison_colours(models, baselines), labels = words) +
    ggplot2::scale_colour_manual(values = comparison_colours(models, baselines), labels = words) +
    ggplot2::scale_shape_manual(values = comparison_marks(), guide = "none") +
    ggplot2::labs(x = comparison_axis(comparison), y = "r2", fill = NULL, colour = NULL,
                  title = "Predicted against observed, model by model",
                  subtitle = comparison_subtitle(comparison, any(table$off))) +
    theme_compert() +
    ggplot2::theme(panel.grid.major.x = ggplot2::element_blank())
}

# Down to the lowest score, but not below -1.
comparison_limits <- function(values, models) {
  lowest <- min(unlist(lapply(values, function(v) v[, models])))
  c(max(-1, min(0, floor(lowest * 10) / 10)), 1)
}

# Long form: one row per group, metric, model and condition. "all" is left out where there are
# other groups.
comparison_table <- function(comparison, metric, models, limits) {
  scores <- attr(comparison, "scores")
  groups <- attr(comparison, "groups")
  if (length(groups) > 1L) groups <- groups[names(groups) != "all"]
  rows <- unlist(groups, use.names = FALSE)
  name <- rep(names(groups), lengths(groups))
  parts <- lapply(metric, function(m) {
    values <- scores$values[[m]][rows, models, drop = FALSE]
    data.frame(group = rep(name, length(models)), metric = unname(comparison_words()[m]),
               model = rep(models, each = length(rows)), score = as.vector(values))
  })
  table <- do.call(rbind, parts)
  table$group <- factor(table$group, names(groups))
  table$metric <- factor(table$metric, comparison_words()[metric])
  table$model <- factor(table$model, models)
  to_limits(table, limits)
}

# Points and means within the axis, and at its edge where they lie beyond.
comparison_marks <- function() c(point = 16, `point beyond` = 17, mean = 23, `mean beyond` = 24)

# Every condition as a point, fainter where there are many.
comparison_points <- function(table) {
  n <- max(table(table$group, table$model, table$metric))
  ggplot2::geom_point(
    # Without the group the shapes too would divide the room of the boxes.
    ggplot2::aes(colour = .data$model, group = .data$model,
                 shape = ifelse(.data$off, "point beyond", "point")),
    size = if (n > 60L) 0.6 else 1, alpha = if (n > 60L) 0.35 else 0.6,
    position = ggplot2::position_jitterdodge(jitter.width = 0.25, dodge.width = 0.8, seed = 1)
  )
}

# The means of the scores themselves, drawn at the edge where they lie beyond it.
comparison_means <- function(table, limits) {
  means <- to_limits(stats::aggregate(score ~ group + metric + model, table, mean), limits)
  means$mark <- ifelse(means$off, "mean beyond", "mean")
  means
}

# Baselines keep their colours of plot_r2(); models take the palette's others, whatever they are called.
comparison_colours <- function(models, baselines) {
  known <- method_colours(union(c("control", "additive"), baselines))
  own <- setdiff(models, baselines)
  free <- setdiff(palette_compert(8L), known)
  known[own] <- if (length(own) <= length(free)) free[seq_along(own)] else
    palette_compert(length(own))
  known[models]
}

comparison_axis <- function(comparison) {
  if (length(attr(comparison, "by")) == 0L || length(attr(comparison, "groups")) == 1L) return(NULL)
  by_words(comparison)
}

comparison_subtitle <- function(comparison, off) {
  scores <- attr(comparison, "scores")
  text <- paste0(count_of(nrow(scores$conditions), "condition"), ", means as diamonds",
                 if (off) ", triangles lie beyond the axis", "; ", attr(comparison, "words"))
  paste(strwrap(text, 78), collapse = "\n")
}
