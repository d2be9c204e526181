saved <- function(fit = small_fit()) {
  file <- withr::local_tempfile(fileext = ".h5", .local_envir = parent.frame())
  save_fit(fit, file)
  file
}

test_that("save and load give the same fit", {
  file <- saved()
  expect_identical(load_fit(file), small_fit())
  expect_error(save_fit(small_fit(), file), "must not exist yet")
  expect_identical(save_fit(small_fit(), file, overwrite = TRUE), file)
})

test_that("a link stays a link, also where the file that it points to is not there yet", {
  skip_without(.Platform$OS.type != "windows", "symbolic links")
  folder <- withr::local_tempdir()
  link <- file.path(folder, "link.h5")
  file.symlink("one.h5", link)
  file.symlink(file.path(folder, "two.h5"), file.path(folder, "one.h5"))
  save_fit(small_fit(), link)
  expect_identical(Sys.readlink(link), "one.h5")
  expect_identical(load_fit(file.path(folder, "two.h5")), small_fit())
  save_fit(small_fit(), link, overwrite = TRUE)
  expect_setequal(list.files(folder, all.files = TRUE, no.. = TRUE), c("link.h5", "one.h5", "two.h5"))
  file.symlink("b.h5", file.path(folder, "a.h5"))
  file.symlink("a.h5", file.path(folder, "b.h5"))
  expect_refused(save_fit(small_fit(), file.path(folder, "a.h5")), "`file` must be writable")
})

test_that("both routes predict the same to the bit in a fresh process", {
  skip_without(requireNamespace("compert", quietly = TRUE), "the installed package")
  cells <- small_cells()
  what <- condition(condition = "IFNb", cell_type = "B")
  here <- predict(small_fit(), cells$x, what, col_data = cells$col_data)
  file <- saved()
  folder <- withr::local_tempdir()
  saveRDS(list(fit = small_fit(), cells = cells, what = what), file.path(folder, "in.rds"))
  script <- file.path(folder, "fresh.R")
  writeLines(c(
    "args <- commandArgs(TRUE)",
    ".libPaths(strsplit(args[3], \"\\n\", fixed = TRUE)[[1]])",
    "library(compert)",
    "given <- readRDS(file.path(args[1], 'in.rds'))",
    "ask <- function(fit) predict(fit, given$cells$x, given$what,",
    "                             col_data = given$cells$col_data)",
    "saveRDS(list(rds = ask(given$fit), h5 = ask(load_fit(args[2]))),",
    "        file.path(args[1], 'out.rds'))"
  ), script)
  status <- system2(file.path(R.home("bin"), "Rscript"),
                    c(shQuote(script), shQuote(folder), shQuote(normalizePath(file)),
                      shQuote(paste(.libPaths(), collapse = "\n"))))
  expect_identical(status, 0L)
  there <- readRDS(file.path(folder, "out.rds"))
  expect_identical(there$rds, here)
  expect_identical(there$h5, here)
})

test_that("a fit knows its names in a locale that lacks their letters", {
  skip_without(requireNamespace("compert", quietly = TRUE), "the installed package")
  folder <- withr::local_tempdir()
  cells <- transform(toy_cells(), drug = ifelse(drug == "A", "\u00d6l", "control"), dose = 1)
  cells$split <- rep(c("train", "train", "train", "test"), each = 4, length.out = 60)
  x <- toy_log()
  fit <- suppressWarnings(cpa(x, "drug", dose = "dose", control = "control", split = "split", col_data = cells,
                              settings = quick_settings(1)))
  save_fit(fit, file.path(folder, "fit.h5"))
  ask <- function(fit) list(
    names = fit$meta$registry$perturbations,
    scores = as.data.frame(evaluate_r2(fit, x, col_data = cells, min_cells = 1)),
    mean = predict(fit, x, condition(drug = "\u00d6l"), col_data = cells)
  )
  saveRDS(list(ask = ask, x = x, cells = cells, libraries = .libPaths()), file.path(folder, "in.rds"))
  script <- file.path(folder, "fresh.R")
  writeLines(c(
    "folder <- commandArgs(TRUE)",
    "given <- readRDS(file.path(folder, 'in.rds'))",
    ".libPaths(given$libraries)",
    "library(compert)",
    "options(warn = 2)",
    "environment(given$ask) <- list2env(given[c('x', 'cells')], parent = globalenv())",
    "saveRDS(given$ask(load_fit(file.path(folder, 'fit.h5'))), file.path(folder, 'out.rds'))"
  ), script)
  status <- withr::with_envvar(c(LC_ALL = "C"), system2(file.path(R.home("bin"), "Rscript"),
                                                        c("--vanilla", shQuote(script), shQuote(folder))))
  expect_identical(status, 0L)
  there <- readRDS(file.path(folder, "out.rds"))
  expect_identical(Encoding(there$names), c("unknown", "UTF-8"))
  expect_equal(there, ask(fit))
})

