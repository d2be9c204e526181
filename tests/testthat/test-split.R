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
