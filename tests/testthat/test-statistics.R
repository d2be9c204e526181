# The statistics of the core, through the glue, against R's own.

counts <- function(n_genes, n_cells, seed) {
  withr::with_seed(seed, {
    x <- matrix(rpois(n_genes * n_cells, 0.7), n_genes, n_cells)
    x[1, ] <- 0
    storage.mode(x) <- "double"
    dimnames(x) <- list(paste0("g", seq_len(n_genes)), paste0("c", seq_len(n_cells)))
    x
  })
}
sparse <- function(x) methods::as(Matrix::Matrix(x, sparse = TRUE), "generalMatrix")

test_that("group statistics equal rowMeans and the population variance", {
  x <- counts(8, 700, 1)
  group <- rep_len(c(0L, 2L, -1L), 700)
  out <- core_group_stats(x, group, 3L)
  expect_identical(out$n, c(sum(group == 0L), 0L, sum(group == 2L)))
  expect_identical(dim(out$mean), c(8L, 3L))
  for (k in c(0, 2)) {
    own <- x[, group == k]
    expect_equal(out$mean[, k + 1], unname(rowMeans(own)), tolerance = 1e-12)
    expect_equal(out$variance[, k + 1],
                 unname(rowMeans((own - rowMeans(own))^2)), tolerance = 1e-12)
  }
  expect_true(all(is.nan(out$mean[, 2])) && all(is.nan(out$variance[, 2])))
  expect_identical(out$mean[1, c(1, 3)], c(0, 0))
})

test_that("sparse and dense matrices give the same statistics to the bit", {
  x <- counts(30, 200, 2) * 0.25
  group <- rep_len(0:3, 200)
  expect_s4_class(sparse(x), "dgCMatrix")
  expect_identical(core_group_stats(sparse(x), group, 4L), core_group_stats(x, group, 4L))
  reference <- c(-1L, 0L, 0L, 0L)
  expect_identical(core_rank_degs(sparse(x), group, 4L, reference, 10L, TRUE),
                   core_rank_degs(x, group, 4L, reference, 10L, TRUE))
})

test_that("scores and p-values are those of t.test() and p.adjust()", {
  x <- counts(12, 40, 3)
  group <- rep(c(0L, 1L), c(15, 25))
  out <- core_rank_degs(x, group, 2L, c(-1L, 0L), 12L, TRUE)$groups
  expect_identical(out[[1]], list(genes = integer()))
  tests <- lapply(2:12, function(g) t.test(x[g, group == 1], x[g, group == 0]))
  t <- c(0, vapply(tests, function(one) unname(one$statistic), 0))
  p <- c(1, vapply(tests, function(one) one$p.value, 0))
  order <- order(-abs(t))
  expect_identical(out[[2]]$genes + 1L, order)
  expect_equal(out[[2]]$score, t[order], tolerance = 1e-10)
  expect_equal(out[[2]]$p_value, p[order], tolerance = 1e-10)
  expect_equal(out[[2]]$p_adjusted, p.adjust(p, "BH")[order], tolerance = 1e-10)
  expect_equal(out[[2]]$mean, unname(rowMeans(x[order, group == 1])))
  expect_equal(out[[2]]$mean_control, unname(rowMeans(x[order, group == 0])))
})

test_that("ties keep the order of the genes, and fewer genes than asked for are no error", {
  x <- counts(3, 20, 4)[c(2, 3, 2, 3, 2), ]
  group <- rep(0:1, 10)
  genes <- core_rank_degs(x, group, 2L, c(-1L, 0L), 99L)$groups[[2]]$genes
  expect_length(genes, 5)
  twins <- genes[genes %in% c(0L, 2L, 4L)]
  expect_identical(twins, c(0L, 2L, 4L))
  expect_identical(core_rank_degs(x, group, 2L, c(-1L, 0L), 2L)$groups[[2]]$genes, genes[1:2])
})

test_that("a group of one cell and a group without reference have no genes", {
  x <- counts(5, 9, 5)
  group <- c(0L, 0L, 0L, 1L, 2L, 2L, 2L, 2L, 2L)
  out <- core_rank_degs(x, group, 3L, c(-1L, 0L, -1L), 5L)
  expect_identical(lapply(out$groups, `[[`, "genes"), rep(list(integer()), 3))
  expect_identical(out$n, c(3L, 1L, 5L))
})

test_that("NaN spoils one gene and is ranked last", {
  x <- counts(4, 20, 6)
  x[3, 2] <- NaN
  out <- core_rank_degs(x, rep(0:1, 10), 2L, c(-1L, 0L), 4L, TRUE)$groups[[2]]
  last <- utils::tail(out$genes, 2)
  expect_setequal(last, c(0L, 2L))  # all zero, and spoilt: both score 0
  expect_identical(out$score[3:4], c(0, 0))
  expect_identical(out$p_value[match(c(0L, 2L), out$genes)], c(1, NA))
  expect_false(anyNA(out$p_value[1:2]))
})

