# Searches of chemcpa(), multicpa() and scgen(): the best fit is what the model's verb returns.

drug_search <- function(..., settings = drug_tuning(), space = list(embedding_encoder_width = c(6, 10)),
                        trials = 2) {
  cells <- few_drugs()
  suppressWarnings(tune_fit(cells$x, "condition", dose = "dose", control = "control", split = "split",
                            col_data = cells$col_data, space = space, trials = trials, seed = 1,
                            settings = settings, ...))
}

# Every well four times, half of them for testing: a screen with enough cells of each dose.
few_drugs <- function() {
  all <- drugseq_example(as = "list")
  keep <- which(all$col_data$condition %in% c("control", "Abemaciclib", "Trametinib"))
  genes <- order(-Matrix::rowSums(all$x[, keep]))[1:40]
  wells <- rep(keep, 4)
  x <- as.matrix(all$x[genes, wells])
  colnames(x) <- paste0("cell", seq_along(wells))
  col_data <- data.frame(as_text(all$col_data[wells, ]), split = rep(c("train", "test"), each = 2 * length(keep)))
  rownames(col_data) <- colnames(x)
  list(x = x, col_data = col_data,
       descriptors = all$descriptors[c("Abemaciclib", "Trametinib"), 1:8],
       molecules = all$molecules[c("Abemaciclib", "Trametinib")])
}

drug_tuning <- function(...) {
  chemcpa_settings(epochs = 2, dim = 4, autoencoder_width = 12, batch_size = 32, threads = 1,
                   device = "cpu", verbose = FALSE, dosers_width = 6, checkpoint_freq = 1, ...)
}

cite_search <- function(x = cite_rows(), ..., proteins = paste0("CD", 1:5), settings = cite_tuning(),
                        space = list(recon_weight_pro = c(0.1, 1)), trials = 2) {
  tune_fit(x, "drug", control = "control", covariates = "cell_type", split = "split",
           col_data = plain_cells(x), proteins = proteins, space = space, trials = trials, seed = 1,
           settings = settings, ...)
}

cite_tuning <- function(epochs = 2, ...) {
  multicpa_settings(epochs = epochs, dim = 6, autoencoder_width = 16, batch_size = 32, threads = 1,
                    device = "cpu", verbose = FALSE, checkpoint_freq = 1, ...)
}


test_that("the best fit of a chemCPA search is that of chemcpa()", {
  cells <- few_drugs()
  degs <- list(Trametinib = rownames(cells$x)[1:5])
  found <- drug_search(molecules = cells$descriptors, dose_unit = "uM", dose_transform = "max", degs = degs)
  expect_identical(found$best$meta$model, "chemcpa")
  expect_identical(found$trials$status, c("finished", "finished"))
  fit <- suppressWarnings(chemcpa(
    cells$x, "condition", dose = "dose", control = "control", molecules = cells$descriptors,
    dose_unit = "uM", dose_transform = "max", degs = degs, split = "split", col_data = cells$col_data,
    settings = found$best_settings))
  expect_identical(run_of(fit), run_of(found$best))
  expect_identical(fit$meta$registry, found$best$meta$registry)
  expect_identical(fit$meta$degs, found$best$meta$degs)
})

test_that("a network over molecules is searched, its sizes too, unless it was trained before", {
  skip_without(compert_sitrep()$built_with[["RDKit"]], "RDKit")
  cells <- few_drugs()
  found <- drug_search(molecules = cells$molecules, molecule_encoder = "graph",
                       space = list(molecule_width = c(4, 6, 8)), trials = 3)
  expect_identical(found$best$meta$registry$n_features, as.integer(found$best_settings$molecule_width))
  encoder <- pretrain_molecules(cells$molecules, epochs = 1, width = 5, depth = 2, seed = 1, verbose = FALSE)
  found <- drug_search(molecules = cells$molecules, molecule_encoder = encoder, trials = 1)
  expect_identical(found$best$meta$registry$n_features, 5L)
  expect_refused(drug_search(molecules = cells$molecules, molecule_encoder = encoder,
                             space = list(molecule_width = c(4, 6))),
                 "\"molecule_width\" is that of `molecule_encoder` and in `space`")
})

