# Baselines of cells whose effects add up.
additive_baseline <- function(method = "additive", toy = additive_cells(noise = 0.3), ...) {
  baseline_fit(toy$x, "drug", method = method, dose = "dose", covariates = "cell_type", control = "control",
               split = "split", col_data = toy$col_data, ...)
}

ask_additive <- function(what, ..., method = "additive", toy = additive_cells(noise = 0.3)) {
  suppressWarnings(predict(additive_baseline(method, toy), toy$x, what, ..., col_data = toy$col_data))
}

# The core reads single precision.
expect_near <- function(object, expected) {
  expect_equal(as.vector(object), as.vector(expected), tolerance = 1e-6)
  expect_identical(length(object), length(expected))
}

# Cells of one type and drug of the toy screen.
cells_of <- function(type, drug, toy = additive_cells(noise = 0.3)) {
  toy$x[, toy$col_data$cell_type == type & toy$col_data$drug == drug]
}

change <- function(type, drug) rowMeans(cells_of(type, drug)) - rowMeans(cells_of(type, "control"))

test_that("a predicted cell is the source cell and the sum of the single effects", {
  answer <- ask_additive(condition(drug = "A+B", dose = list(c(1, 1)), cell_type = "K562"))
  sum <- change("K562", "A") + change("K562", "B")
  expect_near(answer, cells_of("K562", "control") + sum)
  expect_identical(colnames(answer), colnames(cells_of("K562", "control")))
  expect_identical(attr(answer, "col_data")$seen, rep("parts only", 6))
  # Under covariates where the combination has no cells either: parts are those of the same covariates.
  other <- ask_additive(condition(drug = "A+B", dose = list(c(1, 1)), cell_type = "A549"))
  expect_near(other, cells_of("A549", "control") + change("A549", "A") + change("A549", "B"))
})

test_that("the condition's own cells are not used", {
  answer <- ask_additive(condition(drug = "A", cell_type = "K562"))
  expect_near(answer, cells_of("K562", "control") + change("A549", "A"))
  expect_identical(unique(attr(answer, "col_data")$seen), "condition")
  mean <- ask_additive(condition(drug = "A", cell_type = "K562"), method = "mean")
  expect_near(mean, cells_of("K562", "control") + change("K562", "B"))
  same <- ask_additive(condition(drug = c("A", "control"), cell_type = "K562"), method = "control")
  expect_near(same, cbind(cells_of("K562", "control"), cells_of("K562", "control")))
})

test_that("a condition is the mean and the variance of its cells, with open covariates too", {
  what <- condition(drug = c("A", "B", "A"), cell_type = c("K562", "A549", NA))
  cells <- ask_additive(what)
  of <- rep(1:3, c(6, 6, 12))
  table <- attr(cells, "col_data")
  expect_identical(table$cpa_cell_type, rep(c("K562", "A549", "K562", "A549"), each = 6))
  moments <- function(f) vapply(1:3, function(k) f(cells[, of == k]), numeric(6))
  answer <- ask_additive(what, summarise = "condition", type = "variance")
  expect_near(answer, moments(function(v) rowMeans((v - rowMeans(v))^2)))
  expect_identical(attr(answer, "col_data")$n_cells, c(6L, 6L, 12L))
  expect_near(ask_additive(what, summarise = "condition"), moments(rowMeans))
  expect_near(cells[, of == 3][, 1:6], cells_of("K562", "control") + change("A549", "A"))
})

test_that("source cells are the user's choice", {
  what <- condition(drug = "A", cell_type = "K562")
  toy <- additive_cells(noise = 0.3)
  own <- c("c3", "c9", "c3")
  expect_near(ask_additive(what, source = own), toy$x[, own] + change("A549", "A"))
  expect_near(ask_additive(what, source = own, summarise = "condition"), rowMeans(toy$x[, own]) + change("A549", "A"))
  expect_identical(ncol(ask_additive(what, source = "all")), 12L)
})

