# chemcpa() on a small cut of the shipped drug screen.

drug_cells <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      all <- drugseq_example(as = "list")
      drugs <- c("control", "Abemaciclib", "Camptothecin", "Trametinib", "Staurosporine")
      keep <- which(all$col_data$condition %in% drugs)
      genes <- order(-Matrix::rowSums(all$x[, keep]))[1:60]
      made <<- list(x = as.matrix(all$x[genes, keep]), col_data = as_text(all$col_data[keep, ]),
                    descriptors = all$descriptors[setdiff(drugs, "control"), 1:12],
                    molecules = all$molecules)
    }
    made
  }
})
drug_settings <- function(epochs = 2, ...) {
  chemcpa_settings(epochs = epochs, dim = 6, autoencoder_width = 16, batch_size = 32, threads = 1,
                   device = "cpu", seed = 4, verbose = FALSE, dosers_width = 8,
                   embedding_encoder_width = 10, ...)
}
drug_fit <- function(..., molecules = drug_cells()$descriptors, settings = drug_settings()) {
  cells <- drug_cells()
  suppressWarnings(chemcpa(cells$x, "condition", dose = "dose", control = "control",
                           molecules = molecules, col_data = cells$col_data, settings = settings, ...))
}
ask <- function(fit, condition) {
  predict(fit, drug_cells()$x, condition, col_data = drug_cells()$col_data, summarise = "condition",
          residual = FALSE)
}

test_that("a fit with molecules trains, prints what it is, and is repeatable", {
  fit <- drug_fit(dose_unit = "uM")
  expect_identical(fit$meta$model, "chemcpa")
  expect_true(all(is.finite(fit$history$loss_reconstruction)))
  shown <- format(fit)
  expect_match(shown, "chemCPA", all = FALSE)
  expect_match(shown, "12 features each", all = FALSE)
  expect_match(shown, "in uM", all = FALSE)
  again <- drug_fit(dose_unit = "uM")
  expect_identical(again$history$loss_reconstruction, fit$history$loss_reconstruction)
})

test_that("every molecule that was described can be predicted, equal ones alike", {
  table <- drug_cells()$descriptors
  more <- rbind(table, Twin = table["Trametinib", ], Other = -table["Trametinib", ])
  fit <- drug_fit(molecules = more)
  expect_setequal(fit$meta$registry$perturbations, c(rownames(more), "control"))
  at_one <- function(drug) suppressWarnings(ask(fit, condition(drug, dose = 1)))
  expect_identical(as.vector(at_one("Twin")), as.vector(at_one("Trametinib")))
  expect_false(identical(as.vector(at_one("Other")), as.vector(at_one("Trametinib"))))
  expect_identical(attr(at_one("Other"), "col_data")$seen, "drug new")
  response <- dose_response(fit, perturbation = "Twin", n_points = 3)
  expect_equal(response$dose, c(0, 5, 10))
  expect_true(all(is.finite(response$response)))
})

test_that("equal molecules are predicted alike also where doses are shares of a drug's highest", {
  table <- drug_cells()$descriptors
  more <- rbind(table, Twin = table["Trametinib", ])
  fit <- add_molecules(drug_fit(molecules = more, dose_transform = "relative"),
                       rbind(Third = table["Trametinib", ]))
  expect_gt(fit$meta$registry$dose_top, 1)
  alike <- suppressWarnings(ask(fit, condition(c("Trametinib", "Twin", "Third"), dose = 10)))
  expect_identical(alike[, 2], alike[, 1])
  expect_identical(alike[, 3], alike[, 1])
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  expect_identical(load_fit(file)$meta$registry$dose_scale, fit$meta$registry$dose_scale)
})

test_that("dose 0 is no drug at all", {
  z <- perturbation_embedding(drug_fit(), "Trametinib", dose = 0)
  expect_identical(as.vector(z), rep(0, 6))
})

test_that("a perturbation without a molecule has an embedding of its own", {
  table <- drug_cells()$descriptors
  table["Camptothecin", ] <- NA
  fit <- drug_fit(molecules = table, settings = drug_settings(epochs = 3))
  z <- perturbation_embedding(fit)
  expect_true(all(is.finite(z)))
  expect_gt(max(abs(z["Camptothecin", ])), 0)
  again <- load_fit(save_fit(fit, tempfile(fileext = ".h5")))
  expect_identical(perturbation_embedding(again), z)
})

test_that("a perturbation without a molecule that training never meets is a warning", {
  cells <- drug_cells()
  cells$col_data$part <- ifelse(cells$col_data$condition %in% c("Camptothecin", "Trametinib"), "ood",
                                "train")
  table <- cells$descriptors
  table["Camptothecin", ] <- NA
  said <- capture_warnings(chemcpa(cells$x, "condition", control = "control", split = "part",
                                   molecules = table, col_data = cells$col_data,
                                   settings = drug_settings(epochs = 1)))
  expect_match(gsub("\\s+", " ", said), "\"Camptothecin\" is not. Predictions for it would be random",
               all = FALSE)
  expect_no_match(said, "Trametinib")
})

test_that("units are kept, converted and checked", {
  fit <- drug_fit(dose_unit = "uM")
  in_um <- ask(fit, condition("Trametinib", dose = 0.5, dose_unit = "uM"))
  in_nm <- ask(fit, condition("Trametinib", dose = 500, dose_unit = "nM"))
  expect_equal(as.vector(in_nm), as.vector(in_um), tolerance = 1e-6)
  expect_identical(ask(fit, condition("Trametinib", dose = 0.5))[, 1], in_um[, 1])
  expect_refused(ask(fit, condition("Trametinib", dose = 1, dose_unit = "mg/kg")), "same kind")
  expect_refused(ask(fit, condition("Trametinib", dose = 1, dose_unit = "U/mL")), "same kind.*\"U/ml\"")
  expect_refused(ask(drug_fit(), condition("Trametinib", dose = 1, dose_unit = "nM")),
                 "does not know the unit")
})

