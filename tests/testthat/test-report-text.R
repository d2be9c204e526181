test_that("names are taken literally", {
  skip_without_package("knitr")
  expect_identical(md("a*b_c <d> [e]"), "a\\*b\\_c \\<d\\> \\[e\\]")
  expect_identical(md_title(c(" a\n---\nb ", "---", "1. x", "- x", "(a) b")),
                   c("a --- b", "\\---", "1\\. x", "\\- x", "(a) b"))
  table <- report_table(data.frame(`a b` = c("<x>", NA), n = c(1000L, 2L), r = c(0.123, -0.001),
                                   far = c(-1936.2, 1), k = c(NA, 1L), check.names = FALSE))
  for (text in c("a b", "&lt;x&gt;", "1,000", "0.12", " 0.00", "-1,936", "> - <")) {
    expect_match(table, text, fixed = TRUE)
  }
  expect_false(grepl("NA", table))
})

test_that("the end of training is told as it was", {
  fit <- small_fit()
  expect_match(report_stop(fit), "^3 epochs ran, all that were planned; ")
  told <- function(stopped, message = "") {
    fit$meta$run[c("stopped", "message")] <- list(stopped, message)
    report_stop(fit)
  }
  expect_match(told("max_minutes"), "^Training stopped after epoch 3, at its limit of time; ")
  expect_match(told("interrupt"), "after epoch 3, interrupted; ")
  expect_match(told("nan", "the loss_kl is not finite"), "after epoch 3: the loss\\_kl is not finite; ", fixed = TRUE)
  fit$history$best <- c(TRUE, FALSE, FALSE)
  expect_match(told("patience"), "since epoch 1 the test cells were scored 2 times in a row .*weights of epoch 1[.]")
  fit$meta$settings$restore_best <- FALSE
  expect_match(report_stop(fit), "weights are the last ones (`restore_best = FALSE`)", fixed = TRUE)
  fit$history$best <- FALSE
  expect_match(report_stop(fit), "no test cells could be scored")
  fit$meta$run <- NULL
  expect_match(report_stop(fit), "^This is a checkpoint, written after epoch 3 ")
  read <- read_reference_fit(system.file("extdata", "reference_cpa.h5", package = "compert"))
  expect_match(report_stop(read), "^Training was done by facebookresearch/CPA; ")
})

test_that("the facts are those of the fit", {
  fit <- small_fit()
  facts <- report_facts(fit)
  expect_identical(facts$what[1:2], c("Model", "Cells"))
  expect_identical(facts$value[1], "CPA, gauss loss")
  expect_false(any(duplicated(facts$what)))
  expect_match(report_subject(list(fit = fit, n_cells = 5)), "5 cells[.]$")
  expect_identical(sum(split_table(fit)$Cells), sum(unlist(fit$meta$n_cells)))
})

test_that("long designs are cut to those with the fewest and the most cells", {
  design <- tibble::tibble(drug = letters, n_cells = 26:1)
  expect_identical(design_rows(design)$drug, c(letters[26:17], letters[10:1]))
  expect_identical(nrow(design_rows(design[1:20, ])), 20L)
  expect_match(defect_list(no_defects()), "no defects")
  expect_match(defect_list(new_defect("x", "A must.", "It is *b*.", "Do.", "warning")),
               "- **warning** A must. It is \\*b\\*. Do.", fixed = TRUE)
})

test_that("covariates with levels, a batch and continuous ones are one list", {
  expect_identical(report_covariates(list(covariates = list(), continuous = list())), "no covariates")
  expect_identical(report_covariates(list(covariates = list(), continuous = list(age = 1))),
                   "the covariate age (continuous)")
  expect_identical(report_covariates(list(covariates = list(type = c("B", "T"), run = "r"), batch = "run",
                                          continuous = list(age = 1))),
                   "the covariates type (2 levels), run (the batch, 1 level), age (continuous)")
})
