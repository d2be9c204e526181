toy_h5ad <- function(x = toy_log(), counts = toy_counts(), env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".h5ad", .local_envir = env)
  layers <- if (!is.null(counts)) list(counts = as_sparse(counts)) else list()
  write_h5ad(list(X = as_sparse(x), layers = layers, obs = toy_cells(),
                  var = data.frame(row.names = rownames(x))), path)
  path
}

test_that("X is taken by default, the layer counts for nb, a layer by name", {
  path <- toy_h5ad()
  screen <- as_screen(path, toy_keys())
  expect_identical(screen[c("container", "assay", "scale", "loss")],
                   list(container = "h5ad", assay = "X", scale = "log", loss = "gauss"))
  expect_equal(as.matrix(screen$x), toy_log(), tolerance = 1e-7)
  expect_identical(screen$parts, toy_screen()$parts)
  expect_identical(as_screen(path, toy_keys(loss = "nb"))$assay, "counts")
  expect_identical(as.matrix(as_screen(path, toy_keys(layer = "counts"))$x), toy_counts())
  expect_identical(as_screen(path, toy_keys(assay = "counts"))$assay, "counts")
})

test_that("raw counts in X mean nb; the wrong scale is refused with the cure", {
  expect_identical(as_screen(toy_h5ad(toy_counts(), NULL), toy_keys())$loss, "nb")
  expect_refused(as_screen(toy_h5ad(toy_counts(), NULL), toy_keys(loss = "gauss")),
                 "raw counts.*sc.pp.log1p")
  expect_refused(as_screen(toy_h5ad(toy_log(), NULL), toy_keys(loss = "nb")), "log-normalised")
  expect_refused(as_screen(toy_h5ad(), toy_keys(loss = "gauss", layer = "counts")),
                 "Use layer = \"X\"")
})

test_that("scaled values in X are told, with where the others are", {
  path <- withr::local_tempfile(fileext = ".h5ad")
  all <- rbind(toy_log(), toy_log()[1:3, ] / 2)
  rownames(all)[13:15] <- c("x", "y", "z")
  write_h5ad(list(X = toy_log() - 1, obs = toy_cells(),
                  raw = list(X = all, var = data.frame(row.names = rownames(all)))), path)
  odd <- check_screen(path, "drug", control = "control")$defects
  expect_match(odd$todo[odd$check == "unusual scale"], "read_h5ad(path, raw = TRUE)", fixed = TRUE)
  skip_without_package("SingleCellExperiment")
  raw <- SingleCellExperiment::altExp(read_h5ad(path, raw = TRUE), "raw", withColData = TRUE)
  expect_equal(as.matrix(as_screen(raw, toy_keys())$x), all)
})

test_that("what is no .h5ad file, or lacks the layer, is refused", {
  folder <- withr::local_tempdir()
  missing <- file.path(folder, "none.h5ad")
  expect_refused(as_screen(missing, toy_keys()), "does not exist")
  expect_refused(as_screen(folder, toy_keys()), "is a folder")
  text <- file.path(folder, "text.h5ad")
  writeLines("no hdf5", text)
  expect_refused(as_screen(text, toy_keys()), "`x` must .*HDF5")
  expect_refused(as_screen(toy_h5ad(), toy_keys(layer = "count")), "Did you mean \"counts\"")
  expect_refused(as_screen(toy_h5ad(), toy_keys(), toy_cells()), "`col_data` must be left out")
  expect_refused(as_screen(c("a", "b"), toy_keys()), "`x` must be one text")
})

test_that("a file that was cut anywhere is refused, and the session goes on", {
  path <- toy_h5ad()
  bytes <- readBin(path, "raw", file.size(path))
  cut <- withr::local_tempfile(fileext = ".h5ad")
  for (share in c(0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999)) {
    writeBin(bytes[seq_len(floor(share * length(bytes)))], cut)
    expect_refused(as_screen(cut, toy_keys()), "must")
  }
  expect_s3_class(as_screen(path, toy_keys()), "compert_screen")
})

test_that("names that repeat are a defect, of cells in memory and in their file", {
  path <- testthat::test_path("fixtures", "repeated.h5ad")
  for (limit in c(0, 1e9)) {
    withr::with_options(list(compert.in_memory = limit), suppressMessages(cells <- read_cells(path, list())))
    expect_identical(is_stored(cells$x), limit == 0)
    defects <- name_defects(cells)
    expect_identical(defects$check, c("duplicated gene names", "duplicated cell names"))
    expect_match(defects$todo, "adata[.](var|obs)_names_make_unique.*read_h5ad")
  }
})
