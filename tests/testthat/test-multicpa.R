# multicpa(): fits of RNA and proteins, their settings and verbs. Containers are in test-proteins.R.

poe <- function(adt = with_gaps(cite_cells()$adt), ...) multi_fit(cite_rows(adt), fusion = "poe", ...)

test_that("a fit trains, is repeatable, and says what it is", {
  fit <- multi_fit()
  expect_identical(fit$meta$model, "multicpa")
  expect_identical(fit$meta$registry$proteins, paste0("CD", 1:5))
  expect_identical(fit$meta$registry$genes, paste0("gene", 1:14))
  numbers <- c("loss_reconstruction", "loss_proteins", "loss_kl", "loss_kl_background", "r2_mean_protein",
              "r2_var_protein")
  expect_true(all(is.finite(as.matrix(fit$history[numbers]))))
  shown <- format(fit)
  expect_match(shown[1], "MultiCPA, nb loss")
  expect_match(shown, "14 genes", all = FALSE)
  expect_match(shown, "Proteins: +5, nb_mixture loss, fusion concat", all = FALSE)
  expect_match(capture.output(print(summary(fit))), "r2_mean_protein", all = FALSE)
  sce <- multi_fit(cite_sce(), proteins = NULL, fusion = "poe")
  expect_match(format(sce), "Proteins: +5 \\(ADT, counts\\), nb_mixture loss, fusion poe", all = FALSE)
  expect_false(fit$meta$residual)
})

test_that("each likelihood and fusion trains; what was asked for is what is there", {
  cells <- cite_cells()
  for (fusion in c("concat", "poe")) {
    for (loss in c("nb_mixture", "nb", "gauss")) {
      fit <- multi_fit(fusion = fusion, protein_loss = loss)
      expect_identical(fit$meta$settings[c("fusion", "protein_loss")],
                       list(fusion = fusion, protein_loss = loss))
      answer <- ask_both(fit, type = "variance")
      expect_true(all(is.finite(answer)) && all(proteins_of(answer) > 0))
      expect_identical(any(is.finite(fit$history$loss_kl_background)), loss == "nb_mixture")
    }
  }
  logs <- multi_fit(rbind(log1p(cells$genes), log1p(cells$adt) - 1), batch = "donor")
  expect_identical(logs$meta$settings[c("loss_ae", "protein_loss")],
                   list(loss_ae = "gauss", protein_loss = "gauss"))
  expect_true(all(is.finite(ask_both(logs, rbind(log1p(cells$genes), log1p(cells$adt) - 1),
                                     correct = "batch"))))
})

test_that("RNA alone, molecules and mixup go with it", {
  alone <- multi_fit(cite_cells()$genes, proteins = FALSE)
  expect_null(alone$meta$registry$proteins)
  expect_false(any(grepl("protein", names(alone$history))))
  expect_null(proteins_of(ask_both(alone, cite_cells()$genes)))
  expect_refused(ask_both(alone, cite_cells()$genes, from = "rna"), "fit of RNA alone")
  table <- matrix(c(1, 0, 2, 1, 1, 0), 2, dimnames = list(c("A", "B"), NULL))
  fit <- multi_fit(molecules = table)
  expect_match(format(fit), "3 features each", all = FALSE)
  more <- add_molecules(fit, matrix(c(1, 1, 1), 1, dimnames = list("C", NULL)))
  expect_identical(ask_both(more), ask_both(fit))
  expect_refused(fine_tune(fit, cite_rows(), "drug", control = "control", molecules = table,
                           col_data = cite_cells()$col_data), "must come from")
  mixed <- multi_fit(settings = multi_settings(mixup_alpha = 0.3, reg_alignment = 0,
                                               reg_counterfactual = 0))
  for (one in list(fit, mixed)) expect_true(all(is.finite(proteins_of(ask_both(one)))))
})

