test_that("expected logarithms are those of draws", {
  mean <- rbind(rep(c(0, 0.02, 0.5, 6, 300), 2))
  theta <- rep(c(0.3, 5), each = 5)
  variance <- mean + mean^2 / theta
  factor <- rep(c(0.4, 3), 5)
  ours <- vapply(1:10, function(k) {
    mean_of_logs(mean[, k, drop = FALSE], variance[, k, drop = FALSE], factor[k])
  }, 0)
  exact <- vapply(1:10, function(k) {
    x <- 0:20000
    sum(log1p(factor[k] * x) * stats::dnbinom(x, size = theta[k], mu = mean[k]))
  }, 0)
  expect_lt(max(abs(ours - exact)), 2e-3)
  expect_equal(mean_of_logs(mean, variance, factor), mean(ours), tolerance = 2e-3)
  # Poisson counts.
  x <- 0:200
  expect_equal(mean_of_logs(cbind(4), cbind(4), 2), sum(log1p(2 * x) * stats::dpois(x, 4)), tolerance = 1e-3)
})

test_that("means over many cells are those of their blocks", {
  fit <- small_fit(loss = "nb")
  cells <- small_cells()
  screen <- read_newdata(fit, cells$counts, col_data = cells$col_data)
  targets <- make_targets(fit, condition_grid(condition = c("IFNb", "control"), cell_type = "NK"))
  source <- source_cells(fit, screen, targets, "matched")
  source[[2]] <- source[[2]][1:5]
  means <- function(...) log_means(fit, screen, targets, source, FALSE, NULL, ...)
  expect_equal(means(most = 7), means(), tolerance = 1e-5)
  some <- log_means(fit, screen, targets, source, FALSE, rownames(cells$counts)[3:4])$decoded
  expect_equal(some[3:4, ], means()$decoded[3:4, ], tolerance = 1e-4)
})
