varied <- function() {
  list(dim = c(4, 8, 16), autoencoder_lr = log_uniform(1e-4, 1e-2),
       reg_adversary = uniform(0, 10), autoencoder_depth = integer_uniform(1, 3),
       doser_type = c("sigm", "linear"))
}

test_that("each setting has its panel with its own axis, and the best trial is marked", {
  skip_without_package("ggplot2")
  found <- small_search(space = varied(), trials = 5, settings = tuned_settings(1))
  p <- ggplot2::autoplot(found)
  expect_s3_class(p, "ggplot")
  expect_identical(levels(p$data$setting), names(varied()))
  built <- ggplot2::ggplot_build(p)
  expect_identical(as.character(built$layout$layout$setting), names(varied()))
  points <- built$data[[2]]
  expect_identical(unname(c(table(points$PANEL))), rep(5L, 5))
  best <- built$data[[3]]
  expect_identical(as.integer(best$PANEL), 1:5)
  expect_identical(unique(best$y), max(found$trials$score))
  expect_match(p$labels$subtitle, paste0("trial ", found$best_trial, ", the best of 5"))
  labels <- lapply(built$layout$panel_params, function(panel) {
    shown <- panel$x$get_labels()
    shown[nzchar(shown)]
  })
  expect_identical(labels[[1]], c("4", "8", "16"))
  expect_identical(labels[[2]][c(1, length(labels[[2]]))], c("1e-04", "0.01"))
  expect_identical(labels[[4]], c("1", "2", "3"))
  expect_identical(labels[[5]], c("sigm", "linear"))
  withr::local_pdf(NULL)
  expect_s3_class(plot(found), "ggplot")
})

test_that("axes are linear, logarithmic or one place per choice", {
  log <- setting_axis(log_uniform(1e-4, 1e-2), 3)
  expect_equal(log$place(c(1e-4, 1e-3, 1e-2)), c(30, 30.5, 31))
  expect_true(all(c("1e-04", "0.001", "0.01") %in% log$labels))
  expect_equal(setting_axis(uniform(0, 10), 1)$place(c(0, 5, 10)), c(10, 10.5, 11))
  expect_identical(setting_axis(integer_uniform(1, 3), 1)$labels, c("1", "2", "3"))
  choice <- setting_axis(c("b", "a"), 2)
  expect_equal(choice$place(c("a", "b")), c(20.92, 20.08))
  expect_identical(setting_axis("only", 1)$place("only"), 10.5)
  axes <- list(setting_axis(1:2, 1), setting_axis(3:4, 2))
  expect_identical(axis_of(axes, c(19.95, 21.05))$labels, c("3", "4"))
  expect_null(axis_of(axes, c(0, 1)))
  expect_identical(axis_labels(axes, c(NA, 20.08, 20.5)), c("", "3", ""))
})

test_that("labels of an axis do not meet", {
  expect_equal(log_ticks(4e-4, 1e-2), c(1e-3, 1e-2))
  expect_equal(log_ticks(2e-3, 2e-2), grDevices::axisTicks(log10(c(2e-3, 2e-2)), TRUE, nint = 4L))
  expect_identical(setting_axis(log_uniform(4e-4, 1e-2), 1)$labels, c("0.001", "0.01"))
  expect_identical(few_ticks(c(0, 5, 10)), c(0, 5, 10))
  expect_equal(few_ticks(seq(0.001, 0.008, 0.001)), c(0.001, 0.005))
  expect_equal(few_ticks(10^(-8:0)), 10^c(-8, -4, 0))
})

test_that("failed trials are not drawn, those that stopped are told apart", {
  skip_without_package("ggplot2")
  found <- small_halving()
  found$trials$status[2] <- "failed"
  p <- ggplot2::autoplot(found)
  expect_false(2L %in% p$data$trial)
  expect_setequal(p$data$status, c("finished", "stopped"))
  expect_match(p$labels$subtitle, "(1 failed)", fixed = TRUE)
  expect_error(ggplot2::autoplot(found, colour = 1), "no argument `colour`")
})

test_that("a trial that diverged leaves the others apart", {
  skip_without_package("ggplot2")
  found <- small_search(space = varied(), trials = 5, settings = tuned_settings(1))
  worst <- setdiff(found$trials$trial, found$best_trial)[1]
  found$trials$score[worst] <- -8321
  p <- ggplot2::autoplot(found)
  expect_identical(unique(p$data$trial[p$data$off]), worst)
  expect_identical(unique(p$data$value[p$data$off]), -1)
  expect_identical(unique(ggplot2::ggplot_build(p)$data[[2]]$shape[p$data$off]), 17)
  found$trials$score <- -seq(10, 50, 10)
  expect_false(any(ggplot2::autoplot(found)$data$off))
})
