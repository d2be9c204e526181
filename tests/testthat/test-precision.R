test_that("bf16-mixed trains like float32, but for its rounding", {
  fit_with <- function(precision, ...) small_fit(settings = quick_settings(precision = precision, ...))
  why <- core_device_info()$no_bfloat16
  if (nzchar(why)) {
    expect_error(fit_with("bf16-mixed"), "`precision` must be", class = "compert_error")
    return(invisible())
  }
  single <- fit_with("float32")
  mixed <- fit_with("bf16-mixed")
  expect_false(identical(mixed$history$loss_reconstruction, single$history$loss_reconstruction))
  expect_equal(mixed$history$loss_reconstruction, single$history$loss_reconstruction,
               tolerance = 0.02)
  again <- fit_with("bf16-mixed", max_minutes = 60)
  expect_identical(again$history$loss_reconstruction, mixed$history$loss_reconstruction)
})

test_that("the report says which products this machine has", {
  info <- core_device_info()
  built <- compert_sitrep()$built_with
  expect_identical(built[["oneDNN"]], nzchar(info$dnnl))
  expect_identical(built[["bfloat16"]], !nzchar(info$no_bfloat16))
  # Without oneDNN nothing multiplies bfloat16.
  expect_true(nzchar(info$dnnl) || nzchar(info$no_bfloat16))
})
