test_that("answers are named after their cells, numbered where cells repeat", {
  screen <- additive_screen()
  fit <- untrained(screen)
  targets <- make_targets(fit, condition(drug = c("A", "B"), cell_type = "K562"))
  cells <- source_cells(fit, screen, targets, "matched")
  one <- make_targets(fit, condition(drug = "A", cell_type = "K562"))
  expect_identical(rownames(describe_cells(fit, screen, one, cells[1])),
                   colnames(screen$x)[cells[[1]]])
  both <- describe_cells(fit, screen, targets, cells)
  first <- colnames(screen$x)[cells[[1]][1]]
  expect_identical(rownames(both)[c(1, 7)], paste0(first, c("_1", "_2")))
  expect_identical(both$cpa_cell_type, rep("K562", 12))
  drawn <- describe_cells(fit, screen, one, cells[1], 3)
  expect_identical(drawn$cpa_draw, rep(1:3, 6))
  expect_identical(nrow(drawn), 18L)
})

test_that("a covariate may be called as what a description tells, and a batch is told", {
  toy <- additive_cells()
  table <- toy$col_data
  names(table)[names(table) == "cell_type"] <- "condition"
  table$donor <- rep(c("d1", "d2"), length.out = nrow(table))
  table$seen <- "mine"
  keys <- new_keys("drug", covariates = "condition", control = "control", batch = "donor",
                   split = "split")
  screen <- as_screen(toy$x, keys, col_data = table)
  fit <- untrained(screen)
  targets <- make_targets(fit, condition(drug = "A", condition = "K562", donor = "d2"))
  cells <- source_cells(fit, screen, targets, "matched")
  about <- describe_cells(fit, screen, targets, cells)
  expect_identical(unique(about$cpa_condition), "A")
  expect_identical(unique(about$cpa_own_condition), "K562")
  expect_identical(unique(about$own_seen), "mine")
  expect_identical(unique(about$seen), "condition")
  expect_identical(unique(about$cpa_donor), "d2")
  short <- describe_conditions(fit, targets, 6L)
  expect_identical(as.list(short[c("cpa_condition", "cpa_own_condition", "cpa_donor")]),
                   list(cpa_condition = "A", cpa_own_condition = "K562", cpa_donor = "d2"))
  # Without a batch in the condition every cell keeps its own.
  open <- make_targets(fit, condition(drug = "A", condition = "K562"))
  kept <- describe_cells(fit, screen, open, cells)
  expect_identical(kept$cpa_donor, kept$donor)
})

test_that("conditions are described by label, covariates and number of cells", {
  fit <- untrained(additive_screen())
  targets <- make_targets(fit, condition(drug = c("A", "A+B"), cell_type = c("K562", "A549")))
  table <- describe_conditions(fit, targets, c(3L, 4L))
  expect_identical(rownames(table), c("A@1, K562", "A@1+B@1, A549"))
  expect_identical(table$seen, c("condition", "parts only"))
  open <- make_targets(fit, condition(drug = "A"))
  expect_null(describe_conditions(fit, open, 3L)$cpa_cell_type)
})
