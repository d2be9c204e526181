both_types <- function(n_proteins) {
  rep(c("Gene Expression", "Antibody Capture"), c(12 - n_proteins, n_proteins))
}

test_that("genes of a 10x file keep their symbols unless two genes share one, and that is said", {
  read <- function(...) {
    rownames(read_cells(tenx_file(toy_counts(), both_types(2), ...), list(), toy_cells())$x)
  }
  names <- rownames(toy_counts())
  expect_no_message(expect_identical(read(), names[1:10]))
  # An antibody may have the name of a gene, or of another antibody.
  expect_no_message(expect_identical(read(c(names[1:10], "gene1", "gene1")), names[1:10]))
  expect_message(ids <- read(c("gene2", names[-1])), "named by their ids.*1 symbol is .*gene2",
                 class = "compert_gene_ids")
  expect_identical(ids, paste0("ENSG", 1:10))
})

test_that("the ending of a 10x file may be in capitals", {
  file <- tenx_file(toy_counts(), both_types(2))
  capital <- sub("h5$", "H5", file)
  withr::defer(unlink(capital))
  expect_true(file.copy(file, capital))
  expect_identical(read_cells(capital, list(), toy_cells())$x, read_cells(file, list(), toy_cells())$x)
})

test_that("proteins of a 10x file are its features of another type", {
  file <- tenx_file(toy_counts(), both_types(2))
  keys <- function(proteins) c(toy_keys(dose = NULL), list(proteins = proteins))
  for (place in c("", "Antibody Capture")) for (limit in c(0, 1e9)) {
    withr::with_options(list(compert.in_memory = limit), suppressMessages({
      screen <- as_screen(file, keys(place), toy_cells())
    }))
    expect_identical(screen$proteins, toy_counts()[11:12, ])
    expect_identical(rownames(screen$x), paste0("gene", 1:10))
    expect_identical(screen$keys$proteins, "Antibody Capture")
  }
  expect_refused(as_screen(file, keys("CRISPR"), toy_cells()), "has no \"CRISPR\"")
})

test_that("a 10x file without genes is refused by what it has", {
  file <- tenx_file(toy_counts(), rep(c("Peaks", "Antibody Capture"), 6))
  expect_refused(as_screen(file, toy_keys(), toy_cells()),
                 "type \"Gene Expression\".*It has \"Peaks\", \"Antibody Capture\"")
})

# A matrix in a file of HDF5Array, read where it lies.
in_file <- function(x, change = identity, env = parent.frame()) {
  file <- withr::local_tempfile(fileext = ".h5", .local_envir = env)
  withr::with_options(list(compert.in_memory = 0), suppressMessages(
    as_columns(change(HDF5Array::writeHDF5Array(x, file, "x")))))
}

test_that("a gene that is there more than once has its values every time", {
  skip_without_package("HDF5Array")
  rows <- c(1, 2, 3, 1)
  stored <- in_file(toy_counts(), function(x) x[rows, ])
  expect_true(is_stored(stored))
  expect_identical(unname(as.matrix(stored)), unname(toy_counts()[rows, ]))
  cells <- c(3, 3, 1)
  expect_identical(unname(as.matrix(in_file(toy_counts(), function(x) x[, cells]))),
                   unname(toy_counts()[, cells]))
})

test_that("NA of whole numbers and truth values in a file is missing", {
  skip_without_package("HDF5Array")
  whole <- matrix(c(1:3, NA, 0L, 5L), 2)
  for (x in list(whole, whole > 1)) {
    stored <- in_file(x)
    expect_true(is_stored(stored))
    expect_identical(inspect_values(stored)$n_bad, 1)
    expect_equal(as.matrix(stored), x + 0, ignore_attr = TRUE)
  }
})
