planned <- function(preset = "compert", split = c("test", "ood"), own = list(), ...) {
  screen <- additive_screen(...)
  controls <- which(screen$control)
  screen$split[controls[c(1, 2, 7)]] <- "test"
  fit <- untrained(screen)
  options <- r2_options(fit_of_loss("gauss"), preset, own)
  rows <- evaluation_rows(fit, screen, split, NULL, options)
  list(screen = screen, fit = fit, groups = rows$groups, options = options, rows = rows)
}

test_that("conditions are covariates, names and doses; controls of a place are one", {
  p <- planned()
  expect_identical(p$groups$n, 7L)
  expect_identical(sum(p$groups$control), 2L)
  expect_identical(tabulate(p$groups$of_cell, 7), rep(6L, 7))
})

test_that("conditions without a dose column differ in their names too", {
  groups <- list(parts = list("A", "A"), doses = list(1, 2), covariates = data.frame(row.names = 1:2))
  fit <- list(meta = list(registry = list(sep = "+")))
  expect_identical(group_names(fit, groups), c("A@1", "A@2"))
  groups$doses <- list(1, 1)
  expect_identical(group_names(fit, groups), c("A", "A"))
})

test_that("rows are ordered by covariates, names and doses as numbers, controls first", {
  cells <- data.frame(type = rep(c("b", "a"), each = 5))
  parts <- rep(list("B", "A", "A", c("A", "B"), "none"), 2)
  doses <- rep(list(0.5, 10, 2, c(10, 2), 1), 2)
  groups <- distinct_groups(parts, doses, cells, rep(c(FALSE, FALSE, FALSE, FALSE, TRUE), 2))
  expect_identical(groups$parts[1:5], list("none", "A", "A", c("A", "B"), "B"))
  expect_identical(groups$doses[6:10], list(1, 2, 10, c(10, 2), 0.5))
  expect_identical(groups$covariates$type, rep(c("a", "b"), each = 5))
  expect_identical(groups$of, c(10L, 8L, 7L, 9L, 6L, 5L, 3L, 2L, 4L, 1L))
})

test_that("the control is no condition to be asked for", {
  p <- planned()
  expect_refused(asked_groups(p$fit, p$groups, condition("control")), "conditions other than the control.*compared with")
})

test_that("31 cells are scored by preset fb, 30 are not; 6 and 5 for chemcpa", {
  n_rows <- function(preset, n) {
    nrow(planned(preset, n = n, split = c("test", "ood"))$rows$table)
  }
  expect_identical(c(n_rows("fb", 30), n_rows("fb", 31)), c(0L, 1L))
  expect_identical(c(n_rows("chemcpa", 5), n_rows("chemcpa", 6)), c(0L, 1L))
  expect_identical(c(n_rows("compert", 4), n_rows("compert", 5)), c(0L, 1L))
  expect_identical(planned("fb", n = 30)$rows$too_small, 1L)
})

test_that("compert feeds in the controls of the same covariates, whatever their split", {
  p <- planned()
  control <- evaluation_controls(p$screen, p$groups, p$rows$table, p$options)
  same <- which(p$screen$control & p$screen$covariates$cell_type == "K562")
  expect_identical(control$source, list(same))
  expect_identical(which(control$reference_of_cell >= 0), same)
})

test_that("references feed in all test controls, also for ood", {
  p <- planned("fb", own = list(min_cells = 2))
  control <- evaluation_controls(p$screen, p$groups, p$rows$table, p$options)
  expect_identical(control$source, list(which(p$screen$control & p$screen$split == "test")))
  train <- planned("fb", split = "train", own = list(min_cells = 2))
  control <- evaluation_controls(train$screen, train$groups, train$rows$table, train$options)
  expect_identical(unique(control$source),
                   list(which(train$screen$control & train$screen$split == "train")))
})

test_that("a missing set of test controls is an error with a way out", {
  p <- planned("fb", own = list(min_cells = 2))
  p$screen$split[p$screen$control] <- "train"
  expect_error(evaluation_controls(p$screen, p$groups, p$rows$table, p$options),
               "must hold control cells in the test split.*None|There is none")
})

