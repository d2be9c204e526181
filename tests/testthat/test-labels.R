pairs_of <- function(label, dose, sep = "+", control = "control") {
  pairs <- parse_pairs(label, dose, sep, paste0("cell", seq_along(label)))
  tidy <- tidy_pairs(pairs$parts, pairs$doses, control)
  list(parts = tidy$parts[pairs$code], doses = tidy$doses[pairs$code], defects = pairs$defects)
}

test_that("the order of a combination never matters, and doses travel with their drug", {
  p <- pairs_of(c("B+A", "A+B", "C+A+B"), c("2+1", "1+2", "3+1+2"))
  expect_identical(p$parts[[1]], c("A", "B"))
  expect_identical(p$doses[[1]], c(1, 2))
  expect_identical(p$parts[[1]], p$parts[[2]])
  expect_identical(p$doses[[1]], p$doses[[2]])
  expect_identical(p$doses[[3]], c(1, 2, 3))
  expect_identical(nrow(p$defects), 0L)
})

test_that("no dose is dose 1 for every part, the control included", {
  p <- pairs_of(c("control", "A", "A+B"), NULL)
  expect_identical(p$doses, list(1, 1, c(1, 1)))
})

test_that("doses may be numbers, texts, factors; 1e+05 is one number", {
  expect_identical(pairs_of("A", 0.5)$doses[[1]], 0.5)
  expect_identical(pairs_of("A", 2L)$doses[[1]], 2)
  expect_identical(pairs_of("A+B", factor("1e+05+2"))$doses[[1]], c(1e5, 2))
  expect_identical(pairs_of("A+B", "1e-3+2E+1")$doses[[1]], c(1e-3, 20))
})

test_that("padding with the control is dropped, repeats add up", {
  p <- pairs_of(c("A+control", "control+control", "A+A"), c("2+1", "1+1", "2+3"))
  expect_identical(p$parts, list("A", "control", "A"))
  expect_identical(p$doses, list(2, 1, 5))
})

test_that("another separator, or none, keeps names that hold a plus", {
  p <- pairs_of(c("(+)-JQ1|DMSO", "(+)-JQ1"), c("1|2", "3"), sep = "|", control = "x")
  expect_identical(p$parts, list(c("(+)-JQ1", "DMSO"), "(+)-JQ1"))
  expect_identical(pairs_of("(+)-JQ1", "3", sep = NULL)$parts, list("(+)-JQ1"))
  expect_identical(pairs_of("A_1 b", "3")$parts, list("A_1 b"))
})

test_that("each kind of bad label or dose is one defect that names a cell", {
  p <- parse_pairs(c("A+B", "A", "A", "A", "A+", NA, "A", "B"),
                   c("1", "-1", "high", NA, "1+1", "1", "Inf", "1"), "+", paste0("c", 1:8))
  expect_setequal(p$defects$check, c("missing perturbation", "empty perturbation", "missing dose",
                                     "number of doses", "dose is no number", "dose is infinite",
                                     "negative dose"))
  arity <- p$defects[p$defects$check == "number of doses", ]
  expect_match(arity$given, "Cell \"c1\" has perturbation \"A\\+B\" and dose \"1\"")
  expect_match(arity$todo, "1.0+1.0", fixed = TRUE)
  expect_match(pairs_of("(+)-JQ1", "3")$defects$todo, "belongs to one, choose another `sep` (NULL: none)", fixed = TRUE)
  expect_identical(p$ok, seq_along(p$ok) == 8)
})

test_that("labels are built from pairs and keys tell all conditions apart", {
  expect_identical(condition_label(list("A", c("A", "B"), c("A", "B")),
                                   list(1, c(1, 1), c(0.5, 1))), c("A@1", "A@1+B@1", "A@0.5+B@1"))
  expect_identical(condition_label(list("A", c("A", "B")), list(NA, c(1, 2))), c("A", "A@1+B@2"))
  expect_identical(condition_label(list(), list()), character())
  key <- condition_key(list("A+B", c("A", "B"), c("A", "B")), list(1, c(1, 1), c(1, 2)))
  expect_identical(anyDuplicated(key), 0L)
})

test_that("parsing looks at distinct labels only", {
  n <- 3e5
  label <- rep(c("A", "B", "A+B"), length.out = n)
  dose <- rep(c("1", "2", "1+2"), length.out = n)
  took <- system.time(pairs <- parse_pairs(label, dose, "+", character(n)))[["elapsed"]]
  expect_identical(length(pairs$parts), 3L)
  expect_identical(length(pairs$code), as.integer(n))
  expect_lt(took, 3)
})

