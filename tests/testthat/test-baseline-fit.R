small_baseline <- function(method = "additive", ..., x = small_cells()$x, col_data = small_cells()$col_data,
                           split = "split") {
  baseline_fit(x, "condition", method = method, control = "control", covariates = "cell_type",
               split = split, col_data = col_data, ...)
}

# The scores of a baseline as the model, and as a row beside those of a fit: the same numbers.
expect_same_scores <- function(fit, baseline, x, col_data, ..., score = evaluate_r2) {
  method <- baseline$meta$settings$method
  all <- c("train", "test", "ood")
  beside <- score(fit, x, split = all, baselines = method, col_data = col_data, seed = 1, ...)
  alone <- score(baseline, x, split = all, baselines = FALSE, col_data = col_data, seed = 1, ...)
  expect_identical(unique(alone$method), "model")
  pick <- function(table, rows) {
    table <- as.data.frame(table)[table$method == rows, setdiff(names(table), c("method", "n_controls"))]
    rownames(table) <- NULL
    table
  }
  expect_identical(pick(alone, "model"), pick(beside, method))
  alone
}

test_that("scores are those that stand beside a fit's, to the bit, with every preset", {
  cells <- small_cells()
  for (method in baseline_names[1:3]) {
    baseline <- small_baseline(method)
    for (preset in names(r2_presets())) {
      scores <- expect_same_scores(small_fit(), baseline, cells$x, cells$col_data, preset = preset, min_cells = 5)
      expect_gt(nrow(scores), 2L)
    }
    expect_same_scores(small_fit(), baseline, cells$x, cells$col_data, score = evaluate_effects)
  }
  # Another mean here would be of other perturbations, of which there are none.
  expect_match(scores$note, "no training cells of other perturbations", all = FALSE)
  expect_true(all(is.na(scores$r2_mean[scores$cell_type == "B"])))
  own <- which(cells$col_data$cell_type == "NK" & cells$col_data$condition == "control")[1:7]
  some <- evaluate_r2(small_baseline(), cells$x, controls = own, col_data = cells$col_data)
  expect_identical(unique(some$n_controls), 7L)
})

test_that("so they do with doses and combinations", {
  cells <- dosed_cells()
  middle <- cells$col_data$drug == "A" & cells$col_data$dose == "1"
  top <- cells$col_data$drug == "A" & cells$col_data$dose == "10"
  cells$col_data$split[middle | top] <- rep(c("ood", "train"), c(sum(middle), sum(top)))
  fit <- dosed_fit(cells = cells)
  for (method in baseline_names) {
    baseline <- suppressWarnings(baseline_fit(
      cells$x, "drug", method = method, dose = "dose", covariates = "cell_type", control = "control",
      split = "split", molecules = cbind(f = c(A = 1, B = 2, C = 3)), col_data = cells$col_data
    ))
    scores <- expect_same_scores(fit, baseline, cells$x, cells$col_data, min_cells = 2)
    expect_true(any(is.finite(scores$r2_var)), info = method)
    expect_identical(anyNA(scores$r2_mean), method %in% c("additive", "interpolation"), info = method)
  }
})

test_that("so they do for counts, on both scales", {
  cells <- small_cells()
  baseline <- small_baseline(x = cells$counts)
  expect_identical(baseline$meta$settings$loss_ae, "nb")
  on <- function(scale) {
    expect_same_scores(small_fit(loss = "nb"), baseline, cells$counts, cells$col_data, scale = scale)$r2_mean
  }
  expect_false(identical(on("log"), on("model")))
})

test_that("without a split the cells are divided as cpa() divides them", {
  cells <- small_cells()
  fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type",
             col_data = cells$col_data, settings = quick_settings(1))
  expect_message(baseline <- small_baseline(split = NULL, seed = fit$meta$seed), "Column \"split\" holds out 40 cells")
  expect_identical(baseline$meta$conditions, fit$meta$conditions)
  expect_same_scores(fit, baseline, cells$x, cells$col_data)
  withr::with_seed(3, first <- small_baseline(split = NULL))
  withr::with_seed(3, expect_identical(small_baseline(split = NULL)$meta$seed, first$meta$seed))
})

test_that("print, summary and glance say what it is", {
  baseline <- small_baseline()
  expect_s3_class(baseline, c("compert_baseline", "compert_fit"), exact = TRUE)
  expect_output(print(baseline), "<compert_baseline> additive baseline.*Cells: .*Predicts: +source cells plus")
  expect_no_match(paste(format(baseline), collapse = "\n"), "Training:|loss")
  shown <- utils::capture.output(summary(baseline))
  expect_match(shown, "IFNb", all = FALSE)
  expect_no_match(paste(shown, collapse = "\n"), "Parameters")
  row <- glance(baseline)
  expect_identical(row$model, "additive baseline")
  expect_identical(row$n_cells, nobs(baseline))
  expect_identical(nobs(baseline), sum(small_cells()$col_data$split == "train"))
  expect_identical(row$best_epoch, NA_integer_)
})

