ask <- function(what = condition(condition = "IFNb", cell_type = "B"), ..., fit = small_fit()) {
  cells <- small_cells()
  predict(fit, cells$x, what, ..., col_data = cells$col_data)
}

about <- function(x) attr(x, "col_data")

test_that("a matrix comes back as a matrix with a column per control of the same covariates", {
  cells <- small_cells()
  answer <- ask()
  controls <- which(cells$col_data$condition == "control" & cells$col_data$cell_type == "B")
  expect_identical(dim(answer), c(nrow(cells$x), length(controls)))
  expect_identical(rownames(answer), rownames(cells$x))
  expect_identical(colnames(answer), colnames(cells$x)[controls])
  table <- about(answer)
  expect_identical(table$cpa_cell, colnames(cells$x)[controls])
  expect_identical(unique(table$cpa_source), "counterfactual")
  expect_identical(unique(table$cpa_condition), "IFNb")
  expect_identical(unique(table$seen), "drug new to covariate")
  expect_identical(table$cell_type, cells$col_data$cell_type[controls])
})

test_that("by difference keeps the cell, and changes nothing under the cell's own condition", {
  cells <- small_cells()
  own <- ask(condition(condition = "control", cell_type = "B"), residual = TRUE)
  expect_equal(unclass(own), as.matrix(cells$x[, colnames(own)]), tolerance = 1e-5,
               ignore_attr = TRUE)
  new <- ask(residual = TRUE)
  decoded <- ask(residual = FALSE)
  old <- ask(condition(condition = "control", cell_type = "B"), residual = FALSE)
  expect_equal(new - own, decoded - old, tolerance = 1e-4, ignore_attr = TRUE)
  expect_false(isTRUE(all.equal(unclass(new), unclass(decoded), check.attributes = FALSE)))
})

test_that("conditions come one after the other, with columns of their own", {
  two <- ask(condition(condition = c("IFNb", "control"), cell_type = "B"))
  one <- ask()
  n <- ncol(one)
  expect_identical(ncol(two), 2L * n)
  expect_equal(two[, seq_len(n)], one, tolerance = 1e-6, ignore_attr = TRUE)
  expect_identical(about(two)$cpa_condition, rep(c("IFNb", "control"), each = n))
  expect_identical(anyDuplicated(colnames(two)), 0L)
})

test_that("a covariate that is left out stays as it is in each cell", {
  every <- ask(condition(condition = "IFNb"))
  table <- about(every)
  expect_setequal(table$cell_type, c("B", "CD14+Mono", "NK"))
  expect_identical(table$cpa_cell_type, table$cell_type)
  nk <- ask(condition(condition = "IFNb", cell_type = "NK"))
  expect_equal(every[, table$cell_type == "NK"], nk, tolerance = 1e-5, ignore_attr = TRUE)
  expect_identical(table$seen, ifelse(table$cell_type == "B", "drug new to covariate",
                                      "condition"))
})

test_that("source takes all controls relabelled, or the cells that are named", {
  all <- ask(source = "all")
  expect_setequal(about(all)$cell_type, c("B", "CD14+Mono", "NK"))
  expect_identical(unique(about(all)$cpa_cell_type), "B")
  names <- colnames(all)[c(3, 1)]
  expect_equal(ask(source = names), all[, c(3, 1)], tolerance = 1e-6, ignore_attr = TRUE)
  cells <- small_cells()
  at <- match(names, colnames(cells$x))
  expect_identical(ask(source = at), ask(source = names))
  flag <- seq_len(ncol(cells$x)) %in% at
  expect_setequal(colnames(ask(source = flag)), names)
})

test_that("per condition is the average over cells", {
  cells <- ask(residual = FALSE, type = "mean")
  short <- ask(residual = FALSE, summarise = "condition")
  expect_equal(short[, 1], rowMeans(cells), tolerance = 1e-5)
  expect_identical(about(short)$n_cells, ncol(cells))
  variance <- ask(residual = FALSE, summarise = "condition", type = "variance")
  per_cell <- ask(residual = FALSE, type = "variance")
  spread <- rowMeans((cells - rowMeans(cells))^2)
  expect_equal(variance[, 1], rowMeans(per_cell) + spread, tolerance = 1e-4)
  by_difference <- ask(residual = TRUE)
  own <- reconstruct(small_fit(), small_cells()$x[, about(cells)$cpa_cell], type = "variance",
                     col_data = small_cells()$col_data[about(cells)$cpa_cell, ])
  change <- rowMeans(per_cell) - rowMeans(own)
  expect_equal(ask(residual = TRUE, summarise = "condition", type = "variance")[, 1],
               pmax(rowMeans((by_difference - rowMeans(by_difference))^2) + change, 0),
               tolerance = 1e-4)
})

