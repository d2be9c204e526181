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

test_that("named colours go to the rows of their names", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 0), b = c(-1, 0.1), c = c(1, 0.1))
  colour <- c(c = "HDAC", a = "MEK", b = "CDK")
  p <- plot_embedding(z, colour, method = "none")
  expect_identical(as.character(p$data$colour[match(c("a", "b", "c"), p$data$name)]),
                   c("MEK", "CDK", "HDAC"))
  names(colour)[2] <- "d"
  expect_refused(plot_embedding(z, colour), "value for the name of every row.*none for \"a\"")
})

test_that("a list of one matrix is that matrix, and equal row names are told apart", {
  skip_without_package("ggplot2")
  all <- covariate_embedding(small_fit())
  expect_length(all, 1L)
  expect_identical(similarity(all), similarity(all[[1]]))
  expect_identical(plot_similarity(all)$data, plot_similarity(all[[1]])$data)
  expect_identical(plot_embedding(all)$data, plot_embedding(all[[1]])$data)
  expect_refused(similarity(list(cell_type = all[[1]], donor = all[[1]])),
                 "It is a list of 2: \"cell_type\", \"donor\".*covariate_embedding\\(fit, \"cell_type\"\\)")
  twice <- all[[1]][c(1, 2, 1), ]
  expect_setequal(levels(plot_similarity(twice)$data$row), c("B", "CD14+Mono", "B 1"))
})

test_that("a seed rules what is drawn, and R's stream stays where it was", {
  drawn <- function(seed) with_stream(seed, stats::runif(3))
  withr::with_seed(1, {
    before <- .Random.seed
    expect_identical(drawn(5), drawn(5))
    expect_false(identical(drawn(5), drawn(6)))
    expect_identical(.Random.seed, before)
  })
})

test_that("UMAP is drawn under its seed", {
  skip_without_package("ggplot2", "uwot")
  z <- withr::with_seed(1, matrix(stats::rnorm(200), 40))
  p <- plot_embedding(z, rep(c("a", "b"), 20), method = "umap", label = FALSE)
  expect_identical(p$labels$x, "UMAP 1")
  expect_identical(dim(p$data), c(40L, 4L))
  again <- plot_embedding(z, rep(c("a", "b"), 20), method = "umap", label = FALSE)
  expect_identical(again$data, p$data)
  other <- plot_embedding(z, method = "umap", label = FALSE, seed = 2)
  expect_false(identical(other$data$x, p$data$x))
})

