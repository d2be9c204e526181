# evaluate_r2() of theislab/multicpa, MultiCPA/train.py, with its weights in one of our fits: from cells
# to scores of genes and proteins through the whole of R.

# Treated cells are held out, the reference's controls test; copies of both are there to train. What type
# the controls are of does not count: they are relabelled.
multi_cells <- function(file, loss) {
  read <- function(name) h5("h5read")(file, paste0("inputs/", name))
  scale <- if (loss == "nb") "raw_" else ""
  what <- do.call(rbind, strsplit(read("pert_category"), "_", fixed = TRUE))
  own <- data.frame(drug = what[, 2], dose = as.numeric(what[, 3]), cell_type = what[, 1])
  types <- paste0("ct", seq_len(h5("h5readAttributes")(file, "/")$num_cell_types) - 1)
  control <- data.frame(drug = "D0", dose = 1, cell_type = rep_len(types, ncol(read("control_genes"))))
  table <- rbind(own, control, own, control)
  table$split <- rep(c("ood", "test", "train"), c(nrow(own), nrow(control), nrow(own) + nrow(control)))
  values <- function(kind) {
    x <- cbind(read(paste0(scale, kind)), read(paste0("control_", scale, kind)))
    cbind(x, x)
  }
  x <- rbind(values("genes"), values("proteins"))
  proteins <- paste0("p", seq_len(nrow(values("proteins"))))
  dimnames(x) <- list(c(read("var_names"), proteins), paste0("c", seq_len(ncol(x))))
  list(x = x, col_data = table, proteins = proteins, degs = golden_degs(read, rownames(x)))
}

# A fit of the reference's shape that has the reference's weights.
multi_fit_of <- function(file, loss, cells) {
  about <- h5("h5readAttributes")(file, "/")
  settings <- do.call(multicpa_settings, c(jsonlite::fromJSON(about$hparams), list(
    parity = "multicpa", doser_type = about$doser_type, variational = FALSE, precision = "float64", epochs = 1,
    seed = 1, threads = 1, device = "cpu", verbose = FALSE, checkpoint_freq = 100
  )))
  fit <- suppressWarnings(multicpa(cells$x, "drug", dose = "dose", covariates = "cell_type",
                                   control = "D0", split = "split", col_data = cells$col_data,
                                   proteins = cells$proteins, fusion = "concat", loss = loss,
                                   protein_loss = loss, settings = settings))
  params <- h5("h5read")(file, paste0(loss, "/params"))
  params <- params[!grepl("num_batches_tracked", names(params))]
  names(params) <- sub("^cell_type_embeddings", "covariates_embeddings.0",
                       sub("^adversary_cell_types", "adversary_covariates.0", names(params)))
  image <- withr::local_tempfile(fileext = ".h5")
  writeBin(fit$state, image)
  ours <- h5("h5ls")(image)
  ours <- ours$name[ours$group == "/weights"]
  expect_setequal(names(params), ours[!grepl("num_batches_tracked", ours)])
  for (name in names(params)) h5("h5write")(params[[name]], image, paste0("weights/", name))
  h5("h5closeAll")()
  new_fit(readBin(image, "raw", file.size(image)))
}

six <- c("r2_mean", "r2_var", "r2_mean_deg", "r2_var_deg", "r2_mean_protein", "r2_var_protein")

expect_golden_multi <- function(file) {
  for (loss in c("gauss", "nb")) {
    cells <- multi_cells(file, loss)
    fit <- multi_fit_of(file, loss, cells)
    expect_identical(fit$meta$settings[c("loss_ae", "protein_loss")],
                     list(loss_ae = loss, protein_loss = loss))
    z <- cell_embedding(fit, cells$x, col_data = cells$col_data)
    expected <- function(name) h5("h5read")(file, paste0(loss, "/f64/", name))
    expect_equal(t(z)[, cells$col_data$split == "ood"], expected("latent_basal"), tolerance = 1e-9, ignore_attr = TRUE)
    scores <- evaluate_r2(fit, cells$x, preset = "multicpa", split = "ood", degs = cells$degs,
                          col_data = cells$col_data)
    model <- scores[scores$method == "model", ]
    expect_identical(unique(model$n_controls), sum(cells$col_data$split == "test"))
    at <- match(paste0(model$cell_type, ", ", model$drug, "@", model$dose), names(cells$degs))
    by_category <- expected("evaluate_r2_per_category")
    # Conditions of up to 30 cells have none.
    expect_identical(setdiff(seq_along(names(cells$degs)), at), which(by_category[1, ] == -1))
    expect_equal(t(as.matrix(model[six])), by_category[, at], tolerance = 1e-9, ignore_attr = TRUE)
    average <- summary(scores)
    average <- average[average$method == "model", ]
    expect_identical(intersect(names(average), six), six)
    expect_equal(unlist(average[six]), expected("evaluate_r2"), tolerance = 1e-9, ignore_attr = TRUE)
  }
}

test_that("preset multicpa gives the reference's six numbers from the reference's weights", {
  for (file in golden_files("metrics_multi", "theislab/multicpa")) expect_golden_multi(file)
})
