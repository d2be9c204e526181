test_that("a fit prints what it was made of", {
  fit <- small_fit()
  text <- paste(format(fit), collapse = "\n")
  n <- table(small_cells()$col_data$split)
  expect_match(text, "<compert_fit> CPA, gauss loss")
  expect_match(text, paste0(n[["train"]], " training, ", n[["test"]], " test, ", n[["ood"]],
                            " ood; 120 genes"))
  expect_match(text, "Perturbations: 1 (IFNb), control \"control\"", fixed = TRUE)
  expect_identical(enumerate(c(letters[1:9], "ctrl"), list(control = "ctrl"), 2L),
                   "9 (a, b and 7 more), control \"ctrl\"")
  expect_match(text, "cell_type \\(3\\)")
  expect_match(text, "3 epochs, best [1-3], .*seed 11")
  expect_output(print(fit), "<compert_fit>")
  expect_identical(nobs(fit), n[["train"]])
})

test_that("summary lists conditions, parameters and scores", {
  s <- summary(small_fit())
  expect_identical(sum(s$conditions$n_cells), ncol(small_cells()$x))
  expect_identical(names(s$conditions), c("cell_type", "condition", "split", "control", "n_cells"))
  expect_gt(s$n_parameters, 1000)
  expect_identical(s$epochs, 3L, ignore_attr = TRUE)
  expect_output(print(s), "Test r2: .*r2_mean_deg.*\\(decoded, epoch [1-3]\\)")
})

test_that("the fit says which kind of counterfactual it predicts", {
  expect_match(residual_words(TRUE), "by difference")
  fit <- small_fit()
  fit$meta$residual <- TRUE
  expect_match(paste(format(fit), collapse = "\n"), "Predicts: +by difference")
  fit$meta$residual <- FALSE
  expect_match(paste(format(fit), collapse = "\n"), "Predicts: +the decoded expression")
})

test_that("what is no whole fit is refused", {
  expect_error(validate_fit(1), "must be a fit made by")
  broken <- small_fit()
  broken$state <- NULL
  expect_error(nobs(broken), "must hold `state`, `meta` and `history`")
  expect_error(new_fit(charToRaw("no model")))
})

test_that("seconds of a resumed history are added up", {
  expect_identical(training_seconds(data.frame(seconds = c(1, 2, 4, 1, 3))), 7)
  expect_identical(training_seconds(data.frame(seconds = c(1, NA))), 1)
})

test_that("the print names what is best on the test cells, no effect among it", {
  scores <- function(model, additive, control) {
    table <- data.frame(method = rep(c("model", "control", "additive"), each = 3L),
                        r2_mean_deg = c(model, control, additive))
    of <- compare_on_shared("r2_mean_deg", table)
    format_test_scores(list(residual = TRUE, test_comparison = list(seen = FALSE, r2_mean_deg = of)))
  }
  all <- rep(1, 3)
  expect_match(scores(0.8 * all, 0.5 * all, 0.2 * all), "DEG r2 0.80 \\(by difference\\), .*0.50, .*: the model is ahead$")
  expect_match(scores(0.8 * all, 0.9 * all, 0.2 * all), "the additive baseline is ahead")
  expect_match(scores(0.8 * all, 0.5 * all, 0.9 * all), "no effect at all (control) is ahead", fixed = TRUE)
  expect_match(scores(0.8 * all, 0.79 * all, 0.2 * all), "the model and the additive baseline are level$")
  expect_match(scores(0.8 * all, 0.81 * all, 0.2 * all), "the additive baseline and the model are level$")
  # What one of them cannot score counts for none of them.
  expect_match(scores(c(1, 1, 0.4), c(NA, NA, 0.5), c(0, 0, 0.1)),
               paste0("DEG r2 0.40 \\(by difference\\), additive baseline 0.50, control 0.10: the additive ",
                      "baseline is ahead \\(1 of 3"))
  expect_no_match(scores(0.8 * all, NA * all, 0.9 * all), "additive")
  of <- list(n = 1, of = 1, model = 0.8, control = 0.1)
  expect_match(format_comparison(of, "DEG r2", "decoded"), "DEG r2 0.80 (decoded), control 0.10: the model",
               fixed = TRUE)
})

test_that("long names are fewer names", {
  x <- list(control = "x")
  expect_identical(enumerate(c(letters[1:8], "x"), x), "8 (a, b, c, d, e, f and 2 more), control \"x\"")
  long <- paste(strrep("long name ", 5), 1:4)
  expect_identical(enumerate(long, x), paste0("4 (", long[1], ", ", long[2], " and 2 more), control \"x\""))
  expect_identical(enumerate(strrep("a", 500), x), paste0("1 (", strrep("a", 500), "), control \"x\""))
})

test_that("print has no line beyond the width of the console", {
  withr::local_options(width = 70)
  fit <- small_fit()
  fit$meta$registry$perturbations <- c(fit$meta$registry$perturbations, paste("a long name", 1:9))
  expect_gt(max(nchar(format(fit))), 70L)
  expect_lte(max(nchar(capture.output(print(fit)))), 70L)
  expect_identical(gsub(" +", " ", paste(capture.output(print(fit)), collapse = " ")),
                   gsub(" +", " ", paste(format(fit), collapse = " ")))
})

test_that("numbers of many perturbations are written as those of cells", {
  expect_identical(enumerate(c("ctrl", sprintf("D%04d", 1:5000)), list(control = "ctrl"), most = 2L),
                   "5,000 (D0001, D0002 and 4,998 more), control \"ctrl\"")
})
