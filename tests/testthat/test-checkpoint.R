# A fit that dies leaves its last checkpoint.

test_that("a killed R process leaves a checkpoint that predicts and goes on", {
  skip_without(.Platform$OS.type != "windows", "signals")
  folder <- withr::local_tempdir()
  cells <- small_cells()
  saveRDS(cells, file.path(folder, "cells.rds"))
  checkpoint <- file.path(folder, "checkpoint.h5")
  script <- file.path(folder, "train.R")
  writeLines(c(
    paste0(".libPaths(", deparse1(.libPaths()), ")"),
    "library(compert)",
    paste0("cells <- readRDS(", deparse1(file.path(folder, "cells.rds")), ")"),
    paste0("writeLines(as.character(Sys.getpid()), ", deparse1(file.path(folder, "pid")), ")"),
    "fit <- cpa(cells$x, 'condition', control = 'control', covariates = 'cell_type',",
    "  split = 'split', col_data = cells$col_data, settings = cpa_settings(epochs = 1e6, dim = 8,",
    "  autoencoder_width = 24, batch_size = 32, checkpoint_freq = 1, patience = 1e6, threads = 1,",
    "  max_minutes = 2,",
    paste0("  device = 'cpu', seed = 1, verbose = FALSE, checkpoint = ", deparse1(checkpoint), "))")
  ), script)
  system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)), wait = FALSE,
          stdout = FALSE, stderr = FALSE)
  until <- Sys.time() + 60
  while (!file.exists(checkpoint) && Sys.time() < until) Sys.sleep(0.1)
  expect_true(file.exists(checkpoint))
  Sys.sleep(0.5)
  pid <- as.integer(readLines(file.path(folder, "pid")))
  tools::pskill(pid, tools::SIGKILL)
  Sys.sleep(0.2)

  fit <- load_fit(checkpoint)
  expect_match(format(fit), "seed 1; from a checkpoint$", all = FALSE)
  expect_gt(nrow(fit$history), 0)
  asked <- condition(condition = "IFNb", cell_type = "NK")
  answer <- predict(fit, cells$x, asked, col_data = cells$col_data)
  expect_true(all(is.finite(as.matrix(answer))))
  more <- resume_fit(fit, cells$x, epochs = 1, col_data = cells$col_data)
  expect_identical(nrow(more$history), nrow(fit$history) + 1L)
  expect_identical(more$meta$run$stopped, "epochs")
})

checkpointed <- function(file, ...) quick_settings(2, checkpoint = file, ...)

test_that("a checkpoint that can't be written is refused before the first epoch", {
  folder <- withr::local_tempdir()
  file <- file.path(folder, "below", "fit.h5")
  expect_refused(small_fit(settings = checkpointed(file)), "`checkpoint` must be .*does not exist")
  expect_refused(small_fit(settings = checkpointed(folder)), "is a folder")
  expect_refused(resume_fit(small_fit(), small_cells()$x, 1, col_data = small_cells()$col_data,
                            checkpoint = file), "does not exist")
})

test_that("a file that is no fit stays, a fit is replaced", {
  file <- withr::local_tempfile(fileext = ".txt")
  writeLines("my thesis", file)
  expect_refused(small_fit(settings = checkpointed(file)), "holds something else")
  expect_identical(readLines(file), "my thesis")
  unlink(file)
  small_fit(settings = checkpointed(file))
  small_fit(settings = checkpointed(file, patience = 7))
  expect_identical(load_fit(file)$meta$settings$patience, 7L)
})

test_that("a checkpoint that can't be written any more costs nothing but itself", {
  folder <- withr::local_tempdir()
  file <- file.path(folder, "fit.h5")
  dir.create(file.path(folder, "fit.h5.part", "in", "the way"), recursive = TRUE)
  cells <- small_cells()
  fit <- function(settings) {
    cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
        col_data = cells$col_data, settings = settings)
  }
  expect_warning(made <- fit(checkpointed(file)), "from epoch 1 on", class = "compert_no_checkpoint")
  expect_identical(made$history$loss_reconstruction, fit(quick_settings(2))$history$loss_reconstruction)
  expect_false(file.exists(file))
})