test_that("cells without proteins train and are predicted with a product of experts", {
  gaps <- with_gaps(cite_cells()$adt)
  fit <- poe()
  answer <- ask_both(fit, cite_rows(gaps))
  expect_true(all(is.finite(answer)) && all(is.finite(proteins_of(answer))))
  expect_identical(colnames(reconstruct(fit, cite_rows(gaps), col_data = cite_cells()$col_data)),
                   rownames(cite_cells()$col_data))
  gone <- cite_rows(replace(gaps, TRUE, NA))
  expect_identical(ask_both(fit, gone), ask_both(fit, cite_rows(), from = "rna"))
  expect_warning(without <- ask_both(fit, cite_cells()$genes), "no proteins", class = "compert_rna_only")
  expect_identical(without[, ], ask_both(fit, gone)[, ])
  # What was asked for is no news.
  expect_no_warning(asked <- ask_both(fit, cite_cells()$genes, from = "rna"))
  expect_identical(asked[, ], without[, ])
  expect_identical(proteins_of(without), proteins_of(ask_both(fit, gone)))
  expect_false(identical(proteins_of(without), proteins_of(ask_both(fit, cite_rows(gaps)))))
  expect_refused(ask_both(multi_fit(), cite_cells()$genes) |> suppressWarnings(), "both modalities")
  ask <- function(fit, x, ..., col_data) ask_both(fit, x, ...)
  for (verb in list(ask, reconstruct, protein_expression)) {
    expect_refused(verb(multi_fit(), cite_rows(), from = "rna", col_data = cite_cells()$col_data),
                   "`from` must be \"all\" for a fit with fusion = \"concat\".*It is \"rna\"")
  }
})

test_that("`from` takes one modality alone", {
  fit <- poe(cite_cells()$adt)
  both <- ask_both(fit)
  rna <- ask_both(fit, from = "rna")
  second <- ask_both(fit, from = "proteins")
  expect_false(identical(proteins_of(rna), proteins_of(both)))
  expect_false(identical(proteins_of(second), proteins_of(rna)))
  other <- cite_cells()$adt[, 160:1]
  colnames(other) <- rev(colnames(other))
  expect_identical(ask_both(fit, cite_rows(other), from = "rna"), rna)
  genes <- cite_cells()$genes[, 160:1]
  colnames(genes) <- rev(colnames(genes))
  expect_identical(proteins_of(ask_both(fit, rbind(genes, cite_cells()$adt), from = "proteins")),
                   proteins_of(second))
  expect_refused(ask_both(poe(), cite_rows(with_gaps(cite_cells()$adt)), from = "proteins"),
                 "have that modality.*lack it")
  expect_refused(ask_both(fit, from = "genes"), "`from` must be")
})

test_that("samples are counts and follow the seed", {
  fit <- multi_fit()
  draw <- function(seed) ask_both(fit, type = "sample", n_samples = 2, seed = seed)
  one <- draw(1)
  expect_identical(dim(proteins_of(one)), c(5L, ncol(one)))
  expect_true(all(proteins_of(one) == round(proteins_of(one))) && all(proteins_of(one) >= 0))
  expect_identical(one, draw(1))
  expect_false(identical(proteins_of(one), proteins_of(draw(2))))
})

test_that("a fit is kept, loaded and trained further", {
  fit <- poe()
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  again <- load_fit(file)
  expect_identical(again, fit)
  x <- cite_rows(with_gaps(cite_cells()$adt))
  expect_identical(ask_both(again, x), ask_both(fit, x))
  table <- cite_cells()$col_data
  flat <- function(...) multi_settings(..., kl_annealing_frac = 0)
  longer <- resume_fit(poe(settings = flat(1)), x, epochs = 1, col_data = table, verbose = FALSE)
  whole <- poe(settings = flat(2))
  expect_identical(longer$history$loss_proteins, whole$history$loss_proteins)
  expect_identical(ask_both(longer, x), ask_both(whole, x))
  expect_refused(resume_fit(fit, x, epochs = 1, fusion = "concat", col_data = table), "fusion.*may not")
})

test_that("embeddings are written back beside the proteins", {
  x <- cite_sce()
  out <- write_back(multi_fit(x, proteins = NULL), x)
  expect_identical(SingleCellExperiment::altExpNames(out), "ADT")
  expect_identical(dim(SingleCellExperiment::reducedDim(out, "CPA_basal")), c(160L, 6L))
  x <- cite_seurat()
  out <- write_back(multi_fit(x, proteins = NULL), x, which = "treated")
  expect_identical(SeuratObject::Reductions(out), "cpa_treated")
})

