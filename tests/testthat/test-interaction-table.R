dosed_pairs <- function(condition = NULL, ..., x = dosed_cells()$x, col_data = dosed_cells()$col_data) {
  interaction_table(dosed_fit(), x, condition, ..., col_data = col_data)
}

# Effects of A at 1, B at 10 and both in one cell type, from means of `mean_of(drug, dose)`.
effects_of <- function(mean_of) {
  control <- mean_of("control", "0")
  list(first = mean_of("A", "1") - control, second = mean_of("B", "10") - control,
       both = mean_of("A+B", "1+10") - control)
}

# The scores by lm().
scores_by_hand <- function(d) {
  model <- stats::lm(d$both ~ 0 + d$first + d$second)
  coef <- unname(stats::coef(model))
  size <- function(x) sqrt(sum(x^2))
  sum <- d$first + d$second
  angle <- function(a, b) base::sum(a * b) / size(a) / size(b)
  c(coef_1 = coef[1], coef_2 = coef[2], magnitude = size(coef), dominance = log10(abs(coef[1] / coef[2])),
    pearson_fit = stats::cor(stats::fitted(model), d$both),
    r2_additive = 1 - size(d$both - sum)^2 / size(d$both - mean(d$both))^2,
    pearson_additive = stats::cor(sum, d$both), similarity = angle(d$first, d$second),
    similarity_1 = angle(d$first, d$both), similarity_2 = angle(d$second, d$both),
    norm_1 = size(d$first), norm_2 = size(d$second), norm_both = size(d$both), norm_expected = size(sum),
    deviation = size(d$both - sum) / size(sum))
}
scores_in <- function(row) {
  unlist(as.list(row)[names(scores_by_hand(list(first = c(1, 2, 4), second = c(3, 1, 1), both = c(2, 4, 1))))])
}

test_that("pairs, predicted and measured, have the numbers of a direct computation", {
  cells <- dosed_cells()
  about <- cells$col_data
  table <- dosed_pairs()
  expect_identical(names(table)[1:12], c("cell_type", "drug", "dose", "method", "perturbation_1", "dose_1",
                                         "perturbation_2", "dose_2", "seen", "seen_1", "seen_2", "n_cells"))
  expect_identical(table$method, rep(c("predicted", "observed"), 2))
  expect_identical(table$cell_type, rep(c("NK", "T"), each = 2))
  expect_identical(unique(paste(table$drug, table$dose, table$dose_1, table$dose_2)), "A+B 1+10 1 10")
  expect_identical(table$n_cells, rep(6L, 4))
  expect_identical(attr(table, "scale"), dosed_fit()$meta$scale)
  cell <- function(drug, dose) which(about$drug == drug & about$dose == dose & about$cell_type == "T")
  measured <- effects_of(function(drug, dose) rowMeans(cells$x[, cell(drug, dose)]))
  expect_equal(scores_in(table[4, ]), scores_by_hand(measured), tolerance = 1e-6)
  variance <- Map(function(drug, dose) sum(apply(cells$x[, cell(drug, dose)], 1, stats::var)) / 6,
                  c("control", "A", "B", "A+B"), c("0", "1", "10", "1+10"))
  expect_equal(table$noise[4], sqrt(sum(unlist(variance))) / table$norm_expected[4], tolerance = 1e-6)
  expect_identical(table$noise[3], NA_real_)
  predicted <- effects_of(function(drug, dose) {
    predict(dosed_fit(), cells$x, condition(drug = drug, dose = dose, cell_type = "T"),
            summarise = "condition", col_data = about)[, 1]
  })
  expect_equal(scores_in(table[3, ]), scores_by_hand(predicted), tolerance = 1e-3)
})

