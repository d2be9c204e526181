test_that("latent responses start at 0 and have one row per dose", {
  latent <- dose_response(small_fit(), n_points = 5)
  expect_identical(names(latent), c("perturbation", "dose", "response"))
  expect_identical(unique(latent$perturbation), "IFNb")
  expect_equal(latent$dose, seq(0, 1, 0.25))
  expect_equal(latent$response[1], 0, tolerance = 1e-6)
})

test_that("a linear response is the share of the perturbation's highest dose, with parity the dose itself", {
  cells <- small_cells()
  cells$col_data$dose <- ifelse(cells$col_data$condition == "IFNb", 4, 1)
  response <- function(...) {
    fit <- suppressWarnings(cpa(cells$x, "condition", dose = "dose", control = "control",
                                covariates = "cell_type", split = "split", col_data = cells$col_data,
                                settings = quick_settings(1, doser_type = "linear", ...)))
    dose_response(fit, dose = c(0, 2, 4))$response
  }
  expect_equal(response(), c(0, 0.5, 1))
  expect_equal(response(parity = "fb"), c(0, 2, 4))
})

test_that("gene responses are those of predict()", {
  cells <- small_cells()
  fit <- small_fit()
  table <- suppressWarnings(dose_response(fit, cells$x, space = "genes", dose = c(0.5, 1),
                                          col_data = cells$col_data))
  expect_identical(names(table), c("cell_type", "perturbation", "dose", "n_cells", "norm_of_mean",
                                   "norm_of_difference"))
  expect_identical(nrow(table), 6L)
  predicted <- predict(fit, cells$x, condition(condition = "IFNb", cell_type = "NK"),
                       summarise = "condition", col_data = cells$col_data)
  row <- table[table$cell_type == "NK" & table$dose == 1, ]
  expect_equal(row$norm_of_mean, sqrt(sum(predicted^2)), tolerance = 1e-5)
  shift <- predict(fit, cells$x, condition(condition = "IFNb", cell_type = "NK"),
                   summarise = "condition", residual = TRUE, col_data = cells$col_data)
  nk <- cells$col_data$cell_type == "NK" & cells$col_data$condition == "control"
  change <- shift[, 1] - rowMeans(as.matrix(cells$x[, nk]))
  expect_equal(row$norm_of_difference, sqrt(sum(change^2)), tolerance = 1e-4)
  genes <- rownames(cells$x)[c(7, 2)]
  long <- dose_response(fit, cells$x, space = "genes", dose = 1, genes = genes,
                        col_data = cells$col_data)
  expect_identical(long$gene, rep(genes, 3))
  expect_equal(long$mean[long$cell_type == "NK"], unname(predicted[genes, 1]), tolerance = 1e-5)
  expect_equal(long$difference[long$cell_type == "NK"], unname(change[genes]), tolerance = 1e-4)
})

test_that("who gives cells or genes asks for the response of genes", {
  cells <- small_cells()
  fit <- small_fit()
  asked <- function(...) suppressWarnings(dose_response(fit, cells$x, dose = 1, col_data = cells$col_data, ...))
  expect_identical(asked(), asked(space = "genes"))
  expect_identical(names(asked(space = "latent")), c("perturbation", "dose", "response"))
  gene <- rownames(cells$x)[1]
  expect_identical(unique(asked(genes = gene)$gene), gene)
  expect_refused(asked(space = "latent", genes = gene), "`genes` must be left out")
  expect_refused(dose_response(fit, genes = gene), "`newdata` must be given")
})

test_that("wrong questions are refused, extrapolation warns", {
  fit <- small_fit()
  cells <- small_cells()
  expect_error(dose_response(fit, perturbation = "IFNg"), "Did you mean \"IFNb\"")
  expect_error(dose_response(fit, dose = -1), "`dose` must be")
  expect_refused(dose_response(fit, dose = c(1, NA)), "`dose` must be numbers of at least 0\\. . It is 1, NA\\.")
  expect_refused(dose_response(fit, dose = numeric()), "`dose` must be numbers.*It is 0 numbers")
  expect_refused(dose_response(fit, perturbation = character()), "`perturbation` must be.*It is 0 texts")
  expect_refused(dose_response(fit, cells$x, genes = character(), col_data = cells$col_data),
                 "`genes` must be.*It is 0 texts")
  expect_error(dose_response(fit, n_points = 1), "`n_points` must be")
  expect_error(dose_response(fit, space = "genes"), "`newdata` must be given")
  expect_error(dose_response(fit, cells$x, space = "genes", genes = "ISG",
                             col_data = cells$col_data), "`genes` must be genes of the fit")
  expect_warning(dose_response(fit, cells$x, space = "genes", dose = c(1, 9),
                               col_data = cells$col_data), class = "compert_extrapolation")
  expect_warning(dose_response(fit, cells$x, space = "genes", dose = c(0, 1),
                               col_data = cells$col_data), NA)
})

