test_that("distances are those of the core, genes matched by name", {
  x <- toy_log(30)
  y <- toy_log(20) + 0.5
  expected <- c(mmd = core_mmd(x, y), wasserstein = core_wasserstein(x, y), energy = core_energy(x, y))
  expect_identical(distribution_distance(x, y), expected)
  expect_identical(distribution_distance(as_sparse(x), y[12:1, ]), expected)
  expect_identical(distribution_distance(unname(x), unname(y)), expected)
  expect_identical(distribution_distance(x, y, c("energy", "mmd")), expected[c("energy", "mmd")])
  genes <- c("gene7", "gene2")
  expect_identical(distribution_distance(x, y, genes = genes), distribution_distance(x[genes, ], y[genes, ]))
  expect_equal(distribution_distance(x, x), c(mmd = 0, wasserstein = 0, energy = 0))
  expect_equal(distribution_distance(x, x + 2, "wasserstein"), c(wasserstein = 2))
})

test_that("samples come in the containers that predict() answers in", {
  cells <- small_cells()
  what <- condition(condition = "IFNb", cell_type = "NK")
  draw <- function(newdata, ...) {
    predict(small_fit(), newdata, what, type = "sample", seed = 2, ...)
  }
  expected <- distribution_distance(draw(cells$x, col_data = cells$col_data), cells$x)
  sce <- small_sce()
  expect_equal(distribution_distance(draw(sce), sce), expected)
  SummarizedExperiment::assay(sce, "counts") <- cells$counts
  expect_equal(distribution_distance(draw(cells$x, col_data = cells$col_data), sce), expected)
  object <- small_seurat()
  expect_equal(distribution_distance(draw(object), object), expected)
})

test_that("draws of counts are compared with counts", {
  cells <- small_cells()
  what <- condition(condition = "IFNb", cell_type = "NK")
  fit <- small_fit(loss = "nb")
  draws <- predict(fit, cells$counts, what, type = "sample", seed = 2, col_data = cells$col_data)
  expected <- distribution_distance(draws, cells$counts, "energy")
  expect_refused(distribution_distance(cells$x, draws), "`x` holds logarithms, `y` counts")
  # Means of counts are no whole numbers; draws that were transformed are no counts.
  means <- predict(fit, cells$counts, what, residual = FALSE, col_data = cells$col_data)
  small <- rowSums(means > 20) == 0
  means <- structure(means[small, ], scale = attr(means, "scale"))
  expect_true(all(is.finite(distribution_distance(means, cells$counts[small, ]))))
  expect_refused(distribution_distance(means, cells$x[small, ]), "`x` holds counts, `y` logarithms")
  expect_true(all(is.finite(distribution_distance(log1p(draws), cells$x))))
  object <- small_seurat()
  expect_refused(distribution_distance(draws, object), "on one scale")
  object[["RNA"]] <- SeuratObject::SetAssayData(object[["RNA"]], "counts", cells$counts)
  expect_equal(distribution_distance(draws, object, "energy"), expected)
  sce <- small_sce()
  SummarizedExperiment::assay(sce, "counts") <- cells$counts
  from_sce <- predict(fit, sce, what, type = "sample", seed = 2)
  expect_equal(distribution_distance(from_sce, sce, "energy"), expected)
  expect_equal(distribution_distance(sce, from_sce, "energy"), expected)
  expect_equal(distribution_distance(sce, sce[, 1:9], "energy"),
               distribution_distance(cells$x, cells$x[, 1:9], "energy"))
  # Predictions by difference may be negative: their fit says what they are.
  for (newdata in list(cells$x, sce, object)) {
    below <- predict(small_fit(), newdata, what, residual = TRUE,
                     col_data = if (identical(newdata, cells$x)) cells$col_data)
    expect_refused(distribution_distance(below, cells$counts), "`x` holds logarithms, `y` counts")
  }
  SummarizedExperiment::assayNames(sce) <- c("one", "two")
  expect_refused(distribution_distance(draws, sce), "nothing of the usual names")
})

test_that("wrong questions are refused", {
  x <- toy_log(30)
  expect_refused(distribution_distance(x, x, "mean"), "`method` must be some of")
  expect_refused(distribution_distance(x, x[-3, ]), "`y` lacks \"gene3\".*intersect")
  expect_refused(distribution_distance(x, x, genes = "gene13"), "`x` lacks \"gene13\"")
  expect_refused(distribution_distance(unname(x), unname(x[-1, ])), "They have 12 and 11")
  expect_refused(distribution_distance(x, x[, 0]), "`y` must have cells.*0 cells")
  expect_refused(distribution_distance(replace(x, 5, NA), x), "`x` must have.*1 value")
  expect_refused(distribution_distance(toy_cells(), x), "must be a matrix")
})

test_that("a fit is no sample of cells", {
  expect_refused(distribution_distance(small_fit(), small_cells()$x), "must be cells.*One of them is a fit.*predict\\(fit")
})
