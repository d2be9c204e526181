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
  expect_refused(fit(perturbation_key = "drug", control_group = "control", is_count_data = TRUE, n_latent = 8, zz = 1),
                 paste0("no argument `perturbation_key`.*no argument `control_group`.*no argument `zz`.*",
                        "`perturbation_key` is `perturbation` here.*`control_group` is `control` here.*",
                        "`is_count_data` is `loss` here.*cpa_settings\\(dim = ...\\).*Leave it out"))
  # A verb that has neither has no such advice.
  expect_no_match(conditionMessage(expect_error(save_fit(1, "a", max_epochs = 2))), "theislab")
})

test_that("a search and a fit name the functions of their own model", {
  search <- function(...) tune_fit(small_cells()$x, "drug", ...)
  expect_refused(search(dim = 8, settings = multicpa_settings()), "write settings = multicpa_settings\\(dim = 8\\)")
  expect_refused(search(n_latent = 8, settings = chemcpa_settings()), "settings = chemcpa_settings\\(dim = ...\\)")
  expect_refused(search(dim = 8), "write settings = cpa_settings\\(dim = 8\\)")
  expect_refused(search(dim = 8, settings = 3), "write settings = cpa_settings\\(dim = 8\\)")
  expect_refused(multicpa(small_cells()$x, "drug", settings = list(dim = 8)),
                 "must come from `multicpa_settings\\(\\)`.*Write settings = multicpa_settings")
  expect_refused(resumed_settings(list(meta = list(model = "scgen")), 1, list(dim = 4)),
                 "Make a new fit with `scgen\\(\\)`")
})

test_that("names of columns are answered where a verb reads columns only", {
  x <- small_cells()$x
  left_out <- function(code) expect_refused(code, "which a fit knows. Leave it out")
  left_out(evaluate_r2(small_fit(), x, split_key = "split"))
  left_out(dose_response(small_fit(), dosage_key = "dose"))
  left_out(perturbation_embedding(small_fit(), dosage_key = "dose"))
  left_out(observed_response(small_fit(), x, perturbation_key = "condition"))
  left_out(predict(small_fit(), x, control_group = "control"))
  left_out(resume_fit(small_fit(), x, 1, split_key = "split"))
  expect_refused(evaluate_r2(small_fit(), adata = x), "theislab/cpa's `adata` is `newdata` here")
  expect_refused(evaluate_r2(small_fit(), x, degs_key = "degs"), "`degs_key` is `degs` here")
  expect_refused(rank_degs(x, "condition", control_group = "control"), "`control_group` is `control` here")
  # Batches of an embedding are no column.
  expect_no_match(conditionMessage(expect_error(batch_mixing(diag(3), 1:3, batch_key = "b"))), "theislab")
})

test_that("a verb with settings in `...` tells its arguments as well", {
  tune <- function(...) fine_tune(small_fit(), small_cells()$x, col_data = small_cells()$col_data, ...)
  expect_refused(tune(perturbation_key = "condition"), "`perturbation_key` is `perturbation` here")
  expect_refused(tune("condition", control_group = "control"), "`control_group` is `control` here")
  expect_refused(tune("condition", degs_key = "degs"), "theislab/chemCPA's `degs_key` is `degs` here")
  expect_refused(tune("condition", max_epochs = 2), "`max_epochs` is `epochs` here")
  expect_refused(tune("condition", settings = cpa_settings()), "Give settings one by one, by name")
  expect_refused(tune("condition", loss = "nb"), "The likelihood is `loss_ae` among settings")
  expect_refused(tune("condition", dose_transform = "log"),
                 "\"dose_transform\" is no setting.*It is an argument of `cpa\\(\\)`, `chemcpa\\(\\)`, `multicpa\\(\\)`")
  expect_refused(chemcpa_settings(molecules = "smiles"), "is an argument of `cpa\\(\\)`, `chemcpa")
})

test_that("every name of the table is one of ours", {
  expect_identical(setdiff(theislab_settings(), names(formals(cpa_settings))), character())
  expect_identical(anyDuplicated(theislab_settings()), 0L)
  verbs <- unique(c(names(formals(cpa)), names(formals(chemcpa))))
  for (known in reference_arguments()) expect_identical(setdiff(known, verbs), character())
})

test_that("a search of the help for theislab/cpa's verbs finds ours", {
  page <- function(verb) utils::help.search(verb, package = "compert", agrep = FALSE)$matches$Topic
  expect_identical(unique(page("setup_anndata")), "cpa")
  expect_identical(unique(page("custom_predict")), "reconstruct")
  expect_identical(unique(page("get_latent_representation")), "write_back")
})
