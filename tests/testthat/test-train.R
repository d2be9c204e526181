# What the verbs that train share: their arguments as a list.

test_that("the arguments of a verb are those given and its defaults, through other functions too", {
  verb <- function(x, a, ..., b = 2, c) given_arguments()
  expect_identical(verb(1), list(x = 1, b = 2))
  expect_identical(verb(1, c = NULL, b = NULL), list(x = 1, b = NULL, c = NULL))
  expect_identical(do.call(verb, list(1, quote(y), more = 3), quote = TRUE), list(x = 1, a = quote(y), b = 2))
  outer <- function(a, c) verb(0, a, c = c)
  expect_identical(outer(c = 5), list(x = 0, b = 2, c = 5))
})

test_that("keys are those of the arguments, whatever else a verb has", {
  given <- list(x = 1, perturbation = "drug", control = "dmso", sep = NULL, covariates = ~ a + b, settings = 2)
  expect_identical(keys_of(given, "nb"), new_keys("drug", covariates = c("a", "b"), control = "dmso", loss = "nb",
                                                  sep = NULL))
  expect_refused(keys_of(list(perturbation = quote(drug))), "`perturbation` must be one text")
})

test_that("errors of arguments name the verb that was called", {
  call_of <- function(expr) rlang::call_name(tryCatch(expr, error = function(cnd) cnd)$call)
  cells <- small_cells()
  expect_identical(call_of(cpa(cells$x, control = "control")), "cpa")
  expect_identical(call_of(scgen(cells$x, "drug", control = "control", settings = cpa_settings())), "scgen")
  expect_identical(call_of(chemcpa(cells$x, "drug", control = "control")), "chemcpa")
  expect_identical(call_of(multicpa(cells$x, "drug", control = "control", protein_loss = "x")), "multicpa")
  expect_identical(call_of(tune_fit(cells$x, "drug", control = "control", fusion = "poe")), "tune_fit")
})
