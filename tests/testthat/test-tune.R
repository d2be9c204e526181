test_that("a search returns its trials, and the best fit of them", {
  found <- small_search()
  expect_s3_class(found, "compert_tuning")
  expect_s3_class(found$best, "compert_fit")
  trials <- found$trials
  expect_identical(names(trials), c(
    "trial", "dim", "autoencoder_lr", "seed", "rung", "epochs_trained", "best_epoch", "score", "r2_mean",
    "r2_mean_deg", "r2_var", "r2_var_deg", "status", "message", "seconds"))
  expect_identical(trials$trial, 1:4)
  expect_true(all(trials$dim %in% c(4, 8)))
  expect_true(all(trials$autoencoder_lr >= 1e-3 & trials$autoencoder_lr <= 1e-2))
  expect_identical(anyDuplicated(trials$seed), 0L)
  expect_equal(trials$score, (trials$r2_mean + trials$r2_mean_deg) / 2)
  expect_identical(found$best_trial, which.max(trials$score))
  expect_null(found$dir)
})

test_that("the best settings give the best fit again, by cpa()", {
  found <- small_search()
  cells <- small_cells()
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control", covariates = "cell_type",
                              split = "split", col_data = cells$col_data,
                              settings = found$best_settings))
  expect_identical(run_of(fit), run_of(found$best))
  expect_identical(found$best_settings$seed, found$trials$seed[found$best_trial])
})

test_that("without a split all trials are compared on the same test cells", {
  found <- small_search(split = NULL, settings = tuned_settings(1))
  expect_identical(found$trials$seed, rep(1L, 4))
  longer <- resume_fit(found$best, small_cells()$x, 1, col_data = small_cells()$col_data,
                       verbose = FALSE)
  expect_identical(nrow(longer$history), 2L)
})

test_that("the seed is the user's, that of the settings, or drawn from R's stream", {
  by_seed <- small_search(trials = 2)
  withr::with_seed(9, {
    before <- .Random.seed
    expect_identical(same_part(small_search(trials = 2)), same_part(by_seed))
    expect_identical(.Random.seed, before)
  })
  fixed <- small_search(trials = 2, seed = NULL, settings = tuned_settings(seed = 1))
  expect_identical(fixed$seed, 1L)
  expect_identical(fixed$trials$seed, c(1L, 1L))
  expect_identical(fixed$trials$dim, by_seed$trials$dim)
  drawn <- function() withr::with_seed(3, small_search(trials = 1, seed = NULL)$seed)
  expect_identical(drawn(), drawn())
})

test_that("a search on a sample of the cells", {
  found <- small_search(trials = 2, sample_cells = 120)
  expect_identical(sum(unlist(found$best$meta$n_cells)), 120L)
  expect_identical(same_part(small_search(trials = 2, sample_cells = 120)), same_part(found))
  expect_output(print(found), "on 120 cells")
})

test_that("other metrics choose other trials", {
  by_loss <- small_search(metric = "-loss_reconstruction")
  expect_identical(by_loss$best_trial, which.min(by_loss$trials$loss_reconstruction))
  expect_refused(small_search(metric = "loss_adv_covariates"), "is not there without `reg_adversary`")
  expect_refused(small_search(metric = "loss_adv_covariates", space = list(reg_adversary = 0)),
                 "is missing in all of them")
  expect_refused(small_search(metric = "accuracy"), "`metric` must be one of \"score\"")
})

test_that("a search that goes on in its folder ends like one that was never broken off", {
  whole <- small_halving()
  dir <- withr::local_tempdir()
  small_halving(dir = dir)
  unlink(file.path(dir, c("trial-0002-rung-1.rds", "trial-0005-rung-1.h5")))
  unlink(list.files(dir, "rung-[23]", full.names = TRUE))
  expect_length(records_in(dir), 8)
  expect_identical(same_part(small_halving(dir = dir)), same_part(whole))
  expect_length(records_in(dir), 13)
})

test_that("more trials, or another metric, go on from the trials that are there", {
  dir <- withr::local_tempdir()
  few <- small_search(trials = 2, dir = dir)
  more <- small_search(trials = 4, dir = dir, metric = "-loss_reconstruction")
  expect_identical(more$trials$seconds[1:2], few$trials$seconds)
  expect_identical(same_part(more), same_part(small_search(metric = "-loss_reconstruction")))
})