test_that("chosen cells feed every prediction", {
  p <- planned("fb_api", own = list(controls = c("c2", "c3")))
  control <- evaluation_controls(p$screen, p$groups, p$rows$table, p$options)
  expect_identical(unique(control$source), list(2:3))
})

test_that("controls are a condition in ood for the references only", {
  with_ood_controls <- function(preset) {
    screen <- additive_screen()
    screen$split[screen$control & screen$covariates$cell_type == "A549"] <- "ood"
    fit <- untrained(screen)
    groups <- condition_groups(fit, screen)
    options <- r2_options(fit_of_loss("gauss"), preset, list(min_cells = 1))
    rows <- evaluation_rows(fit, screen, "ood", NULL, options)
    any(groups$control[rows$table$group])
  }
  expect_true(with_ood_controls("fb"))
  expect_true(with_ood_controls("multicpa"))
  expect_false(with_ood_controls("compert"))
  expect_false(with_ood_controls("chemcpa"))
})

test_that("chemcpa leaves out names with dmso or control", {
  toy <- additive_cells()
  toy$col_data$drug <- sub("B", "DMSO_high", toy$col_data$drug)
  toy$col_data$split <- ifelse(toy$col_data$drug == "control", "train", "ood")
  keys <- new_keys("drug", dose = "dose", covariates = "cell_type", control = "control",
                   split = "split")
  screen <- as_screen(toy$x, keys, col_data = toy$col_data)
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  labels <- function(preset) {
    options <- r2_options(fit_of_loss("gauss"), preset, list(min_cells = 1))
    rows <- evaluation_rows(fit, screen, "ood", NULL, options)$table
    unique(condition_label(groups$parts[rows$group], NULL))
  }
  expect_identical(labels("chemcpa"), "A")
  expect_setequal(labels("fb"), c("A", "DMSO_high", "A+DMSO_high"))
})

test_that("planted genes are found as DEGs, against the controls of the same covariates", {
  p <- planned(noise = 0.05)
  degs <- evaluation_degs(p$fit, p$screen, p$rows, NULL, 4L)
  expect_setequal(degs[[1]], 1:4)
  expect_identical(degs[[1]][1], 4L)
})

test_that("own DEGs go by label or by covariates and label", {
  p <- planned()
  of <- function(degs) evaluation_degs(p$fit, p$screen, p$rows, degs, 3L)[[1]]
  expect_identical(of(list("A+B" = c("g2", "g1"))), 1:2)
  expect_identical(of(list("A+B" = "g1", "K562, A+B" = "g5")), 5L)
  expect_error(of(c("g1", "g2")), "`degs` must be a named list")
})

test_that("a batch cannot be asked for where measured cells enter", {
  toy <- additive_cells()
  toy$col_data$donor <- rep(c("d1", "d2"), length.out = nrow(toy$col_data))
  keys <- new_keys("drug", covariates = "cell_type", control = "control", batch = "donor",
                   split = "split")
  screen <- as_screen(toy$x, keys, col_data = toy$col_data)
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  expect_refused(asked_groups(fit, groups, condition(drug = "A", donor = "d2")),
                 "must leave the batch out.*donor = \"d2\"")
  expect_identical(length(asked_groups(fit, groups, condition(drug = "A"))), 2L)
  # Before any cell is sent through the model.
  expect_refused(cycle_uncertainty(fit, toy$x, condition(drug = "A", donor = "d2"),
                                   col_data = toy$col_data), "must leave the batch out")
})

test_that("a condition() picks the rows to score; one without cells is an error", {
  p <- planned(split = "train")
  pick <- function(...) {
    rows <- evaluation_rows(p$fit, p$screen, "train", condition(...), p$options)$table
    sort(paste(p$groups$covariates$cell_type, condition_label(p$groups$parts, NULL))[rows$group])
  }
  expect_identical(pick(drug = "A"), c("A549 A", "K562 A"))
  expect_identical(pick(drug = "B", cell_type = "K562"), "K562 B")
  expect_error(pick(drug = "A+B", cell_type = "A549"), "must name conditions with observed cells")
})