test_that("genes one by one have the four means", {
  cells <- dosed_cells()
  about <- cells$col_data
  table <- dosed_pairs(condition("A+B", cell_type = "NK"), by = "gene", genes = c("g5", "g2"))
  expect_identical(names(table)[9:18], c("seen", "n_cells", "gene", "control", "first", "second", "both",
                                         "expected", "deviation", "se"))
  expect_identical(table$gene, rep(c("g5", "g2"), 2))
  value <- function(drug, dose) cells$x["g2", about$drug == drug & about$dose == dose & about$cell_type == "NK"]
  four <- list(value("control", "0"), value("A", "1"), value("B", "10"), value("A+B", "1+10"))
  mean <- vapply(four, mean, 0)
  row <- table[4, ]
  expect_equal(c(row$control, row$first, row$second, row$both), mean, tolerance = 1e-6)
  expect_equal(row$expected, mean[2] + mean[3] - mean[1], tolerance = 1e-6)
  expect_equal(row$deviation, mean[4] - mean[2] - mean[3] + mean[1], tolerance = 1e-6)
  expect_equal(row$se, sqrt(sum(vapply(four, stats::var, 0)) / 6), tolerance = 1e-6)
  # By difference the control is what was measured; decoded it is what the model makes of it.
  expect_equal(table$control[1:2], table$control[3:4], tolerance = 1e-6)
  decoded <- dosed_pairs(condition("A+B", cell_type = "NK"), by = "gene", genes = "g5", residual = FALSE,
                         observed = FALSE)
  wanted <- predict(dosed_fit(), cells$x, condition(c("control", "A+B"), cell_type = "NK"), residual = FALSE,
                    summarise = "condition", col_data = about)["g5", ]
  expect_equal(c(decoded$control, decoded$both), unname(wanted), tolerance = 1e-5)
  few <- dosed_pairs(genes = c("g5", "g2", "g7"))
  all <- dosed_pairs(by = "gene", genes = c("g5", "g2", "g7"))
  at <- all[all$cell_type == "T" & all$method == "predicted", ]
  expect_equal(few$norm_1[3], sqrt(sum((at$first - at$control)^2)))
})

test_that("effects that add up have the coefficients 1 and 1", {
  toy <- additive_cells(noise = 0.1)
  fit <- suppressWarnings(cpa(toy$x, "drug", dose = "dose", covariates = "cell_type", control = "control",
                              split = "split", col_data = toy$col_data, settings = quick_settings(1)))
  table <- interaction_table(fit, toy$x, col_data = toy$col_data)
  # Predicted for both cell types, measured in one.
  expect_identical(paste(table$cell_type, table$method), c("A549 predicted", "K562 predicted", "K562 observed"))
  measured <- table[3, ]
  expect_equal(c(measured$coef_1, measured$coef_2, measured$magnitude), c(1, 1, sqrt(2)), tolerance = 1e-6)
  expect_equal(c(measured$dominance, measured$deviation), c(0, 0), tolerance = 1e-6)
  expect_equal(c(measured$pearson_fit, measured$r2_additive), c(1, 1), tolerance = 1e-6)
  expect_gt(measured$noise, 0)
  expect_identical(measured$seen, "parts only")
  expect_identical(measured$seen_1, "condition")
  expect_identical(interaction_table(fit, toy$x, col_data = toy$col_data, min_cells = 7)$method,
                   rep("predicted", 2))
  alone <- toy$col_data$drug != "B"
  expect_false("observed" %in% interaction_table(fit, toy$x[, alone], col_data = toy$col_data[alone, ])$method)
  control <- toy$col_data$drug == "control"
  bare <- toy$col_data[control, "cell_type", drop = FALSE]
  quiet <- suppressMessages(interaction_table(fit, toy$x[, control], col_data = bare, observed = FALSE))
  expect_equal(quiet, table[1:2, ], ignore_attr = TRUE)
})

test_that("doses and covariates that are left open, and parts at dose 0", {
  open <- dosed_pairs(condition("A+B"))
  expect_equal(open, dosed_pairs())
  # Not measured together at these doses: the parts have them all the same.
  other <- dosed_pairs(condition("A+B", dose = c(0.1, 10), cell_type = "T"))
  expect_identical(other$method, "predicted")
  expect_identical(c(other$dose_1, other$dose_2), c(0.1, 10))
  predicted <- predict(dosed_fit(), dosed_cells()$x, condition("A", dose = c(0.1), cell_type = "T"),
                       summarise = "condition", col_data = dosed_cells()$col_data)[, 1]
  long <- dosed_pairs(condition("A+B", dose = c(0.1, 10), cell_type = "T"), by = "gene")
  expect_equal(long$first, unname(predicted), tolerance = 1e-5)
  expect_refused(dosed_pairs(condition("A+B", dose = c(1, 0))), "\"A@1\" has one part that acts")
  expect_warning(dosed_pairs(condition("A+B", dose = c(1, 100))), class = "compert_extrapolation")
})

