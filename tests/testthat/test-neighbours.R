# Purity and mixing of neighbourhoods against the plain formulas in R.

cloud <- function(n, dim, seed) withr::with_seed(seed, matrix(stats::rnorm(n * dim), n, dim))

# Row i: the k nearest others of cell i, in R.
nearest <- function(z, k) {
  d <- as.matrix(stats::dist(z))
  diag(d) <- Inf
  t(apply(d, 1, function(row) order(row)[seq_len(min(k, nrow(z) - 1))]))
}

plain_purity <- function(z, labels, k) {
  share <- rowMeans(matrix(labels[nearest(z, k)], nrow(z)) == labels)
  tapply(share, labels, mean)
}

plain_mixing <- function(z, batch, k) {
  near <- matrix(batch[nearest(z, k)], nrow(z))
  p <- vapply(unique(batch), function(b) rowMeans(near == b), numeric(nrow(z)))
  mean(rowSums(ifelse(p > 0, -p * log(p), 0)) / log(ncol(p)))
}

test_that("purity and mixing equal the plain formulas", {
  z <- cloud(150, 6, 1)
  labels <- rep_len(c("a", "b", "b", "c", "a"), 150)
  for (k in c(1, 8, 30)) {
    expect_equal(knn_purity(z, labels, k), mean(plain_purity(z, labels, k)), tolerance = 1e-12)
    expect_equal(batch_mixing(z, labels, k, pools = 1), plain_mixing(z, labels, k),
                 tolerance = 1e-12)
  }
})

test_that("the table of labels has sizes, purities and what chance gives", {
  z <- cloud(90, 3, 2)
  labels <- factor(rep(c("x", "y"), c(30, 60)), levels = c("y", "gone", "x"))
  table <- knn_purity(z, labels, 10, by_label = TRUE)
  expect_identical(names(table), c("label", "cells", "purity", "chance"))
  expect_s3_class(table, "tbl_df")
  expect_identical(table$label, c("y", "x"))
  expect_identical(table$cells, c(60L, 30L))
  expect_equal(table$purity, as.vector(plain_purity(z, as.character(labels), 10)[c("y", "x")]))
  expect_equal(table$chance, c(59, 29) / 89)
  expect_equal(mean(table$purity), knn_purity(z, labels, 10))
})

test_that("labels may be text, factors or numbers", {
  z <- cloud(40, 2, 3)
  labels <- rep(c("b", "a"), 20)
  expect_identical(knn_purity(z, factor(labels, c("b", "a"))), knn_purity(z, labels))
  expect_identical(knn_purity(z, rep(c(2.5, -1), 20)), knn_purity(z, labels))
  whole <- round(z * 10)
  storage.mode(whole) <- "integer"
  expect_identical(knn_purity(whole, labels, 5), knn_purity(whole + 0, labels, 5))
})

test_that("what lies apart scores 1 and 0; more neighbours than cells are all cells", {
  z <- rbind(cloud(30, 4, 4), cloud(30, 4, 5) + 100)
  side <- rep(c("left", "right"), each = 30)
  expect_identical(knn_purity(z, side, 20), 1)
  expect_identical(batch_mixing(z, side, 20), 0)
  expect_equal(knn_purity(z, side, 1e6), 29 / 59)
  expect_identical(knn_purity(z, side, 1e6), knn_purity(z, side, 59))
  expect_identical(knn_purity(z, rep("one", 60)), 1)
})

test_that("cells that coincide are neighbours, and none is its own", {
  z <- matrix(c(0, 0, 10, 10))
  expect_identical(knn_purity(z, c("a", "b", "a", "b"), 1), 0)
  expect_identical(batch_mixing(z, c("a", "b", "a", "b"), 1), 0)
})

test_that("the seed rules the pools; one pool has no draws", {
  z <- cloud(200, 2, 6)
  batch <- rep(c("r1", "r2"), 100)
  expect_identical(batch_mixing(z, batch, 7), batch_mixing(z, batch, 7, seed = 0))
  expect_false(batch_mixing(z, batch, 7, seed = 1) == batch_mixing(z, batch, 7, seed = 2))
  expect_identical(batch_mixing(z, batch, 7, pools = 1, seed = 1),
                   batch_mixing(z, batch, 7, pools = 1, cells = 3, seed = 2))
  expect_equal(batch_mixing(z, batch, 7, pools = 2000), batch_mixing(z, batch, 7, pools = 1),
               tolerance = 0.01)
  drawn <- function(seed) withr::with_seed(seed, batch_mixing(z, batch, 7, seed = NULL))
  expect_identical(drawn(1), drawn(1))
  expect_false(drawn(1) == drawn(2))
  before <- withr::with_seed(1, stats::runif(1))
  expect_identical(withr::with_seed(1, {
    batch_mixing(z, batch, 7)
    stats::runif(1)
  }), before)
})

test_that("real cells: types keep apart in expression and in the basal state of a fit", {
  cells <- small_cells()
  type <- cells$col_data$cell_type
  x <- t(as.matrix(cells$x))
  expect_gt(knn_purity(x, type, 10), 0.8)
  expect_lt(batch_mixing(x, type, 10), 0.4)
  z <- cell_embedding(small_fit(), cells$x, "basal", col_data = cells$col_data)
  score <- knn_purity(z, type, 10)
  expect_gte(score, 0)
  expect_lte(score, 1)
  expect_equal(score, mean(plain_purity(z, type, 10)), tolerance = 1e-12)
})

