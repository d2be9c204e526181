test_that("the call is that of the fit", {
  fit <- small_fit()
  call <- parse(text = report_call(fit))[[1]][[3]]
  expect_identical(call[[1]], quote(cpa))
  expect_identical(as.list(call)[c("covariates", "control", "split", "loss")],
                   list(covariates = "cell_type", control = "control", split = "split", loss = "gauss"))
  own <- eval(call$settings)
  settings <- fit$meta$settings
  expect_equal(unclass(own)[names(settings)], settings, ignore_attr = TRUE)
})

test_that("the call of a reference's parity makes that fit again", {
  for (parity in c("fb", "theislab")) {
    settings <- cpa_settings(parity = parity, epochs = 1, seed = 1, dim = 8, verbose = FALSE)
    fit <- small_fit(loss = "gauss", settings = settings)
    call <- parse(text = report_call(fit))[[1]][[3]]
    own <- eval(call$settings)
    expect_identical(call$settings$parity, parity)
    settings <- fit$meta$settings[setdiff(names(fit$meta$settings), "loss_ae")]
    expect_equal(unclass(own)[names(settings)], settings, ignore_attr = TRUE)
    expect_match(capture.output(print(settings_of_fit(fit))), paste0("^[*] parity +", parity), all = FALSE)
  }
})

test_that("the call reads the same proteins, and names as they are", {
  adt <- cite_cells()$adt
  both <- cite_sce(adt = list(counts = adt, clr = log1p(adt)))
  call_of <- function(...) parse(text = report_call(multi_fit(both, ...)))[[1]][[3]]
  told <- call_of(proteins = NULL, protein_assay = "clr", protein_loss = "gauss")
  expect_identical(as.list(told)[c("proteins", "protein_assay")], list(proteins = "ADT", protein_assay = "clr"))
  alone <- call_of(proteins = FALSE)
  expect_false(alone$proteins)
  expect_null(alone$protein_assay)
  array <- report_call(multi_fit(cite_h5ad("ADT"), proteins = NULL))
  expect_match(array, "proteins = \"ADT\",\n", fixed = TRUE)
  expect_false(grepl("protein_assay", array))
  expect_match(report_call(small_fit(sep = NULL)), "sep = NULL", fixed = TRUE)
  expect_match(report_call(small_fit(sep = "_")), "sep = \"_\"", fixed = TRUE)
  expect_false(grepl("sep = ", report_call(small_fit())))
})

test_that("all epochs, the scale of doses, own genes and what a fit starts from are told", {
  cells <- small_cells()
  longer <- resume_fit(small_fit(), cells$x, 2, col_data = cells$col_data, verbose = FALSE)
  expect_match(report_call(longer), "epochs = 5", fixed = TRUE)
  chem <- function(...) suppressWarnings(chemcpa(
    cells$x, "condition", control = "control", covariates = "cell_type", split = "split", col_data = cells$col_data,
    molecules = rbind(IFNb = c(1, 2)), ...,
    settings = chemcpa_settings(epochs = 1, dim = 8, seed = 1, verbose = FALSE)))
  expect_match(report_call(chem(dose_transform = "max")), "dose_transform = \"max\"", fixed = TRUE)
  plain <- report_call(chem(degs = list(IFNb = "ISG15")))
  expect_false(grepl("dose_transform", plain))
  expect_match(report_call(dosed_fit(dose_transform = "log")), "dose_transform = \"log\"", fixed = TRUE)
  expect_false(grepl("dose_transform", report_call(dosed_fit())))
  expect_match(plain, "degs = <genes of 1 condition>", fixed = TRUE)
  tuned <- suppressWarnings(fine_tune(small_fit(), cells$x, "condition", control = "control", covariates = "cell_type",
                                      split = "split", col_data = cells$col_data, freeze = c("encoder", "decoder"),
                                      epochs = 1, autoencoder_lr = 0.001, verbose = FALSE))
  told <- report_call(tuned)
  expect_match(told, "^fit <- fine_tune\\(\n  <the fit that it starts from>, x, \"condition\",")
  expect_match(told, "freeze = c(\"encoder\", \"decoder\"),", fixed = TRUE)
  expect_match(told, "autoencoder_lr = 0.001,", fixed = TRUE)
  expect_false(grepl("dim = |loss = |settings", told))
  expect_match(report_call_words(tuned), "`parity` are those of the fit that it starts from.$")
  read <- read_reference_fit(system.file("extdata", "reference_cpa.h5", package = "compert"))
  expect_match(report_call(read), "^fit <- read_reference_fit\\(")
  expect_match(report_call_words(read), "^The fit was read from what facebookresearch/CPA saved[.]$")
  expect_match(report_call_words(small_fit()), "the package's default.$")
})
