# evaluate_r2(), evaluate_effects() and evaluate_cells() of theislab/chemCPA, chemCPA/train.py, with
# its weights in one of our fits: from cells to scores through the whole of R.

# "Control" comes first among the sorted names, as in the file. Treated cells are held out, the reference's controls
# test; copies of both are there to train.
chem_cells <- function(file) {
  read <- function(name) h5("h5read")(file, paste0("inputs/", name))
  what <- do.call(rbind, strsplit(read("pert_category"), "_", fixed = TRUE))
  treated <- which(what[, 2] != "control")
  lines <- read("cell_type_names")
  own <- data.frame(drug = what[treated, 2], dose = as.numeric(what[treated, 3]),
                    cell_type = what[treated, 1])
  control <- data.frame(drug = "Control", dose = 1, cell_type = lines[read("control_cell_type") + 1])
  sides <- c(rep("ood", nrow(own)), rep("test", nrow(control)))
  table <- rbind(own, control, own, control)
  table$split <- c(sides, rep("train", nrow(own) + nrow(control)))
  held <- cbind(read("genes")[, treated], read("genes_control"))
  x <- cbind(held, held)
  dimnames(x) <- list(read("var_names"), paste0("c", seq_len(ncol(x))))
  list(x = x, col_data = table, degs = golden_degs(read, rownames(x)))
}

# A fit of the reference's shape that has the reference's weights. The table of molecules is frozen.
chem_fit <- function(file, cells) {
  params <- h5("h5read")(file, "params")
  features <- t(params$drug_embeddings.weight)
  rownames(features) <- c("Control", paste0("Drug", seq_len(nrow(features) - 1)))
  about <- h5("h5readAttributes")(file, "/")
  shape <- jsonlite::fromJSON(about$hparams)
  known <- setdiff(names(chemcpa_settings(parity = "chemcpa")), "model")
  settings <- do.call(chemcpa_settings, c(shape[intersect(names(shape), known)], list(
    parity = "chemcpa", doser_type = about$doser_type, precision = "float64", epochs = 1, seed = 1,
    decoder_activation = about$decoder_activation %||% "linear", threads = 1, device = "cpu", verbose = FALSE,
    checkpoint_freq = 100
  )))
  fit <- suppressWarnings(chemcpa(cells$x, "drug", dose = "dose", covariates = "cell_type",
                                  dose_transform = "none",
                              control = "Control", split = "split", col_data = cells$col_data,
                              molecules = features, settings = settings))
  image <- withr::local_tempfile(fileext = ".h5")
  writeBin(fit$state, image)
  ours <- h5("h5ls")(image)
  ours <- ours$name[ours$group == "/weights"]
  names <- setdiff(names(params), c("drug_embeddings.weight",
                                    grep("num_batches_tracked", names(params), value = TRUE)))
  expect_identical(setdiff(names, ours), character())
  for (name in names) h5("h5write")(params[[name]], image, paste0("weights/", name))
  h5("h5closeAll")()
  new_fit(readBin(image, "raw", file.size(image)))
}

four <- c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg")

expect_golden_chem <- function(file) {
  expected <- function(name) h5("h5read")(file, paste0("f64/", name))
  cells <- chem_cells(file)
  fit <- chem_fit(file, cells)
  arguments <- list(fit, cells$x, split = "ood", col_data = cells$col_data)

  # In the file the lists of DEGs are the same under both kinds of keys.
  scores <- do.call(evaluate_r2, c(arguments, list(degs = cells$degs, preset = "chemcpa")))
  model <- scores[scores$method == "model", ]
  expect_identical(unique(model$n_controls), sum(cells$col_data$split == "test"))
  at <- match(paste0(model$cell_type, ", ", model$drug, "@", model$dose), names(cells$degs))
  by_category <- expected("evaluate_r2_per_category")
  expect_identical(setdiff(seq_along(names(cells$degs)), at), which(is.nan(by_category[1, ])))
  expect_equal(t(as.matrix(model[four])), by_category[, at], tolerance = 1e-9, ignore_attr = TRUE)
  average <- summary(scores)
  expect_equal(unlist(average[average$method == "model", four]), expected("evaluate_r2_full_keys"),
               tolerance = 1e-9, ignore_attr = TRUE)

  effects <- do.call(evaluate_effects, c(arguments, list(degs = cells$degs)))
  effects <- effects[effects$method == "model", effect_names]
  expect_equal(colMeans(effects), expected("evaluate_logfold_r2"), tolerance = 1e-9,
               ignore_attr = TRUE)

  single <- do.call(evaluate_cells, c(arguments, list(degs = cells$degs)))
  expect_equal(colMeans(single[c("r2_cells", "r2_cells_deg", "r2_var", "r2_var_deg")]),
               expected("evaluate_r2_sc"), tolerance = 1e-9, ignore_attr = TRUE)
}

test_that("preset chemcpa gives the reference's numbers from the reference's weights", {
  for (file in golden_files("metrics_chem", "theislab/chemCPA")) expect_golden_chem(file)
})
