smiles_cells <- toy_cells(160)
smiles_fit <- local({
  fits <- list()
  function(encoder = NULL) {
    key <- if (is.null(encoder)) "rdkit" else "graph"
    if (is.null(fits[[key]])) {
      fits[[key]] <<- chemcpa(
        toy_log(160), "drug", dose = "dose", covariates = "cell_type", control = "control", col_data = smiles_cells,
        molecules = c(A = "CCO", B = "c1ccccc1"), molecule_encoder = encoder,
        settings = chemcpa_settings(epochs = 1, dim = 4, seed = 1, verbose = FALSE, threads = 1, device = "cpu"))
    }
    fits[[key]]
  }
})
smiles_asked <- function(fit, ..., dose = 0.5) {
  predict(fit, toy_log(160), condition(..., dose = dose, cell_type = "NK"), col_data = smiles_cells,
          summarise = "condition")
}

test_that("a molecule that the fit does not know is predicted by its SMILES, as add_molecules() would have it", {
  skip_without(core_has_rdkit(), "RDKit")
  for (encoder in list(NULL, "graph")) {
    fit <- smiles_fit(encoder)
    known <- add_molecules(fit, c("New drug" = "CCN", CCN = "CCN"))
    expected <- smiles_asked(known, drug = "New drug")
    expect_identical(smiles_asked(fit, drug = "New drug", smiles = "CCN"), expected)
    expect_identical(smiles_asked(fit, smiles = c("New drug" = "CCN")), expected)
    alone <- smiles_asked(fit, smiles = "CCN")
    expect_identical(alone, smiles_asked(known, drug = "CCN"))
    expect_identical(attr(alone, "col_data")$seen, "drug new")
    # Which was asked stays as it is.
    expect_identical(fit$meta$registry$perturbations, c("A", "B", "control"))
  }
})

test_that("known names, SMILES and other covariates may stand beside each other", {
  skip_without(core_has_rdkit(), "RDKit")
  fit <- smiles_fit()
  told <- smiles_asked(fit, drug = c("A", "New"), smiles = c(NA, "CCN"))
  expect_identical(told[, 1], smiles_asked(fit, drug = "A")[, 1])
  expect_identical(told[, 2], smiles_asked(fit, drug = "New", smiles = "CCN")[, 1])
  # The signs of charges are no separators, and SMILES that are names of the fit are these.
  salt <- smiles_asked(fit, smiles = "CC(=O)[O-].[NH4+]")
  expect_identical(attr(salt, "col_data")$cpa_condition, "CC(=O)[O-].[NH4+]@0.5")
  known <- add_molecules(fit, c(CCN = "CCN"))
  expect_identical(smiles_asked(known, smiles = "CCN"), smiles_asked(fit, smiles = "CCN"))
  both <- rbind(condition("A+B", dose = c(1, 2)), condition(smiles = c(x = "CCN"), dose = 1))
  z <- perturbation_embedding(fit, both)
  expect_identical(nrow(z), 2L)
  expect_identical(z[2, ], perturbation_embedding(fit, condition("x", dose = 1, smiles = "CCN"))[1, ])
  grid <- condition_grid(smiles = c(x = "CCN", y = "CCC"), dose = c(1, 2), cell_type = "T")
  states <- cell_embedding(fit, toy_log(160), "treated", condition = grid, col_data = smiles_cells)
  expect_length(unique(attr(states, "col_data")$cpa_condition), 4L)
})

test_that("distances and round trips take SMILES too", {
  skip_without(core_has_rdkit(), "RDKit")
  fit <- smiles_fit()
  what <- condition("New", dose = 1, cell_type = "NK", smiles = "CCN")
  known <- add_molecules(fit, c(New = "CCN"))
  plain <- condition("New", dose = 1, cell_type = "NK")
  expect_identical(prediction_uncertainty(fit, what, min_cells = 1),
                   prediction_uncertainty(known, plain, min_cells = 1))
  trips <- function(fit, what) {
    cycle_uncertainty(fit, toy_log(160), what, col_data = smiles_cells, direction = "forward", seed = 1)
  }
  expect_identical(trips(fit, what), trips(known, plain))
})

