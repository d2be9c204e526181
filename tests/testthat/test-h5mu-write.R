written_mu <- function(x, ..., env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".h5mu", .local_envir = env)
  expect_identical(write_h5mu(x, path, ...), path)
  path
}

mu_list <- function(path) read_h5mu(path, as = "list")
alt <- function(x, name) SingleCellExperiment::altExp(x, name)
all_notes <- function(expr) {
  notes <- character()
  withCallingHandlers(expr, compert_h5ad_warning = function(w) {
    notes <<- c(notes, gsub("\\s+", " ", conditionMessage(w)))
    invokeRestart("muffleWarning")
  })
  notes
}

# RNA of all cells, proteins with gaps and a table of their own, reductions of both, raw.
rich_sce <- function() {
  x <- cite_sce(adt = list(counts = with_gaps(cite_cells()$adt)))
  SummarizedExperiment::assay(x, "logcounts") <- log1p(cite_cells()$genes)
  SummarizedExperiment::rowData(x)$symbol <- toupper(rownames(x))
  SingleCellExperiment::reducedDim(x, "PCA") <- matrix(seq_len(320) + 0, 160)
  S4Vectors::metadata(x)$title <- "invented"
  adt <- methods::as(alt(x, "ADT"), "SingleCellExperiment")
  adt$depth <- unname(colSums(SummarizedExperiment::assay(adt)))
  SummarizedExperiment::rowData(adt)$isotype <- c(TRUE, FALSE, FALSE, TRUE, NA)
  SingleCellExperiment::reducedDim(adt, "APCA") <- matrix(seq_len(160) / 2, 160)
  SingleCellExperiment::altExp(x, "ADT") <- adt
  x
}

test_that("without compression the same comes back", {
  x <- rich_sce()
  plain <- written_mu(x, compression = "none")
  packed <- written_mu(x)
  expect_gt(file.size(plain), file.size(packed))
  expect_identical(mu_list(plain), mu_list(packed))
  expect_identical(mu_list(written_mu(mu_list(plain), compression = "none")), mu_list(packed))
  expect_refused(write_h5mu(x, plain, compression = 4), "`compression` must be one of")
})

test_that("a SingleCellExperiment comes back, cells without proteins as such", {
  x <- rich_sce()
  path <- written_mu(x, main = "rna")
  back <- read_h5mu(path)
  expect_identical(dimnames(back), dimnames(x))
  expect_identical(SingleCellExperiment::mainExpName(back), "rna")
  expect_identical(SummarizedExperiment::assay(back, "X"), SummarizedExperiment::assay(x, "logcounts"))
  expect_identical(SummarizedExperiment::assay(back, "counts"), SummarizedExperiment::assay(x, "counts"))
  expect_identical(as.data.frame(SummarizedExperiment::colData(back)), cite_cells()$col_data)
  expect_identical(SummarizedExperiment::rowData(back)$symbol, toupper(rownames(x)))
  expect_identical(unname(SingleCellExperiment::reducedDim(back, "PCA")), matrix(seq_len(320) + 0, 160))
  expect_identical(S4Vectors::metadata(back), list(title = "invented"))
  adt <- alt(back, "ADT")
  expect_identical(SummarizedExperiment::assay(adt, "X"), with_gaps(cite_cells()$adt))
  expect_identical(adt$depth, alt(x, "ADT")$depth)
  expect_identical(SummarizedExperiment::rowData(adt)$isotype, c(TRUE, FALSE, FALSE, TRUE, NA))
  expect_identical(SingleCellExperiment::reducedDim(adt, "APCA")[1:2, ], c(cell1 = 0.5, cell2 = 1))
  # Only the cells that were measured are in the file's modality.
  file <- mu_list(path)
  expect_identical(colnames(file$modalities$ADT$X), rownames(cite_cells()$col_data)[seq_len(160) %% 3 != 0])
  expect_named(file$obs, paste0("rna:", names(cite_cells()$col_data)))
  expect_identical(rownames(file$obs), colnames(x))
  colnames(x) <- NULL
  expect_identical(read_h5mu_parts(written_mu(x))$cells$ADT[1:4], c(1L, 2L, NA, 3L))
})

test_that("what was read is written as the same file, and read as the same list", {
  file <- mu_list(testthat::test_path("fixtures", "cite.h5mu"))
  path <- written_mu(file)
  expect_identical(mu_list(path), file)
  expect_identical(read_h5mu_parts(path)$cells, read_h5mu_parts(testthat::test_path("fixtures", "cite.h5mu"))$cells)
  # Without the table of all cells, these are the cells of the modalities in their order.
  bare <- mu_list(written_mu(file["modalities"]))
  expect_identical(rownames(bare$obs), paste0("cell", 0:7))
  expect_named(bare$obs, "rna:cell_type")
  expect_identical(bare$obs[["rna:cell_type"]][c(1, 7, 8)], factor(c("B", NA, NA), c("B", "T", "mono")))
})

