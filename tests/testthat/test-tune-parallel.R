# BiocParallel abbreviates arguments of base R, which tests/testthat/setup.R warns of.
skip_without_biocparallel <- function(env = parent.frame()) {
  skip_without_package("BiocParallel")
  withr::local_options(warnPartialMatchArgs = FALSE, .local_envir = env)
}

test_that("two processes make the table that one makes", {
  skip_without_biocparallel()
  two <- BiocParallel::SnowParam(2)
  alone <- small_halving()
  expect_identical(same_part(small_halving(BPPARAM = two)), same_part(alone))
  expect_false(BiocParallel::bpisup(two))
  expect_identical(BiocParallel::bptasks(two), 0L)
  expect_identical(same_part(small_halving(BPPARAM = BiocParallel::SerialParam())),
                   same_part(alone))
})

test_that("processes that were started stay, containers travel, R's stream is left alone", {
  skip_without_biocparallel()
  skip_without_package("SingleCellExperiment")
  two <- BiocParallel::SnowParam(2)
  BiocParallel::bpstart(two)
  withr::defer(BiocParallel::bpstop(two))
  dir <- withr::local_tempdir()
  withr::local_seed(1)
  before <- .Random.seed
  found <- small_search(x = small_sce(), col_data = NULL, trials = 2, dir = dir, BPPARAM = two)
  expect_identical(.Random.seed, before)
  expect_true(BiocParallel::bpisup(two))
  expect_identical(same_part(small_search(x = small_sce(), col_data = NULL, trials = 2)),
                   same_part(found))
  expect_identical(list.files(dir, "^[.]", all.files = TRUE, no.. = TRUE), character())
})

test_that("a process that can't do its work ends the search with one error", {
  skip_without_biocparallel()
  dir <- withr::local_tempdir()
  two <- BiocParallel::SnowParam(2)
  worker <- function(folder) {
    search <- list(param = two, call = rlang::current_env())
    run_jobs(list(list(data = list(), from = file.path(dir, "none.h5"), dir = folder, trial = 1,
                       rung = 1)), search)
  }
  expect_identical(worker(dir)[[1]]$status, "failed")
  expect_refused(worker(file.path(dir, "gone")), "must come back from its process.*`dir` must be")
})

test_that("processes that fork are refused, and what is no backend", {
  expect_refused(check_backend(2), "`BPPARAM` must be `NULL` or a parameter object")
  skip_without_package("BiocParallel")
  skip_without(.Platform$OS.type != "windows", "forked processes")
  expect_refused(check_backend(BiocParallel::MulticoreParam(2)), "MulticoreParam.*SnowParam")
  expect_refused(check_backend(BiocParallel::SnowParam(2, type = "FORK")), "fresh processes")
  expect_silent(check_backend(BiocParallel::SnowParam(2)))
  expect_silent(check_backend(NULL))
})

test_that("a search in this process leaves LibTorch's threads as they were", {
  core_set_threads(2L)
  withr::defer(core_set_threads(1L))
  small_search(trials = 1, space = list(dim = 4))
  expect_identical(attr(device_info(), "threads"), 2L)
})

test_that("SerialParam() leaves threads as they were, and no cells behind", {
  skip_without_biocparallel()
  core_set_threads(2L)
  withr::defer(core_set_threads(1L))
  small_search(trials = 1, space = list(dim = 4), BPPARAM = BiocParallel::SerialParam())
  expect_identical(attr(device_info(), "threads"), 2L)
  expect_identical(ls(tuning_cache), character())
})

test_that("a search in this process writes lines into a log, a minute apart at least", {
  withr::local_options(cli.dynamic = FALSE, compert.verbose = NULL)
  now <- 0
  local_replaced("run_trial", function(job) {
    now <<- now + job$takes
    job$rung
  })
  jobs <- lapply(c(30, 30, 59, 61, 90), function(takes) list(rung = 2, takes = takes))
  lines <- character()
  records <- withCallingHandlers(run_here(jobs, NULL, function() now), message = function(m) {
    lines <<- c(lines, conditionMessage(m))
    invokeRestart("muffleMessage")
  })
  expect_identical(records, as.list(rep(2, 5)))
  expect_identical(lines, paste0("Trials of rung 2: ", c(2, 4), " of 5 done."))
  expect_silent(run_here(jobs, FALSE, function() now))
})