test_that("the best fit of a MultiCPA search is that of multicpa(), and proteins count", {
  found <- cite_search(fusion = "poe", protein_loss = "nb")
  fit <- multicpa(cite_rows(), "drug", control = "control", covariates = "cell_type", split = "split",
                  proteins = paste0("CD", 1:5), fusion = "poe", protein_loss = "nb",
                  col_data = cite_cells()$col_data, settings = found$best_settings)
  expect_identical(run_of(fit), run_of(found$best))
  trials <- found$trials
  expect_true(all(is.finite(trials$r2_mean_protein)) && all(is.finite(trials$r2_var_protein)))
  expect_equal(trials$score, (trials$r2_mean + trials$r2_mean_deg + trials$r2_mean_protein) / 3)
  by_protein <- cite_search(metric = "-r2_var_protein", trials = 3)
  expect_identical(by_protein$best_trial, which.min(by_protein$trials$r2_var_protein))
  expect_output(print(by_protein), "r2_var_protein = ")
  without <- cite_search(proteins = FALSE, trials = 1, space = list(kl_weight = c(0.1, 1)))
  expect_null(without$best$meta$registry$proteins)
  expect_false("r2_mean_protein" %in% names(without$trials))
})

test_that("how modalities are joined, and their likelihood, are searched like other settings", {
  found <- cite_search(space = list(fusion = c("concat", "poe"), protein_loss = c("nb", "nb_mixture")),
                       trials = 4)
  expect_identical(found$trials$status, rep("finished", 4))
  best <- found$trials[found$best_trial, ]
  expect_identical(found$best$meta$settings[c("fusion", "protein_loss")],
                   list(fusion = best$fusion, protein_loss = best$protein_loss))
  gaps <- cite_rows(with_gaps(cite_cells()$adt))
  expect_identical(cite_search(gaps, space = list(fusion = "poe"), trials = 1)$best$meta$settings$fusion, "poe")
  expect_refused(cite_search(gaps, space = list(fusion = c("concat", "poe")), trials = 4),
                 "fusion = \"concat\"")
  expect_refused(cite_search(space = list(fusion = "poe"), fusion = "poe"),
                 "\"fusion\" is an argument and in `space`")
  expect_refused(cite_search(fusion = "poe", settings = cite_tuning(fusion = "concat")), "must agree")
  expect_refused(cite_search(space = list(protein_loss = c("nb", "gauss"))), "Gaussian is of normalised")
})

# The cells of a sample are those of the file, with their proteins and gaps.
expect_same_sample <- function(file, col_data = NULL) {
  keys <- new_keys("drug", covariates = "cell_type", control = "control", split = "split")
  keys$proteins <- ""
  settings <- multicpa_settings(fusion = "poe", seed = 1)
  how <- read_own(keys, settings, list())
  cells <- tuning_cells(file, keys, col_data, settings, 155, 9, how)$task$screen
  whole <- as_screen(file, keys, col_data)
  at <- match(colnames(cells$x), colnames(whole$x))
  expect_identical(cells$measured, whole$measured[at])
  expect_equal(cells$proteins, whole$proteins[, at])
  expect_equal(as.matrix(cells$x), as.matrix(whole$x[, at]))
}

test_that("proteins go through rungs, and from files into a sample", {
  found <- cite_search(cite_sce(), proteins = NULL, method = "halving", grace = 1, reduction = 2, trials = 4,
                       settings = cite_tuning(4))
  expect_identical(found$best$meta$registry$proteins, paste0("CD", 1:5))
  expect_identical(max(found$trials$epochs_trained), 4L)
  file <- cite_h5ad(adt = with_gaps(cite_cells()$adt))
  sampled <- cite_search(file, proteins = NULL, fusion = "poe", sample_cells = 155, trials = 1)
  expect_identical(sum(unlist(sampled$best$meta$n_cells)), 155L)
  expect_same_sample(file)
})

test_that("the best fit of a sample takes the cells that its file was written from", {
  adt <- cite_cells()$adt
  file <- withr::local_tempfile(fileext = ".h5ad")
  for (values in list(list(counts = adt), list(clr = log1p(adt)))) {
    cells <- cite_sce(adt = values)
    write_h5ad(cells, file)
    for (assay in list(NULL, "ADT")) {
      best <- cite_search(file, proteins = NULL, protein_assay = assay, sample_cells = 155, trials = 1)$best
      expect_identical(best$meta$container, "SingleCellExperiment")
      expect_null(best$meta$keys$protein_assay)
      expect_s4_class(ask_both(best, cells), "SingleCellExperiment")
      score <- function(x) evaluate_r2(best, x, split = "ood", min_cells = 1, seed = 1)$r2_mean_protein
      expect_equal(score(cells), score(file))
    }
  }
})

test_that("antibodies of a 10x file come into a sample", {
  cells <- cite_cells()
  file <- tenx_file(cite_rows(), rep(c("Gene Expression", "Antibody Capture"), c(14, 5)))
  expect_same_sample(file, cells$col_data)
})