test_that("a fit of the file is the fit of the object, and predictions are written with their proteins", {
  x <- cite_sce(adt = list(counts = with_gaps(cite_cells()$adt)))
  settings <- multi_settings(fusion = "poe")
  fit <- multi_fit(x, proteins = NULL, settings = settings)
  path <- written_mu(x)
  again <- multi_fit(path, proteins = NULL, settings = settings)
  timeless <- function(fit) fit$history[names(fit$history) != "seconds"]
  expect_identical(timeless(again), timeless(fit))
  asked <- condition(drug = "A+B", cell_type = "NK")
  answer <- predict(fit, x, asked, summarise = "condition")
  back <- read_h5mu(written_mu(answer))
  for (part in list(list(back, answer), list(alt(back, "ADT"), alt(answer, "ADT")))) {
    expect_equal(SummarizedExperiment::assay(part[[1]], "X"), SummarizedExperiment::assay(part[[2]], "mean"))
    expect_equal(SummarizedExperiment::assay(part[[1]], "variance"),
                 SummarizedExperiment::assay(part[[2]], "variance"))
  }
  rna <- withr::local_tempfile(fileext = ".h5ad")
  expect_warning(write_h5ad(answer, rna), "ADT: written without its \"variance\"")
  expect_equal(read_h5ad(rna, as = "list")$X, SummarizedExperiment::assay(answer, "mean"))
  # The fit finds what it needs in the file.
  expect_equal(SummarizedExperiment::assay(predict(fit, path, asked, summarise = "condition")),
               SummarizedExperiment::assay(answer))
})

test_that("every assay of a Seurat object is a modality, with its own cells and reductions", {
  x <- cite_seurat()
  some_cells <- utils::packageVersion("SeuratObject") >= "5"
  here <- if (some_cells) c(1:5, 11:160) else 1:160
  x[["ADT"]] <- NULL
  few <- SeuratObject::CreateAssayObject(counts = as_sparse(cite_cells()$adt[, here]))
  SeuratObject::Key(few) <- "adt_"
  x[["ADT"]] <- few
  reduction <- function(assay, key, cells) {
    values <- matrix(seq_along(cells) + 0, dimnames = list(cells, paste0(key, 1)))
    suppressWarnings(SeuratObject::CreateDimReducObject(values, key = key, assay = assay))
  }
  x[["pca"]] <- reduction("RNA", "PC_", colnames(x))
  x[["apca"]] <- reduction("ADT", "APC_", colnames(few))
  x <- SeuratObject::SetAssayData(x, "data", new.data = as_sparse(log1p(cite_cells()$genes)))
  file <- mu_list(written_mu(x))
  expect_named(file$modalities, c("RNA", "ADT"))
  expect_equal(as.matrix(file$modalities$RNA$X), log1p(cite_cells()$genes))
  expect_identical(as.matrix(file$modalities$RNA$layers$counts), cite_cells()$genes)
  expect_identical(as.matrix(file$modalities$ADT$X), cite_cells()$adt[, here])
  expect_named(file$modalities$RNA$obsm, "X_pca")
  expect_identical(file$modalities$ADT$obsm$X_apca[, 1], rlang::set_names(seq_along(here) + 0, colnames(x)[here]))
  expect_identical(file$modalities$RNA$obs$drug, cite_cells()$col_data$drug)
  expect_length(file$modalities$ADT$obs, 0)
  expect_identical(file$obs[["RNA:split"]], cite_cells()$col_data$split)
  turned <- mu_list(written_mu(x, assay = "ADT", layer = "counts"))
  expect_named(turned$modalities, c("ADT", "RNA"))
  expect_identical(turned$obs[["ADT:drug"]][4:6], cite_cells()$col_data$drug[4:6])
  expect_refused(written_mu(x, assay = "adt"), "no assay \"adt\"")
})

test_that("predictions of a Seurat object are written with their proteins", {
  x <- cite_seurat()
  fit <- multi_fit(x, proteins = NULL)
  answer <- predict(fit, x, condition(drug = "A+B", cell_type = "NK"))
  file <- mu_list(written_mu(answer))
  expect_named(file$modalities, SeuratObject::Assays(answer))
  expect_equal(as.matrix(file$modalities$ADT$X), as.matrix(SeuratObject::GetAssayData(answer[["ADT"]], "data")))
})

