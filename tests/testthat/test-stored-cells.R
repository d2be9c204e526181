# Cells that stay in their file give the fit, predictions and scores of cells in memory.

# The small screen as an .h5ad, and what is done with it in memory or from the file.
stored_h5ad_file <- function(counts = FALSE, env = rlang::caller_env(), cells = small_cells()) {
  file <- withr::local_tempfile(fileext = ".h5ad", .local_envir = env)
  sce <- SingleCellExperiment::SingleCellExperiment(
    list(X = if (counts) cells$counts else cells$x), colData = S4Vectors::DataFrame(cells$col_data))
  write_h5ad(sce, file)
  file
}

on_disk <- function(expr) withr::with_options(list(compert.in_memory = 0), suppressMessages(expr))

fit_small <- function(x, ..., settings = quick_settings()) {
  suppressWarnings(cpa(x, "condition", control = "control", covariates = "cell_type",
                       split = "split", ..., settings = settings))
}

losses <- function(fit) as.matrix(fit$history[setdiff(names(fit$history), c("seconds", "best"))])

# The matrix that read_cells() finds.
matrix_of <- function(file) {
  read_cells(file, list(loss = "gauss"))$x
}

stored_no_matrix <- function() {
  file <- withr::local_tempfile(fileext = ".h5", .local_envir = parent.frame())
  h5("h5createFile")(file)
  h5("h5write")(1:3, file, "x")
  file
}

test_that("a fit from an .h5ad file is the fit of the same cells in memory", {
  skip_without_package("SingleCellExperiment")
  for (counts in c(FALSE, TRUE)) {
    file <- stored_h5ad_file(counts)
    settings <- quick_settings(reg_counterfactual = 1)
    loss <- if (counts) "nb" else "gauss"
    memory <- fit_small(file, loss = loss, layer = "X", settings = settings)
    on_disk({
      expect_true(is_stored(as_screen(file, memory$meta$keys)$x))
      disk <- fit_small(file, loss = loss, layer = "X", settings = settings)
    })
    expect_equal(losses(disk), losses(memory), tolerance = 1e-6)
    expect_equal(disk$meta$degs, memory$meta$degs)
    asked <- condition("IFNb", cell_type = "B")
    expect_equal(on_disk(predict(memory, file, asked, summarise = "condition")),
                 predict(memory, file, asked, summarise = "condition"), tolerance = 1e-6)
    expect_equal(on_disk(evaluate_r2(memory, file, seed = 1)), evaluate_r2(memory, file, seed = 1), tolerance = 1e-5)
    expect_equal(on_disk(cell_embedding(memory, file, "basal")),
                 cell_embedding(memory, file, "basal"), tolerance = 1e-6)
    expect_equal(on_disk(rank_degs(file, "condition", control = "control", covariates = "cell_type")),
                 rank_degs(file, "condition", control = "control", covariates = "cell_type"),
                 tolerance = 1e-5)
  }
})

test_that("even conditions take the same cells from a file as from memory", {
  skip_without_package("SingleCellExperiment")
  file <- stored_h5ad_file(cells = uneven_cells())
  fit <- function(balance) fit_small(file, settings = quick_settings(balance = balance))
  memory <- fit(1)
  expect_equal(losses(on_disk(fit(1))), losses(memory), tolerance = 1e-6)
  expect_false(isTRUE(all.equal(losses(fit(0)), losses(memory), tolerance = 1e-3)))
})

test_that("baselines and searches read cells in their file", {
  skip_without_package("SingleCellExperiment")
  file <- stored_h5ad_file()
  fit <- small_fit()
  expected <- function(x) expected_r2(fit, x, n_draws = 10, seed = 1)
  expect_equal(on_disk(expected(file)), expected(file), tolerance = 1e-6)
  search <- function(...) {
    found <- small_search(x = file, col_data = NULL, trials = 1, settings = tuned_settings(1), ...)
    timeless(found$trials)
  }
  expect_equal(on_disk(search(sample_cells = 120)), search(sample_cells = 120), tolerance = 1e-6)
  expect_equal(on_disk(search()), search(), tolerance = 1e-6)
})

test_that("a search knows the values in a file, not its path", {
  skip_without_package("SingleCellExperiment")
  hash <- function(file) on_disk(hash_task(new_task(file, small_fit()$meta$keys, NULL, quick_settings(), NULL,
                                                    rlang::current_env())))
  file <- stored_h5ad_file()
  moved <- withr::local_tempfile(fileext = ".h5ad")
  file.copy(file, moved)
  other <- withr::local_tempfile(fileext = ".h5ad")
  cells <- small_cells()
  cells$x@x[9] <- cells$x@x[9] + 1
  write_h5ad(cells$x, other, col_data = cells$col_data)
  expect_identical(hash(moved), hash(file))
  expect_false(hash(other) == hash(file))
})

