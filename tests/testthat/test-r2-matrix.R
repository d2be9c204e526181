matrix_small <- function(...) {
  cells <- small_cells()
  r2_matrix(small_fit(), cells$x, col_data = cells$col_data, ...)
}

test_that("the diagonal is evaluate_r2(), the rest compares with other conditions", {
  cells <- small_cells()
  r2 <- matrix_small()
  types <- c("B", "CD14+Mono", "NK")
  expect_identical(dimnames(r2), list(types, types))
  expect_identical(attr(r2, "rows"), "predicted")
  held <- evaluate_r2(small_fit(), cells$x, split = "ood", baselines = FALSE,
                      col_data = cells$col_data)
  expect_equal(r2["B", "B"], held$r2_mean[1], tolerance = 1e-6)
  variance <- matrix_small(statistic = "variance")
  expect_equal(variance["B", "B"], held$r2_var[1], tolerance = 1e-6)
  of <- function(type) {
    rowMeans(as.matrix(cells$x[, cells$col_data$cell_type == type &
                                 cells$col_data$condition == "IFNb"]))
  }
  predicted <- predict(small_fit(), cells$x, condition(condition = "IFNb", cell_type = "B"),
                       summarise = "condition", col_data = cells$col_data)
  expect_equal(r2["B", "NK"], core_r2(unname(of("NK")), unname(predicted[, 1])), tolerance = 1e-5)
  measured <- matrix_small(rows = "measured")
  expect_equal(unname(diag(measured)), rep(1, 3))
  expect_equal(measured["B", "NK"], core_r2(unname(of("NK")), unname(of("B"))), tolerance = 1e-6)
})

test_that("the choice of genes has an effect", {
  cells <- small_cells()
  held <- evaluate_r2(small_fit(), cells$x, split = "ood", n_degs = 10, baselines = FALSE,
                      col_data = cells$col_data)
  expect_equal(matrix_small(n_degs = 10)["B", "B"], held$r2_mean_deg[1], tolerance = 1e-6)
  genes <- rownames(cells$x)[1:7]
  some <- matrix_small(genes = genes, rows = "measured")
  of <- function(type) {
    rowMeans(as.matrix(cells$x[genes, cells$col_data$cell_type == type &
                                 cells$col_data$condition == "IFNb"]))
  }
  expect_equal(some["B", "NK"], core_r2(unname(of("NK")), unname(of("B"))), tolerance = 1e-6)
})

test_that("controls and chosen conditions", {
  all <- matrix_small(controls = TRUE, rows = "measured")
  expect_identical(nrow(all), 6L)
  expect_true("B, control" %in% rownames(all))
  two <- matrix_small(condition = condition(condition = "IFNb", cell_type = c("B", "NK")))
  expect_identical(rownames(two), c("B", "NK"))
  kept <- matrix_small(condition = condition(condition = "IFNb", cell_type = c("B", "NK")),
                       controls = TRUE, rows = "measured")
  expect_setequal(rownames(kept), c("B, control", "B, IFNb", "NK, control", "NK, IFNb"))
  expect_equal(unclass(kept), all[rownames(kept), rownames(kept)], ignore_attr = TRUE)
})

test_that("wrong questions are refused", {
  cells <- small_cells()
  expect_refused(r2_matrix(small_fit()), "`newdata` must be given")
  expect_refused(matrix_small(rows = "both"), "`rows` must be one of")
  expect_refused(matrix_small(seed = -1), "`seed` must be")
  expect_refused(matrix_small(genes = rownames(cells$x)[1:3], n_degs = 5), "must not be given both")
  expect_refused(matrix_small(condition = condition(condition = "IFNb", cell_type = "B")),
                 "There must be two conditions")
  expect_refused(matrix_small(min_cells = 1e6), "must hold a perturbed condition")
})