test_that("the default grid has the trained doses and steps between the low ones; tables keep the unit", {
  wells <- drugseq_example()
  wells <- wells[, wells$condition %in% c("Trametinib", "Camptothecin", "control")]
  fit <- suppressWarnings(cpa(wells, "condition", dose = "dose", control = "control",
                              settings = cpa_settings(epochs = 1, verbose = FALSE)))
  dose <- dose_response(fit, perturbation = "Trametinib", n_points = 21)$dose
  for (one in c(0, 0.1, 1, 10, 10 / 20 * 1:19)) expect_true(any(abs(dose - one) < 1e-9))
  expect_identical(anyDuplicated(round(dose, 9)), 0L)
  expect_gt(sum(dose > 0.1 & dose < 1), 8L)
  fit$meta$registry$dose_unit <- "uM"
  expect_identical(attr(dose_response(fit, n_points = 2), "dose_unit"), "uM")
  # Tables have numbers of rows, no names.
  expect_lt(.row_names_info(dose_response(fit, n_points = 2)), 0)
  map <- dose_response2d(fit, perturbation = c("Trametinib", "Camptothecin"), n_points = 2)
  expect_identical(dose_title(map, "A"), "Dose of A (uM)")
  asked <- condition("Trametinib", dose = 1)
  expect_identical(attr(prediction_uncertainty(fit, asked, min_cells = 1), "dose_unit"), "uM")
})

test_that("curves of a fit without doses say that dose 0 is not the control", {
  cells <- small_cells()
  curve <- function(fit, x, ...) dose_response(fit, x$x, space = "genes", col_data = x$col_data, ...)
  expect_message(table <- curve(small_fit(), cells, dose = c(0, 1)), class = "compert_single_dose")
  expect_lt(.row_names_info(table), 0)
  expect_silent(alone <- curve(small_fit(), cells, dose = 1))
  expect_silent(dosed <- curve(dosed_fit(), dosed_cells(), dose = c(0, 1)))
  expect_message(latent <- dose_response(small_fit()), class = "compert_single_dose")
  expect_silent(dose_response(small_fit(), dose = 1))
  expect_silent(dose_response(dosed_fit()))
  skip_without_package("ggplot2")
  expect_match(plot_dose_response(table)$labels$caption, "dose 0 is not the control;\nonly dose 1 was measured")
  expect_match(plot_dose_response(latent)$labels$caption, "dose 0 is not the control")
  expect_null(plot_dose_response(alone)$labels$caption)
  expect_null(plot_dose_response(dosed)$labels$caption)
})

test_that("responses of counts are log-normalised as in evaluate_r2(), or raw; tables and axes say which", {
  cells <- small_cells()
  fit <- small_fit(loss = "nb")
  genes <- rownames(cells$counts)[c(7, 2)]
  curve <- function(...) {
    dose_response(fit, cells$counts, space = "genes", dose = 1, col_data = cells$col_data, ...)
  }
  measured <- function(x = cells$counts, about = cells$col_data, ...) {
    observed_response(fit, x, genes = genes, col_data = about, ...)
  }
  # The numbers are those that plot_means() draws.
  table <- curve(genes = genes)
  decoded <- curve(genes = genes, residual = FALSE)
  points <- measured()
  skip_without_package("ggplot2")
  for (residual in c(TRUE, FALSE)) {
    drawn <- plot_means(fit, cells$counts, condition(condition = "IFNb", cell_type = "NK"), seed = 0,
                        residual = residual, col_data = cells$col_data)$data
    at <- match(genes, drawn$gene)
    made <- if (residual) table else decoded
    expect_equal(made$mean[made$cell_type == "NK"], drawn$predicted[at], tolerance = if (residual) 1e-5 else 0.1)
    expect_equal(points$mean[points$cell_type == "NK"], drawn$measured[at], tolerance = 1e-5)
  }
  expect_identical(decoded, curve(genes = genes, residual = FALSE))
  # Cells of twice the counts have no change.
  twofold <- cells$counts
  treated <- cells$col_data$condition == "IFNb"
  twofold[, treated] <- 2 * twofold[, !treated][, rep_len(seq_len(sum(!treated)), sum(treated))]
  about <- cells$col_data
  about$cell_type <- "B"
  twice <- observed_response(fit, twofold, genes = genes, col_data = about)
  raw <- observed_response(fit, twofold, genes = genes, col_data = about, scale = "model")
  expect_lt(max(abs(twice$difference)), 0.1 * min(twice$mean))
  expect_gt(min(raw$difference / raw$mean), 0.4)
  # Raw counts are those of predict().
  raw <- curve(genes = genes, scale = "model")
  predicted <- predict(fit, cells$counts, condition(condition = "IFNb", cell_type = "NK"),
                       summarise = "condition", col_data = cells$col_data)
  expect_equal(raw$mean[raw$cell_type == "NK"], unname(predicted[genes, 1]), tolerance = 1e-5)
  scales <- lapply(list(table, raw, points, measured(scale = "model"), curve()), attr, "scale")
  expect_identical(scales, list("log", "counts", "log", "counts", "log"))
  expect_identical(plot_dose_response(table, observed = points)$labels$y, "Mean expression\n(log-normalised)")
  expect_identical(plot_dose_response(raw)$labels$y, "Predicted mean expression\n(counts)")
  expect_identical(plot_dose_response(curve())$labels$y, "Length of predicted change\n(log-normalised)")
  expect_refused(plot_dose_response(raw, observed = points), "on the scale.*on \"log\" and \"counts\"")
  larger <- cells$counts
  larger[, cells$col_data$cell_type != "NK"] <- 3 * larger[, cells$col_data$cell_type != "NK"]
  expect_warning(plot_dose_response(table, observed = measured(larger)), class = "compert_other_total")
  expect_identical(attr(observed_response(small_fit(), cells$x, col_data = cells$col_data), "scale"), "log")
})
