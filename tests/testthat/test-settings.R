test_that("every setting of the core is an argument, and nothing else is", {
  known <- core_settings_table()$name
  expect_setequal(setdiff(names(formals(cpa_settings)), c("...", "verbose")), known)
  expect_setequal(setdiff(names(cpa_settings()), "verbose"), known)
})

test_that("defaults are the core's, a seed is drawn later, values given stay", {
  settings <- cpa_settings(dim = 7, seed = 3, checkpoint = "~/fit.h5")
  expect_s3_class(settings, "compert_settings")
  expect_identical(settings$dim, 7L)
  expect_identical(settings$seed, 3L)
  expect_identical(settings[["checkpoint"]], path.expand("~/fit.h5"))
  expect_null(cpa_settings()$seed)
  expect_true("seed" %in% names(cpa_settings()))
  given <- jsonlite::fromJSON(core_settings("{}"))
  expect_identical(cpa_settings()[["autoencoder_lr"]], given$autoencoder_lr)
  expect_equal(cpa_settings(parity = "fb")$reg_adversary, 60)
})

test_that("numbers reach the core unrounded", {
  value <- 1 / 3 * 1e-3
  expect_match(settings_json(list(dosers_lr = value)), "0.00033333333333333332", fixed = TRUE)
  expect_identical(cpa_settings(dosers_lr = value)$dosers_lr, value)
  expect_identical(settings_json(list()), "{}")
  quoted <- settings_json(list(checkpoint = "a \"b\"\\c", seed = NULL))
  expect_identical(jsonlite::fromJSON(quoted), list(checkpoint = "a \"b\"\\c"))
})

test_that("unknown names and wrong values are refused, by name", {
  expect_refused(cpa_settings(adversary_reg = 60), "Did you mean \"reg_adversary\"")
  expect_refused(cpa_settings(reg_adversry = 60), "Did you mean \"reg_adversary\"")
  expect_refused(cpa_settings(60), "must be given by name")
  for (bad in list(-1, 0, 2.5, "ten", NA, c(1, 2), TRUE, list(3), Inf)) {
    expect_refused(cpa_settings(dim = bad), "`dim` must be")
  }
  for (bad in list(-1e-3, "fast", NaN, Inf)) {
    expect_refused(cpa_settings(autoencoder_lr = bad), "`autoencoder_lr` must be")
  }
  for (bad in list("relu", 3, NA_character_, c("sigm", "mlp"))) {
    expect_refused(cpa_settings(doser_type = bad), "`doser_type` must be")
  }
  expect_refused(cpa_settings(device = "gpu"), "`device` must be")
  expect_refused(cpa_settings(verbose = "yes"), "`verbose` must be")
  expect_refused(cpa_settings(batch_size = 1), "`batch_size` must be")
})

test_that("print shows every setting, marks the ones that were given", {
  shown <- capture.output(print(cpa_settings(dim = 7)))
  expect_match(shown, "^[*] dim +7 ", all = FALSE)
  expect_match(shown, "^  seed +drawn at the fit", all = FALSE)
  expect_length(shown, nrow(core_settings_table()) + 2)
})
