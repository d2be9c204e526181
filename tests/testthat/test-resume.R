test_that("2 + 2 epochs are 4 epochs, to the bit", {
  cells <- small_cells()
  short <- small_fit(settings = quick_settings(2))
  longer <- resume_fit(short, cells$x, 2, col_data = cells$col_data)
  whole <- small_fit(settings = quick_settings(4))
  expect_identical(run_of(longer), run_of(whole))
  what <- condition(condition = "IFNb", cell_type = "B")
  expect_identical(predict(longer, cells$x, what, col_data = cells$col_data),
                   predict(whole, cells$x, what, col_data = cells$col_data))
  expect_identical(nrow(short$history), 2L)
})

test_that("settings of many digits go on as they were", {
  cells <- small_cells()
  settings <- function(epochs) quick_settings(epochs, autoencoder_lr = 0.0037419664638276735)
  longer <- resume_fit(small_fit(settings = settings(1)), cells$x, 1, col_data = cells$col_data)
  expect_identical(run_of(longer), run_of(small_fit(settings = settings(2))))
})

test_that("even conditions and few cells of one go on as in an unbroken run", {
  cells <- uneven_cells()
  settings <- function(epochs) quick_settings(epochs, balance = 1)
  fit <- function(epochs) {
    cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
        col_data = cells$col_data, settings = settings(epochs))
  }
  whole <- fit(4)
  longer <- resume_fit(fit(2), cells$x, 2, col_data = cells$col_data)
  expect_identical(run_of(longer), run_of(whole))
  expect_identical(run_of(fit(4)), run_of(whole))
  # As another run may have it.
  other <- resume_fit(fit(2), cells$x, 2, col_data = cells$col_data, balance = 0)
  expect_identical(run_of(other)[1:2, ], run_of(whole)[1:2, ])
  expect_false(identical(run_of(other), run_of(whole)))
})

test_that("a fit that was saved before a setting was there has its default, and goes on", {
  skip_without_package("rhdf5")
  fit <- small_fit(settings = quick_settings(1))
  settings <- jsonlite::fromJSON(core_state_info(fit$state)$settings)
  expect_true("balance" %in% names(settings))
  file <- withr::local_tempfile(fileext = ".h5")
  writeBin(fit$state, file)
  h5("h5delete")(file, "settings")
  h5("h5write")(settings_json(settings[names(settings) != "balance"]), file, "settings")
  old <- load_fit(file)
  expect_false("balance" %in% names(jsonlite::fromJSON(core_state_info(old$state)$settings)))
  go_on <- function(fit) resume_fit(fit, small_cells()$x, 1, col_data = small_cells()$col_data)
  expect_identical(run_of(go_on(old)), run_of(go_on(fit)))
  expect_equal(go_on(old)$meta$settings$balance, 0)
})

test_that("an automatic split is the same when the run goes on", {
  cells <- small_cells()
  fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type",
             col_data = cells$col_data, settings = quick_settings(1))
  longer <- resume_fit(fit, cells$x, 1, col_data = cells$col_data)
  expect_identical(longer$meta$conditions, fit$meta$conditions)
  expect_identical(nrow(longer$history), 2L)
})

test_that("other cells are refused", {
  cells <- small_cells()
  fewer <- cells$col_data$cell_type != "NK"
  expect_error(resume_fit(small_fit(), cells$x[, fewer], 1, col_data = cells$col_data[fewer, ]),
               "must hold the cells that the fit was trained on")
  order <- rev(seq_len(ncol(cells$x)))
  expect_error(resume_fit(small_fit(), cells$x[, order], 1, col_data = cells$col_data[order, ]),
               "must hold the cells that the fit was trained on, in their order")
})

test_that("run settings may change, the network may not", {
  fit <- small_fit()
  expect_identical(resumed_settings(fit, 7, list(patience = 3))$patience, 3L, ignore_attr = TRUE)
  expect_identical(resumed_settings(fit, 7, list())$epochs, 7L, ignore_attr = TRUE)
  expect_identical(resumed_settings(fit, 7, list())$dim, 8L, ignore_attr = TRUE)
  expect_error(resumed_settings(fit, 7, list(dim = 4)), "\"dim\" may not")
  expect_error(resumed_settings(fit, 7, list(4)), "must be given by name")
  expect_error(resumed_settings(fit, 7, list(patienc = 4)), "patienc")
  expect_error(resume_fit(fit, small_cells()$x), "`epochs` must say")
  expect_error(resume_fit(fit, small_cells()$x, 0), "`epochs` must be")
})

test_that("learning rates may change, those of embeddings with the autoencoder's", {
  cells <- small_cells()
  fit <- small_fit(settings = quick_settings(1))
  go_on <- function(...) resume_fit(fit, cells$x, 1, col_data = cells$col_data, ...)
  rates <- function(fit) unlist(fit$meta$settings[c("autoencoder_lr", "embeddings_lr")])
  times <- rates(fit)[[2]] / rates(fit)[[1]]
  for (rate in c(3e-4, 1e-3, 1.5e-3, 6e-4, 1e-4)) {
    expect_equal(rates(go_on(autoencoder_lr = rate, embeddings_lr = rate * times)),
                 c(autoencoder_lr = rate, embeddings_lr = rate * times))
  }
  expect_equal(rates(go_on(autoencoder_lr = 5e-4))[[2]], 5e-4 * times)
  expect_refused(go_on(embeddings_lr = 1),
                 paste0("`embeddings_lr` must stay ", times, " times autoencoder_lr"))
})

test_that("a fit goes on on the device that is asked for", {
  cells <- small_cells()
  expect_error(resume_fit(small_fit(), cells$x, 1, col_data = cells$col_data, device = "cuda:99", verbose = FALSE),
               "cuda:99")
  expect_identical(device_elsewhere("cuda:1"), "auto")
  expect_identical(device_elsewhere("cpu"), "cpu")
})
