# The fixtures are made by fixtures/make_reference_fits.py, which trains the references themselves; "expected"
# in them is what these compute in single precision.

exported <- function(which) {
  if (which == "cpa") return(system.file("extdata", "reference_cpa.h5", package = "compert", mustWork = TRUE))
  testthat::test_path("fixtures", paste0("reference_", which, ".h5"))
}

reference_of <- function(which) {
  from <- sub("_.*", "", which)
  cells <- switch(from, chemcpa = drugseq_example(as = "list"), multicpa = cite_example(as = "list"),
                  kang_example(as = "list"))
  fit <- read_reference_fit(exported(which))
  genes <- fit$meta$registry$genes
  # A protein may have the name of a gene that the model has not.
  x <- switch(which, theislab = cells$counts, multicpa_concat = rbind(cells$counts[genes, ], cells$proteins),
              multicpa_poe = rbind(cells$x[genes, ], log1p(cells$proteins)), cells$x)
  truth <- read_h5ad_parts(exported(which))
  chosen <- as.character(truth$uns$expected$cells)
  labels <- if (from %in% c("chemcpa", "multicpa")) truth$obs else cells$col_data
  list(fit = fit, x = x[, chosen], col_data = labels[chosen, ], truth = truth$uns$expected)
}

# The cells of the example's training.
kang_cells <- function() {
  cells <- kang_example(as = "list")
  use <- cells$col_data$cell_type %in% c("B", "NK", "CD8T")
  list(x = cells$x[, use], col_data = cells$col_data[use, ])
}

# The largest difference, relative to the largest value: some roundings of single precision.
expect_rounded <- function(ours, theirs) {
  expect_identical(dim(ours), dim(theirs))
  expect_lt(max(abs(as.vector(ours) - as.vector(theirs))) / max(abs(theirs)), 2e-6)
}

expect_reference <- function(which, target) {
  r <- reference_of(which)
  genes <- seq_along(r$fit$meta$registry$genes)
  own <- function(type) reconstruct(r$fit, r$x, type = type, col_data = r$col_data)
  new <- function(type) {
    suppressWarnings(predict(r$fit, r$x, target, source = colnames(r$x), type = type, col_data = r$col_data),
                     classes = "compert_extrapolation")
  }
  for (which in c("own", "new")) {
    answer <- get(which)
    mean <- answer("mean")
    expect_rounded(t(mean), r$truth[[which]][, genes])
    expect_rounded(t(answer("variance")), r$truth[[which]][, -genes])
    proteins <- r$truth[[paste0(which, "_proteins")]]
    if (!is.null(proteins)) expect_rounded(t(attr(mean, "proteins")), proteins)
  }
  for (which in c("basal", "treated")) {
    expect_rounded(cell_embedding(r$fit, r$x, which = which, col_data = r$col_data), r$truth[[which]])
  }
  expect_gt(max(abs(r$truth$own - r$truth$new)), 1e-4)
  r
}

test_that("a model of facebookresearch/CPA predicts what it does there", {
  r <- expect_reference("cpa", condition(condition = "IFNb", dose = 0.5))
  expect_identical(r$fit$meta$reference, "facebookresearch/CPA")
  expect_identical(r$fit$meta$settings$parity, "fb")
  expect_match(format(r$fit), "by facebookresearch/CPA", all = FALSE)
})

test_that("a model of theislab/chemCPA predicts what it does there, combinations too", {
  r <- expect_reference("chemcpa", condition(condition = "Trametinib", dose = 2.5))
  expect_true("Trametinib+Abemaciclib" %in% r$col_data$condition)
  expect_identical(r$fit$meta$model, "chemcpa")
  features <- matrix(1, 1, 10, dimnames = list("new", NULL))
  expect_true("new" %in% add_molecules(r$fit, features)$meta$registry$perturbations)
})

test_that("a model of theislab/cpa predicts what it does there, without the data", {
  r <- expect_reference("theislab", condition(condition = "IFNb", dose = 0.5))
  expect_identical(r$fit$meta$registry$covariates, list(cell_type = c("B", "CD8T", "NK")))
  expect_identical(nobs(r$fit), NA_integer_)
  expect_match(format(r$fit), "Cells: +unknown", all = FALSE)
})

