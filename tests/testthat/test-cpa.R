quick <- function(..., epochs = 2, seed = 1, verbose = FALSE) {
  cpa_settings(epochs = epochs, seed = seed, verbose = verbose, dim = 4, autoencoder_width = 8,
               adversary_width = 8, batch_size = 16, checkpoint_freq = 1, ...)
}
fit_toy <- function(x = toy_log(nrow(cells)), cells = toy_cells(160), ..., settings = quick(),
                    covariates = "cell_type", dose = "dose") {
  cpa(x, "drug", dose = dose, covariates = covariates, control = "control", col_data = cells, ...,
      settings = settings)
}

test_that("a fit remembers the screen and the run", {
  fit <- fit_toy(batch = "donor")
  expect_s3_class(fit, "compert_fit")
  expect_identical(nrow(fit$history), 2L)
  expect_true(all(is.finite(fit$history$loss_reconstruction)))
  expect_false(anyNA(fit$history$r2_mean))
  meta <- fit$meta
  expect_identical(meta$registry$perturbations, c("A", "B", "control"))
  expect_identical(meta$registry$batch, "donor")
  expect_identical(meta$container, "matrix")
  expect_identical(meta$settings$loss_ae, "gauss")
  expect_identical(meta$settings$seed, 1L)
  expect_identical(Reduce(`+`, meta$n_cells), 160L)
  expect_identical(meta$n_cells$ood, 0L)
  expect_identical(sum(meta$conditions$n_cells), 160L)
})

test_that("one line says what is fitted; verbose = FALSE says nothing", {
  said <- capture_messages(fit_toy(settings = quick(verbose = NULL)))
  flat <- gsub("\\s+", " ", paste(said, collapse = " "))
  expect_match(flat, "loss = \"gauss\": 160 cells x 12 genes, 2 perturbations and \"control\"")
  expect_match(flat, "120 train, 40 test, 0 ood \\(a random quarter")
  expect_match(flat, "seed 1\\.")
  expect_silent(fit_toy())
  nb <- capture_messages(fit_toy(toy_counts(160), settings = quick(verbose = NULL)))
  expect_match(gsub("\\s+", " ", paste(nb, collapse = " ")), "Only raw counts were found")
  skip_without_package("SingleCellExperiment")
  both <- SingleCellExperiment::SingleCellExperiment(list(counts = toy_counts(160), logcounts = toy_log(160)),
                                                     colData = toy_cells(160))
  named <- capture_messages(fit_toy(both, cells = NULL, assay = "counts", settings = quick(verbose = NULL)))
  expect_match(gsub("\\s+", " ", paste(named, collapse = " ")), "`assay` names raw counts: the negative")
})

test_that("a fit without a split tells a column that holds cells out", {
  cells <- toy_cells(160)
  cells$part <- rep(c("train", "test", "ood"), c(120, 30, 10))
  said <- function(...) {
    text <- capture_messages(fit_toy(cells = cells, settings = quick(verbose = NULL), ...))
    gsub("\\s+", " ", paste(text, collapse = " "))
  }
  expect_match(said(), "Column \"part\" holds out 10 cells, which are not held out here: split = \"part\" does")
  expect_no_match(said(split = "part"), "holds out")
})

test_that("one seed, one fit; another seed, another; set.seed() governs where none is given", {
  withr::with_seed(1, {
    before <- .Random.seed
    one <- run_of(fit_toy())
    expect_identical(.Random.seed, before)
  })
  expect_identical(run_of(fit_toy()), one)
  expect_false(identical(run_of(fit_toy(settings = quick(seed = 2))), one))
  free <- function() fit_toy(settings = quick(seed = NULL))
  a <- withr::with_seed(5, free())
  b <- withr::with_seed(5, free())
  expect_identical(run_of(a), run_of(b))
  expect_identical(a$meta$seed, b$meta$seed)
  expect_false(identical(a$meta$seed, withr::with_seed(6, free())$meta$seed))
})

