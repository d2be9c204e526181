# The lists of packages that people install by, against those that the package imports.

# Imports and LinkingTo without what comes with R itself; Matrix is recommended, and not on every R.
imported <- function() {
  fields <- read.dcf(file.path(source_tree(), "DESCRIPTION"), c("Imports", "LinkingTo"))
  names <- trimws(sub("\\(.*", "", unlist(strsplit(fields, ","))))
  with_r <- rownames(utils::installed.packages(.Library, priority = "base"))
  sort(setdiff(unique(names), with_r))
}

# The text from the line that begins with one pattern up to the line that begins with another.
part <- function(file, from = NULL, to = NULL) {
  path <- file.path(source_tree(), file)
  skip_without(file.exists(path), "source tree")
  lines <- readLines(path, warn = FALSE)
  if (!is.null(from)) lines <- utils::tail(lines, 1 - grep(from, lines)[1])
  if (!is.null(to)) lines <- utils::head(lines, grep(to, lines)[1] - 1)
  paste(lines, collapse = "\n")
}

found_in <- function(text, pattern) {
  unique(sort(unlist(regmatches(text, gregexpr(pattern, text, perl = TRUE)))))
}

debian <- function(text) sub("r-cran-", "", found_in(text, "r-cran-[a-z0-9]+"))

in_r <- function(text) {
  call <- regmatches(text, regexpr("install\\.packages\\(c\\([^)]*\\)", text))
  expect_length(call, 1)
  gsub("\"", "", found_in(call, "\"[^\"]+\""))
}

test_that("Debian's packages in INSTALL and tools/setup are what the package imports", {
  skip_without_source_tree()
  needed <- sort(tolower(imported()))
  expect_gt(length(needed), 5)
  expect_identical(debian(part("INSTALL", "^  Debian 12", "^  Ubuntu")), needed)
  expect_identical(debian(part("tools/setup", "^r_needed=", "^r_suggested=")), needed)
  expect_identical(setdiff(needed, debian(part("tools/setup", "^Ubuntu", "^Fedora"))), character())
})

test_that("install.packages() of INSTALL, README and tools/setup brings what the package imports", {
  skip_without_source_tree()
  expect_setequal(in_r(part("INSTALL")), imported())
  expect_setequal(in_r(part("README.md", "^## Installing")), imported())
  expect_identical(setdiff(imported(), in_r(part("tools/setup"))), character())
})
