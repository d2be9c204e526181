test_that("libraries are told apart by their path", {
  lib <- "/usr/lib/x86_64-linux-gnu/"
  kind <- function(...) blas_kind(paste0(lib, c(...)))
  expect_identical(kind("blas/libblas.so.3.11.0"), "reference")
  expect_identical(kind("openblas-pthread/libblas.so.3", "openblas-pthread/libopenblasp-r0.so"),
                   "OpenBLAS (pthread)")
  expect_identical(kind("openblas-openmp/libblas.so.3", "openblas-openmp/libopenblasp-r0.so"),
                   "OpenBLAS (OpenMP)")
  expect_identical(kind("openblas-serial/libblas.so.3"), "OpenBLAS (one thread)")
  expect_identical(kind("blis-openmp/libblis.so.4"), "BLIS")
  expect_identical(kind("libm.so.6"), "unknown")
  own <- "mkl_get_max_threads() : 2\nIntel(R) MKL-DNN v2.6.3"
  expect_identical(blas_kind("/x/blas/libblas.so.3", own), "MKL")
  without <- "MKL not found\nIntel(R) MKL-DNN v2.6.3"
  expect_identical(blas_kind("/x/blas/libblas.so.3", without), "reference")
})

test_that("the slow ones come with a remedy", {
  known <- c(core = "Zen", nearest = "Haswell")
  slow <- blas_in_use("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3", openblas = known)
  expect_true(slow$slow)
  expect_match(slow$advice, "libopenblas0-openmp")
  fine <- blas_in_use("/usr/lib/x86_64-linux-gnu/openblas-openmp/libblas.so.3", openblas = known)
  expect_false(fine$slow)
  expect_null(fine$advice)
})

test_that("an OpenBLAS that does not know the processor comes with a remedy", {
  path <- "/usr/lib/x86_64-linux-gnu/openblas-openmp/libblas.so.3"
  in_use <- function(core, nearest, where = path, dnnl = FALSE) {
    blas_in_use(where, openblas = c(core = core, nearest = nearest), dnnl = dnnl)
  }
  unknown <- in_use("Prescott", "SkylakeX")
  expect_true(unknown$slow)
  expect_identical(unknown$better, "SkylakeX")
  expect_match(unknown$advice, "OPENBLAS_CORETYPE=SkylakeX R", fixed = TRUE)
  for (fine in list(in_use("Zen", "SkylakeX"), in_use("Prescott", ""),
                    in_use("Prescott", "Haswell", "/x/libmkl_rt.so"),
                    in_use("Prescott", "Haswell", dnnl = TRUE))) {
    expect_false(fine$slow)
    expect_identical(fine$better, "")
  }
  expect_named(core_openblas(), c("core", "nearest"))
})

test_that("the libraries of this process are found", {
  skip_without(file.exists("/proc/self/maps"), "/proc")
  expect_true(any(grepl("compert[.]so$|libR[.]so", loaded_libraries())))
  file <- withr::local_tempfile(lines = c(
    "7f00-7f10 r-xp 00000000 fe:00 12                 /lib/libx.so.1",
    "7f10-7f20 r--p 00000000 fe:00 12                 /lib/libx.so.1",
    "7f20-7f30 rw-p 00000000 00:00 0                  [heap]",
    "7f30-7f40 r--p 00000000 fe:00 13                 /a folder/liby.so"
  ))
  expect_identical(loaded_libraries(file), c("/lib/libx.so.1", "/a folder/liby.so"))
})
