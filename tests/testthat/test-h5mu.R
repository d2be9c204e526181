# The fixtures are written by h5py in the layout of mudata (fixtures/make_h5mu.py): of eight cells,
# counted from 0, rna has 0 to 6 and prot has 7, 4, 3, 2, 1, 0.

fixture <- function(name) testthat::test_path("fixtures", paste0(name, ".h5mu"))
genes <- c("IFI6", "ISG15", "CD3D", "MS4A1", "LYZ")
cells <- paste0("cell", 0:7)
rna <- outer(0:4, 0:6, function(gene, cell) (5 * cell + 3 * gene) %% 4)
dimnames(rna) <- list(genes, cells[1:7])
prot <- outer(0:2, c(7, 4:0), function(protein, cell) cell + protein / 4)
dimnames(prot) <- list(c("CD3", "CD19", "CD14"), cells[c(8, 5:1)])
quiet <- function(...) suppressWarnings(read_h5mu(...))

test_that("a list has every modality with all its cells, and the global table", {
  expect_no_warning(file <- read_h5mu(fixture("cite"), as = "list"))
  expect_named(file, c("modalities", "obs"))
  expect_named(file$modalities, c("rna", "prot"))
  parts <- c("X", "layers", "obs", "var", "obsm", "uns", "raw")
  expect_identical(lapply(file$modalities, names), list(rna = parts, prot = parts))
  expect_s4_class(file$modalities$rna$X, "dgCMatrix")
  expect_identical(as.matrix(file$modalities$rna$X), rna / 2)
  expect_identical(as.matrix(file$modalities$rna$layers$counts), rna)
  expect_identical(file$modalities$prot$X, prot)
  expect_identical(file$modalities$rna$obsm$X_pca,
                   matrix(as.double(0:13), 7, byrow = TRUE, dimnames = list(cells[1:7], NULL)))
  expect_identical(file$modalities$rna$uns, list(title = "invented"))
  expect_identical(rownames(file$modalities$prot$var), c("CD3", "CD19", "CD14"))
  kind <- factor(c("B", "B", "T", "T", "mono", "mono", NA), levels = c("B", "T", "mono"))
  expect_identical(file$modalities$rna$obs, data.frame(cell_type = kind, row.names = cells[1:7]))
  expect_named(file$obs, c("rna:cell_type", "rna:condition", "donor", "prot:total"))
  expect_identical(rownames(file$obs), cells)
  expect_identical(file$obs$donor, factor(rep(c("d1", "d2"), each = 4)))
})

test_that("the main modality gives the cells, the others are alternative experiments", {
  skip_without_package("SingleCellExperiment")
  sce <- quiet(fixture("cite"))
  expect_s4_class(sce, "SingleCellExperiment")
  expect_identical(SummarizedExperiment::assayNames(sce), c("X", "counts"))
  expect_identical(as.matrix(SummarizedExperiment::assay(sce, "counts")), rna)
  expect_identical(SingleCellExperiment::mainExpName(sce), "rna")
  expect_identical(SingleCellExperiment::reducedDimNames(sce), "X_pca")
  expect_identical(SingleCellExperiment::altExpNames(sce), "prot")
  other <- SingleCellExperiment::altExp(sce, "prot")
  expect_identical(SummarizedExperiment::assay(other, "X"),
                   cbind(prot[, cells[1:5]], cell5 = NA, cell6 = NA))
  expect_identical(other$depth, c(5:1, NA, NA))
  expect_identical(colnames(other), cells[1:7])
})

test_that("a sparse modality gets columns of NA where it lacks cells", {
  skip_without_package("SingleCellExperiment")
  sce <- quiet(fixture("cite"), main = "prot")
  expect_identical(SummarizedExperiment::assay(sce, "X"), prot)
  expect_identical(sce$depth, 0:5)
  expect_identical(sce$total, c(8, 5:1))
  other <- SingleCellExperiment::altExp(sce, "rna")
  counts <- SummarizedExperiment::assay(other, "counts")
  expect_s4_class(counts, "dgCMatrix")
  expect_true(methods::validObject(counts))
  expect_identical(as.matrix(counts), cbind(cell7 = NA, rna[, cells[5:1]]))
  expect_identical(unname(SingleCellExperiment::reducedDim(other, "X_pca")),
                   rbind(NA, matrix(as.double(9:0), 5, byrow = TRUE)[, 2:1]))
  expect_identical(S4Vectors::metadata(other)$title, "invented")
})