test_that("a model of theislab/chemCPA with layers for other genes predicts what it does there", {
  r <- expect_reference("chemcpa_append", condition(condition = "Trametinib", dose = 2.5))
  weights <- core_weights(r$fit$state)
  expect_true(all(c("encoder.network.henc_linear.weight", "decoder.network.hdec_bn.running_mean") %in% names(weights)))
  expect_length(r$fit$meta$registry$genes_inner, 30L)
  cells <- drugseq_example(as = "list")
  features <- as.matrix(cells$descriptors)[, 1:10]
  features <- rbind(features, control = 0)
  tuned <- suppressWarnings(fine_tune(
    r$fit, cells$x[1:40, ], "condition", dose = "dose", control = "control", covariates = "cell_type",
    molecules = features, col_data = cells$col_data, epochs = 1, verbose = FALSE
  ), classes = "compert_screen_warning")
  expect_identical(tuned$meta$transfer$genes, "append")
  expect_length(tuned$meta$registry$genes, 40L)
})

test_that("models of theislab/multicpa predict what they do there without noise, proteins too", {
  target <- condition(condition = "CTCL", dose = 0.7)
  r <- expect_reference("multicpa_concat", target)
  expect_identical(r$fit$meta$model, "multicpa")
  expect_identical(r$fit$meta$settings[c("parity", "fusion", "protein_loss", "loss_ae")],
                   list(parity = "multicpa", fusion = "concat", protein_loss = "nb_mixture", loss_ae = "nb"))
  names <- rownames(cite_example(as = "list")$proteins)[1:9]
  expect_identical(r$fit$meta$registry$proteins, names)
  expect_identical(dim(protein_expression(r$fit, r$x, col_data = r$col_data)), c(9L, ncol(r$x)))
  r <- expect_reference("multicpa_poe", target)
  expect_identical(r$fit$meta$settings$fusion, "poe")
  alone <- predict(r$fit, r$x, condition(condition = "CTCL", dose = 0.5), source = colnames(r$x), from = "rna",
                   col_data = r$col_data)
  expect_true(all(is.finite(attr(alone, "proteins"))))
  cells <- cite_example(as = "list")
  labels <- read_h5ad_parts(exported("multicpa_poe"))$obs
  all <- rbind(cells$x[r$fit$meta$registry$genes, ], log1p(cells$proteins))[, rownames(labels)]
  longer <- resume_fit(r$fit, all, epochs = 1, col_data = labels, verbose = FALSE)
  expect_identical(nrow(longer$history), 1L)
})

test_that("proteins without names in the file must be given, and those of a model without any must not", {
  export <- read_export(exported("multicpa_poe"), rlang::current_env())
  names <- as_names(export$about$proteins)
  export$about["proteins"] <- list(NULL)
  whole <- read_reference_fit(exported("multicpa_poe"))
  local_replaced("read_export", function(file, call) export)
  expect_refused(read_reference_fit("any"), "`proteins` must be given.*30 genes, 9 proteins, 2 perturbations")
  expect_refused(read_reference_fit("any", proteins = names[-1]), "as many names as the model \\(9\\).*It has 8")
  fit <- read_reference_fit("any", proteins = names)
  expect_identical(fit$meta$registry, whole$meta$registry)
})

test_that("proteins of a model that has none are refused", {
  expect_refused(read_reference_fit(exported("cpa"), proteins = "CD3"), "`proteins` must be left out: the model has none")
})

test_that("the fit knows what training saw, and goes on", {
  fit <- read_reference_fit(exported("cpa"))
  cells <- kang_cells()
  x <- cells$x
  col_data <- cells$col_data
  expect_identical(nobs(fit), sum(col_data$split == "train"))
  answer <- predict(fit, x, condition(condition = "IFNb", cell_type = c("B", "NK")), col_data = col_data,
                    summarise = "condition")
  expect_identical(attr(answer, "col_data")$seen, c("drug new to covariate", "condition"))
  scores <- evaluate_r2(fit, x, split = "ood", col_data = col_data)
  expect_true(all(is.finite(scores$r2_mean)))
  longer <- resume_fit(fit, x, epochs = 1, col_data = col_data, verbose = FALSE)
  expect_identical(nrow(longer$history), 1L)
  tuned <- fine_tune(fit, x, "condition", dose = "dose", covariates = "cell_type", control = "control",
                     split = "split", col_data = col_data, epochs = 1, verbose = FALSE, freeze = "decoder")
  expect_identical(core_weights(tuned$state)[["decoder.network.6.weight"]],
                   core_weights(fit$state)[["decoder.network.6.weight"]])
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  expect_identical(load_fit(file), fit)
})

# The example's model as the script exports it without the data.
local_nameless <- function(frame = parent.frame()) {
  export <- read_export(exported("cpa"), rlang::current_env())
  export$about[c("genes", "perturbations", "covariates", "control")] <- list(NULL)
  export$obs <- export$obs[0, ]
  export$cells <- character()
  local_replaced("read_export", function(file, call) export, frame)
}

