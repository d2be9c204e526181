test_that("keys are names of columns, in one form", {
  keys <- new_keys("drug", dose = "dose", covariates = c("a", "b"), control = "x", batch = "c")
  expect_identical(keys$covariates, c("a", "b"))
  expect_identical(covariate_names(keys), c("a", "b", "c"))
  expect_identical(new_keys("drug")$covariates, character())
  expect_identical(new_keys("drug", covariates = ~ a + b)$covariates, c("a", "b"))
  expect_identical(new_keys("drug", sep = NULL)["sep"], list(sep = NULL))
})

test_that("a column has one role, and every key is a text", {
  expect_refused(new_keys("drug", dose = "drug"),
                 "\"drug\" is given as `perturbation` and as `dose`")
  expect_refused(new_keys("drug", covariates = "a", batch = "a"), "`covariates` and as `batch`")
  expect_refused(new_keys(NULL), "`perturbation` must be one text")
  expect_refused(new_keys("drug", control = TRUE), "`control` must be one text")
  expect_refused(new_keys("drug", loss = "poisson"), "`loss` must be one of")
  expect_identical(new_keys("drug", control = "none", loss = "zinb")$loss, "zinb")
})

test_that("each column that is absent is a defect of its own, for the roles that are needed", {
  keys <- new_keys("drug", dose = "dos", covariates = c("a", "b"), split = "part")
  missing <- column_defects(keys, c("drug", "dose", "a"), all_roles())
  expect_identical(missing$check, rep("missing column", 3))
  expect_match(missing$given, "\"dos\"|\"b\"|\"part\"")
  expect_match(missing$todo[1], "Did you mean \"dose\"")
  expect_identical(nrow(column_defects(keys, c("drug", "a"), "perturbation")), 0L)
})

test_that("a name that two columns have is no name of one", {
  twice <- column_defects(new_keys("drug", dose = "dose"), c("drug", "dose", "drug"), all_roles())
  expect_identical(twice$check, "repeated column")
  expect_match(twice$given, "There are 2 columns \"drug\"")
})
