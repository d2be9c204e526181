test_that("a space is a list of values and ranges, and prints itself", {
  space <- search_space(dim = c(16L, 32L), autoencoder_lr = log_uniform(1e-4, 1e-2),
                        doser_type = c("sigm", "linear"), reg_adversary = uniform(0, 10),
                        adversary_depth = integer_uniform(1, 3))
  expect_s3_class(space, "compert_space")
  expect_identical(format(space), c(
    "dim: 16, 32", "autoencoder_lr: log_uniform(1e-04, 0.01)", "doser_type: \"sigm\", \"linear\"",
    "reg_adversary: uniform(0, 10)", "adversary_depth: integer_uniform(1, 3)"))
  expect_output(print(space), "5 settings.*dim: 16, 32")
  expect_output(print(uniform(0, 1)), "uniform(0, 1)", fixed = TRUE)
})

test_that("draws stay in their range, reach its ends and follow its scale", {
  u <- (seq_len(1000) - 0.5) / 1000
  expect_identical(draw_entry(c("a", "b"), c(0, 0.49, 0.5, 0.999)), c("a", "a", "b", "b"))
  expect_identical(table(draw_entry(integer_uniform(1, 4), u))[["4"]], 250L)
  flat <- draw_entry(uniform(-1, 3), u)
  expect_equal(mean(flat), 1)
  expect_true(all(flat >= -1 & flat <= 3))
  wide <- draw_entry(log_uniform(1e-4, 1e-2), u)
  expect_equal(median(wide), 1e-3, tolerance = 0.01)
  expect_identical(wide, signif(wide, 4))
  expect_identical(range(draw_entry(uniform(1000, 1001), c(0, 1 - 1e-9))), c(1000, 1001))
})

test_that("a name that is no setting gets the advice of cpa_settings()", {
  ours <- error_parts(search_space(adversary_reg = uniform(0, 10)))
  theirs <- error_parts(cpa_settings(adversary_reg = 1))
  expect_identical(ours$todo, theirs$todo)
  expect_match(ours$must, "Entries of a search space must be settings")
})

test_that("wrong spaces are refused", {
  expect_refused(search_space(), "`space` must be a list.*empty")
  expect_refused(search_space(c(16, 32)), "entry has no name")
  expect_refused(new_space(c(dim = 16)), "`space` must be a list")
  expect_refused(search_space(dim = 4, dim = 8), "\"dim\" is there twice")
  expect_refused(search_space(dim = c(4, 4)), "without repeats.*4 is there twice")
  expect_refused(search_space(dim = c(4, NA)), "A value is missing")
  expect_refused(search_space(dim = factor("a")), "class `factor`")
  expect_refused(search_space(dim = list(4, 8)), "`dim` in `space` must be values")
  expect_refused(search_space(dim = c(4, 0)), "`dim` must be a whole number from 1 to 65536")
  expect_refused(search_space(doser_type = c("sigm", "tanh")), "`doser_type` must be one of")
  expect_refused(search_space(reg_adversary = uniform(-1, 1)), "`reg_adversary` must be")
  expect_refused(search_space(dim = uniform(4, 64)), "Write dim = integer_uniform\\(4, 64\\)")
  expect_refused(search_space(loss_ae = c("gauss", "nb")), "different scales")
  expect_refused(search_space(verbose = c(TRUE, FALSE)), "does not change the model")
})

test_that("values are good or bad by themselves, whatever the defaults of the others", {
  expect_s3_class(search_space(mixup_alpha = c(0.1, 0.3)), "compert_space")
  expect_s3_class(search_space(autoencoder_lr = c(0, 1e-3)), "compert_space")
  expect_refused(search_space(mixup_alpha = c(-1, 0.3)), "`mixup_alpha` must be")
  expect_refused(search_space(seed = c(1, -2)), "`seed` must be")
})

test_that("wrong ranges are refused", {
  expect_refused(uniform(1), "two ends.*`upper` is missing")
  expect_refused(integer_uniform(upper = 3), "`lower` is missing")
  expect_refused(uniform(2, 1), "`lower` must be below `upper`")
  expect_refused(uniform("a", 1), "`lower` must be one number")
  expect_refused(uniform(0, Inf), "`upper` must be one number")
  expect_refused(log_uniform(0, 1), "no logarithm")
  expect_refused(integer_uniform(1, 2.5), "`upper` must be one whole number")
})