test_that("h5py sees the layout of mudata", {
  python <- python_with("h5py")
  skip_without(nzchar(python), "python3 with h5py")
  path <- written_mu(rich_sce())
  expect_identical(rawToChar(readBin(path, "raw", 45)), "MuData (format-version=0.1.0;creator=compert)")
  expect_true(all(readBin(path, "raw", 512)[46:512] == 0))
  script <- withr::local_tempfile(fileext = ".py", lines = '
import sys, json, h5py, numpy as np
f = h5py.File(sys.argv[1], "r")
text = lambda v: [w.decode() if isinstance(w, bytes) else str(w) for w in v]
print(json.dumps({
    "block": int(f.userblock_size), "groups": sorted(f), "rna": sorted(f["mod/rna"]),
    "kind": f.attrs["encoding-type"], "version": f.attrs["encoding-version"], "axis": int(f.attrs["axis"]),
    "order": text(f["mod"].attrs["mod-order"]), "part": f["mod/ADT"].attrs["encoding-type"],
    "obsmap": f["obsmap/ADT"][:].tolist(), "mask": f["obsm/ADT"][:].tolist(), "masktype": str(f["obsm/ADT"].dtype),
    "varmap": f["varmap/ADT"][:].tolist(), "varmask": f["varm/rna"][:].tolist(),
    "obs": text(f["obs/_index"][:]), "columns": text(f["obs"].attrs["column-order"]), "var": text(f["var/_index"][:]),
    "shape": list(f["mod/ADT/X"].shape), "title": f["mod/rna/uns/title"][()].decode()}))
')
  seen <- jsonlite::fromJSON(utils::tail(system2(python, c(shQuote(script), shQuote(path)), stdout = TRUE), 1))
  expect_identical(seen[c("block", "kind", "version", "axis", "order", "part", "masktype", "title")],
                   list(block = 512L, kind = "MuData", version = "0.1.0", axis = 0L, order = c("rna", "ADT"),
                        part = "anndata", masktype = "bool", title = "invented"))
  expect_identical(seen$groups, c("mod", "obs", "obsm", "obsmap", "obsp", "uns", "var", "varm", "varmap", "varp"))
  expect_identical(seen$rna, c("X", "layers", "obs", "obsm", "obsp", "uns", "var", "varm", "varp"))
  has <- seq_len(160) %% 3 != 0
  expect_identical(seen$obsmap, ifelse(has, cumsum(has), 0L))
  expect_identical(seen$mask, has)
  expect_identical(seen$varmap, c(rep(0L, 14), 1:5))
  expect_identical(seen$varmask, rep(c(TRUE, FALSE), c(14, 5)))
  expect_identical(seen$obs, rownames(cite_cells()$col_data))
  expect_identical(seen$columns, paste0("rna:", names(cite_cells()$col_data)))
  expect_identical(seen$var, c(paste0("gene", 1:14), paste0("CD", 1:5)))
  expect_identical(seen$shape, c(107L, 5L))
})

test_that("raw, sparse and delayed matrices, cells whose names repeat, and modalities without values", {
  x <- cite_sce()
  add <- function(x, name, ...) {
    part <- SummarizedExperiment::SummarizedExperiment(...)
    colnames(part) <- colnames(x)
    SingleCellExperiment::`altExp<-`(x, name, value = part)
  }
  sparse <- as_sparse(with_gaps(cite_cells()$adt))
  colnames(x)[2] <- "cell1"
  x <- add(x, "raw", list(X = cite_rows()))
  x <- add(x, "ADT", list(umi = sparse, dsb = sparse))
  x <- add(x, "none", matrix(0, 0, 160), colData = S4Vectors::DataFrame(k = 1:160))
  path <- written_mu(x)
  notes <- all_notes(file <- mu_list(path))
  expect_match(notes, "made unique", all = FALSE)
  expect_named(file$modalities, c("rna", "ADT", "none"))
  expect_identical(unname(as.matrix(file$modalities$ADT$X)), unname(cite_cells()$adt[, seq_len(160) %% 3 != 0]))
  expect_named(file$modalities$ADT$layers, "dsb")
  expect_identical(file$modalities$none$obs$k, 1:160)
  expect_identical(unname(read_h5mu_parts(path)$cells$ADT[1:4]), c(1L, 2L, NA, 3L))
  raw <- core_read_h5ad(path, FALSE, character(), FALSE, FALSE, TRUE, "mod/rna")
  expect_identical(raw$raw_var$index, rownames(cite_rows()))
  skip_without_package("DelayedArray")
  y <- cite_sce()
  SummarizedExperiment::assay(y, "counts") <- DelayedArray::DelayedArray(cite_cells()$genes)
  expect_identical(mu_list(written_mu(y))$modalities$rna$X, cite_cells()$genes)
})

test_that("genes and cells without names are counted", {
  skip_without_package("SingleCellExperiment")
  x <- SingleCellExperiment::SingleCellExperiment(list(counts = matrix(1:6, 3)))
  SingleCellExperiment::altExp(x, "ADT") <- SummarizedExperiment::SummarizedExperiment(list(counts = matrix(1:4, 2)))
  file <- read_h5mu(written_mu(x), as = "list")
  expect_identical(dimnames(file$modalities$rna$X), list(c("1", "2", "3"), c("1", "2")))
  expect_identical(dim(file$modalities$ADT$X), c(2L, 2L))
})

test_that("cells that no modality has are dropped in reading, with a warning", {
  skip_without_package("SingleCellExperiment")
  x <- SingleCellExperiment::SingleCellExperiment(list(counts = matrix(c(1, 2, NA, NA), 2)))
  path <- written_mu(x)
  expect_warning(y <- read_h5mu(path), "1 cell that the main modality lacks was dropped.*no other modality",
                 class = "compert_h5ad_warning")
  expect_identical(dim(y), c(2L, 1L))
})

test_that("what a file cannot hold is named with its modality", {
  x <- rich_sce()
  inner <- alt(x, "ADT")
  S4Vectors::metadata(inner)$what <- sum
  deep <- SummarizedExperiment::SummarizedExperiment(matrix(1, 1, 160, dimnames = list(NULL, colnames(x))))
  SingleCellExperiment::altExp(inner, "deep") <- deep
  SingleCellExperiment::altExp(x, "ADT") <- inner
  notes <- all_notes(written_mu(x))
  expect_length(notes, 1)
  expect_match(notes, "mod/ADT/deep: an alternative experiment of an alternative experiment")
  expect_match(notes, "mod/ADT/uns/what: a value of class function")
})

test_that("what cannot be written is refused in one message, and the old file stays", {
  x <- cite_sce()
  path <- written_mu(x)
  before <- readBin(path, "raw", 1e6)
  expect_refused(write_h5mu(cite_rows(), path), "`x` must be a SingleCellExperiment or Seurat.*It is.*prot = list")
  expect_refused(write_h5mu(methods::as(x, "SummarizedExperiment"), path), "`x` must be a SingleCellExperiment")
  expect_refused(write_h5mu(x, path, main = "ADT"), "`main` must be no name of an alternative.*ADT")
  expect_refused(write_h5mu(x, path, main = 2), "`main` must be one text")
  expect_refused(write_h5mu(x, path, main = "a/b"), "HDF5 file can hold.*a/b")
  expect_refused(write_h5mu(x, path, "rna"), "given by name")
  expect_refused(write_h5mu(x, path, assay = "normalised"), "no assay \"normalised\"")
  expect_refused(write_h5mu(x, file.path(path, "no", "x.h5mu")), "folder that exists")
  expect_refused(write_h5mu(x, 5), "`path` must be one text")
  parts <- list(rna = list(X = cite_cells()$genes), prot = list(X = cite_cells()$adt))
  refused <- function(pattern, ..., modalities = parts) {
    expect_refused(write_h5mu(list(modalities = modalities, ...), path), pattern)
  }
  refused("has \"cells\"", cells = 1)
  refused("`x\\$modalities\\$rna` must be a list.*It is .*Write list\\(X = matrix\\)",
          modalities = list(rna = parts$rna$X))
  refused("no `modalities`", modalities = list())
  refused("Matrices in `modalities` must have names", modalities = unname(parts))
  refused("`x\\$modalities\\$rna` must be a list of `X`.*has \"x\"", modalities = list(rna = list(x = 1)))
  refused("\"rna\" have \"cell1\", which `x\\$obs` lacks", obs = cite_cells()$col_data[-1, ])
  refused("\"rna\" have \"cell1\", which `x\\$obs` lacks", obs = data.frame(k = 1:160))
  nameless <- parts
  nameless$prot$X <- unname(nameless$prot$X)
  refused("\"prot\" have no names", modalities = nameless)
  colnames(parts$prot$X)[2] <- "cell1"
  refused("\"prot\" have \"cell1\" more than once", modalities = parts)
  expect_identical(readBin(path, "raw", 1e6), before)
  expect_length(list.files(dirname(path), paste0(basename(path), ".")), 0)
})
