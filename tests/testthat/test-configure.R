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

# ---- with a compiler that compiles nothing: what it makes prints FAKE_FOUND ------------------

fake_compiler <- function(lines, env = parent.frame()) {
  compiler <- withr::local_tempfile(.local_envir = env)
  writeLines(c("#!/bin/sh", lines), compiler)
  Sys.chmod(compiler, "755")
  makevars <- withr::local_tempfile(lines = paste("CXX17 =", compiler), .local_envir = env)
  withr::local_envvar(R_MAKEVARS_USER = makevars, .local_envir = env)
}

compiles_nothing <- c(
  "case $* in *--version) exec echo \"compiler ${FAKE_COMPILER:-1}\" ;; esac",
  "while [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done",
  "printf '#!/bin/sh\\necho \"${FAKE_FOUND:-1.13}\"\\n' >\"$out\"",
  "chmod +x \"$out\""
)

# A folder with what is looked for before anything is compiled.
fake_prefix <- function(folder) {
  for (part in c("include", "lib")) dir.create(file.path(folder, part), recursive = TRUE)
  file.create(file.path(folder, "lib", c("libtorch_cpu.so", "libhdf5.so")))
  normalizePath(folder)
}

test_that("objects are kept only while headers, flags, compiler and libraries are the same", {
  copy <- configure_copy()
  fake_compiler(compiles_nothing)
  objects <- file.path(copy, "src", c("glue.o", "core/model.o", "core/model.h.gch"))
  header <- file.path(copy, "src", "core", "model.h")
  dir.create(dirname(header))
  writeLines("struct Model {};", header)
  kept_by <- function(options = character(), env = character()) {
    file.create(objects)
    expect_identical(run_configure(copy, options, env)$status, 0L)
    file.exists(objects)
  }
  none <- c(FALSE, FALSE, FALSE)
  all <- c(TRUE, TRUE, TRUE)
  expect_identical(kept_by(), none)
  expect_identical(kept_by(), all)
  writeLines("struct Model { int n; };", header)
  expect_identical(kept_by(), none)
  expect_identical(kept_by(), all)
  expect_identical(kept_by("--without-rdkit"), none)
  expect_identical(kept_by(), none)
  expect_identical(kept_by(env = c(FAKE_FOUND = "2.6")), none)
  expect_identical(kept_by(env = c(FAKE_FOUND = "2.6")), all)
  expect_identical(kept_by(env = c(FAKE_FOUND = "[12:01] a library greets\n2.6")), all)
  expect_identical(kept_by(env = c(FAKE_FOUND = "2.6", FAKE_COMPILER = "2")), none)
})

test_that("files of core/torch find LibTorch's headers read, where the compiler can", {
  copy <- configure_copy()
  dir.create(file.path(copy, "src", "core", "torch"), recursive = TRUE)
  file.create(file.path(copy, "src", c("glue.cpp", "core/torch/adam.cpp")))
  rules <- function() {
    expect_identical(run_configure(copy)$status, 0L)
    lines <- readLines(file.path(copy, "src", "Makevars"))
    expect_identical(sum(startsWith(lines, "OBJECTS = core/torch/adam.o glue.o")), 1L)
    grep("^[^ ]*: ", lines, value = TRUE)
  }
  fake_compiler(compiles_nothing)
  expect_identical(rules(), c("all: $(SHLIB)", "core/torch/libtorch.h.gch: core/torch/libtorch.h",
                              "core/torch/adam.o: core/torch/adam.cpp core/torch/libtorch.h.gch"))
  # One that cannot precompile, and one that reads the header in any case.
  fake_compiler(c("case $* in *c++-header*) exit 1 ;; esac", compiles_nothing))
  expect_identical(rules(), character())
  fake_compiler(c("case $* in *-include*) exit 1 ;; esac", compiles_nothing))
  expect_identical(rules(), character())
})

