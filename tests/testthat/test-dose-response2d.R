# A fit of cells with A, B and A+B.
pair_fit <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      made <<- suppressWarnings(cpa(toy_log(), "drug", dose = "dose", covariates = "cell_type",
                                    control = "control", col_data = toy_cells(),
                                    settings = quick_settings(2)))
    }
    made
  }
})

test_that("latent responses of two are the sum of those of one", {
  fit <- pair_fit()
  two <- dose_response2d(fit, perturbation = c("B", "A"), n_points = 3)
  expect_identical(names(two), c("perturbation_1", "dose_1", "perturbation_2", "dose_2", "response",
                                 "norm_of_shift"))
  expect_equal(two$dose_1, rep(c(0, 1, 2), each = 3))
  expect_equal(two$dose_2, rep(c(0, 0.25, 0.5), 3))
  h <- function(name, dose) dose_response(fit, perturbation = name, dose = dose)$response
  expect_equal(two$response[6], h("B", 1) + h("A", 0.5), tolerance = 1e-6)
  v <- perturbation_embedding(fit, condition("A+B", dose = "0.5+1"))
  expect_equal(two$norm_of_shift[6], sqrt(sum(v^2)), tolerance = 1e-5)
  expect_equal(two$norm_of_shift[1], 0, tolerance = 1e-6)
  expect_identical(dose_response2d(fit, n_points = 2)$perturbation_1, rep("A", 4))
  expect_silent(dose_response2d(fit))
  fit$meta$keys$dose <- NULL
  expect_message(map <- dose_response2d(fit), class = "compert_single_dose")
  skip_without_package("ggplot2")
  expect_match(plot_dose_response2d(map)$labels$caption, "dose 0 is not the control")
})

test_that("gene responses of two are those of predict()", {
  fit <- pair_fit()
  ask <- function(...) {
    dose_response2d(fit, toy_log(), space = "genes", col_data = toy_cells(), ...)
  }
  table <- ask(dose = list(c(0, 0.5), c(0, 1, 2)))
  expect_identical(names(table), c("cell_type", "perturbation_1", "dose_1", "perturbation_2",
                                   "dose_2", "n_cells", "norm_of_mean", "norm_of_difference"))
  expect_identical(nrow(table), 12L)
  predicted <- predict(fit, toy_log(), condition("A+B", dose = "0.5+2", cell_type = "T"),
                       summarise = "condition", col_data = toy_cells())
  row <- table[table$cell_type == "T" & table$dose_1 == 0.5 & table$dose_2 == 2, ]
  expect_equal(row$norm_of_mean, sqrt(sum(predicted^2)), tolerance = 1e-5)
  long <- ask(dose = c(0.2, 0.5), genes = c("gene3", "gene1"))
  expect_identical(long$gene[1:2], c("gene3", "gene1"))
  expect_identical(nrow(long), 16L)
})

test_that("a third perturbation can be held at one dose", {
  wells <- drugseq_example(as = "list")
  keep <- wells$col_data$condition %in% c("control", "Trametinib", "Abemaciclib", "Etoposide")
  fit <- suppressWarnings(cpa(wells$x[1:40, keep], "condition", dose = "dose", control = "control",
                              col_data = wells$col_data[keep, ], settings = quick_settings(1)))
  ask <- function(fixed, dose = c(0, 1), ...) {
    dose_response2d(fit, wells$x[1:40, keep], perturbation = c("Trametinib", "Abemaciclib"),
                    space = "genes", dose = dose, fixed = fixed, ...,
                    col_data = wells$col_data[keep, ])
  }
  third <- ask(c(Etoposide = 10))
  expect_gt(third$norm_of_difference[1], 0)
  predicted <- predict(fit, wells$x[1:40, keep],
                       condition("Trametinib+Abemaciclib+Etoposide", dose = "1+1+10"),
                       summarise = "condition", col_data = wells$col_data[keep, ])
  expect_equal(third$norm_of_mean[4], sqrt(sum(predicted^2)), tolerance = 1e-5)
  fit$meta$registry$dose_unit <- "uM"
  expect_equal(ask(c(Etoposide = 1e4), c(0, 1e3), dose_unit = "nM")$norm_of_mean, third$norm_of_mean)
  expect_refused(ask(c(Trametinib = 1)), "`fixed` must be.*names \"Trametinib\"")
  expect_refused(ask(c(Trametinb = 1)), "Did you mean \"Trametinib\"")
  expect_refused(ask(1), "`fixed` must be")
})

test_that("wrong questions are refused", {
  fit <- pair_fit()
  expect_refused(dose_response2d(fit, perturbation = "A"), "Two perturbations.*There is 1")
  expect_refused(dose_response2d(fit, perturbation = c("A", "control")), "One of them is the control")
  expect_refused(dose_response2d(fit, perturbation = c("A", "b2")), "must name perturbations")
  expect_refused(dose_response2d(small_fit(), perturbation = "IFNb"), "There is 1.*The fit has one: `dose_response\\(\\)`")
  expect_refused(dose_response2d(fit, dose = list(1, 2, 3)), "a list of two")
  expect_refused(dose_response2d(fit, dose = list(1, -2)), "`dose` must be")
  expect_refused(dose_response2d(fit, space = "genes"), "`newdata` must be given")
  expect_refused(dose_response2d(fit, fixed = c(C = 1)), "`space` is \"latent\"")
  expect_warning(dose_response2d(fit, toy_log(), space = "genes", dose = c(0, 9),
                                 col_data = toy_cells()), class = "compert_extrapolation")
})
