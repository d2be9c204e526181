# Numbers named "scikit-learn" were computed with its version 1.2.1.

expect_golden_scores <- function(file) {
  read <- function(name) getExportedValue("rhdf5", "h5read")(file, name)
  # The reference's label is the drug alone; categories are "ct0_D1_1.0".
  drug <- vapply(strsplit(read("inputs/pert_category"), "_", fixed = TRUE), `[`, "", 2L)
  type <- read("inputs/cell_type")
  for (loss in c("gauss", "nb")) {
    z <- t(read(paste0(loss, "/f64/latent_basal")))
    for (classifier in c("linear", "knn")) {
      ours <- c(disentanglement_of(z, drug, classifier)$score,
                disentanglement_of(z, type, classifier)$score)
      theirs <- as.vector(read(paste0(loss, "/f64/disentanglement_", classifier)))
      expect_equal(ours, theirs, tolerance = 1e-9)
    }
  }
}

test_that("scores are those of theislab/multicpa for its latents", {
  for (file in golden_files("metrics_multi", "theislab/multicpa")) expect_golden_scores(file)
})

waves <- function() {
  i <- 1:60
  vapply(c(1, 2, 4), function(j) sin(3 * i * j + j^2) + (i %% 3 == j), 0 * i)
}

test_that("scores are scikit-learn's for two, three and rare classes", {
  z <- waves()
  i <- 1:60
  three <- c("B", "a", "c")[i %% 3 + 1]
  score <- function(z, labels) {
    c(disentanglement_of(z, labels, "linear")$score,
      unlist(disentanglement_of(z, labels, "knn")[c("score", "most_frequent")], use.names = FALSE))
  }
  expect_equal(score(z, three), c(8 / 15, 41 / 60, 1 / 3), tolerance = 1e-12)
  expect_equal(score(z + 0.4 * (i %% 2), c("B", "a")[i %% 2 + 1]), c(2 / 3, 7 / 12, 1 / 2),
               tolerance = 1e-12)
  expect_equal(score(z, ifelse(i <= 2, "rare", three)), c(0.50416666666666667, 0.6125, 0.3),
               tolerance = 1e-12)
  # In one fold nothing but "B" is there to learn from.
  expect_equal(score(z, ifelse(i <= 1, "rare", "B")), c(NA, 0.9, 0.9), tolerance = 1e-12)
})

test_that("folds are those of scikit-learn's StratifiedKFold", {
  labels <- strsplit("cabbacabacbbcaabacbdcab", "")[[1]]
  expect_identical(stratified_folds(match(labels, letters), 5L),
                   c(1L, 1L, 1L, 1L, 2L, 1L, 2L, 2L, 3L, 2L, 2L, 3L, 3L, 3L, 4L, 4L, 4L, 4L, 5L, 3L,
                     5L, 5L, 5L))
})

test_that("regressions are at their minimum, and near liblinear's", {
  z <- cbind(waves(), 1)
  y <- cbind(1:60 %% 3 == 1, 1:60 == 7, 1:60 > 30)
  w <- logistic_weights(z, y)
  expect_lt(max(abs(w + crossprod(z, stats::plogis(z %*% w) - y))), 1e-8)
  expect_equal(w[, 1], c(1.44099315, -0.7308819, -0.14496659, -0.95122155), tolerance = 1e-6)
  expect_equal(logistic_weights(z, y[, 2, drop = FALSE])[, 1], w[, 2], tolerance = 1e-8)
  # Separable, on very different scales, and a column without information.
  far <- cbind(1e3 * (1:60 - 30.2), 1e-3 * waves()[, 1], 0, 1)
  w <- logistic_weights(far, y[, 3, drop = FALSE])
  expect_true(all((far %*% w > 0) == y[, 3]))
  expect_equal(w[3, 1], 0)
})