test_that("a killed search goes on to the same table", {
  skip_without(.Platform$OS.type != "windows", "signals")
  dir <- withr::local_tempdir()
  folder <- file.path(dir, "search")
  saveRDS(small_cells(), file.path(dir, "cells.rds"))
  search <- quote(tune_fit(
    cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
    col_data = cells$col_data, space = list(autoencoder_lr = log_uniform(1e-3, 1e-2)),
    trials = 9, seed = 1, method = "halving", grace = 10, reduction = 3, dir = folder,
    settings = cpa_settings(epochs = 90, autoencoder_width = 24, batch_size = 8, patience = 1e6,
                            threads = 1, device = "cpu", verbose = FALSE)))
  script <- file.path(dir, "search.R")
  writeLines(c(
    paste0(".libPaths(", deparse1(.libPaths()), ")"),
    "library(compert)",
    paste0("cells <- readRDS(", deparse1(file.path(dir, "cells.rds")), ")"),
    paste0("folder <- ", deparse1(folder)),
    paste0("writeLines(as.character(Sys.getpid()), ", deparse1(file.path(dir, "pid")), ")"),
    deparse(search)
  ), script)
  system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)), wait = FALSE,
          stdout = FALSE, stderr = FALSE)
  until <- Sys.time() + 60
  while (length(records_in(folder)) < 3 && Sys.time() < until) Sys.sleep(0.02)
  tools::pskill(as.integer(readLines(file.path(dir, "pid"))), tools::SIGKILL)
  Sys.sleep(0.2)
  left <- length(records_in(folder))
  expect_gte(left, 3)
  expect_lt(left, 13)

  cells <- small_cells()
  resumed <- eval(search)
  expect_length(records_in(folder), 13)
  folder <- NULL
  expect_identical(same_part(resumed), same_part(eval(search)))
})

test_that("what a search says, it says once", {
  loud <- cpa_settings(epochs = 1, autoencoder_width = 24, threads = 1, device = "cpu")
  said <- testthat::capture_messages(small_search(trials = 3, settings = loud))
  expect_length(said, 2)
  expect_match(said[2], "3 trials of dim, autoencoder_lr; each in full; seed 1 of the search")
  dir <- withr::local_tempdir()
  said <- testthat::capture_messages(expect_error(
    small_search(trials = 2, settings = loud, metric = "loss_adv_covariates", dir = dir,
                 space = list(reg_adversary = 0))))
  expect_match(said[3], "2 records of finished trials are in .* The same call")
  dir <- withr::local_tempdir()
  for (k in 1:2) said <- testthat::capture_messages(small_search(trials = 2, settings = loud, dir = dir))
  expect_length(said, 2)
  expect_match(said[2], "seed 1 of the search.*2 records of finished trials in .* are used")
})

test_that("wrong inputs are refused before the first trial", {
  dir <- withr::local_tempfile()
  search <- function(...) small_search(dir = dir, ...)
  expect_refused(search(trials = 0), "`trials` must be one whole number")
  expect_refused(search(method = "grid"), "`method` must be one of \"random\", \"halving\"")
  expect_refused(search(space = list()), "`space` must be a list")
  expect_refused(search(space = list(dims = 4)), "Entries of a search space must be settings.*no setting \"dims\".*Did you mean \"dim\"")
  expect_refused(search(settings = list(epochs = 1)), paste0("must come from `cpa_settings\\(\\)`, `chemcpa_settings\\(\\)`, ",
                                                     "`multicpa_settings\\(\\)` or `scgen_settings"))
  expect_refused(search(settings = tuned_settings(dim = 4)), "either fixed or searched")
  expect_refused(search(grace = 2), "`grace` must be left out")
  expect_refused(search(sample_cells = "all"), "`sample_cells` must be one whole number")
  expect_refused(search(seed = -1), "`seed` must be one whole number")
  expect_refused(search(BPPARAM = 2), "`BPPARAM` must be")
  expect_refused(search(split = "part"), "There is no column \"part\"")
  expect_refused(search(worker = 2), "There is no argument `worker`")
  expect_false(file.exists(dir))
  expect_refused(tune_fit(small_cells()$x, "condition", col_data = small_cells()$col_data),
                 "`control` must name the control")
})

test_that("a search by features of the perturbations", {
  molecules <- rbind(IFNb = c(1, 0.5))
  found <- small_search(molecules = molecules, trials = 2)
  expect_identical(found$trials$status, c("finished", "finished"))
  expect_identical(found$best$meta$registry$n_features, 2L)
  expect_refused(small_search(molecules = rbind(other = 1), trials = 2), "It lacks \"IFNb\"")
})
