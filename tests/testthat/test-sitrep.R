test_that("the report has all its parts", {
  report <- compert_sitrep()
  expect_named(report, c("versions", "platform", "libtorch", "blas", "threads", "cores", "devices",
                         "built_with", "packages", "problems"), ignore.order = TRUE)
  expect_identical(report$versions[["compert"]], as.character(utils::packageVersion("compert")))
  expect_true(report$threads >= 1)
  expect_output(print(report), "compert situation report.*LibTorch.*BLAS.*threads")
})

test_that("cores are counted where there is no /proc", {
  skip_on_os("windows")
  expect_type(parallel_cores(tempfile()), "integer")
  expect_gte(parallel_cores(tempfile()), parallel_cores())
})

test_that("problems are said as sentences with a remedy", {
  report <- compert_sitrep()
  report$blas <- blas_in_use("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3")
  report$libtorch <- c("/a/libtorch_cpu.so", "/b/libtorch_cpu.so")
  report$threads <- 8L
  report$cores <- 2L
  problems <- sitrep_problems(report)
  expect_length(problems, 3)
  expect_match(problems[1], "reference.*libopenblas0-openmp")
  expect_match(problems[2], "/a/libtorch_cpu.so, /b/libtorch_cpu.so")
  expect_match(problems[3], "threads = 2")
  report$problems <- problems
  expect_output(print(report), "! The BLAS in use is slow")
})

test_that("absent optional packages are NA", {
  packages <- optional_packages()
  expect_true("SingleCellExperiment" %in% names(packages))
  expect_identical(unname(is.na(packages)), !nzchar(vapply(names(packages), function(p) {
    system.file(package = p)
  }, "")), ignore_attr = TRUE)
})
