blobs <- function(n = 8, apart = 6) {
  withr::with_seed(4, {
    rbind(matrix(stats::rnorm(3 * n), n), matrix(stats::rnorm(3 * n), n) + apart,
          matrix(stats::rnorm(3 * n), n) - apart)
  })
}

# Point by point, as the definition says.
plain_silhouette <- function(points, labels) {
  d <- as.matrix(stats::dist(points))
  vapply(seq_along(labels), function(i) {
    to <- tapply(d[i, -i], factor(labels[-i], unique(labels)), mean)
    a <- to[[labels[i]]]
    if (is.na(a)) return(0)
    b <- min(to[names(to) != labels[i]])
    (b - a) / max(a, b)
  }, 0)
}

test_that("labels that lie apart score 1 in everything but the silhouette, which nears it", {
  points <- blobs(apart = 50)
  labels <- rep(c("x", "y", "z"), each = 8)
  scores <- embedding_clusters(points, labels)
  expect_identical(scores$label, c(NA, "x", "y", "z"))
  expect_identical(scores$n, c(24L, 8L, 8L, 8L))
  expect_equal(unlist(scores[1, 4:6], use.names = FALSE), c(1, 1, 1))
  expect_equal(scores$completeness, c(1, 1, 1, 1))
  expect_gt(scores$silhouette[1], 0.9)
})

test_that("silhouettes follow their definition, singletons have 0", {
  points <- blobs(apart = 1)
  labels <- rep(c("x", "y"), 12)
  labels[24] <- "alone"
  width <- silhouette_widths(points, factor(labels))
  expect_equal(width, plain_silhouette(points, labels), tolerance = 1e-12)
  expect_identical(width[24], 0)
  scores <- embedding_clusters(points, labels)
  expect_equal(scores$silhouette[1], mean(width))
  expect_equal(scores$silhouette[3], mean(width[labels == "x"]))
})

test_that("silhouettes follow their definition with many labels, in any order of their levels", {
  points <- withr::with_seed(2, matrix(stats::rnorm(90), 30))
  labels <- rep(paste0("l", 9:1), length.out = 30)
  expected <- plain_silhouette(points, labels)
  expect_equal(silhouette_widths(points, factor(labels)), expected, tolerance = 1e-12)
  expect_equal(silhouette_widths(points, factor(labels, unique(labels))), expected, tolerance = 1e-12)
})

test_that("cosine distances are those of directions", {
  points <- blobs(apart = 1)
  labels <- rep(c("x", "y", "z"), each = 8)
  scaled <- points * seq_len(24)
  expect_equal(embedding_clusters(points, labels, distance = "cosine"),
               embedding_clusters(scaled, labels, distance = "cosine"), tolerance = 1e-12)
  far <- 1 - similarity(points)
  own <- silhouette_widths(unit_rows(points), factor(labels), squared = TRUE)
  to <- tapply(far[1, -1], labels[-1], mean)
  expect_equal(own[1], unname((min(to[2:3]) - to[1]) / max(min(to[2:3]), to[1])))
})

test_that("homogeneity, completeness and V follow their definitions", {
  # scikit-learn: homogeneity_completeness_v_measure([0,0,1,1], [0,0,1,2]) = 1, 2/3, 0.8
  two <- cluster_agreement(table(c(0, 0, 1, 1), c(0, 0, 1, 2)))
  expect_equal(unlist(two[1:3], use.names = FALSE), c(1, 2 / 3, 0.8))
  expect_equal(mean(two$by_label), two$completeness)
  # ... ([0,0,1,1], [0,1,0,1]) = 0, 0, 0; ([0,0,1,1], [0,0,0,0]) = 0, 1, 0
  expect_equal(cluster_agreement(table(c(0, 0, 1, 1), c(0, 1, 0, 1)))$v_measure, 0)
  one <- cluster_agreement(table(c(0, 0, 1, 1), c(0, 0, 0, 0)))
  expect_equal(unlist(one[1:3], use.names = FALSE), c(0, 1, 0))
})

test_that("nothing is drawn, the order of rows does not matter, both methods find blobs", {
  points <- blobs()
  labels <- rep(c("x", "y", "z"), each = 8)
  before <- withr::with_seed(1, stats::runif(1))
  after <- withr::with_seed(1, {
    first <- embedding_clusters(points, labels)
    stats::runif(1)
  })
  expect_identical(before, after)
  shuffled <- withr::with_seed(2, sample(24))
  expect_equal(embedding_clusters(points[shuffled, ], labels[shuffled]), first)
  expect_equal(embedding_clusters(points, labels, method = "ward")$homogeneity[1], 1)
})

test_that("as many labels as rows, and rows that coincide, have scores", {
  alone <- embedding_clusters(blobs()[1:4, ], letters[1:4])
  expect_identical(alone$silhouette, rep(0, 5))
  expect_equal(alone$homogeneity[1], 1)
  same <- embedding_clusters(matrix(1, 6, 2), rep(c("a", "b"), 3))
  expect_identical(same$silhouette, rep(0, 3))
  expect_true(is.finite(same$v_measure[1]))
})

test_that("wrong questions are refused", {
  points <- blobs()
  labels <- rep(c("x", "y", "z"), each = 8)
  expect_refused(embedding_clusters(1:3, labels), "`embedding` must be a numeric matrix")
  expect_refused(embedding_clusters(points, labels[-1]), "one value per row")
  expect_refused(embedding_clusters(points, rep("x", 24)), "at least two labels.*\"x\"")
  expect_refused(embedding_clusters(points, labels, distance = "l1"), "`distance` must be one of")
  expect_refused(embedding_clusters(points, labels, method = "som"), "`method` must be one of")
  points[3, ] <- 0
  expect_refused(embedding_clusters(points, labels, distance = "cosine"), "direction.*row 3")
})
