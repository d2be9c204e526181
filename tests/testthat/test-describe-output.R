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

test_that("conditions are described by label, covariates and number of cells", {
  fit <- untrained(additive_screen())
  targets <- make_targets(fit, condition(drug = c("A", "A+B"), cell_type = c("K562", "A549")))
  table <- describe_conditions(fit, targets, c(3L, 4L))
  expect_identical(rownames(table), c("A, K562", "A+B, A549"))
  expect_identical(table$seen, c("condition", "parts only"))
  open <- make_targets(fit, condition(drug = "A"))
  expect_null(describe_conditions(fit, open, 3L)$cpa_cell_type)
})
