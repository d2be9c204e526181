# The network over molecular graphs, by itself and in a fit.

small_encoder <- function(..., epochs = 15) {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  pretrain_molecules(drugseq_molecules()$molecules, ..., width = 12, depth = 2, epochs = epochs,
                     batch_size = 9, seed = 3, threads = 1, verbose = FALSE)
}

test_that("pre-training learns, and is repeatable", {
  encoder <- small_encoder(lr = 5e-3)
  h <- encoder$history
  expect_lt(mean(tail(h$loss_atoms, 3)), h$loss_atoms[1])
  expect_lt(mean(tail(h$loss_descriptors, 3)), h$loss_descriptors[1])
  expect_identical(small_encoder(lr = 5e-3)$weights, encoder$weights)
  expect_output(print(encoder), "27 molecules, 15 epochs")
})

test_that("SMILES may be a factor", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  trained <- function(smiles) {
    pretrain_molecules(smiles, width = 4, depth = 1, epochs = 1, seed = 1, threads = 1, verbose = FALSE)$weights
  }
  expect_identical(trained(factor(c("CCO", "CC", "CCO"))), trained(c("CCO", "CC", "CCO")))
})

test_that("graphs are read in a fit; equal molecules are alike however they are written", {
  encoder <- small_encoder(epochs = 2)
  screen <- drugseq_example(as = "list")
  drugs <- c("Abemaciclib", "Camptothecin", "Trametinib")
  keep <- which(screen$col_data$condition %in% c("control", drugs))[1:70]
  keep <- sort(unique(c(keep, which(screen$col_data$condition %in% drugs))))
  x <- as.matrix(screen$x[1:50, keep])
  cells <- as_text(screen$col_data[keep, ])
  molecules <- c(screen$molecules[drugs], Ethanol = "CCO", Spirit = "OCC", Guide = NA)
  fit_with <- function(encoder, epochs = 2, molecules_here = molecules) {
    suppressWarnings(chemcpa(
      x, "condition", dose = "dose", control = "control", molecules = molecules_here,
      molecule_encoder = encoder, col_data = cells,
      settings = chemcpa_settings(epochs = epochs, dim = 5, autoencoder_width = 12, batch_size = 32,
                                  molecule_width = 12, molecule_depth = 2, threads = 1,
                                  device = "cpu", seed = 1, verbose = FALSE)
    ))
  }
  fit <- fit_with("graph", molecules_here = molecules[1:5])
  expect_identical(fit$meta$registry$feature_kind, "graph")
  z <- perturbation_embedding(fit, c("Ethanol", "Spirit", "Trametinib"))
  expect_equal(z["Ethanol", ], z["Spirit", ], tolerance = 1e-5)
  expect_gt(max(abs(z["Ethanol", ] - z["Trametinib", ])), 1e-4)
  # It is trained with the model.
  network <- function(fit) {
    w <- core_weights(fit$state)
    w[grepl("^molecule_network", names(w))]
  }
  expect_gt(length(network(fit)), 5)
  moved <- fit_with(encoder, molecules_here = molecules[1:5])
  expect_setequal(names(network(moved)), names(encoder$weights))
  expect_false(identical(network(moved), encoder$weights))
  # Saved, loaded, and told of more.
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  again <- load_fit(file)
  expect_identical(perturbation_embedding(again, "Ethanol"), perturbation_embedding(fit, "Ethanol"))
  more <- add_molecules(again, c(Alcohol = "C(O)C"))
  z <- perturbation_embedding(more, c("Ethanol", "Alcohol"))
  expect_equal(z[1, ], z[2, ], tolerance = 1e-5)
  longer <- resume_fit(fit, x, epochs = 1, col_data = cells, verbose = FALSE)
  expect_identical(nrow(longer$history), 3L)
  # What is no molecule has an embedding of its own.
  free <- fit_with("graph", molecules_here = c(molecules[c(1:2, 4)], Trametinib = NA))
  expect_true(all(is.finite(perturbation_embedding(free, "Trametinib"))))
  expect_refused(fit_with("network"), "`molecule_encoder` must be")
  expect_refused(fit_with("graph", molecules_here = screen$descriptors), "named SMILES")
  expect_refused(fit_with("graph", molecules_here = replace(molecules, "Ethanol", "C1CC")), "Ethanol")
})

test_that("SMILES alone are read by RDKit's descriptors", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  screen <- drugseq_example(as = "list")
  fit <- suppressWarnings(chemcpa(
    screen$x, "condition", dose = "dose", control = "control", molecules = screen$molecules,
    col_data = screen$col_data,
    settings = chemcpa_settings(epochs = 1, seed = 1, threads = 1, device = "cpu", verbose = FALSE)
  ))
  expect_identical(fit$meta$registry$feature_kind, "rdkit")
  expect_identical(as.integer(fit$meta$registry$n_features),
                   ncol(smiles_features(screen$molecules)))
  more <- add_molecules(fit, c(Ethanol = "CCO"))
  expect_true("Ethanol" %in% more$meta$registry$perturbations)
})

test_that("wrong input is refused", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  bad <- expect_refused(pretrain_molecules(c("CCO", "C1CC")), "C1CC.*drop what is none: smiles\\[!is[.]na\\(")
  expect_no_match(bad$text, "to get `NA`")
  expect_refused(pretrain_molecules("CCO", epochs = 1, verbose = FALSE), "two molecules")
  expect_refused(pretrain_molecules(c("CCO", "CC"), masked = 1), "`masked` must be")
  expect_refused(pretrain_molecules(c("CCO", "CC"), lr = 0), "`lr` must be")
})

test_that("an encoder whose training was ended early is told, one that breaks is refused", {
  skip_without(core_has_rdkit(), "RDKit")
  smiles <- c("CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCl")
  expect_refused(pretrain_molecules(smiles, width = 4, depth = 1, epochs = 1, batch_size = 5, lr = 1e38, threads = 1,
                                    verbose = FALSE), "A weight is not finite after epoch 1.*tenth")
  local_replaced("core_pretrain_molecules", function(...) {
    list(loss_atoms = c(3, 2), loss_descriptors = c(1, 1), weights = list())
  })
  expect_warning(encoder <- pretrain_molecules(smiles, epochs = 3, verbose = FALSE), "interrupted after 2 epochs",
                 class = "compert_stopped_interrupt")
  expect_identical(nrow(encoder$history), 2L)
  expect_no_warning(pretrain_molecules(smiles, epochs = 2, verbose = FALSE))
})
