test_that("a sample keeps the shares of the groups, two of each at least", {
  group <- rep(c("a", "b", "c", "d"), c(500, 300, 198, 2))
  cells <- sample_strata(group, 100, seed = 3)
  expect_identical(c(table(group[cells])), c(a = 49L, b = 30L, c = 19L, d = 2L))
  expect_false(is.unsorted(cells))
  expect_identical(cells, sample_strata(group, 100, seed = 3))
  expect_false(identical(cells, sample_strata(group, 100, seed = 4)))
  expect_identical(sample_strata(group, 1000, seed = 3), 1:1000)
  odd <- rep(letters[1:7], c(1, 1, 3, 50, 50, 50, 1))
  for (n in c(12, 13, 30, 111)) expect_length(sample_strata(odd, n, seed = 1), n)
  expect_refused(sample_strata(group, 7, seed = 3), "two cells of every condition.*need 8")
  expect_refused(sample_strata(group, 1.5, seed = 3), "`sample_cells` must be one whole number")
})

test_that("hashes see values, not how R keeps them", {
  expect_identical(plain_hash(1:3), plain_hash(c(1, 2, 3)))
  expect_identical(plain_hash(as.character(1:2)), plain_hash(c("1", "2")))
  expect_identical(plain_hash(list(a = 1:3)), plain_hash(list(a = c(1L, 2L, 3L))))
  expect_false(plain_hash(list(a = 1)) == plain_hash(list(b = 1)))
  expect_false(plain_hash(c(a = 1)) == plain_hash(c(b = 1)))
})

test_that("the hash of the cells changes with values, labels and split", {
  cells <- small_cells()
  keys <- new_keys("condition", covariates = "cell_type", control = "control", split = "split")
  hash <- function(x = cells$x, col_data = cells$col_data, molecules = NULL) {
    hash_task(new_task(x, keys, col_data, quick_settings(), read_molecules(molecules),
                       rlang::current_env()))
  }
  other <- cells$x
  other@x[5] <- other@x[5] + 1e-9
  named <- cells$col_data
  named$cell_type[1] <- "NK"
  expect_identical(hash(), hash())
  features <- function(value) hash(molecules = rbind(IFNb = value))
  expect_identical(anyDuplicated(c(hash(), hash(other), hash(col_data = named), features(1),
                                   features(2))), 0L)
})

test_that("every container is sampled alike", {
  skip_without_package("SummarizedExperiment", "SingleCellExperiment", "SeuratObject")
  cells <- small_cells()
  keys <- new_keys("condition", covariates = "cell_type", control = "control", split = "split")
  sampled <- function(x, col_data = NULL) {
    made <- tuning_cells(x, keys, col_data, quick_settings(), 120, 9)
    expect_identical(ncol(made$task$screen$x), 120L)
    colnames(made$task$screen$x)
  }
  names <- sampled(cells$x, cells$col_data)
  expect_identical(sampled(as.matrix(cells$x), cells$col_data), names)
  expect_identical(sampled(small_sce()), names)
  expect_identical(sampled(small_seurat()), names)
  file <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(small_sce(), file)
  expect_identical(sampled(file), names)
})

test_that("without test cells there is nothing to compare", {
  cells <- small_cells()
  cells$col_data$split[cells$col_data$split == "test"] <- "train"
  expect_refused(small_search(col_data = cells$col_data), "must have test cells.*split_cells.*20 cells and more; smaller ones need a `split`")
  expect_refused(suppressWarnings(small_search(split = NULL, sample_cells = 20)),
                 "Raise `sample_cells`")
})

test_that("other processes read the cells from a file, once", {
  dir <- withr::local_tempdir()
  cells <- list(x = small_cells()$x, col_data = small_cells()$col_data)
  shared <- share_data(cells, file.path(dir, "cells.rds"))
  expect_identical(trial_data(shared), cells)
  unlink(shared)
  expect_identical(trial_data(shared), cells)
  path <- list(x = "cells.h5ad")
  expect_identical(share_data(path, file.path(dir, "none")), path)
  expect_identical(list.files(dir), character())
  forget_trial_data()
  expect_identical(ls(tuning_cache), character())
  expect_refused(share_data(cells, file.path(dir, "none", "cells.rds")), "`dir` must have room for the cells")
})