test_that("a large matrix stored gene by gene is read whole, and that is said", {
  skip_without_package("SingleCellExperiment", "rhdf5")
  file <- stored_h5ad_file()
  expected <- matrix_of(file)
  by_gene <- Matrix::t(expected)  # the compressed columns of this are genes
  for (part in c("data", "indices", "indptr")) h5("h5delete")(file, paste0("X/", part))
  h5("h5write")(by_gene@x, file, "X/data")
  h5("h5write")(by_gene@i, file, "X/indices")
  h5("h5write")(by_gene@p, file, "X/indptr")
  handle <- h5("H5Fopen")(file)
  group <- h5("H5Gopen")(handle, "X")
  h5("H5Adelete")(group, "encoding-type")
  h5("h5writeAttribute")("csc_matrix", group, "encoding-type")
  h5("H5Gclose")(group)
  h5("H5Fclose")(handle)
  withr::with_options(list(compert.in_memory = 0),
                      expect_message(read <- matrix_of(file), "read whole: .*csc"))
  expect_equal(read, expected, tolerance = 1e-6)
})

test_that("genes are matched in the file, missing ones are 0", {
  skip_without_package("SingleCellExperiment")
  file <- stored_h5ad_file()
  fit <- small_fit()
  cells <- small_cells()
  turned <- withr::local_tempfile(fileext = ".h5ad")
  few <- rev(rownames(cells$x))[-(1:3)]
  write_h5ad(SingleCellExperiment::SingleCellExperiment(
    list(X = cells$x[few, ]), colData = S4Vectors::DataFrame(cells$col_data)), turned)
  expect_equal(on_disk(reconstruct(fit, turned, missing_genes = "zero")),
               reconstruct(fit, turned, missing_genes = "zero"), tolerance = 1e-6)
  expect_refused(on_disk(reconstruct(fit, turned)), "lacks 3 of")
})

test_that("what is wrong with values in a file is said like in memory", {
  skip_without_package("SingleCellExperiment")
  cells <- small_cells()
  broken <- function(value) {
    x <- as.matrix(cells$x)
    x[5, 7] <- value
    file <- withr::local_tempfile(fileext = ".h5ad", .local_envir = parent.frame())
    write_h5ad(SingleCellExperiment::SingleCellExperiment(
      list(X = as_sparse(x)), colData = S4Vectors::DataFrame(cells$col_data)), file)
    file
  }
  for (value in c(NaN, -2)) {
    file <- broken(value)
    one <- inspect_values(matrix_of(file))
    two <- on_disk(inspect_values(matrix_of(file)))
    expect_equal(two, one)
  }
  expect_refused(on_disk(fit_small(broken(NaN))), "must be finite")
})

# The small screen in a file of HDF5Array.
backed_cells <- function(sparse, env = rlang::caller_env()) {
  file <- withr::local_tempfile(fileext = ".h5", .local_envir = env)
  cells <- small_cells()$x
  if (sparse) return(HDF5Array::writeTENxMatrix(cells, file, "matrix"))
  x <- HDF5Array::writeHDF5Array(as.matrix(cells), file, "x")
  dimnames(x) <- dimnames(cells)
  x
}

expect_read_from_file <- function(x) {
  cells <- small_cells()
  genes <- rev(seq_len(nrow(cells$x)))
  chosen <- which(cells$col_data$cell_type != "NK")
  expected <- cells$x[genes, chosen]
  part <- x[genes, ][, chosen]
  on_disk(stored <- as_columns(part))
  expect_true(is_stored(stored))
  expect_identical(dim(stored), dim(part))
  expect_equal(as_columns(stored), expected, tolerance = 1e-6)
  expect_equal(as.matrix(stored[2:4, 5:9]), as.matrix(expected[2:4, 5:9]), tolerance = 1e-6)
}

test_that("a file whose tables are of another size than its matrix is refused as such", {
  skip_without_package("SingleCellExperiment")
  size <- dim(small_cells()$x)
  for (other in list(size + c(1, 0), size - c(0, 1))) {
    file <- stored_h5ad_file()
    h5("h5delete")(file, "X")
    h5("h5write")(matrix(0.5, other[1], other[2]), file, "X")
    says <- sprintf("\"X\" has %d x %d values for %d observations x %d variables", other[2], other[1],
                    size[2], size[1])
    expect_refused(on_disk(fit_small(file)), says)
    expect_refused(fit_small(file), says)
  }
})

