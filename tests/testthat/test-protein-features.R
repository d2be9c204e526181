# Proteins of a fit of both, asked for by name where genes are.

both_fit <- function() multi_fit(fusion = "poe")
mean_of <- function(adt, drug, type) {
  about <- cite_cells()$col_data
  rowMeans(adt[, about$drug == drug & about$cell_type == type], na.rm = TRUE)
}

test_that("responses of proteins are log(1 + mean), predicted and measured", {
  named <- c("CD2", "gene3")
  curve <- function(genes = named, x = cite_rows(), ...) {
    dose_response(both_fit(), x, space = "genes", dose = 1, perturbation = "A", genes = genes,
                  col_data = cite_cells()$col_data, ...)
  }
  predicted <- function(residual) {
    answer <- predict(both_fit(), cite_rows(), condition("A", cell_type = "NK"), residual = residual,
                      summarise = "condition", col_data = cite_cells()$col_data)
    proteins_of(answer)["CD2", 1]
  }
  adt <- cite_cells()$adt
  table <- curve()
  expect_identical(table$gene[1:2], named)
  row <- table[table$cell_type == "NK" & table$gene == "CD2", ]
  expect_equal(row$mean, log1p(predicted(FALSE)), tolerance = 1e-5)
  control <- log1p(mean_of(adt, "control", "NK")[["CD2"]])
  expect_equal(row$difference, log1p(predicted(TRUE)) - control, tolerance = 1e-4)
  expect_identical(attr(table, "scale"), c(genes = "log", proteins = "log1p"))
  expect_equal(curve("gene3")$mean, table$mean[table$gene == "gene3"])
  raw <- curve("CD2", scale = "model")
  expect_equal(raw$mean[raw$cell_type == "NK"], predicted(FALSE), tolerance = 1e-5, ignore_attr = TRUE)
  expect_identical(attr(raw, "scale"), c(proteins = "counts"))
  measured <- function(x = cite_rows(), genes = named, ...) {
    observed_response(both_fit(), x, genes = genes, col_data = cite_cells()$col_data, ...)
  }
  points <- measured()
  row <- points[points$cell_type == "NK" & points$perturbation == "A" & points$gene == "CD2", ]
  expect_equal(row$mean, log1p(mean_of(adt, "A", "NK")[["CD2"]]))
  expect_equal(row$difference, row$mean - control)
  # Cells without proteins have no part in it.
  some <- with_gaps(adt)
  points <- measured(cite_rows(some))
  row <- points[points$cell_type == "NK" & points$perturbation == "A" & points$gene == "CD2", ]
  expect_equal(row$mean, log1p(mean_of(some, "A", "NK")[["CD2"]]))
  some[, cite_cells()$col_data$drug == "A"] <- NA
  expect_identical(is.na(measured(cite_rows(some), "CD2")$mean), rep(c(TRUE, FALSE), 2))
  expect_refused(curve("CD9"), "`genes` must be genes or proteins of the fit.*Did you mean \"CD1\"")
  skip_without_package("ggplot2")
  y <- function(...) plot_dose_response(...)$labels$y
  expect_identical(y(table, observed = measured()),
                   "Mean expression\n(genes log-normalised;\nproteins log(1 + mean))")
  expect_identical(y(curve("CD2")), "Predicted mean expression\n(log(1 + mean))")
  expect_refused(y(table, observed = measured(genes = "CD2", scale = "model")), "\"counts\" and \"log1p\"")
})

test_that("changes of proteins are from the source cells that have them", {
  curve <- function(adt, ...) {
    dose_response(both_fit(), cite_rows(adt), perturbation = "control", dose = 1, genes = c("CD2", "gene3"),
                  col_data = cite_cells()$col_data, ...)
  }
  adt <- with_gaps(cite_cells()$adt)
  for (scale in c("log", "model")) {
    # The change to the control itself.
    expect_lt(max(abs(curve(adt, scale = scale)$difference)), 1e-4)
  }
  nk <- cite_cells()$col_data$cell_type == "NK" & cite_cells()$col_data$drug == "control"
  adt[, nk] <- NA
  none <- curve(adt)
  gone <- none$gene == "CD2" & none$cell_type == "NK"
  expect_identical(none$difference[gone], NA_real_)
  expect_false(is.nan(none$difference[gone]))
  expect_lt(max(abs(none$difference[!gone])), 1e-4)
  expect_true(all(is.finite(none$mean)))
})

