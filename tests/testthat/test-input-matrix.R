test_that("all matrix classes give the same screen", {
  dense <- toy_log()
  sparse <- methods::as(methods::as(methods::as(dense, "dMatrix"), "generalMatrix"),
                        "CsparseMatrix")
  expect_identical(toy_screen()$x, dense)
  expect_identical(toy_screen(x = sparse)$x, sparse)
  for (class in c("TsparseMatrix", "RsparseMatrix")) {
    expect_identical(toy_screen(x = methods::as(sparse, class))$x, sparse)
  }
  expect_identical(as_sparse(dense), sparse)
  packed <- Matrix::Matrix(dense, sparse = FALSE)
  expect_identical(toy_screen(x = packed)$x, dense)
  whole <- toy_counts()
  storage.mode(whole) <- "integer"
  expect_identical(toy_screen(x = whole)$x, toy_counts())
})

test_that("rows of col_data are matched by name where both have names", {
  cells <- toy_cells()
  shuffled <- cells[60:1, ]
  expect_identical(toy_screen(cells = shuffled)$parts, toy_screen()$parts)
  plain <- cells
  rownames(plain) <- NULL
  expect_identical(toy_screen(cells = plain, x = toy_log())$parts, toy_screen()$parts)
  strange <- cells
  rownames(strange)[2] <- "other"
  expect_refused(toy_screen(cells = strange, x = toy_log()), "\"other\" is no column of `x`")
})

test_that("cells without names are numbered, genes without names are refused", {
  x <- toy_log()
  colnames(x) <- NULL
  expect_identical(colnames(toy_screen(x = x)$x)[60], "cell60")
  rownames(x) <- NULL
  expect_refused(toy_screen(x = x), "genes' names as row names")
})

test_that("the first value that is wrong is found where it is", {
  x <- toy_log()
  x[3, 7] <- NaN
  for (one in list(x, as_sparse(x))) {
    values <- inspect_values(one)
    expect_identical(values$n_bad, 1L)
    expect_identical(values$bad_at, list(gene = "gene3", cell = "cell7"))
  }
  x[3, 7] <- -2.5
  for (one in list(x, as_sparse(x))) {
    expect_identical(inspect_values(one)$negative_at, list(gene = "gene3", cell = "cell7"))
  }
})

test_that("counts, logarithms and other scales are told apart", {
  scale <- function(x) value_scale(inspect_values(x))
  expect_identical(scale(toy_counts()), "counts")
  expect_identical(scale(as_sparse(toy_counts())), "counts")
  expect_identical(scale(toy_log()), "log")
  expect_identical(scale(toy_log() - 1), "other")
  expect_identical(scale(toy_log() * 1000), "other")
  expect_identical(scale(toy_counts() * 0), NA_character_)
})

test_that("values are looked over as R would do it, wherever the odd ones are", {
  look <- function(v) {
    good <- v[is.finite(v)]
    list(min = c(sort(good), NA)[1], max = rev(c(NA, sort(good)))[1], n_bad = sum(!is.finite(v)),
         bad = which(!is.finite(v))[1] + 0, n_negative = sum(v < 0, na.rm = TRUE),
         negative = which(v < 0)[1] + 0, fraction = which(is.finite(v) & v != trunc(v))[1] + 0)
  }
  expect_identical(core_look_over(numeric()), look(numeric()))
  for (n in 1:9) {
    expect_identical(core_look_over(n:1 + 0), look(n:1 + 0))
    for (odd in list(NaN, NA_real_, Inf, -Inf, -3, 0.5, -0.5, 2^60, 2^52 + 0.5, 1e300)) {
      for (at in seq_len(n)) {
        v <- replace(seq_len(n) + 0, at, odd)
        expect_identical(core_look_over(v), look(v))
      }
    }
  }
  mixed <- c(2, -Inf, 0.25, -1, NaN, 7)
  expect_identical(core_look_over(mixed), look(mixed))
})

test_that("columns and rows of a sparse matrix are those that `[` takes", {
  x <- as_sparse(toy_counts())
  for (some in list(c(3L, 8L, 60L), 60:1, c(2L, 2L))) {
    expect_identical(pick_columns(x, some), x[, some, drop = FALSE])
    expect_true(methods::validObject(pick_columns(x, some)))
  }
  # Whether no columns have names differs between versions of Matrix.
  expect_identical(dim(pick_columns(x, integer())), c(nrow(x), 0L))
  expect_true(methods::validObject(pick_columns(x, integer())))
  expect_identical(pick_columns(toy_counts(), 4:2), toy_counts()[, 4:2])
  for (rows in list(4L, c(9L, 2L, 5L), seq_len(nrow(x)))) {
    parts <- split_rows(x, rows)
    expect_identical(parts$dense, as.matrix(x[rows, , drop = FALSE]))
    expect_identical(dim(parts$others), dim(x[-rows, , drop = FALSE]))
    if (nrow(parts$others) > 0) expect_identical(parts$others, x[-rows, , drop = FALSE])
  }
  expect_identical(split_rows(toy_counts(), 3L)$others, toy_counts()[-3, ])
})

test_that("blocks of columns are bound in one piece", {
  x <- as_sparse(toy_counts())
  expect_identical(bind_columns(list(x[, 1:7], x[, 8, drop = FALSE], x[, 9:60])), x)
})

test_that("empty cells and genes are found, stored zeros notwithstanding", {
  x <- toy_counts()
  x[4, ] <- 0
  x[, 9] <- 0
  sparse <- as_sparse(toy_counts())
  sparse@x[] <- as.vector(x)[as.vector(toy_counts()) != 0]
  expect_identical(lapply(core_empty_margins(x), unname), list(cells = 9L, genes = 4L))
  expect_identical(lapply(core_empty_margins(sparse), unname), list(cells = 9L, genes = 4L))
})
