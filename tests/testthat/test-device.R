test_that("the processor is there, and CUDA has a reason when it is not", {
  devices <- device_info()
  expect_identical(devices$device[1], "cpu")
  expect_true(devices$available[1])
  cuda <- devices[-1, ]
  expect_true(all(cuda$available | nzchar(cuda$reason)))
  expect_match(attr(devices, "libtorch"), "^[0-9]+[.][0-9]+")
  expect_output(print(devices), "cpu +available")
})

test_that("a device that is not there is refused with the reason", {
  devices <- device_info()
  skip_without(!any(devices$available[-1]), "a machine without CUDA")
  expect_error(small_fit(settings = quick_settings(1, device = "cuda")), "CUDA")
})

test_that("fits and predictions leave the number of threads as it was", {
  skip_without(grepl("OpenMP", core_device_info()$parallel), "OpenMP")
  core_set_threads(2L)
  withr::defer(core_set_threads(1L))
  cells <- small_cells()
  fit <- cpa(cells$x, "condition", control = "control", col_data = cells$col_data,
             settings = quick_settings(1))
  predict(fit, cells$x, condition(condition = "IFNb"), col_data = cells$col_data)
  cell_embedding(fit, cells$x, col_data = cells$col_data)
  expect_identical(attr(device_info(), "threads"), 2L)
})

test_that("a forked process is refused before it waits for threads that it has not", {
  skip_without(.Platform$OS.type != "windows", "forked processes")
  cells <- small_cells()
  fit <- small_fit()
  core_set_threads(2L)
  withr::defer(core_set_threads(1L))
  tried <- parallel::mclapply(1:2, function(i) {
    tryCatch(if (i == 1) {
      cpa(cells$x, "condition", control = "control", col_data = cells$col_data, settings = quick_settings(1))
    } else {
      read_newdata(fit, cells$x, col_data = cells$col_data)
    }, error = conditionMessage)
  }, mc.cores = 2)
  expect_match(unlist(tried), "can't compute in a forked process", all = TRUE)
})

test_that("more threads than cores can serve are refused, and a fit that has them predicts with every core", {
  cells <- small_cells()
  many <- function(...) utils::modifyList(quick_settings(1), list(...))
  fit <- function(settings) {
    cpa(cells$x, "condition", control = "control", col_data = cells$col_data, settings = settings)
  }
  expect_refused(fit(many(threads = 100000)),
                 "`threads` must be at most twice the number of cores.*100000 was given, for [0-9]+ core.*every core")
  withr::with_envvar(c(OMP_NUM_THREADS = "100000"), made <- fit(many(threads = 0)))
  expect_identical(nrow(made$history), 1L)
  # As of a fit from a larger machine.
  task <- new_task(cells$x, made$meta$keys, cells$col_data, many(threads = 100000), NULL, rlang::current_env())
  larger <- new_fit(core_new_model(task$design, nrow(cells$x), settings_json(task$settings),
                                   rlang::set_names(list(), character()), meta_to_json(task$meta)))
  expect_identical(state_settings(larger)$threads, 100000L)
  answer <- predict(larger, cells$x, condition("IFNb"), col_data = cells$col_data, summarise = "condition")
  expect_true(all(is.finite(answer)))
})

test_that("a network for which there is no memory says what to make smaller", {
  skip_without(file.exists("/proc/self/status") && requireNamespace("processx", quietly = TRUE), "Linux and processx")
  script <- withr::local_tempfile(fileext = ".R")
  writeLines(c(
    "library(compert, lib.loc = commandArgs(TRUE))",
    "x <- matrix(rexp(200), 10, dimnames = list(paste0('g', 1:10), NULL))",
    "cpa(x, 'drug', control = 'control', col_data = data.frame(drug = rep(c('control', 'A'), 10)), settings =",
    "    cpa_settings(epochs = 1, dim = 60000, autoencoder_width = 60000, threads = 1, verbose = FALSE))"
  ), script)
  command <- paste("ulimit -v 14000000;", shQuote(file.path(R.home("bin"), "Rscript")), "--vanilla", shQuote(script),
                   paste(shQuote(.libPaths()), collapse = " "))
  run <- processx::run("sh", c("-c", command), timeout = 120, error_on_status = FALSE)
  expect_match(gsub("\\s+", " ", run$stderr), paste0("There must be memory for the network and for what is computed",
                                                    ".*LibTorch tried to allocate.*smaller autoencoder_width"))
})
