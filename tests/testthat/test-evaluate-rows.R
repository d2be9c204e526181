test_that("a condition's methods stand together, each with its own note", {
  screen <- additive_screen()
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  table <- data.frame(group = which(!groups$control), split = "ood")
  table$n_cells <- 6L
  n <- nrow(table)
  parts <- list(methods = list(model = 1, additive = 2), source = rep(list(1:4), n),
                notes = list(model = rep(NA_character_, n), additive = rep("none", n)))
  all <- table_of_methods(fit, list(groups = groups, table = table), parts, function(m, name) data.frame(score = rep(m, n)))
  expect_identical(all$method, rep(c("model", "additive"), n))
  expect_identical(all$score, rep(c(1, 2), n))
  expect_identical(all$note, rep(c(NA, "none"), n))
  expect_identical(unique(all$n_controls), 4L)
  expect_identical(names(all)[1:4], c("cell_type", "drug", "dose", "method"))
})

test_that("a table without rows has the same columns", {
  about <- describe_no_rows(untrained(additive_screen()))
  expect_identical(names(about$own), c("cell_type", "drug", "dose"))
  expect_identical(nrow(about$own), 0L)
  expect_identical(unique(lengths(about$fixed)), 0L)
})

# describe_rows() of the additive cells with other names of their columns.
described <- function(names, dose = NULL) {
  toy <- additive_cells()
  table <- toy$col_data
  names(table)[match(names(names), names(table))] <- names
  name <- function(role) if (role %in% names(names)) names[[role]] else role
  keys <- new_keys(name("drug"), dose = dose, covariates = name("cell_type"), control = "control",
                   split = "split")
  screen <- as_screen(toy$x, keys, col_data = table)
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  describe_rows(fit, groups, data.frame(group = which(!groups$control), split = "ood", n_cells = 6L))
}

test_that("a column that is called dose and is not the dose gives way to it", {
  drugs <- c("A", "B", "A", "A+B", "B")
  drug <- described(c(drug = "dose", dose = "amount"))$own
  expect_identical(names(drug), c("cell_type", "own_dose", "dose"))
  expect_setequal(drug$own_dose, drugs)
  expect_setequal(drug$dose, c("1", "1+1"))
  type <- described(c(cell_type = "dose", dose = "amount"), dose = "amount")$own
  expect_identical(names(type), c("own_dose", "drug", "amount"))
  expect_setequal(type$own_dose, c("K562", "A549"))
  expect_identical(names(described(character(), dose = "dose")$own), c("cell_type", "drug", "dose"))
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