test_that("plot_means() and r2_matrix() compare proteins as r2_mean_protein does", {
  about <- cite_cells()$col_data
  about$split <- "test"
  scores <- function(...) {
    evaluate_r2(both_fit(), cite_rows(), col_data = about, split = "test", baselines = FALSE, ...)
  }
  wanted <- scores()
  wanted <- wanted$r2_mean_protein[wanted$method == "model" & wanted$cell_type == "NK" & wanted$drug == "A"]
  r2 <- function(x = cite_rows(), ...) r2_matrix(both_fit(), x, features = "proteins", col_data = about, ...)
  expect_equal(r2()["NK, A", "NK, A"], wanted, tolerance = 1e-5)
  some <- r2(genes = c("CD1", "CD4"), rows = "measured")
  of <- function(drug) unname(log1p(mean_of(cite_cells()$adt, drug, "NK")[c("CD1", "CD4")]))
  expect_equal(some["NK, A", "NK, B"], core_r2(of("B"), of("A")), tolerance = 1e-6)
  expect_refused(r2(n_degs = 5), "left out for proteins")
  expect_refused(r2(genes = "gene1"), "`genes` must be proteins of the fit.*Of genes write features = \"genes\"")
  expect_refused(r2_matrix(small_fit(), small_cells()$x, features = "proteins"), "`features` must be \"genes\"")
  skip_without_package("ggplot2")
  drawn <- function(x = cite_rows(), ...) {
    plot_means(both_fit(), x, condition("A", cell_type = "NK"), features = "proteins", col_data = about, ...)
  }
  p <- drawn(n_labels = 2)
  expect_identical(p$data$gene, paste0("CD", 1:5))
  expect_equal(p$data$measured, unname(log1p(mean_of(cite_cells()$adt, "A", "NK"))))
  expect_match(p$labels$subtitle, sprintf("^r2 = %.2f over all 5 proteins;", wanted))
  expect_identical(p$labels$x, "Predicted mean (log(1 + mean))")
  change <- drawn(value = "difference", n_labels = 2)
  strongest <- change$data$gene[order(-abs(change$data$measured))[1:2]]
  expect_identical(change$layers[[3]]$data$gene, strongest)
  expect_identical(p$layers[[3]]$data$gene, strongest)
  expect_silent(ggplot2::ggplot_build(p))
  gone <- cite_rows(replace(cite_cells()$adt, cbind(rep(1:5, 160), rep(1:160, each = 5)), NA))
  expect_refused(suppressWarnings(drawn(gone)), "must hold cells with proteins")
})

test_that("evaluate_r2() scores proteins that are predicted from RNA", {
  scores <- function(x = cite_rows(), ..., fit = both_fit()) {
    evaluate_r2(fit, x, col_data = cite_cells()$col_data, split = c("test", "ood"), min_cells = 1, ...)
  }
  all <- scores()
  rna <- scores(from = "rna")
  model <- rna$method == "model"
  base <- rna$method %in% c("control", "additive")
  expect_identical(rna[base, ], all[base, ], ignore_attr = TRUE)
  expect_false(isTRUE(all.equal(rna$r2_mean_protein[model], all$r2_mean_protein[model])))
  predicted <- proteins_of(predict(both_fit(), cite_rows(), condition("A+B", cell_type = "NK"), from = "rna",
                                   summarise = "condition", col_data = cite_cells()$col_data))[, 1]
  measured <- mean_of(cite_cells()$adt, "A+B", "NK")
  expect_equal(rna$r2_mean_protein[model & rna$drug == "A+B" & rna$cell_type == "NK"],
               core_r2(unname(log1p(measured)), unname(log1p(predicted))), tolerance = 1e-5)
  # What the controls' proteins are does not matter, but for the baselines.
  adt <- cite_cells()$adt
  adt[, cite_cells()$col_data$drug == "control"] <- 0
  expect_equal(scores(cite_rows(adt), from = "rna")$r2_mean_protein[model], rna$r2_mean_protein[model])
  expect_match(paste(withr::with_options(list(width = 250), capture.output(print(rna))), collapse = " "),
               "with own `min_cells`, `from`: controls of the same covariates by RNA alone", fixed = TRUE)
  expect_refused(scores(from = "rna", fit = multi_fit()), "fusion = \"concat\"")
  expect_refused(evaluate_r2(small_fit(), small_cells()$x, from = "rna"), "fit of RNA alone")
})