test_that("all containers give the same fit, to the bit", {
  cells <- toy_cells(160)
  expected <- run_of(fit_toy())
  expect_identical(run_of(fit_toy(as_sparse(toy_log(160)))), expected)
  path <- withr::local_tempfile(fileext = ".h5ad")
  x <- round(toy_log(160) * 64) / 64  # exact in the file's single precision
  write_h5ad(x, path, col_data = cells)
  from_file <- cpa(path, "drug", dose = "dose", covariates = "cell_type", control = "control",
                   settings = quick())
  expect_identical(run_of(from_file), run_of(fit_toy(x)))
  skip_without_package("SingleCellExperiment", "SeuratObject", "DelayedArray")
  from <- function(object) {
    run_of(cpa(object, "drug", dose = "dose", covariates = "cell_type", control = "control",
               settings = quick()))
  }
  expect_identical(from(SingleCellExperiment::SingleCellExperiment(
    list(counts = toy_counts(160), logcounts = DelayedArray::DelayedArray(toy_log(160))),
    colData = S4Vectors::DataFrame(cells))), expected)
  seurat <- SeuratObject::CreateSeuratObject(as_sparse(toy_counts(160)), meta.data = cells)
  seurat <- if (has_layers(seurat[["RNA"]])) {
    SeuratObject::`LayerData<-`(seurat, layer = "data", value = as_sparse(toy_log(160)))
  } else {
    SeuratObject::SetAssayData(seurat, slot = "data", new.data = as_sparse(toy_log(160)))
  }
  expect_identical(from(seurat), expected)
})

test_that("the order of a combination changes nothing; no doses are doses of 1", {
  cells <- toy_cells(160)
  cells$drug[cells$drug == "A+B"] <- "B+A"
  cells$dose[cells$drug == "B+A"] <- "2+0.5"
  expect_identical(run_of(fit_toy(cells = cells)), run_of(fit_toy()))
  cells <- toy_cells(160)
  cells$dose <- ifelse(cells$drug == "A+B", "1+1", "1")
  expect_identical(run_of(fit_toy(cells = cells)), run_of(fit_toy(dose = NULL)))
})

test_that("no covariates, several, numeric doses, a logical control, a formula", {
  expect_s3_class(fit_toy(covariates = NULL), "compert_fit")
  expect_identical(names(fit_toy(covariates = ~ cell_type + donor)$meta$registry$covariates),
                   c("cell_type", "donor"))
  cells <- toy_cells(160)
  cells <- cells[cells$drug != "A+B", ]
  cells$dose <- as.numeric(cells$dose)
  cells$untreated <- cells$drug == "control"
  fit <- cpa(toy_log(160)[, rownames(cells)], "drug", dose = "dose", control = "untreated",
             col_data = cells, settings = quick())
  expect_identical(fit$meta$registry$control, "control")
  expect_identical(fit$meta$registry$dose_range$B, c(2, 2))
})

test_that("a split column is used as it is", {
  cells <- toy_cells(160)
  cells$part <- ifelse(cells$drug == "A+B" & cells$cell_type == "NK", "holdout",
                       rep(rep(c("train", "validation"), each = 8), 10))
  fit <- fit_toy(cells = cells, split = "part")
  expect_identical(unlist(fit$meta$n_cells), c(train = 70L, test = 70L, ood = 20L))
})

test_that("reservations are one warning", {
  cells <- toy_cells(160)
  cells$drug[2] <- "rare"
  warned <- NULL
  withCallingHandlers(fit_toy(cells = cells), warning = function(w) {
    warned <<- c(warned, list(w))
    invokeRestart("muffleWarning")
  })
  expect_length(warned, 1)
  expect_s3_class(warned[[1]], "compert_screen_warning")
  expect_match(gsub("\\s+", " ", conditionMessage(warned[[1]])), "\"rare@0.5, T\" has fewer")
})

test_that("without scored conditions training runs all its epochs and says so", {
  cells <- toy_cells(160)
  cells$part <- "train"
  said <- capture_messages(fit <- fit_toy(cells = cells, split = "part",
                                          settings = quick(verbose = NULL)))
  expect_match(gsub("\\s+", " ", paste(said, collapse = "")), "training is not validated")
  expect_true(all(is.na(fit$history$r2_mean)))
})