test_that("proteins are scored as they are by hand", {
  fit <- multi_fit()
  cells <- cite_cells()
  table <- cells$col_data
  adt <- cells$adt[, table$split == "ood"]
  control <- cells$adt[, table$drug == "control" & table$cell_type == "NK"]
  answer <- ask_both(fit, type = "variance")
  mean <- proteins_of(ask_both(fit))
  v <- function(x) apply(x, 1, stats::var)
  r2 <- function(truth, guess) 1 - sum((truth - guess)^2) / sum((truth - mean(truth))^2)
  hand <- function(f) {
    c(r2(f(rowMeans(adt)), f(rowMeans(mean))), r2(f(v(adt)), f(rowMeans(proteins_of(answer)) + v(mean))),
      r2(f(rowMeans(adt)), f(rowMeans(control))), r2(f(v(adt)), f(v(control))))
  }
  for (scale in c("model", "log")) {
    scores <- evaluate_r2(fit, cite_rows(), split = "ood", scale = scale, residual = FALSE,
                          baselines = c("control", "additive", "mean"), col_data = table, seed = 1)
    row <- function(method) unlist(scores[scores$method == method, c("r2_mean_protein", "r2_var_protein")])
    f <- if (scale == "log") log1p else identity
    expect_equal(unname(c(row("model"), row("control"))), hand(f), tolerance = 1e-5)
    expect_true(all(is.finite(row("additive"))))
    effect <- function(x) f(rowMeans(x)) - f(rowMeans(control))
    model <- scores[scores$method == "model", ]
    expect_equal(c(model$r2_lfc_protein, model$pearson_delta_protein),
                 c(r2(effect(adt), effect(mean)), stats::cor(effect(adt), effect(mean))), tolerance = 1e-4)
    expect_identical(scores$pearson_delta_protein[scores$method == "control"], NA_real_)
    other <- table$split == "train" & table$cell_type == "NK"
    other <- lapply(split(which(other), table$drug[other]), function(at) f(rowMeans(cells$adt[, at])))
    shifts <- lapply(other[setdiff(names(other), c("control", table$drug[table$split == "ood"]))],
                     function(one) one - other$control)
    mean_effect <- f(rowMeans(control)) + Reduce(`+`, shifts) / length(shifts)
    expect_equal(unname(row("mean")), c(r2(f(rowMeans(adt)), mean_effect), unname(row("control")[2])))
  }
  printed <- withr::with_options(list(width = 250), capture.output(print(scores)))
  expect_match(printed, "^method +n r2_mean_protein r2_var_protein r2_lfc_protein pearson_delta_protein$", all = FALSE)
  expect_match(printed, "r2 of the effects on proteins: ", all = FALSE)
  expect_lt(max(nchar(grep("^(method|model)", printed, value = TRUE))), 100)
  shown <- summary(scores)
  expect_true(all(c("r2_mean_protein", "r2_var_protein") %in% names(shown)))
  # Of cells with proteins only.
  gaps <- cite_rows(with_gaps(cells$adt))
  some <- evaluate_r2(poe(), gaps, split = "ood", scale = "model", col_data = table)
  has <- !is.na(with_gaps(cells$adt)[1, ])
  truth <- rowMeans(cells$adt[, table$split == "ood" & has])
  control <- rowMeans(cells$adt[, table$drug == "control" & table$cell_type == "NK" & has])
  expect_equal(some$r2_mean_protein[some$method == "control"], r2(truth, control), tolerance = 1e-6)
  plain <- evaluate_r2(multi_fit(cells$genes, proteins = FALSE), cells$genes, split = "ood", col_data = table)
  expect_false(any(grepl("protein", names(plain))))
  theirs <- summary(evaluate_r2(fit, cite_rows(), split = "ood", preset = "multicpa", min_cells = 1,
                                col_data = table))
  expect_identical(names(theirs)[match("r2_mean", names(theirs)) + 0:5],
                   c("r2_mean", "r2_var", "r2_mean_deg", "r2_var_deg", "r2_mean_protein", "r2_var_protein"))
})

test_that("verbs that score take fits of both, and presets that know proteins take fits of RNA", {
  table <- cite_cells()$col_data
  cells <- augment(multi_fit(), cite_rows(), col_data = table)
  means <- reconstruct(multi_fit(), cite_rows(), col_data = table)
  expect_equal(cells$.r2[3], core_r2(cite_cells()$genes[, 3], means[, 3]), tolerance = 1e-5)
  score <- function(fit, ...) evaluate_r2(fit, ..., split = "ood", col_data = table)
  tables <- list(concat = score(multi_fit(), cite_rows()), poe = score(poe(cite_cells()$adt), cite_rows()))
  shown <- capture.output(print(compare_r2(tables, metric = c("r2_mean", "r2_lfc_protein"))))
  expect_match(shown, "all genes.*effects, proteins", all = FALSE)
  expect_s3_class(plot_r2(tables$poe, c("r2_lfc_protein", "pearson_delta_protein")), "ggplot")
  alone <- multi_fit(cite_cells()$genes, proteins = FALSE)
  theirs <- summary(score(alone, cite_cells()$genes, preset = "multicpa", min_cells = 1))
  expect_identical(names(theirs)[match("r2_mean", names(theirs)) + 0:3],
                   c("r2_mean", "r2_var", "r2_mean_deg", "r2_var_deg"))
  expect_false(any(grepl("protein", names(theirs))))
  none <- summary(score(multi_fit(), cite_rows(), preset = "multicpa", min_cells = 1000))
  expect_identical(unlist(none[c("r2_mean", "r2_var_protein")]), c(r2_mean = -1, r2_var_protein = -1))
})