test_that("wrong codes and wrong matrices are refused", {
  x <- counts(3, 4, 7)
  fails <- function(expr, text) expect_error(expr, text, class = "compert::Error")
  fails(core_group_stats(x, c(0L, 0L, 0L), 1L), "one code per cell")
  fails(core_group_stats(x, c(0L, 0L, 0L, 1L), 1L), "`group`")
  fails(core_group_stats(x, c(0L, 0L, 0L, NA), 1L), "`group`")
  fails(core_rank_degs(x, rep(0:1, 2), 2L, 0L, 5L), "one value per group")
  fails(core_rank_degs(x, rep(0:1, 2), 2L, c(0L, 7L), 5L), "`reference`")
  fails(core_group_stats(as.data.frame(x), rep(0L, 4), 1L), "data.frame")
  fails(core_group_stats(x > 0, rep(0L, 4), 1L), "dgCMatrix or a double matrix")
  broken <- sparse(x)
  broken@i <- broken@i + 7L
  fails(core_group_stats(broken, rep(0L, 4), 1L), "valid dgCMatrix")
  broken <- sparse(x)
  broken@p <- rev(broken@p)
  fails(core_group_stats(broken, rep(0L, 4), 1L), "valid dgCMatrix")
})

test_that("r2 is asymmetric, and a constant truth scores 1 or 0", {
  truth <- c(3, -0.5, 2, 7)
  guess <- c(2.5, 0, 2, 8)
  by_hand <- function(t, p) 1 - sum((t - p)^2) / sum((t - mean(t))^2)
  expect_equal(core_r2(truth, guess), by_hand(truth, guess))
  expect_equal(core_r2(guess, truth), by_hand(guess, truth))
  expect_identical(core_r2(c(0.1, 0.1, 0.1), c(0.1, 0.1, 0.1)), 1)
  expect_identical(core_r2(c(0.1, 0.1, 0.1), c(0.1, 0.1, 0.3)), 0)
  expect_true(is.na(core_r2(c(1, NA, 3), c(1, 2, 3))))
  expect_error(core_r2(1, 1), "two values", class = "compert::Error")
  expect_error(core_r2(1:3, 1:2), "one value per value", class = "compert::Error")
  expect_equal(core_pearson(truth, guess), cor(truth, guess))
})

test_that("log folds clamp negative means and count equal signs", {
  out <- core_log_fold(c(2, 1, 1), c(2, 1, -0.5), c(1, 0, 2))
  fold <- function(x) log2((pmax(x, 0) + 1e-5) / (c(1, 0, 2) + 1e-5))
  expect_equal(out[["r2"]], core_r2(fold(c(2, 1, 1)), fold(c(2, 1, 0))))
  expect_identical(out[["sign"]], 1)
})

test_that("distances between samples agree with their definitions, sparse and dense", {
  x <- counts(6, 25, 8)
  y <- counts(6, 19, 9) + 0.5
  between <- function(a, b) as.matrix(dist(rbind(t(a), t(b))))[seq_len(ncol(a)), ncol(a) +
                                                                seq_len(ncol(b))]
  alpha <- c(10^(-6:-1), 1, 5, 10, 15, 20, 25, 30, 35, 10^(2:6))
  kernel <- function(d) Reduce(`+`, lapply(alpha, function(a) exp(-d^2 / (2 * a))))
  v <- function(f) {
    list(xx = mean(f(between(x, x))), yy = mean(f(between(y, y))), xy = mean(f(between(x, y))))
  }
  k <- v(kernel)
  d <- v(identity)
  expect_equal(core_mmd(x, y), k$xx + k$yy - 2 * k$xy, tolerance = 1e-10)
  expect_equal(core_energy(x, y), 2 * d$xy - d$xx - d$yy, tolerance = 1e-10)
  expect_identical(core_mmd(sparse(x), y), core_mmd(x, y))
  expect_identical(core_energy(x, sparse(y)), core_energy(x, y))
  # equal numbers of cells: the distance is the mean difference of sorted values
  z <- counts(6, 25, 10)
  by_gene <- vapply(1:6, function(g) mean(abs(sort(x[g, ]) - sort(z[g, ]))), 0)
  expect_equal(core_wasserstein(x, z), mean(by_gene), tolerance = 1e-12)
  expect_identical(core_wasserstein(sparse(x), sparse(z)), core_wasserstein(x, z))
  expect_error(core_mmd(x, y[1:3, ]), "same genes", class = "compert::Error")
  expect_error(core_energy(x, y[, 0]), "at least one cell", class = "compert::Error")
})
