curve_table <- function(drugs, types = c("B", "NK")) {
  one <- expand.grid(dose = c(0, 0.1, 1), perturbation = drugs, cell_type = types,
                     stringsAsFactors = FALSE)
  tibble::tibble(cell_type = one$cell_type, perturbation = one$perturbation, dose = one$dose,
                 n_cells = 5L, norm_of_mean = one$dose + 3, norm_of_difference = one$dose)
}

test_that("one perturbation: lines are covariates; several: lines are perturbations", {
  skip_without_package("ggplot2")
  one <- plot_dose_response(curve_table("A"))
  expect_identical(levels(one$data$.line), c("B", "NK"))
  expect_identical(nlevels(one$data$.panel), 1L)
  two <- plot_dose_response(curve_table(c("A", "C")))
  expect_identical(levels(two$data$.line), c("A", "C"))
  expect_identical(levels(two$data$.panel), c("B", "NK"))
  expect_identical(two$labels$y, "Length of predicted change")
  expect_silent(ggplot2::ggplot_build(two))
})

test_that("the value can be chosen, and a logarithmic axis keeps dose 0", {
  skip_without_package("ggplot2")
  p <- plot_dose_response(curve_table("A"), value = "norm_of_mean", log_dose = TRUE)
  expect_equal(sort(unique(p$data$.dose)), c(0.01, 0.1, 1))
  expect_identical(p$data$.value, curve_table("A")$norm_of_mean)
  expect_silent(built <- ggplot2::ggplot_build(p))
  expect_identical(built$layout$panel_params[[1]]$x$get_labels(), c("0", "0.1", "1"))
  expect_identical(log_breaks(c(0.05, 120), NULL), c(0.1, 1, 10, 100))
})

test_that("wrong tables are refused", {
  skip_without_package("ggplot2")
  expect_error(plot_dose_response(data.frame(dose = 1)), "made by `dose_response\\(\\)`")
  expect_error(plot_dose_response(data.frame(dose = 1, perturbation = "A")),
               "made by `dose_response\\(\\)`")
  expect_error(plot_dose_response(curve_table("A"), value = "response"), "`value` must be one of")
})
