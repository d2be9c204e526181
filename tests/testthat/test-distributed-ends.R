# What ends a fit of several processes: a lost one, an error, a time limit, an interrupt.

# Starts a long fit of two processes, does `harm` to the second once there is a checkpoint, and gives
# the error.
harmed_fit <- function(harm, checkpoint) {
  pid <- tempfile()
  train <- in_processes(function(cells, settings, fit_of_group, pid) {
    if (Sys.getenv("RANK") == "1") writeLines(as.character(Sys.getpid()), pid)
    fit_of_group(cells, settings)
  })
  doing <- tempfile()
  writeLines(c(
    "until <- Sys.time() + 60",
    paste0("checkpoint <- ", deparse1(checkpoint)),
    "while (!file.exists(checkpoint) && Sys.time() < until) Sys.sleep(0.1)",
    "Sys.sleep(0.5)",
    paste0("tools::pskill(as.integer(readLines(", deparse1(pid), ")), ", harm, ")")
  ), doing)
  system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(doing)), wait = FALSE)
  settings <- group_settings(epochs = 1e6, patience = 1e6, max_minutes = 2, checkpoint = checkpoint,
                             distributed = TRUE)
  tryCatch(launch_local(train, list(small_cells(), settings, fit_of_group, pid), 2, 1),
           error = function(cnd) cnd)
}

test_that("a killed process ends the others with the epoch and a checkpoint to go on from", {
  skip_without_gloo()
  checkpoint <- withr::local_tempfile(fileext = ".h5")
  start <- Sys.time()
  cnd <- harmed_fit(tools::SIGKILL, checkpoint)
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
  expect_s3_class(cnd, "compert_launch_error")
  text <- gsub("\\s+", " ", conditionMessage(cnd))
  expect_match(text, "Rank 1: it ended without a result \\(killed by signal 9\\)")
  expect_match(text, "Rank 0: .*One was lost in epoch [0-9]+")
  expect_match(text, paste0("last checkpoint is kept.*", checkpoint), perl = TRUE)
  fit <- load_fit(checkpoint)
  more <- resume_fit(fit, small_cells()$x, 1, col_data = small_cells()$col_data, checkpoint = "")
  expect_identical(nrow(more$history), nrow(fit$history) + 1L)
  expect_true(all(is.finite(more$history$loss_reconstruction)))
})

test_that("a process that does not answer is lost after the time given", {
  skip_without_gloo()
  withr::local_envvar(COMPERT_GROUP_TIMEOUT = "4")
  start <- Sys.time()
  cnd <- harmed_fit(tools::SIGSTOP, withr::local_tempfile(fileext = ".h5"))
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
  expect_match(conditionMessage(cnd), "One was lost in\\s+epoch [0-9]+")
})

test_that("a checkpoint may take longer to write than the others would wait for an answer", {
  skip_without_gloo()
  skip_on_os("windows")
  withr::local_envvar(COMPERT_GROUP_TIMEOUT = "4")
  checkpoint <- withr::local_tempfile(fileext = ".h5")
  # Writing to a pipe waits until somebody reads it.
  part <- withr::local_file(paste0(checkpoint, ".part"))
  expect_identical(system2("mkfifo", part), 0L)
  waiting <- file.path(withr::local_tempdir(), "waiting")
  script <- sprintf("while [ ! -e %s ]; do sleep 0.2; done; sleep 9; cat %s > /dev/null", waiting, part)
  reader <- processx::process$new("sh", c("-c", script))
  withr::defer(reader$kill())
  slow <- in_processes(function(cells, settings, fit_of_group, waiting) {
    file.create(waiting)
    fit_of_group(cells, settings)
  })
  settings <- group_settings(epochs = 1, distributed = TRUE, checkpoint = checkpoint)
  start <- Sys.time()
  fit <- launch_local(slow, list(small_cells(), settings, fit_of_group, waiting), 2, 1)
  expect_gt(as.double(Sys.time() - start, units = "secs"), 9)
  expect_identical(nrow(fit$history), 1L)
})

