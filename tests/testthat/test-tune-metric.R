test_that("metrics are the score or columns of the history", {
  expect_identical(read_metric("-loss_reconstruction")[-1],
                   list(column = "loss_reconstruction", sign = -1))
  expect_true(all(setdiff(tuning_metrics(), "score") %in% names(multi_fit()$history)))
  expect_refused(read_metric("r2_means"), "Write metric = \"r2_mean\"\\.$")
  expect_refused(read_metric(1), "`metric` must be one text")
})

test_that("a metric that no trial will have is refused before the first", {
  check <- function(metric, space = list(dim = 4), ...) {
    check_metric(read_metric(metric), new_space(space), cpa_settings(...))
  }
  expect_refused(check("-loss_kl"), "\"loss_kl\" is not there without `variational`")
  expect_refused(check("loss_adv_covariates"), "without `reg_adversary`")
  expect_silent(check("-loss_kl", variational = TRUE))
  expect_silent(check("-loss_kl", list(variational = c(TRUE, FALSE))))
  expect_silent(check("loss_adv_covariates", list(parity = c("none", "theislab"))))
  expect_silent(check("loss_adv_covariates", parity = "fb"))
  expect_silent(check("r2_var"))
  expect_refused(check("r2_mean_protein"), "of fits of proteins, and these have none.*multicpa_settings")
  multi <- function(metric, own = list()) {
    check_metric(read_metric(metric), new_space(list(dim = 4)), multicpa_settings(), own)
  }
  expect_silent(multi("r2_mean_protein"))
  expect_refused(multi("-loss_proteins", list(proteins = FALSE)), "of fits of proteins")
  background <- function(loss) {
    check_background(read_metric("-loss_kl_background"), list(dim = 4), list(settings = list(protein_loss = loss)))
  }
  expect_silent(background("nb_mixture"))
  expect_refused(background("gauss"), "of the mixture, and proteins have protein_loss = \"gauss\"")
})

test_that("cpa_metric is compared where training computes it", {
  check <- function(space = list(dim = 4), ...) {
    check_metric(read_metric("cpa_metric"), new_space(space), cpa_settings(...))
  }
  expect_refused(check(), "`stopping_metric` is \"r2\".*cpa_settings\\(stopping_metric = \"cpa_metric\"\\)")
  expect_silent(check(parity = "theislab"))
  expect_silent(check(list(stopping_metric = c("r2", "cpa_metric"))))
  found <- small_search(metric = "cpa_metric", trials = 2, settings = tuned_settings(stopping_metric = "cpa_metric"))
  expect_identical(found$best_trial, which.max(found$trials$cpa_metric))
})
