asked_doses <- function(...) make_targets(dosed_fit(), condition(...))$doses

test_that("one state without a dose has the only trained one", {
  expect_identical(asked_doses("B"), list(10))
  expect_identical(asked_doses("A+B"), list(c(1, 10)))
  expect_identical(asked_doses(c("control", "B")), list(0, 10))
  expect_identical(asked_doses("A", dose = 0.5), list(0.5))
  cells <- dosed_cells()
  answer <- function(condition) {
    predict(dosed_fit(), cells$x, condition, col_data = cells$col_data, summarise = "condition")
  }
  expect_identical(answer(condition("B")), answer(condition("B", dose = 10)))
  expect_identical(answer(condition_grid("B", cell_type = c("T", "NK"))),
                   answer(condition_grid("B", dose = 10, cell_type = c("T", "NK"))))
})

test_that("where training saw several doses they are listed", {
  expect_refused(asked_doses("A"), "say the dose.*trained doses of \"A\" are 0.1, 1\\..*`dose = 1`")
  expect_refused(asked_doses(drug = "A+C"), "trained doses of \"A\".*`dose = c\\(\\.\\.\\.\\)`")
  expect_refused(asked_doses("C"), "saw no cell treated with \"C\"; the others' doses correspond to 0.05, 0.5, 5")
  expect_refused(asked_doses("D"), "no cell treated with \"D\"; .* correspond to 0.1, 1, 10")
  expect_refused(asked_doses("E"), "\"E\" was neither given as a molecule nor perturbed")
  fit <- dosed_fit()
  fit$meta$registry$dose_unit <- "uM"
  expect_refused(make_targets(fit, condition("A")), "are 0.1, 1 uM")
})

test_that("several dose pairs of a combination are listed as they are written", {
  fit <- dosed_fit()
  rows <- fit$meta$conditions
  pair <- which(rows$split == "train" & vapply(rows$doses, identical, NA, c(1, 10)))
  fit$meta$conditions$doses[[pair[1]]] <- c(0.1, 10)
  expect_refused(make_targets(fit, condition("A+B")), "of \"A\\+B\" are 0.1\\+10, 1\\+10.*dose = c\\(1, 10\\)")
})

test_that("a perturbation without training cells has the only dose of the others", {
  fit <- small_fit()
  fit$meta$keys$dose <- "dose"
  fit$meta$registry$perturbations <- c("IFNb", "New", "control")
  fit$meta$registry$dose_scale <- c(1, 1, 1)
  expect_identical(make_targets(fit, condition("New"))$doses, list(1))
  fit$meta$registry$dose_scale <- c(2, 0.1, 1)
  expect_identical(make_targets(fit, condition("New"))$doses, list(0.05))
  fit$meta$registry$dose_transform <- "max"
  expect_identical(make_targets(fit, condition("New"))$doses, list(1))
})

test_that("a held-out perturbation is asked at the shares of the others' doses", {
  fit <- held_out_fit()
  expect_identical(fit$meta$registry$dose_scale, c(10, 0.05, 1))
  asked <- make_targets(fit, condition("C"))
  expect_identical(asked$doses, list(0.05))
  expect_equal(asked$design$dose[1], 1)
  expect_no_warning(warn_dose_range(fit, asked))
  expect_warning(warn_dose_range(fit, make_targets(fit, condition("C", dose = 10))),
                 class = "compert_extrapolation")
  expect_identical(perturbation_embedding(fit, "C"), perturbation_embedding(fit, "C", dose = 0.05))
  expect_identical(range(dose_response(fit, perturbation = "C", n_points = 3)$dose), c(0, 0.05))
})

test_that("a perturbation that training has at dose 0 only has no trained dose", {
  fit <- dosed_fit()
  pure <- vapply(fit$meta$conditions$parts, identical, NA, "B")
  fit$meta$conditions$doses[pure] <- list(0)
  pair <- vapply(fit$meta$conditions$parts, identical, NA, c("A", "B"))
  fit$meta$conditions$doses[pair] <- list(c(1, 0))
  expect_refused(make_targets(fit, condition("B")), "no cell treated with \"B\"; .* correspond to 0.1, 1\\.")
})