test_that("whole numbers of proteins are read as others are", {
  whole <- cite_cells()$adt
  storage.mode(whole) <- "integer"
  x <- cite_sce(adt = list(counts = whole))
  read <- read_newdata(both_fit(), x)
  expect_identical(typeof(read$proteins), "double")
  expect_equal(evaluate_r2(both_fit(), x, split = "test", baselines = FALSE, seed = 1)$r2_mean_protein,
               evaluate_r2(both_fit(), cite_sce(), split = "test", baselines = FALSE, seed = 1)$r2_mean_protein)
  measured <- function(x) observed_response(both_fit(), x, genes = "CD1")
  expect_equal(measured(x), measured(cite_sce()))
})

test_that("scores of predictions from proteins tell what they start from, and whose cells lack it", {
  about <- cite_cells()$col_data
  run <- function(adt = cite_cells()$adt, ...) {
    evaluate_r2(both_fit(), cite_rows(adt), col_data = about, split = "ood", min_cells = 1, from = "proteins",
                baselines = FALSE, seed = 1, ...)
  }
  scores <- run()
  # Source cells have no genes whose change could be told.
  for (residual in c(FALSE, TRUE)) {
    both <- run(residual = residual)
    expect_setequal(both$method, c("model", if (residual) "model_decoded" else "model_difference"))
    expect_equal(unlist(both[1, metric_names]), unlist(both[2, metric_names]))
    expect_equal(unlist(both[1, metric_names]), unlist(scores[1, metric_names]))
  }
  expect_match(paste(capture.output(print(scores)), collapse = " "), "by proteins alone")
  words <- function(...) attr(compare_r2(..., baselines = FALSE), "words")
  expect_match(words(a = scores, b = scores), "by proteins alone")
  whole <- evaluate_r2(both_fit(), cite_rows(), col_data = about, split = "ood", min_cells = 1)
  expect_no_match(words(a = scores, b = whole), "alone")
  lacking <- replace(cite_cells()$adt, cbind(1:5, which(about$drug == "control" & about$cell_type == "NK")[1]), NA)
  refused <- tryCatch(run(lacking), error = identity)
  expect_match(conditionMessage(refused), "1 source cell lacks it")
  expect_identical(as.character(refused$call[[1]]), "evaluate_r2")
})

test_that("evaluate_effects() scores changes of proteins, over the cells that have them", {
  about <- cite_cells()$col_data
  adt <- with_gaps(cite_cells()$adt)
  effects <- function(x = cite_rows(adt), ..., fit = both_fit(), col_data = about) {
    evaluate_effects(fit, x, split = "ood", col_data = col_data, seed = 1, ...)
  }
  table <- effects()
  change <- function(m) unname(log1p(m) - log1p(mean_of(adt, "control", "NK")))
  truth <- change(mean_of(adt, "A+B", "NK"))
  model <- change(proteins_of(predict(both_fit(), cite_rows(adt), condition("A+B", cell_type = "NK"),
                                      summarise = "condition", col_data = about))[, 1])
  row <- table[table$method == "model", ]
  expect_equal(row$r2_logfold_protein, core_r2(truth, model), tolerance = 1e-5)
  expect_identical(row$sign_protein, mean(truth * model > 0))
  # No effect is no change, and none has a sign.
  control <- table[table$method == "control", ]
  expect_equal(control$r2_logfold_protein, core_r2(truth, 0 * truth))
  expect_identical(control$sign_protein, 0)
  expect_true(is.finite(table$r2_logfold_protein[table$method == "additive"]))
  best <- effects(baselines = "ceiling")
  best <- best[best$method == "ceiling", ]
  expect_gt(best$r2_logfold_protein, max(table$r2_logfold_protein))
  expect_gt(best$sign_protein, 0.5)
  expect_identical(names(effects(min_cells = 1e6)), names(table))
  adt[, about$drug == "A+B" & about$cell_type == "NK"] <- NA
  gone <- effects()
  expect_identical(gone$r2_logfold_protein, rep(NA_real_, nrow(gone)))
  expect_identical(gone$sign_protein, rep(NA_real_, nrow(gone)))
  expect_equal(gone$r2_logfold_deg, table$r2_logfold_deg, tolerance = 0.5)
  alone <- evaluate_effects(small_fit(), small_cells()$x, col_data = small_cells()$col_data)
  expect_no_match(names(alone), "protein")
})

