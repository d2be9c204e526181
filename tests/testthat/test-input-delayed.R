test_that("a DelayedMatrix is read by blocks, sparse, the same", {
  skip_without_package("DelayedArray")
  x <- DelayedArray::DelayedArray(toy_log())
  expect_identical(toy_screen(x = x)$x, as_sparse(toy_log()))
  expect_identical(toy_screen(x = x)$container, "DelayedMatrix")
  expect_identical(as_columns(x, values = 30), as_sparse(toy_log()))
  expect_identical(as_columns(t(t(x) * 2), values = 1), as_sparse(toy_log() * 2))
})

test_that("a matrix on disk is read, inside a SingleCellExperiment too", {
  skip_without_package("HDF5Array", "SingleCellExperiment")
  file <- withr::local_tempfile(fileext = ".h5")
  x <- HDF5Array::writeHDF5Array(toy_log(), file, "x")
  dimnames(x) <- dimnames(toy_log())
  sce <- SingleCellExperiment::SingleCellExperiment(
    list(logcounts = x), colData = S4Vectors::DataFrame(toy_cells()))
  expect_identical(as_screen(sce, toy_keys())$x, as_sparse(toy_log()))
})
