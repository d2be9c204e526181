test_that("half of the cells of every condition are drawn by the seed", {
  of_cell <- rep(c(1L, 2L, NA, 3L), c(10, 7, 4, 1))
  half <- half_of_cells(of_cell, 4L, 1)
  expect_identical(half, half_of_cells(of_cell, 4L, 1))
  expect_identical(half[!is.na(half)], of_cell[!is.na(half)])
  expect_identical(tabulate(half, 4)[c(1, 4)], c(5L, 0L))
  sizes <- vapply(1:40, function(seed) tabulate(half_of_cells(of_cell, 4L, seed), 3), integer(3))
  expect_identical(unique(sizes[1, ]), 5L)
  expect_setequal(sizes[2, ], c(3L, 4L))
  drawn <- rowMeans(vapply(1:200, function(seed) !is.na(half_of_cells(of_cell, 4L, seed)), logical(22)))
  expect_true(all(abs(drawn[1:10] - 0.5) < 0.15))
  expect_identical(unique(drawn[18:21]), 0)
})

test_that("the ceiling is the score of the expected values", {
  n <- 30L
  effect <- seq(-1, 1, length.out = 40)
  gap <- withr::with_seed(3, vapply(1:60, function(i) {
    x <- matrix(stats::rnorm(40 * n, effect), 40)
    options <- list(limit = Inf, clamp_negative = FALSE)
    score <- function(m) {
      truth <- group_statistics(x, rep(0L, n), 1L, 1L)
      score_method(truth, m, list(mean = matrix(0, 40, 1)), list(1:40), options)
    }
    half <- score_draws(ceiling_method(x, rep(1L, n), 1L, 1L, i), score)
    known <- score(list(mean = cbind(effect), variance = matrix(1, 40, 1)))
    unlist((half - known)[c("r2_mean", "r2_lfc_deg", "pearson_delta")])
  }, numeric(3)))
  expect_true(all(abs(rowMeans(gap)) < 0.003))
})

test_that("a half's statistics are those of its cells, and a lone cell has none", {
  x <- matrix(as.double(1:24), 3)
  of_cell <- rep(c(1L, 2L, NA), c(6, 1, 1))
  ceiling <- ceiling_method(x, of_cell, 2L, 1L, 5, scale = function(m) 2 * m)
  half <- which(half_of_cells(of_cell, 2L, 5 + 1) == 1L)
  drawn <- ceiling$draw(2)
  expect_equal(drawn$mean[, 1], 2 * rowMeans(x[, half]))
  expect_equal(drawn$variance[, 1], 2 * apply(x[, half], 1, var))
  expect_true(all(is.na(drawn$mean[, 2])))
  expect_identical(is.na(ceiling$note), c(TRUE, FALSE))
  expect_match(ceiling$note[2], "fewer than two measured cells")
  last <- .Machine$integer.max
  half <- which(half_of_cells(of_cell, 2L, last + 1) == 1L)
  expect_equal(ceiling_method(x, of_cell, 2L, 1L, last)$draw(2)$mean[, 1], rowMeans(x[, half]))
})

test_that("scores have the ceiling where it is asked for, and pictures and comparisons too", {
  cells <- small_cells()
  score <- function(x = cells$x, ..., seed = 1) {
    evaluate_r2(small_fit(), x, baselines = c("ceiling", "control"), col_data = cells$col_data, seed = seed, ...)
  }
  scores <- score()
  row <- scores[scores$method == "ceiling", ]
  expect_identical(unique(scores$method), c("model", setdiff(unique(scores$method), c("model", "ceiling", "control")),
                                            "ceiling", "control"))
  expect_true(all(unlist(row[metric_names[1:5]]) < 1) && all(row$r2_mean > 0.5) && all(is.na(row$note)))
  expect_equal(row, score()[scores$method == "ceiling", ])
  other <- score(seed = 99)
  expect_false(isTRUE(all.equal(row$r2_mean, other$r2_mean[other$method == "ceiling"])))
  expect_output(print(scores), "the model is below the ceiling in r2 of the means of DEGs")
  expect_no_match(paste(capture.output(print(scores)), collapse = " "), "ceiling baseline")
  expect_s3_class(compare_r2(a = scores, baselines = "ceiling"), "compert_comparison")
  effects <- evaluate_effects(small_fit(), cells$x, baselines = "ceiling", col_data = cells$col_data, seed = 1)
  expect_true(all(effects$sign_deg[effects$method == "ceiling"] > 0.5))
  expect_refused(baseline_fit(cells$x, "condition", control = "control", method = "ceiling",
                              col_data = cells$col_data), "`method` must be")
})

test_that("cells that stay in their file have the same ceiling", {
  cells <- small_cells()
  file <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(cells$x, file, col_data = cells$col_data)
  ceiling_of <- function(...) {
    scores <- evaluate_r2(small_fit(), ..., baselines = "ceiling", split = "ood", seed = 4)
    unclass_scores(scores)[scores$method == "ceiling", metric_names]
  }
  withr::local_options(compert.in_memory = 0)
  expect_message(stored <- ceiling_of(file), class = "compert_stored")
  expect_equal(stored, ceiling_of(cells$x, col_data = cells$col_data), tolerance = 1e-6)
})

test_that("proteins have a ceiling of the cells that have them", {
  cells <- cite_cells()
  gaps <- cite_rows(with_gaps(cells$adt))
  score <- function(scale) {
    scores <- evaluate_r2(multi_fit(gaps, fusion = "poe"), gaps, baselines = "ceiling", split = "ood", scale = scale,
                          col_data = cells$col_data, seed = 1)
    scores[scores$method == "ceiling", ]
  }
  raw <- score("model")
  at <- which(cells$col_data$split == "ood" & !is.na(colSums(with_gaps(cells$adt))))
  adt <- cells$adt[, at]
  marks <- replace(rep(NA_integer_, ncol(gaps)), at, 1L)
  by_hand <- vapply(seq_len(n_halvings), function(k) {
    half <- !is.na(half_of_cells(marks, 1L, k))[at]
    safe_r2(rowMeans(adt), rowMeans(adt[, half]))
  }, 0)
  expect_equal(raw$r2_mean_protein, mean(by_hand))
  expect_lt(raw$r2_var_protein, 1)
  expect_false(isTRUE(all.equal(score("log")$r2_mean_protein, raw$r2_mean_protein)))
})