test_that("columns are scaled by their population sd; constant ones become 0", {
  z <- standardise(cbind(c(1, 2, 3, 6), 0.1, 3e5 + c(0, 1, 0, 1)))
  expect_equal(z[, 1], c(-2, -1, 0, 3) / sqrt(3.5))
  expect_equal(z[, 2], rep(0, 4))
  expect_equal(z[, 3], c(-1, 1, -1, 1))
})

test_that("equal votes go to the first class; equal distances leave k neighbours", {
  z <- cbind(c(-1, 1, 5, 6))
  expect_identical(name_by_neighbours(z, c(2L, 1L, 2L, 2L), cbind(0), 2L), 1L)
  expect_identical(name_by_neighbours(z, c(1L, 2L, 2L, 2L), cbind(0), 1L), 1L)
  expect_identical(name_by_neighbours(cbind(rep(0, 4)), c(1L, 1L, 2L, 2L), cbind(0), 3L), 1L)
})

test_that("what lies apart is read, what is random is not", {
  z <- withr::with_seed(1, matrix(stats::rnorm(400 * 5), 400))
  labels <- rep_len(c("x", "y", "z", "x"), 400)
  for (classifier in c("linear", "knn")) {
    none <- disentanglement_of(z, labels, classifier)
    expect_lt(abs(none$score - 1 / 3), 0.1)
    expect_identical(none$chance, 1 / 3)
    expect_equal(none$most_frequent, 1 / 3)
    expect_identical(c(none$n_classes, none$n_cells), c(3L, 400L))
    apart <- z + 20 * match(labels, c("y", "z", "x")) * rep(c(1, 0, 0, 0, 0), each = 400)
    apart[, 2] <- apart[, 2] + 20 * (labels == "z")
    expect_identical(disentanglement_of(apart, labels, classifier)$score, 1)
    # Names of classes and scales of dimensions do not matter.
    renamed <- c(x = "1", y = "2", z = "3")[labels]
    expect_equal(disentanglement_of(z * rep(1:5, each = 400) + 7, renamed, classifier)$score,
                 none$score)
  }
  alone <- disentanglement_of(z, rep("x", 400), "linear")
  expect_identical(c(alone$score, alone$chance, alone$most_frequent), c(NA, 1, NA))
})

test_that("a fit's basal states are scored per label, split by split", {
  cells <- small_cells()
  fit <- small_fit()
  table <- disentanglement(fit, cells$x, col_data = cells$col_data)
  expect_s3_class(table, "tbl_df")
  expect_identical(names(table), c("label", "classifier", "score", "chance", "most_frequent",
                                   "n_classes", "n_cells"))
  expect_identical(table$label, c("perturbation", "cell_type"))
  test <- which(cells$col_data$split == "test")
  expect_identical(unique(table$n_cells), length(test))
  z <- cell_embedding(fit, cells$x, "basal", col_data = cells$col_data)
  own <- disentanglement_of(z[test, ], cells$col_data$cell_type[test], "linear")
  expect_equal(as.list(table[2, -1]), as.list(own), tolerance = 1e-6)

  every <- disentanglement(fit, cells$x, col_data = cells$col_data, split = NULL,
                           classifier = "knn")
  expect_identical(every$n_cells, rep(ncol(cells$x), 2))
  expect_equal(every$score[1], disentanglement_of(z, cells$col_data$condition, "knn")$score,
               tolerance = 1e-6)
  both <- disentanglement(fit, cells$x, col_data = cells$col_data, split = c("train", "test"))
  expect_identical(unique(both$n_cells), sum(cells$col_data$split != "ood"))
  # All held-out cells are B cells under interferon.
  ood <- disentanglement(fit, cells$x, col_data = cells$col_data, split = "ood")
  expect_identical(ood$n_classes, c(1L, 1L))
  expect_identical(ood$score, c(NA_real_, NA_real_))
})

