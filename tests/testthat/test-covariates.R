# Continuous covariates, from the column to predictions.

test_that("a held-out value is predicted, and an effect that grows with it", {
  data <- aged_cells()
  for (curve in c("linear", "sigm")) {
    fit <- fit_aged(data, epochs = 200L, settings = list(continuous_doser = curve))
    asked <- condition_grid(drug = c("control", "A"), age = c(25, 75))
    told <- suppressWarnings(predict(fit, data$x, asked, col_data = data$cells, summarise = "condition"))
    truth <- mapply(function(drug, age) aged_mean(1:16, drug, age), c("control", "control", "A", "A"), c(25, 75))
    unmoved <- sum((truth - 3)^2)
    expect_lt(sum((told - truth)^2), 0.15 * unmoved)
    growth <- mean((told[9:12, 4] - told[9:12, 2]) - (told[9:12, 3] - told[9:12, 1]))
    expect_gt(growth, 0.6)  # 1.5 in truth
    expect_identical(attr(told, "col_data")$cpa_age, c(25, 75, 25, 75))
  }
})

test_that("a condition without a value, or a cell of its own, keeps the source cells' values", {
  data <- aged_cells(120)
  fit <- fit_aged(data)
  one <- which(data$cells$drug == "control")[3]
  ask <- function(...) predict(fit, data$x, condition("A", ...), col_data = data$cells, source = one, residual = FALSE)
  expect_equal(as.vector(ask()), as.vector(ask(age = data$cells$age[one])), tolerance = 1e-6)
  expect_equal(attr(ask(), "col_data")$cpa_age, data$cells$age[one])
  expect_gt(max(abs(ask(age = 25) - ask(age = 75))), 1e-4)
  both <- rbind(condition("A", age = 30), condition("A"))
  expect_identical(unname(predict(fit, data$x, both, col_data = data$cells, source = one, residual = FALSE)[, 2]),
                   unname(ask()[, 1]))
  expect_warning(ask(age = 95), "age = 95: trained from", class = "compert_extrapolation")
})

test_that("parts are left out, embedded and listed by name", {
  data <- aged_cells(120)
  fit <- fit_aged(data)
  expect_match(format(fit), "cell_type (2), age (continuous)", fixed = TRUE, all = FALSE)
  expect_identical(generics::glance(fit)$n_covariates, 2L)
  vector <- covariate_embedding(fit, "age")
  expect_identical(rownames(vector), "age")
  expect_named(covariate_embedding(fit), c("cell_type", "age"))
  whole <- cell_embedding(fit, data$x, "treated", col_data = data$cells)
  rest <- cell_embedding(fit, data$x, "custom", add = c("perturbation", "cell_type"), col_data = data$cells)
  train <- data$cells$age[data$cells$split == "train"]
  z <- (data$cells$age - mean(train)) / sd(train)
  expect_equal(unname(whole - rest), unname(outer(z, vector[1, ])), tolerance = 1e-5)
  without <- reconstruct(fit, data$x, add = c("perturbation", "cell_type"), col_data = data$cells)
  expect_gt(max(abs(without - reconstruct(fit, data$x, col_data = data$cells))), 1e-4)
  corrected <- predict(fit, data$x, condition("A", age = 30), col_data = data$cells, correct = "age", residual = FALSE)
  expect_identical(corrected[, ], predict(fit, data$x, condition("A", age = 70), col_data = data$cells,
                                          correct = "age", residual = FALSE)[, ])
})

test_that("scores predict at the mean value of the measured cells", {
  data <- aged_cells(240)
  fit <- fit_aged(data, epochs = 5L)
  scores <- evaluate_r2(fit, data$x, split = "ood", col_data = data$cells, residual = FALSE, min_cells = 5)
  expect_identical(scores$cell_type[scores$method == "model"], c("NK", "T"))
  mean_of <- function(type) {
    held <- data$cells$split == "ood" & data$cells$cell_type == type
    told <- predict(fit, data$x, condition("A", cell_type = type, age = mean(data$cells$age[held])),
                    col_data = data$cells, residual = FALSE, summarise = "condition")
    core_r2(rowMeans(data$x[, held]), told[, 1], 0)
  }
  expect_equal(scores$r2_mean[scores$method == "model"], c(mean_of("NK"), mean_of("T")), tolerance = 1e-5)
  plan <- new_plan(as_screen(data$x, fit$meta$keys, data$cells), fit$meta$registry)
  first <- data$cells$age[plan$truth[[1]] + 1]
  at <- fit$meta$registry$continuous$age
  expect_equal(plan$target$continuous[1, 1], (mean(first) - at[1]) / at[2])
  expect_refused(evaluate_r2(fit, data$x, condition = condition("A", age = 30), col_data = data$cells),
                 "must leave \"age\" out here.*age = 30")
})

