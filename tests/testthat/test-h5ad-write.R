written <- function(x, ..., env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".h5ad", .local_envir = env)
  expect_identical(write_h5ad(x, path, ...), path)
  path
}

read_list <- function(path, ...) read_h5ad(path, ..., as = "list")

# A list with every kind of part.
full_list <- function() {
  cells <- paste0("cell", 1:5)
  genes <- c("A", "\u03b2", "C")
  x <- as_sparse(matrix(c(0, 1, 2.5, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0.1, 0), 3,
                        dimnames = list(genes, cells)))
  obs <- data.frame(group = factor(c("b", "a", NA, "b", "a"), levels = c("b", "a", "none")),
                    level = factor(c("lo", "hi", "lo", "lo", "hi"), c("lo", "hi"), ordered = TRUE),
                    text = c("", "\u00e9", "a b", "x", "y"), number = c(0.1, NA, -Inf, 1e300, 0),
                    whole = c(1L, NA, 3L, 4L, 5L), dense = 1:5, truth = c(TRUE, NA, FALSE, NA, NA),
                    sure = c(TRUE, TRUE, FALSE, FALSE, TRUE), row.names = cells)
  list(X = x, layers = list(counts = as.matrix(round(x)), other = x * 2), obs = obs,
       var = data.frame(symbol = genes, row.names = genes),
       obsm = list(X_pca = matrix(rnorm(10), 5, dimnames = list(cells, NULL)),
                   table = data.frame(a = 1:5 / 2, b = letters[1:5], row.names = cells)),
       uns = list(colours = c("red", "green"), grid = matrix(1:6, 2) + 0, n = 3L,
                  nested = list(deep = list(k = c(0.5, 1))), title = "\u00e9"),
       raw = list(X = rbind(x, D = 1), var = data.frame(row.names = c(genes, "D"))))
}

test_that("what is written comes back, of every type", {
  x <- full_list()
  path <- written(x)
  expect_identical(read_list(path, raw = TRUE), x)
  x["raw"] <- list(NULL)
  expect_identical(read_list(path), x)
})