test_that("evaluate_cells() and augment() compare the proteins of cells with their reconstruction", {
  adt <- with_gaps(cite_cells()$adt)
  about <- cite_cells()$col_data
  table <- evaluate_cells(both_fit(), cite_rows(adt), split = "ood", min_cells = 1, col_data = about)
  made <- proteins_of(reconstruct(both_fit(), cite_rows(adt), col_data = about))
  variance <- proteins_of(reconstruct(both_fit(), cite_rows(adt), type = "variance", col_data = about))
  has <- !is.na(adt[1, ])
  each <- vapply(which(has), function(i) core_r2(log1p(adt[, i]), log1p(made[, i])), 0)
  held <- about$split[has] == "ood"
  expect_equal(table$r2_cells_protein, mean(each[held]), tolerance = 1e-5)
  at <- which(has)[held]
  expect_equal(table$r2_var_protein, core_r2(unname(log1p(apply(adt[, at], 1, stats::var))),
                                             unname(log1p(rowMeans(variance[, at])))), tolerance = 1e-5)
  adt[, about$split == "ood"] <- NA
  gone <- evaluate_cells(both_fit(), cite_rows(adt), split = "ood", min_cells = 1, col_data = about)
  expect_identical(c(gone$r2_cells_protein, gone$r2_var_protein), c(NA_real_, NA_real_))
  expect_true(is.finite(gone$r2_cells))
  none <- evaluate_cells(both_fit(), cite_rows(adt), min_cells = 1e6, col_data = about)
  expect_identical(names(none), names(gone))
  cells <- augment(both_fit(), cite_rows(with_gaps(cite_cells()$adt)), col_data = about)
  expect_identical(is.na(cells$.r2_protein), !has, ignore_attr = TRUE)
  expect_equal(cells$.r2_protein[has], unname(each), tolerance = 1e-5)
  expect_false(anyNA(cells$.r2))
})

test_that("round trips lose proteins as well", {
  adt <- with_gaps(log1p(cite_cells()$adt))
  rows <- function() rbind(log1p(cite_cells()$genes), adt)
  about <- cite_cells()$col_data
  fit <- multi_fit(rows(), fusion = "poe")
  trip <- function(drug = "A") {
    cycle_uncertainty(fit, rows(), condition(drug, cell_type = "NK"), direction = "forward", seed = 1, col_data = about)
  }
  table <- trip()
  start <- which(about$drug == "control" & about$cell_type == "NK")
  has <- !is.na(adt[1, start])
  own <- about[start, ]
  step <- function(x, from, to) {
    own$drug <- from
    answer <- predict(fit, x, condition(to), source = seq_len(ncol(x)), residual = FALSE, col_data = own)
    proteins <- proteins_of(answer)
    proteins[, !has] <- NA
    matrix(rbind(answer, proteins), nrow(x), dimnames = dimnames(x))
  }
  x <- adt[, start][, has]
  back <- step(step(rows()[, start], "control", "A"), "A", "control")[15:19, has]
  expect_equal(table$mse_protein, mean((x - back)^2), tolerance = 1e-4)
  expect_equal(table$r2_error_protein, 1 - core_r2(unname(rowMeans(x)), unname(rowMeans(back))), tolerance = 1e-4)
  stay <- trip(drug = "control")
  expect_equal(stay$mse_protein, stay$mse_stay_protein)
  expect_equal(stay$mse_stay_protein, table$mse_stay_protein)
  adt[, start] <- NA
  gone <- trip()
  of_proteins <- grepl("protein", names(gone))
  expect_identical(sum(of_proteins), 4L)
  expect_true(all(is.na(gone[of_proteins])))
  expect_true(all(is.finite(unlist(gone[c("mse", "r2_error", "mse_stay", "r2_error_stay")]))))
  # Counts are compared as log(1 + value).
  one <- function(adt) list(x = diag(3), proteins = adt, measured = c(3L, 3L, 1L))
  lost <- trip_scores(both_fit(), one(diag(3)), one(diag(3) * exp(1)), one(diag(3)))
  logs <- list(diag(3)[, 1:2], log1p(diag(3)[, 1:2] * exp(1)))
  expect_equal(lost$mse_protein, mean((log(2) * logs[[1]] - logs[[2]])^2))
  expect_identical(c(lost$mse, lost$mse_stay_protein, lost$r2_error_stay_protein), c(0, 0, 0))
})

