toy_registry <- function(...) new_registry(toy_screen(...))

test_that("a condition is resolved against registry and keys", {
  registry <- toy_registry()
  found <- resolve_conditions(condition(drug = "B+A", dose = "2+0.5", cell_type = "NK"), registry,
                              toy_keys())
  expect_identical(found$parts, list(c("A", "B")))
  expect_identical(found$label, "A@0.5+B@2")
  expect_identical(found$target$perturbation, matrix(c(0L, 1L)))
  expect_identical(found$target$dose, matrix(c(1, 1)))  # shares of the largest trained doses
  expect_identical(found$target$covariates, matrix(0L))
})

test_that("covariates that are not named are those of the cell", {
  found <- resolve_conditions(condition("A"), toy_registry(), toy_keys())
  expect_identical(found$target$covariates, matrix(-1L))
  expect_identical(found$covariates, list(cell_type = NA_character_))
})

test_that("the control without a dose has the dose of training; padding is dropped", {
  cells <- toy_cells()
  cells$dose[cells$drug == "control"] <- "0"
  registry <- toy_registry(cells = cells)
  found <- resolve_conditions(condition("control"), registry, toy_keys())
  expect_identical(found$doses, list(0))
  expect_identical(resolve_conditions(condition("control", dose = 1), registry,
                                      toy_keys())$doses, list(1))
  padded <- resolve_conditions(condition("A+control", dose = "3+0"), registry, toy_keys())
  expect_identical(padded$parts, list("A"))
  expect_identical(padded$doses, list(3))
})

test_that("a data frame with the screen's own columns is a condition", {
  asked <- data.frame(drug = c("A", "B+A"), dose = c("1", "3+4"), cell_type = c("T", NA))
  found <- as_condition(asked, toy_keys())
  expect_identical(found$perturbation, list("A", c("A", "B")))
  expect_identical(found$dose, list(1, c(4, 3)))
  expect_identical(found$cell_type, c("T", NA))
})

test_that("wrong columns, order and names are refused", {
  registry <- toy_registry()
  resolve <- function(condition) resolve_conditions(condition, registry, toy_keys())
  expect_refused(resolve(condition(cell_type = "T", drug = "A")), "must come first")
  expect_refused(resolve(condition(drug = "A", celltype = "T")), "Did you mean \"cell_type\"")
  expect_refused(resolve(condition(drug = "A", cell_type = "TT")), "\"TT\" was not in training")
  expect_refused(resolve(condition(drug = "A+C")), "\"C\" \\(in \"A\\+C\"\\) was never perturbed")
  expect_refused(resolve("A"), "must come from condition")
  expect_refused(resolve(data.frame(x = 1)), "must have a column \"drug\"")
})
