# evaluate_r2() of facebookresearch/CPA, cpa/train.py, with its weights in one of our fits: from
# cells to scores through the whole of R.

# The reference's cells are held out, its controls test; a few of them, renamed, are there to train.
golden_cells <- function(file) {
  read <- function(name) h5("h5read")(file, paste0("inputs/", name))
  held <- read("genes")
  control <- read("genes_control")
  dose <- read("drugs")
  type <- paste0("ct", apply(read("covariate_0"), 2, which.max) - 1)
  drug <- paste0("D", apply(dose, 2, which.max) - 1)
  n <- c(ncol(held), ncol(control))
  table <- data.frame(
    drug = c(drug, rep("D0", 2 * n[2]), drug),
    dose = c(colSums(dose), rep(1, 2 * n[2]), colSums(dose)),
    cell_type = c(type, rep_len(c("ct0", "ct1"), 2 * n[2]), type),
    split = rep(c("ood", "test", "train"), c(n, sum(n)))
  )
  x <- cbind(held, control, control, held)
  dimnames(x) <- list(read("var_names"), paste0("c", seq_len(ncol(x))))
  list(x = x, col_data = table, category = read("pert_category"), names = read("categories"),
       degs = read("de_gene_index"))
}

# A fit of the reference's shape that has the reference's weights.
golden_fit <- function(file, cells) {
  about <- h5("h5readAttributes")(file, "/")
  shape <- jsonlite::fromJSON(about$hparams)
  settings <- do.call(cpa_settings, c(shape, list(
    parity = "fb", doser_type = about$doser_type, precision = "float64", epochs = 1, seed = 1, threads = 1,
    device = "cpu", verbose = FALSE, checkpoint_freq = 100
  )))
  fit <- suppressWarnings(cpa(cells$x, "drug", dose = "dose", covariates = "cell_type",
                              control = "D0", split = "split", col_data = cells$col_data,
                              settings = settings))
  image <- withr::local_tempfile(fileext = ".h5")
  writeBin(fit$state, image)
  params <- h5("h5read")(file, "params")
  ours <- h5("h5ls")(image)
  ours <- ours$name[ours$group == "/weights"]
  expect_identical(setdiff(names(params), ours), character())
  for (name in names(params)) {
    if (grepl("num_batches_tracked", name)) next
    h5("h5write")(params[[name]], image, paste0("weights/", name))
  }
  h5("h5closeAll")()
  new_fit(readBin(image, "raw", file.size(image)))
}

expect_golden <- function(file) {
  cells <- golden_cells(file)
  fit <- golden_fit(file, cells)
  what <- strsplit(cells$names, "_", fixed = TRUE)
  label <- vapply(what, function(w) {
    paste0(w[1], ", ", condition_label(list(w[2]), list(as.numeric(w[3]))))
  }, "")
  degs <- lapply(seq_along(label), function(k) rownames(cells$x)[cells$degs[, k] + 1])
  scores <- evaluate_r2(fit, cells$x, preset = "fb", split = "ood", col_data = cells$col_data,
                        degs = stats::setNames(degs, label))
  expect_identical(unique(scores$n_controls), sum(cells$col_data$split == "test"))
  model <- scores[scores$method == "model", ]
  expected <- h5("h5read")(file, "f64/evaluate_r2_per_category")
  key <- paste0(model$cell_type, ", ", model$drug, "@", model$dose)
  at <- match(key, label)
  expect_identical(setdiff(seq_along(label), at), which(expected[1, ] == -1))
  ours <- t(as.matrix(model[c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg")]))
  expect_equal(ours, expected[, at], tolerance = 1e-9, ignore_attr = TRUE)
  average <- summary(scores)
  average <- unlist(average[average$method == "model",
                            c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg")])
  expect_equal(average, h5("h5read")(file, "f64/evaluate_r2"), tolerance = 1e-9,
               ignore_attr = TRUE)
}

test_that("preset fb gives the reference's numbers from the reference's weights", {
  for (file in golden_files("metrics_fb", "facebookresearch/CPA")) expect_golden(file)
})