test_that("a data frame of the screen's columns may have SMILES beside them", {
  skip_without(core_has_rdkit(), "RDKit")
  ask <- function(condition) {
    predict(smiles_fit(), toy_log(160), condition, col_data = smiles_cells, summarise = "condition")
  }
  asked <- ask(condition(drug = c("New", "A"), dose = 0.5, cell_type = "NK", smiles = c("CCN", NA)))
  expect_identical(ask(data.frame(drug = c("New", "A"), dose = 0.5, cell_type = "NK", Smiles = c("CCN", NA))), asked)
  expect_identical(ask(data.frame(drug = c("New", "A"), dose = 0.5, cell_type = "NK", smiles = factor(c("CCN", NA)))),
                   asked)
  expect_refused(ask(data.frame(drug = "New", dose = 0.5, smiles = "CCN", SMILES = "CCC")), "one for each name")
})

test_that("SMILES that say nothing new, or cannot, are refused", {
  skip_without(core_has_rdkit(), "RDKit")
  fit <- smiles_fit()
  expect_refused(smiles_asked(fit, drug = "A", smiles = "CCN"), "does not know.*It knows \"A\".*or write NA")
  named <- fit
  named$meta$keys$further_controls <- "vehicle"
  expect_refused(smiles_asked(named, drug = "vehicle", smiles = "CCN"), "does not know.*It knows \"vehicle\"")
  expect_refused(smiles_asked(fit, drug = "A@1"), "Doses stand beside the names")
  expect_refused(smiles_asked(fit, drug = "A+New", dose = c(0.5, 1), smiles = "CCN"),
                 "beside the name of one perturbation.*beside \"A\", \"New\".*add_molecules\\(\\)")
  expect_refused(smiles_asked(fit, drug = c("x", "x"), smiles = c("CCN", "CCC")),
                 "one for each name.*\"x\" has \"CCN\", \"CCC\"")
  expect_refused(smiles_asked(fit, drug = "x", smiles = "C("), "`smiles` must hold valid SMILES.*Entry 1 \\(x\\), \"C\\(\"")
  expect_refused(smiles_asked(fit, smiles = "CCC", SMILES = "CCN"), "It is there twice")
  expect_refused(smiles_asked(fit, drug = "x", smiles = "CCC", SMILES = "CCN"), "There are \"smiles\", \"SMILES\"")
  expect_refused(predict(small_fit(), small_cells()$x, condition("x", smiles = "CCN"), col_data = small_cells()$col_data),
                 "computes embeddings from SMILES.*free table.*chemcpa\\(")
})

test_that("fits of features and baselines say how else a molecule becomes known", {
  cells <- small_cells()
  features <- matrix(c(0, 1, 1, 0), 2, dimnames = list(c("control", "IFNb"), NULL))
  fit <- chemcpa(cells$x, "condition", control = "control", molecules = features, col_data = cells$col_data,
                 settings = chemcpa_settings(epochs = 1, dim = 4, seed = 1, verbose = FALSE))
  what <- condition("x", smiles = "CCN")
  expect_refused(predict(fit, cells$x, what, col_data = cells$col_data), "matrix of features.*with a row \"x\" in x")
  near <- baseline_fit(cells$x, "condition", method = "nearest", molecules = features, control = "control",
                       col_data = cells$col_data)
  expect_refused(predict(near, cells$x, what, col_data = cells$col_data), "is a baseline.*baseline_fit\\(")
})

test_that("a molecule with a name is shown by it, with its SMILES", {
  expect_identical(format(condition(smiles = c(Aspirin = "CCO", "CCN"), dose = 1, cell_type = "T")),
                   c("Aspirin@1, cell_type = T, smiles = CCO", "CCN@1, cell_type = T"))
  expect_identical(format(condition(smiles = c(Aspirin = "CCO"), dose = 5, dose_unit = "nM")),
                   "Aspirin@5 nM, smiles = CCO")
  expect_identical(format(condition(drug = c(one = "A"))), "A")
})

test_that("a fit that reads graphs says so", {
  skip_without(core_has_rdkit(), "RDKit")
  expect_match(format(smiles_fit("graph")), "features each from molecular graphs$", all = FALSE)
  expect_match(format(smiles_fit()), "features each$", all = FALSE)
})