test_that("a saved, a resumed and a repeated fit are the same", {
  data <- aged_cells(120)
  fit <- fit_aged(data, epochs = 4L)
  half <- fit_aged(data, epochs = 2L)
  more <- resume_fit(half, data$x, epochs = 2L, col_data = data$cells, verbose = FALSE)
  expect_identical(core_weights(more$state), core_weights(fit$state))
  file <- withr::local_tempfile(fileext = ".h5")
  save_fit(fit, file)
  read <- load_fit(file)
  expect_identical(read$meta$registry$continuous, fit$meta$registry$continuous)
  ask <- function(fit) predict(fit, data$x, condition("A", age = 40), col_data = data$cells)
  expect_identical(ask(read), ask(fit))
  expect_refused(resume_fit(half, data$x, epochs = 1L, continuous_doser = "mlp", col_data = data$cells),
                 "continuous_doser.*may not")
})

test_that("fine-tuning keeps vector and scale by name", {
  data <- aged_cells(120)
  fit <- fit_aged(data)
  data$cells$age <- data$cells$age + 10
  data$cells$ph <- seq_len(120) %% 7
  tuned <- fine_tune(fit, data$x, "drug", control = "control", covariates = "cell_type",
                     continuous = c("ph", "age"), split = "split", col_data = data$cells, epochs = 1,
                     lr_factor = 0, verbose = FALSE)
  expect_identical(tuned$meta$registry$continuous$age[1:2], fit$meta$registry$continuous$age[1:2])
  expect_equal(tuned$meta$registry$continuous$age[3:4], range(data$cells$age[data$cells$split == "train"]))
  expect_identical(covariate_embedding(tuned, "age"), covariate_embedding(fit, "age"))
  parts <- transfer_table(tuned)
  expect_identical(parts$state[parts$part == "continuous covariates"], "partly kept")
})

test_that("cells in a file, and other models, have continuous covariates too", {
  data <- aged_cells(120)
  file <- withr::local_tempfile(fileext = ".h5ad")
  skip_without_package("SingleCellExperiment")
  sce <- SingleCellExperiment::SingleCellExperiment(list(logcounts = data$x), colData = data$cells)
  write_h5ad(sce, file)
  fit <- fit_aged(data)
  how <- cpa_settings(epochs = 2L, seed = 1, verbose = FALSE, dim = 8L, autoencoder_width = 32L)
  withr::local_options(compert.in_memory = 0)
  stored <- cpa(file, "drug", control = "control", covariates = "cell_type", continuous = "age", split = "split",
                settings = how)
  expect_equal(core_weights(stored$state)$continuous_embeddings.weight,
               core_weights(fit$state)$continuous_embeddings.weight, tolerance = 1e-4)
  features <- matrix(c(0, 1, 2, 1, 0, 1), 3, dimnames = list(c("control", "A", "B"), NULL))
  drugs <- chemcpa(data$x, "drug", control = "control", molecules = features, continuous = c("age", "nth"),
                   split = "split", col_data = cbind(data$cells, nth = seq_len(120)),
                   settings = chemcpa_settings(epochs = 1, seed = 1, verbose = FALSE))
  expect_identical(dim(covariate_embedding(drugs, "nth")), c(1L, 32L))
  cite <- cite_sce()
  SummarizedExperiment::colData(cite)$nth <- seq_len(ncol(cite))
  both <- multicpa(cite, "drug", control = "control", covariates = "cell_type", continuous = "nth",
                   split = "split", settings = multicpa_settings(epochs = 1, dim = 4, fusion = "poe", seed = 1,
                                                                 verbose = FALSE))
  told <- predict(both, cite, condition("A", nth = c(1, 150)), summarise = "condition")
  proteins <- SummarizedExperiment::assay(SingleCellExperiment::altExp(told, "ADT"), "mean")
  expect_false(isTRUE(all.equal(proteins[, 1], proteins[, 2])))
})

