# The processes of launch_local(): what they are given, and what is left of them.

test_that("options of this session reach the processes", {
  skip_without_gloo()
  asked <- in_processes(function() list(getOption("compert.in_memory"), getOption("compert.verbose")))
  withr::local_options(compert.in_memory = 12345, compert.verbose = FALSE)
  expect_identical(launch_local(asked), list(12345, FALSE))
  withr::local_options(compert.in_memory = NULL)
  expect_null(launch_local(asked)[[1]])
})

# Interrupts this process when each of `files` is there.
interrupt_at <- function(files, frame = parent.frame()) {
  original <- worker_end
  local_replaced("worker_end", function(group, rank) {
    if (length(files) && file.exists(files[1])) {
      files <<- files[-1]
      tools::pskill(Sys.getpid(), tools::SIGINT)
      for (k in 1:1e5) NULL # R looks for signals
    }
    original(group, rank)
  }, frame)
}

test_that("an interrupt reaches the first process at whatever moment it comes", {
  skip_without_gloo()
  skip_on_os("windows")
  folder <- withr::local_tempdir()
  waits <- in_processes(function(folder) {
    if (Sys.getenv("RANK") != "0") return(NULL)
    tryCatch({
      file.create(file.path(folder, "there"))
      Sys.sleep(120)
      "slept"
    }, interrupt = function(cnd) "interrupted")
  })
  interrupt_at(file.path(folder, "there"))
  expect_identical(tryCatch(launch_local(waits, list(folder)), interrupt = function(cnd) "lost"), "interrupted")
})

test_that("an interrupt that leaves nothing, and a second one, end everything", {
  skip_without_gloo()
  skip_on_os("windows")
  folder <- withr::local_tempdir()
  sleeps <- in_processes(function(folder, deaf) {
    if (Sys.getenv("RANK") != "0") return(NULL)
    sleep <- function(name) {
      file.create(file.path(folder, name))
      Sys.sleep(600)
    }
    if (deaf) tryCatch(sleep("first"), interrupt = function(cnd) sleep("second")) else sleep("first")
  })
  ended <- function(deaf) tryCatch(launch_local(sleeps, list(folder, deaf)), interrupt = function(cnd) "interrupted")
  interrupt_at(file.path(folder, "first"))
  expect_identical(ended(deaf = FALSE), "interrupted")
  unlink(file.path(folder, "first"))
  interrupt_at(file.path(folder, c("first", "second")))
  expect_identical(ended(deaf = TRUE), "interrupted")
  expect_true(file.exists(file.path(folder, "second")))
})

test_that("temporary files of killed processes are removed", {
  skip_without_gloo()
  folders <- withr::local_tempdir()
  second_fails <- in_processes(function(folders) {
    rank <- Sys.getenv("RANK")
    writeLines("much", tempfile())
    writeLines(tempdir(), file.path(folders, rank))
    if (rank == "0") Sys.sleep(600)
    until <- Sys.time() + 60
    while (!file.exists(file.path(folders, "0")) && Sys.time() < until) Sys.sleep(0.1)
    stop("no more")
  })
  expect_error(launch_local(second_fails, list(folders)), "Rank 1: no more")
  used <- vapply(file.path(folders, 0:1), readLines, "")
  expect_length(unique(used), 2)
  expect_false(any(used == tempdir()))
  expect_identical(unname(dir.exists(used)), c(FALSE, FALSE))
})

test_that("processes end with the R that started them, though it was killed", {
  skip_without_gloo()
  folder <- withr::local_tempdir()
  job <- file.path(folder, "job.rds")
  live <- in_processes(function(folder) {
    until <- Sys.time() + 120
    while (Sys.time() < until) {
      cat("x", file = file.path(folder, Sys.getenv("RANK")), append = TRUE)
      Sys.sleep(0.1)
    }
  })
  saveRDS(list(live, folder), job)
  code <- c(paste0(".libPaths(", deparse1(.libPaths()), ")"),
            paste0("job <- readRDS(", deparse1(job), ")"),
            "compert::launch_local(job[[1]], job[2], threads = 1)")
  script <- withr::local_tempfile(lines = code)
  launching <- processx::process$new(file.path(R.home("bin"), "Rscript"), c("--vanilla", script))
  withr::defer(launching$kill())
  beats <- function() file.size(file.path(folder, 0:1))
  wait_until <- function(done, seconds) {
    until <- Sys.time() + seconds
    while (!done() && Sys.time() < until) Sys.sleep(0.2)
    done()
  }
  expect_true(wait_until(function() !anyNA(beats()), 60))
  launching$kill()
  at_rest <- function() {
    before <- beats()
    Sys.sleep(2)
    identical(beats(), before)
  }
  expect_true(wait_until(at_rest, 30))
})

test_that("the script for SLURM can be submitted again after its last epoch", {
  skip_without_gloo()
  skip_without_package("SingleCellExperiment")
  withr::local_dir(withr::local_tempdir())
  withr::local_envvar(SLURM_PROCID = "0", SLURM_NTASKS = "1", RANK = NA, WORLD_SIZE = NA)
  withr::local_options(compert.verbose = FALSE)
  script <- readLines(system.file("scripts", "fit_slurm.R", package = "compert"))
  submit <- function(epochs) {
    script[startsWith(script, "epochs <-")] <- paste("epochs <-", epochs)
    script[startsWith(script, "cells <-")] <- "cells <- kang_example()[1:60, seq(1, 1975, 4)]"
    unlink("fit.h5")
    suppressMessages(eval(parse(text = script), new.env(parent = globalenv())))
    load_fit("fit.h5")
  }
  fit <- submit(2)
  expect_identical(fit$history$epoch, 1:2)
  expect_identical(submit(2)$history, fit$history)
  expect_identical(submit(3)$history$epoch, 1:3)
})
