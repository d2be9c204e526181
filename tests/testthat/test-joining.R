# Processes that look for each other end in time, and at Ctrl-C, whatever answers or does not.

# A process of a group, by itself, as torchrun or a shell starts it; its output lies in `file`.
start_rank <- function(rank, size, port, seconds, file, more = character(), fits = 1) {
  script <- paste0(file, ".R")
  writeLines(c(
    paste0(".libPaths(", deparse1(.libPaths()), ")"),
    "library(compert)",
    "cells <- kang_example()",
    "cells <- cells[1:50, seq(1, ncol(cells), 8)]",
    "settings <- cpa_settings(epochs = 1, dim = 4, autoencoder_width = 8, seed = 1, threads = 1,",
    "                         distributed = TRUE, verbose = FALSE)",
    paste0("for (k in seq_len(", fits, ")) said <- tryCatch(suppressWarnings("),
    "  cpa(cells, \"condition\", control = \"control\", covariates = \"cell_type\", split = \"split\",",
    "      settings = settings)), error = conditionMessage)",
    "cat(\"said:\", if (is.list(said)) \"fit\" else gsub(\"\\\\s+\", \" \", said))"
  ), script)
  variables <- c("current", RANK = rank, WORLD_SIZE = size, MASTER_ADDR = "127.0.0.1",
                 MASTER_PORT = port, COMPERT_GROUP_TIMEOUT = seconds,
                 COMPERT_JOIN_TIMEOUT = 12 * seconds, OMP_NUM_THREADS = 1, more)
  processx::process$new(file.path(R.home("bin"), "Rscript"), c("--vanilla", script), env = variables,
                        stdout = file, stderr = "2>&1")
}

# What it said at its end, if it came to that in time.
said_by <- function(process, file, seconds) {
  process$wait(1000 * seconds)
  if (process$is_alive()) return("still there")
  paste(readLines(file, warn = FALSE), collapse = " ")
}

wait_for_server <- function(port) {
  until <- Sys.time() + 120
  repeat {
    con <- tryCatch(suppressWarnings(socketConnection(port = port, timeout = 2)),
                    error = function(cnd) NULL)
    if (!is.null(con)) return(close(con))
    if (Sys.time() > until) stop("nobody listens")
    Sys.sleep(0.2)
  }
}

skip_without_processes <- function() {
  skip_without_gloo()
  skip_without_package("SingleCellExperiment")
}

test_that("a program in the place of the first process that says nothing holds nobody up", {
  skip_without_processes()
  port <- free_port()
  silent <- serverSocket(port)
  withr::defer(try(close(silent), silent = TRUE))
  files <- c(withr::local_tempfile(), withr::local_tempfile())
  interrupted <- start_rank(1, 2, port, 50, files[1])
  withr::defer(interrupted$kill())
  expect_true(socketSelect(list(silent), timeout = 120))
  Sys.sleep(1)
  interrupted$interrupt()
  expect_match(said_by(interrupted, files[1], 20),
               "must find all processes.*Interrupted while waiting for rank 0")
  # What the first one left in the queue; the next one stays there.
  close(silent)
  silent <- serverSocket(port)
  left <- start_rank(1, 2, port, 1, files[2])
  withr::defer(left$kill())
  expect_true(socketSelect(list(silent), timeout = 120))
  Sys.sleep(1)
  # LibTorch's own thread ended R when such a connection was cut.
  close(silent)
  expect_match(said_by(left, files[2], 90), "must find all processes.*Rank 0 does not answer: ")
})

test_that("a first process that stops answering is not waited for without end", {
  skip_without_processes()
  port <- free_port()
  files <- c(withr::local_tempfile(), withr::local_tempfile())
  # A third one never comes.
  first <- start_rank(0, 3, port, 2, files[1])
  withr::defer(first$kill())
  second <- start_rank(1, 3, port, 2, files[2])
  withr::defer(second$kill())
  wait_for_server(port)
  Sys.sleep(2)
  first$suspend()
  expect_match(said_by(second, files[2], 60), "must find all processes.*Rank 0 does not answer")
})

test_that("a first process that has ended after one fit is not waited for to begin the next", {
  skip_without_processes()
  port <- free_port()
  files <- c(withr::local_tempfile(), withr::local_tempfile())
  first <- start_rank(0, 2, port, 20, files[1])
  withr::defer(first$kill())
  second <- start_rank(1, 2, port, 20, files[2], fits = 2)
  withr::defer(second$kill())
  expect_match(said_by(first, files[1], 120), "said: fit$")
  # It would wait for 240 seconds if the first one had not been there yet. It may have met the end of its server.
  expect_match(said_by(second, files[2], 60),
               "must find all processes.*Rank 0 does not answer: Connection (refused|reset)")
})

test_that("processes meet where torchrun serves, which may start them again", {
  skip_without_processes()
  port <- free_port()
  files <- c(withr::local_tempfile(), withr::local_tempfile(), withr::local_tempfile())
  # In torchrun's place: it serves, and waits for another one that never comes.
  starter <- start_rank(0, 2, port, 50, files[1])
  withr::defer(starter$kill())
  wait_for_server(port)
  by_torchrun <- c(TORCHELASTIC_USE_AGENT_STORE = "True", TORCHELASTIC_RESTART_COUNT = "1")
  first <- start_rank(0, 2, port, 50, files[2], by_torchrun)
  withr::defer(first$kill())
  second <- start_rank(1, 2, port, 50, files[3], by_torchrun)
  withr::defer(second$kill())
  expect_match(said_by(first, files[2], 120), "said: fit$")
  expect_match(said_by(second, files[3], 120), "said: fit$")
})