test_that("names that are given make the same fit, but for what training saw", {
  whole <- read_reference_fit(exported("cpa"))
  known <- whole$meta$registry
  cells <- kang_example(as = "list")
  target <- condition(condition = "IFNb", dose = 3, cell_type = "B")
  at_3 <- suppressWarnings(predict(whole, cells$x, target, col_data = cells$col_data))
  local_nameless()
  fit <- read_reference_fit("any", genes = known$genes, perturbations = c("control", "IFNb"), control = "control",
                            covariates = list(cell_type = c("NK", "CD8T", "B")))
  expect_identical(fit$meta$registry[c("genes", "perturbations", "covariates")],
                   known[c("genes", "perturbations", "covariates")])
  expect_no_warning(answer <- predict(fit, cells$x, target, col_data = cells$col_data))
  expect_identical(as.vector(answer), as.vector(at_3))
  expect_true(all(is.na(attr(answer, "col_data")$seen)))
  scores <- evaluate_r2(fit, cells$x, condition = condition(condition = "IFNb", cell_type = "B"),
                        col_data = cells$col_data)
  expect_true(all(is.na(scores$seen)))
  expect_output(print(scores), "does not know whether training saw them")
  expect_match(tryCatch(levels(seen_words(scores$seen)), error = identity)[3], "training unknown")
  expect_identical(nrow(summary(fit)$conditions), 0L)
  expect_refused(resume_fit(fit, cells$x, epochs = 1, col_data = cells$col_data), "must know the conditions")
  expect_refused(prediction_uncertainty(fit, target), "must know the conditions")
  expect_refused(render_report(fit, cells$x, "x.html", col_data = cells$col_data), "must know the conditions")
})

test_that("plots say where training is unknown", {
  skip_without_package("ggplot2")
  known <- read_reference_fit(exported("cpa"))$meta$registry
  cells <- kang_cells()
  local_nameless()
  fit <- read_reference_fit("any", genes = known$genes, perturbations = known$perturbations, control = "control",
                            covariates = known$covariates)
  asked <- condition(condition = "IFNb", cell_type = "B")
  means <- plot_means(fit, cells$x, asked, col_data = cells$col_data)
  curves <- plot_dose_response(
    dose_response(fit, cells$x, space = "genes", genes = "ISG15", n_points = 3, col_data = cells$col_data),
    observed = observed_response(fit, cells$x, genes = "ISG15", col_data = cells$col_data)
  )
  for (p in list(means, curves)) expect_no_warning(ggplot2::ggplot_build(p))
})

test_that("names are numbered as the references sort them", {
  expect_identical(order(encoded_names(c("a_b", "a.b", "aB"), "facebookresearch/CPA"), method = "radix"), c(1L, 2L, 3L))
  expect_identical(order(encoded_names(c("a_b", "a.b", "aB"), "theislab/chemCPA"), method = "radix"), c(2L, 3L, 1L))
})

test_that("names that are missing, wrong or too many are one error", {
  genes <- read_reference_fit(exported("cpa"))$meta$registry$genes
  expect_refused(read_reference_fit(exported("cpa"), genes = genes), "`genes` must be left out")
  local_nameless()
  read <- function(..., perturbations = c("IFNb", "control"), control = "control",
                   covariates = list(cell_type = c("B", "CD8T", "NK"))) {
    read_reference_fit("any", ..., perturbations = perturbations, control = control, covariates = covariates)
  }
  parts <- expect_refused(read_reference_fit("any"),
                          "`genes`, `perturbations`, `covariates`, `control` must be given")
  expect_match(parts$given, "40 genes, 2 perturbations with the control, and 3 levels of \"cell_type\"")
  expect_refused(read(), "`genes` must be given")
  expect_refused(read(genes = genes[-1]), "`genes` must have as many names as the model \\(40\\)")
  expect_refused(read(genes = rep("a", 40)), "without repeats")
  expect_refused(read(genes = genes, perturbations = "control"), "`perturbations` must have as many names")
  expect_refused(read(genes = genes, control = "ctrl"), "`control` must be one of")
  expect_refused(read(genes = genes, covariates = list(type = c("B", "CD8T", "NK"))), "levels of every covariate")
  expect_refused(read(genes = genes, covariates = list(cell_type = "B")), "`covariates\\$cell_type` must have as many")
  levels <- function(x) read(genes = genes, covariates = list(cell_type = x))$meta$registry$covariates$cell_type
  expect_identical(levels(c(10, 2, 1.5)), c("1.5", "2", "10"))
  expect_identical(levels(c("2", "1.5", "3")), c("1.5", "2", "3"))
  expect_refused(levels(c("2", "10", "1.5")), "must be numbers if they were .*\"1.5\", \"10\", \"2\"")
})

