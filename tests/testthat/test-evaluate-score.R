plain <- list(limit = Inf, clamp_negative = FALSE)

test_that("a perfect prediction scores 1 everywhere", {
  set.seed(1)
  truth <- list(mean = matrix(rnorm(30), 10), variance = matrix(runif(30), 10))
  reference <- list(mean = matrix(rnorm(30), 10))
  scores <- score_method(truth, truth, reference, list(1:4, 2:6, 1:10), plain)
  expect_identical(names(scores), metric_names)
  expect_equal(unlist(scores), rep(1, 18), ignore_attr = TRUE)
})

test_that("r2 is the coefficient of determination, not symmetric, and may be negative", {
  truth <- c(1, 2, 3, 4)
  expect_equal(safe_r2(truth, c(2, 2, 3, 5)), 1 - 2 / 5)
  expect_equal(safe_r2(c(2, 2, 3, 5), truth), 1 - 2 / 6)
  expect_equal(safe_r2(truth, rev(truth)), -3)
  expect_identical(safe_r2(c(1, 1), c(1, 1)), 1)
  expect_identical(safe_r2(c(1, 1), c(1, 2)), 0)
  expect_identical(safe_r2(1, 1), NA_real_)
  expect_identical(safe_r2(c(1, NA), c(1, 2)), NA_real_)
})

test_that("effects are differences to the observed controls", {
  truth <- list(mean = cbind(c(2, 4, 1)), variance = cbind(c(1, 1, 2)))
  prediction <- list(mean = cbind(c(2, 3, 1)), variance = cbind(c(1, 1, 2)))
  reference <- list(mean = cbind(c(1, 1, 1)))
  scores <- score_method(truth, prediction, reference, list(1:2), plain)
  expect_equal(scores$r2_lfc_deg, 1 - 1 / 2)
  expect_equal(scores$pearson_delta, cor(c(1, 3, 0), c(1, 2, 0)))
  none <- score_method(truth, list(mean = reference$mean, variance = truth$variance), reference,
                       list(1:2), plain)
  expect_identical(none$pearson_delta, NA_real_)
})

test_that("clamping sets negative r2 to 0 and cuts predictions, as chemCPA does", {
  truth <- list(mean = cbind(c(1, 2, 3)), variance = cbind(c(1, 2, 3)))
  bad <- list(mean = cbind(c(3, 2, 1)), variance = cbind(c(1, 2, 1e30)))
  options <- list(limit = 3e12, clamp_negative = TRUE)
  scores <- score_method(truth, bad, truth, list(1:3), options)
  expect_identical(unlist(scores[1:4], use.names = FALSE), c(0, 0, 0, 0))
  raw <- score_method(truth, bad, truth, list(1:3), list(limit = 3e12, clamp_negative = FALSE))
  expect_equal(raw$r2_mean, -3)
  expect_equal(raw$r2_var, 1 - ((3e12 - 3)^2) / 2)
})

test_that("variances are divided by n - ddof", {
  x <- cbind(a = c(1, 2), b = c(3, 2), c = c(8, 2), d = c(0, 1))
  group <- c(0L, 0L, 0L, 1L)
  unbiased <- group_statistics(x, group, 2, 1)
  biased <- group_statistics(x, group, 2, 0)
  expect_equal(unbiased$variance[1, 1], var(c(1, 3, 8)))
  expect_equal(biased$variance[1, 1], var(c(1, 3, 8)) * 2 / 3)
  expect_true(all(is.na(unbiased$variance[, 2])))
  expect_identical(biased$variance[, 2], c(0, 0))
})

test_that("groups without cells have no statistics", {
  stats <- group_statistics(cbind(c(1, 2)), 0L, 2, 0)
  taken <- take_groups(stats, c(2, 1))
  expect_identical(taken$mean, cbind(c(NA, NA), c(1, 2)))
})

test_that("columns are scored together as one by one", {
  truth <- withr::with_seed(1, stats::rnorm(7))
  of <- withr::with_seed(2, matrix(stats::rnorm(28), 7))
  of[, 2] <- truth
  of[3, 4] <- NA
  one_by_one <- function(truth) apply(of, 2, function(x) safe_r2(truth, x))
  expect_identical(safe_r2_columns(truth, of), one_by_one(truth))
  expect_identical(safe_r2_columns(truth, of)[c(2, 4)], c(1, NA))
  expect_identical(safe_r2_columns(rep(1, 7), of), one_by_one(rep(1, 7)))
  expect_identical(safe_r2_columns(replace(truth, 1, NA), of), rep(NA_real_, 4))
  expect_identical(safe_r2_columns(truth[1], of[1, , drop = FALSE]), rep(NA_real_, 4))
  expect_identical(safe_r2_columns(truth, of[, 0]), numeric())
  expect_error(core_r2_columns(truth, of[1:3, ]), "must have a row for each")
})