test_that("interpolation is on the line between the doses, with the variance", {
  cells <- dosed_cells()
  cells$col_data$split <- "train"
  baseline <- suppressWarnings(baseline_fit(cells$x, "drug", method = "interpolation", dose = "dose",
                                            control = "control", split = "split", col_data = cells$col_data))
  of <- function(drug, dose) cells$x[, cells$col_data$drug == drug & cells$col_data$dose == dose]
  ask <- function(dose, ...) predict(baseline, cells$x, condition(drug = "A", dose = dose), ...,
                                     col_data = cells$col_data)
  between <- function(f, w) (1 - w) * f(of("A", "1")) + w * f(of("A", "10"))
  w <- log10(3)
  population <- function(v) rowMeans((v - rowMeans(v))^2)
  expect_near(ask(3, summarise = "condition"), between(rowMeans, w))
  expect_near(ask(3, summarise = "condition", type = "variance"), between(population, w))
  shift <- between(rowMeans, w) - rowMeans(of("control", "0"))
  expect_near(ask(3), of("control", "0") + shift)
  # Nothing acts at dose 0 here: that is the control.
  expect_near(ask(0), of("control", "0"))
  expect_refused(ask(10), "interpolation baseline must have an answer.*\"A@10\": no training cells .* higher dose")
  expect_warning(expect_refused(ask(20), "\"A@20\""), class = "compert_extrapolation")
})

test_that("counts are predicted on their scale", {
  cells <- small_cells()
  baseline <- baseline_fit(cells$counts, "condition", control = "control", covariates = "cell_type",
                           split = "split", col_data = cells$col_data)
  answer <- predict(baseline, cells$counts, condition(condition = "IFNb", cell_type = "B"),
                    col_data = cells$col_data)
  expect_identical(attr(answer, "scale"), "counts")
  train <- function(type, what) {
    at <- cells$col_data$cell_type == type & cells$col_data$condition == what & cells$col_data$split == "train"
    Matrix::rowMeans(cells$counts[, at])
  }
  shifts <- vapply(c("CD14+Mono", "NK"), function(type) train(type, "IFNb") - train(type, "control"), numeric(120))
  own <- cells$counts[, cells$col_data$cell_type == "B" & cells$col_data$condition == "control"]
  expect_near(answer, as.matrix(own) + rowMeans(shifts))
})

test_that("cells are matched by gene, and may stay in their file", {
  cells <- small_cells()
  baseline <- baseline_fit(cells$x, "condition", control = "control", covariates = "cell_type",
                           split = "split", col_data = cells$col_data)
  ask <- function(x, ..., fit = baseline) {
    predict(fit, x, condition(condition = "IFNb", cell_type = "B"), ..., col_data = cells$col_data)
  }
  expect_equal(ask(cells$x[120:1, ]), ask(cells$x))
  expect_refused(ask(cells$x[-1, ]), "must have the genes that the model was trained on")
  skip_without_package("SingleCellExperiment", "rhdf5")
  file <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(SingleCellExperiment::SingleCellExperiment(
    list(X = cells$x), colData = S4Vectors::DataFrame(cells$col_data)), file)
  withr::local_options(compert.in_memory = 0)
  stored <- suppressMessages(baseline_fit(file, "condition", control = "control", covariates = "cell_type",
                                          split = "split"))
  expect_equal(stored$learned, baseline$learned)
  for (summarise in c("cell", "condition")) {
    answer <- suppressMessages(predict(stored, file, condition(condition = "IFNb", cell_type = "B"),
                                       summarise = summarise))
    expect_equal(SummarizedExperiment::assay(answer, "mean"), ask(cells$x, summarise = summarise),
                 ignore_attr = TRUE)
  }
})

test_that("a batch is nuisance: its cells are one condition, and keep it", {
  cells <- small_cells()
  cells$col_data$donor <- rep(c("d1", "d2"), length.out = ncol(cells$x))
  with <- baseline_fit(cells$x, "condition", control = "control", covariates = "cell_type", batch = "donor",
                       split = "split", col_data = cells$col_data)
  without <- baseline_fit(cells$x, "condition", control = "control", covariates = "cell_type",
                          split = "split", col_data = cells$col_data)
  expect_identical(with$learned, without$learned)
  ask <- function(...) predict(with, cells$x, condition(condition = "IFNb", cell_type = "B", ...),
                               col_data = cells$col_data)
  table <- attr(ask(), "col_data")
  expect_identical(table$cpa_donor, table$donor)
  expect_refused(ask(donor = "d1"), "`condition` must leave the batch out")
})

