test_that("perturbations with one molecule are told, those of the screen only", {
  features <- rbind(A = c(1, 0, 2), B = c(0, 1, 2), C = c(1, 0, 2), D = c(NA, NA, NA), E = c(0, 1, 2))
  read <- read_molecules(features)
  expect_warning(warn_same_molecules(read, c("A", "C", "D", "B")), "The same: \"A\", \"C\"[.]",
                 class = "compert_same_molecules")
  expect_warning(warn_same_molecules(read, LETTERS[1:5]), "\"A\", \"C\".*\"B\", \"E\"")
  expect_no_warning(warn_same_molecules(read, c("A", "B", "D")))
  expect_no_warning(warn_same_molecules(NULL, c("A", "B")))
  expect_no_warning(warn_same_molecules(read_molecules(rbind(A = c(1e17, 0), B = c(1e17, 1))), c("A", "B")))
  many <- features[rep(1:2, c(2, 2)), ][c(1:4, 1:4), ] + rep(1:2, each = 4)
  rownames(many) <- LETTERS[1:8]
  expect_warning(warn_same_molecules(read_molecules(many), LETTERS[1:8]), "And 1 more group")
  skip_without(core_has_rdkit(), "RDKit")
  graphs <- list(names = c("A", "B", "C"), free = rep(FALSE, 3), smiles = c("CCO", "OCC", "CC"), kind = "graph")
  expect_warning(warn_same_molecules(graphs, c("A", "B", "C")), "\"A\", \"B\"")
})

test_that("features on another scale are told, of the screen's perturbations", {
  features <- rbind(A = c(0, 1), B = c(1, 0), Z = c(1, 500))
  colnames(features) <- c("bit", "weight")
  read <- read_molecules(features)
  expect_no_warning(warn_unscaled_features(read, c("A", "B")))
  expect_warning(warn_unscaled_features(read, c("A", "Z")), "Column \"weight\" goes up to 500.*scale",
                 class = "compert_unscaled_features")
  expect_warning(warn_unscaled_features(read_molecules(`colnames<-`(features, NULL)), "Z"),
                 "Column 2 goes")
  expect_no_warning(warn_unscaled_features(NULL, "A"))
  features["A", ] <- NA
  expect_no_warning(warn_unscaled_features(read_molecules(features), "A"))
})