test_that("scGen is searched by the settings that it has", {
  cells <- small_cells()
  settings <- scgen_settings(epochs = 2, autoencoder_width = 16, batch_size = 32, checkpoint_freq = 1,
                             threads = 1, device = "cpu", verbose = FALSE)
  search <- function(...) small_search(..., settings = settings, trials = 2)
  found <- search()
  fit <- scgen(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
               col_data = cells$col_data, settings = found$best_settings)
  expect_identical(run_of(fit), run_of(found$best))
  expect_refused(search(space = list(dosers_width = c(8, 16))),
                 "act in fits of `scgen\\(\\)`.*\"dosers_width\" acts in other models")
  expect_refused(search(dose_transform = "log"), "argument of `cpa\\(\\)`, `chemcpa\\(\\)`, `multicpa\\(\\)`")
  expect_refused(search(loss = "nb"),
                 "`loss` is an argument of `cpa\\(\\)`, `chemcpa\\(\\)`, `multicpa\\(\\)`; .* of `scgen\\(\\)`")
})

test_that("an argument or setting of another model is refused with the model that has it", {
  cells <- few_drugs()
  expect_refused(small_search(fusion = "poe"), paste0("`fusion` is an argument of `multicpa\\(\\)`; the settings ",
                                                      "are of `cpa\\(\\)`.*settings = multicpa_settings"))
  expect_refused(drug_search(molecules = cells$descriptors, proteins = "ADT"), "argument of `multicpa\\(\\)`")
  expect_refused(drug_search(), "`molecules` must say what the perturbations are")
  expect_refused(drug_search(molecules = cells$descriptors, dose_transform = "sqrt"),
                 "`dose_transform` must be one of")
  expect_refused(small_search(space = list(fusion = c("concat", "poe"), kl_weight = 1)),
                 "act in fits of `cpa\\(\\)`.*\"fusion\" acts in other models only")
})

test_that("what the arguments switch off is not searched", {
  found <- cite_search(proteins = FALSE, space = NULL, trials = 1)
  expect_identical(setdiff(names(default_space(cite_tuning())), names(found$space)), "recon_weight_pro")
  expect_identical(default_search(cite_tuning(), list(proteins = "CD1")), default_space(cite_tuning()))
  expect_refused(cite_search(proteins = FALSE), "\"recon_weight_pro\" does nothing without proteins")
  expect_refused(cite_search(proteins = FALSE, space = list(fusion = c("concat", "poe"), kl_weight = 1:2)),
                 "\"fusion\" does nothing")
  expect_refused(drug_search(molecules = few_drugs()$descriptors, space = list(molecule_width = c(4, 6))),
                 "\"molecule_width\" does nothing without a network over molecules.*molecule_encoder = \"graph\"")
})

test_that("another model, or other arguments of it, is another search", {
  cells <- few_drugs()
  dir <- withr::local_tempdir()
  search <- function(...) drug_search(dir = dir, molecules = cells$descriptors, trials = 1, ...)
  first <- search(dose_transform = "max")
  expect_identical(search(dose_transform = "max")$trials, first$trials)
  expect_refused(search(dose_transform = "log"),
                 "arguments: .*dose_transform: the text \"max\" there; .*dose_transform: the text \"log\" here")
  expect_refused(search(dose_transform = "max", degs = list(Trametinib = rownames(cells$x)[1:5])),
                 "arguments: .* here")
  settings <- cpa_settings(epochs = 2, dim = 4, autoencoder_width = 12, verbose = FALSE)
  expect_refused(search(settings = settings), "model: chemcpa there; cpa here")
  dir <- withr::local_tempdir()
  cite_search(trials = 1, dir = dir)
  adt <- cite_cells()$adt
  adt[2, 3] <- adt[2, 3] + 1
  expect_refused(cite_search(cite_rows(adt), trials = 1, dir = dir), "data: other values there than here")
  expect_refused(cite_search(trials = 1, dir = dir, protein_loss = "nb"), "arguments: .*protein_loss")
})

test_that("without a space that of the model is searched, but for what is fixed", {
  cells <- few_drugs()
  settings <- drug_tuning(embedding_encoder_width = 6, autoencoder_depth = 1)
  found <- drug_search(molecules = cells$descriptors, space = NULL, settings = settings)
  expect_identical(found$space, default_space(settings))
  expect_false(any(c("dim", "embedding_encoder_width") %in% names(found$space)))
  expect_true(all(names(found$space) %in% names(found$trials)))
})
