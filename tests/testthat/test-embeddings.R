test_that("cell embeddings add up", {
  cells <- small_cells()
  fit <- small_fit()
  z <- lapply(c(basal = "basal", treated = "treated", corrected = "corrected"), function(which) {
    cell_embedding(fit, cells$x, which, col_data = cells$col_data)
  })
  expect_identical(dim(z$basal), c(ncol(cells$x), 8L))
  expect_identical(rownames(z$basal), colnames(cells$x))
  expect_equal(z$corrected, z$treated, ignore_attr = TRUE)
  own <- perturbation_embedding(fit)[cells$col_data$condition, ] +
    covariate_embedding(fit, "cell_type")[cells$col_data$cell_type, ]
  expect_equal(z$treated - z$basal, own, tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("corrected leaves the batch out", {
  cells <- small_cells()
  cells$col_data$run <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", batch = "run",
             split = "split", col_data = cells$col_data, settings = quick_settings(1))
  treated <- cell_embedding(fit, cells$x, "treated", col_data = cells$col_data)
  corrected <- cell_embedding(fit, cells$x, "corrected", col_data = cells$col_data)
  expect_equal(treated - corrected, covariate_embedding(fit, "run")[cells$col_data$run, ],
               tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("vectors of several covariates add up, for every combination of levels", {
  cells <- small_cells()
  cells$col_data$run <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  fit <- cpa(cells$x, "condition", control = "control", covariates = c("cell_type", "run"),
             split = "split", col_data = cells$col_data, settings = quick_settings(1))
  one <- covariate_embedding(fit)
  both <- covariate_embedding(fit, c("run", "cell_type"))
  expect_identical(dim(both), c(6L, 8L))
  expect_equal(both["r2, NK", ], one$run["r2", ] + one$cell_type["NK", ])
  expect_identical(covariate_embedding(fit, "run"), one$run)
  expect_identical(covariate_embedding(fit), one)
  expect_refused(covariate_embedding(fit, c("run", "celltype")), "Did you mean \"cell_type\"")
  expect_refused(covariate_embedding(fit, c("run", "run")), "\"run\" is there twice")
})

test_that("perturbations follow their dose; a condition() gives combinations", {
  fit <- small_fit()
  at <- function(dose) perturbation_embedding(fit, "IFNb", dose = dose)
  expect_equal(at(0.5) / dose_response(fit, dose = 0.5)$response,
               at(1) / dose_response(fit, dose = 1)$response, tolerance = 1e-4)
  by_condition <- perturbation_embedding(fit, condition(condition = c("IFNb", "control"),
                                                        dose = c(0.5, 1)))
  expect_equal(by_condition[1, ], at(0.5)[1, ], tolerance = 1e-6)
  expect_identical(rownames(perturbation_embedding(fit)), c("IFNb", "control"))
})

test_that("similarity is the cosine, NA for a vector without length", {
  z <- rbind(a = c(1, 0), b = c(1, 1), c = c(-2, 0), d = c(0, 0))
  s <- similarity(z)
  expect_equal(s["a", "b"], 1 / sqrt(2))
  expect_equal(s["a", "c"], -1)
  expect_identical(s["d", "a"], NA_real_)
  expect_equal(similarity(z, "euclidean")["a", "c"], 3)
})

test_that("wrong questions are refused", {
  fit <- small_fit()
  expect_error(perturbation_embedding(fit, "IFNg"), "Did you mean \"IFNb\"")
  expect_error(perturbation_embedding(fit, "IFNb", dose = -1), "`dose` must be")
  expect_error(covariate_embedding(fit, "celltype"), "Did you mean \"cell_type\"")
  expect_error(cell_embedding(fit), "`x` must be given")
  expect_error(cell_embedding(fit, small_cells()$x, "latent"), "`which` must be one of")
  expect_error(similarity(list(1)), "`embedding` must be")
  expect_refused(similarity(small_fit()), "numeric matrix .*perturbation_embedding")
  cells <- small_cells()
  plain <- cpa(cells$x, "condition", control = "control", split = "split",
               col_data = cells$col_data, settings = quick_settings(1))
  expect_error(covariate_embedding(plain), "must have covariates")
})

test_that("without a dose a perturbation is embedded at its highest trained dose, the control at its own", {
  fit <- dosed_fit()
  z <- perturbation_embedding(fit)
  at <- function(name, dose) perturbation_embedding(fit, name, dose = dose)[1, ]
  expect_identical(z["A", ], at("A", 1))
  expect_identical(z["B", ], at("B", 10))
  expect_identical(z["C", ], at("C", 5))
  expect_identical(sum(z["control", ]^2), 0)
  expect_true(all(is.na(similarity(z)["control", ])))
  expect_identical(unique(tidy(fit)$dose), c(1, 10, 5, 0))
  expect_identical(tidy(fit)$dose[tidy(fit)$dimension == 1], c(1, 10, 5, 10, 0))
  expect_identical(perturbation_embedding(fit, condition("B"))[1, ], at("B", 10))
  expect_refused(perturbation_embedding(fit, condition("A")), "trained doses of \"A\"")
  fit$meta$settings$parity <- "fb"
  expect_identical(strongest_doses(fit, c("B", "control")), c(1, 1))
})