test_that("among measured conditions a condition without a dose is all of its doses", {
  cells <- dosed_cells()
  fit <- dosed_fit()
  scored <- function(...) {
    found <- evaluate_r2(fit, cells$x, condition = condition(...), split = c("train", "test", "ood"),
                         min_cells = 1, baselines = FALSE, col_data = cells$col_data, seed = 1)
    sort(unique(found$dose))
  }
  expect_identical(scored("A"), c("0.1", "1", "10"))
  expect_identical(scored("A", dose = 1), "1")
  expect_identical(scored("A+B"), "1+10")
  expect_refused(scored("A+C"), "There are none for \"A\\+C\"")
  half <- cells$col_data$cell_type == "T" & cells$col_data$dose == "10" & cells$col_data$drug == "A"
  cells <- list(x = cells$x[, !half], col_data = cells$col_data[!half, ])
  expect_identical(scored("A", cell_type = "T"), c("0.1", "1"))
})

test_that("round trips go to every measured dose", {
  cells <- dosed_cells()
  trips <- function(asked, direction = c("forward", "back"), table = cells$col_data) {
    cycle_uncertainty(dosed_fit(), cells$x, asked, direction = direction, col_data = table, seed = 1)
  }
  one <- trips(condition("B", cell_type = "T"))
  expect_identical(one$dose, c("10", "10"))
  expect_identical(one$n_cells, c(6L, 6L))
  expect_identical(trips(condition("A", cell_type = "T"), "back")$dose, c("0.1", "1", "10"))
  bare <- cells$col_data["cell_type"]
  expect_identical(suppressMessages(trips(condition("A", cell_type = "NK"), "forward", bare))$dose,
                   c("0.1", "1", "10"))
  known <- list(parts = list("A", "A"), doses = list(0.1, 1),
                covariates = list2DF(list(cell_type = c("NK", "T"))))
  asked <- list(parts = as.list(rep("A", 4)), doses = list(0.1, 0.1, 1, 1),
                covariates = list2DF(list(cell_type = c("NK", "T", "NK", "T"))), row = rep(1L, 4),
                open = rep(TRUE, 4))
  expect_identical(measured_levels(asked, known)$covariates$cell_type, c("NK", "T"))
})

test_that("without a dose column there is dose 1 only", {
  expect_identical(make_targets(small_fit(), condition("IFNb"))$doses, list(1))
})

test_that("a range of doses is that of training, and of the others where there is none", {
  registry <- dosed_fit()$meta$registry
  expect_identical(trained_ranges(registry, c("A", "C", "D", "A")),
                   rbind(c(0.1, 1), c(0.05, 5), c(0.1, 10), c(0.1, 1)))
  # Where controls have dose 0, cells at dose 0 are controls: B was not treated.
  registry$dose_range$B <- c(0, 0)
  expect_identical(trained_ranges(registry, "B"), t(c(0.1, 1)))
  registry$dose_range$control <- c(1, 1)
  expect_identical(trained_ranges(registry, "B"), t(c(0, 0)))
  registry <- dosed_fit()$meta$registry
  expect_identical(control_dose(registry), 0)
  registry$dose_transform <- "log"
  expect_identical(trained_ranges(registry, "C"), t(c(0.1, 10)))
})

test_that("ranges of many perturbations are those of each by itself", {
  registry <- list(perturbations = c("A", "B", "C", "D", "E", "control"), control = "control",
                   dose_range = list(A = c(0.1, 1), B = c(3, 30), C = c(NA_real_, NA_real_), D = c(0, 0),
                                     control = c(0, 0)),
                   dose_scale = c(2, 30, 5, 0.1, 7, 1), dose_transform = "relative")
  ranges <- trained_ranges(registry, c("E", "B", "D", "A", "C", "control"))
  # Shares of their highest doses from 0.05 (A) to 1 (B).
  expect_equal(ranges, rbind(c(0.35, 7), c(3, 30), c(0.005, 0.1), c(0.1, 1), c(0.25, 5), c(0.05, 1)))
  for (name in registry$perturbations) {
    expect_identical(trained_ranges(registry, name)[1, ], ranges[match(name, c("E", "B", "D", "A", "C", "control")), ])
  }
  expect_identical(was_treated(registry$dose_range, registry),
                   c(A = TRUE, B = TRUE, C = FALSE, D = FALSE, control = FALSE))
  registry$dose_transform <- "log"
  expect_identical(trained_ranges(registry, c("C", "A")), rbind(c(0.1, 30), c(0.1, 1)))
  expect_identical(trained_ranges(registry, character()), matrix(1, 0, 2))
  registry$dose_range[c("A", "B")] <- list(c(0, 0))
  expect_identical(trained_ranges(registry, c("A", "control")), matrix(1, 2, 2))
})
