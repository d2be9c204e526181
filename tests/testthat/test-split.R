split_toy <- function(..., cells = toy_cells(), seed = 1, verbose = FALSE) {
  split_cells(cells, "drug", control = "control", covariates = "cell_type", dose = "dose", ...,
              seed = seed, verbose = verbose)
}
held <- function(cells) unique(paste(cells$drug, cells$cell_type)[cells$split == "ood"])

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

test_that("conditions are held out, in the cell types that are named, never controls", {
  expect_setequal(held(split_toy(hold_out = condition("B+A"))), c("A+B T", "A+B NK"))
  expect_setequal(held(split_toy(hold_out = condition("A+B", cell_type = "NK"))), "A+B NK")
  expect_setequal(held(split_toy(hold_out = condition("A", dose = 0.5))), c("A T", "A NK"))
  expect_refused(split_toy(hold_out = condition("A", dose = 9)), "No cell matches")
  asked <- data.frame(drug = c("A", "B"), cell_type = c("T", "NK"))
  expect_setequal(held(split_toy(hold_out = asked)), c("A T", "B NK"))
  expect_refused(split_toy(hold_out = condition("control")), "at least one perturbed cell")
})

test_that("filters: columns, contents, number of parts, a number or share of them", {
  expect_setequal(held(split_toy(hold_out = list(cell_type = "T"))), c("A T", "B T", "A+B T"))
  expect_setequal(held(split_toy(hold_out = list(drug = "B+A", cell_type = "T"))), "A+B T")
  expect_setequal(held(split_toy(hold_out = list(n_parts = 2))), c("A+B T", "A+B NK"))
  expect_setequal(held(split_toy(hold_out = list(contains = "B", cell_type = "NK"))),
                  c("B NK", "A+B NK"))
  expect_length(held(split_toy(hold_out = list(contains = "B", n = 1))), 1)
  expect_length(held(split_toy(hold_out = 0.5)), 3)
  two <- list(list(drug = "A", cell_type = "T"), list(n_parts = 2, cell_type = "NK"))
  expect_setequal(held(split_toy(hold_out = two)), c("A T", "A+B NK"))
  doses <- split_toy(hold_out = list(dose = "2"))
  expect_setequal(held(doses), c("B T", "B NK"))
})

test_that("what cannot be held out is refused", {
  expect_refused(split_toy(hold_out = condition("Q")), "No cell has perturbation \"Q\"")
  expect_refused(split_toy(hold_out = condition("A", cell_type = "TT")), "No cell has \"TT\"")
  expect_refused(split_toy(hold_out = list(cell = "T")), "Did you mean \"cell_type\"")
  expect_refused(split_toy(hold_out = list("T")), "must have names")
  expect_refused(split_toy(hold_out = "A"), "must be a condition")
  expect_refused(split_toy(hold_out = 2), "from 0 to 1")
  expect_refused(split_toy(test = 1), "from 0 to 0.99")
  expect_refused(split_cells(list(), "drug", control = "control"), "data frame with one row")
  expect_refused(split_cells(toy_cells(), "drug"), "control = \"control\"")
  expect_refused(split_cells(toy_cells(), control = "control"), "`perturbation` must be one text")
})

test_that("it says what it did, once", {
  expect_message(split_toy(hold_out = condition("A+B"), verbose = TRUE),
                 "train, .* test, 15 ood cells; held out: \"A@0.5\\+B@2\"")
  expect_silent(split_toy())
})

test_that("SingleCellExperiment and Seurat get the column in place", {
  skip_without_package("SingleCellExperiment", "SeuratObject")
  expected <- split_toy()$split
  sce <- SingleCellExperiment::SingleCellExperiment(
    list(counts = toy_counts()), colData = S4Vectors::DataFrame(toy_cells()))
  sce <- split_toy(cells = sce, name = "part")
  expect_identical(sce$part, expected)
  seurat <- SeuratObject::CreateSeuratObject(as_sparse(toy_counts()), meta.data = toy_cells())
  expect_identical(unname(split_toy(cells = seurat)$split), expected)
})

test_that("a split column is read with its usual words, others are listed", {
  words <- c("Train", "validation", "OOD", "holdout", "test", "valid ")
  expect_identical(read_split(words, "split")$value,
                   c("train", "test", "ood", "ood", "test", "test"))
  bad <- read_split(c("train", "dev", NA), "part")$defects
  expect_match(bad$given, "Column \"part\" holds \"dev\", \"NA\"")
})
