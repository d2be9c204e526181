# Logistic regression as liblinear has it (one against the rest, L2), for disentanglement().

# The class whose regression gives the largest value; NA when there is one class only.
name_by_regression <- function(z, class, new) {
  known <- sort(unique(class))
  if (length(known) < 2L) return(rep(NA_integer_, nrow(new)))
  z <- cbind(z, 1)
  new <- cbind(new, 1)
  if (length(known) == 2L) {
    value <- new %*% logistic_weights(z, cbind(class == known[2L]))
    return(known[1L + (value > 0)])
  }
  # Some classes at a time, so that cells x classes fit into memory.
  size <- max(1L, floor(4e6 / nrow(z)))
  value <- lapply(split(known, (seq_along(known) - 1L) %/% size), function(some) {
    new %*% logistic_weights(z, outer(class, some, `==`))
  })
  known[max.col(do.call(cbind, value), ties.method = "first")]
}

# Logistic regressions of the columns of `y` on `x`, whose last column is 1, each with the penalty |w|^2 / 2: a
# column of weights for each. Newton's method for all of them side by side; in the basis of the eigenvectors of
# x'x, which leaves the penalty as it is.
logistic_weights <- function(x, y, tolerance = 1e-10) {
  basis <- eigen(crossprod(x), symmetric = TRUE)
  z <- x %*% basis$vectors
  # Lengths of the gradients at weights of 0, which say how small is small.
  first <- pmax(sqrt(colSums(crossprod(z, 0.5 - y)^2)), .Machine$double.xmin)
  at <- logistic_loss(z, y, outer(basis$vectors[ncol(x), ], best_constants(colSums(y), nrow(y))))
  for (i in seq_len(100L)) {
    gradient <- at$w + crossprod(z, at$p - y)
    size <- sqrt(colSums(gradient^2))
    if (all(size <= tolerance * first)) break
    step <- newton_step(z, at$p * (1 - at$p), gradient, pmax(basis$values, 0), pmin(0.1, sqrt(size / first)) * size)
    at <- line_search(z, y, at, step, colSums(gradient * step))
  }
  basis$vectors %*% at$w
}

# The weights of the column of 1 where all others are 0, for classes of `size` of `n` cells: rare classes are nearly
# there. They are roots of b + n * plogis(b) - size, which grows with b.
best_constants <- function(size, n) {
  distinct <- unique(size)
  root <- vapply(distinct, function(s) {
    stats::uniroot(function(b) b + n * stats::plogis(b) - s, c(-n - 1, n + 1), tol = 1e-6)$root
  }, 0)
  root[match(size, distinct)]
}

# Also the probabilities `p`, which share their exponentials with the loss.
logistic_loss <- function(z, y, w) {
  value <- z %*% w
  small <- exp(-abs(value))
  fit <- pmax(value, 0) + log1p(small) - y * value
  p <- small / (1 + small)
  above <- which(value > 0)
  p[above] <- 1 - p[above]
  list(w = w, p = p, loss = 0.5 * colSums(w^2) + colSums(fit))
}

# Solves (1 + z' diag(weight) z) step = -gradient, column by column, by conjugate gradients that end
# at residuals of length `enough`. The preconditioner has each column's mean weight in place of
# its weights, and is diagonal then: z'z is, with `values`.
newton_step <- function(z, weight, gradient, values, enough) {
  inverse <- 1 / (1 + outer(values, colMeans(weight)))
  step <- 0 * gradient
  residual <- -gradient
  ahead <- inverse * residual
  along <- colSums(residual * ahead)
  for (i in seq_len(10L * nrow(gradient))) {
    active <- sqrt(colSums(residual^2)) > enough
    if (!any(active)) break
    curved <- ahead + crossprod(z, weight * (z %*% ahead))
    far <- ifelse(active, along / colSums(ahead * curved), 0)
    step <- step + ahead * rep(far, each = nrow(step))
    residual <- residual - curved * rep(far, each = nrow(step))
    better <- inverse * residual
    now <- colSums(residual * better)
    ahead <- better + ahead * rep(ifelse(active, now / along, 0), each = nrow(step))
    along <- now
  }
  step
}

# Halves the steps that do not lower the loss enough, each column's for itself.
line_search <- function(z, y, at, step, slope) {
  share <- rep(1, ncol(step))
  for (i in seq_len(40L)) {
    new <- logistic_loss(z, y, at$w + step * rep(share, each = nrow(step)))
    bad <- new$loss > at$loss + 1e-4 * share * slope + 1e-12 * abs(at$loss)
    if (!any(bad)) break
    share[bad] <- share[bad] / 2
  }
  new
}
