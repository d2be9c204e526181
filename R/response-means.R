# Tables of responses: means of genes on a scale that measured and predicted ones share.

# One row per covariate combination that `screen` has and row of `grid` (and gene). `parts` and
# `doses` say the condition of each row of `grid`.
# `of`: "genes", "proteins" or both.
# `continuous`: values, each combination of which has its rows; NULL for those of the source cells.
gene_response <- function(fit, screen, grid, source, residual, genes, of, scale,
                          parts = as.list(grid$perturbation), doses = as.list(grid$dose),
                          continuous = NULL, call = rlang::caller_env()) {
  names <- condition_covariates(fit)
  places <- unique(screen$covariates[screen$control, names, drop = FALSE])
  if (length(names) == 0L || nrow(places) == 0L) places <- data.frame(row.names = 1L)
  places <- at_values(in_level_order(places, fit$meta$registry$covariates), continuous)
  at <- rep(seq_len(nrow(places)), each = nrow(grid))
  what <- rep(seq_len(nrow(grid)), nrow(places))
  levels <- places[at, , drop = FALSE]
  targets <- response_targets(fit, parts[what], doses[what], levels, call)
  warn_dose_range(fit, targets, below = FALSE, call = call)
  warn_continuous_range(fit, targets, call)
  cells <- source_cells(fit, screen, targets, source, call)
  means <- response_means(fit, screen, targets, cells, residual, genes, scale, of, call)
  if (!is.null(continuous)) {
    registry <- fit$meta$registry
    n <- nrow(places)
    none <- response_targets(fit, rep(list(registry$control), n), rep(list(control_dose(registry)), n), places, call)
    none <- response_means(fit, screen, none, cells[match(seq_len(n), at)], TRUE, genes, scale, of, call)
    means$difference <- means$difference - none$difference[, at, drop = FALSE]
  }
  names(levels) <- own_names(names(levels), response_names)
  rows <- beside_own(levels, c(grid[what, ], list(n_cells = lengths(cells))))
  table <- with_dose_unit(add_response(rows, means, genes, fit$meta$registry, of), fit)
  with_single_dose(with_scale(table, fit, screen, scale, of), fit, unlist(doses))
}

# The rows of a table of levels in the order that the fit has them in.
in_level_order <- function(places, levels) {
  codes <- lapply(names(places), function(name) match(places[[name]], levels[[name]]))
  places[do.call(order, c(codes, list(seq_len(nrow(places))))), , drop = FALSE]
}

response_targets <- function(fit, parts, doses, levels, call) {
  asked <- stats::setNames(as.list(levels), condition_columns(fit$meta$keys)[names(levels)])
  make_targets(fit, new_condition(parts, doses, asked), call)
}

# list(mean, difference), genes or proteins (both: genes first) x K: predicted means of the kind asked for, and
# by difference the change from the source cells.
response_means <- function(fit, screen, targets, cells, residual, genes, scale, of, call) {
  if (is_baseline(fit)) return(baseline_response(fit, screen, targets, cells, scale, of, call))
  stack_features(of, function(features) {
    if (features == "proteins") return(protein_response(fit, screen, targets, cells, residual, scale, call))
    gene_changes(fit, screen, targets, cells, residual, genes, scale, call)
  })
}

# list(mean, difference) of each of the features, one over the other.
stack_features <- function(of, answer) {
  if (length(of) == 1L) return(answer(of))
  do.call(Map, c(list(rbind), lapply(of, answer)))
}

gene_changes <- function(fit, screen, targets, cells, residual, genes, scale, call) {
  logs <- scores_logs(fit, scale)
  if (logs) cells <- some_source_cells(cells, 0)
  made <- if (logs) {
    log_means(fit, screen, targets, cells, residual, genes)
  } else {
    summarised_means(fit, screen, targets, cells, gene_rows, call)
  }
  values <- if (logs) log_values(screen) else screen$x
  measured_changes(made, source_moments(values, cells, 0)$mean, residual)
}

