test_that("every condition has a row per method, in the user's own columns", {
  scores <- score_small()
  expect_s3_class(scores, c("compert_r2", "tbl_df"))
  expect_identical(
    names(scores),
    c("cell_type", "condition", "dose", "method", "split", "seen", "n_cells", metric_names,
      "n_controls", "note")
  )
  expect_identical(unique(table(scores$cell_type, scores$split)[, "ood"][["B"]]), 4L)
  expect_setequal(scores$method, c("model", "control", "additive",
                                   setdiff(scores$method, c("model", "control", "additive"))))
  expect_identical(scores$seen[scores$split == "ood"], rep("drug new to covariate", 4))
  expect_identical(unique(scores$seen[scores$split == "test"]), "condition")
  b <- scores[scores$split == "ood", ]
  expect_identical(unique(b$n_cells), 40L)
  expect_identical(attr(scores, "preset"), "compert")
})

test_that("scores are what predict() and the observed cells give by hand", {
  cells <- small_cells()
  scores <- score_small(split = "ood", variance = "total", n_degs = 10)
  truth <- as.matrix(cells$x[, cells$col_data$cell_type == "B" &
                               cells$col_data$condition == "IFNb"])
  control <- as.matrix(cells$x[, cells$col_data$cell_type == "B" &
                                 cells$col_data$condition == "control"])
  fit <- small_fit()
  what <- condition(condition = "IFNb", cell_type = "B")
  r2 <- function(t, p) 1 - sum((t - p)^2) / sum((t - mean(t))^2)
  for (residual in c(TRUE, FALSE)) {
    predicted <- predict(fit, cells$x, what, residual = residual, col_data = cells$col_data)
    name <- if (identical(residual, isTRUE(fit$meta$residual))) "model" else
      if (residual) "model_difference" else "model_decoded"
    row <- scores[scores$method == name, ]
    expect_equal(row$r2_mean, r2(rowMeans(truth), rowMeans(predicted)), tolerance = 1e-4)
    delta <- cor(rowMeans(truth) - rowMeans(control), rowMeans(predicted) - rowMeans(control))
    expect_equal(row$pearson_delta, delta, tolerance = 1e-3)
  }
  row <- scores[scores$method == "control", ]
  expect_equal(row$r2_mean, r2(rowMeans(truth), rowMeans(control)))
  expect_equal(row$r2_var, r2(apply(truth, 1, var), apply(control, 1, var)))
  expect_identical(row$pearson_delta, NA_real_)
  expect_identical(row$n_controls, 40L)
})

test_that("a seed is checked where no random number is needed too", {
  cells <- small_cells()
  expect_error(evaluate_r2(small_fit(), cells$x, col_data = cells$col_data, seed = "a"), "`seed` must be")
})

test_that("DEGs are those of rank_degs()", {
  cells <- small_cells()
  scores <- score_small(split = "ood", n_degs = 15)
  degs <- rank_degs(cells$x, "condition", covariates = "cell_type", control = "control",
                    n_genes = 15, col_data = cells$col_data)
  genes <- degs$gene[degs$cell_type == "B"]
  mean_of <- function(what) {
    rowMeans(as.matrix(cells$x[genes, cells$col_data$cell_type == "B" &
                                 cells$col_data$condition == what]))
  }
  expect_equal(scores$r2_mean_deg[scores$method == "control"],
               core_r2(mean_of("IFNb"), mean_of("control")))
})

