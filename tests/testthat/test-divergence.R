diverged <- function(...) {
  cells <- small_cells()
  cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split", col_data = cells$col_data,
      settings = quick_settings(2, ...))
}
all_warnings <- function(expr) {
  said <- list()
  withCallingHandlers(expr, warning = function(cnd) {
    said[[length(said) + 1L]] <<- cnd
    tryInvokeRestart("muffleWarning")
  })
  said
}
of_divergence <- function(said) Filter(function(cnd) inherits(cnd, "compert_diverged"), said)

test_that("a fit whose learning rate was far too high says so, once, with the rate", {
  said <- of_divergence(all_warnings(fit <- diverged(autoencoder_lr = 30)))
  expect_length(said, 1L)
  text <- plain_message(said[[1L]])
  expect_match(text, "Training diverged, and the fit is of no use.*times the squared error of 0 for every gene: r2_")
  expect_match(text, "smaller learning rates (`autoencoder_lr` is 30, by default 0.003), or with clip_", fixed = TRUE)
  expect_identical(fit$meta$run$stopped, "epochs")
  # One that goes on from it says so as well.
  cells <- small_cells()
  again <- all_warnings(resume_fit(fit, cells$x, 1, col_data = cells$col_data, verbose = FALSE))
  expect_length(of_divergence(again), 1L)
})

test_that("fits that are hardly trained, and references' fits, are no divergence", {
  for (more in list(list(autoencoder_lr = 1e-7), list(parity = "fb"), list(parity = "theislab", loss_ae = "gauss"))) {
    expect_length(of_divergence(all_warnings(do.call(diverged, more))), 0L)
  }
})

test_that("the weights that are kept are judged", {
  history <- tibble::tibble(epoch = 1:4, r2_mean = c(NA, 0.5, 0.8, -1e6), best = c(FALSE, TRUE, TRUE, FALSE))
  expect_silent(tell_divergence(list(history = history[1, ], meta = list(settings = cpa_settings())), NULL))
  cells <- small_cells()
  screen <- as_screen(cells$x, small_fit()$meta$keys, cells$col_data)
  fit <- list(history = history, meta = list(settings = cpa_settings()))
  expect_silent(tell_divergence(fit, screen))
  fit$meta$settings <- cpa_settings(restore_best = FALSE)
  expect_warning(tell_divergence(fit, screen), class = "compert_diverged")
  # The error of 0: values far from 0 against their spread make it large, and the bound with it.
  error <- error_of_zero(screen, FALSE)
  fit$history$r2_mean[4] <- 1 - 9 * error
  expect_silent(tell_divergence(fit, screen))
  screen$x <- as.matrix(screen$x) + 50
  expect_gt(error_of_zero(screen, FALSE), 10 * error)
  fit$history$r2_mean[4] <- 1 - 11 * error
  expect_silent(tell_divergence(fit, screen))
  counts <- list(x = matrix(rep(c(1, 3), 10), 2), loss = "nb", split = rep("test", 10), control = rep(FALSE, 10),
                 parts = rep(list("A"), 10), doses = rep(list(1), 10), code = rep(1L, 10),
                 covariates = data.frame(row.names = 1:10), keys = list(covariates = character()))
  m <- log1p(c(1, 3))
  expect_equal(error_of_zero(counts, TRUE), sum(m^2) / sum((m - mean(m))^2))
  expect_true(is_log_scored(cpa_settings(loss_ae = "nb")))
  expect_false(is_log_scored(multicpa_settings(loss_ae = "nb", parity = "multicpa")))
})

test_that("advice names the rates above their defaults, where there are some", {
  expect_match(rate_advice(cpa_settings(autoencoder_lr = 1, dosers_lr = 2)),
               "(`autoencoder_lr` is 1, by default 0.003; `dosers_lr` is 2, by default", fixed = TRUE)
  expect_match(rate_advice(cpa_settings()), "^Fit again with smaller learning rates, or")
  expect_match(rate_advice(cpa_settings(clip_grad_norm = 1)), "^Fit again with smaller learning rates, and look")
})