test_that("files of another kind are refused", {
  expect_refused(read_reference_fit("nowhere.h5"), "must be what export_reference.py wrote.*does not exist")
  expect_refused(read_reference_fit(kang_example(as = "path")), "is another .h5ad file")
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(small_fit(), file)
  expect_refused(read_reference_fit(file), "is no such file.*load_fit")
  bytes <- readBin(exported("cpa"), "raw", 20000)
  writeBin(bytes, file)
  expect_refused(read_reference_fit(file), "or damaged")
  expect_refused(read_reference_fit(3), "must be one text")
  expect_refused(read_reference_fit(withr::local_tempdir()), "is a folder: the script makes a file")
  expect_refused(load_fit(exported("cpa")), "must be a fit saved by compert")
})

test_that("a later format, and weights that are not whole, are refused", {
  export <- read_export(exported("cpa"), rlang::current_env())
  with_export <- function(change) {
    local_replaced("read_export", function(file, call) change(export))
    read_reference_fit("any.h5")
  }
  expect_refused(check_export_format(list(format = 2), "any.h5", rlang::current_env()), "has format 2.*Update compert")
  expect_refused(with_export(function(e) {
    e$weights[["decoder.network.6.bias"]] <- NULL
    e
  }), "\"any.h5\" lacks \"decoder.network.6.bias\"")
  expect_refused(with_export(function(e) {
    e$weights[["decoder.network.6.bias"]][1] <- NaN
    e
  }), "not finite")
  expect_refused(with_export(function(e) {
    e$obs$condition <- rep("control+IFNb+B", nrow(e$obs))
    e$obs[[e$about$keys$dose]] <- "1+1"
    e
  }), "labels of the training data .* readable.*one value per perturbation.*again with them as `--data`")
  expect_refused(with_export(function(e) {
    e$about$settings$dim <- 9L
    e
  }), "Export the model again")
})

# A Python that has what the script needs, or "".
python_with_torch <- function() {
  for (python in unique(c("/usr/bin/python3", Sys.which("python3")))) {
    answer <- suppressWarnings(system2(python, c("-c", shQuote("import torch, h5py, numpy; print('there')")),
                                       stdout = TRUE, stderr = FALSE))
    if (identical(utils::tail(answer, 1), "there")) return(python)
  }
  ""
}

test_that("the script refuses what it does not know in one sentence", {
  python <- python_with_torch()
  skip_without(nzchar(python), "python3 with torch and h5py")
  script <- system.file("python", "export_reference.py", package = "compert", mustWork = TRUE)
  said <- suppressWarnings(system2(python, c("-B", shQuote(testthat::test_path("fixtures", "export_refusals.py")),
                                             shQuote(script), shQuote(withr::local_tempdir())),
                                   stdout = TRUE, stderr = FALSE))
  said <- stats::setNames(sub("^[^:]*: (export_reference[.]py: )?", "", said), sub(":.*", "", said))
  wanted <- c(
    whole = "^nothing$", "no file" = "there is no file", "no pickle" = "can't be read by torch.load",
    another = "is no saved model of", likelihood = "'loss_ae' must be one of 'gauss'; it is 'nb'",
    doser = "'doser_type' must be one of", lacks = "lack 'decoder.network.0.bias'",
    extra = "have 'gene_embeddings.weight', which is not known", shape = "has the shape .* ask for",
    hparams = "lack 'autoencoder_width'", keys = "names 2 covariates and has embeddings of 1",
    genes = "number of genes, 6 and 5", perturbations = "number of perturbations, 3 and 2",
    levels = "number of levels of 'type', 1 and 2", column = "have no column 'kind'",
    twice = "writes '-' for '_'", controls = "mark 0 perturbations as controls", "no data" = "there is no file",
    "no table" = "has no table 'obs'|has no table 'var'", "no h5ad" = "is no .h5ad file",
    append = "lack 'encoder.network.henc_linear.weight'",
    config = "the configuration of the saved model lack", info = "CPA_info.json",
    numbers = "^2 10 2 10.5 FALSE TRUE 10 2$", texts = "^0 24 0.0 24.0 FALSE TRUE b 1.0$", nullable = "^a b$",
    masked = "'y' of the training data has missing values", there = "is there already", nowhere = "can't be written",
    "multi whole" = "^3 2 concat p1 p2$", "multi sweep" = "^3 2 concat p1 p2$", "multi alone" = "say by --args",
    "multi data" = "the sum alone: give the data", "multi args" = "must be a JSON object; it is '\\[1\\]'",
    "multi extra" = "have 'protein_dose.weight'", "multi lacks" = "lack 'encoder.network.1.bias'",
    "multi loss" = "one of 'gauss', 'nb'; it is 'poisson'"
  )
  expect_identical(names(said), names(wanted))
  for (name in names(wanted)) expect_match(said[[name]], wanted[[name]], info = name)
})