test_that("chemcpa never scores below 0, fb may, and both decode", {
  chem <- score_small(preset = "chemcpa")
  fb <- score_small(preset = "fb", min_cells = 5L)
  scored <- unlist(chem[c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg")])
  expect_true(all(scored >= 0))
  expect_true(any(unlist(fb[c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg")]) < 0))
  expect_identical(unique(fb$method), c("model", "control", "additive"))
  pooled <- unique(fb$n_controls)
  expect_identical(pooled, sum(small_cells()$col_data$split == "test" &
                                 small_cells()$col_data$condition == "control"))
})

test_that("baselines can be left out, and min_cells can leave nothing", {
  expect_false(any(c("control", "additive") %in% score_small(baselines = FALSE)$method))
  none <- score_small(min_cells = 1000)
  expect_identical(nrow(none), 0L)
  expect_identical(names(none), names(score_small()))
  expect_output(print(none), "No condition to score in split test, ood")
})

test_that("an automatic split is found again on the same cells only", {
  cells <- small_cells()
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control", covariates = "cell_type",
                              col_data = cells$col_data, settings = quick_settings(1)))
  scores <- evaluate_r2(fit, cells$x, col_data = cells$col_data)
  expect_identical(unique(scores$split), "test")
  expect_identical(sum(scores$n_cells[scores$method == "model"]), 30L)
  fewer <- seq_len(ncol(cells$x) - 1)
  expect_error(evaluate_r2(fit, cells$x[, fewer], col_data = cells$col_data[fewer, ]),
               "must have the split column")
  some <- evaluate_r2(fit, cells$x[, fewer], col_data = cells$col_data[fewer, ],
                      condition = condition(condition = "IFNb"))
  expect_true(all(is.na(some$split)))
})

test_that("no baseline learns from held-out cells when the split column is left out", {
  # A at 5 is held out like A at 10 and unlike all else: nearer to it than 1, which training saw.
  cells <- dosed_cells()
  cells$col_data$drug[cells$col_data$drug == "C"] <- "A"
  cells$x[, cells$col_data$dose == "5"] <- 100
  fit <- dosed_fit(cells = cells)
  run <- function(col_data) {
    evaluate_r2(fit, cells$x, condition = condition(drug = "A", dose = 10), col_data = col_data,
                min_cells = 1, seed = 1)
  }
  open <- run(cells$col_data[c("drug", "dose", "cell_type")])
  expect_gt(min(open$r2_mean[open$method == "additive"]), -100)
  expect_output(print(open), "Without a split column the baselines learn from all other cells of trained")
  expect_false(any(grepl("Without a split", capture.output(print(run(cells$col_data))))))
})

test_that("counts are scored with the variance of the preset", {
  fit <- small_fit(loss = "nb", layer = NULL)
  cells <- small_cells()
  run <- function(...) {
    scores <- evaluate_r2(fit, cells$counts, col_data = cells$col_data, split = "ood",
                          min_cells = 5, baselines = FALSE, ...)
    scores$r2_var[scores$method == "model"]
  }
  expect_identical(run(preset = "fb", seed = 1), run(preset = "fb", seed = 1))
  expect_false(run(preset = "fb", seed = 1) == run(preset = "fb", seed = 2))
  expect_identical(run(preset = "multicpa", seed = 1), run(preset = "multicpa", seed = 2))
})

test_that("counts are scored log-normalised by default, raw on demand", {
  fit <- small_fit(loss = "nb", layer = NULL)
  cells <- small_cells()
  run <- function(...) {
    evaluate_r2(fit, cells$counts, col_data = cells$col_data, split = "ood", seed = 1, ...)
  }
  total <- Matrix::colSums(cells$counts)
  log_counts <- log1p(t(t(as.matrix(cells$counts)) / total) * stats::median(total))
  b <- cells$col_data$cell_type == "B"
  mean_of <- function(x, what) rowMeans(as.matrix(x[, b & cells$col_data$condition == what]))
  scores <- run()
  expect_equal(scores$r2_mean[scores$method == "control"],
               core_r2(mean_of(log_counts, "IFNb"), mean_of(log_counts, "control")))
  raw <- run(scale = "model")
  expect_equal(raw$r2_mean[raw$method == "control"],
               core_r2(mean_of(cells$counts, "IFNb"), mean_of(cells$counts, "control")))
  expect_match(attr(scores, "words"), "log-normalised counts")
  expect_false(grepl("log-normalised", attr(raw, "words")))
  expect_identical(run()$r2_mean, scores$r2_mean)
  expect_error(run(variance = "total"), "`variance` must be left out on the log scale")
})

test_that("splits are asked for by the words of a column as well", {
  expect_identical(check_split_names(c("Validation", "holdout", "test")), c("test", "ood"))
  expect_identical(score_small(split = "holdout", seed = 1), score_small(split = "ood", seed = 1))
})

test_that("wrong arguments are refused in the house's form", {
  expect_error(score_small(split = "dev"), "`split` must be some of")
  expect_error(check_split_names(character()), "`split` must be some of")
  expect_error(score_small(splitt = "ood"), "There is no argument `splitt`")
  expect_error(score_small(n_degs = 1), "`n_degs` must be")
  expect_error(evaluate_r2(small_fit()), "`newdata` must be given")
  expect_error(evaluate_r2(1, small_cells()$x), "`fit` must be a fit made by `cpa\\(\\)`")
})
