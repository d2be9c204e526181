test_that("the shared object says what it was built with", {
  build <- core_build_info()
  expect_match(build$compiler, "^(g[+][+]|clang) [0-9]")
  expect_gte(build$cxx_standard, 17L)
  for (part in c("openmp", "cuda", "cuda_graphs", "c10d", "rdkit")) expect_type(build[[part]], "logical")
})
