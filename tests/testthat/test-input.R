test_that("an assay is chosen by name, by loss, or because it is the only one", {
  choose <- function(available, wanted = NULL, loss = NULL) {
    choose_assay(available, wanted, loss, c("logcounts", "X"), c("counts", "X"), "assay", NULL)
  }
  expect_identical(choose(c("counts", "X", "logcounts")), "logcounts")
  expect_identical(choose(c("counts", "X")), "X")
  expect_identical(choose("counts"), "counts")
  expect_identical(choose(c("X", "counts"), loss = "nb"), "counts")
  expect_identical(choose(c("X", "other"), loss = "nb"), "X")
  expect_identical(choose(c("counts", "other"), loss = "gauss", wanted = "other"), "other")
  expect_identical(choose("mine", loss = "gauss"), "mine")
  expect_refused(choose(c("a", "b")), "`assay` must say what to read")
  expect_refused(choose("a", "b"), "no assay \"b\"")
  expect_refused(choose(character()), "no assay")
})

test_that("what is no container is refused with what is one", {
  for (bad in list(NULL, 3, list(), TRUE, sum)) {
    expect_refused(read_cells(bad, toy_keys()), "SingleCellExperiment.*matrix.*h5ad")
  }
})

test_that("objects in a list are to be joined", {
  expect_refused(read_cells(list(a = diag(2), b = diag(2)), toy_keys()), "class `list`.*merge.*do.call\\(cbind, x\\)")
})

test_that("the wrong scale is a defect, an unusual one a warning", {
  about <- function(x, loss) {
    values <- inspect_values(x)
    cells <- list(container = "matrix", assay = "x", layer = NULL, log_hint = "Log.",
                  count_hint = "Count.")
    scale_defect(cells, values, value_scale(values), loss)
  }
  expect_null(about(toy_log(), "gauss"))
  expect_null(about(toy_counts(), "nb"))
  expect_null(about(toy_counts() * 0, "gauss"))
  expect_identical(about(toy_counts(), "gauss")$severity, "error")
  expect_identical(about(toy_log(), "nb")$severity, "error")
  expect_match(about(toy_log(), "nb")$given, "looks log-normalised")
  scaled <- about(toy_log() - 1, "gauss")
  expect_identical(scaled$severity, "warning")
  expect_match(scaled$given, "negative values")
  expect_match(about(toy_log() * 100, "gauss")$given, "no logarithm")
})

test_that("rows of another type than genes are told, but where they are read as proteins", {
  skip_without_package("SingleCellExperiment")
  skip_without_package("S4Vectors")
  types <- rep(c("Gene Expression", "Antibody Capture"), c(10, 2))
  sce <- SingleCellExperiment::SingleCellExperiment(
    list(counts = toy_counts()), colData = toy_cells(), rowData = S4Vectors::DataFrame(Type = types))
  look <- function(x, ...) check_screen(x, "drug", control = "control", ...)$defects
  odd <- look(sce)
  odd <- odd[odd$check == "other features", ]
  expect_identical(odd$severity, "warning")
  expect_match(odd$given, "2 rows of 12 are no gene but \"Antibody Capture\", such as \"gene11\"")
  path <- withr::local_tempfile(fileext = ".h5ad")
  names(SummarizedExperiment::rowData(sce)) <- "feature_types"
  write_h5ad(sce, path)
  expect_identical(look(path)$given[look(path)$check == "other features"], odd$given)
  expect_false("other features" %in% look(path, proteins = c("gene11", "gene12"))$check)
  expect_false("other features" %in% look(sce[11:12, ])$check)
})

test_that("row names that are numbers place the cells of that name, and else are left of an order", {
  cells <- as.character(1:6)
  turned <- data.frame(cell = 1:6)[c(3, 1, 2, 6, 5, 4), , drop = FALSE]
  expect_identical(match_col_data(turned, cells, 6)$cell, 1:6)
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(turned, file)
  expect_identical(match_col_data(utils::read.csv(file, row.names = 1), cells, 6)$cell, 1:6)
  expect_identical(match_col_data(turned, letters[1:6], 6)$cell, turned$cell)
  expect_identical(match_col_data(data.frame(cell = 6:1), cells, 6)$cell, 6:1)
})