test_that("cells that only other modalities have are dropped, and counted in a warning", {
  skip_without_package("SingleCellExperiment")
  expect_warning(read_h5mu(fixture("cite")), "1 cell that the main modality lacks was dropped",
                 class = "compert_h5ad_warning")
  text <- tryCatch(read_h5mu(fixture("cite"), main = "prot"), warning = conditionMessage)
  expect_match(text, "2 cells that the main modality lacks were dropped.*rna: has 2 of them")
})

test_that("global columns are joined, under short names where these are free", {
  skip_without_package("SingleCellExperiment")
  sce <- quiet(fixture("cite"))
  # "rna:cell_type" repeats the modality's own column.
  expect_named(SummarizedExperiment::colData(sce), c("cell_type", "condition", "donor", "total"))
  expect_identical(sce$condition,
                   factor(c("control", "drug", "control", "drug", "control", "drug", "control")))
  own <- data.frame(n = 1:2, kind = c("a", "b"), row.names = c("x", "y"))
  global <- list(n = 3:4, kind = factor(c("a", "b")), "rna:n" = 5:6, "rna:batch" = c(1, NA),
                 "prot:batch" = 1:2, "prot:q" = 1:2, "atac:q" = 3:4, "atac:z" = 1:2, "a:b" = 7:8,
                 "rna:" = 1:2)
  out <- cbind_columns(own, global, "rna", c("rna", "prot", "atac"))
  expect_named(out, c("n", "kind", "global:n", "rna:n", "batch", "prot:batch", "prot:q", "atac:q",
                      "z", "a:b", "rna:"))
  expect_identical(out$n, 1:2)
  expect_identical(out$`global:n`, 3:4)
  expect_identical(rownames(out), c("x", "y"))
  bare <- data.frame(row.names = c("x", "y"))
  expect_identical(cbind_columns(bare, bare, "rna", "rna"), bare)
})

test_that("cells whose names repeat are matched by obsmap; the first modality is the main one", {
  file <- quiet(fixture("repeated"), as = "list")
  expect_named(file$modalities, c("atac", "prot"))
  expect_identical(file$obs, data.frame(n = 7:9))
  expect_identical(colnames(file$modalities$prot$X), c("a", "a.1", "b"))
  expect_identical(read_h5mu_parts(fixture("repeated"))$cells,
                   list(atac = c(2L, NA, 1L), prot = c(3L, 1L, 2L)))
  skip_without_package("SingleCellExperiment")
  sce <- quiet(fixture("repeated"))
  expect_identical(colnames(sce), c("a", "b"))
  expect_identical(sce$`global:n`, c(9L, 7L))
  expect_identical(unname(SummarizedExperiment::assay(SingleCellExperiment::altExp(sce))),
                   rbind(c(2, 4), c(3, 5)))
})

test_that("what is left out is named in one warning, with its modality", {
  notes <- character()
  withCallingHandlers(read_h5mu(fixture("repeated"), as = "list"), warning = function(w) {
    notes <<- c(notes, gsub("\\s+", " ", conditionMessage(w)))
    invokeRestart("muffleWarning")
  })
  expect_length(notes, 2)
  expect_match(notes[1], "obsm: not read; it holds \"X_joint\".*mod/prot/obsp: not read")
  expect_match(notes[2], "cells of prot: first \"a\"")
  # Without the other modalities, a reader of .h5ad files says what it saw.
  expect_warning(read_h5ad(fixture("cite"), as = "list"), "mod: not read; it holds \"prot\"")
})