test_that("a sparse matrix of HDF5Array is read from its file", {
  skip_without_package("HDF5Array")
  x <- tryCatch(suppressWarnings(backed_cells(sparse = TRUE)), error = identity)
  skip_without(!inherits(x, "error"), "HDF5Array that can open a TENxMatrix (Debian 12's cannot)")
  expect_read_from_file(x)
})

test_that("HDF5-backed assays and delayed subsets are read from their file, other operations computed", {
  skip_without_package("HDF5Array", "SingleCellExperiment")
  cells <- small_cells()
  dense <- backed_cells(sparse = FALSE)
  expect_read_from_file(dense)
  expect_message(withr::with_options(list(compert.in_memory = 0), computed <- as_columns(dense * 2)),
                 "computed once")
  expect_true(is_stored(computed))
  expect_equal(as_columns(computed), cells$x * 2, tolerance = 1e-6)
  sce <- SingleCellExperiment::SingleCellExperiment(
    list(logcounts = dense), colData = S4Vectors::DataFrame(cells$col_data))
  expect_equal(losses(on_disk(fit_small(sce))),
               losses(fit_small(cells$x, col_data = cells$col_data)), tolerance = 1e-6)
})

test_that("a file of Cell Ranger is read with a table of cells", {
  cells <- small_cells()
  file <- tenx_file(cells$counts, rep(c("Antibody Capture", "Gene Expression"), c(2, nrow(cells$x) - 2)))
  expected <- losses(fit_small(cells$counts[-(1:2), ], col_data = cells$col_data, loss = "nb"))
  expect_equal(losses(fit_small(file, col_data = cells$col_data)), expected, tolerance = 1e-6)
  expect_equal(losses(on_disk(fit_small(file, col_data = cells$col_data))), expected, tolerance = 1e-6)
  expect_refused(fit_small(file), "`col_data` must be given")
  expect_refused(fit_small(stored_no_matrix(), col_data = cells$col_data), "Cell Ranger")
})

test_that("the limit of memory must be a number", {
  skip_without_package("SingleCellExperiment")
  file <- stored_h5ad_file()
  withr::with_options(list(compert.in_memory = "1 GB"),
                      expect_refused(fit_small(file), "must be a number of bytes"))
})

test_that("a look-up that failed in rhdf5 stops no fit in memory and no prediction, and other fits with an error", {
  skip_without_package("rhdf5")
  skip_without(.Platform$OS.type != "windows", "processes that end after a time")
  folder <- withr::local_tempdir()
  cells <- small_cells()
  saveRDS(cells, file.path(folder, "cells.rds"))
  write_h5ad(cells$x, file.path(folder, "cells.h5ad"), col_data = cells$col_data)
  script <- file.path(folder, "locked.R")
  writeLines(c(
    "args <- commandArgs(TRUE)",
    ".libPaths(strsplit(args[2], \"\\n\", fixed = TRUE)[[1]])",
    "library(compert)",
    "setwd(args[1])",
    "cells <- readRDS('cells.rds')",
    "col_data <- cells$col_data",
    "invisible(rhdf5::h5createFile('a.h5'))",
    "file <- rhdf5::H5Fopen('a.h5')",
    "try(rhdf5::H5Dopen(file, 'nothere'), silent = TRUE)",
    "fit <- function(...) cpa(cells$x, 'condition', control = 'control', col_data = col_data,",
    "                         settings = cpa_settings(epochs = 1, verbose = FALSE, threads = 2, ...))",
    "made <- resume_fit(fit(), cells$x, 1, col_data = col_data)",
    "said <- tryCatch({ fit(checkpoint = 'fit.h5'); 'went on' }, error = conditionMessage)",
    "memory <- cell_embedding(made, cells$x, col_data = col_data)",
    "options(compert.in_memory = 0)",
    "again <- lapply(1:20, function(i) suppressMessages(cell_embedding(made, 'cells.h5ad')))",
    "same <- vapply(again, function(z) isTRUE(all.equal(z, memory, tolerance = 1e-5)), NA)",
    "saveRDS(list(epochs = nrow(made$history), said = said, same = same), 'done.rds')"
  ), script)
  run <- processx::run(file.path(R.home("bin"), "Rscript"),
                       c("--vanilla", script, folder, paste(.libPaths(), collapse = "\n")),
                       timeout = 120, error_on_status = FALSE)
  expect_identical(run$status, 0L, info = run$stderr)
  done <- readRDS(file.path(folder, "done.rds"))
  expect_identical(done$epochs, 2L)
  expect_identical(done$same, rep(TRUE, 20))
  # Where rhdf5 has a library of its own, nothing is locked.
  expect_match(done$said, "where HDF5 is\\s+locked|went on")
})