test_that("wrong questions are refused in three parts", {
  z <- cloud(12, 3, 7)
  side <- rep(c("a", "b"), 6)
  expect_refused(knn_purity(list(1), side), "`embedding` must be a numeric matrix.*`cell_embedding")
  expect_refused(knn_purity(as.data.frame(z), side), "class `data.frame`")
  expect_refused(knn_purity(z[1, , drop = FALSE], "a"), "at least 2 rows.*It is 1 x 3")
  expect_refused(batch_mixing(z[, 0], side), "It is 12 x 0")
  expect_refused(knn_purity(replace(z, 17, NA), side), "finite.*1 of 12 rows.*row 5")
  expect_refused(knn_purity(replace(z, 2, Inf), side), "finite.*row 2")
  expect_refused(knn_purity(z, side[-1]), "`labels` must have one value per row.*length 11, for 12")
  expect_refused(knn_purity(t(z), side), "write `t\\(embedding\\)`")
  expect_refused(knn_purity(z, list("a")), "`labels` must have one value per row")
  expect_refused(batch_mixing(z, replace(side, 4, NA)), "`batch` must not have missing.*row 4")
  expect_refused(batch_mixing(z, rep("r1", 12)), "at least two batches.*All 12 cells are of \"r1\"")
  expect_refused(batch_mixing(z, factor(rep("r1", 12), c("r1", "r2"))), "at least two batches")
  expect_refused(knn_purity(z, side, 0), "`k` must be one whole number")
  expect_refused(knn_purity(z, side, 2.5), "`k` must be one whole number")
  expect_refused(batch_mixing(z, side, 0), "`k` must be one whole number")
  expect_refused(batch_mixing(z, side, pools = 0), "`pools` must be")
  expect_refused(batch_mixing(z, side, cells = -1), "`cells` must be")
  expect_refused(batch_mixing(z, side, seed = -1), "`seed` must be")
  expect_refused(knn_purity(z, side, by_label = NA), "`by_label` must be")
  expect_refused(batch_mixing(z, side, 5, 20), "by name")
})

test_that("named labels are matched with named rows; unknown names are refused", {
  z <- cloud(6, 2, 8)
  rownames(z) <- paste0("c", 1:6)
  labels <- stats::setNames(rep(c("a", "b"), 3), rownames(z))
  expect_identical(knn_purity(z, labels, 2), knn_purity(z, unname(labels), 2))
  labels[2] <- "a"
  expect_identical(knn_purity(z, rev(labels), 2), knn_purity(z, unname(labels), 2))
  expect_false(knn_purity(z, unname(rev(labels)), 2) == knn_purity(z, unname(labels), 2))
  expect_identical(knn_purity(unname(z), rev(labels), 2), knn_purity(z, unname(rev(labels)), 2))
  names(labels)[3] <- "d3"
  expect_refused(knn_purity(z, labels, 2),
                 "value for the name of every row.*none for \"c3\".*`unname\\(labels\\)`")
  names(labels)[3] <- "c1"
  expect_refused(knn_purity(z, labels, 2), "none for \"c3\".*\"c1\" is there twice")
  labels <- unname(labels)
  labels[5] <- ""
  expect_refused(knn_purity(z, labels, 2), "missing values.*It has 1, the first for row 5")
})

test_that("the core refuses what the checks let through", {
  z <- t(cloud(5, 2, 9))
  fails <- function(expr, text) expect_error(expr, text, class = "compert::Error")
  fails(core_knn_purity(z, 1:4, 2L), "one value per point")
  fails(core_knn_purity(z, 1:5, 0L), "`k` must be at least 1")
  fails(core_knn_purity(as.data.frame(z), 1:5, 2L), "`embedding` must be")
  fails(core_batch_mixing(z, rep(1L, 5), 2L, 1L, 1L, 0L), "at least two different values")
  fails(core_batch_mixing(z, 1:5, 2L, 0L, 1L, 0L), "`pools`")
  fails(core_batch_mixing(z, 1:5, 2L, 1L, 1L, -1L), "`seed`")
})

test_that("a time limit that passes in a long loop is an error, which can be caught", {
  x <- withr::with_seed(1, matrix(stats::rnorm(20 * 20000), 20000))
  said <- tryCatch({
    setTimeLimit(elapsed = 0.05, transient = TRUE)
    knn_purity(x, rep(c("a", "b"), 10000))
    "it went on"
  }, error = conditionMessage, finally = setTimeLimit())
  expect_match(said, "time limit")
})

test_that("named labels may be of more than the rows", {
  x <- matrix(c(0, 0.1, 5, 5.1), 4, 1, dimnames = list(c("d", "b", "a", "c"), NULL))
  all <- c(a = "u", z = "v", z = "w", b = "t", c = "u", d = "t")
  expect_identical(check_labels(all, x, "labels"), factor(c("t", "t", "u", "u")))
  expect_refused(check_labels(c(all, a = "v"), x, "labels"), "one value for the name of every row.*\"a\" is there twice")
  expect_refused(check_labels(all[-6], x, "labels"), "It has none for \"d\"")
  expect_refused(check_labels(unname(all), x, "labels"), "one value per row")
})
