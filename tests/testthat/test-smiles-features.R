# Features of molecules. The numbers are what RDKit 2022.09.3 computes in Python.

skip_without_rdkit <- function() skip_without(core_has_rdkit(), "RDKit")

drugs <- utils::read.csv(test_path("fixtures", "drugs.csv"))
smiles <- stats::setNames(drugs$SMILES, drugs$name)

test_that("descriptors equal those of RDKit in Python, row by row", {
  skip_without_rdkit()
  found <- smiles_features(smiles, normalise = FALSE)
  expect_identical(dim(found), c(20L, 112L))
  expect_identical(rownames(found), drugs$name)
  shared <- setdiff(names(drugs), c("name", "SMILES", "sum_of_bits"))
  for (name in shared) expect_equal(unname(found[, name]), drugs[[name]], tolerance = 1e-5)
  expect_true(all(is.finite(found)))
  expect_identical(smiles_features(rev(smiles), normalise = FALSE), found[20:1, ])
})

test_that("fingerprints equal those of RDKit in Python", {
  skip_without_rdkit()
  found <- smiles_features(smiles, "morgan")
  expect_identical(dim(found), c(20L, 1024L))
  expect_identical(colnames(found)[c(1, 1024)], c("bit_0", "bit_1023"))
  expect_true(all(found %in% c(0, 1)))
  expect_equal(as.vector(found %*% 0:1023), drugs$sum_of_bits)
  small <- smiles_features(smiles, "morgan", radius = 1, n_bits = 64)
  expect_identical(ncol(small), 64L)
  expect_true(all(rowSums(small) > 0 & rowSums(small) < 64))
})

test_that("scaled descriptors do not depend on the molecules they come with", {
  skip_without_rdkit()
  found <- smiles_features(smiles)
  expect_identical(smiles_features(smiles[3]), found[3, , drop = FALSE])
  constants <- utils::read.csv(system.file("extdata", "rdkit2d_constants.csv", package = "compert"))
  raw <- smiles_features(smiles, normalise = FALSE)
  expect_identical(constants$descriptor, colnames(raw))
  expect_identical(colnames(found), constants$descriptor[constants$kept])
  expect_identical(constants$kept, constants$sd > 0.01)
  tpsa <- constants[constants$descriptor == "TPSA", ]
  expect_equal(found[, "TPSA"], (raw[, "TPSA"] - tpsa$mean) / tpsa$sd)
})

test_that("scaled descriptors are clipped at ten", {
  skip_without_rdkit()
  long <- smiles_features(paste(rep("CCO", 100), collapse = ""))
  expect_identical(unname(long[, "MolWt"]), 10)
  expect_true(all(abs(long) <= 10))
})

test_that("spellings of a molecule give the same features and the same canonical SMILES", {
  skip_without_rdkit()
  spellings <- c(kekule = "C1=CC=CC=C1C(=O)O", other = "OC(=O)c1ccccc1",
                 odd = " [OH]C(=O)c1ccccc1 ")
  expect_identical(canonical_smiles(spellings),
                   c(kekule = "O=C(O)c1ccccc1", other = "O=C(O)c1ccccc1", odd = "O=C(O)c1ccccc1"))
  found <- smiles_features(spellings)
  expect_identical(found["kekule", ], found["odd", ])
  expect_identical(canonical_smiles(smiles), smiles)
  expect_identical(canonical_smiles(character()), character())
  expect_identical(canonical_smiles(factor("OCC")), "CCO")
})

test_that("salts are stripped on request", {
  skip_without_rdkit()
  expect_identical(canonical_smiles("Cl.CCN", strip_salts = TRUE), "CCN")
  base <- smiles_features("CCN", normalise = FALSE)
  salt <- smiles_features(c(CCN = "Cl.CCN"), normalise = FALSE, strip_salts = TRUE)
  expect_identical(salt, base)
  expect_gt(smiles_features("Cl.CCN", normalise = FALSE)[, "MolWt"], base[, "MolWt"] + 36)
})

test_that("rows without a name have their SMILES", {
  skip_without_rdkit()
  expect_identical(rownames(smiles_features(c("OCC", "C"), "morgan")), c("OCC", "C"))
  expect_identical(rownames(smiles_features(c(a = "OCC", "C"), "morgan")), c("a", "C"))
  expect_identical(dim(smiles_features(character())), c(0L, 110L))
})

test_that("invalid SMILES stop with their names, positions and reasons", {
  skip_without_rdkit()
  bad <- c(good = "CCO", ring = "C1CC", "CC(C)(C)(C)C", missing = NA, "CCO ethanol")
  expect_refused(smiles_features(bad), paste0(
    "`smiles` must hold valid SMILES.*Entry 2 \\(ring\\), \"C1CC\": .*ring.*",
    "Entry 3, \"CC\\(C\\)\\(C\\)\\(C\\)C\": .*valence.*Entry 4 \\(missing\\): it is missing.*",
    "Entry 5, \"CCO ethanol\": it holds white space.*invalid = \"na\""
  ))
  expect_refused(canonical_smiles(rep("CX", 8)), "Entry 5.*And 3 more")
  expect_refused(canonical_smiles(paste(rep("Q", 99), collapse = "")), "Q[.]{3}\"")
  expect_refused(canonical_smiles(strrep("C", 1e4)), "longer than 2000 characters")
  expect_refused(smiles_features(c("C", "")), "Entry 2, \"\": it is empty")
})

