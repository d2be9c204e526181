test_that("doses are converted within a kind of unit only", {
  expect_equal(convert_doses(c(0, 500), "nM", "uM"), c(0, 0.5))
  expect_equal(convert_doses(2, "mM", "uM"), 2000)
  expect_equal(convert_doses(3, "ug/ml", "mg/l"), 3)
  expect_identical(convert_doses(1.5, "Gy", "Gy"), 1.5)
  expect_equal(convert_doses(1.5, "g/kg", "mg/kg"), 1500)
  expect_refused(convert_doses(1, "uM", "mg/kg"), "same kind")
})

test_that("units are known by either micro sign and either litre, others are labels", {
  expect_identical(check_dose_unit("\u00b5M"), "uM")
  expect_identical(check_dose_unit("\u03bcg/ml"), "ug/ml")
  expect_identical(check_dose_unit("ng/mL"), "ng/ml")
  expect_identical(check_dose_unit("mg/L"), "mg/l")
  expect_identical(check_dose_unit("U/mL"), "U/ml")
  expect_identical(check_dose_unit("MOI"), "MOI")
  expect_null(check_dose_unit(NULL))
  expect_refused(check_dose_unit("nm"), "upper and lower case.*\"nM\"")
  expect_refused(check_dose_unit(3), "dose_unit")
  expect_refused(convert_doses(1, "IU/ml", "ng/ml"), "same kind.*Converted are")
  expect_identical(convert_doses(1, "IU/ml", "IU/ml"), 1)
})

test_that("scales come from the treated doses of training", {
  range <- list(A = c(0.1, 10), B = c(1, 5), control = c(0, 0), New = c(NA_real_, NA_real_))
  s <- dose_scaling("log", "uM", range, "control")
  expect_identical(s$dose_top, 10)
  # The control keeps 1; a drug without cells has the top.
  expect_identical(s$dose_scale, c(10, 5, 1, 10))
})

test_that("every model and a search keep the unit of the doses", {
  cells <- dosed_cells()
  fit <- dosed_fit(dose_unit = "\u00b5M")
  expect_identical(fit$meta$registry$dose_unit, "uM")
  ask <- function(...) {
    predict(fit, cells$x, condition("B", ...), col_data = cells$col_data, summarise = "condition")
  }
  expect_identical(ask(dose = 10000, dose_unit = "nM"), ask(dose = 10))
  scores <- evaluate_r2(fit, cells$x, col_data = cells$col_data, split = "ood", min_cells = 1, seed = 1)
  expect_identical(attr(scores, "dose_unit"), "uM")
  expect_null(attr(tidy(scores), "dose_unit"))
  skip_without_package("ggplot2")
  expect_identical(plot_dose_response(dose_response(fit))$labels$x, "Dose (uM)")
  baseline <- scgen(cells$x, "drug", dose = "dose", control = "control", dose_unit = "nM",
                    col_data = cells$col_data,
                    settings = scgen_settings(epochs = 1, seed = 1, verbose = FALSE))
  expect_identical(baseline$meta$registry$dose_unit, "nM")
  expect_identical(multi_fit(dose_unit = "nM")$meta$registry$dose_unit, "nM")
  found <- small_search(trials = 1, dose_unit = "nM")
  expect_identical(found$best$meta$registry$dose_unit, "nM")
  expect_refused(small_search(trials = 1, dose_unit = "um"), "`dose_unit` must have")
})

test_that("fine_tune() tells the unit of the cells from that of the fit", {
  cells <- dosed_cells()
  expect_refused(fine_tune(dosed_fit(dose_unit = "U/ml"), cells$x, "drug", dose = "dose", control = "control",
                           covariates = "cell_type", split = "split", col_data = cells$col_data,
                           molecules = cbind(f = c(A = 1, B = 2, C = 3, D = 4)), dose_unit = "uM", epochs = 1),
                 "They are in \"uM\", the fit's in \"U/ml\"")
})
