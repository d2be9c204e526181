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

test_that("logarithms are of the genes asked for", {
  fit <- small_fit(loss = "nb")
  cells <- small_cells()
  screen <- read_newdata(fit, cells$counts, col_data = cells$col_data)
  targets <- make_targets(fit, condition_grid(condition = c("IFNb", "control"), cell_type = "NK"))
  source <- source_cells(fit, screen, targets, "matched")
  decoded <- function(genes) log_means(fit, screen, targets, source, FALSE, genes)$decoded
  expect_equal(decoded(rownames(cells$counts)[3:4])[3:4, ], decoded(NULL)[3:4, ], tolerance = 1e-4)
})

test_that("a source cell without counts stays one", {
  fit <- small_fit(loss = "nb")
  cells <- small_cells()
  targets <- make_targets(fit, condition_grid(condition = "IFNb", cell_type = "NK"))
  decoded <- function(counts, among) {
    screen <- read_newdata(fit, counts, col_data = cells$col_data)
    decoded_logs(fit, screen, targets, list(among))
  }
  controls <- which(cells$col_data$condition == "control" & cells$col_data$cell_type == "NK")[1:3]
  empty <- cells$counts
  empty[, controls[2]] <- 0
  expect_equal(decoded(empty, controls), decoded(cells$counts, controls[-2]) * 2 / 3, tolerance = 1e-3)
})

test_that("responses of counts start from so many cells at most, the same ones for every condition", {
  fit <- small_fit(loss = "nb", layer = NULL)
  cells <- small_cells()
  screen <- read_newdata(fit, cells$counts, col_data = cells$col_data)
  targets <- make_targets(fit, condition_grid(condition = c("IFNb", "control"), cell_type = "NK"))
  source <- source_cells(fit, screen, targets, "matched")
  genes <- rownames(cells$counts)
  means <- function(genes) response_means(fit, screen, targets, source, FALSE, genes, "log", "genes")
  whole <- means(genes)
  logs <- decoded_logs
  used <- NULL
  local_replaced("decoded_logs", function(fit, screen, targets, cells, genes) {
    used <<- cells
    logs(fit, screen, targets, cells, genes)
  })
  original <- some_source_cells
  local_replaced("some_source_cells", function(source, seed, most = 2000L) {
    original(source, seed, most = most / 200)
  })
  few <- means(genes)
  expect_identical(lengths(used), c(10L, 10L))
  expect_identical(used[[1]], used[[2]])
  expect_false(isTRUE(all.equal(few, whole)))
  # What is subtracted is of the same cells.
  expect_lt(max(abs(few$difference[, 2])), 1e-5)
  expect_gt(max(abs(few$difference[, 1])), 1e-3)
  expect_identical(few, means(genes))
  lengths <- means(NULL)
  expect_identical(lengths(used), c(1L, 1L))
  expect_identical(lengths$difference, few$difference)
})
