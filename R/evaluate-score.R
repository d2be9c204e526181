# Scores of predicted against observed condition statistics.

metric_names <- c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg", "r2_lfc_deg", "pearson_delta")

# One row of the six scores per condition. All arguments are genes x K matrices but `degs`, a list
# of K gene index vectors. Effects are differences to the observed controls, `reference`.
score_method <- function(truth, prediction, reference, degs, options) {
  bounded <- function(x) {
    if (is.finite(options$limit)) pmin(pmax(x, -options$limit), options$limit) else x
  }
  mean <- bounded(prediction$mean)
  variance <- bounded(prediction$variance)
  scores <- vapply(seq_along(degs), function(k) {
    score_condition(truth$mean[, k], truth$variance[, k], mean[, k], variance[, k],
                    reference$mean[, k], degs[[k]], options$flat %||% 0)
  }, numeric(length(metric_names)))
  scores <- matrix(scores, nrow = length(metric_names), dimnames = list(metric_names, NULL))
  r2 <- metric_names[1:4]
  if (options$clamp_negative) scores[r2, ] <- pmax(scores[r2, ], 0)
  as.data.frame(t(scores))
}

score_condition <- function(truth_mean, truth_variance, mean, variance, reference, deg,
                            flat = 0) {
  if (anyNA(mean) || anyNA(truth_mean)) return(rep(NA_real_, length(metric_names)))
  c(
    safe_r2(truth_mean, mean, flat), safe_r2(truth_mean[deg], mean[deg], flat),
    safe_r2(truth_variance, variance, flat),
    safe_r2(truth_variance[deg], variance[deg], flat),
    safe_r2((truth_mean - reference)[deg], (mean - reference)[deg]),
    safe_pearson(truth_mean - reference, mean - reference)
  )
}

# r2 needs two genes; fewer, or unknown values, have no score. Sums of squares up to `flat` are 0.
safe_r2 <- function(truth, prediction, flat = 0) {
  if (length(truth) < 2L || anyNA(truth) || anyNA(prediction)) return(NA_real_)
  core_r2(truth, prediction, flat)
}

# safe_r2() of each column of `predictions`.
safe_r2_columns <- function(truth, predictions) {
  if (length(truth) < 2L || anyNA(truth)) return(rep(NA_real_, ncol(predictions)))
  scores <- core_r2_columns(truth, predictions)
  replace(scores, is.nan(scores), NA_real_)
}

# No score when one side is constant (a prediction without any effect has no direction).
safe_pearson <- function(truth, prediction) {
  if (length(truth) < 2L || anyNA(truth) || anyNA(prediction)) return(NA_real_)
  if (stats::sd(truth) == 0 || stats::sd(prediction) == 0) return(NA_real_)
  core_pearson(truth, prediction)
}

# Population variances per column as variances with denominator n - ddof (NA when that is 0).
rescale_variance <- function(variance, n, ddof) {
  factor <- ifelse(n > ddof, n / (n - ddof), NA_real_)
  variance * rep(factor, each = nrow(variance))
}

# Means and variances per group as list(n, mean, variance); variances with the option's ddof.
group_statistics <- function(x, group, n_groups, ddof) {
  stats <- core_group_stats(x, as.integer(group), as.integer(n_groups))
  stats$variance <- rescale_variance(stats$variance, stats$n, ddof)
  stats
}

# Genes x sets of cells, NA for an empty set; equal sets are looked at once.
source_moments <- function(x, cells, ddof) {
  key <- vapply(cells, rlang::hash, "")
  first <- which(!duplicated(key))
  moments <- lapply(cells[first], function(set) {
    if (length(set) == 0L) return(list(mean = rep(NA_real_, nrow(x)), variance = rep(NA_real_, nrow(x))))
    group_statistics(pick_columns(x, set), integer(length(set)), 1L, ddof)
  })
  lapply(c(mean = "mean", variance = "variance"), function(what) {
    matrix(unlist(lapply(moments, `[[`, what)), nrow(x))[, match(key, key[first]), drop = FALSE]
  })
}

# Columns k of the statistics; an empty group has NA.
take_groups <- function(stats, k) {
  out <- lapply(stats[c("mean", "variance")], function(m) m[, k, drop = FALSE])
  empty <- stats$n[k] == 0
  lapply(out, function(m) {
    m[, empty] <- NA_real_
    m
  })
}

# The counterfactuals for every row, genes x K, of the kinds that options$kinds names; rows without
# source cells are NA.
predict_rows <- function(fit, screen, targets, source, options, seed) {
  full <- which(lengths(source) > 0L)
  blank <- matrix(NA_real_, nrow(screen$x) + NROW(screen$proteins), length(source))
  kinds <- lapply(rlang::set_names(options$kinds), function(kind) list(mean = blank, variance = blank))
  if (length(full) == 0L) return(kinds)
  some <- subset_targets(targets, full)
  answer <- run_summarise(fit, screen, some, source[full], options$variance %in% c("of_means", "total"),
                          "difference" %in% options$kinds)
  n <- lengths(source[full])
  spread <- function() rescale_variance(answer$variance_of_means, n, options$ddof)
  if ("decoded" %in% options$kinds) {
    kinds$decoded$mean[, full] <- answer$mean
    kinds$decoded$variance[, full] <- switch(options$variance,
      predicted = answer$variance,
      of_means = spread(),
      total = answer$variance + ifelse(is.na(spread()), 0, spread()),
      sampled = {
        drawn <- sampled_moments(fit, screen, some, source[full], options$ddof, seed)
        if (options$mean_of_draws) kinds$decoded$mean[, full] <- drawn$mean
        drawn$variance
      }
    )
  }
  if ("difference" %in% options$kinds) {
    kinds$difference$mean[, full] <- answer$mean_difference
    kinds$difference$variance[, full] <-
      pmax(rescale_variance(answer$variance_difference, n, options$ddof) + answer$variance_shift, 0)
  }
  kinds
}

subset_targets <- function(targets, k) {
  codes <- intersect(c("perturbation", "dose", "covariates", "continuous"), names(targets$design))
  targets$design[codes] <- lapply(targets$design[codes], function(m) m[, k, drop = FALSE])
  targets$parts <- targets$parts[k]
  targets$doses <- targets$doses[k]
  targets$covariates <- targets$covariates[k, , drop = FALSE]
  targets
}

# facebookresearch/CPA, cpa/train.py: for counts, mean and variance over cells of one draw per cell.
sampled_moments <- function(fit, screen, targets, source, ddof, seed) {
  seeds <- condition_seeds(targets, seed)
  draws <- lapply(seq_along(source), function(k) {
    draw <- run_predict(fit, screen, subset_targets(targets, k), source[k], FALSE,
                        type = "sample", seed = seeds[k])$mean
    list(mean = rowMeans(draw), variance = row_variances(draw, ddof))
  })
  lapply(c(mean = "mean", variance = "variance"), function(what) do.call(cbind, lapply(draws, `[[`, what)))
}