test_that("parts of a modality are read by its group", {
  parts <- read_h5ad_parts(fixture("cite"), "counts", uns = FALSE, group = "mod/rna")
  expect_null(parts$X)
  expect_identical(as.matrix(parts$layers$counts), rna)
  expect_identical(core_h5ad_outline(fixture("cite"), "mod/rna"),
                   list(x = TRUE, raw = FALSE, layers = "counts", obsm = "X_pca"))
  expect_refused(read_h5ad_parts(fixture("cite"), "spliced", group = "mod/rna"),
                 "Group \"mod/rna\" of .* has no layer \"spliced\".*counts")
  expect_refused(read_h5ad_parts(fixture("cite"), group = "mod/adt"), "group \"mod/adt\"")
  expect_true(is_h5mu(fixture("cite")))
  expect_false(is_h5mu(testthat::test_path("fixtures", "dense.h5ad")))
  expect_false(is_h5mu(fixture("no")))
  expect_false(is_h5mu(testthat::test_path("fixtures")))
  expect_identical(main_modality(c("prot", "gex", "rna")), "rna")
  expect_identical(main_modality(c("prot", "RNA")), "RNA")
})

test_that("wrong paths, files and arguments are refused in one message", {
  folder <- withr::local_tempdir()
  expect_refused(read_h5mu(file.path(folder, "no.h5mu"), as = "list"), "[.]h5mu file.*not exist")
  expect_refused(read_h5mu(testthat::test_path("fixtures", "dense.h5ad"), as = "list"),
                 "MuData.*no modalities.*read_h5ad")
  expect_refused(read_h5mu(fixture("cite"), main = "rnas", as = "list"),
                 "no modality \"rnas\".*Did you mean \"rna\".*\"prot\"")
  expect_refused(read_h5mu(fixture("cite"), main = 1, as = "list"), "`main` must be one text")
  expect_refused(read_h5mu(fixture("cite"), as = "tibble"), "`as` must be one of")
  expect_refused(read_h5mu(fixture("cite"), "rna", as = "list"), "given by name")
  expect_refused(cells_of_modality("prot", c("a", "b"), c("a", "c", "b2"), fixture("cite")),
                 "obsmap/prot.*obs_names_make_unique")
  bytes <- readBin(fixture("cite"), "raw", file.size(fixture("cite")))
  path <- file.path(folder, "cut.h5mu")
  for (n in c(0, 100, 512, 600, 5000, length(bytes) %/% 2, length(bytes) - 1)) {
    writeBin(bytes[seq_len(n)], path)
    expect_refused(read_h5mu(path, as = "list"), "complete HDF5 file.*cut.h5mu")
    expect_false(is_h5mu(path))
  }
})

test_that("a file with damaged bytes is read or refused, and never ends the session", {
  bytes <- readBin(fixture("cite"), "raw", file.size(fixture("cite")))
  path <- withr::local_tempfile(fileext = ".h5mu")
  withr::local_seed(1)
  outcomes <- replicate(20, {
    at <- sample(length(bytes), 10)
    bytes[at] <- as.raw(sample(0:255, 10, TRUE))
    writeBin(bytes, path)
    tryCatch({
      quiet(path, as = "list")
      "read"
    }, compert_input_error = function(e) "refused", error = conditionMessage)
  })
  expect_true(all(outcomes %in% c("read", "refused")), info = outcomes)
})

test_that("a fit reads the main modality, and another only where its proteins are asked for", {
  skip_without_package("SingleCellExperiment")
  others <- function(...) {
    keys <- new_keys("condition", control = "control")
    keys$proteins <- list(...)$proteins
    SingleCellExperiment::altExpNames(suppressWarnings(read_cells(fixture("cite"), keys))$experiment)
  }
  expect_length(others(), 0)
  expect_identical(others(proteins = ""), "prot")
  expect_identical(others(proteins = "prot"), "prot")
  expect_length(others(proteins = c("CD3", "CD19")), 0)
})

test_that("more missing values than R can hold are refused before they are made", {
  x <- Matrix::sparseMatrix(1L, 1L, x = 1, dims = c(60000L, 1L))
  expect_refused(take_columns(x, c(1L, rep(NA, 50000)), NULL, "atac"), "atac.*lacks 50000 cells")
})
