test_that("a quarter of each condition and cell type tests, two cells stay in train", {
  cells <- split_toy(cells = toy_cells(160))
  counts <- table(paste(cells$drug, cells$cell_type), cells$split)
  expect_identical(unique(counts[, "test"]), 5L)
  expect_identical(unique(counts[, "train"]), 15L)
  few <- split_toy(cells = toy_cells(24), test = 0.9)
  left <- table(paste(few$drug, few$cell_type)[few$split == "train"])
  expect_true(all(left >= 2))
  expect_identical(unique(split_toy(test = 0)$split), "train")
})

test_that("a seed gives the same split and leaves R's stream alone; set.seed() governs without", {
  withr::with_seed(1, {
    before <- .Random.seed
    one <- split_toy(seed = 3)
    expect_identical(.Random.seed, before)
  })
  expect_identical(split_toy(seed = 3), one)
  expect_false(identical(split_toy(seed = 4)$split, one$split))
  expect_identical(withr::with_seed(5, split_toy(seed = NULL)),
                   withr::with_seed(5, split_toy(seed = NULL)))
})

test_that("seeded numbers are uniform, distinct and the same everywhere", {
  u <- seeded_uniform(1e5, 1)
  expect_gt(stats::ks.test(u, "punif")$p.value, 1e-3)
  expect_lt(abs(stats::cor(u[-1], u[-1e5])), 0.02)
  expect_lt(abs(stats::cor(seeded_uniform(1e4, 1), seeded_uniform(1e4, 2))), 0.05)
  expect_identical(anyDuplicated(u), 0L)
  expect_equal(seeded_uniform(3, 42), c(0.21782688, 0.09991317, 0.64611130), tolerance = 1e-7)
  expect_true(all(seeded_uniform(10, 2147483647) < 1))
})

test_that("the hash is that of MurmurHash3's finaliser", {
  # fmix32 of 1 and of 0x12345678, from the published definition in 32-bit arithmetic
  expect_identical(hash32(1), 0x514E28B7)
  expect_identical(hash32(0), 0)
  expect_identical(hash32(305419896), 0xE37CD1BC)
  expect_identical(times32(4294967295, 4294967295), 1)
})

test_that("a split column is read with its usual words, others are listed", {
  words <- c("Train", "validation", "OOD", "holdout", "test", "valid ")
  expect_identical(read_split(words, "split")$value,
                   c("train", "test", "ood", "ood", "test", "test"))
  bad <- read_split(c("train", "dev", NA), "part")$defects
  expect_match(bad$given, "Column \"part\" holds \"dev\", \"NA\"")
})

test_that("a column that holds cells out is found by its words", {
  expect_null(unused_split(data.frame(a = c("train", "test"), b = c("ood", "B"), c = c("ood", NA))))
  expect_identical(unused_split(data.frame(n = 1:3, a = factor(c("training", "holdout", "ood")))), list(name = "a", n = 2L))
})

test_that("the new column is none that has a role, and a DataFrame is a table too", {
  cells <- data.frame(drug = rep(c("none", "A"), each = 4), dose = "1", type = c("a", "b"), mark = rep(0:1, each = 4))
  split <- function(name, x = cells, ...) {
    split_cells(x, "drug", dose = "dose", covariates = "type", seed = 1, name = name, verbose = FALSE, ...)
  }
  for (name in c("drug", "dose", "type")) {
    expect_refused(split(name, control = "none"), paste0("\"", name, "\" is given as .* and as `name`"))
  }
  cells$mark <- cells$drug == "none"
  expect_refused(split("mark", control = "mark"), "as `control` and as `name`")
  expect_true("none" %in% names(split("none", control = "none")))
  skip_without_package("S4Vectors")
  table <- split("part", S4Vectors::DataFrame(cells), control = "none")
  expect_s4_class(table, "DFrame")
  expect_identical(table$part, split("part", control = "none")$part)
})