test_that("molecules of a fit that are no SMILES are told to be left out or NA", {
  skip_without_rdkit()
  for (encoder in list(NULL, list(width = 8))) {
    refused <- expect_refused(read_molecules(c(A = "CCO", control = ""), encoder = encoder), paste0(
      "`molecules` must hold valid SMILES.*Entry 2 \\(control\\), \"\": it is empty.*",
      "leave the control out, and write NA for what is no molecule"
    ))
    expect_no_match(refused$text, "invalid =")
  }
})

test_that("invalid SMILES give missing rows and one warning on request", {
  skip_without_rdkit()
  some <- c(a = "CCO", b = "C1CC", c = NA)
  expect_warning(found <- smiles_features(some, invalid = "na"),
                 "2 of 3 SMILES are invalid and give `NA`.*Entry 2 \\(b\\).*Entry 3 \\(c\\)")
  expect_identical(rownames(found), c("a", "b", "c"))
  expect_identical(unname(rowSums(is.na(found))), c(0, 110, 110))
  expect_identical(found["a", ], smiles_features(some["a"])["a", ])
  expect_warning(read <- canonical_smiles(some, invalid = "na"), "2 of 3")
  expect_identical(read, c(a = "CCO", b = NA, c = NA))
  expect_warning(all_missing <- smiles_features(NA, "morgan", invalid = "na"),
                 "1 of 1 SMILES is invalid")
  expect_true(all(is.na(all_missing)))
})

test_that("wrong arguments are refused", {
  skip_without_rdkit()
  expect_refused(smiles_features(3), "`smiles` must be a character vector")
  expect_refused(smiles_features(list("C")), "`smiles` must be a character vector")
  expect_refused(smiles_features("C", "grover"), "`type` must be one of \"rdkit\", \"morgan\"")
  expect_refused(smiles_features("C", "morgan", radius = -1), "`radius` must be")
  expect_refused(smiles_features("C", "morgan", n_bits = 0.5), "`n_bits` must be")
  expect_refused(smiles_features("C", normalise = NA), "`normalise` must be")
  expect_refused(smiles_features("C", strip_salts = "yes"), "`strip_salts` must be")
  expect_refused(canonical_smiles("C", invalid = "drop"), "`invalid` must be one of")
  expect_refused(canonical_smiles("C", TRUE), "by name")
})

test_that("RDKit writes nothing to the console", {
  skip_without_rdkit()
  expect_silent(suppressWarnings(canonical_smiles(c("C1CC", "[Pt]", "CX"), invalid = "na")))
})

test_that("a fit takes the features as its molecules", {
  skip_without_rdkit()
  features <- smiles_features(c(A = "CCO", B = "c1ccccc1", control = "CS(C)=O"), "morgan",
                              n_bits = 32)
  cells <- toy_cells(160)
  fit <- cpa(toy_log(160), "drug", covariates = "cell_type", control = "control", col_data = cells,
             molecules = features, settings = quick_settings(1))
  expect_identical(nrow(perturbation_embedding(fit)), 3L)
})

test_that("without RDKit the call says how to get it", {
  skip_if(core_has_rdkit(), "with RDKit")
  expect_refused(smiles_features("C"), "RDKit is needed.*librdkit-dev")
  expect_refused(canonical_smiles("C"), "RDKit is needed.*librdkit-dev")
})

test_that("a TorchScript model takes the features' place", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  smiles <- c(ethanol = "CCO", benzene = "c1ccccc1", acid = "CC(=O)O")
  file <- test_path("fixtures", "molecule_model.pt")
  bits <- smiles_features(smiles, "morgan", n_bits = 16)
  weight <- matrix((0:47) / 10, 16, 3, byrow = TRUE)
  out <- smiles_features(smiles, "morgan", n_bits = 16, model = file)
  expect_equal(out, tanh(bits %*% weight / 10), tolerance = 1e-6, ignore_attr = TRUE)
  expect_identical(dimnames(out), list(names(smiles), paste0("model_", 1:3)))
  expect_refused(smiles_features(smiles, "morgan", n_bits = 8, model = file), "`model` must be")
  expect_refused(smiles_features(smiles, model = "nowhere.pt"), "that can be read")
  broken <- withr::local_tempfile(fileext = ".pt")
  writeBin(readBin(file, "raw", 500), broken)
  expect_refused(smiles_features(smiles, "morgan", n_bits = 16, model = broken), "`model` must be")
})