test_that("wrong input is refused", {
  skip_without_package("ggplot2")
  expect_error(plot_embedding(1:3), "`embedding` must be")
  expect_error(plot_embedding(matrix(1:4, 2), colour = 1:3), "It has 3 for 2 rows")
  expect_error(plot_embedding(matrix(1:4, 2), method = "tsne"), "`method` must be one of")
  expect_error(plot_similarity(matrix(NA_real_, 2, 2)), "`embedding` must hold finite")
  z <- matrix(c(1, 0, 2, 1, NA, 0), 3)
  expect_refused(plot_embedding(z), "must hold finite numbers.*1 of 3 rows.*row 2")
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

test_that("names stay within the panel, and may cross its border", {
  skip_without_package("ggplot2")
  z <- cbind(c(0, 1, 0.5), c(0, 0, 1))
  rownames(z) <- c("a name of twenty five let", "a name of 24 letters lon", "c")
  p <- plot_embedding(z, method = "none")
  expect_identical(p$coordinates$clip, "off")
  # Beside the point or askew of it, towards the middle.
  placed <- p$layers[[2]]$data
  expect_lte(placed$hjust[1], 0)
  expect_gte(placed$hjust[2], 1)
  # An axis reaches as far as its names.
  z <- cbind(c(0, 0, 0, 0, 1), c(0, 0.03, 0.06, 0.09, 1))
  rownames(z) <- c(paste("a name of twenty three", 1:4), "b")
  p <- plot_embedding(z, method = "none")
  reach <- -min(z[1:4, 1] - p$layers[[2]]$data$hjust[1:4] * 0.0135 * 24)
  expect_gt(reach, 0.14)
  expect_lte(ggplot2::ggplot_build(p)$layout$panel_params[[1]]$x.range[1], -reach)
})

test_that("names have the room that a legend on the right leaves", {
  skip_without_package("ggplot2")
  withr::local_pdf(NULL, width = 7, height = 5)
  for (names in list(paste("a class of molecules,", 1:9), paste("a class,", 1:30))) {
    colour <- rep_len(names, 90)
    p <- plot_embedding(withr::with_seed(1, matrix(rnorm(180), 90)), colour, method = "none")
    grobs <- ggplot2::ggplotGrob(p)
    legend <- grobs$grobs[[which(grobs$layout$name %in% c("guide-box", "guide-box-right"))[1L]]]
    width <- grid::convertWidth(sum(legend$widths), "in", valueOnly = TRUE)
    expect_lt(abs(legend_share(names) * 7 - width), 0.35)
  }
  expect_identical(legend_share(c("a", "b")), 0)
  expect_identical(legend_share("one"), 0)
  expect_identical(legend_share(paste("group", 1:41)), 0)
  z <- withr::with_seed(2, matrix(rnorm(120), 60, dimnames = list(paste("compound", 1:60), NULL)))
  shown <- function(...) nrow(plot_embedding(z, ..., method = "none")$layers[[2]]$data)
  expect_lt(shown(rep(paste("a class of many molecules", 1:10), 6)), shown(rep(c("a", "b"), 30)))
})

test_that("the bar of numbers is long enough for its labels", {
  skip_without_package("ggplot2")
  z <- withr::with_seed(1, matrix(rnorm(60), 20))
  scale <- plot_embedding(z, seq(1e3, 5e3, length.out = 20))$scales$get_scales("colour")
  expect_equal(scale$breaks(c(1e3, 5e3)), 1e3 * 1:5)
  width <- guide_field(scale, "barwidth") %||% scale$guide$params$theme$legend.key.width
  expect_identical(as.numeric(width), 16)
})

test_that("the bar of probabilities has labels, though none is quite 0 or 1", {
  expect_equal(inner_breaks(c(1e-5, 1 - 1e-5)), c(0.2, 0.4, 0.6, 0.8))
  expect_equal(inner_breaks(c(0, 1)), c(0, 0.5, 1))
  expect_equal(inner_breaks(c(-3, 3)), c(-2, 0, 2))
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
  expect_identical(none$labels$caption, "No legend for 41 colours; `highlight` picks some")
})

test_that("dates are groups of their own", {
  skip_without_package("ggplot2")
  p <- plot_embedding(matrix(c(1:6, 2, 4), 4), as.Date("2024-01-02") + c(0, 0, 1, 1))
  expect_identical(levels(p$data$colour), c("2024-01-02", "2024-01-03"))
  expect_silent(ggplot2::ggplot_build(p))
})

test_that("the rest of the groups is grey, below the others, and named colours may be of more", {
  skip_without_package("ggplot2")
  z <- matrix(c(1:6, 6:1), 6, dimnames = list(letters[1:6], NULL))
  groups <- structure(factor(c("x", "2 others", "x", "y", "2 others", "y"), c("x", "y", "2 others")), rest = "2 others")
  drawn <- ggplot2::ggplot_build(plot_embedding(z, groups, label = FALSE))$data[[1]]
  expect_identical(drawn$colour[1:2], rep("grey80", 2))
  expect_false("grey80" %in% drawn$colour[-(1:2)])
  colour <- stats::setNames(rep(c("u", "v"), 4), letters[8:1])
  expect_identical(as.character(plot_embedding(z, colour)$data$colour), unname(colour[letters[1:6]]))
})

test_that("groups that are named are coloured, in their order, and all others are grey below them", {
  skip_without_package("ggplot2")
  z <- withr::with_seed(1, matrix(rnorm(164), 82))
  groups <- c(rep(paste0("d", 1:40), 2), NA, NA)
  p <- plot_embedding(z, groups, highlight = c("d7", "d2"), method = "none")
  expect_identical(levels(p$data$colour), c("d7", "d2", "39 others"))
  expect_equal(p$data[79:82, c("x", "y")], as.data.frame(z[c(2, 7, 42, 47), ]), ignore_attr = TRUE)
  drawn <- points_of(p)$colour
  expect_identical(drawn, c(rep("grey80", 78), okabe_ito()[c(2, 1, 2, 1)]))
  expect_null(p$labels$caption)
  # Those only have names beside them, where cells are to have any.
  expect_length(p$layers, 1L)
  labelled <- plot_embedding(z, groups, highlight = c("d7", "d2"), method = "none", label = TRUE)
  expect_setequal(labelled$layers[[2]]$data$name, c("2", "7", "42", "47"))
  all <- plot_embedding(z[1:2, ], c("a", "b"), highlight = c("b", "a", "b"), method = "none")
  expect_identical(levels(all$data$colour), c("b", "a"))
})

test_that("rows are highlighted by their names", {
  skip_without_package("ggplot2")
  z <- withr::with_seed(1, matrix(rnorm(140), 70, dimnames = list(paste0("drug", 1:70), NULL)))
  p <- plot_embedding(z, highlight = c("drug3", "drug10"), method = "none", rays = TRUE)
  expect_identical(as.character(p$data$colour), c(rep("68 others", 68), "drug3", "drug10"))
  expect_identical(p$data$name[69:70], c("drug3", "drug10"))
  expect_setequal(p$layers[[3]]$data$name, c("drug3", "drug10"))
  many <- plot_embedding(z[rep(1:70, 30), ] + 0, rep(paste0("drug", 1:70), 30), highlight = "drug3", method = "none")
  expect_identical(points_of(many)$size, rep(c(0.9, 2.4), c(2070, 30)))
  crowd <- plot_embedding(z[rep(1:70, 80), ] + 0, rep(paste0("drug", 1:70), 80), highlight = paste0("drug", 1:5),
                          method = "none")
  expect_identical(points_of(crowd)$size, rep(c(0.4, 0.9), c(5200, 400)))
  expect_identical(unique(points_of(plot_embedding(z[rep(1:70, 80), ], method = "none"))$size), 0.4)
  names <- z[rep(1:70, 4), ]
  rownames(names) <- paste0("g", 1:280)
  some <- plot_embedding(names, highlight = c("g7", "g9"), method = "none")
  expect_identical(points_of(some)$size, rep(c(0.9, 2.4), c(278, 2)))
  unnamed <- plot_embedding(names, highlight = c("g7", "g9"), method = "none", label = FALSE)
  expect_identical(points_of(unnamed)$size, points_of(some)$size)
  flags <- plot_embedding(z, rownames(z) == "drug1", highlight = TRUE, method = "none")
  expect_identical(levels(flags$data$colour), c("TRUE", "1 other"))
  expect_identical(plot_embedding(z, highlight = factor("drug3"), method = "none")$data,
                   plot_embedding(z, highlight = "drug3", method = "none")$data)
})

test_that("a highlight that is no group is refused", {
  z <- cbind(1:3, 3:1)
  expect_refused(plot_embedding(z, c("a", "b", "c"), highlight = "d"),
                 "`highlight` must be some of \"a\", \"b\", \"c\".*Not among them: \"d\"")
  expect_refused(plot_embedding(z, c("a", "b", "c"), highlight = 1), "It is `1`")
  expect_refused(plot_embedding(z, 1:3, highlight = "1"), "must go with a `colour` of groups.*colour = factor")
  expect_refused(plot_embedding(z, highlight = "1"), "There are neither")
})