test_that("lengths of responses are over proteins where these are asked for", {
  about <- cite_cells()$col_data
  ask <- function(verb, ...) verb(both_fit(), cite_rows(), col_data = about, ...)
  for (scale in c("log", "model")) {
    curve <- function(...) ask(dose_response, perturbation = "A", dose = 1, scale = scale, ...)
    each <- curve(genes = paste0("CD", 1:5))
    whole <- curve(features = "proteins")
    length_of <- function(x) unname(c(tapply(x, each$cell_type, function(v) sqrt(sum(v^2)))))
    expect_equal(whole$norm_of_mean, length_of(each$mean))
    expect_equal(whole$norm_of_difference, length_of(each$difference))
    expect_identical(attr(whole, "scale"), c(proteins = if (scale == "log") "log1p" else "counts"))
    expect_false(isTRUE(all.equal(curve()$norm_of_difference, whole$norm_of_difference)))
    seen <- ask(observed_response, perturbation = "A", features = "proteins", scale = scale)
    each <- ask(observed_response, perturbation = "A", genes = paste0("CD", 1:5), scale = scale)
    expect_equal(seen$norm_of_difference, length_of(each$difference))
    both <- ask(dose_response2d, perturbation = c("A", "B"), dose = 1, features = "proteins", scale = scale)
    each <- ask(dose_response2d, perturbation = c("A", "B"), dose = 1, genes = paste0("CD", 1:5), scale = scale)
    expect_equal(both$norm_of_difference, length_of(each$difference))
  }
  expect_refused(dose_response(both_fit(), features = "proteins"), "`newdata` must be given")
  expect_refused(dose_response(both_fit(), space = "latent", features = "proteins"),
                 "`features` must be left out for `space = \"latent\"`")
  expect_refused(curve(features = "proteins", genes = "gene3"), "`genes` must be proteins of the fit")
  expect_refused(plot_means(both_fit(), cite_rows(), condition("A"), genes = "CD1"),
                 "`genes` must be genes of the fit.*Of proteins write features = \"proteins\"")
  expect_refused(observed_response(small_fit(), small_cells()$x, features = "proteins"),
                 "`features` must be \"genes\" for a fit of RNA alone")
  expect_refused(dose_response2d(small_fit(), features = "proteins"), "`features` must be \"genes\"")
  skip_without_package("ggplot2")
  expect_identical(plot_dose_response(whole, observed = seen)$labels$y, "Length of change of proteins\n(counts)")
  expect_refused(plot_dose_response(whole, observed = ask(observed_response, perturbation = "A", scale = "model")),
                 "must be of what `response` is of. x They are of genes and of proteins")
})

test_that("a name that a gene and a protein have is the gene, or the protein among proteins", {
  x <- cite_sce()
  adt <- SingleCellExperiment::altExp(x, "ADT")
  rownames(adt)[2] <- "gene3"
  SingleCellExperiment::altExp(x, "ADT") <- adt
  fit <- multi_fit(x, proteins = NULL, fusion = "poe")
  measured <- function(...) observed_response(fit, x, perturbation = "A", genes = "gene3", scale = "model", ...)
  of <- function(values) {
    unname(vapply(c("NK", "T"), function(type) {
      mean(values[cite_cells()$col_data$drug == "A" & cite_cells()$col_data$cell_type == type])
    }, 0))
  }
  expect_equal(measured()$mean, of(cite_cells()$genes["gene3", ]))
  expect_equal(measured(features = "proteins")$mean, of(cite_cells()$adt["CD2", ]))
  expect_identical(attr(measured(features = "proteins"), "scale"), c(proteins = "counts"))
  curve <- function(...) dose_response(fit, x, perturbation = "A", dose = 1, genes = "gene3", ...)
  answer <- predict(fit, x, condition("A", cell_type = "NK"), summarise = "condition")
  second <- SummarizedExperiment::assay(SingleCellExperiment::altExp(answer), "mean")
  expect_equal(curve(features = "proteins")$mean[1], log1p(second["gene3", 1]), tolerance = 1e-5, ignore_attr = TRUE)
  expect_identical(attr(curve(), "scale"), "log")
})