test_that("bins are the values where these are few, else as many cells in each", {
  screen <- function(...) list(continuous = data.frame(...), split = rep("train", 12))
  expect_identical(continuous_bins(screen(t = rep(c(0, 6, 24), 4)))$bin, rep(0:2, 4))
  expect_identical(tabulate(continuous_bins(screen(t = 1:12))$bin + 1L), rep(3L, 4))
  expect_identical(tabulate(continuous_bins(screen(t = 1:12, u = rep(1:2, 6)))$bin + 1L), rep(3L, 4))
  expect_null(continuous_bins(list()))
})

test_that("what is no continuous covariate is refused in one error", {
  data <- aged_cells(60)
  expect_refused(fit_aged(data, continuous = "years"), "`continuous` must name a column.*\"years\"")
  expect_refused(fit_aged(data, continuous = "split"), "one role")
  with_age <- function(age) {
    data$cells$age <- age
    data
  }
  expect_refused(fit_aged(with_age(as.character(data$cells$age))), "`age` must hold numbers")
  expect_refused(fit_aged(with_age(replace(data$cells$age, 3, NA))), "finite value for every cell.*\"cell3\"")
  expect_refused(fit_aged(with_age(cbind(data$cells$age, 1))), "\"age\" must have one value.*has 2 values")
  centred <- scale(data$cells$age, scale = FALSE)
  expect_equal(fit_aged(with_age(centred))$meta$registry$continuous$age[3:4],
               range(centred[data$cells$split == "train"]))
  expect_refused(fit_aged(with_age(7)), "`age` must vary between training cells.*7")
  found <- check_screen(data$x, "drug", control = "control", continuous = "age", col_data = with_age(NA_real_)$cells)
  expect_true("continuous covariate" %in% found$defects$check)
  of <- function(age, covariates = NULL) {
    found <- check_screen(data$x, "drug", control = "control", continuous = "age", covariates = covariates,
                          col_data = with_age(age)$cells)$defects
    found$must[found$check == "confounded"]
  }
  expect_identical(of(data$cells$age), character())
  untrained <- check_screen(data$x, "drug", control = "control", continuous = "age", split = "split",
                            col_data = transform(data$cells, split = "ood"))$defects
  expect_false(any(c("confounded", "constant covariate") %in% untrained$check))
  expect_identical(of(nchar(data$cells$drug)), "`age` should vary within perturbations.")
  expect_identical(of(nchar(data$cells$cell_type), "cell_type"), "`age` should vary within levels of `cell_type`.")
  expect_refused(fit_aged(data, settings = list(parity = "fb")), "`continuous` must be left out with parity \"fb\"")
  fit <- fit_aged(data)
  expect_refused(predict(fit, data$x, condition("A", age = "old"), col_data = data$cells),
                 "Covariate \"age\" of a condition must be a finite number")
  cells <- data$cells
  cells$age <- NULL
  expect_refused(predict(fit, data$x, condition("A"), col_data = cells), "no column \"age\"")
  expect_refused(tune_fit(data$x, "drug", control = "control", continuous = "age", col_data = data$cells,
                          trials = 1, settings = scgen_settings(epochs = 1)),
                 "`continuous` is an argument of .*`multicpa\\(\\)`; the settings are of `scgen")
  expect_refused(tune_fit(data$x, "drug", control = "control", col_data = data$cells, trials = 1,
                          space = list(continuous_doser = c("linear", "mlp")), settings = cpa_settings(epochs = 1)),
                 "\"continuous_doser\" does nothing without continuous covariates.*name them in `continuous`")
})

test_that("reports, summaries and searches name continuous covariates", {
  data <- aged_cells(240)
  fit <- fit_aged(data)
  expect_match(report_call(fit), "continuous = \"age\"", fixed = TRUE)
  found <- tune_fit(data$x, "drug", control = "control", covariates = "cell_type", continuous = "age",
                    split = "split", col_data = data$cells, trials = 1, seed = 1, space = list(dim = 4L),
                    settings = cpa_settings(epochs = 1, verbose = FALSE))
  expect_identical(nrow(found$trials), 1L)
  of <- function(continuous) {
    keys <- new_keys("drug", covariates = "cell_type", control = "control", split = "split", continuous = continuous)
    hash_task(new_task(data$x, keys, data$cells, cpa_settings(seed = 1), NULL, rlang::current_env()))
  }
  expect_identical(of("age"), of("age"))
  expect_false(of("age") == of(NULL))
})
