# What a prediction can be expected to reach: a random half of a condition's cells, scored against all of
# them. With n cells of variance s^2 the mean of a half differs from that of all by s^2 / n on average, which
# is also by how much the mean of all differs from the expected value. (Two halves differ by four times as
# much.) The same holds for variances, to the first order of 1 / n.

# Scores are averages over this many halvings.
n_halvings <- 5L

# The method list(draw, note) of row_statistics(): `draw(k)` gives the statistics of the k-th halving, list(mean,
# variance), each of which reads the cells anew. `of_cell`: each cell's condition, from 1 to `n`, or NA.
ceiling_method <- function(x, of_cell, n, ddof, seed, scale = identity) {
  alone <- tabulate(of_cell, n) < 2L
  draw <- function(k) {
    half <- half_of_cells(of_cell, n, as.numeric(seed) + k - 1)
    half[alone[half]] <- NA
    lapply(take_groups(group_statistics(x, zero_based(half), n, ddof), seq_len(n)), scale)
  }
  list(draw = draw, note = ifelse(alone, "fewer than two measured cells, which have no half", NA_character_))
}

# `of_cell` for a random half of the cells of every condition, NA for the other. Of an odd number of cells the
# half is now the larger, now the smaller one.
half_of_cells <- function(of_cell, n, seed) {
  size <- tabulate(of_cell, n)
  chance <- seeded_uniform(length(of_cell) + n, seed)
  cells <- order(of_cell, chance[seq_along(of_cell)], na.last = NA)
  half <- cells[sequence(size) <= rep(floor(size / 2 + utils::tail(chance, n)), size)]
  replace(rep(NA_integer_, length(of_cell)), half, of_cell[half])
}

# Scores of one method's statistics, averaged over the draws of one that has several.
score_draws <- function(method, score) {
  if (is.null(method$draw)) return(score(method))
  Reduce(`+`, lapply(seq_len(n_halvings), function(k) score(method$draw(k)))) / n_halvings
}
