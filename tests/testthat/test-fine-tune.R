# Fine-tuning: what is kept, in the core's bits and in the printed fit.

bulk_cells <- function(genes = 1:60, cells = TRUE) {
  all <- small_cells()
  list(x = all$x[genes, cells], col_data = all$col_data[cells, ])
}
tune_settings <- function(...) {
  cpa_settings(epochs = 2, dim = 6, autoencoder_width = 12, batch_size = 32, threads = 1,
               device = "cpu", seed = 2, verbose = FALSE, ...)
}
bulk_fit <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      b <- bulk_cells()
      made <<- cpa(b$x, "condition", control = "control", covariates = "cell_type", split = "split",
                   col_data = b$col_data, settings = tune_settings())
    }
    made
  }
})
tune <- function(cells, ..., fit = bulk_fit(), covariates = "cell_type", verbose = FALSE) {
  suppressWarnings(fine_tune(fit, cells$x, "condition", control = "control",
                             covariates = covariates, split = "split", col_data = cells$col_data,
                             verbose = verbose, ...))
}

test_that("a dose means what it meant before, also where the higher doses are not there", {
  cells <- bulk_cells()
  treated <- cells$col_data$condition != "control"
  cells$col_data$dose <- ifelse(treated & seq_along(treated) %% 2 == 0, 10, 1)
  few <- cells$col_data$dose == 1
  fit <- suppressWarnings(cpa(cells$x, "condition", dose = "dose", control = "control", col_data = cells$col_data,
                              settings = tune_settings(doser_type = "sigm")))
  low <- list(x = cells$x[, few], col_data = cells$col_data[few, ])
  tuned <- suppressWarnings(fine_tune(fit, low$x, "condition", dose = "dose", control = "control",
                                      col_data = low$col_data, epochs = 1, lr_factor = 0, verbose = FALSE))
  expect_equal(tuned$meta$registry$dose_scale, fit$meta$registry$dose_scale)
  response <- function(fit) dose_response(fit, perturbation = "IFNb", dose = c(1, 10))$response
  expect_equal(response(tuned), response(fit))  # a rate of 0 also keeps all weights, and makes none NaN
})

test_that("a drug that was known by its molecule alone gets the scale of its own doses", {
  cells <- bulk_cells()
  molecules <- matrix(c(1, 0, 0, 1, 1, 1), 3, dimnames = list(c("IFNb", "X", "Y"), NULL))
  settings <- tune_settings(doser_type = "sigm")
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control", molecules = molecules,
                              col_data = cells$col_data, settings = settings))
  cells$col_data$dose <- 1
  x <- which(cells$col_data$condition == "IFNb")[c(TRUE, FALSE)]
  cells$col_data$condition[x] <- "X"
  cells$col_data$dose[x] <- 10
  tuned <- suppressWarnings(fine_tune(fit, cells$x, "condition", dose = "dose", control = "control",
                                      molecules = molecules, col_data = cells$col_data, epochs = 1,
                                      verbose = FALSE))
  scale <- rlang::set_names(tuned$meta$registry$dose_scale, tuned$meta$registry$perturbations)
  expect_equal(scale[c("IFNb", "X", "Y")], c(IFNb = 1, X = 10, Y = 1))  # Y: the top of the first fit
})

test_that("a drug that the earlier fit only held out keeps its scale", {
  fit <- held_out_fit()
  cells <- dosed_cells()
  low <- cells$col_data$drug %in% c("control", "B", "C")
  cells$col_data$dose[cells$col_data$drug == "C"] <- "0.01"
  cells$col_data$split[cells$col_data$drug == "C"] <- "train"
  tuned <- suppressWarnings(fine_tune(
    fit, cells$x[, low], "drug", dose = "dose", control = "control", split = "split",
    molecules = cbind(f = c(B = 2, C = 3)), col_data = cells$col_data[low, ], epochs = 1, verbose = FALSE
  ))
  expect_identical(tuned$meta$registry$perturbations, c("B", "C", "control"))
  expect_equal(tuned$meta$registry$dose_scale, c(10, 0.05, 1))
})

test_that("the network cannot stand still while embeddings move", {
  expect_refused(tune_settings(autoencoder_lr = 0), "`autoencoder_lr` must be above 0.*embeddings_lr is 0.03")
})

