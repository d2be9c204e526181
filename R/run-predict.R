# Predictions of the core, from the source cells of each condition.

# What the core predicts cell by cell.
run_predict <- function(fit, screen, targets, cells, residual, type = "mean", n_samples = 1L,
                        seed = 0L, without = integer(), call = rlang::caller_env()) {
  own <- source_screen(fit, screen, cells, call)
  with_core_errors(
    core_predict(fit$state, own$x, own$design, targets$design, own$sources, residual, type,
                 as.integer(n_samples), seed, without),
    call = call
  )
}

# Per condition: means and, where asked for, variances, the variance of means (`spread`) and the
# counterfactual by `difference`. Each pair of a condition and a source cell, or a gene, takes some 40 bytes: a
# genome-wide screen goes through in parts.
run_summarise <- function(fit, screen, targets, cells, spread, difference, variance = TRUE, without = integer(),
                          call = rlang::caller_env(), pairs = 5e6) {
  part <- ceiling(cumsum(as.double(lengths(cells)) + nrow(screen$x)) / pairs)
  parts <- if (length(cells)) unname(split(seq_along(cells), part)) else list(integer())
  answers <- lapply(parts, function(k) {
    own <- source_screen(fit, screen, cells[k], call)
    with_core_errors(
      core_summarise(fit$state, own$x, own$design, subset_targets(targets, k)$design, own$sources,
                     spread, difference, variance, without),
      call = call
    )
  })
  if (length(answers) == 1) return(answers[[1]])
  do.call(Map, c(function(...) if (is.matrix(..1)) cbind(...) else c(...), answers))
}

# The source cells only. Indices into `screen` become 0-based ones into them.
source_screen <- function(fit, screen, cells, call) {
  used <- which(tabulate(unlist(cells), ncol(screen$x)) > 0L)
  small <- subset_screen(screen, used)
  place <- integer(ncol(screen$x))
  place[used] <- seq_along(used) - 1L
  list(x = core_rows(small), design = encode_screen(fit$meta$registry, small, call),
       sources = lapply(cells, function(i) place[i]))
}

# Means and, where the core gave any, variances over cells of the kind asked for.
condition_values <- function(answer, residual) {
  if (is.null(answer$variance)) return(list(mean = if (residual) answer$mean_difference else answer$mean))
  if (residual) {
    return(list(mean = answer$mean_difference,
                variance = pmax(answer$variance_difference + answer$variance_shift, 0)))
  }
  list(mean = answer$mean, variance = answer$variance + answer$variance_of_means)
}
