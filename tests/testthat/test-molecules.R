# Perturbations by their features (cpa(molecules = )), all at dose 1: embeddings of equal features
# differ by the dose responses only, and linear ones are all alike there.

molecule_cells <- toy_cells(160)
molecule_cells$part <- ifelse(molecule_cells$drug == "A+B" & molecule_cells$cell_type == "NK",
                              "ood", "train")
molecules <- rbind(A = c(1, 0, 2), B = c(0, 1, -1))
molecule_fit <- function(molecules, ..., epochs = 2, x = toy_log(160), doser_type = "linear") {
  cpa(x, "drug", covariates = "cell_type", control = "control", split = "part",
      col_data = molecule_cells, molecules = molecules,
      settings = cpa_settings(epochs = epochs, seed = 1, verbose = FALSE, dim = 4, threads = 1,
                              autoencoder_width = 8, adversary_width = 8, batch_size = 16,
                              checkpoint_freq = 1, device = "cpu", doser_type = doser_type, ...))
}
both <- condition(drug = "A+B", cell_type = "NK")
ask <- function(fit) predict(fit, toy_log(160), both, col_data = molecule_cells)

test_that("a fit by features trains, predicts, and is repeatable", {
  fit <- molecule_fit(molecules)
  expect_true(all(is.finite(fit$history$loss_reconstruction)))
  expect_true(all(is.finite(ask(fit))))
  expect_identical(run_of(molecule_fit(molecules)), run_of(fit))
  expect_false(identical(run_of(molecule_fit(NULL)), run_of(fit)))
})

test_that("perturbations with the same features have the same embedding", {
  expect_warning(same <- molecule_fit(rbind(A = c(1, 0, 2), B = c(1, 0, 2))), class = "compert_same_molecules")
  z <- perturbation_embedding(same)
  expect_identical(z["A", ], z["B", ])
  expect_false(identical(z["A", ], z["control", ]))
  z <- perturbation_embedding(molecule_fit(molecules))
  expect_gt(max(abs(z["A", ] - z["B", ])), 1e-3)
})

test_that("a perturbation whose cells are all held out is predicted by its features", {
  cells <- molecule_cells[molecule_cells$drug != "A+B", ]
  cells$part <- ifelse(cells$drug == "B", "ood", "train")
  x <- toy_log(160)[, rownames(cells)]
  fit <- suppressWarnings(cpa(
    x, "drug", covariates = "cell_type", control = "control", split = "part", col_data = cells,
    molecules = rbind(A = c(1, 0, 2), B = c(1, 0, 2)),
    settings = cpa_settings(epochs = 3, seed = 1, verbose = FALSE, dim = 4, autoencoder_width = 8,
                            batch_size = 16, threads = 1, device = "cpu", doser_type = "linear")
  ))
  as_if <- function(drug) {
    predict(fit, x, condition(drug = drug, cell_type = "NK"), col_data = cells)
  }
  expect_identical(as.vector(as_if("B")), as.vector(as_if("A")))
  expect_identical(unique(attr(as_if("B"), "col_data")$seen), "drug new")
})

test_that("the embedding is a linear map of the features", {
  corners <- rbind(A = c(0, 0), B = c(2, 4), control = c(1, 2))
  z <- perturbation_embedding(molecule_fit(corners, epochs = 3))
  expect_equal(z["control", ], (z["A", ] + z["B", ]) / 2, tolerance = 1e-5)
})

test_that("the map is trained; theislab/cpa leaves it as it was drawn", {
  embedding <- function(epochs, ...) {
    perturbation_embedding(molecule_fit(molecules, epochs = epochs, ...))
  }
  expect_gt(max(abs(embedding(1) - embedding(3))), 1e-3)
  drawn <- function(epochs) embedding(epochs, parity = "theislab", loss_ae = "gauss")
  expect_identical(drawn(1), drawn(3))
})

test_that("rows are matched by name; the control may be left out, further rows become known", {
  fit <- molecule_fit(molecules)
  expect_identical(run_of(molecule_fit(molecules[2:1, ])), run_of(fit))
  expect_identical(run_of(molecule_fit(as.data.frame(molecules))), run_of(fit))
  expect_warning(more <- molecule_fit(rbind(Z = molecules["A", ], molecules)), class = "compert_same_molecules")
  z <- perturbation_embedding(more)
  expect_identical(z["Z", ], z["A", ])
  expect_identical(run_of(molecule_fit(rbind(molecules, control = 0))), run_of(fit))
  expect_false(identical(run_of(molecule_fit(rbind(molecules, control = 1))), run_of(fit)))
})

test_that("a fit by features is saved, loaded and resumed", {
  fit <- molecule_fit(molecules, epochs = 4)
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  expect_identical(ask(load_fit(file)), ask(fit))
  longer <- resume_fit(molecule_fit(molecules), toy_log(160), 2, col_data = molecule_cells)
  expect_identical(run_of(longer), run_of(fit))
  expect_identical(perturbation_embedding(longer), perturbation_embedding(fit))
  longer <- resume_fit(load_fit(file), toy_log(160), 2, col_data = molecule_cells)
  expect_identical(nrow(longer$history), 6L)
})

