test_that("print shows the best trials, tidy all of them", {
  found <- small_halving()
  expect_identical(tidy(found), found$trials)
  lines <- capture.output(invisible(print(found)))
  expect_match(lines[1], "<compert_tuning> 9 trials of dim, autoencoder_lr; seed 1", fixed = TRUE)
  expect_match(lines[2], "halving at 1, 3, 9 epochs; 1 finished, 8 stopped", fixed = TRUE)
  expect_match(lines[3], paste0("trial ", found$best_trial, ", score = "))
  expect_length(lines, 4 + 5)
  ranked <- order(-found$trials$score)[1:5]
  expect_identical(as.integer(sub("^ *([0-9]+) .*", "\\1", lines[5:9])), ranked)
  expect_length(capture.output(print(found, n = 2)), 4 + 2)
})

test_that("of equal trials the first is the best", {
  found <- small_search(space = list(dim = 4), trials = 3, split = NULL,
                        settings = tuned_settings(1))
  expect_identical(unique(found$trials$score), found$trials$score[1])
  expect_identical(found$best_trial, 1L)
})

test_that("a search without one good trial is an error with its reasons", {
  settings <- cpa_settings(epochs = 1, autoencoder_width = 24, threads = 1, verbose = FALSE)
  parts <- expect_refused(small_search(space = list(device = "cuda:99"), settings = settings),
                          "4 of 4 trials failed.*Trial 1: `device` must be a device")
  expect_length(parts$given, 2)
})

test_that("the number of epochs is searched like any other setting", {
  settings <- cpa_settings(autoencoder_width = 24, batch_size = 32, checkpoint_freq = 1, verbose = FALSE)
  found <- small_search(space = list(epochs = 1:2), trials = 4, settings = settings)
  expect_setequal(found$trials$epochs, 1:2)
  expect_equal(found$trials$epochs_trained, found$trials$epochs)
  expect_identical(found$best_settings$epochs, as.integer(found$trials$epochs[found$best_trial]))
  expect_output(print(found), "epochs +epochs_trained +score")
  skip_without_package("ggplot2")
  expect_false(anyNA(ggplot2::autoplot(found)$data$position))
})

test_that("the best fit is that of the best rung", {
  dir <- withr::local_tempdir()
  found <- small_halving(dir = dir)
  trial <- found$best_trial
  rungs <- found$rungs[found$rungs$trial == trial, ]
  at <- rungs$rung[which.max(rungs$score)]
  expect_identical(found$best, load_fit(trial_file(dir, trial, at, "h5")))
  kept <- last_scores(found$best$history)
  expect_identical((kept$r2_mean + kept$r2_mean_deg) / 2, found$trials$score[trial])
  expect_identical(kept$epoch, found$trials$best_epoch[trial])
})
