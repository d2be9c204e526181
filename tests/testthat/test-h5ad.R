# The fixtures are written by anndata and h5py (fixtures/make_h5ad.py), not by this package:
# six cells x four genes, X[cell, gene] = (7 * cell + 3 * gene) %% 5, counted from 0.

fixture <- function(name) testthat::test_path("fixtures", paste0(name, ".h5ad"))
genes <- paste0("gene", 0:3)
cells <- paste0("cell", 0:5)
truth <- outer(0:3, 0:5, function(gene, cell) (7 * cell + 3 * gene) %% 5)
dimnames(truth) <- list(genes, cells)
plain <- function(name, ...) suppressWarnings(read_h5ad(fixture(name), ..., as = "list"))

test_that("X is read from rows, columns and dense, by all versions of the format", {
  for (name in c("everything", "csc", "old07", "old06")) {
    x <- plain(name)$X
    expect_s4_class(x, "dgCMatrix")
    expect_true(methods::validObject(x))
    expect_identical(as.matrix(x), truth, info = name)
  }
  expect_identical(plain("new012")$X, truth)
  expect_identical(plain("dense")$X, truth / 7)
})

test_that("layers, obsm and raw are read, with names", {
  file <- plain("everything", raw = TRUE)
  expect_named(file, c("X", "layers", "obs", "var", "obsm", "uns", "raw"))
  expect_named(file$layers, c("counts", "dense"))
  expect_s4_class(file$layers$counts, "dgCMatrix")
  expect_identical(as.matrix(file$layers$counts), 2 * truth)
  expect_identical(file$layers$dense, truth / 3)
  expect_identical(file$obsm$X_pca,
                   matrix(as.double(0:11), 6, byrow = TRUE, dimnames = list(cells, NULL)))
  expect_identical(as.matrix(file$obsm$sparse), unname(t(truth[1:3, ])) |>
                     structure(dimnames = list(cells, NULL)))
  expect_identical(file$obsm$frame,
                   data.frame(u = as.double(0:5), v = factor(rep(c("x", "y"), 3)),
                              row.names = cells))
  expect_identical(unname(as.matrix(file$raw$X)), unname(rbind(truth, truth)))
  expect_identical(dimnames(file$raw$X), list(paste0("raw", 0:7), cells))
  expect_identical(file$raw$var$known, rep(c(TRUE, FALSE), 4))
  expect_null(plain("everything")$raw)
  expect_length(plain("everything", obsm = FALSE)$obsm, 0)
})

test_that("columns of every encoding keep type, order, levels and NA", {
  obs <- plain("everything")$obs
  expect_identical(rownames(obs), cells)
  expect_identical(obs$group, factor(c("b", "a", NA, "b", "a", "c"),
                                     levels = c("a", "b", "c", "unused")))
  expect_identical(obs$level, factor(c("low", "high", "low", "mid", "mid", "high"),
                                     levels = c("low", "mid", "high"), ordered = TRUE))
  expect_identical(obs$number, c(0.5, -1.25, NaN, Inf, 1e300, 0))
  expect_identical(obs$single, 0:5 + 0.5)
  expect_identical(obs$whole, 0:5)
  expect_identical(obs$big, c(0:4, 2^40))
  expect_identical(obs$byte, c(0:4, 255L))
  expect_identical(obs$truth, c(TRUE, FALSE, TRUE, TRUE, FALSE, FALSE))
  expect_identical(obs$holes, c(1L, NA, 3L, NA, 5L, 6L))
  expect_identical(obs$maybe, c(TRUE, NA, FALSE, NA, TRUE, TRUE))
  expect_identical(obs$clusters, factor(c("3", "1", "1", "2", "3", "2")))
  expect_identical(obs$text, c("", "a b", "\u00e9t\u00e9", "\u03b1\u03b2", "\u65e5\u672c", "x"))
  expect_identical(unique(Encoding(obs$text[3:5])), "UTF-8")
  # The index of var is a column as well.
  expect_identical(plain("everything")$var[c("symbol", "id")],
                   data.frame(symbol = c("A", "B", "C", "D"), id = genes, row.names = genes))
})