test_that("tables and pictures take its scores", {
  cells <- small_cells()
  x <- cells$x
  both <- c("B", "NK")
  score <- function(fit, ...) evaluate_r2(fit, x, split = c("test", "ood"), col_data = cells$col_data, ...)
  expect_no_match(utils::capture.output(print(score(small_baseline()))), "level with the additive")
  table <- compare_r2(CPA = score(small_fit()), sum = score(small_baseline()), baselines = "additive")
  expect_identical(table$mean[table$model == "sum"], table$mean[table$model == "additive"])
  skip_without_package("ggplot2")
  expect_s3_class(plot_r2(score(small_baseline())), "ggplot")
  ask <- condition(condition = "IFNb", cell_type = both)
  expect_s3_class(plot_means(small_baseline(), x, ask, col_data = cells$col_data), "ggplot")
  expect_identical(dim(r2_matrix(small_baseline(), x, condition = ask, col_data = cells$col_data)), c(2L, 2L))
  expect_refused(plot_means(small_baseline("mean"), x, ask, col_data = cells$col_data),
                 "must name a condition that can be predicted.*\"B, IFNb\": no training cells of other")
})

test_that("a file keeps it, and a broken one is refused", {
  baseline <- small_baseline()
  file <- withr::local_tempfile()
  save_fit(baseline, file)
  expect_identical(load_fit(file), baseline)
  bytes <- readBin(file, "raw", file.size(file))
  writeBin(utils::head(bytes, 1000), file)
  expect_refused(load_fit(file), "whole fit saved by compert")
  writeBin(replace(bytes, 500, as.raw(255)), file)
  expect_refused(load_fit(file), "was changed afterwards")
  saveRDS(1:3, file, compress = FALSE)
  expect_refused(load_fit(file), "must be a fit made by `cpa\\(\\)`")
  baseline$learned <- NULL
  expect_refused(predict(baseline), "`object` must hold `state`")
})

test_that("what needs a network refuses it with one error", {
  cells <- small_cells()
  baseline <- small_baseline()
  x <- cells$x
  ask <- condition(condition = "IFNb")
  calls <- expression(
    cell_embedding(baseline, x), perturbation_embedding(baseline), covariate_embedding(baseline),
    write_back(baseline, x), reconstruct(baseline, x), evaluate_cells(baseline, x),
    dose_response(baseline, space = "latent"), dose_response2d(baseline, space = "latent"),
    disentanglement(baseline, x),
    prediction_uncertainty(baseline, ask), cycle_uncertainty(baseline, x, ask), protein_expression(baseline, x),
    resume_fit(baseline, x), fine_tune(baseline, x, "condition"), transfer_table(baseline),
    add_molecules(baseline, c(A = "C")), tidy(baseline), augment(baseline, x), render_report(baseline, x, "a.html")
  )
  for (call in as.list(calls)) {
    expect_refused(eval(call), "must be a model that was trained.*additive baseline, which has no network")
  }
  expect_refused(dose_response(baseline), "`newdata` must be given")
  skip_without_package("ggplot2")
  expect_refused(plot(baseline), "`object` must be a model that was trained")
})

test_that("wrong input is refused, as by cpa()", {
  cells <- small_cells()
  fit <- function(x = cells$x, ..., control = "control", col_data = cells$col_data) {
    baseline_fit(x, "condition", control = control, col_data = col_data, ...)
  }
  expect_refused(baseline_fit(), "`x` must be given")
  expect_refused(baseline_fit(cells$x, control = "control", col_data = cells$col_data), "`perturbation` must be")
  expect_refused(baseline_fit(cells$x, "condition", col_data = cells$col_data), "`control` must name the control")
  expect_refused(fit(method = "linear"), "`method` must be one of \"additive\".*\"linear\"")
  expect_refused(fit(method = "interpolation"), "`dose` must name the column of doses")
  expect_refused(fit(covariates = "celltype"), "Did you mean \"cell_type\"")
  expect_refused(fit(control = "vehicle"), "no cell is a control")
  expect_refused(fit(NULL), "`x` must be a SingleCell")
  expect_refused(fit(settings = cpa_settings()), "There is no argument `settings`")
  expect_refused(fit(seed = -1), "`seed` must be one whole number")
  expect_refused(fit(dose_unit = "NM"), "upper and lower case")
  # A drug without training cells is what the mean is for: no warning.
  expect_silent(fit(split = "s", col_data = transform(cells$col_data, s = ifelse(condition == "IFNb", "ood", "train"))))
})

