test_that("cell embeddings add up", {
  cells <- small_cells()
  fit <- small_fit()
  z <- lapply(c(basal = "basal", treated = "treated", corrected = "corrected"), function(which) {
    cell_embedding(fit, cells$x, which, col_data = cells$col_data)
  })
  expect_identical(dim(z$basal), c(ncol(cells$x), 8L))
  expect_identical(rownames(z$basal), colnames(cells$x))
  expect_equal(z$corrected, z$treated, ignore_attr = TRUE)
  own <- perturbation_embedding(fit)[cells$col_data$condition, ] +
    covariate_embedding(fit, "cell_type")[cells$col_data$cell_type, ]
  expect_equal(z$treated - z$basal, own, tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("corrected leaves the batch out", {
  cells <- small_cells()
  cells$col_data$run <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", batch = "run",
             split = "split", col_data = cells$col_data, settings = quick_settings(1))
  treated <- cell_embedding(fit, cells$x, "treated", col_data = cells$col_data)
  corrected <- cell_embedding(fit, cells$x, "corrected", col_data = cells$col_data)
  expect_equal(treated - corrected, covariate_embedding(fit, "run")[cells$col_data$run, ],
               tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("vectors of several covariates add up, for every combination of levels", {
  cells <- small_cells()
  cells$col_data$run <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  fit <- cpa(cells$x, "condition", control = "control", covariates = c("cell_type", "run"),
             split = "split", col_data = cells$col_data, settings = quick_settings(1))
  one <- covariate_embedding(fit)
  both <- covariate_embedding(fit, c("run", "cell_type"))
  expect_identical(dim(both), c(6L, 8L))
  expect_equal(both["r2, NK", ], one$run["r2", ] + one$cell_type["NK", ])
  expect_identical(covariate_embedding(fit, "run"), one$run)
  expect_identical(covariate_embedding(fit), one)
  expect_refused(covariate_embedding(fit, c("run", "celltype")), "Write covariate = \"cell_type\"")
  expect_refused(covariate_embedding(fit, c("run", "run")), "\"run\" is there twice")
})

test_that("perturbations follow their dose; a condition() gives combinations", {
  fit <- small_fit()
  at <- function(dose) perturbation_embedding(fit, "IFNb", dose = dose)
  expect_equal(at(0.5) / dose_response(fit, dose = 0.5)$response,
               at(1) / dose_response(fit, dose = 1)$response, tolerance = 1e-4)
  by_condition <- perturbation_embedding(fit, condition(condition = c("IFNb", "control"),
                                                        dose = c(0.5, 1)))
  expect_equal(by_condition[1, ], at(0.5)[1, ], tolerance = 1e-6)
  expect_identical(rownames(perturbation_embedding(fit)), c("IFNb", "control"))
  expect_identical(perturbation_embedding(fit, factor("IFNb")), perturbation_embedding(fit, "IFNb"))
  expect_refused(perturbation_embedding(fit, "IFNb+IFNb", dose = 1), "`dose` must be left out for conditions")
  expect_refused(perturbation_embedding(fit, condition("IFNb", dose = 0.5), dose = 1), "doses of their own")
})

test_that("similarity is the cosine, NA for a vector without length", {
  z <- rbind(a = c(1, 0), b = c(1, 1), c = c(-2, 0), d = c(0, 0))
  s <- similarity(z)
  expect_equal(s["a", "b"], 1 / sqrt(2))
  expect_equal(s["a", "c"], -1)
  expect_identical(s["d", "a"], NA_real_)
  expect_equal(similarity(z, "euclidean")["a", "c"], 3)
})

test_that("wrong questions are refused", {
  fit <- small_fit()
  expect_error(perturbation_embedding(fit, "IFNg"), "Did you mean \"IFNb\"")
  expect_error(perturbation_embedding(fit, "IFNb", dose = -1), "`dose` must be")
  expect_error(covariate_embedding(fit, "celltype"), "Write covariate = \"cell_type\"")
  expect_error(cell_embedding(fit), "`x` must be given")
  expect_error(cell_embedding(fit, small_cells()$x, "latent"), "`which` must be one of")
  expect_error(similarity(list(1)), "`embedding` must be")
  expect_refused(similarity(small_fit()), "numeric matrix .*perturbation_embedding")
  cells <- small_cells()
  plain <- cpa(cells$x, "condition", control = "control", split = "split",
               col_data = cells$col_data, settings = quick_settings(1))
  expect_error(covariate_embedding(plain), "must have covariates")
})

test_that("without a dose a perturbation is embedded at its highest trained dose, the control at its own", {
  fit <- dosed_fit()
  z <- perturbation_embedding(fit)
  at <- function(name, dose) perturbation_embedding(fit, name, dose = dose)[1, ]
  expect_identical(z["A", ], at("A", 1))
  expect_identical(z["B", ], at("B", 10))
  expect_identical(z["C", ], at("C", 5))
  expect_identical(sum(z["control", ]^2), 0)
  expect_true(all(is.na(similarity(z)["control", ])))
  expect_identical(unique(tidy(fit)$dose), c(1, 10, 5, 0))
  expect_identical(tidy(fit)$dose[tidy(fit)$dimension == 1], c(1, 10, 5, 10, 0))
  expect_identical(perturbation_embedding(fit, condition("B"))[1, ], at("B", 10))
  expect_refused(perturbation_embedding(fit, condition("A")), "trained doses of \"A\"")
  # A pair is a condition, also by its name alone.
  expect_identical(perturbation_embedding(fit, c("A+B", "B")), perturbation_embedding(fit, condition(c("A+B", "B"))))
  expect_equal(perturbation_embedding(fit, "A+B")[1, ], at("A", 1) + at("B", 10), tolerance = 1e-5)
  expect_identical(perturbation_embedding(fit, c("A+B", "A"))[2, ], at("A", 1))
  fit$meta$settings$parity <- "fb"
  expect_identical(strongest_doses(fit, c("B", "control")), c(1, 1))
})

test_that("states under a condition are those of its source cells, named and described as predictions are", {
  cells <- small_cells()
  fit <- small_fit()
  embed <- function(...) cell_embedding(fit, cells$x, ..., col_data = cells$col_data)
  what <- condition(condition = c("IFNb", "control"), cell_type = c("B", NA))
  z <- embed("treated", condition = what)
  told <- predict(fit, cells$x, what, col_data = cells$col_data)
  expect_identical(rownames(z), colnames(told))
  expect_identical(attr(z, "col_data"), attr(told, "col_data"))
  expect_identical(colnames(z), paste0("treated_", 1:8))
  about <- attr(z, "col_data")
  sums <- embed("basal")[about$cpa_cell, ] + perturbation_embedding(fit)[about$cpa_condition, ] +
    covariate_embedding(fit, "cell_type")[about$cpa_cell_type, ]
  expect_equal(z, sums, tolerance = 1e-4, ignore_attr = TRUE)
  own <- which(cells$col_data$condition == "IFNb" & cells$col_data$cell_type == "NK")
  again <- c(own, own[1])
  expect_identical(unname(embed("treated", condition = condition("IFNb", cell_type = "NK"), source = again)[, ]),
                   unname(embed("treated")[again, ]))
  free <- embed("custom", add = "cell_type", condition = condition("IFNb", cell_type = "B"), source = own)
  expect_equal(free, embed("basal")[own, ] + rep(covariate_embedding(fit, "cell_type")["B", ], each = length(own)),
               tolerance = 1e-4, ignore_attr = TRUE)
})

# The states of cells under a condition are those of the same cells with other labels, which reconstruct() decodes to
# what predict() answers.
expect_decoded <- function(fit, x, col_data, what, labels) {
  told <- predict(fit, x, what, col_data = col_data, residual = FALSE)
  from <- match(attr(told, "col_data")$cpa_cell, rownames(col_data))
  relabelled <- replace(col_data[from, ], names(labels), lapply(labels, rep, length(from)))
  verb <- function(verb, ...) verb(fit, x[, from], ..., col_data = relabelled)
  expect_equal(told, verb(reconstruct), tolerance = 1e-5, ignore_attr = TRUE)
  for (which in c("treated", "corrected")) {
    z <- cell_embedding(fit, x, which, condition = what, col_data = col_data)
    expect_identical(unname(z[, ]), unname(verb(cell_embedding, which)[, ]))
    expect_gt(max(abs(z[, ] - cell_embedding(fit, x, which, col_data = col_data)[from, ])), 1e-4)
  }
}

test_that("predictions are the decoded states, of every kind of model", {
  cells <- small_cells()
  cells$col_data$run <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  cells$col_data$age <- seq_len(ncol(cells$x)) %% 7
  batches <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", batch = "run",
                 continuous = "age", split = "split", col_data = cells$col_data, settings = quick_settings(1))
  expect_decoded(batches, cells$x, cells$col_data, condition("IFNb", cell_type = "B", run = "r2", age = 3),
                 list(condition = "IFNb", run = "r2", age = 3))
  expect_decoded(batches, cells$x, cells$col_data, condition("IFNb", cell_type = "B"), list(condition = "IFNb"))
  plain <- list(condition("IFNb", cell_type = "B"), list(condition = "IFNb"))
  expect_decoded(small_fit(settings = quick_settings(variational = TRUE)), cells$x, cells$col_data, plain[[1]],
                 plain[[2]])
  expect_decoded(small_fit(loss = "nb"), cells$counts, cells$col_data, plain[[1]], plain[[2]])
  features <- matrix(c(0, 1, 1, 0), 2, dimnames = list(c("control", "IFNb"), NULL))
  drugs <- chemcpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
                   molecules = features, col_data = cells$col_data,
                   settings = chemcpa_settings(epochs = 1, dim = 6, seed = 1, verbose = FALSE))
  expect_decoded(drugs, cells$x, cells$col_data, plain[[1]], plain[[2]])
  differences <- scgen(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
                       col_data = cells$col_data, settings = scgen_settings(epochs = 1, dim = 6, autoencoder_width = 16,
                                                                            seed = 1, verbose = FALSE))
  expect_decoded(differences, cells$x, cells$col_data, plain[[1]], plain[[2]])
  doses <- dosed_cells()
  expect_decoded(dosed_fit(), doses$x, doses$col_data, condition("B", dose = 10), list(drug = "B", dose = "10"))
  expect_decoded(multi_fit(), cite_rows(), cite_cells()$col_data, condition(drug = "A+B", cell_type = "NK"),
                 list(drug = "A+B"))
  gaps <- cite_rows(with_gaps(cite_cells()$adt))
  expect_decoded(multi_fit(gaps, fusion = "poe"), gaps, cite_cells()$col_data,
                 condition(drug = "A+B", cell_type = "NK"), list(drug = "A+B"))
})

test_that("states under conditions that there are not are refused", {
  cells <- small_cells()
  embed <- function(which = "treated", what = condition("IFNb", cell_type = "B"), ...) {
    cell_embedding(small_fit(), cells$x, which, condition = what, col_data = cells$col_data, ...)
  }
  expect_refused(embed("basal"), "must be left out for `which = \"basal\"`")
  expect_refused(embed(what = NULL, source = "all"), "`source` must come with a `condition`")
  expect_refused(embed(what = condition("IFNg")), "Did you mean \"IFNb\"")
  expect_refused(embed(source = "none"), "Not cells of `x`: \"none\".*column names of `x`")
  expect_warning(embed(what = condition("IFNb", dose = 3)), class = "compert_extrapolation")
})

test_that("vectors of more conditions than are embedded together are those of each", {
  fit <- small_fit()
  asked <- condition("IFNb", dose = seq(0.01, 1, length.out = 1100))
  together <- perturbation_embedding(fit, asked)
  expect_identical(dim(together), c(1100L, ncol(perturbation_embedding(fit))))
  some <- c(1, 512, 513, 1024, 1025, 1100)
  expect_equal(together[some, ], perturbation_embedding(fit, asked[some, ]), tolerance = 1e-6)
  expect_false(anyDuplicated(together[, 1]) > 0)
})