test_that("labels and keys of many conditions are those of each alone", {
  parts <- list("A", c("A", "B"), "B", c("A", "B", "C"), c("A", "B"))
  doses <- list(1, c(1, 0.1 + 0.2), 2, c(1, 1, 1), c(1, 1))
  each <- function(f) vapply(seq_along(parts), function(k) f(parts[k], doses[k]), "")
  expect_identical(condition_label(parts, doses), each(condition_label))
  expect_identical(condition_key(parts, doses), each(condition_key))
  expect_identical(condition_label(parts, doses),
                   c("A@1", "A@1+B@0.3", "B@2", "A@1+B@1+C@1", "A@1+B@1"))
  expect_identical(condition_label(parts), c("A", "A+B", "B", "A+B+C", "A+B"))
  expect_identical(condition_key(list(), list()), character())
})

test_that("numbers name the same level however they are stored", {
  expect_identical(level_names(c(100000L, NA, 7L)), c("100000", NA, "7"))
  expect_identical(level_names(c(1e5, NaN, 7)), c("100000", NA, "7"))
  expect_identical(level_names(c(0.1 + 0.2, 1e-7, -3)), c("0.3", "0.0000001", "-3"))
  expect_identical(level_names(factor(c("1e+05", "x"))), c("1e+05", "x"))
  expect_identical(level_names(as.Date("2024-01-02")), "2024-01-02")
  expect_identical(level_names(numeric()), character())
  expect_identical(pairs_of(c(1e5, 2), NULL, control = "2")$parts, list("100000", "2"))
})

test_that("names do not depend on how R writes numbers", {
  cells <- expand.grid(drug = c("control", "A", "B"), dose = c(1e-6, 1e-3, 1e5), t = c(0.5, 1.5),
                       stringsAsFactors = FALSE)
  here <- function() {
    list(format_dose(c(1e-6, 1e5, 0.3)), level_names(c(0.5, 1e5)), count_of(1e5, "cell"), count(1234),
         split_cells(cells, "drug", dose = "dose", covariates = "t", control = "control", hold_out = 0.3,
                     seed = 1)$split)
  }
  expected <- here()
  expect_identical(expected[1:4], list(c("1e-06", "1e+05", "0.3"), c("0.5", "100000"), "100,000 cells", "1,234"))
  withr::local_options(scipen = 999, OutDec = ",", warn = 2)
  expect_identical(here(), expected)
})

test_that("texts without a mark of their encoding are names", {
  file <- withr::local_tempfile(fileext = ".csv")
  rows <- c("drug,cell_type", rep(c("control,M\u00fcller", "\u00d6l,M\u00fcller"), 8))
  writeLines(enc2utf8(rows), file, useBytes = TRUE)
  bare <- utils::read.csv(file)
  expect_identical(unique(Encoding(bare$drug[2])), "unknown")
  expect_identical(level_names(bare$drug[1:2]), c("control", "\u00d6l"))
  expect_identical(Encoding(level_names(factor(bare$drug))[2]), "UTF-8")
  expect_identical(as_utf8(c(x = NA, y = "\xe9")), c(x = NA, y = "\xe9"))
  expect_identical(as_utf8(character()), character())
  expect_identical(sort_names(NULL), character())
  latin <- "\xe9"
  Encoding(latin) <- "latin1"
  expect_identical(as_utf8(latin), "\u00e9")
  marked <- data.frame(drug = rep(c("control", "\u00d6l"), 8), cell_type = "M\u00fcller")
  halves <- lapply(list(bare, marked), split_cells, "drug", control = "control", covariates = "cell_type", seed = 1,
                   verbose = FALSE)
  expect_identical(halves[[1]]$split, halves[[2]]$split)
  x <- toy_log(16)
  rownames(bare) <- colnames(x)
  own <- bare$drug[2]
  check <- check_screen(x, "drug", covariates = "cell_type", control = own, col_data = bare)
  expect_identical(check$design$drug, c("\u00d6l", "control"))
  degs <- rank_degs(x, "drug", covariates = "cell_type", control = "control", n_genes = 1, col_data = bare)
  expect_identical(degs$drug, "\u00d6l")
})

test_that("letters are made small alike in every locale", {
  expect_identical(lower_case(c("TRAINING", "Smiles", NA, "\u0130I")), c("training", "smiles", NA, "\u0130i"))
  files <- list.files(test_path("..", "..", "R"), "[.]R$", full.names = TRUE)
  skip_without(length(files) > 0L, "the sources")
  code <- lapply(files, function(file) all.names(parse(file, encoding = "UTF-8")))
  expect_false(any(c("tolower", "casefold") %in% unlist(code)))
})

test_that("levels that are numbers are in the order of numbers, others in that of text", {
  expect_identical(by_number(c("1", "10", "2")), c("1", "2", "10"))
  expect_identical(by_number(c("1", "10", "2", "x")), c("1", "10", "2", "x"))
  expect_identical(by_number(character()), character())
})
