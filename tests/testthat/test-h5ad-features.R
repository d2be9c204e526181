test_that("alternative experiments go to obsm, their names to uns; what of them is left out is named", {
  skip_without_package("SingleCellExperiment")
  sce <- SingleCellExperiment::SingleCellExperiment(list(counts = toy_counts(4)))
  put <- function(..., name = "ADT") {
    SingleCellExperiment::altExp(sce, name) <- SummarizedExperiment::SummarizedExperiment(...)
    sce
  }
  adt <- toy_counts(4)[1:3, ]
  expect_silent(file <- read_back(put(list(counts = adt))))
  expect_identical(unname(file$obsm$ADT), unname(t(adt)))
  expect_identical(file$uns$ADT_names, rownames(adt))
  expect_silent(file <- read_back(put(list(counts = as_sparse(adt)))))
  expect_identical(unname(as.matrix(file$obsm$ADT)), unname(t(adt)))
  two <- put(list(clr = adt - 1, counts = adt), rowData = data.frame(clone = 1:3))
  expect_warning(file <- read_back(two), "ADT: written without its \"clr\", \"table of features\"")
  expect_identical(unname(file$obsm$ADT), unname(t(adt)))
  expect_warning(file <- read_back(put(list(counts = adt), name = "a/b")), "a/b: an alternative experiment")
  expect_length(file$obsm, 0L)
  there <- put(list(counts = adt))
  SingleCellExperiment::reducedDim(there, "ADT") <- matrix(0, 4, 2)
  expect_warning(read_back(there), "ADT: an alternative experiment, whose name obsm or uns has already")
})

test_that("a fit of RNA and proteins is the same from an object and from the file written of it", {
  path <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(cite_sce(), path)
  fit <- multi_fit(path, proteins = NULL)
  expect_identical(fit$meta$registry$proteins, paste0("CD", 1:5))
  proteins <- function(fit, x) {
    SummarizedExperiment::assay(SingleCellExperiment::altExp(ask_both(fit, x), "ADT"), "mean")
  }
  expect_equal(proteins(fit, path), proteins(multi_fit(cite_sce(), proteins = NULL), cite_sce()), tolerance = 1e-5)
  again <- read_h5ad(path)
  expect_identical(unname(t(SingleCellExperiment::reducedDim(again, "ADT"))), unname(cite_cells()$adt))
  # What was predicted is written the same way.
  predicted <- proteins(fit, path)
  suppressWarnings(write_h5ad(ask_both(fit, path), path))
  expect_equal(t(read_h5ad(path, as = "list")$obsm$ADT), predicted, tolerance = 1e-6, ignore_attr = TRUE)
})

test_that("proteins of a Seurat object are written where multicpa() finds them", {
  path <- withr::local_tempfile(fileext = ".h5ad")
  adt <- cite_cells()$adt
  expect_silent(write_h5ad(cite_seurat(), path))
  file <- read_h5ad(path, as = "list")
  expect_identical(unname(file$obsm$ADT), unname(t(adt)))
  expect_identical(file$uns$ADT_names, rownames(adt))
  expect_equal(protein_expression(multi_fit(path, proteins = NULL), path),
               protein_expression(multi_fit(cite_seurat(), proteins = NULL), cite_seurat()), tolerance = 1e-6)
})

test_that("cells without proteins stay without; what else of assays is left out is named", {
  path <- withr::local_tempfile(fileext = ".h5ad")
  x <- cite_seurat()
  some <- SeuratObject::CreateAssayObject(counts = as_sparse(cite_cells()$adt[, 1:100]))
  SeuratObject::Key(some) <- "some_"
  some <- SeuratObject::SetAssayData(some, "data", new.data = log1p(SeuratObject::GetAssayData(some, "counts")))
  # Version 5 lets an assay have fewer cells than the object.
  methods::slot(x, "assays") <- list(RNA = x[["RNA"]], Antibody.Capture = some, peaks = x[["ADT"]])
  expect_warning(write_h5ad(x, path), "peaks: another assay.*Antibody.Capture: written without its \"data\"")
  file <- read_h5ad(path, as = "list")
  expect_named(file$obsm, "Antibody.Capture")
  expect_identical(unname(is.na(file$obsm$Antibody.Capture[, 1])), rep(c(FALSE, TRUE), c(100, 60)))
  screen <- as_screen(path, c(toy_keys(dose = NULL), proteins = ""))
  expect_identical(screen$measured, rep(c(both_modalities, rna_only), c(100, 60)))
})

test_that("layers in pieces are not named as left out, as the whole is written", {
  x <- cite_seurat()
  adt <- as_sparse(cite_cells()$adt)
  pieces <- c("counts.1", "counts.2", "data.1", "data.2")
  local_replaced("seurat_layers", function(object) list(all = pieces, names = c(pieces, "counts", "data")))
  local_replaced("seurat_normalised", function(object, layers) TRUE)
  local_replaced("read_seurat_layer", function(object, layer, ...) if (layer == "counts") adt)
  parts <- add_protein_assays(list(), x, "ADT", NULL)
  expect_identical(parts$notes[["ADT"]], "written without its \"data\"")
  expect_identical(unname(parts$obsm$ADT), unname(t(cite_cells()$adt)))
})

test_that("columns of arrays have the names that uns has for them", {
  skip_without_package("SingleCellExperiment")
  x <- toy_counts(4)
  array <- matrix(as.double(1:8), 4)
  uns <- list(ADT_names = c("CD3", "CD4"), protein_names = factor(c("a", "b")), long_names = c("a", "b", "c"),
              two_names = list(first = "a", second = "b"))
  places <- c("ADT", "protein_expression", "long", "two", "X_pca")
  path <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(list(X = x, obsm = rlang::set_names(rep(list(array), 5), places), uns = uns), path)
  expect_silent(sce <- read_h5ad(path))
  names <- lapply(SingleCellExperiment::reducedDims(sce), colnames)
  expect_identical(as.list(names)[places], list(ADT = c("CD3", "CD4"), protein_expression = c("a", "b"), long = NULL,
                                                two = NULL, X_pca = NULL))
  expect_silent(again <- read_back(sce))
  expect_identical(colnames(again$obsm$ADT), c("CD3", "CD4"))
})
