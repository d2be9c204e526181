test_that("the similarity map is complete and ordered by clusters", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 0), b = c(-1, 0.1), c = c(1, 0.1), d = c(-1, 0))
  p <- plot_similarity(z)
  expect_identical(nrow(p$data), 16L)
  expect_s3_class(p$layers[[1]]$geom, "GeomRaster")
  order <- levels(p$data$column)
  expect_identical(abs(match("a", order) - match("c", order)), 1L)
  expect_equal(p$data$cosine[p$data$row == "a" & p$data$column == "a"], 1)
})

test_that("numbers on dark tiles are white", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 0), b = c(0.3, 1), c = c(-1, 0))
  text <- plot_similarity(z)$layers[[2]]$data
  expect_identical(text$.ink, ifelse(abs(text$cosine) > 0.75, "white", "grey10"))
  expect_setequal(text$.ink, c("white", "grey10"))
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

test_that("cosines are drawn as they are, distances and values that are not finite are refused", {
  skip_without_package("ggplot2")
  z <- matrix(c(1, 0, 2, 1, -1, 0, 3, 1, 2), 3, dimnames = list(c("a", "b", "c"), NULL))
  expect_equal(plot_similarity(similarity(z))$data, plot_similarity(z)$data)
  expect_equal(plot_similarity(similarity(z)[1:2, 1:2])$data$cosine, as.vector(similarity(z)[1:2, 1:2]))
  z0 <- rbind(z, control = 0)
  expect_equal(plot_similarity(similarity(z0))$data, plot_similarity(z0)$data)
  expect_refused(plot_similarity(similarity(z, "euclidean")), "must hold vectors, or their cosines.*It holds distances")
  z[2, 2] <- NA
  expect_refused(plot_similarity(z), "must hold finite numbers.*1 of 3 rows.*row 2")
})

test_that("vectors without direction are left out of the heat map, which says so", {
  skip_without_package("ggplot2")
  z <- rbind(a = c(1, 0), control = c(0, 0), b = c(-1, 0.1), c = c(1, 0.1))
  p <- plot_similarity(z)
  expect_setequal(levels(p$data$row), c("a", "b", "c"))
  expect_identical(nrow(p$data), 9L)
  expect_identical(p$labels$caption, "Without direction: control")
  expect_null(plot_similarity(z[-2, ])$labels$caption)
})

test_that("more vectors than a picture has room for are averaged in squares of neighbours", {
  skip_without_package("ggplot2")
  groups <- rep(1:3, length.out = 405)
  z <- withr::with_seed(1, diag(3)[groups, ] + stats::rnorm(3 * 405, sd = 0.05))
  rownames(z) <- paste0("g", seq_len(405))
  p <- plot_similarity(z)
  expect_identical(nrow(p$data), 203L * 203L)
  expect_identical(p$labels$caption, "A square is the mean of 2 x 2 of 405 vectors, named by the first")
  cosine <- similarity(z)
  order <- rownames(z)[stats::hclust(stats::as.dist(1 - cosine), "average")$order]
  expect_identical(levels(p$data$column), order[seq(1, 405, 2)])
  of <- function(row, column) p$data$cosine[p$data$row == row & p$data$column == column]
  expect_equal(of(order[1], order[101]), mean(cosine[order[1:2], order[101:102]]))
  expect_equal(of(order[405], order[3]), mean(cosine[order[405], order[3:4]]))
  expect_silent(ggplot2::ggplot_build(p))
  # What is drawn does not hold what it was made of.
  expect_false(any(c("far", "value", "embedding") %in% ls(p$plot_env)))
})

test_that("squares are means, the last ones of fewer", {
  value <- matrix(1:15, 5, dimnames = list(letters[1:5], LETTERS[1:3]))
  expect_identical(square_side(400L), 1)
  expect_identical(square_side(401L), 2)
  expect_equal(mean_squares(value, 2), rbind(a = c(A = mean(value[1:2, 1:2]), C = mean(value[1:2, 3])),
                                             c = c(mean(value[3:4, 1:2]), mean(value[3:4, 3])),
                                             e = c(mean(value[5, 1:2]), value[5, 3])))
  expect_identical(similarity_caption(paste0("drug", 1:15), 1, 20),
                   paste0("Without direction: ", paste0("drug", 1:12, collapse = ", "), " and 3 more"))
  expect_identical(similarity_caption("A", 2, 5000), paste0("Without direction: A\n",
                   "A square is the mean of 2 x 2 of 5,000 vectors, named by the first"))
})