test_that("conditions without an answer are named, with the reason", {
  what <- condition(drug = c("A", "B"), cell_type = "K562")
  alone <- additive_cells(noise = 0.3)
  alone$col_data$split[alone$col_data$drug != "control" & alone$col_data$cell_type == "A549"] <- "ood"
  parts <- expect_refused(ask_additive(what, toy = alone),
                          "additive baseline must have an answer.*\"A@1, K562\": no training cells with \"A\" alone")
  expect_match(parts$given, "\"B@1, K562\": no training cells with \"B\" alone", all = FALSE)
  expect_refused(ask_additive(condition(drug = "A"), toy = alone), "\"A@1, K562\"")
  expect_refused(ask_additive(condition(drug = "A+B", dose = list(c(1, 1)), cell_type = "K562"),
                              method = "interpolation"), "no line between doses of a combination")
})

test_that("names that it does not know, and questions that need a network, are refused", {
  known <- condition(drug = "A", cell_type = "K562")
  expect_refused(ask_additive(condition(drug = "C", cell_type = "K562")), "\"C\" was never perturbed in training")
  expect_refused(ask_additive(condition(drug = "A", cell_type = "K563")), "Did you mean \"K562\"")
  expect_refused(ask_additive(known, residual = FALSE), "`residual` must be left out.*no network")
  expect_refused(ask_additive(known, correct = "cell_type"), "`correct` must be left out.*no network")
  expect_refused(ask_additive(known, type = "sample"), "`type` must be \"mean\" or \"variance\".*no network")
  expect_refused(ask_additive(known, type = "variance"), "must go with `summarise = \"condition\"`")
  expect_refused(ask_additive(known, from = "rna"), "`from` must be \"all\"")
  toy <- additive_cells(noise = 0.3)
  score <- function(...) evaluate_r2(additive_baseline(), toy$x, col_data = toy$col_data, ...)
  expect_refused(score(residual = FALSE), "`residual` must be left out for a baseline")
  expect_refused(score(variance = "sampled"), "`variance` must be left out for a baseline")
  expect_identical(nrow(score(residual = TRUE, baselines = FALSE)), 1L)
})

test_that("proteins are the source cells' plus the change of proteins", {
  about <- cite_cells()$col_data
  adt <- with_gaps(cite_cells()$adt)
  x <- cite_rows(adt)
  one <- suppressWarnings(baseline_fit(x, "drug", method = "additive", control = "control",
                                       covariates = "cell_type", split = "split", proteins = paste0("CD", 1:5),
                                       col_data = about))
  train <- about$split == "train" & !is.na(adt[1, ])
  mean_of <- function(drug, type) rowMeans(adt[, train & about$drug == drug & about$cell_type == type])
  change <- mean_of("A", "T") - mean_of("control", "T")
  ask <- condition("A", cell_type = "NK")
  cells <- predict(one, x, ask, col_data = about)
  source <- about$drug == "control" & about$cell_type == "NK"
  proteins <- attr(cells, "proteins")
  expect_equal(unname(proteins), unname(adt[, source] + change))
  expect_true(anyNA(proteins))
  expect_false(anyNA(cells))
  whole <- predict(one, x, ask, summarise = "condition", type = "variance", col_data = about)
  has <- source & !is.na(adt[1, ])
  expect_equal(attr(whole, "proteins")[, 1], row_variances(adt[, has], 0), ignore_attr = TRUE)
  expect_equal(attr(predict(one, x, ask, summarise = "condition", col_data = about), "proteins")[, 1],
               rowMeans(adt[, has]) + change)
  # Open covariates: the cells that have proteins count. None has, or no change of them is known: NA.
  open <- predict(one, x, condition("A"), summarise = "condition", col_data = about)
  control <- about$drug == "control" & !is.na(adt[1, ])
  back <- mean_of("A", "NK") - mean_of("control", "NK")
  n <- table(about$cell_type[control])
  expect_equal(attr(open, "proteins")[, 1],
               rowMeans(adt[, control]) + c((n["NK"] * change + n["T"] * back) / sum(n)), ignore_attr = TRUE)
  bare <- adt
  bare[, source] <- NA
  expect_true(all(is.na(attr(predict(one, cite_rows(bare), ask, summarise = "condition", col_data = about),
                             "proteins"))))
  some <- attr(predict(one, cite_rows(bare), condition("A"), summarise = "condition", col_data = about),
               "proteins")
  expect_equal(some[, 1], mean_of("A", "NK") - mean_of("control", "NK") +
                 rowMeans(adt[, control & about$cell_type == "T"]))
  expect_refused(predict(one, x, ask, from = "rna", col_data = about),
                 "`from` must be \"all\" for a baseline")
})