test_that("fits on counts are compared on log-normalised values", {
  cells <- toy_cells()
  counts <- toy_counts()
  fit <- suppressWarnings(cpa(counts, "drug", dose = "dose", covariates = "cell_type", control = "control",
                              loss = "nb", col_data = cells, settings = quick_settings(1)))
  logs <- log1p(t(t(counts) / colSums(counts)) * stats::median(colSums(counts)))
  table <- interaction_table(fit, counts, condition("A+B", cell_type = "T"), by = "gene", col_data = cells)
  mean_of <- function(drug) unname(rowMeans(logs[, cells$drug == drug & cells$cell_type == "T"]))
  observed <- table[table$method == "observed", ]
  expect_equal(observed$deviation, mean_of("A+B") - mean_of("A") - mean_of("B") + mean_of("control"),
               tolerance = 1e-5)
  expect_equal(table$control[table$method == "predicted"], mean_of("control"), tolerance = 1e-5)
  expect_identical(attr(table, "scale"), "log")
  raw <- interaction_table(fit, counts, condition("A+B", cell_type = "T"), by = "gene", scale = "model",
                           col_data = cells)
  expect_equal(raw$both[raw$method == "observed"],
               unname(rowMeans(counts[, cells$drug == "A+B" & cells$cell_type == "T"])), tolerance = 1e-6)
})

test_that("proteins are a choice of features", {
  about <- cite_cells()$col_data
  ask <- function(...) interaction_table(multi_fit(), cite_rows(), condition("A+B", cell_type = "NK"), ...,
                                         features = "proteins", col_data = about)
  table <- ask(by = "gene", genes = c("CD4", "CD2"))
  counts <- function(drug) cite_cells()$adt["CD2", about$drug == drug & about$cell_type == "NK"]
  of <- function(what) vapply(c("control", "A", "B", "A+B"), function(drug) what(counts(drug)), 0)
  wanted <- log1p(of(mean))
  row <- table[table$method == "observed" & table$gene == "CD2", ]
  expect_equal(row$deviation, unname(wanted[4] - wanted[2] - wanted[3] + wanted[1]), tolerance = 1e-5)
  expect_equal(row$se, sqrt(sum(of(stats::var) / of(length) / (1 + of(mean))^2)), tolerance = 1e-5)
  both <- proteins_of(ask_both(multi_fit(), summarise = "condition"))
  expect_equal(table$both[table$method == "predicted"], unname(log1p(both[c("CD4", "CD2"), 1])), tolerance = 1e-4)
  expect_identical(attr(table, "scale"), c(proteins = "log1p"))
  expect_equal(ask()$norm_both[2], {
    all <- ask(by = "gene")
    all <- all[all$method == "observed", ]
    sqrt(sum((all$both - all$control)^2))
  })
  expect_refused(ask(genes = "gene1"), "`genes` must be proteins of the fit")
})

test_that("columns of the user's that are called like these get own_ in front", {
  cells <- dosed_cells()
  table <- cells$col_data
  names(table) <- c("seen", "dose", "method", "split")
  fit <- suppressWarnings(cpa(cells$x, "seen", dose = "dose", covariates = "method", control = "control",
                              split = "split", col_data = table, settings = quick_settings(1)))
  named <- interaction_table(fit, cells$x, col_data = table)
  expect_identical(names(named)[1:4], c("own_method", "own_seen", "dose", "method"))
  skip_without_package("ggplot2")
  expect_s3_class(plot_interactions(named), "ggplot")
})

test_that("wrong questions are refused", {
  expect_refused(interaction_table(dosed_fit()), "`newdata` must be given")
  expect_refused(interaction_table(dosed_fit(), dosed_cells()$x, col_data = dosed_cells()$col_data, "gene"),
                 "\"gene\" was neither given as a molecule nor perturbed")
  expect_refused(dosed_pairs(condition("A", dose = 1)), "\"A@1\" has one part that acts.*two different names")
  expect_refused(dosed_pairs(condition("A+B+C", dose = c(1, 1, 5))), "has 3 parts")
  expect_refused(dosed_pairs(condition("A+E", dose = c(1, 1))), "E")
  expect_refused(dosed_pairs(by = "genes"), "`by` must be one of")
  expect_refused(dosed_pairs(genes = "g9"), "`genes` must be genes of the fit")
  expect_refused(dosed_pairs(features = "proteins"), "`features` must be \"genes\"")
  expect_refused(dosed_pairs(observed = 1), "`observed` must be")
  cells <- small_cells()
  expect_refused(interaction_table(small_fit(), cells$x, col_data = cells$col_data),
                 "where the screen holds none.*no cell has two perturbations")
  nk <- dosed_cells()$col_data$cell_type == "NK"
  expect_refused(dosed_pairs(condition("A+B", cell_type = "T"), x = dosed_cells()$x[, nk],
                             col_data = dosed_cells()$col_data[nk, ]), "There is none for \"T\"")
})