test_that("a file that is cut off anywhere is one error", {
  file <- saved()
  bytes <- readBin(file, "raw", file.size(file))
  image <- length(bytes) - guard_size()
  expect_identical(image_size(bytes), as.numeric(image))
  some <- c(0, 1, 7, 8, 47, 48, 50, 96, 512, round(image * c(.1, .5, .9)), image - 1,
            image + c(1, 7, 8, 9, 39))
  for (n in some) {
    writeBin(bytes[seq_len(n)], file)
    expect_error(load_fit(file), "`file` must be", class = "compert_input_error",
                 info = paste(n, "bytes"))
  }
})

test_that("a changed file is found by its check sum", {
  file <- saved()
  bytes <- readBin(file, "raw", file.size(file))
  for (at in round(seq(1, length(bytes) - guard_size(), length.out = 9))) {
    changed <- bytes
    changed[at] <- xor(changed[at], as.raw(255))
    writeBin(changed, file)
    expect_error(load_fit(file), "was changed afterwards")
  }
})

test_that("an image without a guard loads, as a checkpoint does", {
  file <- withr::local_tempfile(fileext = ".h5")
  writeBin(small_fit()$state, file)
  expect_identical(load_fit(file), small_fit())
})

test_that("foreign files are refused", {
  file <- withr::local_tempfile(fileext = ".h5")
  writeLines("hello", file)
  expect_error(load_fit(file), "`file` must be", class = "compert_input_error")
  expect_error(load_fit(kang_example(as = "path")), "`file` must be a fit saved by compert")
  expect_error(load_fit("nowhere.h5"), "There is no file")
  expect_error(load_fit(tempdir()), "There is no file")
})

test_that("a file of a later version says so, and how to read it", {
  skip_without_package("rhdf5")
  h5 <- function(name) getExportedValue("rhdf5", name)
  file <- withr::local_tempfile(fileext = ".h5")
  writeBin(small_fit()$state, file)
  id <- h5("H5Fopen")(file)
  h5("H5Adelete")(id, "version")
  h5("h5writeAttribute")(99L, id, "version")
  h5("h5closeAll")()
  expect_error(load_fit(file), "version that this compert can read.*version 99.*Update compert")
})

test_that("a file of a later format names the remedy", {
  expect_error(check_format(list(format = 99L, package_version = "9.1"), "f.h5"),
               "format 99, written by compert 9.1.*Update compert")
  expect_error(check_format(list(), "f.h5"), "format unknown")
  expect_silent(check_format(list(format = 1L), "f.h5"))
})

test_that("a place that cannot be written to is one error, and leaves nothing behind", {
  expect_error(save_fit(small_fit(), file.path(tempdir(), "no", "such", "fit.h5")),
               "in a folder that exists")
  expect_error(save_fit(small_fit(), tempdir()), "in a folder that exists")
  folder <- withr::local_tempdir()
  save_fit(small_fit(), file.path(folder, "fit.h5"))
  expect_identical(list.files(folder, all.files = TRUE, no.. = TRUE), "fit.h5")
})

test_that("a file of saveRDS() is told as that", {
  file <- withr::local_tempfile(fileext = ".rds")
  saveRDS(1, file)
  expect_refused(load_fit(file), "readRDS\\(\\) reads what saveRDS\\(\\) has written")
})
