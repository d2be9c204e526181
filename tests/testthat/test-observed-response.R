observed_small <- function(...) {
  cells <- small_cells()
  observed_response(small_fit(), cells$x, col_data = cells$col_data, ...)
}

test_that("measured responses are means of cells and their change from controls", {
  cells <- small_cells()
  table <- observed_small()
  expect_identical(names(table), c("cell_type", "perturbation", "dose", "seen", "n_cells",
                                   "norm_of_mean", "norm_of_difference"))
  expect_identical(table$cell_type, c("B", "CD14+Mono", "NK"))
  expect_identical(unique(table$perturbation), "IFNb")
  about <- cells$col_data
  mean_of <- function(what) {
    rowMeans(as.matrix(cells$x[, about$cell_type == "NK" & about$condition == what]))
  }
  row <- table[table$cell_type == "NK", ]
  expect_identical(row$n_cells, sum(about$cell_type == "NK" & about$condition == "IFNb"))
  expect_equal(row$norm_of_mean, sqrt(sum(mean_of("IFNb")^2)))
  expect_equal(row$norm_of_difference, sqrt(sum((mean_of("IFNb") - mean_of("control"))^2)))
  genes <- rownames(cells$x)[c(7, 2)]
  long <- observed_small(genes = genes)
  expect_identical(long$gene, rep(genes, 3))
  nk <- long[long$cell_type == "NK", ]
  expect_equal(nk$mean, unname(mean_of("IFNb")[genes]))
  values <- function(what) cells$x[genes[1], about$cell_type == "NK" & about$condition == what]
  error <- function(what) stats::sd(values(what)) / sqrt(length(values(what)))
  expect_equal(nk$se_mean[1], error("IFNb"), tolerance = 1e-5)
  expect_equal(nk$se_difference[1], sqrt(error("IFNb")^2 + error("control")^2), tolerance = 1e-5)
  held <- unique(about$cell_type[about$split == "ood"])
  expect_identical(table$cell_type[table$seen != "condition"], held)
})

test_that("doses and pairs are those of the screen", {
  toy <- additive_cells()
  fit <- untrained(additive_screen())
  single <- observed_response(fit, toy$x, col_data = toy$col_data, perturbation = c("B", "A"))
  expect_identical(single$perturbation, c("B", "A", "B", "A"))
  expect_identical(single$dose, rep(1, 4))
  pair <- observed_response(fit, toy$x, col_data = toy$col_data, pair = c("A", "B"), genes = "g4")
  expect_identical(names(pair), c("cell_type", "perturbation_1", "dose_1", "perturbation_2",
                                  "dose_2", "seen", "n_cells", "gene", "mean", "difference", "se_mean",
                                  "se_difference"))
  expect_identical(pair$dose_1, c(1, 0, 1, 0, 1))
  expect_identical(pair$dose_2, c(0, 1, 0, 1, 1))
  expect_identical(pair$seen[5], "parts only")
  effect <- toy$effect[4, ]
  expect_equal(pair$difference, unname(c(effect, effect, sum(effect))), tolerance = 1e-6)
  no_control <- toy$col_data$cell_type == "A549" & toy$col_data$drug == "control"
  alone <- observed_response(fit, toy$x[, !no_control], col_data = toy$col_data[!no_control, ])
  expect_identical(is.na(alone$norm_of_difference), alone$cell_type == "A549")
})

test_that("a single cell has no standard error, and proteins have that of their scale", {
  cells <- small_cells()
  control <- cells$col_data$condition == "control"
  one <- c(which(control), which(!control)[1])
  alone <- observed_response(small_fit(), cells$x[, one], genes = rownames(cells$x)[1],
                             col_data = cells$col_data[one, ])
  expect_true(is.na(alone$se_mean) && is.na(alone$se_difference) && is.finite(alone$difference))
  both <- observed_response(multi_fit(), cite_rows(), genes = "CD1", col_data = cite_cells()$col_data)
  row <- both[both$perturbation == "A" & both$cell_type == "NK", ]
  adt <- cite_cells()$adt["CD1", with(cite_cells()$col_data, drug == "A" & cell_type == "NK")]
  expect_equal(row$se_mean, stats::sd(adt) / sqrt(length(adt)) / (1 + mean(adt)), tolerance = 1e-5)
})

test_that("wrong questions are refused", {
  cells <- small_cells()
  control <- cells$col_data$condition == "control"
  expect_refused(observed_response(small_fit()), "`newdata` must be given")
  expect_refused(observed_small(perturbation = "IFNg"), "Did you mean \"IFNb\"")
  expect_refused(observed_small(genes = "ISG"), "`genes` must be genes of the fit")
  expect_refused(observed_small(min_cells = 1e6), "`newdata` must hold at least")
  expect_refused(observed_small(perturbation = "IFNb", pair = c("IFNb", "control")),
                 "must not be given both")
  expect_refused(observed_response(small_fit(), cells$x[, control],
                                   col_data = cells$col_data[control, ]), "none of \"IFNb\"")
})

test_that("a combination is asked for by its two perturbations", {
  cells <- dosed_cells()
  ask <- function(...) observed_response(dosed_fit(), cells$x, col_data = cells$col_data, ...)
  expect_refused(ask(perturbation = "A+B"), "\"A\\+B\" is a combination of 2.*`pair = c\\(\"A\", \"B\"\\)`")
  expect_refused(ask(perturbation = "A+B+C"), "combination of 3")
  expect_refused(ask(perturbation = "A+X"), "was not in training")
})
