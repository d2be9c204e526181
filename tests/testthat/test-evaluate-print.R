test_that("summary has the preset's order, and fb's -1 where nothing was scored", {
  fb <- summary(score_small(preset = "fb"))
  expect_identical(names(fb)[4:7], c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg"))
  empty <- fb[fb$n_conditions == 0, ]
  expect_true(nrow(empty) > 0)
  expect_true(all(unlist(empty[4:7]) == -1))
  multi <- summary(score_small(preset = "multicpa", min_cells = 5))
  expect_identical(names(multi)[4:7], c("r2_mean", "r2_var", "r2_mean_deg", "r2_var_deg"))
  own <- score_small()
  model <- own[own$method == "model" & own$split == "test", ]
  averages <- summary(own)
  expect_equal(averages$r2_mean[averages$method == "model" & averages$split == "test"],
               mean(model$r2_mean))
  halves <- summary(own, fun = stats::median)
  expect_equal(halves$r2_mean[halves$method == "model" & halves$split == "test"],
               stats::median(model$r2_mean))
})

# Long lines, so that sentences are whole.
printed <- function(x) {
  old <- options(width = 250)
  on.exit(options(old))
  capture.output(print(x))
}

expect_printed <- function(x, pattern) expect_match(paste(printed(x), collapse = "\n"), pattern)

test_that("print says the preset, and in words when the model does not beat a baseline", {
  scores <- score_small()
  expect_printed(scores, "preset \"compert\": controls of the same covariates")
  worse <- scores
  worse$r2_mean_deg <- ifelse(worse$method == "model", 0.1, 0.9)
  expect_printed(worse, paste0("not seen in training:.*does NOT beat the additive baseline ",
                                     "in r2 of the means.*0.100 against 0.900 \\(better in 0 of 1"))
  expect_printed(worse, "does NOT beat the control baseline")
  better <- scores
  better$r2_mean_deg <- ifelse(better$method == "model", 0.9, 0.1)
  better$r2_lfc_deg <- better$r2_mean_deg
  expect_printed(better, "the model beats the additive baseline in r2 of the means of DEGs")
  expect_false(any(grepl("NOT", printed(better))))
  expect_printed(better, "seen in training \\(test cells\\):.*better in 2 of 2")
  expect_printed(score_small(baselines = FALSE), "No baseline could be compared")
  expect_printed(scores[c("method", "r2_mean")], "A tibble")
})

test_that("print averages each split over the conditions that all methods can score", {
  scores <- score_small(split = c("train", "test", "ood"))
  scores$r2_mean_deg <- ifelse(scores$method == "model", 0.8, 0.4)
  shown <- printed(scores)
  expect_identical(shown[grepl("^Averages", shown)], paste0("Averages, ", c("train", "test", "ood")))
  first <- scores$split == "test" & scores$cell_type == "NK"
  scores$r2_mean[first & scores$method == "additive"] <- NA
  scores$r2_mean_deg[first & scores$method == "additive"] <- NA
  scores$r2_mean_deg[first & scores$method == "model"] <- 0
  shown <- printed(scores)
  at <- grep("^Averages, test", shown)
  expect_match(shown[at], "\\(1 of 2 conditions, which all methods can score; additive lacks 1\\)")
  expect_match(shown[at + 2L], "^model +1 .* 0.800 ")
  scores$r2_mean[scores$split == "ood" & scores$method == "model"] <- NA
  scores$r2_mean[scores$split == "test" & scores$method == "additive"] <- c(NA, 1)
  scores$r2_mean[scores$split == "test" & scores$method == "model"] <- c(1, NA)
  shown <- printed(scores)
  expect_match(shown, "^Averages, test \\(no condition that all methods can score; model lacks 1", all = FALSE)
})

test_that("a model less than 0.02 from a baseline is level with it", {
  scores <- score_small(split = "ood")
  scores$r2_mean_deg <- ifelse(scores$method == "model", 0.888, 0.884)
  expect_printed(scores, "is level with the additive baseline.*: 0.888 against 0.884")
  scores$r2_mean_deg <- ifelse(scores$method == "model", 0.870, 0.884)
  expect_printed(scores, "is level with the control baseline.*: 0.870 against 0.884")
})

test_that("averages leave out a method that can score nothing, and say so", {
  scores <- score_small(split = "ood")
  scores$r2_mean[scores$method == "additive"] <- NA
  expect_printed(scores, paste0("^[^\n]*\n\nAverages, ood \\(1 of 1 conditions, which all methods but ",
                                      "additive can score\\)\n"))
  twice <- rbind(scores, transform(scores, split = "test"))
  twice$r2_mean[twice$split == "ood" & twice$method == "control"] <- NA
  twice$split <- "ood"
  twice$cell_type <- rep(c("B", "NK"), each = 4)
  expect_printed(twice, "1 of 2 conditions, which all methods but additive can score; control lacks 1\\)")
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
  shown <- printed(scores)
  expect_match(shown, "the model beats the mean baseline .* \\(better in 2 of 2 without an additive", all = FALSE)
  expect_match(shown, "the model beats the additive baseline .* \\(better in 2 of 2\\)", all = FALSE)
  alone <- evaluate_r2(dosed_fit(), cells$x, col_data = cells$col_data, split = "ood", min_cells = 1,
                       baselines = "mean", seed = 1)
  expect_identical(alone$r2_mean[alone$method == "mean"], scores$r2_mean[scores$method == "mean"])
  expect_printed(alone, "the mean baseline .* of 4\\)")
  drug <- evaluate_r2(dosed_fit(), cells$x, col_data = cells$col_data, min_cells = 1,
                      condition = condition(drug = "C"), split = "ood")
  expect_printed(drug, "additive baseline has no score; `baselines = c\\(\"control\", \"mean\"\\)`")
  # Without controls the mean has no score either.
  no_control <- drug
  no_control$r2_mean[no_control$method == "control"] <- NA
  expect_null(words_without_additive(no_control))
  effects <- evaluate_effects(dosed_fit(), cells$x, col_data = cells$col_data, split = "ood", min_cells = 1,
                              baselines = "mean")
  expect_identical(unique(effects$method)[-(1:2)], "mean")
})

test_that("tables that were bound together or lost columns are printed and summed up", {
  scores <- score_small()
  for (lost in c("seen", "split", "n_cells")) {
    shown <- printed(scores[setdiff(names(scores), lost)])
    expect_match(shown[1], "preset \"compert\"")
    expect_match(shown[2], "A tibble")
  }
  whole <- summary(scores[setdiff(names(scores), "split")])
  expect_identical(whole$split, rep(NA_character_, 4))
  expect_identical(whole$n_conditions, rep(3L, 4))
  both <- rbind(score_small(split = "ood"), score_small(split = "test"))
  expect_identical(unique(summary(both)$split), c("ood", "test"))
  expect_equal(summary(both)[5:8, ], summary(scores)[1:4, ])
})

test_that("tables of effects and of cells say their preset as well, and tidy() takes it off", {
  cells <- small_cells()
  score <- function(verb, fit = small_fit(), x = cells$x, ...) verb(fit, x, ..., col_data = cells$col_data)
  first <- function(table) printed(table)[1]
  effects <- score(evaluate_effects, residual = FALSE, n_degs = 20)
  expect_identical(first(effects), paste0(
    "Fold changes of predicted means and their signs, preset \"compert\" with own `residual`: controls of the same ",
    "covariates, at least 6 cells, 20 DEGs, pseudo 1e-05"))
  expect_output(print(effects), "r2_lo.*\n 1 ")
  own <- score(evaluate_cells, min_cells = 3)
  expect_identical(first(own), paste0("r2 of reconstructed cells, preset \"compert\": every cell under its own ",
                                      "condition, at least 3 cells, 50 DEGs, ddof 1"))
  counts <- function(verb) first(score(verb, small_fit(loss = "nb"), cells$counts))
  expect_match(counts(evaluate_effects), ", log-normalised counts, ")
  expect_false(grepl("log-normalised", counts(evaluate_cells)))
  for (verb in list(evaluate_r2, evaluate_effects, evaluate_cells)) {
    none <- printed(score(verb, min_cells = 1e6, split = "ood"))
    expect_match(none[2], "^Left out: 1 with too few cells$")
    expect_match(none[-(1:2)], "^No condition to score in split ood; `min_cells` rules")
    plain <- tidy(score(verb))
    expect_identical(class(plain), c("tbl_df", "tbl", "data.frame"))
    expect_setequal(names(attributes(plain)), c("names", "row.names", "class"))
  }
  bare <- effects[1:2, ]
  attr(bare, "words") <- NULL
  expect_match(first(bare), "A tibble: 2")
})

test_that("lines end at the width, and one cell per condition is scored over all genes", {
  scores <- score_small(split = "ood")
  lines <- capture.output(print(scores, width = 72))
  expect_true(all(nchar(lines[seq_len(match("", lines) - 1L)]) <= 72L))
  at <- grep("^  the model", lines)
  expect_true(all(nchar(lines[at]) <= 72L))
  expect_true(any(grepl("^    [^ ]", lines)))
  scores$r2_mean_deg <- scores$r2_lfc_deg <- NA_real_
  scores$r2_mean <- ifelse(scores$method == "model", 0.9, 0.1)
  expect_printed(scores, "the model beats the additive baseline in r2 of the means of all genes: 0.900 against 0.100")
  expect_printed(scores, "1 of 1 condition without DEGs: they are told by two cells or more, or given in `degs`")
})

test_that("conditions without a score are told with what they lack", {
  cells <- small_cells()
  treated <- cells$col_data$condition != "control"
  none <- evaluate_r2(small_fit(), cells$x[, treated], col_data = cells$col_data[treated, ], min_cells = 2)
  expect_printed(none, "Without a score: [0-9]+ conditions? \\(no control cells of the same covariates\\)")
  expect_no_match(paste(printed(score_small()), collapse = " "), "Without a score")
  expect_null(unscored(none[setdiff(names(none), "note")]))
})

test_that("a table without rows says what keeps conditions out", {
  expect_printed(score_small(min_cells = 1000), "Left out: .* with too few cells\nNo condition to score .*; `min_cells` rules")
})
