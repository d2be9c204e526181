compared <- function(names = c("good", "poor"), baselines = "control") {
  table <- function(value) {
    one <- expand.grid(drug = c("A", "B", "C"), dose = c(0.1, 1), stringsAsFactors = FALSE)
    one <- rbind(cbind(one, method = "model"), cbind(one, method = "control"))
    one$split <- "ood"
    for (name in metric_names) one[[name]] <- c(value, rep(-0.04, 6))
    structure(tibble::as_tibble(one), preset = "compert", words = "preset \"compert\"",
              class = c("compert_r2", "tbl_df", "tbl", "data.frame"))
  }
  tables <- list(table(c(0.9, 0.8, 0.7, 0.5, 0.6, 0.4)), table(c(0.3, 0.4, -3, 0.1, 0.2, 0)))
  compare_r2(rlang::set_names(tables, names), baselines = baselines)
}

test_that("one box per model, dose and metric; every condition is a point", {
  skip_without_package("ggplot2")
  p <- plot_r2(compared())
  expect_identical(nrow(p$data), 6L * 3L * 2L)
  expect_identical(levels(p$data$group), c("0.1", "1"))
  expect_identical(levels(p$data$metric), c("all genes", "DEGs"))
  expect_identical(levels(p$data$model), c("good", "poor", "control"))
  expect_identical(sum(p$data$off), 2L)
  expect_identical(min(p$data$value), -1)
  expect_identical(p$coordinates$limits$y, c(-1, 1))
  built <- ggplot2::ggplot_build(p)
  expect_identical(nrow(built$data[[1]]), 12L)
  means <- built$data[[3]]
  expect_identical(nrow(means), 12L)
  # Filled in the model's colour, so that they tell which it is where they lie over its points.
  expect_setequal(means$fill, unname(comparison_colours(c("good", "poor", "control"), "control")))
  expect_identical(unique(means$shape), 23)
  expect_equal(min(built$data[[1]]$ymin_final), -3)
  expect_match(p$labels$subtitle, "^6 conditions, means as diamonds, triangles lie beyond")
  expect_identical(p$labels$x, "dose")
})

test_that("points lie in the box of their own model where some are beyond the axis", {
  skip_without_package("ggplot2")
  built <- ggplot2::ggplot_build(plot_r2(compared()))$data
  boxes <- built[[1]]
  points <- built[[2]]
  points$slot <- round(points$x)
  boxes$slot <- round(boxes$x)
  box <- match(paste(points$PANEL, points$slot, points$colour), paste(boxes$PANEL, boxes$slot, boxes$colour))
  expect_false(anyNA(box))
  expect_true(all(points$x > boxes$xmin[box] & points$x < boxes$xmax[box]))
  off <- tapply(points$x - boxes$x[box], points$colour, mean)
  expect_lt(max(abs(off)), 0.05)
})

test_that("boxes are of the scores themselves; means beyond the axis are triangles", {
  skip_without_package("ggplot2")
  p <- plot_r2(compared(), metric = "r2_mean_deg", limits = c(0.1, 1))
  built <- ggplot2::ggplot_build(p)$data
  poor <- built[[1]][built[[1]]$colour == comparison_colours(c("good", "poor"), NULL)[["poor"]], ]
  expect_equal(poor$middle, c(0.3, 0.1))
  expect_equal(sort(unique(built[[3]]$shape)), c(23, 24))
  expect_equal(built[[3]]$y[built[[3]]$shape == 24], rep(0.1, sum(built[[3]]$shape == 24)))
  expect_equal(range(built[[2]]$y), c(0.1, 0.9))
})

test_that("models and metrics are chosen; the axis reaches down to the lowest score", {
  skip_without_package("ggplot2")
  p <- plot_r2(compared(), metric = "r2_mean_deg", methods = c("control", "good"))
  expect_identical(levels(p$data$metric), "DEGs")
  expect_identical(levels(p$data$model), c("control", "good"))
  expect_identical(p$coordinates$limits$y, c(-0.1, 1))
  wide <- plot_r2(compared(), limits = c(-4, 1))
  expect_false(any(wide$data$off))
  expect_identical(unname(comparison_colours(c("a", "control"), "control")), c("#0072B2", "#999999"))
  expect_identical(anyDuplicated(comparison_colours(letters[1:12], NULL)), 0L)
})

test_that("a model with the name of a baseline that is not there is drawn as a model", {
  skip_without_package("ggplot2")
  legend <- function(...) {
    built <- ggplot2::ggplot_build(plot_r2(compared(...)))
    scale <- built$plot$scales$get_scales("fill")
    rlang::set_names(scale$map(scale$get_limits()), scale$get_labels())
  }
  plain <- legend()
  expect_identical(names(plain), c("good", "poor", "control (no effect)"))
  for (name in c("mean", "interpolation", "additive")) {
    named <- legend(c(name, "poor"))
    expect_identical(names(named), c(name, "poor", "control (no effect)"))
    expect_identical(unname(named), unname(plain))
  }
  alone <- legend(c("control", "poor"), character())
  expect_identical(names(alone), c("control", "poor"))
  expect_identical(unname(alone), unname(plain[1:2]))
})

test_that("wrong words and half a comparison are refused", {
  skip_without_package("ggplot2")
  expect_refused(plot_r2(compared(), metric = "r2_var"), "`metric` must be some of")
  expect_refused(plot_r2(compared(), methods = "linear"), "`methods` must be some of")
  expect_refused(plot_r2(compared(), limits = 1), "`limits` must be")
  half <- compared()
  attr(half, "scores") <- NULL
  expect_refused(plot_r2(half), "the whole of what `compare_r2")
})