test_that("one protein trains; it has no r2", {
  x <- cite_rows(cite_cells()$adt["CD1", , drop = FALSE])
  fit <- multi_fit(x, proteins = "CD1")
  expect_true(all(is.finite(fit$history$loss_proteins)))
  expect_true(all(is.na(fit$history$r2_mean_protein)))
  expect_identical(dim(proteins_of(ask_both(fit, x, summarise = "condition"))), c(1L, 1L))
  scores <- evaluate_r2(fit, x, split = "ood", col_data = cite_cells()$col_data)
  expect_true(all(is.na(scores$r2_mean_protein)) && all(is.finite(scores$r2_mean)))
})

test_that("settings have the defaults of the model and of the reference", {
  expect_identical(multicpa_settings()[c("model", "variational", "kl_annealing_frac", "recon_weight_pro")],
                   list(model = "multicpa", variational = TRUE, kl_annealing_frac = 0.3,
                        recon_weight_pro = 1))
  theirs <- multicpa_settings(parity = "multicpa")
  expect_identical(unlist(theirs[c("kl_weight", "recon_weight_pro", "reg_adversary", "dim", "stopping_metric")]),
                   c(kl_weight = "1", recon_weight_pro = "0.1", reg_adversary = "5", dim = "256",
                     stopping_metric = "r2_all"))
  fit <- multi_fit(fusion = "poe", settings = multi_settings(parity = "multicpa_fixed"))
  expect_true(all(is.finite(fit$history$loss_adv_perturbations)))
  expect_identical(multi_fit(settings = multi_settings(fusion = "poe"))$meta$settings$fusion, "poe")
  expect_match(capture.output(print(theirs)), "recon_weight_pro +0.1", all = FALSE)
})

test_that("wrong input is refused, each with one error", {
  expect_refused(multi_fit(fusion = "sum"), "`fusion` must be one of \"concat\"")
  expect_refused(multi_fit(cite_rows(with_gaps(cite_cells()$adt))), "53 cells of 160 lack proteins.*poe")
  expect_refused(poe(replace(cite_cells()$adt, TRUE, NA)), "measured in some training cells.*No training cell has any")
  expect_refused(multi_fit(protein_loss = "zinb"), "`protein_loss` must be one of")
  expect_refused(multi_fit(fusion = "concat", settings = multi_settings(fusion = "poe")),
                 "`fusion` and that of the settings must agree")
  expect_refused(multi_fit(protein_loss = "nb", settings = multi_settings(protein_loss = "gauss")),
                 "`protein_loss` and that of the settings must agree")
  expect_refused(multi_fit(loss = "nb", settings = multi_settings(loss_ae = "gauss")), "must agree")
  expect_refused(multicpa_settings(fusion = "poe", variational = FALSE), "must be TRUE with fusion")
  expect_refused(multi_fit(fusion = "poe", settings = multi_settings(variational = FALSE)),
                 "must be TRUE with fusion")
  expect_refused(multi_fit(settings = cpa_settings(epochs = 1)), "multicpa_settings")
  expect_refused(cpa(cite_rows(), "drug", control = "control", col_data = cite_cells()$col_data,
                     settings = multicpa_settings()), "must come from")
  expect_refused(multicpa_settings(parity = "fb"), "parity")
  expect_refused(multicpa_settings(protein_background = "mode"), "protein_background")
  expect_refused(multi_fit(protein = "CD1"), "Did you mean \"proteins\"")
  expect_refused(multicpa(cite_rows(), "drug", control = "control", proteins = "CD1"), "`col_data` must")
  expect_refused(ask_both(multi_fit(), cite_rows()[-19, ]), "It lacks \"CD5\"")
})
