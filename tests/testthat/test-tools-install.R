# tools/install in a tree where configure, R and Rscript do nothing but leave a trace.

install_tree <- function(env = parent.frame()) {
  skip_without_source_tree()
  script <- file.path(source_tree(), "tools", "install")
  skip_without(file.exists(script), "source tree")
  tree <- withr::local_tempdir(.local_envir = env)
  for (folder in c("tools", "src", "R", "inst", "man", "bin", "lib")) dir.create(file.path(tree, folder))
  file.copy(script, file.path(tree, "tools"))
  for (file in c("DESCRIPTION", "NAMESPACE", "src/model.cpp", "tools/probe_torch.cpp", "R/cpa.R", "man/cpa.Rd")) {
    writeLines("text", file.path(tree, file))
  }
  program <- function(file, ...) {
    writeLines(c("#!/bin/sh", ...), file.path(tree, file))
    Sys.chmod(file.path(tree, file), "755")
  }
  program("configure", "echo \"LibTorch: $LIBTORCH_HOME\"", "echo \"$LIBTORCH_HOME\" >src/.configured",
          "[ \"$LIBTORCH_HOME\" != /nowhere ]")
  program("bin/R", "echo \"$*\" >>installs", "mkdir -p lib/compert")
  program("bin/Rscript", paste0("printf '%s' '", file.path(tree, "lib"), "'"))
  withr::local_envvar(PATH = paste0(file.path(tree, "bin"), ":", Sys.getenv("PATH")), .local_envir = env)
  tree
}

run_install <- function(tree, libtorch) {
  withr::local_envvar(LIBTORCH_HOME = libtorch)
  output <- suppressWarnings(system2(file.path(tree, "tools", "install"), stdout = TRUE, stderr = TRUE))
  trace <- file.path(tree, "installs")
  list(output = output, status = if (is.null(attr(output, "status"))) 0L else attr(output, "status"),
       installs = if (file.exists(trace)) length(readLines(trace)) else 0L)
}

test_that("the package is installed again for other sources or another LibTorch, and only then", {
  skip_on_os("windows")
  tree <- install_tree()
  first <- run_install(tree, "/opt/one")
  expect_identical(first$installs, 1L)
  expect_match(first$output, "  LibTorch: /opt/one", fixed = TRUE, all = FALSE)
  again <- run_install(tree, "/opt/one")
  expect_identical(again$installs, 1L)
  expect_match(again$output, "was built from these sources and libraries", all = FALSE)
  expect_identical(run_install(tree, "/opt/two")$installs, 2L)
  writeLines("other text", file.path(tree, "R", "cpa.R"))
  expect_identical(run_install(tree, "/opt/two")$installs, 3L)
  expect_identical(run_install(tree, "/opt/two")$installs, 3L)
})

test_that("what configure complains of is shown, and nothing is installed", {
  skip_on_os("windows")
  run <- run_install(install_tree(), "/nowhere")
  expect_identical(run$status, 1L)
  expect_identical(run$installs, 0L)
  expect_match(run$output, "LibTorch: /nowhere", fixed = TRUE, all = FALSE)
})
