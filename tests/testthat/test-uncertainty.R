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
  two <- toy_screen(covariates = c("cell_type", "donor"))
  two$split <- rep("train", 60)
  two <- untrained(two)
  asked <- every_level(two, make_targets(two, condition(drug = c("A", "B"), donor = c(NA, "d1"))))
  expect_identical(asked$from, c(1L, 1L, 1L, 1L, 2L, 2L))
  expect_identical(as.list(asked$covariates), list(cell_type = rep(two$meta$registry$covariates$cell_type, 3),
                                                   donor = rep(c("d1", "d2", "d1"), each = 2)))
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
                 "Some perturbed training condition must have at least")
  # What most conditions have, not what the controls have.
  cells <- dosed_cells()
  keep <- cells$col_data$drug == "control" | rep(1:12, 7) <= 6
  wells <- dosed_fit(cells = list(x = cells$x[, keep], col_data = cells$col_data[keep, ]))
  expect_refused(prediction_uncertainty(wells, condition("B")),
                 "largest has 2, half of the 8 have 2 or more\\. i Write `min_cells = 2`\\.$")
  expect_refused(prediction_uncertainty(wells, condition("B"), min_cells = 3), "Some perturbed training condition")
  expect_refused(prediction_uncertainty(wells), "Write condition\\(drug = \"A\", cell_type = \"NK\", dose = 1\\)")
  expect_refused(prediction_uncertainty(fit, condition(condition = "IFNb"), min_cells = 0),
                 "`min_cells` must be")
})

distance_names <- c("cosine", "nearest_cosine", "euclidean", "nearest_euclidean")
distances_in <- function(table, rows = TRUE) lapply(rlang::set_names(distance_names), function(n) table[[n]][rows])

test_that("predictions have the distances of their conditions, cell by cell", {
  cells <- small_cells()
  fit <- small_fit()
  what <- condition(condition = c("IFNb", "control"))
  ask <- function(..., x = cells$x) predict(fit, x, what, col_data = cells$col_data, ...)
  told <- attr(ask(uncertainty = TRUE, min_cells = 5), "col_data")
  far <- prediction_uncertainty(fit, what, min_cells = 5)
  at <- match(paste(told$cpa_condition, told$cpa_cell_type), paste(far$condition, far$cell_type))
  expect_identical(distances_in(told), distances_in(far, at))
  expect_gt(length(unique(told$euclidean)), 1)
  plain <- ask()
  expect_identical(attr(plain, "col_data"), told[setdiff(names(told), distance_names)])
  draws <- ask(type = "sample", n_samples = 2, seed = 1, uncertainty = TRUE, min_cells = 5)
  expect_identical(attr(draws, "col_data")$cosine, rep(told$cosine, each = 2))
  cells$col_data$cosine <- "mine"
  expect_identical(unique(attr(ask(uncertainty = TRUE, min_cells = 5), "col_data")$own_cosine), "mine")
})

test_that("per condition an open covariate is as far as its farthest level", {
  cells <- small_cells()
  fit <- small_fit()
  what <- rbind(condition(condition = "IFNb", cell_type = "NK"), condition(condition = "IFNb"))
  told <- attr(predict(fit, cells$x, what, col_data = cells$col_data, summarise = "condition", uncertainty = TRUE,
                       min_cells = 5), "col_data")
  expect_identical(names(told), c("cpa_condition", "cpa_source", "cpa_cell_type", "seen", distance_names, "n_cells"))
  every <- prediction_uncertainty(fit, condition(condition = "IFNb"), min_cells = 5)
  expect_identical(told$nearest_euclidean, c("NK, IFNb", every$nearest_euclidean[which.max(every$euclidean)]))
  expect_identical(told$nearest_cosine[2], every$nearest_cosine[which.max(every$cosine)])
  expect_identical(told$euclidean, c(0, max(every$euclidean)))
  expect_identical(told$cosine, c(0, max(every$cosine)))
  expect_gt(told$cosine[2], 0)
  expect_identical(told$seen[2], "drug new to covariate")
})