test_that("columns of old and new versions keep type, levels and NA", {
  group <- factor(c("a", "b", NA, "b", "a", "a"))
  expect_identical(plain("old07")$obs,
                   data.frame(group = factor(group, ordered = TRUE), n = 0:5, row.names = cells))
  old <- plain("old06", raw = TRUE)
  expect_identical(old$obs, data.frame(group = group, n = 0:5, score = 0:5 / 2,
                                       truth = rep(c(TRUE, FALSE), 3), label = paste0("l", 0:5),
                                       row.names = cells))
  expect_identical(old$uns, list(title = "old"))
  expect_identical(unname(old$obsm$X_pca), matrix(as.double(0:11), 6, byrow = TRUE))
  expect_identical(as.matrix(old$raw$X), truth)
  expect_identical(plain("new012")$obs,
                   data.frame(label = c("a", NA, "b", "c", "", "d"), whole = 0:5,
                              group = factor(c("b", "a", NA, "a", "b", "b")), row.names = cells))
})

test_that("uns keeps numbers, text, tables and nesting", {
  uns <- plain("everything")$uns
  expect_identical(uns$title, "a screen")
  expect_identical(uns[c("n", "rate", "on")], list(n = 5L, rate = 0.25, on = TRUE))
  expect_identical(uns$colours, c("red", "green"))
  expect_identical(uns$nested$deep$k, 1:3)
  expect_identical(uns$nested$grid, matrix(as.double(0:5), 2, byrow = TRUE))
  expect_identical(uns$table, data.frame(s = c(1.5, 2.5), row.names = c("r1", "r2")))
  expect_identical(uns$ranks, data.frame(name = c("A", "B"), score = c(1, 2)))
})

test_that("what is left out or changed is named in one warning", {
  expect_warning(read_h5ad(fixture("everything"), as = "list"), class = "compert_h5ad_warning")
  text <- tryCatch(read_h5ad(fixture("everything"), as = "list"), warning = conditionMessage)
  for (part in c("obsm/cube", "uns/opaque", "varm.*loadings", "obsp.*near")) {
    expect_match(gsub("\\s+", " ", text), part)
  }
  expect_warning(read_h5ad(fixture("new012"), as = "list"), "Latin-1")
  expect_identical(plain("new012")$uns$latin, "caf\u00e9")
  expect_no_warning(read_h5ad(fixture("dense"), as = "list"))
})

test_that("names that occur more than once are made unique, with a warning", {
  expect_warning(file <- read_h5ad(fixture("repeated"), as = "list"), "first \"c\"")
  expect_identical(unname(file$X), unname(truth))
  expect_identical(colnames(file$X), c("c", "c.1", "d", "e", "f", "c.2"))
  expect_identical(rownames(file$X), c("g", "h", "g.1", "i"))
  expect_identical(rownames(file$obs), colnames(file$X))
  # Others see the names of the file, to refuse them in their own words.
  expect_identical(colnames(read_h5ad_parts(fixture("repeated"))$X),
                   c("c", "c", "d", "e", "f", "c"))
})

test_that("a file without cells is read", {
  file <- plain("zero_cells")
  expect_identical(dim(file$X), c(4L, 0L))
  expect_identical(dim(file$obs), c(0L, 0L))
  path <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(file, path)
  expect_identical(read_h5ad(path, as = "list"), file)
})

test_that("only the assays asked for are read", {
  file <- plain("everything", assays = "counts")
  expect_null(file$X)
  expect_named(file$layers, "counts")
  file <- plain("everything", assays = c("X", "dense"))
  expect_identical(as.matrix(file$X), truth)
  expect_named(file$layers, "dense")
})

