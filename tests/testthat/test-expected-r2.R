expected <- function(fit = multi_fit(), x = cite_rows(), ..., n_draws = 30, seed = 1) {
  expected_r2(fit, x, ..., n_draws = n_draws, seed = seed, col_data = cite_cells()$col_data)
}

test_that("there is a row per part, and one result per seed", {
  found <- expected()
  expect_identical(found$part, c("genes", "DEGs", "proteins"))
  expect_named(found, c("part", "mean", "sd", "median", "n_draws", "n_conditions"))
  expect_identical(found$n_draws, rep(30L, 3))
  # Test cells: A, B and A+B in T, A and B in NK.
  expect_identical(found$n_conditions, rep(5L, 3))
  expect_true(all(found$mean <= 1) && all(found$sd > 0))
  expect_identical(found, expected())
  expect_false(identical(found, expected(seed = 2)))
  withr::with_seed(9, {
    before <- .Random.seed
    expected()
    expect_identical(.Random.seed, before)
    drawn <- expected(seed = NULL)
  })
  expect_identical(withr::with_seed(9, expected(seed = NULL)), drawn)
  alone <- multi_fit(cite_cells()$genes, proteins = FALSE)
  rna <- expected(alone, cite_cells()$genes)
  expect_identical(rna$part, c("genes", "DEGs"))
  expect_equal(as.data.frame(rna[1, ]), as.data.frame(found[1, ]), tolerance = 1e-6)
  expect_identical(expected(split = "train")$n_conditions, rep(5L, 3))
  expect_identical(expected(split = "ood")$n_conditions, rep(1L, 3))
})

test_that("a draw compares some cells of a condition with all others of the split", {
  fit <- multi_fit()
  screen <- read_newdata(fit, cite_rows(), col_data = cite_cells()$col_data)
  table <- cite_cells()$col_data
  pool <- which(table$split == "test")
  cells <- which(table$split == "test" & table$drug == "A")[1:3]
  r2 <- function(x) {
    truth <- rowMeans(x[, cells])
    1 - sum((truth - rowMeans(x[, setdiff(pool, cells)]))^2) / sum((truth - mean(truth))^2)
  }
  x <- cite_cells()
  expect_equal(score_draw(screen, means_of(screen, pool), cells, 2:6, identity),
               c(r2(x$genes), r2(x$genes[2:6, ]), r2(x$adt)), tolerance = 1e-9)
  halves <- lapply(list(cells, setdiff(pool, cells)), function(i) unname(log1p(rowMeans(x$adt[, i]))))
  logs <- score_draw(screen, means_of(screen, pool), cells, 2:6, log1p)
  expect_equal(logs[3], core_r2(halves[[1]], halves[[2]]), tolerance = 1e-6)
  draws <- draws_of_cells(1, 200, list(`1` = 1:20, `2` = 21:22))
  size <- vapply(draws, function(d) length(d$cells), 1L)
  which <- vapply(draws, function(d) d$condition, 1)
  expect_setequal(which, 1:2)
  expect_true(all(size[which == 1] >= 2 & size[which == 1] <= 18))
  expect_true(all(size[which == 2] == 1))
  expect_true(all(vapply(draws, function(d) !anyDuplicated(d$cells), NA)))
})

test_that("values are on the scale of evaluate_r2(), or on that of the training", {
  original <- score_draw
  seen <- list()
  local_replaced("score_draw", function(screen, whole, cells, deg, to_scale) {
    seen[[length(seen) + 1L]] <<- list(x = screen$x, scaled = to_scale(3))
    original(screen, whole, cells, deg, to_scale)
  })
  logs <- expected(n_draws = 1)
  raw <- expected(n_draws = 1, scale = "model")
  expect_equal(seen[[1]]$x, log_values(read_newdata(multi_fit(), cite_rows(), col_data = cite_cells()$col_data)))
  expect_equal(as.matrix(seen[[2]]$x), cite_cells()$genes, ignore_attr = TRUE)
  expect_identical(c(seen[[1]]$scaled, seen[[2]]$scaled), c(log1p(3), 3))
  expect_false(any(logs$mean == raw$mean))
  expect_refused(expected(scale = "raw"), "`scale` must be")
})

test_that("splits go by the words of the column; every seed draws", {
  expect_identical(expected(split = "validation"), expected(split = "test"))
  expect_warning(drawn <- draws_of_cells(.Machine$integer.max, 30, list(`1` = 1:20)), NA)
  first <- vapply(drawn, function(d) identical(d$cells, seq_along(d$cells)), NA)
  expect_false(any(first))
})

test_that("cells without proteins count for genes only", {
  gaps <- cite_rows(with_gaps(cite_cells()$adt))
  fit <- multi_fit(gaps, fusion = "poe")
  found <- expected(fit, gaps)
  expect_identical(found$part, c("genes", "DEGs", "proteins"))
  expect_true(all(is.finite(found$mean)))
  expect_equal(as.data.frame(found[1, ]), as.data.frame(expected()[1, ]), tolerance = 1e-6)
})

test_that("wrong questions are refused", {
  expect_refused(expected(split = "dev"), "`split` must be some of")
  expect_refused(expected(split = c("test", "ood")), "`split` must be one split")
  expect_refused(expected(n_draws = 0), "`n_draws`")
  expect_refused(expected(n_degs = 1), "`n_degs`")
  expect_refused(expected(seed = -1), "`seed`")
  expect_refused(expected_r2(multi_fit()), "newdata")
  few <- cite_cells()$col_data
  few$split[few$split == "test" & few$drug != "control"] <- "train"
  expect_refused(expected_r2(multi_fit(), cite_rows(), col_data = few), "Split \"test\" has none")
  few$split <- NULL
  expect_refused(expected_r2(multi_fit(), cite_rows(), col_data = few), "split column")
})
