# Screens written as a dose matrix: every well is "A+B", and a part that was left out has dose 0.

matrix_cells <- function() {
  one <- expand.grid(a = c(0, 1, 2), b = c(0, 5), cell = 1:8)
  nothing <- one$a == 0 & one$b == 0
  cells <- data.frame(drug = ifelse(nothing, "control", "A+B"),
                      dose = ifelse(nothing, "0", paste(one$a, one$b, sep = "+")),
                      split = rep(c("train", "train", "train", "test"), each = 6, length.out = 48))
  alone <- which(one$a == 1 & one$b == 0)[1:4]
  cells[alone, c("drug", "dose")] <- list("A", "1")
  shift <- outer(c(2, 1, 0, 0), one$a) + outer(c(0, 0, 1, 1), one$b / 5)
  x <- 3 + shift + outer(1:4, one$cell, function(g, i) sin(3 * g + i)) / 10
  dimnames(x) <- list(paste0("g", 1:4), paste0("c", 1:48))
  rownames(cells) <- colnames(x)
  list(x = x, col_data = cells)
}

matrix_screen <- function(cells = matrix_cells(), ...) {
  keys <- new_keys("drug", dose = "dose", control = "control", split = "split")
  keys[names(list(...))] <- list(...)
  as_screen(cells$x, keys, cells$col_data)
}

matrix_fit <- local({
  made <- NULL
  function() {
    cells <- matrix_cells()
    if (is.null(made)) {
      made <<- cpa(cells$x, "drug", dose = "dose", control = "control", split = "split",
                   col_data = cells$col_data, settings = quick_settings(1))
    }
    made
  }
})

test_that("a part at dose 0 is not there where controls have dose 0, and is where they have not", {
  screen <- matrix_screen()
  at <- screen$col_data$drug == "A+B" & screen$col_data$dose == "1+0"
  expect_identical(unique(screen$parts[at]), list("A"))
  expect_identical(unique(screen$doses[at]), list(1))
  expect_identical(tidy_pairs(list(c("B", "A", "C")), list(c(0, 2, 3)), "control", TRUE),
                   list(parts = list(c("A", "C")), doses = list(c(2, 3))))
  expect_identical(tidy_pairs(list(c("A", "B")), list(c(0, 0)), "control", TRUE),
                   list(parts = list(c("A", "B")), doses = list(c(0, 0))))
  cells <- matrix_cells()
  cells$col_data$dose[cells$col_data$drug == "control"] <- "1"
  expect_identical(unique(matrix_screen(cells)$parts[at]), list(c("A", "B")))
  expect_identical(unique(matrix_screen(idle_zero = FALSE)$parts[at]), list(c("A", "B")))
})

test_that("holding A out holds A out of every well, however it is written", {
  cells <- matrix_cells()$col_data[c("drug", "dose")]
  hold <- function(out) {
    made <- split_cells(cells, "drug", dose = "dose", control = "control", hold_out = out, seed = 1,
                        verbose = FALSE)
    sort(unique(paste(made$drug, made$dose)[made$split == "ood"]))
  }
  expect_identical(hold(condition("A", dose = 1)), c("A 1", "A+B 1+0"))
  expect_identical(hold(condition("A+B", dose = c(1, 0))), c("A 1", "A+B 1+0"))
  expect_identical(hold(condition("A+B")), c("A+B 1+5", "A+B 2+5"))
  expect_identical(hold(list(n_parts = 2)), c("A+B 1+5", "A+B 2+5"))
  expect_identical(hold(list(drug = "A+B", dose = "0+5")), "A+B 0+5")
})

test_that("filters hold whole conditions out, however their cells are written", {
  cells <- matrix_cells()$col_data[c("drug", "dose")]
  hold <- function(...) {
    made <- split_cells(cells, "drug", dose = "dose", control = "control", hold_out = list(...), seed = 1,
                        verbose = FALSE)
    written <- paste(made$drug, made$dose)
    alone <- written %in% c("A 1", "A+B 1+0")
    expect_length(unique(made$split[alone] == "ood"), 1L)
    sort(unique(written[made$split == "ood"]))
  }
  for (out in list(list(drug = "A+B", dose = "1+0"), list(drug = "A", dose = "1"), list(dose = "1"),
                   list(dose = "1+0"), list(drug = "A", dose = "1+0"))) {
    expect_identical(do.call(hold, out), c("A 1", "A+B 1+0"))
  }
  expect_identical(hold(drug = "A+B"), c("A+B 1+5", "A+B 2+5"))
  expect_identical(hold(drug = "A"), c("A 1", "A+B 1+0", "A+B 2+0"))
  expect_identical(hold(drug = c("A", "A+B"), dose = c("1+0", "1+5")), c("A 1", "A+B 1+0", "A+B 1+5"))
  expect_length(hold(drug = "A+B", n = 1), 1L)
})