test_that("a process that writes a checkpoint when another is lost is given the time", {
  skip_without_gloo()
  skip_on_os("windows")
  checkpoint <- withr::local_tempfile(fileext = ".h5")
  # A pipe is opened when both sides are there, and holds less than a checkpoint: the first process writes on
  # while its reader ends the second, and for longer then than it has to say its error. It looks for the file.
  part <- withr::local_file(paste0(checkpoint, ".part"))
  expect_identical(system2("mkfifo", part), 0L)
  pid <- withr::local_tempfile()
  read <- withr::local_tempfile(fileext = ".h5")
  script <- sprintf(paste("exec 3< %s; kill -9 $(cat %s); sleep 8; cat <&3 > %s; exec 3<&-;",
                          "until [ -p %s ]; do sleep 0.1; done; : > %s"),
                    part, pid, read, checkpoint, checkpoint)
  reader <- processx::process$new("sh", c("-c", script))
  withr::defer(reader$kill())
  train <- in_processes(function(cells, settings, fit_of_group, pid) {
    if (Sys.getenv("RANK") == "1") writeLines(as.character(Sys.getpid()), pid)
    fit_of_group(cells, settings)
  })
  settings <- group_settings(epochs = 1, distributed = TRUE, checkpoint = checkpoint)
  start <- Sys.time()
  cnd <- tryCatch(launch_local(train, list(small_cells(), settings, fit_of_group, pid), 2, 1),
                  error = function(cnd) cnd)
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
  text <- gsub("\\s+", " ", conditionMessage(cnd))
  expect_match(text, "Rank 1: it ended without a result \\(killed by signal 9\\)")
  expect_match(text, "Rank 0: .*One was lost in epoch 2 .*last checkpoint is kept")
  expect_true(file.exists(checkpoint))
  expect_identical(nrow(load_fit(read)$history), 1L)
})

test_that("a process that ends without a fit is not waited for by those that are at it", {
  skip_without_gloo()
  without <- in_processes(function(cells, settings, fit_of_group, rank) {
    if (Sys.getenv("RANK") == rank) "no fit" else fit_of_group(cells, settings)
  })
  settings <- group_settings(epochs = 1, distributed = TRUE)
  for (rank in 0:1) {
    start <- Sys.time()
    cnd <- tryCatch(launch_local(without, list(small_cells(), settings, fit_of_group, rank), 2, 1),
                    error = function(cnd) cnd)
    expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
    expect_s3_class(cnd, "compert_launch_error")
    expect_match(gsub("\\s+", " ", conditionMessage(cnd)),
                 paste0("Rank ", 1 - rank, ": .*must find all processes.*Rank ", rank,
                        " has ended without this fit .*Let every process make all the fits"))
  }
})

test_that("a time limit within an epoch ends all processes at the same step", {
  skip_without_gloo()
  file <- withr::local_tempfile()
  timed <- in_processes(function(cells, settings, fit_of_group, file) {
    fit <- fit_of_group(cells, settings)
    saveRDS(fit$state, paste0(file, Sys.getenv("RANK")))
    fit
  })
  settings <- group_settings(epochs = 2, batch_size = 2, max_minutes = 1e-4, distributed = TRUE)
  fit <- launch_local(timed, list(small_cells(), settings, fit_of_group, file), 2, 1)
  expect_identical(fit$meta$run$stopped, "max_minutes")
  expect_identical(nrow(fit$history), 0L)
  weights <- function(rank) core_weights(readRDS(paste0(file, rank)))
  expect_identical(weights(1), weights(0))
})

test_that("an error of one process is the error of all", {
  skip_without_gloo()
  second_fails <- in_processes(function() {
    if (Sys.getenv("RANK") == "1") stop("no {cells} here")
    Sys.sleep(600)
  })
  start <- Sys.time()
  expect_error(launch_local(second_fails), "Rank 1: no \\{cells\\} here",
               class = "compert_launch_error")
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
})

test_that("an interrupt of any process ends all with the fit so far", {
  skip_without_gloo()
  # As Ctrl-C does it, from a process of its own while R waits for the fit.
  interrupted <- in_processes(function(cells, settings, fit_of_group) {
    if (Sys.getenv("RANK") == "1") {
      # When training has begun, so that it meets training only.
      system(paste0("(while [ ! -s ", settings$checkpoint, " ]; do sleep 0.1; done; sleep 0.3; ",
                    "kill -INT ", Sys.getpid(), ")"), wait = FALSE)
    }
    tryCatch(fit_of_group(cells, settings), warning = function(cnd) class(cnd)[1])
  })
  settings <- group_settings(epochs = 1e6, patience = 1e6, max_minutes = 2, distributed = TRUE,
                             checkpoint = withr::local_tempfile(fileext = ".h5"))
  expect_identical(launch_local(interrupted, list(small_cells(), settings, fit_of_group), 2, 1),
                   "compert_stopped_interrupt")
})
