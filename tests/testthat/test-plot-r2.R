scores <- function() {
  one <- expand.grid(method = c("model", "control", "additive"), cell_type = c("B", "NK"),
                     stringsAsFactors = FALSE)
  table <- tibble::tibble(cell_type = one$cell_type, drug = "IFNb", dose = 1, method = one$method,
                          split = "ood", n_cells = 10L)
  for (name in metric_names) table[[name]] <- c(0.9, -3, 0.5, 0.8, 0.1, NA)
  table
}

test_that("one point per condition and method; what is off the scale is marked", {
  skip_without_package("ggplot2")
  p <- plot_r2(scores(), metric = "r2_mean_deg")
  expect_identical(nrow(p$data), 5L)
  expect_identical(p$data$off, c(FALSE, TRUE, FALSE, FALSE, FALSE))
  expect_identical(p$data$value[2], -1)
  expect_setequal(levels(p$data$condition), c("B", "NK"))
  expect_silent(ggplot2::ggplot_build(p))
})

test_that("conditions are named by what differs between them", {
  table <- scores()
  expect_identical(unique(condition_names(table)), c("B", "NK"))
  table$dose <- rep(c("1", "1+1"), each = 3)
  expect_identical(unique(condition_names(table)), c("B", "NK"))
  table$dose <- rep(c("1", "1+0.5"), each = 3)
  expect_identical(unique(condition_names(table)), c("B, 1", "NK, 1+0.5"))
  # Doses that are 1 throughout say nothing, for a single condition either.
  expect_identical(unique(condition_names(table[1:3, ])), "B, IFNb")
})

test_that("many conditions are drawn as distributions", {
  skip_without_package("ggplot2")
  geoms <- function(p) vapply(p$layers, function(l) class(l$geom)[1], "")
  expect_true("GeomBoxplot" %in% geoms(plot_r2(scores(), max_conditions = 1)))
  expect_false("GeomBoxplot" %in% geoms(plot_r2(scores())))
  # Boxes are of the scores themselves; what lies beyond the axis is a triangle at its edge.
  p <- plot_r2(scores(), metric = "r2_mean_deg", max_conditions = 1)
  built <- ggplot2::ggplot_build(p)$data
  expect_equal(min(built[[1]]$xmin), -3)
  expect_equal(built[[1]]$xmiddle[built[[1]]$colour == "#999999"], (-3 + 0.1) / 2)
  expect_identical(built[[2]]$shape[built[[2]]$x == -1], 17)
  expect_identical(sum(built[[2]]$shape == 17), 1L)
})

test_that("six metrics have room: wrapped headings, three breaks with short labels", {
  skip_without_package("ggplot2")
  p <- plot_r2(scores(), metric = metric_names[1:6])
  heading <- p$facet$params$labeller(list(unname(r2_words()[["r2_var_deg"]])))[[1]]
  expect_identical(unlist(heading), "r2 of\nvariances,\nDEGs")
  axis <- ggplot2::ggplot_build(p)$layout$panel_params[[1]]$x
  expect_identical(stats::na.omit(axis$get_labels())[1:3], c("-1", "0", "1"))
})

test_that("wrong tables and words are refused", {
  skip_without_package("ggplot2")
  expect_error(plot_r2(data.frame(a = 1)), "made by `evaluate_r2\\(\\)`")
  expect_refused(plot_r2(scores()[0, ]), "`scores` must be a table.*It has no rows")
  expect_error(plot_r2(1), "made by `evaluate_r2\\(\\)`")
  expect_error(plot_r2(scores(), metric = "r2"), "`metric` must be some of")
  expect_error(plot_r2(scores(), methods = "linear"), "`methods` must be some of")
  expect_error(plot_r2(scores(), limits = c(1, 0)), "`limits` must be")
})
