far_from <- function(dose, drug = "A", types = c("B", "NK"), seen = "parts only") {
  grid <- expand.grid(dose = dose, drug = drug, cell_type = types, stringsAsFactors = FALSE)
  tibble::tibble(cell_type = grid$cell_type, drug = grid$drug, dose = grid$dose, seen = seen,
                 cosine = seq(0, 1, length.out = nrow(grid)), nearest_cosine = "B, control",
                 euclidean = seq(0, 5, length.out = nrow(grid)), nearest_euclidean = "B, control")
}

test_that("single perturbations are lines over their dose", {
  skip_without_package("ggplot2")
  p <- plot_uncertainty(far_from(c(0, 0.1, 1)))
  expect_identical(levels(p$data$.line), c("B", "NK"))
  expect_identical(p$data$.value, round(far_from(c(0, 0.1, 1))$cosine, 9))
  expect_match(p$labels$y, "Cosine distance")
  expect_silent(ggplot2::ggplot_build(p))
  two <- plot_uncertainty(far_from(c(0, 1, 2), c("A", "C")), value = "euclidean", log_dose = TRUE)
  expect_identical(levels(two$data$.line), c("A", "C"))
  expect_identical(levels(two$data$.panel), c("B", "NK"))
  expect_silent(built <- ggplot2::ggplot_build(two))
  expect_identical(built$layout$panel_params[[1]]$x$get_labels()[1], "0")
  text <- far_from(c("0", "0.1", "1"))
  expect_identical(plot_uncertainty(text)$data$dose, rep(c(0, 0.1, 1), 2))
})

test_that("combinations of two are a map", {
  skip_without_package("ggplot2")
  far <- far_from(c("0+1", "0+2", "4+1", "4+2"), "A+C")
  far$seen[3] <- "condition"
  p <- plot_uncertainty(far)
  expect_identical(levels(p$data$.panel), c("B", "NK"))
  expect_identical(p$data$dose_1, rep(c(0, 0, 4, 4), 2))
  expect_identical(p$data$dose_2, rep(c(1, 2), 4))
  expect_identical(nrow(p$layers[[length(p$layers)]]$data), 1L)
  expect_identical(c(p$labels$x, p$labels$y), c("Dose of A", "Dose of C"))
  expect_silent(ggplot2::ggplot_build(p))
  expect_silent(ggplot2::ggplot_build(plot_uncertainty(far, log_dose = TRUE)))
})

test_that("what there is one of stands in the subtitle", {
  skip_without_package("ggplot2")
  expect_identical(plot_uncertainty(far_from(0:1, types = "B"))$labels$subtitle, "A, cell_type: B")
  expect_identical(plot_uncertainty(far_from(0:1, c("A", "C"), "B"))$labels$subtitle, "cell_type: B")
  two <- c("0+1", "0+2", "4+1", "4+2")
  expect_identical(plot_uncertainty(far_from(two, "A+C", "B"))$labels$subtitle, "A+C, cell_type: B")
  expect_identical(plot_uncertainty(far_from(two, "A+C"))$labels$subtitle, "A+C")
})

test_that("tables of real fits are drawn", {
  skip_without_package("ggplot2")
  asked <- condition_grid(condition = "IFNb", dose = c(0.5, 1, 2), cell_type = c("B", "NK"))
  far <- prediction_uncertainty(small_fit(), asked, min_cells = 5)
  p <- plot_uncertainty(far, value = "euclidean")
  expect_identical(sum(p$data$.seen == "in training"), 1L)
  expect_silent(ggplot2::ggplot_build(p))
})

test_that("doses of a combination are told where training saw single perturbations only", {
  single <- toy_cells()
  keep <- single$drug != "A+B"
  screen <- toy_screen(cells = single[keep, ], x = toy_log()[, keep])
  screen$split <- rep("train", sum(keep))
  fit <- untrained(screen)
  groups <- list(parts = list(c("A", "B")), doses = list(c(1, 2)),
                 covariates = data.frame(cell_type = "T"))
  about <- describe_rows(fit, groups, data.frame(group = 1L, split = "", n_cells = 0L))
  expect_identical(about$own$dose, "1+2")
})

