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

baseline_of <- function(name, screen, groups, rows, train) {
  baseline_methods(name, screen, groups, rows, train, reference_of(screen, groups, rows), 0)[[name]]
}

test_that("the additive baseline is exact where effects add", {
  screen <- additive_screen()
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  rows <- scored_rows(screen, groups, c("K562 A+B", "A549 A"))
  train <- screen$split == "train" &
    !(screen$covariates$cell_type == "A549" & vapply(screen$parts, identical, NA, "A"))
  additive <- baseline_of("additive", screen, groups, rows, train)
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
  known <- training_shifts(training_statistics(screen$x, groups, screen$split == "train"), groups, 0)
  g <- match("A549", groups$covariates$cell_type)
  asked <- groups
  asked$what[g] <- groups$what[lengths(groups$parts) == 2]
  asked$control[g] <- FALSE
  known_asked <- training_shifts(training_statistics(screen$x, asked, screen$split == "train"), asked, 0)
  expect_equal(additive_shift(known_asked, asked, g)$shift[1], 11)
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
  known <- training_shifts(training_statistics(screen$x, groups, train), groups, 0)
  answer <- additive_shift(known, groups, which(lengths(groups$parts) == 2))
  expect_null(answer$shift)
  expect_match(answer$note, "\"CBL\"", fixed = TRUE)
})

test_that("what was measured nowhere else has no additive baseline, and says so", {
  screen <- additive_screen()
  screen$split[screen$covariates$cell_type == "A549" & !screen$control] <- "ood"
  groups <- condition_groups(untrained(screen), screen)
  rows <- scored_rows(screen, groups, "K562 A")
  additive <- baseline_of("additive", screen, groups, rows, screen$split == "train")
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
  screen <- additive_screen()
  groups <- condition_groups(untrained(screen), screen)
  rows <- scored_rows(screen, groups, c("K562 A", "A549 B"))
  control <- baseline_of("control", screen, groups, rows, NULL)
  expect_identical(control[c("mean", "variance")], reference_of(screen, groups, rows))
})

test_that("without controls of the same covariates every baseline says why it is missing", {
  screen <- additive_screen()
  screen$control[screen$covariates$cell_type == "K562"] <- FALSE
  groups <- condition_groups(untrained(screen), screen)
  rows <- scored_rows(screen, groups, "K562 A")
  for (one in baseline_methods(c("control", "additive"), screen, groups, rows, screen$split == "train",
                               reference_of(screen, groups, rows), 0)) {
    expect_true(all(is.na(one$mean)))
    expect_identical(one$note, "no control cells of the same covariates")
  }
})

# Cells of one type under A, B, A+B and C at doses 1, 10 and 100; the mean of gene 1 is what `effect` says.
dose_grid_screen <- function() {
  one <- data.frame(drug = c("control", "A", "A", "A", "B", "B", "C", "A+B"),
                    dose = c("0", "1", "10", "100", "1", "10", "100", "1+1"),
                    effect = c(0, 1, 4, 7, 3, 5, 20, 6))
  one <- one[rep(seq_len(nrow(one)), each = 4), ]
  x <- rbind(one$effect + rep(c(-1, 0, 0, 1), nrow(one) / 4) * one$effect, 1, 2) + 5
  dimnames(x) <- list(paste0("g", 1:3), paste0("c", seq_len(ncol(x))))
  rownames(one) <- colnames(x)
  one$split <- "train"
  as_screen(x, new_keys("drug", dose = "dose", control = "control", split = "split"), col_data = one)
}

# What the baseline adds to gene 1 of one condition.
added_to <- function(name, what, train = TRUE, screen = dose_grid_screen()) {
  groups <- condition_groups(untrained(screen), screen)
  rows <- data.frame(group = match(what, condition_label(groups$parts, groups$doses)))
  one <- baseline_of(name, screen, groups, rows, rep_len(train, ncol(screen$x)))
  list(shift = one$mean[1] - 5, variance = one$variance[1], note = one$note)
}

test_that("the mean baseline is the mean shift of the other perturbations at the same dose", {
  expect_equal(added_to("mean", "A@1")$shift, mean(c(3, 6)))
  expect_equal(added_to("mean", "A@10")$shift, 5)
  expect_equal(added_to("mean", "B@10")$shift, 4)
  # A combination of doses 1 and 1 has dose 1.
  expect_equal(added_to("mean", "A@1+B@1")$shift, mean(c(1, 3)))
  expect_equal(added_to("mean", "C@100")$shift, 7)
  expect_equal(added_to("mean", "C@100")$variance, 0)
})