test_that("doses make classes when asked; controls are one class", {
  screen <- additive_screen()
  screen$doses[screen$control] <- as.list(rep_len(1:3, sum(screen$control)))
  screen$doses[[which(!screen$control)[1]]] <- 2
  fit <- untrained(screen)
  labels <- function(dose) latent_labels(fit, screen, dose)
  expect_identical(names(labels(FALSE)), c("perturbation", "cell_type"))
  expect_setequal(labels(FALSE)$perturbation, c("control", "A", "B", "A+B"))
  expect_setequal(labels(TRUE)$perturbation, c("control", "A@1", "A@2", "B@1", "A@1+B@1"))
  expect_identical(labels(TRUE)$cell_type, as.character(screen$covariates$cell_type))
})

test_that("small classes are named once; labels without a class of five are refused", {
  labels <- list(perturbation = rep(c("a", "b{1}"), c(6, 4)), cell_type = rep(c("x", "y"), c(9, 1)),
                 donor = rep(c("d", "e"), 5))
  expect_message(check_class_sizes(labels),
                 "\"b\\{1\\}\" \\(perturbation\\); \"y\" \\(cell_type\\)")
  expect_silent(check_class_sizes(labels["donor"]))
  labels$plate <- rep(1:5, 2)
  expect_error(check_class_sizes(labels), "at least 5 cells.*All classes of \"plate\"")
})

test_that("one latent dimension is enough for either classifier", {
  z <- matrix(c(1:20, 101:120))
  labels <- rep(c("low", "high"), each = 20)
  for (classifier in c("linear", "knn")) expect_equal(disentanglement_of(z, labels, classifier)$score, 1)
})

test_that("the automatic split is drawn again for the same cells only", {
  cells <- small_cells()
  table <- cells$col_data[c("condition", "cell_type")]
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control", covariates = "cell_type",
                              col_data = table, settings = quick_settings(1)))
  n <- disentanglement(fit, cells$x, col_data = table)$n_cells[1]
  expect_gt(n, 0.15 * ncol(cells$x))
  expect_lt(n, 0.35 * ncol(cells$x))
  expect_error(disentanglement(fit, cells$x[, -1], col_data = table[-1, ]),
               "must have the split column.*split = NULL")
  whole <- disentanglement(fit, cells$x[, -1], col_data = table[-1, ], split = NULL)
  expect_identical(whole$n_cells[1], ncol(cells$x) - 1L)
})

test_that("wrong questions are refused", {
  cells <- small_cells()
  fit <- small_fit()
  ask <- function(..., keep = seq_len(ncol(cells$x))) {
    disentanglement(fit, cells$x[, keep], ..., col_data = cells$col_data[keep, ])
  }
  expect_error(disentanglement(fit), "`newdata` must be given")
  expect_error(ask(classifier = "svm"), "`classifier` must be one of")
  expect_error(ask(split = "dev"), "`split` must be some of")
  expect_error(ask(dose = NA), "`dose` must be")
  expect_error(ask("test"), "by name")
  train <- which(cells$col_data$split == "train")
  expect_error(ask(keep = train), "cells of the split \"test\".*Its cells are in \"train\"")
  expect_error(ask(keep = utils::head(which(cells$col_data$split == "test"), 3)),
               "at least 5 cells.*\"perturbation\", \"cell_type\"")
})

test_that("the smallest values are the first of a stable order", {
  values <- c(round(sin(1:997), 2), rep(-0.999, 9), 3)
  for (k in c(1, 2, 7, 31, 600, 1007)) {
    expect_identical(sort(k_smallest(values, k)), sort(order(values)[seq_len(k)]))
  }
  expect_identical(k_smallest(c(2, 1, 1), 2), 2:3)
})

test_that("weights of classes alone are at the minimum of the penalised regression", {
  size <- c(1, 3, 500, 999, 1)
  b <- best_constants(size, 1000)
  expect_lt(max(abs(b + 1000 * stats::plogis(b) - size)), 1e-3)
  expect_identical(b[5], b[1])
})
