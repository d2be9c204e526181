cycle_small <- function(..., asked = condition(condition = "IFNb", cell_type = "NK"),
                        fit = small_fit()) {
  cells <- small_cells()
  cycle_uncertainty(fit, cells$x, asked, col_data = cells$col_data, ...)
}

test_that("the numbers are those of predict() there and back", {
  cells <- small_cells()
  about <- cells$col_data
  table <- cycle_small(seed = 1)
  expect_identical(names(table), c("cell_type", "condition", "dose", "seen", "direction", "n_cells",
                                   "mse", "r2_error", "mse_stay", "r2_error_stay"))
  expect_identical(table$direction, c("forward", "back"))
  trip <- function(x, about, ...) {
    for (to in c(...)) {
      x <- predict(small_fit(), x, condition(condition = to), source = seq_len(ncol(x)),
                   residual = FALSE, col_data = about)
      about <- attr(x, "col_data")[names(about)]
      x <- matrix(x, nrow(x), dimnames = dimnames(x))
    }
    x
  }
  k <- which(about$cell_type == "NK" & about$condition == "control")
  x <- as.matrix(cells$x[, k])
  back <- trip(x, about[k, ], "IFNb", "control")
  expect_identical(table$n_cells[1], length(k))
  expect_equal(table$mse[1], mean((x - back)^2), tolerance = 1e-5)
  expect_equal(1 - table$r2_error[1], core_r2(rowMeans(x), rowMeans(back)), tolerance = 1e-5)
  stay <- trip(x, about[k, ], "control", "control")
  expect_equal(table$mse_stay[1], mean((x - stay)^2), tolerance = 1e-5)
  k <- which(about$cell_type == "NK" & about$condition == "IFNb")
  x <- as.matrix(cells$x[, k])
  expect_equal(table$mse[2], mean((x - trip(x, about[k, ], "control", "IFNb"))^2), tolerance = 1e-5)
})

test_that("cells are drawn by the seed, and R's stream is left alone", {
  set.seed(5)
  before <- .Random.seed
  one <- cycle_small(seed = 1, n_cells = 10)
  expect_identical(.Random.seed, before)
  expect_identical(one$n_cells, c(10L, 10L))
  expect_identical(cycle_small(seed = 1, n_cells = 10), one)
  expect_false(identical(cycle_small(seed = 2, n_cells = 10)$mse, one$mse))
})

test_that("open covariates are asked for at every level; nothing to start from is NA", {
  cells <- small_cells()
  all <- cycle_small(asked = condition(condition = "IFNb"), direction = "forward", seed = 1)
  expect_identical(all$cell_type, c("B", "CD14+Mono", "NK"))
  control <- cells$col_data$condition == "control"
  half <- cycle_uncertainty(small_fit(), cells$x[, control], condition(condition = "IFNb"),
                            col_data = cells$col_data[control, ], seed = 1)
  expect_identical(is.na(half$mse), half$direction == "back")
  expect_identical(half$n_cells[half$direction == "back"], rep(0L, 3))
})

test_that("counts go round as well", {
  cells <- small_cells()
  fit <- small_fit(loss = "nb")
  table <- cycle_uncertainty(fit, cells$counts, condition(condition = "IFNb", cell_type = "B"),
                             col_data = cells$col_data, seed = 1, n_cells = 5)
  expect_true(all(is.finite(table$mse)))
})

test_that("wrong questions are refused", {
  cells <- small_cells()
  expect_refused(cycle_uncertainty(small_fit()), "`newdata` must be given")
  expect_refused(cycle_uncertainty(small_fit(), cells$x), "`condition` must say")
  expect_refused(cycle_small(direction = "there"), "`direction` must be some of")
  expect_refused(cycle_small(n_cells = 0), "`n_cells` must be")
  expect_refused(cycle_small(asked = condition(condition = "IFNg")), "IFNg")
  treated <- cells$col_data$condition != "control"
  expect_refused(cycle_uncertainty(small_fit(), cells$x[, treated], condition(condition = "IFNb"),
                                   direction = "forward", col_data = cells$col_data[treated, ]),
                 "must hold cells to start from: controls")
})
