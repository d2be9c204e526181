scored_rows <- function(screen, groups, what) {
  label <- condition_label(groups$parts, NULL)
  data.frame(group = which(paste(groups$covariates$cell_type, label) %in% what))
}

reference_of <- function(screen, groups, rows) {
  control <- evaluation_controls(screen, groups, cbind(rows, split = NA),
                                 r2_options(fit_of_loss("gauss"), "compert", list()))
  stats <- group_statistics(screen$x, control$reference_of_cell, control$n_reference, 0)
  take_groups(stats, control$reference)
}

test_that("the additive baseline is exact where effects add", {
  screen <- additive_screen()
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  rows <- scored_rows(screen, groups, c("K562 A+B", "A549 A"))
  train <- screen$split == "train" &
    !(screen$covariates$cell_type == "A549" & vapply(screen$parts, identical, NA, "A"))
  additive <- additive_baseline(screen, groups, rows, train, reference_of(screen, groups, rows))
  truth <- core_group_stats(screen$x, groups$of_cell - 1L, groups$n)$mean[, rows$group]
  expect_equal(additive$mean, truth, tolerance = 1e-12, ignore_attr = TRUE)
  expect_identical(additive$note, c(NA_character_, NA_character_))
})

test_that("the shift of the same condition elsewhere comes before the sum of parts", {
  screen <- additive_screen()
  both <- screen$covariates$cell_type == "K562" & lengths(screen$parts) == 2
  screen$x[1, both] <- screen$x[1, both] + 10
  screen$split[both] <- "train"
  groups <- condition_groups(untrained(screen), screen)
  known <- training_shifts(screen, groups, screen$split == "train")
  g <- match("A549", groups$covariates$cell_type)
  asked <- groups
  asked$what[g] <- groups$what[lengths(groups$parts) == 2]
  asked$control[g] <- FALSE
  expect_equal(additive_shift(known, asked, g)$shift[1], 11)
  expect_equal(additive_shift(known, groups, which(lengths(groups$parts) == 2))$shift[1], 1)
})

test_that("a perturbation whose name is part of another's is not taken for it", {
  toy <- additive_cells()
  toy$col_data$drug <- sub("A", "CBL", sub("B", "CBLB", toy$col_data$drug, fixed = TRUE))
  toy$col_data$drug[toy$col_data$drug == "CBLLBLB"] <- "CBL"
  toy$col_data$drug <- rep(c("control", "CBL", "CBLB", "CBL+CBLB"), c(12, 12, 12, 6))
  keys <- new_keys("drug", dose = "dose", covariates = "cell_type", control = "control",
                   split = "split")
  screen <- as_screen(toy$x, keys, col_data = toy$col_data)
  groups <- condition_groups(untrained(screen), screen)
  train <- screen$split == "train" & !vapply(screen$parts, identical, NA, "CBL")
  known <- training_shifts(screen, groups, train)
  answer <- additive_shift(known, groups, which(lengths(groups$parts) == 2))
  expect_null(answer$shift)
  expect_match(answer$note, "\"CBL\"", fixed = TRUE)
})

test_that("what was measured nowhere else has no additive baseline, and says so", {
  screen <- additive_screen()
  screen$split[screen$covariates$cell_type == "A549" & !screen$control] <- "ood"
  groups <- condition_groups(untrained(screen), screen)
  rows <- scored_rows(screen, groups, "K562 A")
  additive <- additive_baseline(screen, groups, rows, screen$split == "train",
                                reference_of(screen, groups, rows))
  expect_true(all(is.na(additive$mean)))
  expect_match(additive$note, "no training cells with \"A\" alone")
})

test_that("without a split column baselines learn from conditions of the training only", {
  screen <- additive_screen()
  fit <- untrained(screen)
  screen["split"] <- list(NULL)
  groups <- condition_groups(fit, screen)
  scored <- screen$covariates$cell_type == "K562" & vapply(screen$parts, identical, NA, "A")
  train <- training_cells(fit, screen, groups, ifelse(scored, 1L, NA))
  expect_identical(train, !scored & lengths(screen$parts) == 1L)
  screen$split <- rep(c("train", "test"), length.out = ncol(screen$x))
  expect_identical(training_cells(fit, screen, groups, NULL), screen$split == "train")
})

test_that("parts are taken at the nearest dose, by ratio", {
  expect_identical(dose_distance(c(1, 10, 0), 1)[1], 0)
  expect_lt(dose_distance(3, 10), dose_distance(3, 0.5))
  expect_gt(dose_distance(0, 1e-3), dose_distance(1e3, 1e-3))
  expect_identical(dose_distance(0, 0), 0)
})

test_that("the control baseline is the controls", {
  stats <- list(mean = matrix(1:4, 2), variance = matrix(4:1, 2))
  expect_identical(control_baseline(stats), stats)
})
