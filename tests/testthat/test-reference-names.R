test_that("settings of theislab/cpa that are given by their names there are told by ours", {
  expect_refused(cpa_settings(n_latent = 64), "theislab/cpa's `n_latent` is `dim` here")
  expect_refused(cpa_settings(lr = 1e-3), "`lr` is `autoencoder_lr` here")
  expect_refused(cpa_settings(use_layer_norm_adv = TRUE), "is `adversary_norm` here")
  expect_refused(chemcpa_settings(max_epochs = 3), "`max_epochs` is `epochs` here. See")
  expect_refused(chemcpa_settings(epoch = 3), "Did you mean \"epochs\"")
  # One of many names is told where they stand.
  expect_refused(cpa_settings(foo = 1), "those of `cpa_settings\\(\\)`, see `\\?cpa_settings`")
})

test_that("arguments of the references are told by ours, settings with where they go", {
  fit <- function(...) cpa(small_cells()$x, ...)
  expect_refused(fit(perturbation_key = "drug"), "`perturbation_key` is `perturbation` here")
  expect_refused(fit("drug", dose_key = "dose"), "facebookresearch/CPA's `dose_key` is `dose` here")
  expect_refused(fit("drug", slot = "data"), "Seurat's `slot` is `layer` here")
  expect_refused(fit("drug", max_epochs = 10),
                 "`epochs` here. It is a setting: write settings = cpa_settings\\(epochs = ...\\)")
  expect_refused(fit("drug", dim = 3), "write settings = cpa_settings\\(dim = 3\\)")
  # A verb that has neither has no such advice.
  expect_no_match(conditionMessage(expect_error(save_fit(1, "a", max_epochs = 2))), "theislab")
})

test_that("every name of the table is one of ours", {
  expect_identical(setdiff(theislab_settings(), names(formals(cpa_settings))), character())
  expect_identical(anyDuplicated(theislab_settings()), 0L)
  verbs <- unique(c(names(formals(cpa)), names(formals(chemcpa))))
  for (known in reference_arguments()) expect_identical(setdiff(known, verbs), character())
})
