# A screen without a dose column whose labels say doses all the same: "A+A" is A at dose 2.

hidden_cells <- function() {
  drug <- rep(c("control", "A", "A+A", "A+A+B"), each = 36)
  x <- withr::with_seed(3, matrix(stats::rexp(8 * 144), 8))
  dimnames(x) <- list(paste0("g", 1:8), paste0("c", 1:144))
  list(x = x, col_data = data.frame(drug = drug, cell_type = c("T", "NK"),
                                    split = c("train", "train", "test"), row.names = colnames(x)))
}

hidden_fit <- function(...) {
  cells <- hidden_cells()
  suppressWarnings(cpa(cells$x, "drug", control = "control", covariates = "cell_type", split = "split",
                       col_data = cells$col_data, settings = quick_settings(1), ...))
}

test_that("a condition has one label, whichever others are beside it", {
  cells <- hidden_cells()
  fit <- hidden_fit()
  labels <- c("A@1", "A@2", "A@2+B@1", "control@1")
  expect_setequal(summary(fit)$conditions$condition, labels)
  for (asked in list(condition("A"), condition(c("A", "A+A")))) {
    expect_identical(make_targets(fit, asked)$label[1], "A@1")
    expect_identical(rownames(perturbation_embedding(fit, asked))[1], "A@1")
  }
  few <- cells$col_data$drug %in% c("A", "control")
  expect_setequal(augment(fit, cells$x[, few], col_data = cells$col_data[few, ])$.condition,
                  c("A@1", "control@1"))
  expect_setequal(augment(fit, cells$x, col_data = cells$col_data)$.condition, labels)
})

test_that("one's own DEGs may be named by these labels, in training and after", {
  cells <- hidden_cells()
  genes <- paste0("g", 1:3)
  fit <- hidden_fit(degs = list("A+A" = genes))
  named <- lengths(fit$meta$degs$genes) > 0
  expect_identical(fit$meta$degs$parts[named], list("A", "A"))
  expect_identical(fit$meta$degs$doses[named], list(2, 2))
  scored <- function(name, keep = rep(TRUE, 144)) {
    scores <- evaluate_r2(fit, cells$x[, keep], degs = rlang::set_names(list(genes), name), split = "test",
                          col_data = cells$col_data[keep, ], baselines = FALSE, min_cells = 1)
    good <- is.finite(scores$r2_mean_deg)
    unique(paste(scores$drug, scores$dose)[good])
  }
  for (name in c("A@2", "A+A")) expect_identical(scored(name), "A 2")
  expect_identical(scored("A@1", cells$col_data$drug %in% c("A", "control")), "A 1")
  expect_identical(scored("A"), c("A 1", "A 2"))
  for (name in c("B+A+A", "A@2+B@1")) expect_identical(scored(name), "A+B 2+1")
})

test_that("messages name these conditions apart", {
  cells <- hidden_cells()$col_data
  cells$drug[cells$drug == "A+A"] <- c("A+A", rep("A+A+B", 35))
  expect_warning(rank_degs(hidden_cells()$x, "drug", control = "control", col_data = cells), "\"A@2\"")
  checked <- check_screen(hidden_cells()$x, "drug", control = "control", col_data = cells)
  expect_match(checked$defects$given[checked$defects$check == "few cells"], "\"A@2\" has fewer")
  expect_message(split_cells(cells, "drug", control = "control", hold_out = condition("A"), seed = 1),
                 "held out: \"A@1\"")
})
