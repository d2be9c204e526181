# SMILES as screens hold them: they are the same fit as named SMILES.

form_smiles <- c(A = "CCO", B = "c1ccccc1")
form_cells <- local({
  cells <- toy_cells(80)
  cells$smiles <- unname(form_smiles[cells$drug])
  cells$smiles[cells$drug == "control"] <- "no molecule"
  cells
})
form_task <- function(molecules, cells = form_cells, encoder = NULL) {
  keys <- new_keys("drug", covariates = "cell_type", control = "control")
  settings <- cpa_settings(epochs = 1, seed = 1, verbose = FALSE)
  suppressWarnings(new_task(toy_log(80), keys, cells, settings, read_molecules(molecules, NULL, encoder),
                            rlang::current_env()))
}
features_of <- function(...) {
  form_task(...)$design[c("features", "has_features")]
}

test_that("factors, lists and data frames of SMILES are named SMILES", {
  texts <- c(A = "CCO", B = NA)
  both <- data.frame(drug = c("A", "B", "A"), smiles = factor(c("CCO", NA, "CCO")))
  expect_identical(as_named_smiles(factor(c(A = "CCO", B = NA))), texts)
  expect_identical(as_named_smiles(list(A = "CCO", B = NA)), texts)
  expect_identical(as_named_smiles(tapply(c("CCO", NA, "CCO"), c("A", "B", "A"), `[`, 1)), texts)
  expect_identical(as_named_smiles(list(A = factor("CCO"), B = NA_character_)), texts)
  expect_identical(as_named_smiles(both), texts)
  expect_identical(as_named_smiles(tibble::as_tibble(both)), texts)
  expect_identical(as_named_smiles(both[2:1]), texts)
  expect_identical(as_named_smiles(stats::setNames(both, c("drug", "structure"))), texts)
  skip_if_not_installed("S4Vectors")
  expect_identical(as_named_smiles(S4Vectors::DataFrame(both)), texts)
  for (other in list(texts, list(A = 1), list(A = "C", B = c("C", "O")), list(), data.frame(x = 1, y = "C"),
                     matrix("C"))) {
    expect_identical(as_named_smiles(other), other)
  }
})

test_that("each form makes the features of named SMILES", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  wanted <- features_of(form_smiles)
  expect_identical(wanted$has_features, c(1, 1, 1))
  table <- data.frame(condition = names(form_smiles), smiles = unname(form_smiles))
  # The same twice is no question.
  for (form in list(factor(form_smiles), as.list(form_smiles), table, "smiles", c(form_smiles, form_smiles[1]))) {
    expect_identical(features_of(form), wanted)
  }
  cells <- form_cells
  cells$smiles <- factor(cells$smiles)
  expect_identical(features_of("smiles", cells), wanted)
  graph <- function(molecules) form_task(molecules, encoder = list(width = 4))$design$graphs
  expect_identical(graph("smiles"), graph(form_smiles))
  expect_refused(form_task(rbind(table, c("A", "CCN"))), "each name once.*\"A\" is there twice, with \"CCO\", \"CCN\"")
})

test_that("a column has one SMILES for a perturbation, and may lack it", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  cells <- form_cells
  of_a <- which(cells$drug == "A")
  cells$smiles[of_a[-1]] <- NA
  expect_identical(features_of("smiles", cells), features_of(form_smiles))
  cells$drug[of_a[1:3]] <- "A+control"
  expect_identical(features_of("smiles", cells), features_of(form_smiles))
  cells$smiles[of_a[2]] <- "CCN"
  expect_refused(form_task("smiles", cells), "one SMILES per perturbation.*\"A\" has \"CCO\", \"CCN\"")
  cells$smiles[which(cells$drug == "B")[1]] <- "C"
  expect_refused(form_task("smiles", cells), "\"A\" has \"CCO\", \"CCN\".*So have \"B\".*canonical_smiles\\(\\)")
  cells <- form_cells
  cells$smiles[of_a] <- NA
  expect_identical(features_of("smiles", cells)$has_features, c(0, 1, 1))
  cells$smiles[of_a] <- "C1CC"
  expect_refused(form_task("smiles", cells), "\\(A\\), \"C1CC\"")
  cells$smiles[] <- NA
  expect_refused(form_task("smiles", cells), "at least one SMILES")
  expect_refused(form_task("smile"), "no column \"smile\".*Did you mean \"smiles\"")
})

test_that("defects of the screen are told before its SMILES are looked for", {
  expect_refused(form_task("smiles", form_cells[setdiff(names(form_cells), "drug")]), "no column \"drug\"")
})

test_that("fine-tuning reads a column; further molecules have names", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  settings <- cpa_settings(epochs = 1, dim = 4, autoencoder_width = 8, batch_size = 16, threads = 1, seed = 1,
                           device = "cpu", verbose = FALSE, doser_type = "linear")
  fit <- suppressWarnings(cpa(toy_log(80), "drug", control = "control", col_data = form_cells,
                              molecules = "smiles", settings = settings))
  tuned <- suppressWarnings(fine_tune(fit, toy_log(80), "drug", control = "control", molecules = "smiles",
                                      col_data = form_cells, lr_factor = 0, epochs = 1, verbose = FALSE))
  expect_identical(perturbation_embedding(tuned), perturbation_embedding(fit))
  more <- add_molecules(fit, data.frame(drug = "C", smiles = "OCC"))
  expect_identical(perturbation_embedding(more, "C")[1, ], perturbation_embedding(fit, "A")[1, ])
  expect_refused(add_molecules(fit, "smiles"), "named by perturbation.*the text \"smiles\"")
  expect_refused(add_molecules(fit, c(D = "C1CC")), "\\(D\\), \"C1CC\".*Correct it, or leave it out\\.")
})