test_that("predictions come in the container of the question", {
  ask <- condition(condition = "IFNb", cell_type = "B")
  plain <- predict(small_baseline(), small_cells()$x, ask, col_data = small_cells()$col_data)
  expect_true(is.matrix(plain))
  from <- function(x) {
    baseline <- baseline_fit(x, "condition", control = "control", covariates = "cell_type", split = "split")
    predict(baseline, x, ask)
  }
  sce <- from(small_sce())
  expect_s4_class(sce, "SingleCellExperiment")
  expect_equal(SummarizedExperiment::assay(sce, "mean"), plain, ignore_attr = TRUE)
  expect_identical(S4Vectors::metadata(sce)$cpa$model, "additive baseline")
  seurat <- from(small_seurat())
  expect_s4_class(seurat, "Seurat")
  expect_equal(as.matrix(SeuratObject::GetAssayData(seurat)), plain, ignore_attr = TRUE)
})

test_that("proteins have a baseline too: its scores are those beside a fit's, to the bit", {
  about <- cite_cells()$col_data
  baseline <- function(x, method, ...) {
    suppressWarnings(baseline_fit(x, "drug", method = method, control = "control", covariates = "cell_type",
                                  split = "split", proteins = paste0("CD", 1:5), col_data = about, ...))
  }
  normal <- log1p(cite_cells()$adt) - 2
  for (adt in list(cite_cells()$adt, with_gaps(cite_cells()$adt), with_gaps(normal))) {
    x <- cite_rows(adt)
    fit <- multi_fit(x, fusion = "poe")
    for (method in baseline_names[1:3]) {
      one <- baseline(x, method)
      scores <- expect_same_scores(fit, one, x, about, min_cells = 1)
      expect_true(any(is.finite(scores$r2_mean_protein)))
      expect_same_scores(fit, one, x, about, score = evaluate_effects, min_cells = 1)
      expect_same_scores(fit, one, x, about, preset = "multicpa", min_cells = 1)
    }
  }
  shown <- paste(format(one), collapse = "\n")
  expect_match(shown, "Proteins: +5\n")
  file <- withr::local_tempfile()
  save_fit(one, file)
  expect_identical(load_fit(file), one)
  expect_refused(evaluate_r2(one, x, col_data = about, from = "rna"), "`from` must be \"all\" for a baseline")
  expect_refused(baseline(x, "mean", protein_assay = "clr"), "`protein_assay` must be left out")
  expect_refused(baseline_fit(x, "drug", control = "control", proteins = "CD9", col_data = about),
                 "`x` has no \"CD9\"")
})

test_that("the line between doses goes through proteins", {
  cells <- dosed_cells()
  n <- ncol(cells$x)
  adt <- withr::with_seed(5, matrix(stats::rpois(3 * n, 20), 3, dimnames = list(paste0("CD", 1:3), NULL)))
  x <- rbind(as.matrix(cells$x), adt)
  about <- cells$col_data
  about$split[about$drug == "A" & about$dose == "10"] <- "train"
  about$split[about$drug == "A" & about$dose == "1"] <- "ood"
  line <- suppressWarnings(baseline_fit(
    x, "drug", method = "interpolation", dose = "dose", covariates = "cell_type", control = "control",
    split = "split", proteins = rownames(adt), col_data = about
  ))
  beside <- suppressWarnings(multicpa(
    x, "drug", dose = "dose", covariates = "cell_type", control = "control", split = "split",
    proteins = rownames(adt), fusion = "poe", col_data = about, settings = multi_settings(1)
  ))
  scores <- expect_same_scores(beside, line, x, about, min_cells = 2)
  expect_true(any(is.finite(scores$r2_var_protein)))
})

test_that("pictures and matrices of proteins take a baseline", {
  about <- cite_cells()$col_data
  x <- cite_rows()
  sum <- suppressWarnings(baseline_fit(x, "drug", control = "control", covariates = "cell_type",
                                       split = "split", proteins = paste0("CD", 1:5), col_data = about))
  r2 <- r2_matrix(sum, x, features = "proteins", col_data = about)
  expect_true(all(is.finite(r2)))
  skip_without_package("ggplot2")
  ask <- condition("A", cell_type = "NK")
  drawn <- plot_means(sum, x, ask, features = "proteins", col_data = about)
  expect_identical(drawn$data$gene, paste0("CD", 1:5))
  # Training cells of A with proteins are gone, so that there is no change of proteins.
  adt <- cite_cells()$adt
  adt[, about$drug == "A" & about$cell_type == "T"] <- NA
  gone <- suppressWarnings(baseline_fit(cite_rows(adt), "drug", control = "control", covariates = "cell_type",
                                        split = "split", proteins = paste0("CD", 1:5), col_data = about))
  expect_refused(plot_means(gone, x, ask, features = "proteins", col_data = about),
                 "must name a condition that can be predicted.*no training cells with \"A\" alone")
  expect_s3_class(plot_means(gone, x, ask, col_data = about), "ggplot")
})
