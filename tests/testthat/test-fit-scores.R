test_that("an error in scoring costs the scores only, and is told", {
  cells <- small_cells()
  fit <- small_fit()
  screen <- read_newdata(fit, cells$x, col_data = cells$col_data, need = all_roles(), split = "")
  scores <- with_test_scores(fit, screen, "epochs")$meta$test_scores
  expect_equal(scores$model, fit$meta$test_scores$model)
  expect_named(scores, names(fit$meta$test_scores))
  screen$x <- screen$x[1:3, ]
  expect_error(score_test_cells(fit, screen))
  warnings <- capture_warnings(kept <- with_test_scores(fit, screen, "epochs"))
  expect_length(warnings, 1)
  expect_match(warnings, "trained, but not scored.*evaluate_r2\\(fit, newdata\\)")
  expect_identical(kept, fit)
  expect_warning(with_test_scores(fit, screen, "epochs"), class = "compert_unscored")
  expect_silent(with_test_scores(fit, screen, "interrupt"))
})

test_that("an interrupt of scoring gives the fit back", {
  fit <- small_fit()
  local_replaced("score_test_cells", function(...) {
    signalCondition(structure(list(), class = c("interrupt", "condition")))
  })
  screen <- list(split = "test", control = FALSE)
  expect_warning(kept <- with_test_scores(fit, screen, "epochs"), "Scoring was interrupted")
  expect_identical(kept, fit)
})