test_that("proteins go back where they came from", {
  x <- cite_sce()
  one <- suppressWarnings(baseline_fit(x, "drug", control = "control", covariates = "cell_type", split = "split",
                                       proteins = NULL))
  answer <- predict(one, x, condition("A", cell_type = "NK"), summarise = "condition")
  expect_identical(SingleCellExperiment::altExpNames(answer), "ADT")
  expect_match(paste(format(one), collapse = "\n"), "Proteins: +5 \\(ADT, counts\\)\n")
  expect_null(suppressWarnings(baseline_fit(x, "drug", control = "control"))$meta$registry$proteins)
})

dosed_baseline <- function(method, cells = dosed_cells(), ...) {
  suppressWarnings(baseline_fit(cells$x, "drug", method = method, dose = "dose", covariates = "cell_type",
                                control = "control", split = "split", col_data = cells$col_data, ...))
}

test_that("dose responses are what predict() answers, between the doses of training", {
  cells <- dosed_cells()
  cells$col_data$split <- "train"
  about <- cells$col_data
  for (method in c("interpolation", "additive", "mean", "control")) {
    one <- dosed_baseline(method, cells)
    curve <- dose_response(one, cells$x, perturbation = "A", n_points = 4, genes = rownames(cells$x)[2:3],
                           col_data = about)
    trained <- unique(trained_doses(one, "A")$A)
    expect_false(any(setdiff(trained, 0) %in% curve$dose))
    row <- curve[curve$gene == rownames(cells$x)[2] & is.finite(curve$mean), ]
    row <- row[nrow(row), ]
    asked <- condition("A", dose = row$dose, cell_type = row$cell_type)
    answer <- predict(one, cells$x, asked, summarise = "condition", col_data = about)
    expect_equal(row$mean, answer[2, 1], ignore_attr = TRUE)
    source <- about$drug == "control" & about$cell_type == row$cell_type
    expect_equal(row$difference, answer[2, 1] - mean(cells$x[2, source]), tolerance = 1e-5,
                 ignore_attr = TRUE)
    expect_identical(row$n_cells, sum(source))
  }
  expect_true(all(curve$difference == 0))
})

test_that("the curve of the line lies between its neighbours, and ends where there is none", {
  cells <- dosed_cells()
  cells$col_data$split <- "train"
  line <- dosed_baseline("interpolation", cells)
  doses <- sort(unique(trained_doses(line, "A")$A))
  expect_gt(length(doses), 1L)
  ends <- doses[1:2]
  middle <- exp(mean(log(ends)))
  ask <- function(dose, ...) {
    dose_response(line, cells$x, perturbation = "A", dose = dose, genes = rownames(cells$x), col_data = cells$col_data,
                  ...)
  }
  seen <- observed_response(line, cells$x, perturbation = "A", genes = rownames(cells$x), col_data = cells$col_data)
  type <- seen$cell_type[1]
  at <- function(table, dose) table$difference[table$cell_type == type & abs(table$dose - dose) < 1e-9]
  expect_equal(at(ask(middle), middle), (at(seen, ends[1]) + at(seen, ends[2])) / 2, tolerance = 1e-6)
  far <- suppressWarnings(ask(c(middle, max(doses) * 2)))
  expect_identical(is.na(far$mean), far$dose > max(doses))
  expect_refused(suppressWarnings(ask(max(doses) * 2)),
                 "must have an answer for every condition.*no training cells with \"A\" at a lower and a higher")
  expect_refused(ask(c(0, max(doses))), "no training cells with \"A\" at a lower and a higher dose")
  expect_refused(ask(middle, residual = FALSE), "`residual` must be left out")
  expect_refused(dose_response(line), "`newdata` must be given")
  expect_refused(dose_response(line, cells$x, space = "latent", col_data = cells$col_data),
                 "`fit` must be a model that was trained")
  skip_without_package("ggplot2")
  drawn <- plot_dose_response(far, observed = seen)
  expect_warning(ggplot2::ggplot_build(drawn), NA)
})

