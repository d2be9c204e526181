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
