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
