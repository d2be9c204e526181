# Predictions of count models on the scale of log-normalised counts.

# As predict_rows(). The logarithm of a mean is not the mean of logarithms, and a decoded mean is no
# cell. So the decoded kind is made of draws, which are log-normalised like observed cells; the
# other kind is made of cells already (below 0 is cut off), but for source cells without RNA, whose change
# starts from what is decoded.
predict_log_rows <- function(fit, screen, targets, source, options, seed) {
  total <- cell_totals(screen$x)
  goal <- stats::median(total[total > 0])
  blank <- matrix(NA_real_, nrow(screen$x), length(source))
  out <- lapply(rlang::set_names(options$kinds), function(kind) list(mean = blank, variance = blank))
  seeds <- condition_seeds(targets, seed)
  for (k in which(lengths(source) > 0L)) {
    one <- subset_targets(targets, k)
    for (kind in options$kinds) {
      values <- predicted_cells(fit, screen, one, source[k], kind, seeds[k], goal)
      out[[kind]]$mean[, k] <- rowMeans(values)
      out[[kind]]$variance[, k] <- row_variances(values, options$ddof)
    }
  }
  out
}

# Cells (genes x cells) under one condition, of counts log-normalised to the total `goal`.
predicted_cells <- function(fit, screen, target, source, kind, seed, goal = NULL) {
  without_rna <- !is.null(screen$measured) && all(screen$measured[source[[1L]]] == proteins_only)
  drawn <- kind == "decoded" || (without_rna && !is.null(goal))
  cells <- gene_rows(fit$meta$registry, predicted_values(fit, screen, target, source, drawn, seed))
  if (is.null(goal)) cells else log_normalise(if (drawn) cells else pmax(cells, 0), goal)
}

# All rows of a fit x cells under one condition: draws, or counterfactuals by difference.
predicted_values <- function(fit, screen, target, source, drawn, seed) {
  if (!drawn) return(run_predict(fit, screen, target, source, TRUE)$mean)
  run_predict(fit, screen, target, source, FALSE, "sample", draws_per_cell(length(source[[1L]])), seed)$mean
}

# A seed per condition, which is the same whatever others are asked for.
condition_seeds <- function(targets, seed) {
  hash <- function(text) Reduce(function(h, code) (31 * h + code) %% 2147483647, utf8ToInt(enc2utf8(text)), 0)
  (as.numeric(seed) + vapply(place_key(targets), hash, 0, USE.NAMES = FALSE)) %% .Machine$integer.max
}

# Few source cells are drawn from more often: about 500 draws, 1 to 5 per cell.
draws_per_cell <- function(n_cells) max(1, min(5, ceiling(500 / n_cells)))

# At most `most` source cells of a condition, drawn under the seed, the same ones from the same cells: all
# that is predicted of them is held at once.
some_source_cells <- function(source, seed, most = 2000L) {
  many <- which(lengths(source) > most)
  source[many] <- lapply(source[many], function(cells) sort(seeded_sample(cells, most, seed)))
  source
}

# Counts of cells (columns) brought to the total `goal`, then log(1 + value).
log_normalise <- function(counts, goal) {
  log1p(sweep(counts, 2L, size_factors(counts, goal), `*`))
}

# What takes each cell (column) to the total `goal`; a cell without counts stays one.
size_factors <- function(counts, goal) {
  total <- colSums(counts)
  ifelse(total > 0, goal / total, 0)
}

row_variances <- function(x, ddof) {
  n <- ncol(x)
  if (n <= ddof) return(rep(NA_real_, nrow(x)))
  rowSums((x - rowMeans(x))^2) / (n - ddof)
}