test_that("folders that are given are written in full", {
  copy <- configure_copy()
  fake_compiler(compiles_nothing)
  home <- withr::local_tempdir()
  torch <- fake_prefix(file.path(dirname(copy), paste0(basename(copy), "-torch")))
  withr::defer(unlink(torch, recursive = TRUE))
  hdf5 <- fake_prefix(file.path(home, "hdf5"))
  json <- fake_prefix(file.path(copy, "json"))
  relative <- file.path("..", basename(torch))
  flags <- function(env, options = character()) {
    expect_identical(run_configure(copy, options, env)$status, 0L)
    readLines(file.path(copy, "src", "Makevars"))
  }
  variables <- flags(c(LIBTORCH_HOME = relative, HDF5_HOME = "~/hdf5", NLOHMANN_JSON_HOME = "json",
                       HOME = home))
  options <- flags(c(HOME = home), c(paste0("--with-libtorch=", relative), "--with-hdf5='~/hdf5'",
                                     "--with-json=json"))
  expect_identical(options, variables)
  cpp <- grep("^PKG_CPPFLAGS", variables, value = TRUE)
  for (prefix in c(torch, hdf5, json)) {
    expect_match(cpp, paste0(" -I", prefix, "/include"), fixed = TRUE)
  }
  expect_match(grep("^PKG_LIBS", variables, value = TRUE),
               paste0("-L", torch, "/lib -Wl,-rpath,", torch, "/lib "), fixed = TRUE)
  apart <- flags(c(LIBTORCH_INCLUDE = file.path(relative, "include"),
                   LIBTORCH_LIB = file.path(relative, "lib")))
  expect_match(apart, paste0(" -I", torch, "/include"), fixed = TRUE, all = FALSE)
  expect_match(apart, paste0(" -L", torch, "/lib "), fixed = TRUE, all = FALSE)
})

test_that("a folder with a space is refused by saying so, and passed over where others may serve", {
  copy <- configure_copy()
  fake_compiler(compiles_nothing)
  prefix <- fake_prefix(file.path(copy, "lib torch"))
  for (name in c("LIBTORCH_HOME", "HDF5_HOME", "NLOHMANN_JSON_HOME")) {
    run <- run_configure(copy, env = stats::setNames(prefix, name))
    expect_identical(run$status, 1L, info = name)
    expect_match(run$output, "make cannot take paths with spaces", fixed = TRUE, all = FALSE)
    expect_match(run$output, prefix, fixed = TRUE, all = FALSE)
  }
  # Nothing is in the system's folders.
  fake_compiler(c("case $* in *probe_torch*-L*/good/*) ;; *probe_torch*) exit 1 ;; esac",
                  compiles_nothing))
  good <- fake_prefix(file.path(copy, "good"))
  run <- run_configure(copy, env = c(CMAKE_PREFIX_PATH = paste0(prefix, ":", good)))
  expect_identical(run$status, 0L)
  expect_match(run$output, paste0("LibTorch: 1.13 [", good, "]"), fixed = TRUE, all = FALSE)
})

test_that("Gloo is found in LibTorch 2.8, and what is amiss is said where it is not", {
  copy <- configure_copy()
  fake_compiler(c("case $* in *probe_c10d*)",
                  "  echo 'probe_c10d.cpp:4: fatal error: gloo/device.h: No such file' >&2; exit 1 ;;",
                  "esac", compiles_nothing))
  run <- run_configure(copy)
  expect_match(run$output, "c10d: not used.*gloo/device.h: No such file", all = FALSE)
  expect_no_match(readLines(file.path(copy, "src", "Makevars")), "C10D")

  skip_without(nzchar(Sys.which("g++")), "g++")
  skip_without(file.exists("/usr/include/gloo/transport/tcp/device.h"), "headers of Gloo")
  library <- withr::local_tempfile(fileext = ".so")
  source <- withr::local_tempfile(fileext = ".cpp", lines = c(
    "#include <memory>", "#include <string>",
    "namespace gloo { namespace transport { class Device; } }",
    "namespace c10d { struct ProcessGroupGloo {",
    "  static std::shared_ptr<gloo::transport::Device> createDeviceForHostname(",
    "      const std::string&, bool lazyInit = false);",
    "}; }",
    "std::shared_ptr<gloo::transport::Device> c10d::ProcessGroupGloo::createDeviceForHostname(",
    "    const std::string&, bool) {",
    "  static int device = 0;",
    "  const auto address = reinterpret_cast<gloo::transport::Device*>(&device);",
    "  return {address, [](gloo::transport::Device*) {}};",
    "}"
  ))
  expect_identical(system2("g++", c("-shared", "-fPIC", source, "-o", library)), 0L)
  fake_compiler(c(
    "case $* in *probe_c10d*)",
    paste0("  exec g++ $(echo \"$*\" | sed 's|-ltorch -ltorch_cpu -lc10|", library, "|') ;;"),
    "esac", compiles_nothing
  ))
  run <- run_configure(copy)
  expect_match(run$output, "c10d: Gloo", fixed = TRUE, all = FALSE)
  expect_match(readLines(file.path(copy, "src", "Makevars")), "-DCOMPERT_HAVE_C10D", all = FALSE)
})