# Source cells with proteins are those that have a change of them. Where none has, the change is NA, and
# the mean that of all.
protein_response <- function(fit, screen, targets, cells, residual, scale, call) {
  has <- has_proteins(screen)
  with <- lapply(cells, function(i) i[has[i]])
  none <- lengths(with) == 0L
  with[none] <- cells[none]
  to_scale <- protein_scaling(fit, scale)
  made <- lapply(summarised_means(fit, screen, targets, with, protein_rows, call), to_scale)
  source <- to_scale(source_moments(screen$proteins, with, 0)$mean)
  source[, none] <- NA_real_
  measured_changes(made, source, residual)
}

# `rows` is gene_rows() or protein_rows().
summarised_means <- function(fit, screen, targets, cells, rows, call) {
  answer <- run_summarise(fit, screen, targets, cells, FALSE, TRUE, FALSE, call = call)
  lapply(list(difference = answer$mean_difference, decoded = answer$mean), rows, registry = fit$meta$registry)
}

measured_changes <- function(made, source, residual) {
  list(mean = if (residual) made$difference else made$decoded, difference = made$difference - source)
}

# Means of log-normalised values are taken over cells one by one. Lengths need the logarithms of all genes,
# of which fewer cells tell the mean well enough.
log_means <- function(fit, screen, targets, cells, residual, genes) {
  by_difference <- predict_log_rows(fit, screen, targets, cells, list(kinds = "difference", ddof = 0L), 0)
  few <- if (is.null(genes)) some_source_cells(cells, 0, 200L) else cells
  list(difference = by_difference$difference$mean,
       decoded = if (!residual) decoded_logs(fit, screen, targets, few, genes))
}

# Expected means of log-normalised draws: those that predict_log_rows() draws, without the noise, which
# curves would show. NA in the rows of genes that are not asked for.
decoded_logs <- function(fit, screen, targets, cells, genes = NULL) {
  all <- fit$meta$registry$genes
  asked <- match(intersect(genes %||% all, all), all)
  total <- cell_totals(screen$x)
  goal <- stats::median(total[total > 0])
  vapply(seq_along(cells), function(k) {
    answer <- run_predict(fit, screen, subset_targets(targets, k), cells[k], FALSE, "variance")
    mean <- gene_rows(fit$meta$registry, answer$mean)
    logs <- mean_of_logs(mean[asked, , drop = FALSE], answer$variance[asked, , drop = FALSE],
                         size_factors(mean, goal))
    replace(rep(NA_real_, nrow(mean)), asked, logs)
  }, numeric(nrow(screen$x)))
}

# Per row the mean over columns of E(log(1 + factor x)), x negative binomial with this mean and variance:
# log(1 + y) is the integral of (1 - exp(-y t)) exp(-t) / t, of which steps of 1 in log(t) miss less than
# 1e-3.
mean_of_logs <- function(mean, variance, factor) {
  excess <- pmax(variance / pmax(mean, 1e-12) - 1, 1e-6)
  size <- mean / excess
  each <- function(x) rep(x, each = nrow(mean))
  highest <- max(each(factor) * (mean + 4 * sqrt(variance)), 1)
  steps <- exp(seq(-ceiling(log(highest)) - 8, 3))
  terms <- lapply(steps, function(t) {
    exp(-t) * rowMeans(-expm1(-size * log1p(excess * each(-expm1(-factor * t)))))
  })
  Reduce(`+`, terms)
}

add_response <- function(rows, means, genes, registry, of) {
  if (is.null(genes)) {
    rows$norm_of_mean <- sqrt(colSums(means$mean^2))
    rows$norm_of_difference <- sqrt(colSums(means$difference^2))
    return(rows)
  }
  at <- match(genes, unlist(registry[of]))
  long <- rows[rep(seq_len(nrow(rows)), each = length(genes)), , drop = FALSE]
  long$gene <- rep(genes, nrow(rows))
  for (name in names(means)) long[[name]] <- as.vector(means[[name]][at, ])
  rownames(long) <- NULL
  long
}
