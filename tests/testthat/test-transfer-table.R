test_that("what is new in a frozen part is told", {
  cells <- small_cells()
  known <- cells$col_data$cell_type == "B"
  part <- function(keep) {
    list(x = cells$x[, keep], perturbation = "condition", control = "control", covariates = "cell_type",
         split = "split", col_data = cells$col_data[keep, ])
  }
  settings <- cpa_settings(epochs = 1, dim = 4, autoencoder_width = 8, threads = 1, device = "cpu", seed = 2,
                           verbose = FALSE)
  fit <- suppressWarnings(do.call(cpa, c(part(known), list(settings = settings))))
  tune <- function(freeze) {
    do.call(fine_tune, c(list(fit), part(TRUE), list(freeze = freeze, epochs = 1, verbose = FALSE)))
  }
  expect_warning(tuned <- tune(c("decoder", "covariates")),
                 "`freeze` keeps should all come.*values of covariate embeddings.*Leave the part out",
                 class = "compert_frozen_new")
  table <- transfer_table(tuned)
  expect_identical(table$state[table$part == "covariate embeddings"], "partly kept, frozen")
  expect_no_warning(tune("decoder"), class = "compert_frozen_new")
})

test_that("genes that the earlier fit lacks are counted, also those whose names were not kept", {
  report <- function(...) gene_report(list(transfer = list(...)))
  expect_identical(report(matched = 827L, of = 9263L, unmatched = as.list(paste0("g", 1:20)), genes = "match"),
                   paste0("827 of 9,263 genes known to the earlier fit (not: \"g1\", \"g2\", \"g3\", \"g4\", \"g5\", ",
                          "\"g6\" and 8,430 more)."))
  expect_identical(report(matched = 3L, of = 4L, unmatched = list("g1"), genes = "match"),
                   "3 of 4 genes known to the earlier fit (not: \"g1\").")
  expect_identical(report(matched = 4L, of = 4L, unmatched = list(), genes = "match"),
                   "4 of 4 genes known to the earlier fit.")
})
