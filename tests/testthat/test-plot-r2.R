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
  expect_identical(p$labels$subtitle, "drug: IFNb")
  expect_setequal(levels(p$data$condition), c("B", "NK"))
  expect_silent(ggplot2::ggplot_build(p))
})

test_that("methods of equal score lie apart, in their order", {
  skip_without_package("ggplot2")
  table <- scores()
  table$r2_mean_deg <- 0.8
  built <- ggplot2::ggplot_build(plot_r2(table, metric = "r2_mean_deg"))$data
  at <- do.call(rbind, lapply(built[2:4], function(layer) layer[1L, c("colour", "y")]))
  expect_identical(at$colour[order(-at$y)], unname(method_colours(c("model", "control", "additive"))))
  expect_identical(anyDuplicated(at$y), 0L)
  withr::local_pdf(NULL)  # where text is measured
  expect_silent(ggplot2::ggplotGrob(plot_r2(table, methods = "model")))
})

test_that("an axis starts at its panel's lowest score, and not below -1", {
  skip_without_package("ggplot2")
  table <- scores()
  table$r2_mean_deg <- c(0.9, 0.43, 0.5, 0.8, 0.6, 0.7)
  ranges <- function(p) lapply(ggplot2::ggplot_build(p)$layout$panel_params, function(at) at$x$continuous_range)
  at <- ranges(plot_r2(table))
  expect_equal(at[[1]], c(0.4, 1) + c(-1, 1) * 0.05 * 0.6)
  expect_equal(at[[2]], c(-1, 1) + c(-1, 1) * 0.05 * 2)
  own <- ranges(plot_r2(table, limits = c(0, 1)))
  expect_equal(own[[1]], own[[2]])
  # Distributions share one axis.
  many <- ranges(plot_r2(table, max_conditions = 1))
  expect_equal(many[[1]], many[[2]])
  expect_equal(many[[1]], at[[2]])
})

test_that("a condition of two splits is two rows, and many rows say that names may lack", {
  skip_without_package("ggplot2")
  table <- scores()
  both <- rbind(table, transform(table, split = "test"))
  geoms <- function(p) vapply(p$layers, function(l) class(l$geom)[1], "")
  expect_true("GeomBoxplot" %in% geoms(plot_r2(both, max_conditions = 3)))
  expect_null(plot_r2(both)$labels$caption)
  more <- do.call(rbind, lapply(1:11, function(k) transform(table, drug = paste("drug", k))))
  expect_match(plot_r2(more)$labels$caption, "22 rows: should names lack, a taller picture")
})

test_that("autoplot() and plot() draw scores and comparisons", {
  skip_without_package("ggplot2")
  table <- structure(scores(), class = c("compert_r2", class(scores())))
  expect_equal(ggplot2::autoplot(table, metric = "r2_mean")$data, plot_r2(table, metric = "r2_mean")$data)
  compared <- compare_r2(cpa = table[table$cell_type == "B", ])
  expect_equal(ggplot2::autoplot(compared)$data, plot_r2(compared)$data)
  withr::local_pdf(NULL)
  expect_s3_class(plot(table), "ggplot")
  expect_s3_class(plot(compared), "ggplot")
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

test_that("every method and baseline has a colour of its own", {
  methods <- c("model", "model_decoded", comparison_names, "a", "b")
  expect_identical(anyDuplicated(method_colours(methods)), 0L)
  expect_identical(anyDuplicated(comparison_colours(c("a", "b", comparison_names), comparison_names)), 0L)
})

test_that("scores that are all missing are refused", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  scores <- evaluate_r2(small_fit(), cells$x, col_data = cells$col_data)
  scores$r2_lfc_deg <- NA_real_
  expect_refused(plot_r2(scores, "r2_lfc_deg"), paste0(
    "must have scores of `metric` to draw.*All rows lack \"r2_lfc_deg\".*another metric; \"r2_mean\", .* have scores"))
})