test_that("a SingleCellExperiment has every part in its place", {
  skip_without_package("SingleCellExperiment")
  sce <- suppressWarnings(read_h5ad(fixture("everything"), raw = TRUE))
  expect_s4_class(sce, "SingleCellExperiment")
  expect_identical(SummarizedExperiment::assayNames(sce), c("X", "counts", "dense"))
  expect_identical(as.matrix(SummarizedExperiment::assay(sce, "X")), truth)
  expect_identical(sce$level, plain("everything")$obs$level)
  expect_identical(SummarizedExperiment::rowData(sce)$symbol, c("A", "B", "C", "D"))
  expect_identical(SingleCellExperiment::reducedDimNames(sce), c("X_pca", "frame", "sparse"))
  expect_identical(S4Vectors::metadata(sce)$title, "a screen")
  expect_identical(dim(SingleCellExperiment::altExp(sce, "raw")), c(8L, 6L))
  none <- read_h5ad(fixture("zero_cells"))
  expect_identical(dim(none), c(4L, 0L))
})

test_that("without SingleCellExperiment the error names the install line and the list", {
  original <- asNamespace("compert")$check_package
  local_replaced("check_package", function(package, why, call) {
    original("a.package.that.is.not.there", why, call = call)
  })
  expect_refused(read_h5ad(fixture("dense")), "as = \"list\".*not.*install.packages")
  expect_type(read_h5ad(fixture("dense"), as = "list"), "list")
})

test_that("wrong paths, files and arguments are refused in one message", {
  folder <- withr::local_tempdir()
  expect_refused(read_h5ad(file.path(folder, "no.h5ad"), as = "list"), "does not exist")
  expect_refused(read_h5ad(folder, as = "list"), "is a folder")
  expect_refused(read_h5ad(c("a", "b"), as = "list"), "`path` must be one text")
  expect_refused(read_h5ad(fixture("dense"), as = "tibble"), "`as` must be one of")
  expect_refused(read_h5ad(fixture("dense"), layers = "counts"), "no argument `layers`")
  expect_refused(read_h5ad(fixture("everything"), assays = c("X", "spliced"), as = "list"),
                 "no layer \"spliced\".*counts")
  expect_refused(read_h5ad(fixture("dense"), raw = TRUE, as = "list"), "has none")
  text <- file.path(folder, "text.h5ad")
  writeLines("these are no cells", text)
  expect_refused(read_h5ad(text, as = "list"), "HDF5 file.*text.h5ad")
  file.create(text)
  expect_refused(read_h5ad(text, as = "list"), "HDF5 file")
})

# Reads a copy of a fixture with other bytes: "read", "refused" or what else happened.
outcome <- function(bytes) {
  path <- withr::local_tempfile(fileext = ".h5ad")
  writeBin(bytes, path)
  tryCatch({
    suppressWarnings(read_h5ad(path, raw = TRUE, as = "list"))
    "read"
  }, compert_core_error = function(e) {
    if (length(e$body) >= 2) "refused" else conditionMessage(e)
  }, compert_input_error = function(e) {
    if (grepl("raw", conditionMessage(e))) "read" else conditionMessage(e)
  }, error = conditionMessage)
}

test_that("a file that is cut at any byte is refused", {
  bytes <- readBin(fixture("old07"), "raw", file.size(fixture("old07")))
  # Every byte is tried in tests/cpp/test_h5ad_damage.cpp.
  at <- c(0:8, seq(9, 2047, by = 97), seq(2048, length(bytes) - 1, by = 970), length(bytes) - 1)
  outcomes <- vapply(at, function(n) outcome(bytes[seq_len(n)]), "")
  expect_identical(unique(outcomes), "refused", info = at[outcomes != "refused"][1])
})

test_that("a file with damaged bytes is read or refused, and never ends the session", {
  bytes <- readBin(fixture("old06"), "raw", file.size(fixture("old06")))
  withr::local_seed(1)
  outcomes <- replicate(40, {
    at <- sample(length(bytes), 2)
    bytes[at] <- as.raw(sample(0:255, 2))
    outcome(bytes)
  })
  expect_setequal(outcomes, c("read", "refused"))
  expect_identical(outcome(bytes), "read")
})

