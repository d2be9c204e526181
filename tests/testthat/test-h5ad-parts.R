read_back <- function(x, ..., env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".h5ad", .local_envir = env)
  write_h5ad(x, path, ...)
  read_h5ad(path, as = "list")
}

test_that("columns of other classes become numbers or text, or are left out with a warning", {
  x <- toy_log(4)
  days <- as.Date("2024-02-28") + 0:3
  cells <- data.frame(day = days, wait = as.difftime(1:4, units = "mins"), id = I(letters[1:4]))
  cells$pairs <- as.list(1:4)
  cells$square <- matrix(0, 4, 2)
  expect_warning(file <- read_back(x, col_data = cells), "obs/pairs.*obs/square",
                 class = "compert_h5ad_warning")
  expect_identical(file$obs, data.frame(day = as.character(days), wait = 60 * (1:4),
                                        id = letters[1:4], row.names = colnames(x)))
})

test_that("text with NA becomes a factor, as anndata has no other place for it", {
  file <- read_back(toy_log(3), col_data = data.frame(drug = c("b", NA, "a")))
  expect_identical(file$obs$drug, factor(c("b", NA, "a"), levels = c("a", "b")))
})

test_that("levels that are NA become missing values", {
  drug <- addNA(factor(c("b", NA, "a")))
  expect_identical(read_back(toy_log(3), col_data = data.frame(drug = drug))$obs$drug,
                   factor(c("b", NA, "a")))
})

test_that("many levels, none, and none used keep their codes", {
  many <- factor(sprintf("l%03d", 1:300))
  x <- matrix(0, 2, 300)
  cells <- data.frame(many = many, one = factor(rep("a", 300), levels = c("a", "b")),
                      none = factor(rep(NA, 300), levels = character()))
  obs <- read_back(x, col_data = cells)$obs
  expect_identical(unname(as.list(obs)), unname(as.list(cells)))
})

test_that("numbers are stored in single precision only where nothing is lost", {
  exact <- matrix(c(0, 0.5, 16777216, -3, NaN, Inf), 2)
  expect_identical(unname(read_back(exact)$X), exact)
  fine <- matrix(c(0.1, 1e-300, 16777217, 1e300), 2)
  expect_identical(unname(read_back(fine)$X), fine)
  size <- function(x) {
    path <- withr::local_tempfile(fileext = ".h5ad")
    write_h5ad(x, path)
    file.size(path)
  }
  noise <- withr::with_seed(1, matrix(sample(2^20, 4e4, TRUE) / 2^20, 200))
  expect_lt(size(noise), size(noise / 3))
})

test_that("lists go to uns as far as the format goes; the rest is named", {
  uns <- list(a = NULL, f = sum, k = 1:3, flag = NA, none = character(), "no name",
              "x/y" = 1, deep = list(g = quote(x), s = as_sparse(toy_counts(3))))
  uns["a"] <- list(NULL)
  text <- NULL
  file <- withCallingHandlers(
    read_back(list(X = toy_log(3), uns = uns)),
    compert_h5ad_warning = function(w) {
      text <<- gsub("\\s+", " ", conditionMessage(w))
      invokeRestart("muffleWarning")
    }
  )
  for (part in c("uns/a: a value of class NULL", "uns/f: a value of class function",
                 "uns/x/y: names of uns", "uns/deep/g: a value of class name")) {
    expect_match(text, part, fixed = TRUE)
  }
  expect_setequal(names(file$uns), c("k", "flag", "none", "deep"))
  expect_identical(file$uns$k, 1:3)
  expect_identical(file$uns$flag, NA)
  expect_identical(file$uns$none, character())
  expect_identical(unname(as.matrix(file$uns$deep$s)), unname(toy_counts(3)))
})

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

test_that("layers of other genes are named as left out", {
  skip_without_package("SeuratObject")
  x <- SeuratObject::CreateSeuratObject(as_sparse(toy_counts(8)), meta.data = toy_cells(8))
  x <- SeuratObject::SetAssayData(x, "data", new.data = as_sparse(toy_log(8)))
  x <- SeuratObject::SetAssayData(x, "scale.data", new.data = toy_log(8)[1:3, ])
  expect_warning(file <- read_back(x), "scale.data: a layer of 3 of the 12 genes")
  expect_named(file$layers, "counts")
})
