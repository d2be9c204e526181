test_that("colours are different from each other, few or many", {
  for (n in c(1, 8, 9, 30)) expect_identical(anyDuplicated(palette_compert(n)), 0L)
  expect_identical(palette_compert(2), okabe_ito()[1:2])
})