test_that("without compression the same comes back, whole and in blocks, to anndata too", {
  set.seed(1)
  x <- Matrix::rsparsematrix(40, 300, 0.3, rand.x = function(n) round(rexp(n), 3))
  dimnames(x) <- list(paste0("g", 1:40), paste0("c", 1:300))
  parts <- list(X = x, layers = list(dense = as.matrix(x)), obs = data.frame(row.names = colnames(x), n = 1:300))
  plain <- written(parts, compression = "none")
  expect_identical(read_list(plain)[1:3], read_list(written(parts))[1:3])
  expect_identical(read_list(plain)$X, x)
  expect_gt(file.size(plain), 1.2 * file.size(written(parts, compression = "gzip")))
  for (inside in c("X", "layers/dense")) {
    stored <- new_stored_cells(core_stored_matrix(plain, inside), dimnames(x))
    expect_equal(as.matrix(pick_columns(stored, c(200, 3, 77))), as.matrix(x[, c(200, 3, 77)]), tolerance = 1e-7)
  }
  expect_refused(write_h5ad(x, plain, compression = "lzf"), "`compression` must be one of \"gzip\", \"none\"")
  expect_refused(write_h5ad(x, plain, compression = NULL), "`compression` must be one of")
  python <- python_with("anndata")
  skip_without(nzchar(python), "python3 with anndata")
  script <- withr::local_tempfile(fileext = ".py", lines = '
import sys, anndata, h5py
a = anndata.read_h5ad(sys.argv[1])
print(h5py.File(sys.argv[1])["X/data"].compression, a.shape, float(a.X.sum()), float(a.layers["dense"].sum()))
')
  out <- system2(python, c(shQuote(script), shQuote(plain)), stdout = TRUE, stderr = FALSE)
  out <- strsplit(sub("None (300, 40) ", "", out, fixed = TRUE), " ")[[1L]]
  expect_equal(as.double(out), rep(sum(x), 2L), tolerance = 1e-6)
})

test_that("anndata reads what is written, value by value", {
  python <- python_with("anndata")
  skip_without(nzchar(python), "python3 with anndata")
  x <- full_list()
  path <- written(x)
  script <- withr::local_tempfile(fileext = ".py", lines = '
import sys, json, anndata, numpy as np
a = anndata.read_h5ad(sys.argv[1])
dense = lambda m: m.toarray().tolist() if hasattr(m, "toarray") else np.asarray(m).tolist()
text = lambda v: [None if w is None or w != w else str(w) for w in v]
print(json.dumps({
    "X": dense(a.X), "kind": type(a.X).__name__, "type": str(a.X.dtype),
    "counts": dense(a.layers["counts"]), "counts_type": str(a.layers["counts"].dtype),
    "obs_names": list(a.obs_names), "var_names": list(a.var_names), "columns": list(a.obs),
    "types": [str(t) for t in a.obs.dtypes], "group": text(a.obs["group"]),
    "categories": list(a.obs["group"].cat.categories), "ordered": bool(a.obs["level"].cat.ordered),
    "text": list(a.obs["text"]), "number": text(a.obs["number"]),
    "whole": [None if v is not v or str(v) == "<NA>" else int(v) for v in a.obs["whole"]],
    "truth": [None if str(v) == "<NA>" else bool(v) for v in a.obs["truth"]],
    "pca": dense(a.obsm["X_pca"]), "table": list(a.obsm["table"]["b"]),
    "colours": list(a.uns["colours"]), "k": dense(a.uns["nested"]["deep"]["k"]),
    "grid": dense(a.uns["grid"]), "title": a.uns["title"], "n": int(a.uns["n"]),
    "raw": dense(a.raw.X), "raw_names": list(a.raw.var_names)}))
')
  out <- system2(python, c(shQuote(script), shQuote(path)), stdout = TRUE, stderr = FALSE,
                 env = "PYTHONIOENCODING=utf-8")
  seen <- jsonlite::fromJSON(utils::tail(out, 1))
  expect_equal(seen$X, unname(t(as.matrix(x$X))), tolerance = 1e-15)
  expect_identical(seen[c("kind", "type", "counts_type")],
                   list(kind = "csr_matrix", type = "float64", counts_type = "float32"))
  expect_equal(seen$counts, unname(t(x$layers$counts)))
  expect_identical(seen$obs_names, rownames(x$obs))
  expect_identical(enc2utf8(seen$var_names), rownames(x$var))
  expect_identical(seen$columns, names(x$obs))
  expect_identical(seen$types, c("category", "category", "object", "float64", "Int32", "int32",
                                 "boolean", "bool"))
  expect_identical(seen$group, as.character(x$obs$group))
  expect_identical(seen$categories, levels(x$obs$group))
  expect_true(seen$ordered)
  expect_identical(seen$text, x$obs$text)
  expect_identical(seen$number, c("0.1", NA, "-inf", "1e+300", "0.0"))
  expect_identical(seen$whole, x$obs$whole)
  expect_identical(seen$truth, x$obs$truth)
  expect_equal(seen$pca, unname(x$obsm$X_pca))
  expect_identical(seen$table, x$obsm$table$b)
  expect_identical(seen[c("colours", "title", "n")], x$uns[c("colours", "title", "n")])
  expect_equal(seen$k, x$uns$nested$deep$k)
  expect_equal(seen$grid, x$uns$grid)
  expect_equal(seen$raw, unname(t(as.matrix(x$raw$X))))
  expect_identical(enc2utf8(seen$raw_names), rownames(x$raw$var))
})

test_that("a matrix is written with tables of cells and genes, in the order of the matrix", {
  cells <- toy_cells(8)
  x <- toy_log(8)
  file <- read_list(written(x, col_data = cells[8:1, ],
                            row_data = data.frame(symbol = letters[1:12])))
  expect_identical(file$X, x)
  expect_identical(file$obs, cells)
  expect_identical(file$var, data.frame(symbol = letters[1:12], row.names = rownames(x)))
  sparse <- as_sparse(toy_counts(8))
  file <- read_list(written(sparse))
  expect_identical(file$X, sparse)
  expect_identical(dim(file$obs), c(8L, 0L))
  rows <- methods::as(sparse, "RsparseMatrix")
  expect_identical(read_list(written(rows))$X, sparse)
  whole <- matrix(1:6, 2)
  expect_identical(unname(read_list(written(whole))$X), whole + 0)
  expect_identical(colnames(read_list(written(whole))$X), c("1", "2", "3"))
})

test_that("a list with few parts is written, each part as what it is", {
  x <- toy_log(8)
  arrays <- list(X_pca = matrix(1:16 + 0, 8, dimnames = list(colnames(x), NULL)))
  file <- read_list(written(list(X = x, obsm = arrays)))
  expect_identical(dim(file$obs), c(8L, 0L))
  expect_identical(file$obsm, arrays)
  file <- read_list(written(list(X = unname(x), obs = toy_cells(8))))
  expect_identical(colnames(file$X), rownames(toy_cells(8)))
  file <- read_list(written(list(obs = toy_cells(8), var = data.frame(row.names = c("g", "h")))))
  expect_null(file$X)
  expect_identical(file$obs, toy_cells(8))
  expect_refused(written(list(X = x, obs = toy_cells(7))), "`x\\$obs` must be a data frame")
})

test_that("a delayed matrix is written as what it is", {
  skip_without_package("DelayedArray")
  x <- toy_log(8)
  expect_identical(read_list(written(DelayedArray::DelayedArray(x)))$X, x)
  sparse <- as_sparse(toy_counts(8))
  expect_identical(read_list(written(DelayedArray::DelayedArray(sparse)))$X, sparse)
})

toy_sce <- function(...) {
  SingleCellExperiment::SingleCellExperiment(
    assays = list(counts = as_sparse(toy_counts(8)), logcounts = toy_log(8)),
    colData = S4Vectors::DataFrame(toy_cells(8)),
    rowData = S4Vectors::DataFrame(symbol = letters[1:12]), ...
  )
}

test_that("a SingleCellExperiment: logcounts become X, the rest layers, obsm, uns", {
  skip_without_package("SingleCellExperiment")
  pca <- matrix(rnorm(16), 8, dimnames = list(paste0("cell", 1:8), NULL))
  sce <- toy_sce(reducedDims = list(PCA = pca), metadata = list(title = "kang", level = 2))
  file <- read_list(written(sce))
  expect_identical(file$X, toy_log(8))
  expect_identical(as.matrix(file$layers$counts), toy_counts(8))
  expect_identical(file$obs, toy_cells(8))
  expect_identical(file$var$symbol, letters[1:12])
  expect_identical(file$obsm, list(PCA = pca))
  expect_identical(file$uns, list(level = 2, title = "kang"))
  file <- read_list(written(sce, assay = "counts"))
  expect_identical(as.matrix(file$X), toy_counts(8))
  expect_named(file$layers, "logcounts")
  se <- SummarizedExperiment::SummarizedExperiment(list(counts = toy_counts(8)))
  expect_identical(unname(read_list(written(se))$X), unname(toy_counts(8)))
})

test_that("a SingleCellExperiment that was read is written as the same file", {
  skip_without_package("SingleCellExperiment")
  sce <- read_h5ad(written(full_list()), raw = TRUE)
  parts <- c("X", "layers", "obs", "uns", "raw")
  expect_identical(read_list(written(sce), raw = TRUE)[parts], full_list()[parts])
})

test_that("a Seurat object: data becomes X, or counts where nothing was normalised", {
  skip_without_package("SeuratObject")
  x <- SeuratObject::CreateSeuratObject(as_sparse(toy_counts(8)), meta.data = toy_cells(8))
  file <- read_list(written(x))
  expect_identical(as.matrix(file$X), toy_counts(8))
  expect_length(file$layers, 0)
  expect_identical(file$obs$drug, toy_cells(8)$drug)
  x <- SeuratObject::SetAssayData(x, "data", new.data = as_sparse(toy_log(8)))
  x[["pca"]] <- suppressWarnings(SeuratObject::CreateDimReducObject(
    matrix(rnorm(16), 8, dimnames = list(colnames(x), paste0("PC_", 1:2))), key = "PC_",
    assay = "RNA"
  ))
  file <- read_list(written(x))
  expect_equal(as.matrix(file$X), toy_log(8))
  expect_identical(as.matrix(file$layers$counts), toy_counts(8))
  expect_named(file$obsm, "X_pca")
  expect_identical(as.matrix(read_list(written(x, layer = "counts"))$X), toy_counts(8))
  expect_refused(written(x, layer = "spliced"), "no layer \"spliced\"")
  expect_refused(written(x, assay = "ADT"), "no assay \"ADT\"")
})

test_that("layers of a Seurat object that are split by sample are joined", {
  skip_without_package("SeuratObject")
  version5 <- utils::packageVersion("SeuratObject") >= "5"
  skip_if_not(version5, "assays with layers (SeuratObject 5)")
  x <- SeuratObject::CreateSeuratObject(as_sparse(toy_counts(8)), meta.data = toy_cells(8))
  x[["RNA"]] <- split(x[["RNA"]], f = x$donor)
  file <- read_list(written(x))
  expect_identical(as.matrix(file$X), toy_counts(8))
  expect_length(file$layers, 0)
})

test_that("what cannot be written is refused in one message, and the old file stays", {
  x <- toy_log(8)
  path <- written(x)
  before <- readBin(path, "raw", 1e6)
  folder <- dirname(path)
  expect_refused(write_h5ad(1:3, path), "`x` must be a SingleCellExperiment")
  expect_refused(write_h5ad(toy_cells(8), path), "`x` must be a SingleCellExperiment")
  expect_refused(write_h5ad(x, file.path(folder, "no", "x.h5ad")), "folder that exists")
  expect_refused(write_h5ad(x, 5), "`path` must be one text")
  expect_refused(write_h5ad(x, folder), "can be written")
  expect_refused(write_h5ad(x, path, col_data = toy_cells(7)), "7 rows; there are 8 cells")
  expect_refused(write_h5ad(x, path, row_data = 1:12), "`row_data` must be a data frame")
  strange <- toy_cells(8)
  rownames(strange)[3] <- "stranger"
  expect_refused(write_h5ad(x, path, col_data = strange), "The matrix has \"cell3\"")
  expect_refused(write_h5ad(x, path, col_data = data.frame("a/b" = 1:8, check.names = FALSE)),
                 "a/b")
  expect_refused(write_h5ad(x, path, col_data = data.frame("_index" = 1:8, check.names = FALSE)),
                 "_index")
  expect_refused(write_h5ad(x, path, cells = 1), "no argument `cells`")
  expect_refused(write_h5ad(matrix("a"), path), "must be numbers")
  expect_refused(write_h5ad(list(X = x, cells = 1), path), "It has \"cells\"")
  expect_refused(write_h5ad(list(), path), "neither a matrix")
  expect_refused(write_h5ad(list(X = x, layers = list(a = x[, 1:3])), path), "12 genes x 3 cells")
  expect_refused(write_h5ad(list(X = x, obsm = list(a = matrix(0, 2, 2))), path), "has 2 rows")
  for (layers in list(list(x), list(a = x, x), list(a = x, a = x))) {
    expect_refused(write_h5ad(list(X = x, layers = layers), path), "Matrices in `layers` must have names")
  }
  expect_refused(write_h5ad(list(X = x, obsm = list(t(x))), path), "Matrices in `obsm` must have names")
  expect_identical(readBin(path, "raw", 1e6), before)
  expect_length(list.files(folder, paste0(basename(path), ".")), 0)
})

test_that("a link stays a link, also where the file that it points to is not there yet", {
  skip_without(.Platform$OS.type != "windows", "symbolic links")
  folder <- withr::local_tempdir()
  link <- file.path(folder, "link.h5ad")
  file.symlink("cells.h5ad", link)
  x <- matrix(1:4, 2, dimnames = list(c("g", "h"), c("a", "b")))
  for (k in 1:2) write_h5ad(x, link)
  expect_identical(Sys.readlink(link), "cells.h5ad")
  expect_identical(sort(list.files(folder, all.files = TRUE, no.. = TRUE)), c("cells.h5ad", "link.h5ad"))
  expect_equal(as.matrix(read_h5ad(file.path(folder, "cells.h5ad"), as = "list")$X), x)
})

test_that("text of no known encoding is refused", {
  text <- "fa\xe7ade"
  Encoding(text) <- "bytes"
  x <- matrix(1:4, 2, dimnames = list(c("g", "h"), c("a", "b")))
  expect_error(write_h5ad(x, withr::local_tempfile(fileext = ".h5ad"), col_data = data.frame(what = c("b", text))),
               "encoding is known.*Value 2 ", class = "compert_core_error")
})

test_that("no assay is lost for want of a name", {
  skip_without_package("SummarizedExperiment")
  x <- as_sparse(toy_log(8))
  counts <- as_sparse(toy_counts(8))
  se <- function(...) SummarizedExperiment::SummarizedExperiment(list(...))
  path <- withr::local_tempfile(fileext = ".h5ad")
  expect_refused(write_h5ad(se(x, counts), path), "`assay` must say.*\"1\", \"2\"")
  expect_false(file.exists(path))
  expect_matrices <- function(path, name) {
    read <- read_list(path)
    expect_equal(read$X, x, ignore_attr = TRUE)
    expect_named(read$layers, name)
    expect_equal(read$layers[[name]], counts, ignore_attr = TRUE)
  }
  expect_matrices(written(se(x, counts), assay = "1"), "2")
  expect_matrices(written(se(X = x, counts)), "2")
  expect_matrices(written(se(logcounts = x, logcounts = counts)), "2")
})

test_that("cells whose names repeat keep their own rows, or are refused", {
  x <- toy_log(4)
  colnames(x) <- c("a", "a", "b", "c")
  table <- data.frame(drug = letters[1:4], row.names = make.unique(colnames(x)))
  expect_identical(suppressWarnings(read_list(written(x, col_data = table)))$obs, table)
  expect_identical(suppressWarnings(read_list(written(list(X = x, obs = table))))$obs, table)
  expect_refused(written(x, col_data = table[4:1, , drop = FALSE]), "has \"a\" more than once")
})

test_that("a sparse delayed matrix is written whole, whatever the limit of memory", {
  skip_without_package("DelayedArray")
  sparse <- as_sparse(toy_log(8))
  x <- DelayedArray::DelayedArray(sparse)
  withr::local_options(compert.in_memory = 0)
  expect_identical(read_list(written(x))$X, sparse)
})

test_that("a run of one factor stays a factor", {
  skip_without_package("S4Vectors")
  group <- factor(c("b", "b", "a", "a"), levels = c("b", "a"))
  path <- written(toy_log(4), col_data = S4Vectors::DataFrame(group = S4Vectors::Rle(group)))
  expect_identical(read_list(path)$obs$group, group)
})

test_that("a folder, a device or a pipe is not replaced", {
  skip_without(.Platform$OS.type == "unix", "pipes with names")
  pipe <- withr::local_tempfile()
  skip_without(system2("mkfifo", shQuote(pipe)) == 0L, "mkfifo")
  expect_refused(write_h5ad(toy_log(4), pipe), "can be written.*is there and is no file")
  expect_refused(write_h5ad(toy_log(4), dirname(pipe)), "can be written.*is there and is no file")
  expect_true(file.exists(pipe))
})

test_that("what others have left open is written out at R's end", {
  skip_without_package("rhdf5")
  script <- withr::local_tempfile(fileext = ".R", lines = c(
    sprintf(".libPaths(%s)", deparse1(.libPaths())),
    "compert::write_h5ad(matrix(rnorm(20), 4), tempfile(fileext = '.h5ad'))",
    "file <- rhdf5::H5Fcreate(commandArgs(TRUE))",
    "rhdf5::H5Dwrite(rhdf5::H5Dcreate(file, 'x', 'H5T_NATIVE_INT32', rhdf5::H5Screate_simple(3)), 1:3)"
  ))
  path <- withr::local_tempfile(fileext = ".h5")
  run <- processx::run(file.path(R.home("bin"), "Rscript"), c("--vanilla", script, path), timeout = 120,
                       error_on_status = FALSE)
  expect_identical(run$status, 0L, info = run$stderr)
  expect_equal(as.vector(rhdf5::h5read(path, "x")), 1:3)
})

test_that("a full disk is told as such, leaves nothing and does not end R with a crash", {
  skip_without(.Platform$OS.type == "unix", "limits on the size of files")
  folder <- withr::local_tempdir()
  script <- withr::local_tempfile(fileext = ".R", lines = c(
    sprintf(".libPaths(%s)", deparse1(.libPaths())),
    "x <- matrix(rnorm(1e5), 500)",
    "x <- list(x, Matrix::Matrix(x, sparse = TRUE))",
    sprintf("path <- file.path(%s, \"cells.h5ad\")", deparse1(folder)),
    "for (values in x) cat(tryCatch(compert::write_h5ad(values, path), error = conditionMessage), \"\\n\")",
    "compert::write_h5ad(x[[1]][1:5, 1:5], path)"
  ))
  run <- paste("trap '' XFSZ; ulimit -f 100;", shQuote(file.path(R.home("bin"), "Rscript")), shQuote(script))
  said <- suppressWarnings(system2("sh", c("-c", shQuote(run)), stdout = TRUE, stderr = TRUE))
  expect_null(attr(said, "status"))
  expect_length(grep("On writing \"X(/data)?\": [A-Z]", said), 2)
  expect_length(grep("must name a file that can be written", said), 2)
  expect_identical(list.files(folder, all.files = TRUE, no.. = TRUE), "cells.h5ad")
})