test_that("the mean baseline takes all doses where no other perturbation has this one", {
  screen <- dose_grid_screen()
  drug <- vapply(screen$parts, paste, "", collapse = "+")
  dose <- vapply(screen$doses, `[`, 0, 1L)
  train <- !(drug == "A" & dose == 100)
  expect_equal(added_to("mean", "C@100", train)$shift, mean(c(1, 4, 3, 5, 6)))
  expect_equal(added_to("mean", "C@100", train & drug != "C")$shift, mean(c(1, 4, 3, 5, 6)))
  alone <- added_to("mean", "C@100", drug %in% c("control", "C"))
  expect_identical(alone$shift, NA_real_)
  expect_match(alone$note, "no training cells of other perturbations under the same covariates")
})

test_that("the mean baseline is that of the same covariates", {
  screen <- additive_screen()
  groups <- condition_groups(untrained(screen), screen)
  rows <- scored_rows(screen, groups, "A549 A")
  screen$x[, screen$covariates$cell_type == "K562"] <- 50
  reference <- reference_of(screen, groups, rows)
  other <- baseline_of("mean", screen, groups, rows, screen$split == "train")
  expect_equal(unname(other$mean - reference$mean), cbind(c(0, -1, 1, 3, 0, 0)))
})

test_that("interpolation is the line over the logarithm of the dose between the neighbours", {
  middle <- added_to("interpolation", "A@10")
  expect_equal(middle$shift, 4)
  expect_equal(middle$variance, mean(c(0.5, 24.5)))
  screen <- dose_grid_screen()
  screen$x[1, vapply(screen$doses, identical, NA, 100)] <- 5 + 11
  expect_equal(added_to("interpolation", "A@10", screen = screen)$shift, mean(c(1, 11)))
  screen$doses[vapply(screen$parts, identical, NA, "A") & vapply(screen$doses, identical, NA, 1)] <- list(0)
  expect_equal(added_to("interpolation", "A@10", screen = screen)$shift, 1 + 0.1 * 10)
  for (what in c("A@1", "A@100", "B@10", "C@100")) {
    outer <- added_to("interpolation", what)
    expect_identical(outer$shift, NA_real_)
    expect_match(outer$note, "at a lower and a higher dose under the same covariates")
  }
  expect_match(added_to("interpolation", "A@1+B@1")$note, "no line between doses of a combination")
})

test_that("names of baselines are checked; TRUE stands for two", {
  expect_identical(check_baselines(TRUE), c("control", "additive"))
  expect_identical(check_baselines(FALSE), character())
  expect_identical(check_baselines(c("mean", "control")), c("mean", "control"))
  expect_refused(check_baselines("linear"), "`baselines` must be some of .*\"interpolation\"")
  expect_refused(check_baselines(NA), "`baselines` must be some of")
})

test_that("baselines take time in proportion to the number of conditions", {
  n <- 6000L
  cells <- data.frame(drug = c("control", paste0("p", seq_len(n))), split = "train")
  x <- rbind(seq_len(n + 1) %% 7, 1)
  dimnames(x) <- list(c("g1", "g2"), paste0("c", seq_len(n + 1)))
  rownames(cells) <- colnames(x)
  screen <- as_screen(x, new_keys("drug", control = "control", split = "split"), col_data = cells)
  groups <- condition_groups(untrained(screen), screen)
  rows <- data.frame(group = which(!groups$control))
  reference <- list(mean = matrix(0, 2, n), variance = matrix(0, 2, n))
  took <- system.time(baseline_methods(c("additive", "mean", "interpolation"), screen, groups, rows,
                                       rep(TRUE, n + 1), reference, 1))[["elapsed"]]
  expect_lt(took, 10)
})

test_that("of doses that are equally near the mean is taken", {
  groups <- list(place = c("k", "k", "k", "k"), doses = list(0.1, 10, 1, 100))
  known <- list(single = list(A = c(1L, 2L, 4L)))
  expect_identical(part_groups(known, groups, 3L, "A", 1), c(1L, 2L))
})

test_that("training without controls is told as the reason", {
  screen <- additive_screen()
  screen$split[screen$control] <- "test"
  fit <- untrained(screen)
  groups <- condition_groups(fit, screen)
  rows <- list(group = which(!groups$control))
  reference <- list(mean = matrix(0, nrow(screen$x), length(rows$group)),
                    variance = matrix(1, nrow(screen$x), length(rows$group)))
  methods <- baseline_methods(c("additive", "mean"), screen, groups, rows, screen$split == "train", reference, 1)
  for (method in methods) expect_identical(unique(method$note), "no training cells of controls")
})
