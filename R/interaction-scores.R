# The four means of a pair, under the control, either part and both, and what they say together. Means of
# K pairs are list(pair = their numbers, n_cells, control, first, second, both = genes x K, variance =
# genes x K, that of both - first - second + control by the spread of cells, NA for predictions).

pair_means <- c("control", "first", "second", "both")

# The four conditions of every pair, as K rows of the control, of the first part, and so on.
four_conditions <- function(fit, pairs) {
  registry <- fit$meta$registry
  n <- length(pairs$parts)
  part <- function(what, k) lapply(what, `[`, k)
  list(parts = c(rep(list(registry$control), n), part(pairs$parts, 1L), part(pairs$parts, 2L), pairs$parts),
       doses = c(rep(list(control_dose(registry)), n), part(pairs$doses, 1L), part(pairs$doses, 2L),
                 pairs$doses),
       covariates = pairs$covariates[rep(seq_len(n), 4L), , drop = FALSE])
}

# Columns of `values`, one per row of four_conditions() that `at` names, as the four matrices.
four_matrices <- function(values, at) {
  n <- length(at) %/% 4L
  lapply(stats::setNames(seq_len(4L), pair_means), function(k) {
    values[, at[(k - 1L) * n + seq_len(n)], drop = FALSE]
  })
}

predicted_pairs <- function(fit, screen, pairs, source, residual, scale, features, call) {
  four <- four_conditions(fit, pairs)
  # Pairs share their parts and the control.
  key <- place_key(four)
  first <- which(!duplicated(key))
  asked <- as.list(four$covariates[first, , drop = FALSE])
  names(asked) <- condition_columns(fit$meta$keys)[names(asked)]
  targets <- make_targets(fit, new_condition(four$parts[first], four$doses[first], asked), call)
  warn_dose_range(fit, targets, call = call)
  cells <- source_cells(fit, screen, targets, source, call)
  mean <- response_means(fit, screen, targets, cells, residual, NULL, scale, features, call)$mean
  at <- match(key, key[first])
  n <- length(pairs$parts)
  made <- four_matrices(mean, at)
  c(list(pair = seq_len(n), n_cells = lengths(cells)[at[seq_len(n)]]), made,
    list(variance = made$both * NA_real_))
}

# Of the pairs of which enough cells were measured under all four conditions.
observed_pairs <- function(fit, screen, pairs, min_cells, scale, features) {
  groups <- condition_groups(fit, screen)
  four <- four_conditions(fit, pairs)
  n <- length(pairs$parts)
  what <- condition_key(four$parts, four$doses)
  what[seq_len(n)] <- "\b"
  at <- match(paste(row_keys(four$covariates), what, sep = "\f"), groups$key)
  stats <- measured_groups(fit, screen, groups, scale, features)
  cells <- matrix(ifelse(is.na(at), 0L, stats$n[at]), n, 4L)
  kept <- which(rowSums(cells >= min_cells) == 4L)
  at <- as.vector(matrix(at, n, 4L)[kept, ])
  c(list(pair = kept, n_cells = do.call(pmin, as.data.frame(cells[kept, , drop = FALSE]))),
    four_matrices(stats$mean, at), list(variance = Reduce(`+`, four_matrices(squared_errors(stats), at))))
}

only_genes <- function(means, at) {
  names <- c(pair_means, "variance")
  means[names] <- lapply(means[names], function(m) m[at, , drop = FALSE])
  means
}

# Per row of a table its column of one of the matrices.
columns_of_rows <- function(rows, means, name) {
  do.call(cbind, unname(Map(function(method, k) means[[method]][[name]][, k], rows$method, rows$column)))
}

gene_rows_of_pairs <- function(rows, means, genes) {
  values <- lapply(stats::setNames(nm = c(pair_means, "variance")), columns_of_rows, rows = rows,
                   means = means)
  expected <- values$first + values$second - values$control
  long <- rep(seq_along(rows$method), each = length(genes))
  fixed <- lapply(rows$fixed[setdiff(names(rows$fixed), c("seen_1", "seen_2"))], `[`, long)
  own <- rows$own[long, , drop = FALSE]
  rownames(own) <- NULL
  beside_own(own, c(fixed, list(gene = rep(genes, length(rows$method))),
                    lapply(values[pair_means], as.vector),
                    list(expected = as.vector(expected), deviation = as.vector(values$both - expected),
                         se = sqrt(as.vector(values$variance)))))
}

score_rows_of_pairs <- function(rows, means, genes) {
  scores <- Map(function(method, k) {
    of <- means[[method]]
    effect <- function(name) of[[name]][, k] - of$control[, k]
    interaction_scores(effect("first"), effect("second"), effect("both"), sum(of$variance[, k]))
  }, rows$method, rows$column)
  rownames(rows$own) <- NULL
  beside_own(rows$own, c(rows$fixed, as.list(as.data.frame(do.call(rbind, unname(scores))))))
}

# Effects of the parts and of both over genes; `variance` is that of their deviation, summed over genes.
interaction_scores <- function(first, second, both, variance = NA_real_) {
  expected <- first + second
  model <- additive_model(first, second, both)
  length_of <- function(x) sqrt(sum(x^2))
  share <- function(x) if (isTRUE(length_of(expected) > 0)) x / length_of(expected) else NA_real_
  coef <- model$coef
  cosine <- similarity(rbind(first, second, both))
  c(coef_1 = coef[1L], coef_2 = coef[2L], magnitude = length_of(coef),
    dominance = log10(abs(coef[1L]) / abs(coef[2L])), pearson_fit = safe_pearson(both, model$fitted),
    r2_additive = safe_r2(both, expected), pearson_additive = safe_pearson(both, expected),
    similarity = cosine[1L, 2L], similarity_1 = cosine[1L, 3L], similarity_2 = cosine[2L, 3L],
    norm_1 = length_of(first), norm_2 = length_of(second),
    norm_both = length_of(both), norm_expected = length_of(expected),
    deviation = share(length_of(both - expected)), noise = share(sqrt(variance)))
}

# both = coef[1] first + coef[2] second by least squares; coefficients that are not determined are NA.
additive_model <- function(first, second, both) {
  unknown <- c(NA_real_, NA_real_)
  if (anyNA(first + second + both)) return(list(coef = unknown, fitted = both * NA_real_))
  fit <- qr(cbind(first, second))
  list(coef = if (fit$rank == 2L) unname(qr.coef(fit, both)) else unknown, fitted = qr.fitted(fit, both))
}
