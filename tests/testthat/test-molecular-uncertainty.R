drugs <- function(n = 24, d = 20) {
  z <- withr::with_seed(5, matrix(stats::rnorm(n * d), n))
  rownames(z) <- paste0("drug", seq_len(n))
  z
}

test_that("entropy over the logarithm of the distances, as written in the formula", {
  z <- drugs()
  pathway <- stats::setNames(rep(c("HDAC", "MEK", "CDK"), 8), rownames(z))
  out <- molecular_uncertainty(z, pathway, k = 5, dims = 4)
  expect_identical(out$drug, rownames(z))
  points <- stats::prcomp(z, scale. = TRUE)$x[, 1:4] * sqrt(24 / 23)  # denominator n
  far <- as.matrix(stats::dist(points))[7, ]
  near <- setdiff(order(far), 7)[1:5]
  p <- table(pathway[near]) / 5
  p <- p[p > 0]
  expect_equal(out$entropy[7], -sum(p * log2(p)))
  expect_equal(out$distance[7], sum(far[near]))
  expect_equal(out$uncertainty[7], out$entropy[7] / log(out$distance[7]))
  expect_identical(out$nearest[7], rownames(z)[near[1]])
  expect_identical(unique(out$k), 5L)
  # Ten neighbours in scanpy are nine others.
  expect_identical(unique(molecular_uncertainty(z, pathway)$k), 9L)
})

test_that("neighbours of one pathway leave no uncertainty", {
  z <- drugs()
  z[1:12, ] <- z[1:12, ] + 20
  pathway <- stats::setNames(rep(c("HDAC", "MEK"), each = 12), rownames(z))
  expect_identical(molecular_uncertainty(z, pathway)$uncertainty, rep(0, 24))
})

test_that("drugs without a pathway are nobody's neighbours but have a value", {
  z <- drugs()
  pathway <- c(drug1 = "HDAC", drug2 = "MEK", drug3 = NA, drug4 = "", other = "CDK")
  out <- molecular_uncertainty(z, pathway)
  expect_identical(unique(out$k[-(1:2)]), 2L)
  expect_identical(out$k[1:2], c(1L, 1L))
  expect_true(all(out$nearest %in% c("drug1", "drug2")))
  expect_identical(out$pathway[1:4], c("HDAC", "MEK", NA, NA))
  expect_identical(out$entropy[3], 1)
})

test_that("columns without spread are left out; coincident drugs have no value", {
  z <- drugs()
  pathway <- stats::setNames(rep(c("HDAC", "MEK"), 12), rownames(z))
  expect_equal(molecular_uncertainty(cbind(z, 7), pathway), molecular_uncertainty(z, pathway))
  z[] <- 1
  expect_identical(molecular_uncertainty(z, pathway)$uncertainty, rep(NA_real_, 24))
})

test_that("every drug has its own neighbours", {
  z <- drugs()
  pathway <- stats::setNames(rep(c("HDAC", "MEK", NA, "CDK"), 6), rownames(z))
  out <- molecular_uncertainty(z, pathway, k = 4)
  far <- as.matrix(stats::dist(standard_scores(z, 15L)))
  known <- which(!is.na(pathway))
  for (i in seq_len(nrow(z))) {
    near <- setdiff(known[order(far[i, known])], i)[1:4]
    expect_equal(out$distance[i], sum(far[i, near]))
    expect_identical(out$nearest[i], rownames(z)[near[1]])
    share <- table(pathway[near]) / 4
    expect_equal(out$entropy[i], -sum(share * log2(share)))
  }
})

test_that("wrong questions are refused", {
  z <- drugs()
  pathway <- stats::setNames(rep("HDAC", 24), rownames(z))
  expect_refused(molecular_uncertainty(unname(z), pathway), "names of the drugs.*It has none")
  twice <- z
  rownames(twice)[2] <- "drug1"
  expect_refused(molecular_uncertainty(twice, pathway), "\"drug1\" is there twice")
  expect_refused(molecular_uncertainty(z, unname(pathway)), "without names")
  expect_refused(molecular_uncertainty(z, pathway[1]), "at least two drugs.*those of 1")
  expect_refused(molecular_uncertainty(z, pathway, k = 0), "`k` must be")
  expect_refused(molecular_uncertainty(z, pathway, dims = 0), "`dims` must be")
  expect_refused(molecular_uncertainty("a", pathway), "`embedding` must be a numeric matrix")
})
