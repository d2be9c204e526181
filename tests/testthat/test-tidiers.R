test_that("tidy has a row per perturbation and dimension", {
  fit <- small_fit()
  table <- generics::tidy(fit, dose = 0.5)
  expect_identical(dim(table), c(16L, 4L))
  z <- perturbation_embedding(fit, dose = 0.5)
  expect_equal(table$estimate[table$perturbation == "IFNb"], unname(z["IFNb", ]))
  expect_identical(unique(table$dose), 0.5)
})

test_that("scores and comparisons are tidied to plain tibbles", {
  cells <- small_cells()
  scores <- evaluate_r2(small_fit(), cells$x, col_data = cells$col_data)
  plain <- tidy(scores)
  expect_identical(class(plain), c("tbl_df", "tbl", "data.frame"))
  expect_null(attr(plain, "preset"))
  expect_identical(as.list(plain)$r2_mean, scores$r2_mean)
  compared <- compare_r2(cpa = scores, by = NULL)
  plain <- tidy(compared)
  expect_identical(class(plain), c("tbl_df", "tbl", "data.frame"))
  expect_setequal(names(attributes(plain)), c("names", "row.names", "class"))
  expect_identical(plain$mean, compared$mean)
  expect_refused(tidy(scores, dose = 1), "no argument `dose`")
})

test_that("glance is one row with the scores of the best epoch", {
  fit <- small_fit()
  row <- glance(fit)
  expect_identical(nrow(row), 1L)
  best <- fit$history[fit$history$epoch == row$best_epoch, ]
  expect_identical(row$r2_mean_deg, best$r2_mean_deg)
  expect_identical(row$n_genes, 120L)
  expect_identical(row$n_perturbations, 1L)
  cells <- small_cells()
  train <- cells$col_data$split == "train"
  unscored <- suppressMessages(cpa(cells$x[, train], "condition", control = "control",
                                   split = "split", col_data = cells$col_data[train, ],
                                   settings = quick_settings(1)))
  expect_identical(glance(unscored)$r2_mean, NA_real_)
  expect_identical(glance(unscored)$best_epoch, NA_integer_)
  expect_identical(summary(unscored)$best_epoch, NA_integer_)
})

test_that("augment has a row per cell, and blocks do not matter", {
  cells <- small_cells()
  table <- augment(small_fit(), cells$x, col_data = cells$col_data)
  expect_identical(table$.cell, colnames(cells$x))
  expect_identical(table$.condition, cells$col_data$condition)
  again <- reconstruct(small_fit(), cells$x, col_data = cells$col_data)
  expect_equal(table$.r2[5], core_r2(cells$x[, 5], again[, 5]), tolerance = 1e-5)
  screen <- read_newdata(small_fit(), cells$x, col_data = cells$col_data)
  expect_equal(reconstruction_r2(small_fit(), screen, block = 7)$.r2, table$.r2, tolerance = 1e-6)
})