test_that("draws are repeatable, follow set.seed(), and have the predicted mean", {
  draw <- function(...) ask(type = "sample", ...)
  expect_identical(draw(seed = 4), draw(seed = 4))
  expect_false(identical(draw(seed = 4), draw(seed = 5)))
  first <- withr::with_seed(1, draw())
  expect_identical(withr::with_seed(1, draw()), first)
  before <- withr::with_seed(1, {
    draw(seed = 4)
    runif(1)
  })
  expect_identical(before, withr::with_seed(1, runif(1)))
  undrawn <- withr::with_seed(1, {
    ask(type = "mean")
    ask(type = "variance", summarise = "condition")
    runif(1)
  })
  expect_identical(undrawn, withr::with_seed(1, runif(1)))
  expect_refused(ask(seed = "one"), "`seed` must be")
  many <- draw(n_samples = 50, seed = 1)
  expect_identical(ncol(many), 50L * ncol(ask()))
  expect_identical(about(many)$cpa_draw[1:50], 1:50)
  expect_true(all(many >= 0))
  differs <- small_fit()
  differs$meta$residual <- TRUE
  expect_identical(ask(type = "sample", seed = 4, fit = differs), draw(seed = 4))
  strong <- order(-rowMeans(ask(residual = FALSE)))[1:10]
  expect_equal(rowMeans(many)[strong], rowMeans(ask(residual = FALSE))[strong], tolerance = 0.1)
})

test_that("genes are matched by name and cells do not depend on each other", {
  cells <- small_cells()
  shuffled <- withr::with_seed(2, sample(nrow(cells$x)))
  fit <- small_fit()
  what <- condition(condition = "IFNb", cell_type = "B")
  expect_identical(predict(fit, cells$x[shuffled, ], what, col_data = cells$col_data), ask())
  b <- cells$col_data$cell_type == "B"
  expect_equal(predict(fit, cells$x[, b], what, col_data = cells$col_data[b, ]), ask(),
               tolerance = 1e-6)
  extra <- rbind(cells$x, extra_gene = 1)
  expect_identical(predict(fit, extra, what, col_data = cells$col_data), ask())
})

test_that("missing genes are an error with count and share, or 0 on demand", {
  cells <- small_cells()
  what <- condition(condition = "IFNb", cell_type = "B")
  lacking <- function(...) {
    predict(small_fit(), cells$x[-(1:6), ], what, col_data = cells$col_data, ...)
  }
  expect_error(lacking(), "6 of 120 genes \\(5 %\\)")
  zero <- cells$x
  zero[1:6, ] <- 0
  expect_equal(lacking(missing_genes = "zero"),
               predict(small_fit(), zero, what, col_data = cells$col_data), tolerance = 1e-6)
})

test_that("no condition is an error that names both questions", {
  expect_error(predict(small_fit(), small_cells()$x), "condition\\(.*reconstruct\\(fit, newdata\\)")
  expect_error(predict(small_fit()), "`newdata` must be given: a fit keeps no cells")
})

test_that("a counterfactual of the control condition is no reconstruction of treated cells", {
  cells <- small_cells()
  control <- ask(condition(condition = "control", cell_type = "B"), residual = FALSE,
                 summarise = "condition")
  again <- reconstruct(small_fit(), cells$x, col_data = cells$col_data)
  treated <- cells$col_data$condition == "IFNb" & cells$col_data$cell_type == "B"
  expect_false(isTRUE(all.equal(control[, 1], rowMeans(again[, treated]), tolerance = 1e-3)))
  expect_identical(unique(about(again)$cpa_source), "reconstruction")
})

test_that("unknown names, wrong types and empty sources are refused", {
  expect_error(ask(condition(condition = "IFNg")), "Did you mean \"IFNb\"")
  expect_error(ask(condition(condition = "IFNb", cell_type = "NKT")), "Did you mean \"NK\"")
  expect_error(ask(condition(condition = "IFNb", donor = "1")), "Covariates of a condition must be")
  expect_error(ask(type = "median"), "`type` must be one of")
  expect_error(ask(type = "sample", summarise = "condition"), "must go with `summarise = \"cell\"`")
  expect_error(ask(n_samples = 0), "`n_samples` must be")
  expect_refused(ask(n_samples = 3), "`n_samples` must be 1.*type` is \"mean\"")
  expect_refused(ask(n_samples = 3, type = "variance", summarise = "condition"), "must be 1")
  expect_refused(ask(type = "sample", n_samples = 2^30, source = 1:4), "fewer than 2\\^31 cells.*4294967296 were")
  expect_refused(ask(condition(condition = "IFNb")[0, ]), "must name at least one condition")
  expect_error(ask(type = "sample", residual = TRUE), "`residual` must not be TRUE for samples")
  expect_error(ask(residual = "yes"), "`residual` must be")
  expect_error(ask(source = "none"), "Not cells of `newdata`: \"none\"")
  expect_error(ask(source = 1e6), "`source` must be")
  expect_error(ask(source = replace(small_cells()$col_data$condition == "control", 1, NA)), "`source` must be")
  expect_error(ask(typ = "mean"), "There is no argument `typ`")
  cells <- small_cells()
  treated <- cells$col_data$condition == "IFNb"
  expect_error(
    predict(small_fit(), cells$x[, treated], condition(condition = "IFNb"),
            col_data = cells$col_data[treated, ]),
    "must hold control cells"
  )
  nk <- cells$col_data$cell_type == "NK"
  expect_error(
    predict(small_fit(), cells$x[, nk], condition(condition = "IFNb", cell_type = "B"),
            col_data = cells$col_data[nk, ]),
    "There is none for \"B\""
  )
})

