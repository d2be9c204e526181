test_that("covariates that are not named are open, in table and codes", {
  fit <- untrained(additive_screen())
  targets <- make_targets(fit, condition(drug = c("A", "B+A"), dose = list(1, c(2, 3))))
  expect_identical(targets$parts, list("A", c("A", "B")))
  expect_identical(targets$doses, list(1, c(3, 2)))
  expect_true(all(is.na(targets$covariates$cell_type)))
  expect_identical(targets$design$covariates, matrix(-1L, 1, 2))
  expect_identical(targets$label, c("A@1", "A@3+B@2"))
})

test_that("matched cells are those of the asked covariates", {
  screen <- additive_screen()
  fit <- untrained(screen)
  targets <- make_targets(fit, condition(drug = "A", cell_type = c("A549", "K562")))
  cells <- source_cells(fit, screen, targets, "matched")
  expect_identical(cells, list(which(screen$control & screen$covariates$cell_type == "A549"),
                               which(screen$control & screen$covariates$cell_type == "K562")))
  expect_identical(source_cells(fit, screen, targets, "all"), rep(list(which(screen$control)), 2))
})

test_that("matched cells of many conditions are those of each, levels that are left open included", {
  screen <- additive_screen()
  level <- screen$covariates$cell_type
  pool <- which(screen$control)
  asked <- data.frame(cell_type = c("K562", NA, "A549", "K562", NA, "other"))
  expected <- lapply(asked$cell_type, function(l) if (is.na(l)) pool else pool[level[pool] == l])
  expect_identical(matched_cells(screen, pool, asked, "cell_type"), expected)
  expect_identical(matched_cells(screen, pool, asked, character()), rep(list(pool), 6))
  expect_identical(matched_cells(screen, pool, asked[0, , drop = FALSE], "cell_type"), list())
})

test_that("a batch never restricts the source cells", {
  toy <- additive_cells()
  toy$col_data$run <- rep(c("r1", "r2"), length.out = nrow(toy$col_data))
  keys <- new_keys("drug", dose = "dose", covariates = "cell_type", control = "control",
                   batch = "run")
  screen <- as_screen(toy$x, keys, col_data = toy$col_data)
  screen$split <- rep("train", ncol(screen$x))
  fit <- untrained(screen)
  targets <- make_targets(fit, condition(drug = "A", cell_type = "K562"))
  expect_length(source_cells(fit, screen, targets, "matched")[[1]], 6)
  expect_identical(targets$design$covariates[2, 1], -1L)
  expect_identical(condition_covariates(fit), "cell_type")
})
