test_that("a trial that fails is recorded, and the search goes on", {
  space <- list(device = c("cpu", "cuda:99"), dim = c(4, 8))
  settings <- cpa_settings(epochs = 2, autoencoder_width = 24, threads = 1, verbose = FALSE)
  dir <- withr::local_tempdir()
  found <- small_search(space = space, settings = settings, trials = 6, dir = dir)
  bad <- found$trials$device == "cuda:99"
  expect_true(any(bad) && !all(bad))
  expect_identical(found$trials$status, ifelse(bad, "failed", "finished"))
  expect_match(found$trials$message[bad], "`device` must be a device that LibTorch can use",
               fixed = TRUE)
  expect_identical(is.na(found$trials$score), bad)
  expect_identical(found$trials$epochs_trained == 0, bad)
  expect_identical(file.exists(trial_file(dir, 1:6, 1, "h5")), !bad)
  expect_output(print(found), paste(sum(bad), "failed"))
  expect_match(found$trials$message[bad][1], "^[^\033\n]*$")
})

test_that("trials that a time limit ends before their first score are failed, and say why", {
  expect_refused(small_search(settings = tuned_settings(max_minutes = 1e-9)),
                 "No epoch was scored; ended by max_minutes[.]")
})

test_that("halving trains the right trials for the right epochs", {
  dir <- withr::local_tempdir()
  found <- small_halving(dir = dir)
  rungs <- split(found$rungs, found$rungs$rung)
  expect_identical(unname(vapply(rungs, nrow, 0L)), c(9L, 3L, 1L))
  expect_identical(lapply(rungs, function(r) unique(r$epochs)), list(`1` = 1L, `2` = 3L, `3` = 9L))
  best_of <- function(rung, n) {
    sort(rung$trial[order(-rung$score)][seq_len(n)])
  }
  expect_identical(rungs[[2]]$trial, best_of(rungs[[1]], 3))
  second <- merge(rungs[[2]], rungs[[1]], by = "trial")
  expect_identical(rungs[[3]]$trial,
                   second$trial[which.max(pmax(second$score.x, second$score.y))])
  expect_identical(found$trials$rung, tabulate(found$rungs$trial, 9))
  expect_identical(found$trials$status, ifelse(found$trials$rung == 3, "finished", "stopped"))
  expect_identical(found$trials$epochs_trained, c(1L, 3L, 9L)[found$trials$rung])
  expect_length(records_in(dir), 13)
})

test_that("a trial trained in rungs is the fit that one run makes", {
  dir <- withr::local_tempdir()
  found <- small_halving(trials = 1, dir = dir)
  whole <- small_search(trials = 1, settings = tuned_settings(9))
  compared <- setdiff(names(run_of(whole$best)), "best")
  last <- load_fit(trial_file(dir, 1, 3, "h5"))
  expect_identical(last$history[compared], whole$best$history[compared])
})

test_that("a trial that stopped by patience is not trained further, but can win", {
  dir <- withr::local_tempdir()
  settings <- tuned_settings(60, patience = 1, best_tolerance = 0)
  found <- small_search(method = "halving", grace = 30, reduction = 2, trials = 3, dir = dir,
                        settings = settings, space = list(autoencoder_lr = c(0.01, 0.02, 1e-9)))
  ended <- found$rungs$trial[found$rungs$rung == 1 & found$rungs$epochs < 30]
  expect_true(length(ended) > 0)
  expect_false(any(found$rungs$trial[found$rungs$rung == 2] %in% ended))
  at_end <- found$trials$status == "finished"
  expect_identical(found$trials$rung[at_end], rep(2L, sum(at_end)))
})

test_that("a trial is worth its best rung, and nothing once it has failed", {
  metric <- read_metric("r2_mean")
  record <- function(rung, value, status = "trained") {
    list(rung = rung, status = status,
         scored = if (!is.na(value)) list(r2_mean = value, r2_mean_deg = NA, epoch = rung))
  }
  up_down <- list(record(1, 0.1), record(2, 0.8), record(3, 0.5))
  expect_identical(trial_best(up_down, metric)[c("rung", "value")], list(rung = 2, value = 0.8))
  expect_identical(trial_best(up_down, metric)$scored$score, 0.8)
  expect_identical(trial_best(up_down, read_metric("-r2_mean"))$rung, 1)
  unscored <- c(up_down, list(record(4, NA)))
  expect_identical(trial_best(unscored, metric)$rung, 2)
  failed <- c(up_down, list(record(4, NA, "failed")))
  expect_identical(trial_best(failed, metric)$value, NA_real_)
})

