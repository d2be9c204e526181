test_that("a condition's methods stand together, each with its own note", {
  screen <- additive_screen()
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  table <- data.frame(group = which(!groups$control), split = "ood")
  table$n_cells <- 6L
  n <- nrow(table)
  parts <- list(methods = list(model = 1, additive = 2), source = rep(list(1:4), n),
                notes = list(model = rep(NA_character_, n), additive = rep("none", n)))
  all <- table_of_methods(fit, groups, table, parts, function(m, name) data.frame(score = rep(m, n)))
  expect_identical(all$method, rep(c("model", "additive"), n))
  expect_identical(all$score, rep(c(1, 2), n))
  expect_identical(all$note, rep(c(NA, "none"), n))
  expect_identical(unique(all$n_controls), 4L)
  expect_identical(names(all)[1:4], c("cell_type", "drug", "dose", "method"))
})

test_that("a table without rows has the same columns", {
  about <- describe_no_rows(untrained(additive_screen()))
  expect_identical(names(about$before), c("cell_type", "drug", "dose"))
  expect_identical(nrow(about$before), 0L)
  expect_identical(nrow(about$after), 0L)
})

test_that("preset chemcpa counts sums of squares near 0 as 0", {
  expect_identical(r2_options(fit_of_loss("gauss"), "chemcpa", list())$flat, 1e-4)
  expect_identical(r2_options(fit_of_loss("gauss"), "compert", list())$flat, 0)
  truth <- list(mean = cbind(c(1, 1.001, 0.999)), variance = cbind(c(1, 2, 4)))
  near <- list(mean = cbind(c(1.001, 1.001, 0.999)), variance = truth$variance)
  score <- function(preset) {
    score_method(truth, near, truth, list(1:3), r2_options(fit_of_loss("gauss"), preset, list()))$r2_mean
  }
  expect_identical(score("chemcpa"), 1)
  expect_equal(score("compert"), 0.5, tolerance = 1e-9)
})
