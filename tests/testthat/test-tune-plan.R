test_that("rungs grow by the factor and end at max_epochs", {
  none <- cpa_settings()
  rungs <- function(...) rung_epochs("halving", ..., settings = none)
  expect_equal(rungs(5, 4, 200), c(5, 20, 80, 200))
  expect_equal(rungs(1, 3, 9), c(1, 3, 9))
  expect_equal(rungs(1, 3, 10), c(1, 3, 9, 10))
  expect_equal(rungs(10, 3, 10), 10)
  expect_equal(rungs(NULL, NULL, NULL), c(5, 15, 45, 100))
  expect_equal(rungs(NULL, NULL, 3), 3)
  expect_equal(rungs(2, 1.5, 6), c(2, 3, 4, 6))
  expect_equal(rung_epochs("halving", 10, 2, NULL, cpa_settings(epochs = 40)), c(10, 20, 40))
  expect_equal(rung_epochs("random", NULL, NULL, NULL, cpa_settings(epochs = 40)), 40)
  expect_equal(rung_epochs("random", NULL, NULL, NULL, none), 0)
})

test_that("rungs that cannot be are refused", {
  rungs <- function(..., settings = cpa_settings()) rung_epochs(..., settings = settings)
  expect_refused(rungs("random", 5, NULL, NULL), "`grace` must be left out")
  expect_refused(rungs("random", NULL, NULL, 50), "`max_epochs` must be left out")
  expect_refused(rungs("random", 5, NULL, NULL, settings = multicpa_settings()), "settings = multicpa_settings\\(epochs")
  expect_refused(rungs("halving", 0, NULL, NULL), "`grace` must be one whole number")
  expect_refused(rungs("halving", 5, 1, NULL), "`reduction` must be one number")
  expect_refused(rungs("halving", 50, 3, 20), "`grace` must be at most `max_epochs`")
  expect_refused(rungs("halving", 5, 3, 20, settings = cpa_settings(epochs = 30)), "must agree")
})

test_that("the seed decides every trial, whatever their number, and R's stream stays", {
  space <- new_space(tuned_space())
  withr::with_seed(1, {
    before <- .Random.seed
    few <- draw_trials(space, 3, seed = 5)
    expect_identical(.Random.seed, before)
  })
  many <- draw_trials(space, 10, seed = 5)
  expect_identical(lapply(many$values, utils::head, 3), few$values)
  expect_identical(utils::head(many$seed, 3), few$seed)
  expect_identical(anyDuplicated(many$seed), 0L)
  expect_false(identical(draw_trials(space, 3, seed = 6)$values, few$values))
  expect_identical(draw_trials(space, 3, seed = 5, fixed_seed = 8)$seed, rep(8L, 3))
  own <- draw_trials(new_space(list(seed = integer_uniform(1, 1e6))), 3, 5, fixed_seed = 8)
  expect_equal(own$seed, own$values$seed)
})

test_that("a trial has the fixed settings, its own and its seed", {
  plan <- draw_trials(new_space(list(dim = 4, patience = 3)), 2, seed = 5)
  expect_identical(trial_settings(list(threads = 1, epochs = 7), plan, 2, epochs = 0),
                   list(threads = 1, epochs = 7, dim = 4, patience = 3, seed = plan$seed[2]))
  expect_identical(trial_settings(list(), plan, 1, epochs = 9)$epochs, 9)
  expect_null(trial_settings(list(), plan, 1, epochs = 0)$epochs)
})

test_that("the best third goes on, ties by number, failed ones never", {
  expect_identical(promoted(1:9, c(1, 9, 2, 8, 3, 7, 4, 6, 5), 3), c(2L, 4L, 6L))
  expect_identical(promoted(1:9, rep(1, 9), 3), 1:3)
  expect_identical(promoted(c(4L, 6L), c(0.1, 0.2), 3), 6L)
  expect_identical(promoted(1:6, c(NA, 3, NA, NA, 1, NA), 2), c(2L, 5L))
  expect_identical(promoted(1:3, c(NA, NA, NA) + 0, 3), integer())
})

test_that("what is fixed, searched or decided by the rungs is so once", {
  check <- function(space, ..., method = "random", split = "split") {
    check_search(new_space(space), cpa_settings(...), method, split)
  }
  expect_refused(check(list(dim = 4), dim = 8), "\"dim\" is in `settings` and in `space`")
  expect_refused(check(list(dim = 4), checkpoint = "a.h5"), "must have no `checkpoint`")
  expect_refused(check(list(dim = 4), distributed = TRUE), "must have no `distributed`")
  expect_refused(check(list(epochs = 4), method = "halving"), "which the rungs decide")
  expect_refused(check(list(seed = 1:4), split = NULL), "only together with `split`")
  expect_silent(check(list(seed = 1:4, epochs = 4), dim = 8))
})

test_that("metrics are the score or columns of the history", {
  expect_identical(read_metric("-loss_reconstruction")[-1],
                   list(column = "loss_reconstruction", sign = -1))
  expect_true(all(setdiff(tuning_metrics(), "score") %in% names(multi_fit()$history)))
  expect_refused(read_metric("r2_means"), "Did you mean \"r2_mean\"")
  expect_refused(read_metric(1), "`metric` must be one text")
})

test_that("settings of a trial must not contradict each other", {
  check <- function(space, ...) {
    check_trials(draw_trials(new_space(space), 8, 1), attr(cpa_settings(...), "given"))
  }
  expect_silent(check(list(mixup_alpha = c(0.1, 0.3)), reg_alignment = 0, reg_counterfactual = 0))
  expect_refused(check(list(mixup_alpha = c(0.1, 0.3))), "`mixup_alpha` must be 0 with")
  expect_refused(check(list(reg_alignment = c(0, 3)), mixup_alpha = 0.1, reg_alignment = 0,
                       reg_counterfactual = 0), "`mixup_alpha` must be 0 with")
  expect_refused(small_search(space = list(mixup_alpha = c(0.1, 0.3))), "`mixup_alpha` must be 0 with")
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
