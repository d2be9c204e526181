test_that("scGen trains and predicts by differences of latent means", {
  cells <- small_cells()
  fit <- scgen(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
               col_data = cells$col_data,
               settings = scgen_settings(epochs = 3, dim = 6, autoencoder_width = 16, seed = 1,
                                         threads = 1, device = "cpu", verbose = FALSE))
  expect_match(format(fit), "scGen", all = FALSE)
  scores <- evaluate_r2(fit, cells$x, split = c("test", "ood"), col_data = cells$col_data)
  expect_true(all(c("model", "control") %in% scores$method))
  expect_true(all(is.finite(scores$r2_mean)))
  # The vector is the mean over types of the latent differences of training cells.
  z <- cell_embedding(fit, cells$x, col_data = cells$col_data)
  train <- cells$col_data$split == "train"
  mean_of <- function(type, what) {
    colMeans(z[train & cells$col_data$cell_type == type & cells$col_data$condition == what, ,
               drop = FALSE])
  }
  types <- unique(cells$col_data$cell_type[train & cells$col_data$condition == "IFNb"])
  difference <- Reduce(`+`, lapply(types, function(t) mean_of(t, "IFNb") - mean_of(t, "control")))
  expect_equal(as.vector(perturbation_embedding(fit)["IFNb", ]),
               as.vector(difference) / length(types), tolerance = 1e-4)
  expect_identical(as.vector(perturbation_embedding(fit)["control", ]), rep(0, 6))
  longer <- resume_fit(fit, cells$x, epochs = 1, col_data = cells$col_data, verbose = FALSE)
  expect_identical(nrow(longer$history), 4L)
})

test_that("wrong input is refused", {
  cells <- small_cells()
  expect_refused(scgen(cells$x, "condition", control = "control", col_data = cells$col_data,
                       settings = cpa_settings()), "scgen_settings")
  expect_refused(scgen_settings(loss_ae = "nb"), "scgen")
  expect_refused(scgen_settings(reg_counterfactual = 3),
                 "`reg_counterfactual` must be 0 for scGen.*3 was given")
  # There is no argument `loss` here.
  expect_refused(scgen(cells$counts, "condition", control = "control", col_data = cells$col_data),
                 "Log-normalise.* cpa\\(loss = \"nb\"\\) fits counts")
})

test_that("training must have single perturbations", {
  cells <- toy_cells(160)
  few <- cells$drug %in% c("control", "A+B")
  expect_refused(scgen(toy_log(160)[, few], "drug", control = "control", col_data = cells[few, ],
                       settings = scgen_settings(epochs = 1, dim = 2, autoencoder_width = 4, threads = 1,
                                                 device = "cpu", verbose = FALSE)),
                 "training cells of single perturbations.*controls and combinations only")
})
