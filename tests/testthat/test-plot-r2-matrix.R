some_r2 <- function() {
  structure(matrix(c(0.9, -3, 0.2, 0.4, 0.8, 0.9), 3,
                   dimnames = list(c("a", "b", "c"), c("a", "b"))), rows = "predicted")
}

test_that("tiles, the best row of each column, and numbers", {
  skip_without_package("ggplot2")
  p <- plot_r2_matrix(some_r2())
  expect_identical(levels(p$data$row), c("c", "b", "a"))
  expect_identical(p$layers[[2]]$data, data.frame(row = c("a", "c"), column = c("a", "b")))
  expect_identical(p$labels$y, "Predicted")
  expect_identical(length(p$layers), 3L)
  expect_identical(length(plot_r2_matrix(some_r2(), numbers = FALSE)$layers), 2L)
  expect_silent(built <- ggplot2::ggplot_build(p))
  expect_identical(built$plot$scales$get_scales("fill")$limits, c(-1, 1))
  gone <- some_r2()
  gone[, 1] <- NA
  expect_silent(ggplot2::ggplot_build(plot_r2_matrix(gone)))
  expect_identical(plot_r2_matrix(matrix(1, 2, 2, dimnames = list(1:2, 1:2)))$labels$y, "Measured")
})

test_that("what all conditions have in common is the subtitle", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  r2 <- r2_matrix(small_fit(), cells$x, n_degs = 10, col_data = cells$col_data)
  expect_identical(plot_r2_matrix(r2)$labels$subtitle, "condition: IFNb")
  expect_null(plot_r2_matrix(some_r2())$labels$subtitle)
})

test_that("what is compared stands over the legend, of proteins too", {
  skip_without_package("ggplot2")
  fill <- function(verb, ...) plot_r2_matrix(verb(r2_matrix, ...))$labels$fill
  small <- function(verb, ...) verb(small_fit(), small_cells()$x, ..., col_data = small_cells()$col_data)
  multi <- function(verb, ...) verb(multi_fit(), cite_rows(), ..., col_data = cite_cells()$col_data)
  expect_identical(fill(small), "r2, means\nof all 120 genes")
  expect_identical(fill(small, n_degs = 10, statistic = "variance"), "r2, variances\nof 10 DEGs")
  expect_identical(fill(small, genes = rownames(small_cells()$x)[1:7]), "r2, means\nof 7 genes")
  expect_identical(fill(multi, features = "proteins"), "r2, means\nof all 5 proteins")
  expect_identical(fill(multi, features = "proteins", genes = c("CD1", "CD4")), "r2, means\nof 2 proteins")
  expect_identical(plot_r2_matrix(some_r2())$labels$fill, "r2")
})

test_that("what is no such matrix is refused", {
  skip_without_package("ggplot2")
  expect_refused(plot_r2_matrix(matrix(1, 2, 2)), "made by `r2_matrix\\(\\)`")
  expect_refused(plot_r2_matrix(data.frame(a = 1)), "made by `r2_matrix\\(\\)`")
  expect_refused(plot_r2_matrix(some_r2(), limits = c(1, 0)), "`limits` must be")
  large <- matrix(1, 1001, 2, dimnames = list(1:1001, 1:2))
  expect_refused(plot_r2_matrix(large), "at most 1,000 rows.*It is 1,001 x 2.*r2_matrix\\(fit, cells, condition =")
})
