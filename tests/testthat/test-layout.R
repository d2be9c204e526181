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

# Headers of LibTorch; a quoted "torch/..." may be one of the core's own folder of that name.
is_torch <- function(header) {
  own <- file.exists(file.path(source_tree(), "src", "core", gsub("[<>\"]", "", header)))
  grepl("^[<\"](torch|ATen|c10|caffe2)/", header) & !own
}

where <- function(found, bad) sprintf("%s includes %s", found$file[bad], found$header[bad])

test_that("torch is included in src/core/torch only", {
  skip_without_source_tree()
  found <- includes("src")
  torch <- is_torch(found$header)
  inside <- startsWith(found$file, "src/core/torch/")
  expect_true(any(torch & inside))
  expect_identical(where(found, torch & !inside), character())
})

test_that("RDKit is included in src/core/chem only", {
  skip_without_source_tree()
  found <- includes("src")
  rdkit <- grepl("^[<\"](GraphMol|RDGeneral|DataStructs)/", found$header)
  inside <- startsWith(found$file, "src/core/chem/")
  expect_true(any(rdkit & inside))
  expect_identical(where(found, rdkit & !inside), character())
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

test_that("tests of the core include no torch but in torch_*: its glog has a CHECK of its own", {
  skip_without_source_tree()
  skip_without(dir.exists(file.path(source_tree(), "tests", "cpp")), "source tree")
  found <- includes("tests/cpp")
  found <- found[!startsWith(found$file, "tests/cpp/torch_"), ]
  expect_identical(where(found, is_torch(found$header)), character())
  # What they include of the core's torch folder is free of it as well.
  reached <- unique(gsub("\"", "", grep("^\"torch/", found$header, value = TRUE)))
  core <- includes("src/core/torch")
  core <- core[core$file %in% file.path("src/core", reached), ]
  expect_identical(where(core, is_torch(core$header)), character())
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

test_that("functions of R have at most 50 lines, and names that nothing else has", {
  skip_without_source_tree()
  files <- list.files(file.path(source_tree(), "R"), "[.]R$", full.names = TRUE)
  names <- lapply(setdiff(files, grep("RcppExports", files, value = TRUE)), function(file) {
    code <- parse(file, keep.source = TRUE)
    lines <- vapply(attr(code, "srcref"), function(at) at[3] - at[1] + 1, 0)
    name <- vapply(code, function(e) if (length(e) > 1) deparse(e[[2]])[1] else "", "")
    expect_identical(name[lines > 50], character(), info = basename(file))
    name[vapply(code, function(e) is.call(e) && identical(e[[1]], as.name("<-")), NA)]
  })
  expect_identical(unlist(names)[duplicated(unlist(names))], character())
})

test_that("the map of R/ in vignette(\"developer\") has every file once", {
  skip_without_source_tree()
  path <- file.path(source_tree(), "vignettes", "developer.Rmd")
  skip_without(file.exists(path), "source tree")
  lines <- readLines(path, warn = FALSE)
  table <- lines[-seq_len(grep("^[|] stems in `R/`", lines) + 1)]
  table <- sub("^[|]([^|]*)[|].*", "\\1", table[seq_len(which(!startsWith(table, "|"))[1] - 1)])
  stems <- gsub("`", "", unlist(regmatches(table, gregexpr("`[^`]+`", table))))
  files <- sub("[.]R$", "", setdiff(list.files(file.path(source_tree(), "R"), "[.]R$"), "RcppExports.R"))
  hits <- vapply(stems, function(stem) grepl(glob2rx(stem), files), logical(length(files)))
  expect_identical(files[rowSums(hits) != 1], character())
  expect_identical(stems[colSums(hits) == 0], character())
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

test_that("the package's help page leads to every export", {
  skip_without_source_tree()
  page <- file.path(source_tree(), "man", "compert-package.Rd")
  skip_without(file.exists(page), "source tree")
  lines <- readLines(page)
  named <- unlist(regmatches(lines, gregexpr("[a-z0-9_]+(?=\\(\\))", lines, perl = TRUE)))
  expect_identical(setdiff(getNamespaceExports("compert"), named), character())
})

test_that("the citation has every model and the version, and foreign files their licence", {
  text <- format(citation("compert"), style = "text")
  for (author in c("Susmelj", "Hetzel L, B", "Inecik", "Wolf F, Theis")) expect_match(text, author, all = FALSE)
  expect_match(text, as.character(packageVersion("compert")), fixed = TRUE, all = FALSE)
  named <- readLines(system.file("COPYRIGHTS", package = "compert", mustWork = TRUE))
  for (file in list.files(system.file("extdata", package = "compert"), "[.]h5ad$")) {
    expect_match(named, file, fixed = TRUE, all = FALSE)
  }
})

test_that("code of vignettes fits on their pages", {
  skip_without_source_tree()
  files <- list.files(file.path(source_tree(), "vignettes"), "[.]Rmd$", full.names = TRUE)
  expect_gt(length(files), 0)
  wide <- lapply(files, function(file) {
    lines <- readLines(file, warn = FALSE)
    fences <- cumsum(startsWith(lines, "```"))
    begin <- lines[startsWith(lines, "```")][fences[fences > 0]]
    shown <- fences %% 2 == 1 & c(rep(FALSE, sum(fences == 0)), startsWith(begin, "```{r") &
                                    !grepl("include = FALSE|echo = FALSE", begin))
    sprintf("%s:%d", basename(file), which(shown & !startsWith(lines, "```") & nchar(lines) > 94))
  })
  expect_identical(unlist(wide), character())
})