test_that("LZF, anndata's other compression, is undone; damage in it is found", {
  file <- plain("lzf")
  at <- function(f) outer(0:39, 0:299, f)
  expect_identical(unname(as.matrix(file$X)), at(function(gene, cell) (7 * cell + 3 * gene) %% 5))
  expect_identical(unname(file$layers$dense), at(function(gene, cell) (31 * cell^2 + 17 * gene) %% 97))
  expect_identical(colnames(file$X), paste0("obs", 0:299))
  disk <- withr::with_options(list(compert.in_memory = 0), suppressMessages(lapply(c("X", "dense"), function(layer) {
    read_cells(fixture("lzf"), list(layer = layer))$x
  })))
  expect_true(all(vapply(disk, is_stored, NA)))
  expect_identical(as.matrix(read_stored(disk[[1]], c(300L, 7L, 8L))), as.matrix(file$X)[, c(300, 7, 8)])
  expect_identical(as.matrix(read_stored(disk[[2]], c(300L, 7L, 8L))), file$layers$dense[, c(300, 7, 8)])
  bytes <- readBin(fixture("lzf"), "raw", file.size(fixture("lzf")))
  withr::local_seed(1)
  outcomes <- replicate(40, {
    at <- sample(length(bytes), 3)
    outcome(replace(bytes, at, as.raw(sample(0:255, 3))))
  })
  expect_setequal(outcomes, c("read", "refused"))
})

test_that("names that repeat in raw alone, or in a file without X, are made unique too", {
  x <- toy_counts(3)
  path <- withr::local_tempfile(fileext = ".h5ad")
  twice <- rbind(x, x)
  write_h5ad(list(X = x, raw = list(X = twice, var = data.frame(k = 1:24))), path)
  expect_warning(file <- read_h5ad(path, raw = TRUE, as = "list"), "genes of raw: first \"gene1\"")
  expect_identical(rownames(file$raw$X), make.unique(rownames(twice)))
  expect_identical(rownames(file$raw$var), make.unique(rownames(twice)))
  expect_identical(file$X, x)
  skip_without_package("S4Vectors")
  write_h5ad(list(obs = toy_cells(3), var = S4Vectors::DataFrame(k = 1:2, row.names = c("g", "g"))), path)
  expect_warning(file <- read_h5ad(path, as = "list"), "genes: first \"g\"")
  expect_identical(file$var, data.frame(k = 1:2, row.names = c("g", "g.1")))
})

test_that("doses in single precision are the numbers that were written", {
  skip_without_package("rhdf5")
  path <- withr::local_tempfile(fileext = ".h5ad")
  doses <- c(0.1, 0.3, 1e-9, 2 / 3)
  write_h5ad(toy_log(4), path, col_data = data.frame(dose = doses, level = factor(doses)))
  for (name in c("obs/dose", "obs/level/categories")) {
    h5("h5delete")(path, name)
    h5("h5createDataset")(path, name, 4, H5type = "H5T_IEEE_F32LE")
    h5("h5write")(doses, path, name)
  }
  obs <- read_h5ad(path, as = "list")$obs
  expect_identical(obs$dose[1:3], doses[1:3])
  expect_equal(obs$dose[4], 2 / 3, tolerance = 1e-7)
  expect_setequal(levels(obs$level)[1:3], c("0.1", "0.3", "1e-09"))
})

test_that("a size that LZF could not come from is not believed", {
  python <- python_with("h5py")
  skip_without(nzchar(python), "python3 with h5py")
  path <- withr::local_tempfile(fileext = ".h5ad")
  file.copy(fixture("lzf"), path)
  script <- withr::local_tempfile(fileext = ".py", lines = '
import sys, h5py
with h5py.File(sys.argv[1], "r+") as f:
    f.create_dataset("uns/huge", (2**33,), "f8", chunks=(65536,), compression="lzf")
')
  expect_identical(system2(python, c(shQuote(script), shQuote(path))), 0L)
  expect_refused(read_h5ad(path, as = "list"), "\"uns/huge\" claims more values than the file can hold")
})