test_that("a larger set of genes gets layers of its own; the rest starts where it was, to the bit", {
  cells <- bulk_cells(1:120)
  fit <- tune(cells, epochs = 1, autoencoder_lr = 0, embeddings_lr = 0, dosers_lr = 0)
  was <- core_weights(bulk_fit()$state)
  is <- core_weights(fit$state)
  learned <- grep("^adversary_|running_|num_batches", names(was), invert = TRUE, value = TRUE)
  expect_gt(length(learned), 10)
  for (name in learned) expect_identical(as.vector(is[[name]]), as.vector(was[[name]]), info = name)
  expect_identical(attr(is[["encoder.network.henc_linear.weight"]], "shape"), c(60, 120))
  expect_identical(attr(is[["decoder.network.hdec_linear.weight"]], "shape"), c(240, 120))
  expect_identical(fit$meta$registry$genes, rownames(cells$x))
  table <- transfer_table(fit)
  expect_identical(table$state[table$part == "layers for other genes"], "new")
  expect_identical(table$state[table$part == "encoder"], "kept")
  expect_identical(table$state[table$part == "adversary"], "new")
  expect_match(format(fit), "Starts from:", all = FALSE)
})

test_that("the same genes in another order are matched by name", {
  cells <- bulk_cells(60:1)
  fit <- tune(cells, epochs = 1, autoencoder_lr = 0, embeddings_lr = 0, dosers_lr = 0)
  was <- core_weights(bulk_fit()$state)[["encoder.network.0.weight"]]
  is <- core_weights(fit$state)[["encoder.network.0.weight"]]
  as_rows <- function(w) matrix(w, attr(w, "shape")[1], byrow = TRUE)
  expect_identical(as_rows(is), as_rows(was)[, 60:1])
})

test_that("other genes, levels and perturbations keep what has a counterpart", {
  cells <- bulk_cells(41:100)
  cells$col_data$cell_type[cells$col_data$cell_type == "NK"] <- "New"
  fit <- tune(cells, genes = "match", epochs = 2)
  table <- transfer_table(fit)
  expect_identical(table$state[table$part == "encoder"], "partly kept")
  expect_identical(table$state[table$part == "covariate embeddings"], "partly kept")
  expect_identical(fit$meta$transfer$matched, 20L)
  plain <- tune(cells, genes = "match", covariates = NULL, epochs = 1)
  expect_false("covariate embeddings" %in% transfer_table(plain)$part)
})

test_that("genes go by other names, Ensembl versions are ignored", {
  known <- c("ENSG01", "ENSG02.7", "TP53")
  expect_identical(names_in_fit(known, c("ENSG02.9", "ENSG01.1", "x"), NULL),
                   c("ENSG02.7", "ENSG01", "x"))
  expect_identical(names_in_fit(known, c("a", "b"), c(a = "TP53")), c("TP53", "b"))
  expect_refused(names_in_fit(known, c("a", "b"), "TP53"), "one name per gene")
})

test_that("a frozen decoder stays as it is, whatever the cells", {
  b <- bulk_cells()
  deep <- list(x = b$x * 2, col_data = b$col_data)
  was <- core_weights(bulk_fit()$state)
  is <- core_weights(tune(deep, epochs = 1, freeze = "decoder")$state)
  decoder <- grep("^decoder.*(weight|bias)$", names(was), value = TRUE)
  expect_gt(length(decoder), 3L)
  expect_identical(is[decoder], was[decoder])
})

test_that("frozen parts stay, and it is said", {
  fit <- tune(bulk_cells(), epochs = 2, freeze = c("encoder", "perturbations"))
  was <- core_weights(bulk_fit()$state)
  is <- core_weights(fit$state)
  expect_identical(is[["encoder.network.0.weight"]], was[["encoder.network.0.weight"]])
  expect_identical(is[["drug_embeddings.weight"]], was[["drug_embeddings.weight"]])
  expect_false(identical(is[["decoder.network.0.weight"]], was[["decoder.network.0.weight"]]))
  table <- transfer_table(fit)
  expect_identical(table$state[table$part == "encoder"], "kept, frozen")
})

test_that("what was learned helps: the first loss is lower than from the beginning", {
  cells <- bulk_cells()
  long <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
              col_data = cells$col_data, settings = tune_settings(checkpoint_freq = 5, patience = 99))
  tuned <- tune(cells, fit = long, epochs = 1)
  fresh <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
               col_data = cells$col_data, settings = tune_settings(patience = 99))
  expect_lt(tuned$history$loss_reconstruction[1], fresh$history$loss_reconstruction[1])
})

test_that("steps are small unless rates are given, and do not shrink twice", {
  cells <- bulk_cells()
  rate <- function(fit) fit$meta$settings$autoencoder_lr
  tuned <- tune(cells, epochs = 1)
  expect_equal(rate(tuned), rate(bulk_fit()) / 10)
  expect_equal(rate(tune(cells, fit = tuned, epochs = 1)), rate(tuned))
  expect_equal(rate(tune(cells, epochs = 1, autoencoder_lr = 0.02)), 0.02)
})

