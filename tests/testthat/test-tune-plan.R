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

test_that("no settings are tried twice before all have been", {
  drawn <- function(trials, ...) as.data.frame(draw_trials(new_space(list(...)), trials, seed = 5)$values)
  all <- drawn(12, dim = c(4, 8), dosers_depth = integer_uniform(1, 3), variational = c(TRUE, FALSE))
  expect_identical(anyDuplicated(all), 0L)
  expect_identical(nrow(unique(drawn(15, dim = 1:12))), 12L)
  expect_identical(drawn(15, dim = 1:12)[13:15, ], drawn(3, dim = 1:12)$dim)
  expect_identical(drawn(7, dim = 1:12)$dim, utils::head(drawn(15, dim = 1:12)$dim, 7))
  expect_identical(unique(drawn(3, dosers_lr = log_uniform(1, 1.00001))$dosers_lr), 1)
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