test_that("dose responses of proteins and of counts are on the scale of scores", {
  about <- cite_cells()$col_data
  x <- cite_rows(with_gaps(cite_cells()$adt))
  one <- suppressWarnings(baseline_fit(x, "drug", control = "control", covariates = "cell_type", split = "split",
                                       proteins = paste0("CD", 1:5), col_data = about))
  curve <- function(...) dose_response(one, x, perturbation = "A", dose = 1, col_data = about, ...)
  beside <- evaluate_r2(one, x, split = "train", condition = condition("A", cell_type = "NK"), baselines = FALSE,
                        col_data = about)
  own <- observed_response(one, x[, about$split == "train" | about$drug == "control"], perturbation = "A",
                           features = "proteins", genes = paste0("CD", 1:5),
                           col_data = about[about$split == "train" | about$drug == "control", ])
  proteins <- curve(genes = paste0("CD", 1:5))
  nk <- function(table) table$mean[table$cell_type == "NK"]
  expect_equal(core_r2(nk(own), nk(proteins)), beside$r2_mean_protein, tolerance = 1e-6)
  expect_identical(attr(proteins, "scale"), c(proteins = "log1p"))
  both <- curve(genes = c("CD2", "gene3"))
  expect_equal(both$mean[both$gene == "CD2"], proteins$mean[proteins$gene == "CD2"])
  expect_identical(attr(both, "scale"), c(genes = "log", proteins = "log1p"))
  expect_equal(curve(features = "proteins")$norm_of_difference[1],
               sqrt(sum(proteins$difference[proteins$cell_type == "NK"]^2)))
  logs <- log_values(read_newdata(one, x, col_data = about))
  source <- about$drug == "control" & about$cell_type == "NK"
  expect_equal((both$mean - both$difference)[both$gene == "gene3" & both$cell_type == "NK"],
               mean(logs["gene3", source]))
})

test_that("two drugs add up on a grid, and no baseline has interactions", {
  cells <- dosed_cells()
  cells$col_data$split <- "train"
  sum <- dosed_baseline("additive", cells)
  pair <- setdiff(sum$meta$registry$perturbations, "control")[1:2]
  expect_refused(dose_response2d(sum, perturbation = c("A", "B"), space = "latent"),
                 "`fit` must be a model that was trained")
  trained <- trained_doses(sum, pair)
  grid <- dose_response2d(sum, cells$x, perturbation = pair, n_points = 3, genes = rownames(cells$x)[1],
                          col_data = cells$col_data)
  expect_false(any(grid$dose_1[grid$dose_1 > 0] %in% trained[[1]]))
  one <- grid[grid$cell_type == grid$cell_type[1], ]
  at <- function(a, b) one$difference[one$dose_1 == a & one$dose_2 == b]
  top <- c(max(one$dose_1), max(one$dose_2))
  expect_equal(at(top[1], top[2]), at(top[1], 0) + at(0, top[2]), tolerance = 1e-6)
  expect_refused(interaction_table(sum, cells$x), "in which effects add up by definition: it predicts no interaction")
  for (method in c("control", "mean", "interpolation")) {
    expect_refused(interaction_table(dosed_baseline(method, cells), cells$x),
                   paste0("It is the ", method, " baseline, which takes no effect of a pair from its parts"))
  }
})
