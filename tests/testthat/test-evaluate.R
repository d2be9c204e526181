all_cells <- function() {
  cells <- small_cells()
  list(x = cells$x, col_data = cells$col_data)
}

score <- function(fit = small_fit(), ...) {
  cells <- all_cells()
  evaluate_r2(fit, cells$x, col_data = cells$col_data, ...)
}

test_that("every condition has a row per method, in the user's own columns", {
  scores <- score()
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
  cells <- all_cells()
  scores <- score(split = "ood", variance = "total", n_degs = 10)
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
  cells <- all_cells()
  scores <- score(split = "ood", n_degs = 15)
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
  chem <- score(preset = "chemcpa")
  fb <- score(preset = "fb", min_cells = 5L)
  scored <- unlist(chem[c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg")])
  expect_true(all(scored >= 0))
  expect_true(any(unlist(fb[c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg")]) < 0))
  expect_identical(unique(fb$method), c("model", "control", "additive"))
  pooled <- unique(fb$n_controls)
  expect_identical(pooled, sum(all_cells()$col_data$split == "test" &
                                 all_cells()$col_data$condition == "control"))
})

test_that("baselines can be left out, and min_cells can leave nothing", {
  expect_false(any(c("control", "additive") %in% score(baselines = FALSE)$method))
  none <- score(min_cells = 1000)
  expect_identical(nrow(none), 0L)
  expect_identical(names(none), names(score()))
  expect_output(print(none), "No condition to score in split test, ood")
})

test_that("summary has the preset's order, and fb's -1 where nothing was scored", {
  fb <- summary(score(preset = "fb"))
  expect_identical(names(fb)[4:7], c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg"))
  empty <- fb[fb$n_conditions == 0, ]
  expect_true(nrow(empty) > 0)
  expect_true(all(unlist(empty[4:7]) == -1))
  multi <- summary(score(preset = "multicpa", min_cells = 5))
  expect_identical(names(multi)[4:7], c("r2_mean", "r2_var", "r2_mean_deg", "r2_var_deg"))
  own <- score()
  model <- own[own$method == "model" & own$split == "test", ]
  averages <- summary(own)
  expect_equal(averages$r2_mean[averages$method == "model" & averages$split == "test"],
               mean(model$r2_mean))
  halves <- summary(own, fun = stats::median)
  expect_equal(halves$r2_mean[halves$method == "model" & halves$split == "test"],
               stats::median(model$r2_mean))
})

test_that("print says the preset, and in words when the model does not beat a baseline", {
  scores <- score()
  expect_output(print(scores), "preset \"compert\": controls of the same covariates")
  worse <- scores
  worse$r2_mean_deg <- ifelse(worse$method == "model", 0.1, 0.9)
  expect_output(print(worse), paste0("not seen in training:.*does NOT beat the additive baseline ",
                                     "in r2 of the means.*0.100 against 0.900 \\(better in 0 of 1"))
  expect_output(print(worse), "does NOT beat the control baseline")
  better <- scores
  better$r2_mean_deg <- ifelse(better$method == "model", 0.9, 0.1)
  better$r2_lfc_deg <- better$r2_mean_deg
  expect_output(print(better), "the model beats the additive baseline in r2 of the means of DEGs")
  expect_false(any(grepl("NOT", capture.output(print(better)))))
  expect_output(print(better), "seen in training \\(test cells\\):.*better in 2 of 2")
  expect_output(print(score(baselines = FALSE)), "No baseline could be compared")
  expect_output(print(scores[c("method", "r2_mean")]), "A tibble")
})

test_that("print averages each split over the conditions that all methods can score", {
  scores <- score(split = c("train", "test", "ood"))
  scores$r2_mean_deg <- ifelse(scores$method == "model", 0.8, 0.4)
  shown <- capture.output(print(scores))
  expect_identical(shown[grepl("^Averages", shown)], paste0("Averages, ", c("train", "test", "ood")))
  first <- scores$split == "test" & scores$cell_type == "NK"
  scores$r2_mean[first & scores$method == "additive"] <- NA
  scores$r2_mean_deg[first & scores$method == "additive"] <- NA
  scores$r2_mean_deg[first & scores$method == "model"] <- 0
  shown <- capture.output(print(scores))
  at <- grep("^Averages, test", shown)
  expect_match(shown[at], "\\(1 of 2 conditions, which all methods can score; additive lacks 1\\)")
  expect_match(shown[at + 2L], "^model +1 .* 0.800 ")
  scores$r2_mean[scores$split == "ood" & scores$method == "model"] <- NA
  scores$r2_mean[scores$split == "test" & scores$method == "additive"] <- c(NA, 1)
  scores$r2_mean[scores$split == "test" & scores$method == "model"] <- c(1, NA)
  shown <- capture.output(print(scores))
  expect_match(shown, "^Averages, test \\(no condition that all methods can score; model lacks 1", all = FALSE)
})

test_that("a model less than 0.02 from a baseline is level with it", {
  scores <- score(split = "ood")
  scores$r2_mean_deg <- ifelse(scores$method == "model", 0.888, 0.884)
  expect_output(print(scores), "is level with the additive baseline.*: 0.888 against 0.884")
  scores$r2_mean_deg <- ifelse(scores$method == "model", 0.870, 0.884)
  expect_output(print(scores), "is level with the control baseline.*: 0.870 against 0.884")
})

test_that("averages leave out a method that can score nothing, and say so", {
  scores <- score(split = "ood")
  scores$r2_mean[scores$method == "additive"] <- NA
  expect_output(print(scores), paste0("^[^\n]*\n\nAverages, ood \\(1 of 1 conditions, which all methods but ",
                                      "additive can score\\)\n"))
  twice <- rbind(scores, transform(scores, split = "test"))
  twice$r2_mean[twice$split == "ood" & twice$method == "control"] <- NA
  twice$split <- "ood"
  twice$cell_type <- rep(c("B", "NK"), each = 4)
  expect_output(print(twice), "1 of 2 conditions, which all methods but additive can score; control lacks 1\\)")
})

test_that("the mean baseline is compared with where there is no additive one", {
  cells <- dosed_cells()
  scores <- evaluate_r2(dosed_fit(), cells$x, col_data = cells$col_data, split = "ood", min_cells = 1,
                        baselines = c("control", "additive", "mean", "interpolation"), seed = 1)
  expect_identical(unique(scores$method)[3:6], c("control", "additive", "mean", "interpolation"))
  of <- function(method, drug) scores$r2_mean_deg[scores$method == method & scores$drug == drug]
  expect_true(all(is.na(of("additive", "C"))) && all(is.finite(of("additive", "A"))))
  expect_true(all(is.finite(c(of("mean", "C"), of("mean", "A")))))
  expect_match(scores$note[scores$method == "interpolation"], "at a lower and a higher dose")
  finite <- is.finite(scores$r2_mean_deg)
  scores$r2_mean_deg[finite] <- ifelse(scores$method == "model", 0.9, 0.1)[finite]
  shown <- capture.output(print(scores))
  expect_match(shown, "the model beats the mean baseline .* \\(better in 2 of 2 without an additive", all = FALSE)
  expect_match(shown, "the model beats the additive baseline .* \\(better in 2 of 2\\)", all = FALSE)
  alone <- evaluate_r2(dosed_fit(), cells$x, col_data = cells$col_data, split = "ood", min_cells = 1,
                       baselines = "mean", seed = 1)
  expect_identical(alone$r2_mean[alone$method == "mean"], scores$r2_mean[scores$method == "mean"])
  expect_output(print(alone), "the mean baseline .* of 4\\)")
  drug <- evaluate_r2(dosed_fit(), cells$x, col_data = cells$col_data, min_cells = 1,
                      condition = condition(drug = "C"), split = "ood")
  expect_output(print(drug), "additive baseline has no score; `baselines = c\\(\"control\", \"mean\"\\)`")
  # Without controls the mean has no score either.
  no_control <- drug
  no_control$r2_mean[no_control$method == "control"] <- NA
  expect_null(words_without_additive(no_control))
  effects <- evaluate_effects(dosed_fit(), cells$x, col_data = cells$col_data, split = "ood", min_cells = 1,
                              baselines = "mean")
  expect_identical(unique(effects$method)[-(1:2)], "mean")
})

test_that("tables that were bound together or lost columns are printed and summed up", {
  scores <- score()
  for (lost in c("seen", "split", "n_cells")) {
    expect_match(capture.output(print(scores[setdiff(names(scores), lost)]))[1], "tibble")
  }
  whole <- summary(scores[setdiff(names(scores), "split")])
  expect_identical(whole$split, rep(NA_character_, 4))
  expect_identical(whole$n_conditions, rep(3L, 4))
  both <- rbind(score(split = "ood"), score(split = "test"))
  expect_identical(unique(summary(both)$split), c("ood", "test"))
  expect_equal(summary(both)[5:8, ], summary(scores)[1:4, ])
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
  expect_identical(score(split = "holdout", seed = 1), score(split = "ood", seed = 1))
})

test_that("wrong arguments are refused in the house's form", {
  expect_error(score(split = "dev"), "`split` must be some of")
  expect_error(check_split_names(character()), "`split` must be some of")
  expect_error(score(splitt = "ood"), "There is no argument `splitt`")
  expect_error(score(n_degs = 1), "`n_degs` must be")
  expect_error(evaluate_r2(small_fit()), "`newdata` must be given")
  expect_error(evaluate_r2(1, small_cells()$x), "`fit` must be a fit made by `cpa\\(\\)`")
})
