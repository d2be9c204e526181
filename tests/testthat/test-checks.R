test_that("an error has its three parts and takes text literally", {
  f <- function() abort_input("`dose` must {hold}.", c("one {", "two"), "Do this.")
  parts <- error_parts(f())
  expect_identical(parts$must, "`dose` must {hold}.")
  expect_identical(parts$given, c("one {", "two"))
  expect_identical(parts$todo, "Do this.")
  expect_identical(parts$call, quote(f()))
})

test_that("checks name the argument, at the caller", {
  verb <- function(n) check_count(n, "n", 1, 10)
  expect_null(verb(3))
  for (bad in list(0, 11, 2.5, "3", NA, c(1, 2), NULL, Inf, list(1))) {
    parts <- expect_refused(verb(bad), "`n` must be one whole number from 1 to 10")
    expect_identical(parts$call[[1]], quote(verb))
  }
  expect_refused(check_string(c("a", "b"), "x"), "`x` must be one text.*2 texts")
  expect_refused(check_string("", "x"), "`x` must be one text")
  expect_refused(check_strings(c("a", "a"), "x"), "\"a\" is there twice")
  expect_refused(check_strings(c("a", NA, ""), "x"), "Text 2 of 3 is missing \\(`NA`\\)")
  expect_refused(check_strings(c("a", ""), "x"), "Text 2 of 2 is empty")
  expect_refused(check_flag(NA, "x"), "`TRUE` or `FALSE`")
  expect_refused(check_number(-1, "x", 0), "number of at least 0")
})

test_that("a choice is resolved or refused with the nearest one", {
  choose <- function(loss = c("gauss", "nb")) check_choice(loss, c("gauss", "nb"), "loss")
  expect_identical(choose(), "gauss")
  expect_identical(choose("nb"), "nb")
  expect_refused(choose("NB"), "must be one of \"gauss\", \"nb\".*Write loss = \"nb\"\\.$")
  expect_refused(choose("zzz"), "Write loss = \"gauss\"\\.$")
  expect_refused(check_among(c("one", "twos"), c("one", "two"), "x"), "Not among them: \"twos\".*Write x = \"two\"\\.$")
  expect_refused(choose(3), "one of \"gauss\", \"nb\"")
})

test_that("arguments that do not exist are refused by name, with the nearest", {
  verb <- function(x, ..., covariates = NULL) check_no_dots(...)
  expect_null(verb(1))
  expect_refused(verb(1, covariate = 2), "no argument `covariate`.*Did you mean \"covariates\"")
  expect_refused(verb(1, 2), "must be given by name")
  for (name in c("settings", "valid", "call")) {
    expect_refused(rlang::inject(verb(1, !!name := 2)), paste0("no argument `", name, "`"))
  }
})

test_that("a seed that is given leaves R's stream alone, one that is not is drawn from it", {
  withr::with_seed(1, {
    before <- .Random.seed
    expect_identical(resolve_seed(5), 5L)
    expect_identical(.Random.seed, before)
    first <- resolve_seed(NULL)
    expect_false(identical(.Random.seed, before))
  })
  expect_identical(withr::with_seed(1, resolve_seed(NULL)), first)
  expect_refused(resolve_seed(-1), "`seed` must be one whole number of at least 0")
  expect_refused(resolve_seed(2^31), "whole number from 0 to 2147483647.*It is `2147483648`")
})

test_that("an error of the core gets the same form and the user's call", {
  core <- function(text) {
    stop(structure(class = c("compert::Error", "C++Error", "error", "condition"),
                   list(message = text, call = NULL)))
  }
  verb <- function(text) with_core_errors(core(text), todo = "Look it up.")
  parts <- error_parts(verb("`dim` must be positive\nx 0 was given\ni Write 3"))
  expect_identical(parts$must, "`dim` must be positive.")
  expect_identical(parts$given, "0 was given.")
  expect_identical(parts$todo, "Write 3.")
  expect_identical(parts$call[[1]], quote(verb))
  expect_identical(error_parts(verb("`dim` must be positive\nx 0"))$todo, "Look it up.")
  expect_error(with_core_errors(stop("other")), "other")
})

test_that("messages that verbs share name the cells as the verb does", {
  cells <- small_cells()
  fit <- small_fit()
  few <- cells$x[-1, ]
  expect_refused(predict(fit, few, condition("IFNb"), col_data = cells$col_data), "`newdata` must have the genes")
  expect_refused(cell_embedding(fit, few, col_data = cells$col_data), "`x` must have the genes")
  expect_refused(augment(fit, few, col_data = cells$col_data), "`data` must have the genes")
  large <- cells$x * 100
  expect_warning(cell_embedding(fit, large, col_data = cells$col_data), "`x` should be on the scale")
  expect_warning(reconstruct(fit, large, col_data = cells$col_data), "`newdata` should be on the scale")
  short <- cells$col_data[1:3, ]
  expect_refused(predict(fit, cells$x, condition("IFNb"), col_data = short), "per column of `newdata`.*`newdata` has")
  expect_refused(cpa(cells$x, "condition", control = "control", col_data = short), "per column of `x`.*`x` has")
  expect_refused(cell_embedding(fit, newdata = cells$x), "no argument `newdata`")
  expect_refused(predict(fit, cells$x, condition("IFNb"), x = 1), "no argument `x`")
  expect_refused(augment(fit, list(1)), "`data` must be")
})
