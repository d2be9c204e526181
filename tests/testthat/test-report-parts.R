test_that("doses and unmeasured conditions are there where the fit has them", {
  cells <- dosed_cells()
  report <- new_report(dosed_fit(), cells$x, list(col_data = cells$col_data))
  expect_identical(report$doses$names, "A")
  expect_true(report$doses$log)
  genes <- report_dose_genes(report)
  expect_identical(unique(genes$curve$perturbation), "A")
  expect_setequal(unique(genes$observed$gene), unique(genes$curve$gene))
  # D is a molecule without cells.
  expect_setequal(report$unmeasured$drug, "D")
  expect_identical(nrow(report$unmeasured), 2L)
  expect_identical(rownames(report$vectors$shown), report$vectors$names)
  expect_null(new_report(small_fit(), small_cells()$x, list(col_data = small_cells()$col_data))$doses)
})

test_that("other models, and cells without a split, have a report too", {
  report <- new_report(multi_fit(), cite_rows(), list(col_data = cite_cells()$col_data), list(min_cells = 2))
  expect_true("r2_mean_protein" %in% names(report$scores))
  expect_match(report$check$proteins, "5 proteins")
  expect_identical(unique(report$pairs$method), c("predicted", "observed"))
  expect_match(report_call(report$fit), "^fit <- multicpa\\(\n  x, \"drug\",")
  cells <- small_cells()
  cells$col_data$split <- NULL
  report <- new_report(small_fit(), cells$x, list(col_data = cells$col_data))
  expect_null(report$scores)
  expect_null(report$pairs)
  expect_null(report$notes$text)
  expect_false(report$disentangled$tested)
})

test_that("scGen has a report of the parts that it has", {
  cells <- small_cells()
  fit <- scgen(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
               col_data = cells$col_data, settings = scgen_settings(epochs = 1, seed = 1, verbose = FALSE))
  report <- new_report(fit, cells$x, list(col_data = cells$col_data))
  expect_gt(nrow(report$scores), 0)
  expect_match(report_call(fit), "settings = scgen_settings(", fixed = TRUE)
  expect_match(report_taken_out(fit), "scGen takes nothing out")
})

test_that("held-out perturbations are no defect where the model computes their vectors", {
  cells <- small_cells()
  cells$col_data$condition[cells$col_data$condition == "IFNb"][c(TRUE, FALSE)] <- "new"
  cells$col_data$split[cells$col_data$condition == "new"] <- "ood"
  found <- function(verb, settings, ...) {
    fit <- suppressWarnings(verb(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
                                 col_data = cells$col_data, ...,
                                 settings = settings(epochs = 1, seed = 1, verbose = FALSE)))
    check <- check_of_fit(fit, cells$x, list(col_data = cells$col_data))
    "untrained perturbation" %in% check$defects$check
  }
  expect_true(found(cpa, cpa_settings))
  expect_false(found(scgen, scgen_settings))
  expect_false(found(chemcpa, chemcpa_settings, molecules = rbind(IFNb = c(1, 2), new = c(2, 1))))
  # What is no molecule is learned from its cells.
  expect_true(found(chemcpa, chemcpa_settings, molecules = rbind(IFNb = c(1, 2), new = NA)))
})

test_that("groups beyond the eighth are one, and large screens are sampled without touching the stream", {
  names <- rep(letters[1:12], 12:1)
  groups <- main_groups(names, control = "l")
  expect_identical(levels(groups), c("l", letters[1:6], "5 others"))
  expect_identical(sum(groups == "5 others"), sum(names %in% letters[7:11]))
  expect_identical(attr(groups, "rest"), "5 others")
  expect_identical(levels(main_groups(letters[1:8])), letters[1:8])
  expect_null(attr(main_groups(letters[1:8]), "rest"))
  long <- paste("a compound with a long name", 1:3)
  expect_true(all(nchar(levels(main_groups(long))) <= 16))
  set.seed(1)
  before <- .Random.seed
  some <- some_cells(1:5000)
  expect_identical(.Random.seed, before)
  expect_identical(length(some), 4000L)
  expect_identical(some, some_cells(1:5000))
  expect_identical(some_cells(7:9), 7:9)
})