test_that("only trials that trained to the end of the last rung go on", {
  record <- function(...) list(list(status = "trained", epochs = 5, target = 5, ...))
  expect_true(may_go_on(list(), 5))
  expect_true(may_go_on(record(), 15))
  expect_false(may_go_on(list(utils::modifyList(record()[[1]], list(epochs = 4))), 15))
  expect_false(may_go_on(list(list(status = "failed", target = 5)), 15))
})

test_that("a condition's text on one line has no marks", {
  bullets <- c("One holds.", x = "It is 2.", i = "Write 1.", "!" = "So.")
  caught <- function(f) tryCatch(f(bullets), condition = plain_message)
  for (f in list(cli::cli_warn, cli::cli_abort)) expect_identical(caught(f), "One holds. It is 2. Write 1. So.")
  expect_identical(plain_message(simpleError("`x` must be y\nx It is z\ni Write y")), "`x` must be y It is z Write y")
})

test_that("training that meets values that are not finite is a trial with a message", {
  found <- small_search(space = list(autoencoder_lr = c(1e30, 1e-3)))
  bad <- found$trials$autoencoder_lr == 1e30
  expect_true(any(bad) && !all(bad))
  expect_match(found$trials$message[bad], "not finite")
  expect_true(all(is.na(found$trials$message[!bad])))
})

test_that("Ctrl-C ends the search, not the trial, and nothing is lost", {
  skip_without(.Platform$OS.type != "windows", "signals")
  dir <- withr::local_tempdir()
  record <- file.path(dir, "trial-0001-rung-1.rds")
  space <- list(epochs = c(1, 1e6), dim = c(4, 8))
  drawn <- lapply(1:20, function(seed) draw_trials(new_space(space), 2, seed)$values$epochs)
  seed <- match(list(c(1, 1e6)), drawn)
  settings <- cpa_settings(autoencoder_width = 24, threads = 1, patience = 1e6, verbose = FALSE,
                           device = "cpu")
  # The signal comes when the first trial is there, so it meets the second one.
  system(paste0("(while [ ! -s ", record, " ]; do sleep 0.1; done; sleep 1; kill -INT ",
                Sys.getpid(), ")"), wait = FALSE)
  expect_error(small_search(space = space, trials = 2, seed = seed, dir = dir, settings = settings),
               class = "compert_search_interrupted")
  expect_identical(records_in(dir), basename(record))
})

test_that("without restore_best a trial is worth the weights that its fit ends with", {
  history <- data.frame(epoch = 1:4, r2_mean = c(0.2, 0.9, 0.3, NA), best = c(TRUE, TRUE, FALSE, NA))
  expect_identical(kept_epoch(history, TRUE)$epoch, 2L)
  expect_identical(kept_epoch(history, FALSE)$epoch, 3L)
  expect_null(kept_epoch(history[4, ], FALSE))
  settings <- tuned_settings(8, restore_best = FALSE, patience = 100, best_tolerance = 0)
  found <- small_search(settings = settings, trials = 2, space = list(autoencoder_lr = c(0.05, 0.1)))
  expect_identical(found$trials$best_epoch, c(8L, 8L))
  expect_equal(found$trials$r2_mean[found$best_trial], found$best$history$r2_mean[8])
})

test_that("Ctrl-C while a trial is scored ends the search, and the trial is kept", {
  local_replaced("evaluate_screen", function(...) rlang::interrupt())
  dir <- withr::local_tempdir()
  expect_error(small_search(trials = 2, dir = dir), class = "compert_search_interrupted")
  expect_identical(records_in(dir), "trial-0001-rung-1.rds")
  expect_identical(read_rds(file.path(dir, records_in(dir)))$status, "trained")
})
