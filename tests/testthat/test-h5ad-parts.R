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

test_that("layers of other genes are named as left out", {
  skip_without_package("SeuratObject")
  x <- SeuratObject::CreateSeuratObject(as_sparse(toy_counts(8)), meta.data = toy_cells(8))
  x <- SeuratObject::SetAssayData(x, "data", new.data = as_sparse(toy_log(8)))
  x <- SeuratObject::SetAssayData(x, "scale.data", new.data = toy_log(8)[1:3, ])
  expect_warning(file <- read_back(x), "scale.data: a layer of 3 of the 12 genes")
  expect_named(file$layers, "counts")
})
