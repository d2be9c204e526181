# Covariates whose effect cannot be told from the perturbations': their indicator columns add less than
# their levels - 1 to the rank of the perturbations' columns.

confounded_defects <- function(screen) {
  lapply(names(screen$covariates), function(name) {
    level <- screen$covariates[[name]]
    levels <- sort_names(level)
    if (length(levels) < 2) return(NULL)
    if (length(levels) > 200 || length(levels) > length(level) / 2) {
      return(new_defect("many levels", paste0("`", name, "` should have few levels."),
                        paste0("It has ", length(levels), " in ", length(level), " cells."),
                        "Bin a number, or leave it out.", severity = "warning"))
    }
    code <- match(level, levels)
    pair <- !duplicated(row_codes(list(screen$code, code)))
    lost <- lost_rank(screen$parts[pair], code[pair], length(levels))
    if (is.na(lost) || lost == 0) return(NULL)
    new_defect("confounded", paste0("`", name, "` should vary within perturbations."),
               paste0(lost, " of the ", length(levels) - 1,
                      " differences between its levels cannot be told from perturbations."),
               "Controls of every level cure this; else leave it out.", severity = "warning")
  })
}

# How many differences between `n` levels are sums of effects of the perturbations beside them. What a
# single perturbation has under two levels tells these apart, so that only sets of levels that none
# connects are left. Without combinations that is all; with them the rank decides, which is left out (NA)
# where it takes long.
lost_rank <- function(parts, level, n, most = 1000) {
  single <- lengths(parts) == 1L
  set <- connected_levels(unlist(parts[single]), level[single], n)
  sets <- unique(set)
  if (length(sets) == 1L || all(single)) return(length(sets) - 1)
  atoms <- sort_names(unlist(parts))
  if (length(atoms) > most) return(NA)
  rows <- seq_along(parts)
  drug <- Matrix::sparseMatrix(rep(rows, lengths(parts)), match(unlist(parts), atoms),
                               x = 1, dims = c(length(rows), length(atoms)))
  of_set <- Matrix::sparseMatrix(rows, match(set[level], sets), x = 1,
                                 dims = c(length(rows), length(sets)))
  length(sets) - 1 - (rank_of(cbind(1, drug, of_set[, -1])) - rank_of(cbind(1, drug)))
}

# Per level 1, ..., n the lowest one that perturbations lead to from it.
connected_levels <- function(perturbation, level, n) {
  perturbation <- match(perturbation, unique(perturbation))
  set <- seq_len(n)
  repeat {
    of_perturbation <- tapply(set[level], perturbation, min)
    lower <- set
    lower[sort(unique(level))] <- tapply(of_perturbation[perturbation], level, min)
    if (identical(lower, set)) return(set)
    set <- lower
  }
}

# Rank by the eigenvalues of the cross product, which is small however many rows there are.
rank_of <- function(x) {
  values <- eigen(as.matrix(Matrix::crossprod(x)), symmetric = TRUE, only.values = TRUE)$values
  sum(values > 1e-9 * values[1])
}