test_that("doses come before the network as was asked", {
  registry <- drug_fit(dose_transform = "log")$meta$registry
  code <- match("Trametinib", registry$perturbations)
  expect_equal(scaled_dose(registry, code, c(0, 10)), c(0, 1))
  expect_equal(scaled_dose(registry, code, 1), log(101) / log(1001))
  registry <- drug_fit(dose_transform = "max")$meta$registry
  expect_equal(scaled_dose(registry, code, c(0, 1, 10)), c(0, 0.1, 1))
  registry <- drug_fit(dose_transform = "none")$meta$registry
  expect_equal(scaled_dose(registry, code, c(0, 1, 10)), c(0, 1, 10))
  # By default a reference's own with its parity.
  expect_identical(pick_dose_transform(NULL, chemcpa_settings()), "log")
  expect_identical(pick_dose_transform(NULL, chemcpa_settings(parity = "chemcpa")), "max")
  expect_identical(pick_dose_transform(NULL, chemcpa_settings(parity = "chemcpa_v2")), "none")
  expect_identical(pick_dose_transform("log", chemcpa_settings(parity = "chemcpa_v2")), "log")
  expect_refused(pick_dose_transform("square", chemcpa_settings()), "`dose_transform` must be one of")
})

test_that("the references' defaults are at hand", {
  expect_identical(chemcpa_settings()$doser_type, "amortized")
  expect_equal(chemcpa_settings(parity = "chemcpa")$reg_adversary_cov, 16.165583124257587)
  expect_identical(chemcpa_settings(parity = "chemcpa_v2")$adversary_steps, 2L)
  fit <- drug_fit(settings = drug_settings(parity = "chemcpa"), dose_transform = "none")
  expect_true(all(is.finite(fit$history$loss_adv_perturbations)))
  fit <- drug_fit(settings = drug_settings(parity = "chemcpa_v2", adversary_steps = 2))
  expect_true(all(is.finite(fit$history$loss_adv_perturbations)))
})

test_that("wrong input is refused", {
  cells <- drug_cells()
  expect_refused(chemcpa(cells$x, "condition", control = "control", col_data = cells$col_data),
                 "`molecules` must say")
  expect_refused(drug_fit(molecules = cells$descriptors[-1, ]), "It lacks \"Abemaciclib\"")
  bad <- cells$descriptors
  bad[1, 1] <- Inf
  expect_refused(drug_fit(molecules = bad), "matrix of finite numbers")
  expect_refused(drug_fit(settings = cpa_settings()), "chemcpa_settings")
  expect_refused(chemcpa_settings(dims = 3), "Did you mean \"dim\"")
  expect_refused(chemcpa_settings(3), "One has no name")
  expect_refused(cpa(cells$x, "condition", control = "control", col_data = cells$col_data,
                     settings = drug_settings()), "cpa_settings")
})

test_that("molecules that come later are known by name and change nothing else", {
  table <- drug_cells()$descriptors
  fit <- drug_fit()
  new <- rbind(Late = table["Trametinib", ], Later = 0 * table["Trametinib", ])
  more <- add_molecules(fit, new)
  known <- condition(c("Trametinib", "Camptothecin"), dose = 1)
  expect_identical(as.vector(ask(more, known)), as.vector(ask(fit, known)))
  late <- suppressWarnings(ask(more, condition("Late", dose = 1)))
  expect_identical(as.vector(late), as.vector(ask(fit, condition("Trametinib", dose = 1))))
  expect_identical(attr(late, "col_data")$seen, "drug new")
  expect_identical(nrow(more$history), nrow(fit$history))
  expect_refused(add_molecules(fit, table[1, , drop = FALSE]), "does not know")
  expect_refused(add_molecules(fit, new[, 1:3]), "described as those of the fit.*fit with named SMILES")
  expect_refused(add_molecules(small_fit(), new), "made with molecules")
})

test_that("no molecule is added where every drug acts in every cell", {
  new <- rbind(Late = -2 * drug_cells()$descriptors["Trametinib", ])
  fit_with <- function(doser_type, use_drugs_idx) {
    drug_fit(settings = drug_settings(1, parity = "chemcpa", doser_type = doser_type,
                                      use_drugs_idx = use_drugs_idx))
  }
  for (doser in c("mlp", "amortized")) {
    expect_refused(add_molecules(fit_with(doser, FALSE), new), paste0("doser_type = \"", doser, "\" every drug acts"))
  }
  known <- condition("Trametinib", dose = 1)
  for (fit in list(fit_with("sigm", FALSE), fit_with("amortized", TRUE))) {
    expect_identical(as.vector(ask(add_molecules(fit, new), known)), as.vector(ask(fit, known)))
  }
})

test_that("every trained dose of a drug is its own nearest condition", {
  asked <- condition_grid(condition = "Trametinib", dose = c(0.1, 1, 10))
  far <- prediction_uncertainty(drug_fit(), asked, min_cells = 1)
  expect_identical(far$seen, rep("condition", 3))
  expect_identical(far$nearest_cosine, far$nearest_euclidean)
  expect_identical(anyDuplicated(far$nearest_cosine), 0L)
})
