test_that("what training saw is one of four words", {
  screen <- additive_screen()
  a549_b <- screen$covariates$cell_type == "A549" & vapply(screen$parts, identical, NA, "B")
  screen$split[a549_b] <- "ood"
  fit <- untrained(screen)
  seen <- function(parts, doses, type) {
    seen_in_training(fit, list(parts), list(doses), data.frame(cell_type = type))
  }
  expect_identical(seen("A", 1, "K562"), "condition")
  expect_identical(seen("control", 1, "A549"), "condition")
  expect_identical(seen(c("A", "B"), c(1, 1), "K562"), "parts only")
  expect_identical(seen("A", 2, "K562"), "parts only")
  expect_identical(seen("B", 1, "A549"), "drug new to covariate")
  expect_identical(seen(c("A", "B"), c(1, 1), "A549"), "drug new to covariate")
  all_b <- vapply(screen$parts, function(p) "B" %in% p, NA)
  screen$split[all_b] <- "ood"
  fit <- untrained(screen)
  expect_identical(seen("B", 1, "K562"), "drug new")
  expect_identical(seen(c("A", "B"), c(1, 1), "K562"), "drug new")
})

test_that("dose 0 is the control where the screen gives controls dose 0", {
  toy <- additive_cells()
  toy$col_data$dose[toy$col_data$drug == "control"] <- "0"
  toy$col_data$split[toy$col_data$cell_type == "A549" & toy$col_data$drug == "B"] <- "ood"
  keys <- new_keys("drug", dose = "dose", covariates = "cell_type", control = "control",
                   split = "split")
  fit <- untrained(as_screen(toy$x, keys, col_data = toy$col_data))
  seen <- function(fit, parts, doses, type) {
    seen_in_training(fit, list(parts), list(doses), data.frame(cell_type = type))
  }
  expect_identical(seen(fit, "B", 0, "A549"), "condition")
  expect_identical(seen(fit, c("A", "B"), c(1, 0), "A549"), "condition")
  expect_identical(seen(fit, c("A", "B"), c(0, 1), "A549"), "drug new to covariate")
  zero <- function(fit) make_targets(fit, condition(drug = "A+B", dose = c(0, 1)))
  expect_warning(warn_dose_range(fit, zero(fit)), NA)
  fit$meta$keys$idle_zero <- FALSE
  expect_identical(seen(fit, "A", 0, "A549"), "parts only")
  expect_warning(warn_dose_range(fit, zero(fit)), class = "compert_extrapolation")
  expect_identical(seen(untrained(additive_screen()), "A", 0, "A549"), "parts only")
})

test_that("an open covariate counts as its least known level", {
  screen <- additive_screen()
  screen$split[screen$covariates$cell_type == "A549" &
                 vapply(screen$parts, identical, NA, "B")] <- "ood"
  fit <- untrained(screen)
  open <- make_targets(fit, condition(drug = c("A", "B")))
  expect_identical(columns_of_targets(fit, open)$seen, c("condition", "drug new to covariate"))
})

test_that("a screen without covariates has no places to tell apart", {
  toy <- additive_cells()
  keys <- new_keys("drug", dose = "dose", control = "control", split = "split")
  fit <- untrained(as_screen(toy$x, keys, col_data = toy$col_data))
  none <- data.frame(row.names = 1:2)
  expect_identical(seen_in_training(fit, list("A", c("A", "B")), list(1, c(1, 1)), none),
                   c("condition", "parts only"))
})

test_that("many conditions are looked up at once, open covariates among them", {
  screen <- additive_screen()
  screen$split[screen$covariates$cell_type == "A549" &
                 vapply(screen$parts, identical, NA, "B")] <- "ood"
  fit <- untrained(screen)
  asked <- 0L
  trained <- trained_conditions
  local_replaced("trained_conditions", function(fit) {
    asked <<- asked + 1L
    trained(fit)
  })
  what <- condition(drug = c("A", "B", "B", "A+B", "A+B"), cell_type = c("K562", NA, "K562", NA, "K562"))
  targets <- make_targets(fit, what)
  asked <- 0L
  expect_identical(columns_of_targets(fit, targets)$seen,
                   seen_levels[c(1, 3, 1, 3, 2)])
  expect_identical(asked, 1L)
})