test_that("a time limit ends training with a message, Ctrl-C with a warning, both with a fit", {
  suppressMessages(expect_message(
    fit <- fit_toy(settings = quick(epochs = 1e6, patience = 1e6, verbose = NULL,
                                    max_minutes = 0.01)),
    class = "compert_stopped_max_minutes"))
  expect_lt(nrow(fit$history), 1e6)
  expect_identical(fit$meta$run, list(stopped = "max_minutes", message = "", device = "cpu"))
  expect_match(format(fit), "; ended by max_minutes$", all = FALSE)
  skip_without(.Platform$OS.type != "windows", "signals")
  # The signal comes when training has written its first checkpoint, so it meets training only.
  file <- withr::local_tempfile(fileext = ".h5")
  system(paste0("(while [ ! -s ", file, " ]; do sleep 0.1; done; sleep 0.3; kill -INT ",
                Sys.getpid(), ")"), wait = FALSE)
  took <- system.time(expect_warning(
    fit <- fit_toy(settings = quick(epochs = 1e6, patience = 1e6, max_minutes = 1,
                                    checkpoint = file)),
    class = "compert_stopped_interrupt"))[["elapsed"]]
  expect_s3_class(fit, "compert_fit")
  expect_gt(nrow(fit$history), 0)
  expect_identical(new_fit(fit$state)$meta$run$stopped, "interrupt")
  expect_lt(took, 30)
})

test_that("a time limit of R's own is an error, in training and in predictions", {
  within <- function(seconds, expr) {
    withr::defer(setTimeLimit())
    setTimeLimit(elapsed = seconds, transient = TRUE)
    expr
  }
  expect_error(within(1, fit_toy(settings = quick(epochs = 1e6, patience = 1e6))), "elapsed time limit")
  cells <- small_cells()
  fit <- small_fit()
  again <- rep(seq_len(ncol(cells$x)), 20000)
  expect_error(within(1, predict(fit, cells$x, condition(condition = "IFNb"), col_data = cells$col_data,
                                 source = again, summarise = "condition")), "elapsed time limit")
})

test_that("a fit whose first epoch a time limit ends says so, is whole and goes on", {
  cells <- kang_example(as = "list")
  # One epoch of so many batches takes much longer than the limit.
  settings <- cpa_settings(epochs = 2, dim = 4, autoencoder_width = 8, batch_size = 2, threads = 1, seed = 1,
                           max_minutes = 2e-3)
  said <- paste(capture_messages(
    fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
               col_data = cells$col_data, settings = settings)), collapse = "")
  expect_match(gsub("\\s+", " ", said),
               "reached max_minutes = 0.002 after 0 epochs and [0-9]+ steps?[.].*holds the best state so far")
  expect_identical(nrow(fit$history), 0L)
  expect_match(format(fit), "^Training: +0 epochs, .*; ended by max_minutes$", all = FALSE)
  expect_match(report_stop(fit), "^Training stopped in its first epoch, at its limit of time; ")
  asked <- condition(condition = "IFNb", cell_type = "NK")
  expect_true(all(is.finite(as.matrix(predict(fit, cells$x, asked, col_data = cells$col_data)))))
  longer <- resume_fit(fit, cells$x, 1, col_data = cells$col_data, max_minutes = 0, verbose = FALSE,
                       batch_size = 500)
  expect_identical(longer$history$epoch, 1L)
})

test_that("a profiler's signals change nothing", {
  cells <- kang_example(as = "list")
  answer <- function() {
    fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
               col_data = cells$col_data, settings = cpa_settings(epochs = 2, seed = 1, verbose = FALSE))
    predict(fit, cells$x, condition(condition = "IFNb", cell_type = "NK"), col_data = cells$col_data)
  }
  plain <- answer()
  file <- withr::local_tempfile()
  utils::Rprof(file, interval = 0.001)
  withr::defer(utils::Rprof(NULL))
  for (k in 1:3) expect_identical(answer(), plain)
  utils::Rprof(NULL)
  expect_gt(length(readLines(file)), 50)
})

test_that("loss may be said in one place, or alike in both", {
  expect_identical(fit_toy(toy_counts(160), loss = "nb")$meta$settings$loss_ae, "nb")
  expect_identical(fit_toy(toy_counts(160), settings = quick(loss_ae = "nb"))$meta$settings$loss_ae,
                   "nb")
  expect_refused(fit_toy(loss = "gauss", settings = quick(loss_ae = "nb")), "must agree")
})

test_that("why training stopped is a sentence", {
  stopped <- list(stopped = "nan", epochs = 0, batches = 0, message = "the loss is not finite in epoch 1")
  said <- tryCatch(tell_stop(stopped, cpa_settings()), compert_stopped_nan = plain_message)
  expect_match(said, "after 0 epochs. the loss is not finite in epoch 1. The fit is as it began", fixed = TRUE)
})