test_that("own DEGs are scored, and unused ones are told once", {
  cells <- bulk_cells()
  tuned <- function(degs) {
    fine_tune(bulk_fit(), cells$x, "condition", control = "control", covariates = "cell_type",
              split = "split", col_data = cells$col_data, degs = degs, epochs = 1, verbose = FALSE)
  }
  own <- rownames(cells$x)[c(3, 8)]
  said <- capture_warnings(fit <- tuned(list(IFNb = own, Strange = own)))
  expect_identical(unique(fit$meta$degs$genes), list(own))
  expect_length(grep("Strange", said), 1)
  expect_refused(tuned(own), "`degs` must be a named list")
})

test_that("wrong input is refused", {
  cells <- bulk_cells()
  expect_refused(tune(cells, dim = 4), "may not")
  expect_refused(tune(cells, 4), "must be given by name")
  expect_refused(tune(cells, freeze = "all"), "freeze")
  expect_refused(tune(cells, lr_factor = -1), "`lr_factor` must be")
  other <- cells
  rownames(other$x) <- paste0("g", seq_len(nrow(other$x)))
  expect_refused(tune(other, genes = "match"), "two genes in common")
  expect_refused(tune(cells, dose_unit = "uM"), "for both fits or for neither")
  expect_refused(transfer_table(bulk_fit()), "fine_tune")
  expect_refused(fine_tune(3, cells$x), "fit made by")
  other <- bulk_fit()
  other$meta$model <- "scgen"
  expect_refused(tune(cells, fit = other), "`fit` must come from `cpa\\(\\)` or `chemcpa\\(\\)`.*from `scgen")
})

test_that("lr_factor is a share of the first rates, however often a fit was fine-tuned", {
  cells <- bulk_cells()
  rate <- function(fit, name = "autoencoder_lr") fit$meta$settings[[name]]
  tuned <- tune(cells, epochs = 1)
  again <- tune(cells, fit = tuned, epochs = 1, lr_factor = 0.5)
  expect_equal(rate(again), rate(bulk_fit()) / 2)
  expect_equal(rate(again, "dosers_lr"), rate(bulk_fit(), "dosers_lr") / 2)
  expect_equal(rate(tune(cells, fit = again, epochs = 1)), rate(bulk_fit()) / 10)
})

# A network of genes 61 to 120 with layers for all 120.
wide_fit <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      b <- bulk_cells(61:120)
      first <- cpa(b$x, "condition", control = "control", covariates = "cell_type", split = "split",
                   col_data = b$col_data, settings = tune_settings())
      made <<- list(first = first, wide = tune(bulk_cells(1:120), fit = first, epochs = 1, lr_factor = 0))
    }
    made
  }
})
first_layer <- function(fit, name = "0") {
  w <- core_weights(fit$state)[[paste0("encoder.network.", name, ".weight")]]
  matrix(w, attr(w, "shape")[1], byrow = TRUE)
}

test_that("a fit with layers for other genes is matched by the genes of its network", {
  genes <- rownames(small_cells()$x)
  expect_identical(wide_fit()$wide$meta$registry$genes_inner, genes[61:120])
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(wide_fit()$wide, file)
  matched <- tune(bulk_cells(c(70, 1, 65, 2)), fit = load_fit(file), genes = "match", epochs = 1,
                  lr_factor = 0)
  before <- first_layer(wide_fit()$first)
  after <- first_layer(matched)
  expect_identical(after[, c(1, 3)], before[, c(10, 5)])
  expect_false(any(after[, c(2, 4)] %in% before))
  expect_identical(matched$meta$transfer$matched, 2L)
  expect_null(matched$meta$registry$genes_inner)
  expect_refused(tune(bulk_cells(1:50), fit = wide_fit()$wide, genes = "match"), "two genes in common")
})

test_that("its layers for other genes go along with these genes", {
  wide <- wide_fit()$wide
  same <- tune(bulk_cells(1:120), fit = wide, epochs = 1, lr_factor = 0)
  expect_identical(same$meta$transfer$genes, "append")
  expect_setequal(transfer_table(same)$state[transfer_table(same)$part != "adversary"], "kept")
  fewer <- tune(bulk_cells(c(40:1, 50)), fit = wide, epochs = 1, lr_factor = 0)
  expect_identical(first_layer(fewer, "henc_linear"), first_layer(wide, "henc_linear")[, c(40:1, 50)])
  expect_identical(first_layer(fewer), first_layer(wide))
  expect_identical(fewer$meta$transfer$matched, 41L)
  last <- function(fit) core_weights(fit$state)[["decoder.network.hdec_linear.bias"]]
  expect_identical(last(fewer)[1:41], last(wide)[c(40:1, 50)])
})