test_that("every container and every kind of model tells the distances", {
  what <- condition(condition = "IFNb", cell_type = "B")
  far <- prediction_uncertainty(small_fit(), what, min_cells = 5)
  in_sce <- predict(small_fit(), small_sce(), what, uncertainty = TRUE, min_cells = 5)
  expect_identical(unique(as.data.frame(SummarizedExperiment::colData(in_sce)[distance_names])$cosine), far$cosine)
  in_seurat <- predict(small_fit(), small_seurat(), what, uncertainty = TRUE, min_cells = 5)
  expect_identical(unique(in_seurat[["nearest_euclidean"]][, 1]), far$nearest_euclidean)
  cells <- small_cells()
  features <- matrix(c(0, 1, 1, 0), 2, dimnames = list(c("control", "IFNb"), NULL))
  fits <- list(
    scgen(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
          col_data = cells$col_data,
          settings = scgen_settings(epochs = 1, dim = 6, autoencoder_width = 16, seed = 1, verbose = FALSE)),
    chemcpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split", molecules = features,
            col_data = cells$col_data, settings = chemcpa_settings(epochs = 1, dim = 6, seed = 1, verbose = FALSE))
  )
  for (fit in fits) {
    told <- attr(predict(fit, cells$x, what, col_data = cells$col_data, summarise = "condition", uncertainty = TRUE,
                         min_cells = 5), "col_data")
    expect_identical(distances_in(told), distances_in(prediction_uncertainty(fit, what, min_cells = 5)))
  }
  both <- attr(ask_both(multi_fit(), uncertainty = TRUE, min_cells = 5), "col_data")
  expect_length(both$euclidean, nrow(both))
  expect_true(all(both$euclidean >= 0))
})

test_that("distances that there are not are refused", {
  cells <- small_cells()
  what <- condition(condition = "IFNb", cell_type = "B")
  ask <- function(..., fit = small_fit()) predict(fit, cells$x, what, col_data = cells$col_data, ...)
  expect_refused(ask(uncertainty = "yes"), "`uncertainty` must be `TRUE` or `FALSE`")
  expect_refused(ask(min_cells = 5), "`min_cells` must be left out unless `uncertainty = TRUE`")
  expect_refused(ask(uncertainty = TRUE, min_cells = 0), "`min_cells` must be")
  expect_refused(ask(uncertainty = TRUE, min_cells = 1e6), "Some perturbed training condition must have at least")
  simple <- baseline_fit(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
                         col_data = cells$col_data)
  expect_refused(ask(uncertainty = TRUE, fit = simple), "must be FALSE for a baseline.*no latent space")
  unknown <- small_fit()
  unknown$meta$conditions$split <- character()
  expect_refused(ask(uncertainty = TRUE, fit = unknown), "must know the conditions that it was trained on")
})

test_that("a batch is no part of a condition, nor is the value of a continuous covariate", {
  cells <- small_cells()
  cells$col_data$run <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  cells$col_data$age <- seq_len(ncol(cells$x)) %% 7
  fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", batch = "run", continuous = "age",
             split = "split", col_data = cells$col_data, settings = quick_settings(1))
  named <- condition(condition = "IFNb", cell_type = "B", run = "r2")
  expect_refused(prediction_uncertainty(fit, named, min_cells = 5),
                 "must leave the batch out here.*It names run = \"r2\".*Leave it out\\.$")
  expect_refused(prediction_uncertainty(fit), "Write condition\\(condition = \"IFNb\", cell_type = \"[^\"]*\"\\)")
  aged <- condition(condition = "IFNb", cell_type = "B", age = 3)
  expect_refused(prediction_uncertainty(fit, aged, min_cells = 5), "must leave \"age\" out here.*Leave it out\\.$")
  far <- prediction_uncertainty(fit, condition(condition = "IFNb", cell_type = "B"), min_cells = 5)
  for (what in list(named, aged)) {
    told <- predict(fit, cells$x, what, col_data = cells$col_data, uncertainty = TRUE, min_cells = 5)
    expect_identical(unique(attr(told, "col_data")$euclidean), far$euclidean)
  }
})
