points_of <- function(p) ggplot2::ggplot_build(p)$data[[1]]

test_that("cells are drawn on principal components, coloured by what is given", {
  skip_without_package("ggplot2")
  z <- withr::with_seed(1, matrix(rnorm(300), 100))
  p <- plot_embedding(z, rep(c("a", "b"), 50), legend = "Type")
  at <- points_of(p)
  expect_equal(at$x, unname(stats::prcomp(z)$x[, 1]), ignore_attr = TRUE)
  expect_identical(length(unique(at$colour)), 2L)
  expect_match(p$labels$x, "PC1 \\([0-9]+ %\\)")
  expect_silent(ggplot2::ggplot_build(plot_embedding(z, seq_len(100))))
  expect_identical(points_of(plot_embedding(z[, 1:2], method = "none"))$x, z[, 1])
})

test_that("few points are labelled, and rays start at the origin", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 2, 0), b = c(3, -1, 1), c = c(0, 1, 1))
  geoms <- function(p) vapply(p$layers, function(l) class(l$geom)[1], "")
  expect_true("GeomText" %in% geoms(plot_embedding(z)))
  expect_false("GeomText" %in% geoms(plot_embedding(z, label = FALSE)))
  rays <- points_of(plot_embedding(z, rays = TRUE))
  expect_identical(unique(c(rays$xend, rays$yend)), 0)
})

test_that("the similarity map is complete and ordered by clusters", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 0), b = c(-1, 0.1), c = c(1, 0.1), d = c(-1, 0))
  p <- plot_similarity(z)
  expect_identical(nrow(p$data), 16L)
  order <- levels(p$data$column)
  expect_identical(abs(match("a", order) - match("c", order)), 1L)
  expect_equal(p$data$cosine[p$data$row == "a" & p$data$column == "a"], 1)
})

test_that("named colours go to the rows of their names", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 0), b = c(-1, 0.1), c = c(1, 0.1))
  colour <- c(c = "HDAC", a = "MEK", b = "CDK")
  p <- plot_embedding(z, colour, method = "none")
  expect_identical(as.character(p$data$colour[match(c("a", "b", "c"), p$data$name)]),
                   c("MEK", "CDK", "HDAC"))
  names(colour)[2] <- "d"
  expect_refused(plot_embedding(z, colour), "No row is called \"d\".*none for \"a\"")
})

test_that("wrong input is refused", {
  skip_without_package("ggplot2")
  expect_error(plot_embedding(1:3), "`embedding` must be")
  expect_error(plot_embedding(matrix(1:4, 2), colour = 1:3), "It has 3 for 2 rows")
  expect_error(plot_embedding(matrix(1:4, 2), method = "tsne"), "`method` must be one of")
  expect_error(plot_similarity(matrix(NA_real_, 2, 2)), "`embedding` must be")
})

test_that("a handful of points keep their names, and the caption counts those left out", {
  skip_without_package("ggplot2")
  near <- cbind(seq_len(12) / 1000, 0)
  near <- rbind(near[-1, ], c(1, 1))
  rownames(near) <- paste("long name", seq_len(12))
  few <- plot_embedding(near, method = "none")
  expect_identical(nrow(few$layers[[2]]$data), 12L)
  expect_null(few$labels$caption)
  more <- rbind(near, `long name 13` = c(0, 0))
  p <- plot_embedding(more, method = "none")
  shown <- nrow(p$layers[[2]]$data)
  expect_lt(shown, 13L)
  expect_identical(p$labels$caption, paste(13L - shown, "names left out for want of room"))
})

test_that("a component that is not there is drawn at 0", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(0.1, 0.7, 0.3), b = c(0.2, -0.5, 1 / 3))
  expect_identical(unname(points_of(plot_embedding(z))$y), c(0, 0))
})

test_that("many colours have their legend on the right, too many none", {
  skip_without_package("ggplot2")
  z <- withr::with_seed(1, matrix(rnorm(164), 82))
  p <- plot_embedding(z, rep(paste0("d", 1:9), length.out = 82), method = "none")
  expect_identical(p$theme$legend.position, "right")
  none <- plot_embedding(z, rep(paste0("d", 1:41), 2), method = "none")
  expect_identical(none$labels$caption, "No legend for 41 colours")
})

test_that("a heat map leaves out names that would lie over others", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 0), b = c(-1, 0.1), `a name, that is much too long for it` = c(1, 0.1))
  for (axis in c("x", "y")) {
    scale <- plot_similarity(z)$scales$get_scales(axis)
    expect_true(guide_field(scale, "check.overlap"))
    expect_match(scale$labels("a name that is much too long for it"), "...", fixed = TRUE)
  }
})
