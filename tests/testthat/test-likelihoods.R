# Fits on counts: negative binomial, the same with structural zeros, and theislab/cpa's setting.

counts_fit <- function(loss, ..., epochs = 4, x = small_cells()$counts) {
  cells <- small_cells()
  cpa(x, "condition", control = "control", covariates = "cell_type", split = "split", loss = loss,
      col_data = cells$col_data, settings = quick_settings(epochs, ...))
}
on_counts <- function(fit, what = condition(condition = "IFNb", cell_type = "B"), ...,
                      residual = FALSE) {
  predict(fit, small_cells()$counts, what, residual = residual, ...,
          col_data = small_cells()$col_data)
}
totals_of <- function(predicted) {
  unname(Matrix::colSums(small_cells()$counts)[attr(predicted, "col_data")$cpa_cell])
}
# Counts with many structural zeros: two genes that half of the cells have not at all.
zeroed <- function() {
  x <- as.matrix(small_cells()$counts)
  x[1:2, seq(1, ncol(x), 2)] <- 0
  x
}

test_that("fits on counts are finite and learn", {
  for (loss in c("nb", "zinb")) {
    fit <- counts_fit(loss)
    expect_identical(fit$meta$settings$loss_ae, loss)
    trained <- fit$history$loss_reconstruction
    expect_true(all(is.finite(trained)), info = loss)
    expect_lt(trained[4], trained[1])
    expect_false(anyNA(fit$history$r2_mean))
    predicted <- on_counts(fit)
    expect_true(all(is.finite(predicted) & predicted >= 0), info = loss)
  }
})

test_that("nb: a predicted cell has the total of its source cell", {
  fit <- counts_fit("nb")
  for (what in list(condition(condition = "IFNb", cell_type = "B"),
                    condition(condition = "control"))) {
    predicted <- on_counts(fit, what)
    expect_equal(unname(colSums(predicted)), totals_of(predicted), tolerance = 1e-4)
  }
  again <- reconstruct(fit, small_cells()$counts, col_data = small_cells()$col_data)
  expect_equal(colSums(again), Matrix::colSums(small_cells()$counts), tolerance = 1e-4)
})

test_that("nb: twice the counts of a source cell are twice the total of its prediction", {
  fit <- counts_fit("nb")
  double <- predict(fit, 2 * small_cells()$counts, condition(condition = "IFNb", cell_type = "B"),
                    residual = FALSE, col_data = small_cells()$col_data)
  expect_equal(unname(colSums(double)), 2 * totals_of(double), tolerance = 1e-4)
})

test_that("zinb: structural zeros take from the total, and add to the variance", {
  fit <- counts_fit("zinb", x = zeroed(), epochs = 8)
  cells <- small_cells()
  again <- reconstruct(fit, zeroed(), type = "variance", col_data = cells$col_data)
  expect_true(all(is.finite(again) & again > 0))
  mean <- reconstruct(fit, zeroed(), col_data = cells$col_data)
  total <- colSums(zeroed())
  expect_true(all(colSums(mean) < total * (1 + 1e-4)))
  expect_true(all(again >= mean * (1 - 1e-4)))
})

test_that("draws of counts are counts", {
  for (loss in c("nb", "zinb")) {
    draws <- on_counts(counts_fit(loss), type = "sample", seed = 2, residual = NULL)
    expect_true(all(draws >= 0 & draws == round(draws)), info = loss)
    again <- on_counts(counts_fit(loss), type = "sample", seed = 2, residual = NULL)
    expect_identical(draws, again, info = loss)
    other <- on_counts(counts_fit(loss), type = "sample", seed = 3, residual = NULL)
    expect_false(identical(as.vector(draws), as.vector(other)), info = loss)
  }
})

test_that("many draws have the predicted means and variances", {
  fit <- counts_fit("zinb", x = zeroed(), epochs = 8)
  one <- condition(condition = "IFNb", cell_type = "NK")
  ask <- function(...) predict(fit, zeroed(), one, ..., residual = FALSE,
                               col_data = small_cells()$col_data)
  mean <- rowMeans(ask())
  variance <- rowMeans(ask(type = "variance"))
  draws <- predict(fit, zeroed(), one, type = "sample", n_samples = 300, seed = 1,
                   col_data = small_cells()$col_data)
  error <- sqrt(variance / ncol(draws))
  expect_lt(max(abs(rowMeans(draws) - mean) / error), 5)
})

test_that("parity = \"theislab\": draws have the structural zeros that means leave out", {
  cells <- small_cells()
  fit <- cpa(cells$counts, "condition", control = "control", covariates = "cell_type", split = "split", loss = "zinb",
             col_data = cells$col_data,
             settings = cpa_settings(parity = "theislab", epochs = 1, seed = 1, verbose = FALSE, threads = 1))
  means <- on_counts(fit)
  expect_equal(unname(colSums(means)), totals_of(means), tolerance = 1e-4)
  draws <- on_counts(fit, type = "sample", seed = 1, residual = NULL)
  # At the start half of all counts are taken for structural zeros.
  expect_gt(sum(draws), 0.2 * sum(means))
  expect_lt(sum(draws), 0.8 * sum(means))
})

test_that("scores of a fit on counts are there for all methods", {
  fit <- counts_fit("zinb")
  scores <- evaluate_r2(fit, small_cells()$counts, col_data = small_cells()$col_data, seed = 1)
  expect_true(all(is.finite(scores$r2_mean)))
  expect_true(all(c("model", "control", "additive") %in% scores$method))
})

test_that("parity = \"theislab\" fits counts, by nb unless told otherwise", {
  cells <- small_cells()
  fit_as <- function(...) {
    cpa(..., perturbation = "condition", control = "control", covariates = "cell_type",
        split = "split", col_data = cells$col_data,
        settings = cpa_settings(parity = "theislab", epochs = 2, seed = 1, verbose = FALSE,
                                threads = 1, checkpoint_freq = 1))
  }
  fit <- fit_as(cells$counts)
  expect_identical(fit$meta$settings$loss_ae, "nb")
  expect_identical(fit$meta$settings$stopping_metric, "cpa_metric")
  expect_true(all(is.finite(fit$history$loss_reconstruction)))
  expect_true(all(is.finite(fit$history$loss_adv_perturbations)))
  expect_false(anyNA(fit$history$cpa_metric))
  predicted <- on_counts(fit)
  expect_equal(unname(colSums(predicted)), totals_of(predicted), tolerance = 1e-4)
  # Its objective is summed over genes: about as many times larger as there are genes.
  ours <- counts_fit("nb", epochs = 1)$history$loss_reconstruction
  expect_gt(fit$history$loss_reconstruction[1] / ours, nrow(cells$counts) / 4)
  expect_refused(fit_as(cells$x), "must be given raw counts")
  expect_identical(fit_as(cells$x, loss = "gauss")$meta$settings$loss_ae, "gauss")
})

test_that("counts are needed for zinb as well", {
  cells <- small_cells()
  wrong <- function(x) {
    cpa(x, "condition", control = "control", col_data = cells$col_data, loss = "zinb",
        settings = quick_settings(1))
  }
  expect_refused(wrong(cells$x), "`loss = \"zinb\"` must be given raw counts")
  negative <- cells$counts
  negative[3, 4] <- -1
  expect_refused(wrong(negative), "must be 0 or greater|Counts must be 0")
  expect_refused(counts_fit("nbz"), "one of \"gauss\", \"nb\", \"zinb\"")
})