test_that("a dose outside the trained range warns once, with the range", {
  expect_warning(ask(condition(condition = "IFNb", dose = 3)), class = "compert_extrapolation",
                 regexp = "\"IFNb\" at dose 3: trained on 1$")
  expect_warning(ask(condition(condition = "IFNb", dose = 2:9)), class = "compert_extrapolation",
                 regexp = "\"IFNb\" at dose 2, 3, 4, 5, 6, 7 and 2 more: trained on 1$")
  expect_no_warning(ask())
})

test_that("neither newdata nor the fit is changed", {
  cells <- small_cells()
  fit <- small_fit()
  hash <- rlang::hash(list(cells, fit$state))
  predict(fit, cells$x, condition(condition = "IFNb"), col_data = cells$col_data)
  expect_identical(rlang::hash(list(cells, fit$state)), hash)
})

test_that("every fit answers for itself when they are asked in turn, also after one was changed", {
  one <- small_fit()
  other <- small_fit(settings = quick_settings(epochs = 2))
  first <- ask(fit = one)
  expect_false(identical(ask(fit = other), first))
  expect_identical(ask(fit = one), first)
  longer <- resume_fit(one, small_cells()$x, epochs = 1, col_data = small_cells()$col_data)
  expect_false(identical(ask(fit = longer), first))
  expect_identical(ask(fit = one), first)
})

test_that("doses of held-out cells are no trained doses, and new drugs have the range of the others", {
  fit <- dosed_fit()
  warned <- function(...) {
    said <- tryCatch(warn_dose_range(fit, make_targets(fit, condition(...))),
                     compert_extrapolation = conditionMessage)
    gsub("\\s+", " ", said %||% "")
  }
  expect_match(warned("A", dose = 10), "\"A\" at dose 10: trained on 0.1 to 1")
  expect_match(warned("C", dose = 6), "\"C\" at dose 6: not trained on, others on what corresponds to 0.05 to 5")
  expect_match(warned("D", dose = 11), "\"D\" at dose 11: not trained on")
  expect_identical(warned("D", dose = 5), "")
  expect_identical(warned("A", dose = 1), "")
  fit$meta$registry$dose_range$A <- c(1e-11, 1e-9)
  expect_match(warned("A", dose = 2e-9), "trained on 1e-11 to 1e-09")
  expect_match(warned("A", dose = 1e-12), "at dose 1e-12")
})

test_that("labels have the dose wherever the screen has doses, 1 as well", {
  cells <- dosed_cells()
  answer <- suppressWarnings(predict(dosed_fit(), cells$x, condition(c("A", "A", "B"), dose = c(0.1, 1, 10)),
                                     col_data = cells$col_data, summarise = "condition"))
  expect_identical(colnames(answer), c("A@0.1", "A@1", "B@10"))
})

test_that("many conditions are averaged part by part, with the numbers of one go", {
  cells <- small_cells()
  fit <- small_fit()
  screen <- read_newdata(fit, cells$x, NULL, NULL, cells$col_data, "error")
  targets <- make_targets(fit, condition(condition = rep(c("IFNb", "control"), 3),
                                         cell_type = rep(c("B", "NK", "CD14+Mono"), each = 2)))
  from <- source_cells(fit, screen, targets, "matched")
  whole <- run_summarise(fit, screen, targets, from, TRUE, TRUE)
  parts <- run_summarise(fit, screen, targets, from, TRUE, TRUE, pairs = length(from[[1]]) + 1)
  expect_identical(as.integer(parts$n), lengths(from))
  expect_equal(parts, whole, tolerance = 1e-5)
})

test_that("a condition in place of the cells is told as that", {
  expect_refused(predict(small_fit(), condition("A")), "`newdata` must be the cells.*It is a condition")
})

test_that("means of conditions are those beside variances", {
  skip_without_package("SingleCellExperiment")
  cells <- small_cells()
  for (loss in c("gauss", "nb")) {
    x <- if (loss == "gauss") cells$x else cells$counts
    for (residual in c(TRUE, FALSE)) {
      ask <- function(x, ...) {
        predict(small_fit(loss = loss), x, condition(condition = "IFNb", cell_type = "B"), residual = residual,
                summarise = "condition", ...)
      }
      both <- ask(SingleCellExperiment::SingleCellExperiment(
        stats::setNames(list(x), if (loss == "gauss") "logcounts" else "counts"), colData = cells$col_data))
      expect_equal(unname(ask(x, col_data = cells$col_data)[, 1]),
                   unname(SummarizedExperiment::assay(both, "mean")[, 1]), tolerance = 1e-6)
      expect_gt(sum(SummarizedExperiment::assay(both, "variance")), 0)
    }
  }
})
