# The proteins' side of scores: the same conditions, source cells and baselines.

protein_r2 <- c("r2_mean_protein", "r2_var_protein")
protein_metrics <- c(protein_r2, "r2_lfc_protein", "pearson_delta_protein")

# list(truth, reference, methods, note), the former list(mean, variance) of proteins x conditions, over the cells
# that have proteins, `note` why a baseline has no answer; `start` is the screen that predictions start from. Raw
# counts on scale "log" are compared as log(1 + mean) (and variance).
protein_statistics <- function(fit, screen, start, rows, control, targets, both, options, baselines, seed) {
  has <- has_proteins(screen)
  scale <- protein_scaling(fit, options$scale)
  scaled <- function(stats) lapply(stats[c("mean", "variance")], scale)
  group <- function(code, n) {
    group_statistics(screen$proteins, ifelse(has, code, -1L), n, options$ddof)
  }
  # Conditions, or controls, of which no cell has proteins have NA.
  table <- rows$table
  truth <- take_groups(group(zero_based(rows$of_cell), nrow(table)), seq_len(nrow(table)))
  reference <- scaled(take_groups(group(control$reference_of_cell, control$n_reference),
                                  control$reference))
  methods <- if (is_baseline(fit)) {
    predict_baseline_rows(fit, start, targets, control$source, options, seed, "proteins")
  } else {
    if (options$log_counts) {
      both <- predict_rows(fit, start, targets, control$source,
                           utils::modifyList(options, list(variance = "total")), seed)
    }
    lapply(both, function(m) scaled(lapply(m, protein_rows, registry = fit$meta$registry)))
  }
  methods <- name_kinds(methods, options)
  if (length(baselines)) {
    own <- screen
    own$x <- screen$proteins
    train <- training_cells(fit, screen, rows$groups, rows$of_cell)
    ceiling <- ceiling_method(screen$proteins, replace(rows$of_cell, !has, NA), nrow(table), options$ddof, seed,
                              scale)
    methods <- c(methods, baseline_methods(baselines, own, rows$groups, table, train & has, reference,
                                           options$ddof, scale, ceiling))
  }
  list(truth = scaled(truth), reference = reference, methods = methods, note = methods$model$note)
}

# The screen with its source cells by one modality, where `options` name one. What was measured is the
# truth all the same.
start_from <- function(screen, source, options, call) {
  if (is.null(options$from)) return(screen)
  used <- unique(unlist(source))
  own <- list(proteins = screen$proteins, measured = screen$measured[used])
  screen$measured[used] <- use_modality(own, options$from, call, "source cell")$measured
  screen
}

# As score_method(), over all proteins.
score_proteins <- function(truth, prediction, reference, options) {
  scores <- vapply(seq_len(ncol(truth$mean)), function(k) {
    effect <- truth$mean[, k] - reference$mean[, k]
    predicted <- prediction$mean[, k] - reference$mean[, k]
    c(safe_r2(truth$mean[, k], prediction$mean[, k]),
      safe_r2(truth$variance[, k], prediction$variance[, k]),
      safe_r2(effect, predicted), safe_pearson(effect, predicted))
  }, numeric(length(protein_metrics)))
  scores <- matrix(scores, length(protein_metrics), dimnames = list(protein_metrics, NULL))
  if (options$clamp_negative) scores[protein_r2, ] <- pmax(scores[protein_r2, ], 0)
  as.data.frame(t(scores))
}

protein_effect_names <- c("r2_logfold_protein", "sign_protein")

# The same of evaluate_effects(), from changes (proteins x conditions).
score_protein_effects <- function(truth, prediction) {
  scores <- vapply(seq_len(ncol(truth)), function(k) {
    same <- sign(truth[, k]) == sign(prediction[, k]) & truth[, k] != 0
    c(safe_r2(truth[, k], prediction[, k]), mean(same))
  }, numeric(2L))
  as.data.frame(t(matrix(scores, 2L, dimnames = list(protein_effect_names, NULL))))
}

# The scores that a table has.
metrics_of <- function(x) intersect(c(metric_names, protein_metrics), names(x))