test_that("wrong tables are refused", {
  skip_without_package("ggplot2")
  expect_refused(plot_uncertainty(data.frame(a = 1)), "made by `prediction_uncertainty\\(\\)`")
  expect_refused(plot_uncertainty(far_from(c("1", "1+2"))), "single perturbations, or of combinations")
  expect_refused(plot_uncertainty(far_from(c("1+2+3"))), "single perturbations, or of combinations")
  expect_refused(plot_uncertainty(far_from(1)[-(1:2)]), "the perturbation and the dose before `seen`")
  expect_refused(plot_uncertainty(far_from(1), value = "r2"), "`value` must be one of")
})

test_that("the axis has the unit, and no line leads to dose 0 of a logarithmic axis", {
  skip_without_package("ggplot2")
  table <- tibble::tibble(drug = "A", dose = c(0, 0.1, 1), seen = "parts only", cosine = 0:2,
                          nearest_cosine = "A", euclidean = 0:2, nearest_euclidean = "A")
  attr(table, "dose_unit") <- "nM"
  p <- plot_uncertainty(table, log_dose = TRUE)
  expect_identical(p$labels$x, "Dose (nM)")
  expect_equal(ggplot2::ggplot_build(p)$data[[1]]$x, c(-1, 0))
})

test_that("an axis of zeros alone does not reach below 0", {
  skip_without_package("ggplot2")
  table <- far_from(c(1, 2))
  range_of <- function(cosine) {
    table$cosine <- cosine
    ggplot2::ggplot_build(plot_uncertainty(table))$layout$panel_params[[1]]$y$breaks
  }
  expect_gte(min(range_of(0), na.rm = TRUE), 0)
  expect_lt(max(range_of(0.1), na.rm = TRUE), 0.2)
})

test_that("doses are split as those of the screen are joined", {
  skip_without_package("ggplot2")
  table <- tibble::tibble(drug = "A_B", dose = c("0.1_1", "1_1", "0.1_2", "1_2"), seen = "parts only",
                          cosine = 0:3, nearest_cosine = "A", euclidean = 0:3, nearest_euclidean = "A")
  fit <- dosed_fit()
  fit$meta$registry$sep <- "_"
  p <- plot_uncertainty(with_dose_unit(table, fit))
  expect_identical(p$labels$x, "Dose of A")
  expect_identical(p$labels$y, "Dose of B")
  expect_identical(plot_uncertainty(table, sep = "_")$labels$x, "Dose of A")
  expect_refused(plot_uncertainty(table), "combinations of two")
})

test_that("a single dose has points, one break and no line", {
  skip_without_package("ggplot2")
  p <- plot_uncertainty(far_from(1, c("A", "C")))
  expect_silent(ggplot2::ggplotGrob(p))
  built <- ggplot2::ggplot_build(p)
  expect_identical(c(nrow(built$data[[1]]), nrow(built$data[[2]])), c(0L, 4L))
  expect_identical(built$layout$panel_params[[1]]$x$get_labels(), "1")
})

test_that("of many conditions at one dose the farthest are named, and too many maps are refused", {
  skip_without_package("ggplot2")
  table <- function(dose, n = 30) {
    far <- far_from(dose, paste0(if (is.character(dose)) "A+", "K", seq_len(n)))
    far$cosine <- seq_len(nrow(far)) %% 37
    far
  }
  far <- table(1)
  p <- plot_uncertainty(far)
  expect_identical(nrow(p$data), 40L)
  expect_identical(p$data$.value, sort(far$cosine, decreasing = TRUE)[1:40])
  top <- far[which.max(far$cosine), ]
  expect_identical(levels(p$data$.name)[40], paste0(top$drug, ", ", top$cell_type))
  expect_identical(p$labels$caption, "The 40 farthest of 60 conditions")
  expect_silent(ggplot2::ggplotGrob(p))
  expect_identical(nrow(plot_uncertainty(table("1+1"))$data), 40L)
  expect_identical(nrow(plot_uncertainty(table(1, 20))$data), 40L)
  expect_null(plot_uncertainty(table(1, 20))$data$.name)
  far$cosine[-(3:5)] <- NA
  expect_identical(nrow(plot_uncertainty(far)$data), 3L)
  far$cosine <- NA_real_
  expect_refused(plot_uncertainty(far), "distances to draw.*`cosine` is NA in every row.*value = \"euclidean\"")
  expect_refused(plot_uncertainty(table(c("1+1", "1+2"), 25)), "at most 48 maps.*It is of 50")
})
