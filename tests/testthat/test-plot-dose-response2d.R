map_of_two <- function(genes = NULL, types = c("B", "NK")) {
  grid <- expand.grid(gene = genes %||% "", dose_2 = c(0, 1, 4), dose_1 = c(0, 0.5, 1),
                      cell_type = types, stringsAsFactors = FALSE)
  table <- tibble::tibble(cell_type = grid$cell_type, perturbation_1 = "A", dose_1 = grid$dose_1,
                          perturbation_2 = "C", dose_2 = grid$dose_2, n_cells = 5L)
  value <- grid$dose_1 + grid$dose_2
  if (is.null(genes)) {
    table$norm_of_mean <- value + 3
    table$norm_of_difference <- value
  } else {
    table$gene <- grid$gene
    table$mean <- value + 3
    table$difference <- value - 2
  }
  table
}

test_that("a panel per covariates and gene; tiles meet half-way", {
  skip_without_package("ggplot2")
  p <- plot_dose_response2d(map_of_two())
  expect_identical(levels(p$data$.panel), c("B", "NK"))
  expect_identical(p$labels$x, "Dose of A")
  expect_identical(p$labels$y, "Dose of C")
  expect_identical(sort(unique(p$data$.ymax)), c(0.5, 2.5, 5.5))
  expect_silent(ggplot2::ggplot_build(p))
  # Each has its own colour around it, which closes the seams.
  tiles <- ggplot2::layer_data(p)
  expect_identical(tiles$colour, tiles$fill)
  genes <- plot_dose_response2d(map_of_two(c("g1", "g2"), "B"))
  expect_identical(levels(genes$data$.panel), c("g1, B", "g2, B"))
  expect_identical(genes$data$.value, map_of_two(c("g1", "g2"), "B")$difference)
  mean <- plot_dose_response2d(map_of_two("g1"), value = "mean")
  expect_identical(min(mean$data$.value), 3)
})

test_that("one dose, equal values and logarithmic axes can be drawn", {
  skip_without_package("ggplot2")
  flat <- map_of_two()
  flat$norm_of_difference <- 1
  expect_silent(ggplot2::ggplot_build(plot_dose_response2d(flat)))
  row <- map_of_two()
  expect_silent(ggplot2::ggplot_build(plot_dose_response2d(row[row$dose_2 == 1, ])))
  p <- plot_dose_response2d(map_of_two(), log_dose = TRUE)
  expect_equal(sort(unique(p$data$.x)), c(0.05, 0.5, 1))
  expect_silent(built <- ggplot2::ggplot_build(p))
  expect_identical(built$layout$panel_params[[1]]$y$get_labels(), c("0", "1"))
  none <- plot_dose_response2d(row[row$dose_2 == 0, ], log_dose = TRUE)
  expect_silent(built <- ggplot2::ggplot_build(none))
  expect_identical(built$layout$panel_params[[1]]$y$get_labels(), "0")
})

test_that("one panel is named in the subtitle", {
  skip_without_package("ggplot2")
  expect_identical(plot_dose_response2d(map_of_two("ISG15", "B"))$labels$subtitle, "ISG15, B")
  expect_null(plot_dose_response2d(map_of_two())$labels$subtitle)
})

test_that("outer tiles have room for points, and dose 0 no wider band than the others", {
  # Steps of doses are narrow at the top of a logarithmic axis and wide at dose 0.
  at <- c(10, 1000, 2000, 3000, 4000)
  borders <- lapply(tile_borders(at, TRUE), log10)
  room <- 0.05 * diff(range(log10(at)))
  expect_equal(borders[[2]][5], log10(4000) + max(room, diff(log10(c(3000, 4000))) / 2))
  expect_equal(borders[[1]][1], 1 - max(room, median(diff(log10(at))) / 2))
  expect_equal(tile_borders(seq(0, 1, 0.02), FALSE)[[2]][51], 1.05)
})

test_that("measured points are on their panels", {
  skip_without_package("ggplot2")
  points <- map_of_two()[c(2, 4, 14), ]
  points$seen <- c("condition", "parts only", "condition")
  points$dose_1[1] <- 0.1
  p <- plot_dose_response2d(map_of_two(types = "B"), observed = points, log_dose = TRUE)
  drawn <- p$layers[[length(p$layers)]]$data
  expect_identical(nrow(drawn), 2L)
  expect_equal(min(p$data$.x), 0.01)
  expect_identical(drawn$.y, points$dose_2[1:2] + 0.1 * (points$dose_2[1:2] == 0))
  expect_silent(ggplot2::ggplot_build(p))
  expect_refused(plot_dose_response2d(map_of_two(types = "T"), observed = points), "must have points")
  expect_refused(plot_dose_response2d(map_of_two(), observed = data.frame(perturbation = "A")),
                 "observed_response\\(pair = \\)")
  expect_refused(plot_dose_response2d(map_of_two(), observed = points[1:3]),
                 "made by `observed_response")
  latent <- map_of_two(types = "B")
  latent$norm_of_shift <- 1
  expect_refused(plot_dose_response2d(latent, observed = points), "cannot be measured")
})

test_that("wrong tables are refused", {
  skip_without_package("ggplot2")
  expect_refused(plot_dose_response2d(data.frame(dose = 1)), "made by `dose_response2d\\(\\)`")
  expect_refused(plot_dose_response2d(map_of_two(), value = "mean"), "`value` must be one of")
  two <- map_of_two()
  two$perturbation_2[1] <- "D"
  expect_refused(plot_dose_response2d(two), "one pair")
})

test_that("the legend says the scale, and measured points have the same", {
  skip_without_package("ggplot2")
  map <- structure(map_of_two(types = "B"), scale = "log")
  expect_identical(plot_dose_response2d(map)$labels$fill, "Length of\nchange\n(log-normalised)")
  points <- transform(map, seen = "condition")
  attr(points, "scale") <- "counts"
  expect_refused(plot_dose_response2d(map, observed = points), "on the scale of `response`")
})
