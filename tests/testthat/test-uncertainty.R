test_that("a training condition is at distance 0 and names itself", {
  far <- prediction_uncertainty(small_fit(), condition(condition = "IFNb", cell_type = "NK"),
                                min_cells = 5)
  expect_identical(names(far), c("cell_type", "condition", "dose", "seen", "cosine",
                                 "nearest_cosine", "euclidean", "nearest_euclidean"))
  expect_identical(far$seen, "condition")
  expect_identical(far$cosine, 0)
  expect_identical(far$euclidean, 0)
  expect_identical(far$nearest_euclidean, "NK, IFNb")
  expect_identical(far$nearest_cosine, "NK, IFNb")
})

test_that("rounding leaves nothing of the distance of a condition from itself", {
  at <- withr::with_seed(1, matrix(stats::rnorm(60), 12))
  far <- latent_distances(at, at, seq_len(12))
  expect_gt(max(abs(latent_distances(at, at)$cosine)), 0)
  expect_identical(far$cosine, rep(0, 12))
  expect_identical(far$at_cosine, seq_len(12))
  expect_identical(latent_distances(rbind(0, 1), rbind(0, 1), 1:2)$cosine, c(NA, 0))
})

test_that("distances are those of the sums of embeddings", {
  fit <- small_fit()
  far <- prediction_uncertainty(fit, condition(condition = "IFNb", cell_type = "B"), min_cells = 5)
  v <- perturbation_embedding(fit)
  e <- covariate_embedding(fit, "cell_type")
  known <- trained_conditions(fit)
  t <- v[unlist(known$parts), ] + e[known$covariates$cell_type, ]
  q <- v["IFNb", ] + e["B", ]
  expect_identical(far$seen, "drug new to covariate")
  expect_equal(far$euclidean, min(sqrt(colSums((t(t) - q)^2))), tolerance = 1e-6)
  cosine <- 1 - (t %*% q) / sqrt(rowSums(t^2) * sum(q^2))
  expect_equal(far$cosine, min(cosine), tolerance = 1e-5)
  expect_gt(far$euclidean, 0)
})

test_that("doses beyond the trained ones lie ever farther", {
  doses <- c(1, 2, 10, 100)
  asked <- condition_grid(condition = "IFNb", dose = doses, cell_type = "NK")
  far <- prediction_uncertainty(small_fit(settings = quick_settings(doser_type = "linear")), asked,
                                min_cells = 5)
  expect_identical(far$euclidean[1], 0)
  expect_true(all(diff(far$euclidean[order(far$dose)]) > 0))
})

test_that("open covariates are asked for at every level", {
  far <- prediction_uncertainty(small_fit(), condition(condition = "IFNb"), min_cells = 5)
  expect_identical(far$cell_type, c("B", "CD14+Mono", "NK"))
  plain <- toy_screen(covariates = NULL)
  plain$split <- rep("train", 60)
  plain <- untrained(plain)
  asked <- condition(drug = c("A", "B"), dose = c(0.5, 2))
  asked <- every_level(plain, make_targets(plain, asked))
  expect_identical(dim(asked$covariates), c(2L, 0L))
  expect_identical(asked$parts, list("A", "B"))
})

test_that("conditions with few cells are no reference, and batches count together", {
  screen <- additive_screen()
  fit <- untrained(screen)
  expect_identical(length(reference_conditions(fit, 6)$parts), 6L)
  expect_refused(reference_conditions(fit, 7), "at least 7 cells.*has 6.*min_cells = 6")
  fit$meta$conditions$n_cells[fit$meta$conditions$label == "A@1"] <- 3L
  expect_false("A" %in% unlist(reference_conditions(fit, 6)$parts))
  toy <- toy_screen(batch = "donor", split = NULL)
  toy$split <- rep("train", 60)
  many <- reference_conditions(untrained(toy), 1)
  expect_identical(length(many$parts), 8L)
  expect_identical(names(many$covariates), "cell_type")
})

test_that("a vector of length 0 has no direction", {
  far <- latent_distances(rbind(c(0, 0), c(3, 4)), rbind(c(0, 0), c(3, 0)))
  expect_identical(far$cosine, c(NA, 1 - 9 / 15))
  expect_identical(far$at_cosine, c(NA, 2L))
  expect_identical(far$euclidean, c(0, 4))
  expect_identical(far$at_euclidean, c(1L, 2L))
})

test_that("of conditions in one direction each names itself, any other the nearest", {
  known <- outer(c(0.1, 0.3, 1, 3), c(1, 2, 3) / 7)
  asked <- rbind(known, known[4, ] * 10)
  own <- c(1:4, NA)
  far <- latent_distances(asked, known, own)
  expect_identical(far$at_cosine, c(1:4, 4L))
  expect_identical(far$at_euclidean, c(1:4, 4L))
  # Two names with one vector.
  twins <- latent_distances(known[c(1, 1), ], known[c(1, 1), ], 1:2)
  expect_identical(twins$at_cosine, 1:2)
  expect_identical(twins$at_euclidean, 1:2)
})

test_that("conditions are compared some at a time", {
  known <- withr::with_seed(1, matrix(stats::rnorm(60), 12))
  asked <- rbind(known[c(3, 5), ], withr::with_seed(2, matrix(stats::rnorm(30), 6)))
  own <- c(3L, NA, rep(NA, 6))
  whole <- latent_distances(asked, known, own)
  expect_equal(latent_distances(asked, known, own, pairs = 20), whole)
  each <- apply(asked, 1, function(a) min(sqrt(colSums((t(known) - a)^2))))
  expect_equal(whole$euclidean, each)
  expect_identical(whole$euclidean[2], 0)
})

test_that("wrong questions are refused", {
  fit <- small_fit()
  expect_refused(prediction_uncertainty(fit), "`condition` must name")
  expect_refused(prediction_uncertainty(fit, condition(condition = "IFNg")), "IFNg")
  expect_refused(prediction_uncertainty(fit, condition(condition = "IFNb"), min_cells = 1e6),
                 "Some training condition must have at least")
  expect_refused(prediction_uncertainty(fit, condition(condition = "IFNb"), min_cells = 0),
                 "`min_cells` must be")
})