test_that("features go with counts and with every doser", {
  expect_true(all(is.finite(run_of(molecule_fit(molecules, x = toy_counts(160),
                                                loss_ae = "nb"))$loss_reconstruction)))
  for (doser in c("sigm", "logsigm", "mlp")) {
    z <- perturbation_embedding(molecule_fit(molecules, doser_type = doser), dose = 0.5)
    expect_true(all(is.finite(z)), info = doser)
    expect_identical(dim(z), c(3L, 4L))
  }
})

test_that("features of further molecules are matched by the names of the columns", {
  named <- molecules
  colnames(named) <- c("mass", "rings", "logP")
  fit <- molecule_fit(named)
  expect_identical(run_of(fit), run_of(molecule_fit(molecules)))
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  fit <- load_fit(file)
  expect_identical(fit$meta$registry$feature_names, colnames(named))
  embedding <- function(x, fit_of = fit) {
    rownames(x)[1] <- "New"
    perturbation_embedding(add_molecules(fit_of, x), "New")
  }
  wanted <- embedding(named[1, , drop = FALSE])
  expect_identical(embedding(named[1, 3:1, drop = FALSE]), wanted)
  expect_identical(embedding(molecules[1, , drop = FALSE]), wanted)
  expect_identical(embedding(named[1, , drop = FALSE], molecule_fit(molecules)), wanted)
  twice <- named[1, , drop = FALSE]
  colnames(twice) <- c("mass", "mass", "logP")
  expect_identical(embedding(twice), wanted)
  other <- named[1, , drop = FALSE]
  colnames(other)[2] <- "bonds"
  expect_refused(embedding(other), "lacks \"rings\"; it has \"bonds\"")
  expect_refused(add_molecules(fit, NULL), "`molecules` must say")
  tuned <- function(molecules) {
    suppressWarnings(fine_tune(fit, toy_log(160), "drug", covariates = "cell_type", control = "control",
                               split = "part", col_data = molecule_cells, molecules = molecules,
                               lr_factor = 0, epochs = 1, verbose = FALSE))
  }
  again <- tuned(named[, c(2, 3, 1)])
  expect_identical(perturbation_embedding(again), perturbation_embedding(fit))
  expect_identical(tuned(molecules)$meta$registry$feature_names, colnames(named))
  expect_refused(tuned(other), "lacks \"rings\"")
})

test_that("fine-tuning of a fit with molecules wants molecules", {
  fit <- molecule_fit(molecules)
  expect_refused(fine_tune(fit, toy_log(160), "drug", covariates = "cell_type", control = "control",
                           split = "part", col_data = molecule_cells),
                 "`molecules` must say.*computed from molecules")
})

test_that("wrong molecules are refused", {
  refused <- function(molecules, pattern) expect_refused(molecule_fit(molecules), pattern)
  shape <- "`molecules` must be a matrix of finite numbers with one named row per perturbation"
  refused(molecules["A", , drop = FALSE], "an entry for every perturbation.*It lacks \"B\".*\"A\"")
  refused(rbind(molecules, A = 1), paste0(shape, ".*\"A\" is there twice"))
  refused(unname(molecules), paste0(shape, ".*no names of its rows"))
  refused(molecules[, 0], paste0(shape, ".*no columns"))
  refused(rbind(A = c("CCO", "C"), B = "CC"), paste0(shape, ".*4 texts"))
  refused(list(A = 1, B = 2), paste0(shape, ".*`list`"))
  refused(c(A = 1, B = 2), paste0(shape, ".*2 numbers"))
  for (bad in c(NA, NaN, Inf)) {
    wrong <- molecules
    wrong[2, 2] <- bad
    refused(wrong, paste0(shape, ".*\"B\" has NA or an infinite number in 1 column, \"2\"\\."))
  }
  colnames(wrong) <- c("mass", "rings", "logP")
  wrong[1, ] <- c(NA, NA, 1)
  refused(wrong, "\"A\" has NA.*in 2 columns, \"mass\", \"rings\" \\(and 1 more row\\)")
  refused(c(A = "C", "N"), "named by perturbation.*2 texts, entry 2 without a name")
})

test_that("sparse features and bits are numbers", {
  bits <- molecules > 0
  for (form in list(bits, Matrix::Matrix(bits, sparse = TRUE), Matrix::Matrix(bits + 0, sparse = TRUE))) {
    expect_identical(read_molecules(form), read_molecules(bits + 0))
  }
})

test_that("one feature is told in the singular", {
  expect_match(format(molecule_fit(molecules[, 1, drop = FALSE])), "1 feature each", all = FALSE)
})
