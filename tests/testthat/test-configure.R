# configure, run on a copy of what it reads: it must find what is here and refuse what is not.

configure_copy <- function(env = parent.frame()) {
  skip_without_source_tree()
  skip_without(file.exists(file.path(source_tree(), "configure")), "source tree")
  copy <- withr::local_tempdir(.local_envir = env)
  dir.create(file.path(copy, "src"))
  dir.create(file.path(copy, "tools"))
  from <- function(...) file.path(source_tree(), ...)
  file.copy(from("configure"), copy)
  file.copy(from("src", "Makevars.in"), file.path(copy, "src"))
  file.copy(Sys.glob(from("tools", "probe_*.cpp")), file.path(copy, "tools"))
  copy
}

run_configure <- function(copy, options = character(), env = character()) {
  withr::local_dir(copy)
  # What the machine sets itself must not decide a test.
  unset <- c("LIBTORCH_HOME", "LIBTORCH_INCLUDE", "LIBTORCH_LIB", "CONDA_PREFIX",
             "CMAKE_PREFIX_PATH")
  withr::local_envvar(stats::setNames(rep(NA_character_, length(unset)), unset))
  withr::local_envvar(env)
  output <- suppressWarnings(system2("./configure", options, stdout = TRUE, stderr = TRUE))
  status <- attr(output, "status")
  list(status = if (is.null(status)) 0L else status, output = output)
}

test_that("a prefix without LibTorch stops configure with the reason and the install lines", {
  copy <- configure_copy()
  for (run in list(
    run_configure(copy, env = c(LIBTORCH_HOME = "/nonexistent")),
    run_configure(copy, "--with-libtorch=/nonexistent")
  )) {
    expect_identical(run$status, 1L)
    text <- paste(run$output, collapse = "\n")
    expect_match(text, "compert needs LibTorch (>= 1.13)", fixed = TRUE)
    expect_match(text, "1. /nonexistent", fixed = TRUE)
    expect_match(text, "torch/version.h", fixed = TRUE)
    for (system in c("apt-get install", "dnf install", "brew install", "conda install",
                     "LIBTORCH_HOME=")) {
      expect_match(text, system, fixed = TRUE)
    }
    expect_false(file.exists(file.path(copy, "src", "Makevars")))
  }
})

test_that("a prefix whose library does not run is refused", {
  copy <- configure_copy()
  prefix <- withr::local_tempdir()
  dir.create(file.path(prefix, "lib"))
  writeLines("not a library", file.path(prefix, "lib", "libtorch_cpu.so"))
  run <- run_configure(copy, env = c(LIBTORCH_HOME = prefix))
  expect_identical(run$status, 1L)
  expect_match(paste(run$output, collapse = "\n"), prefix, fixed = TRUE)
})

test_that("an unknown option is refused by name", {
  run <- run_configure(configure_copy(), "--with-libtroch=/usr")
  expect_identical(run$status, 1L)
  expect_match(run$output, "--with-libtroch=/usr", fixed = TRUE, all = FALSE)
})

test_that("a missing HDF5 is a message of its own", {
  skip_on_cran()
  run <- run_configure(configure_copy(), "--with-hdf5=/nonexistent")
  expect_identical(run$status, 1L)
  text <- paste(run$output, collapse = "\n")
  expect_match(text, "compert needs HDF5", fixed = TRUE)
  expect_match(text, "libhdf5-dev", fixed = TRUE)
})
