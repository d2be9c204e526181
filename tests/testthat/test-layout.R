# The direction of dependence: core <- glue <- R, and torch in one folder only.

includes <- function(folder, pattern = "[.](cpp|h)$") {
  files <- list.files(file.path(source_tree(), folder), pattern, recursive = TRUE)
  found <- lapply(files, function(file) {
    lines <- readLines(file.path(source_tree(), folder, file), warn = FALSE)
    lines <- grep("^\\s*#\\s*include", lines, value = TRUE)
    if (length(lines) == 0) return(NULL)
    data.frame(file = file.path(folder, file), header = sub("^\\s*#\\s*include\\s*", "", lines))
  })
  found <- do.call(rbind, found)
  found$header <- sub("\\s*(//.*)?$", "", found$header)
  found
}

where <- function(found, bad) paste(found$file[bad], "includes", found$header[bad])

test_that("torch is included in src/core/torch only", {
  skip_without_source_tree()
  found <- includes("src")
  torch <- grepl("^[<\"](torch|ATen|c10|caffe2)/", found$header)
  inside <- startsWith(found$file, "src/core/torch/")
  expect_true(any(torch & inside))
  # A quoted "torch/..." is the core's own folder.
  own <- file.exists(file.path(source_tree(), "src/core", gsub("[<>\"]", "", found$header)))
  expect_identical(where(found, torch & !inside & !own), character())
})

test_that("the core includes no header of R", {
  skip_without_source_tree()
  found <- includes("src/core")
  bad <- grepl("^[<\"](Rcpp|RcppEigen|R|Rinternals|Rmath|Rdefines|R_ext/.*)([.]h)?[>\"]$",
               found$header)
  expect_gt(nrow(found), 50)
  expect_identical(where(found, bad), character())
})

test_that("public headers of the core include the standard library and each other only", {
  skip_without_source_tree()
  found <- includes("src/core/include")
  standard <- grepl("^<[a-z_0-9]+>$", found$header)
  ours <- grepl("^\"(compert/)?[a-z_0-9]+[.]h\"$", found$header)
  expect_identical(where(found, !standard & !ours), character())
})

test_that("glue includes no torch and reaches the core through its public headers", {
  skip_without_source_tree()
  found <- includes("src", "^(glue_.*[.](cpp|h))$")
  found <- found[startsWith(found$file, "src/glue_"), ]
  expect_gt(nrow(found), 0)
  expect_identical(where(found, grepl("core/", found$header)), character())
})

test_that("tests of the core include no torch, whose glog has a CHECK of its own", {
  skip_without_source_tree()
  skip_without(dir.exists(file.path(source_tree(), "tests", "cpp")), "source tree")
  found <- includes("tests/cpp")
  expect_identical(where(found, grepl("^[<\"](torch|ATen|c10)/", found$header)), character())
})

test_that("files stay small enough to be read in one go", {
  skip_without_source_tree()
  limits <- c(R = 250, src = 300)
  for (folder in names(limits)) {
    files <- list.files(file.path(source_tree(), folder), "[.](R|cpp|h)$", recursive = TRUE,
                        full.names = TRUE)
    files <- files[!grepl("RcppExports", files)]
    lines <- vapply(files, function(file) length(readLines(file, warn = FALSE)), integer(1))
    expect_identical(basename(files)[lines > limits[[folder]]], character(), info = folder)
  }
})

test_that("exported functions are documented with a value, and run an example", {
  skip_without_source_tree()
  skip_without(dir.exists(file.path(source_tree(), "man")), "source tree")
  pages <- lapply(list.files(file.path(source_tree(), "man"), "[.]Rd$", full.names = TRUE),
                  readLines, warn = FALSE)
  for (name in getNamespaceExports("compert")) {
    alias <- paste0("\\alias{", name, "}")
    page <- unlist(Filter(function(lines) any(lines == alias), pages))
    expect_true(length(page) > 0, info = paste(name, "has no help page"))
    if (any(grepl("reexports", page))) next
    expect_true(any(startsWith(page, "\\value{")), info = paste(name, "says nothing of its value"))
    expect_true(any(startsWith(page, "\\examples{")), info = paste(name, "has no example"))
  }
})