test_that("scores know A at 1 as one condition, seen, with its additive baseline", {
  cells <- matrix_cells()
  scores <- evaluate_r2(matrix_fit(), cells$x, col_data = cells$col_data, split = "test", min_cells = 1)
  asked <- unique(paste(scores$drug, scores$dose))
  expect_setequal(asked, c("A 1", "A 2", "B 5", "A+B 1+5", "A+B 2+5"))
  expect_true(all(is.finite(scores$r2_mean[scores$method == "additive" & scores$drug == "A+B"])))
  one <- evaluate_r2(matrix_fit(), cells$x, col_data = cells$col_data, split = "test", min_cells = 1,
                     condition = condition("A+B", dose = c(1, 0)), baselines = FALSE)
  expect_identical(unique(one$drug), "A")
  expect_identical(one$seen[1], "condition")
})

test_that("own DEGs may name parts that do not act", {
  cells <- matrix_cells()
  scores <- function(...) {
    evaluate_r2(matrix_fit(), cells$x, col_data = cells$col_data, split = "test", min_cells = 1,
                degs = list(...), baselines = FALSE, seed = 1)
  }
  plain <- scores("A@1" = c("g1", "g2"))
  expect_identical(unique(paste(plain$drug, plain$dose)[is.finite(plain$r2_mean_deg)]), "A 1")
  expect_silent(idle <- scores("A@1+B@0" = c("g1", "g2")))
  expect_equal(idle, plain)
  expect_equal(scores("B@0+A@1" = c("g1", "g2")), plain)
  expect_refused(scores("A@1" = "g1", "A@1+B@0" = "g2"), "are the same condition")
  spelled <- function(name, idle_zero) {
    keys <- list(dose = "dose", sep = "+", control = "ctrl", idle_zero = idle_zero)
    known <- deg_names(list("A", c("A", "B")), list(1, c(0, 0)), data.frame(type = c("T", "T")), keys)
    names(spell_as_known(rlang::set_names(list(1), name), known, keys))
  }
  expect_identical(spelled("T, A@1+B@0", TRUE), "T, A@1")
  expect_identical(spelled("T, A@1+B@0", FALSE), "T, A@1+B@0")
  expect_identical(spelled("B@0+A@0", TRUE), "A@0+B@0")
  expect_identical(spelled("A@1+B@10", TRUE), "A@1+B@10")
})

test_that("measured responses and the range of doses are those of what acts", {
  cells <- matrix_cells()
  fit <- matrix_fit()
  both <- observed_response(fit, cells$x, col_data = cells$col_data, pair = c("A", "B"))
  expect_identical(anyDuplicated(both[c("dose_1", "dose_2")]), 0L)
  expect_identical(nrow(both), 5L)
  single <- observed_response(fit, cells$x, col_data = cells$col_data, perturbation = "A")
  expect_identical(single$n_cells, c(8L, 8L))
  expect_identical(fit$meta$registry$dose_range$A, c(1, 2))
  expect_warning(predict(fit, cells$x, condition("A", dose = 0.1), col_data = cells$col_data),
                 class = "compert_extrapolation")
  degs <- rank_degs(cells$x, "drug", dose = "dose", control = "control", col_data = cells$col_data,
                    n_genes = 1)
  expect_setequal(paste(degs$drug, degs$dose), c("A 1", "A 2", "B 5", "A+B 1+5", "A+B 2+5"))
})

test_that("only cells of which no part acts are advised to be controls", {
  advice <- function(cells) {
    found <- check_screen(cells$x, "drug", dose = "dose", control = "control", col_data = cells$col_data)
    found$defects$given[found$defects$check == "dose 0"]
  }
  cells <- matrix_cells()
  expect_identical(advice(cells), character())
  cells$col_data$dose[cells$col_data$dose == "2+0"] <- "0+0"
  expect_match(advice(cells), "^\"A\\+B\" at dose 0")
})

test_that("where the network acts at dose 0 the parts stay", {
  cells <- matrix_cells()
  fit <- suppressWarnings(chemcpa(
    cells$x, "drug", dose = "dose", control = "control", split = "split", col_data = cells$col_data,
    molecules = cbind(f = c(A = 1, B = 2, control = 3), g = c(A = 0, B = 1, control = 1)),
    settings = quick_settings(1, parity = "chemcpa")
  ))
  expect_true("A@1+B@0" %in% fit$meta$conditions$label)
  expect_identical(make_targets(fit, condition("A+B", dose = c(1, 0)))$parts, list(c("A", "B")))
  expect_false("A@1+B@0" %in% matrix_fit()$meta$conditions$label)
})
