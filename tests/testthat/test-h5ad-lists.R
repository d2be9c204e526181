back <- function(...) {
  path <- withr::local_tempfile(fileext = ".h5ad")
  x <- list(...)
  write_h5ad(x, path)
  read_h5ad(path, as = "list", raw = !is.null(x$raw))
}

test_that("names decide which gene and cell is whose in every part of a list", {
  x <- toy_log(8)
  pca <- matrix(rnorm(16), 8, dimnames = list(colnames(x), NULL))
  frame <- data.frame(k = 1:8, row.names = colnames(x))
  genes <- data.frame(id = 1:12, row.names = rownames(x))
  raw <- rbind(x, more = 1)
  file <- back(X = x, layers = list(b = x[12:1, 8:1]), obs = frame[8:1, , drop = FALSE],
               var = genes[12:1, , drop = FALSE], obsm = list(X_pca = pca[8:1, ], frame = frame[8:1, , drop = FALSE]),
               raw = list(X = raw[, 8:1], var = data.frame(id = 13:1, row.names = rev(rownames(raw)))))
  expect_identical(file$layers$b, x)
  expect_identical(file$obs, frame)
  expect_identical(file$var, genes)
  expect_identical(file$obsm, list(X_pca = pca, frame = frame))
  expect_identical(file$raw, list(X = raw, var = data.frame(id = 1:13, row.names = rownames(raw))))
})

test_that("where one part has no names, or only numbers, the order counts", {
  x <- toy_log(8)
  file <- back(X = x, layers = list(b = unname(x) + 1), obs = data.frame(k = 1:9)[-1, , drop = FALSE],
               obsm = list(frame = data.frame(k = 8:1)), raw = list(X = unname(x)))
  expect_identical(file$layers$b, x + 1)
  expect_identical(file$obs$k, 2:9)
  expect_identical(file$obsm$frame$k, 8:1)
  expect_identical(file$raw$X, structure(x, dimnames = list(as.character(1:12), colnames(x))))
  file <- back(X = x, raw = list(X = unname(x), var = data.frame(id = 1:12, row.names = letters[1:12])))
  expect_identical(rownames(file$raw$X), letters[1:12])
})

test_that("names that differ, and parts that are none, are refused", {
  x <- toy_log(8)
  strange <- x
  colnames(strange)[2] <- "stranger"
  path <- withr::local_tempfile(fileext = ".h5ad")
  refused <- function(pattern, ...) expect_refused(write_h5ad(list(...), path), pattern)
  refused("`x\\$layers\\$b` must have the cells of `x` as column names.*\"cell2\".*colnames", X = x,
          layers = list(b = strange))
  refused("`x\\$obsm\\$p` must have the cells of `x` as row names", X = x, obsm = list(p = t(strange)))
  refused("Its `layers` is .*, no list", X = x, layers = x)
  refused("Its `obsm` is .*, no list", X = x, obsm = data.frame(a = 1:8))
  refused("Its `raw` has no `X`", X = x, raw = list())
  refused("Its `uns` is `3`, no list", X = x, uns = 3)
  refused("must be a matrix", X = 1:3)
  refused("\"raw\" has 12 genes x 3 cells, not 12 x 8", X = x, raw = list(X = unname(x[, 1:3])))
  expect_false(file.exists(path))
})

test_that("what a file has no place or type for is left out, and named", {
  x <- toy_log(2)
  path <- withr::local_tempfile(fileext = ".h5ad")
  cells <- data.frame(a = 1:2)
  names(cells) <- NA
  parts <- list(X = x, obs = cells, obsm = list(text = matrix("a", 2, 1)), uns = list(. = 1, .. = 2, kept = 3))
  expect_warning(write_h5ad(parts, path), paste0("obsm/text: an array of type character.*uns/[.]: names.*",
                                                 "uns/[.][.]: names"), class = "compert_h5ad_warning")
  file <- read_h5ad(path, as = "list")
  expect_named(file$obs, "NA")
  expect_identical(file$uns, list(kept = 3))
})
