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
  expect_identical(dose_response(fit, dose = c(0, 100, 5000), dose_unit = "nM"),
                   dose_response(fit, dose = c(0, 0.1, 5)))
  pair <- function(...) dose_response2d(fit, perturbation = c("A", "B"), ...)
  expect_identical(pair(dose = list(c(0, 1000), 10000), dose_unit = "nM"), pair(dose = list(c(0, 1), 10)))
  expect_refused(dose_response(fit, dose = 1, dose_unit = "mg/kg"), "in \"mg/kg\", the fit's in \"uM\"")
  expect_refused(dose_response(fit, dose_unit = "nM"), "`dose_unit` must come with the doses")
  expect_refused(dose_response(fit, dose = "1", dose_unit = "nM"), "`dose` must be numbers of at least 0")
  expect_refused(dose_response(dosed_fit(), dose = 1, dose_unit = "nM"), "the fit does not know the unit")
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

test_that("cpa() and multicpa() put doses before the network as asked", {
  cells <- dosed_cells()
  expect_identical(pick_dose_transform(NULL, cpa_settings()), "relative")
  expect_identical(pick_dose_transform(NULL, multicpa_settings()), "relative")
  expect_identical(pick_dose_transform(NULL, scgen_settings()), "none")
  expect_identical(multi_fit(dose_transform = "max")$meta$registry$dose_transform, "max")
  logs <- dosed_fit(dose_transform = "log")
  code <- match(c("A", "C"), logs$meta$registry$perturbations)
  expect_equal(scaled_dose(logs$meta$registry, code, c(1, 5)), log1p(1000 * c(0.1, 0.5)) / log(1001))
  # As shares of the highest, and as the shares themselves.
  shares <- cells
  amount <- strsplit(shares$col_data$dose, "+", fixed = TRUE)
  shares$col_data$dose <- vapply(amount, function(d) paste(as.double(d) / 10, collapse = "+"), "")
  top <- dosed_fit(dose_transform = "max")
  plain <- dosed_fit(dose_transform = "none", cells = shares)
  loss <- function(fit) fit$history$loss_reconstruction
  expect_equal(loss(top), loss(plain), tolerance = 1e-6)
  ask <- function(fit, dose) suppressWarnings(
    predict(fit, cells$x, condition("C", dose = dose), col_data = cells$col_data, summarise = "condition"))
  expect_equal(as.vector(ask(top, 5)), as.vector(ask(plain, 0.5)), tolerance = 1e-5)
  expect_gt(max(abs(ask(top, 5) - ask(dosed_fit(), 5))), 1e-6)
})

test_that("the scale of doses is kept by save_fit(), resume_fit(), fine_tune() and a search", {
  cells <- dosed_cells()
  fit <- dosed_fit(dose_transform = "log")
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  expect_identical(load_fit(file)$meta$registry, fit$meta$registry)
  longer <- suppressWarnings(resume_fit(fit, cells$x, 1, col_data = cells$col_data, verbose = FALSE))
  expect_identical(longer$meta$registry$dose_transform, "log")
  tuned <- suppressWarnings(fine_tune(
    fit, cells$x, "drug", dose = "dose", control = "control", covariates = "cell_type", split = "split",
    col_data = cells$col_data, molecules = cbind(f = c(A = 1, B = 2, C = 3, D = 4)), epochs = 1, verbose = FALSE
  ))
  expect_identical(tuned$meta$registry$dose_transform, "log")
  expect_identical(tuned$meta$registry$dose_top, fit$meta$registry$dose_top)
  expect_identical(small_search(trials = 1, dose_transform = "log")$best$meta$registry$dose_transform, "log")
})

test_that("a reference that takes doses as they are refuses another scale", {
  dosed <- function(...) dosed_fit(settings = quick_settings(1, parity = "fb"), ...)
  expect_refused(dosed(dose_transform = "log"),
                 "left out with the `parity` of a reference.*\"log\", and `parity` is \"fb\".*leave `parity` out")
  expect_identical(dosed(dose_transform = "none")$meta$registry$dose_transform, "none")
  expect_refused(dosed_fit(dose_transform = "cube"), "`dose_transform` must be one of \"relative\", \"max\"")
  expect_refused(pick_dose_transform("max", multicpa_settings(parity = "multicpa")), "takes doses as they are")
})
