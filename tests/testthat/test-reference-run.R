# Whole training runs against the references' own: fixtures/make_reference_run.py trains them with one batch per
# epoch, so that no order of cells counts, and says what comes of it in double precision.

reference_run <- function(which, epochs, ...) {
  file <- testthat::test_path("fixtures", paste0("reference_run_", which, ".h5"))
  cells <- kang_example(as = "list")
  use <- cells$col_data$cell_type %in% c("B", "NK", "CD8T")
  x <- (if (which == "theislab") cells$counts else cells$x)[, use]
  about <- cells$col_data[use, ]
  run <- resume_fit(read_reference_fit(file), x, epochs = epochs, ..., threads = 1, verbose = FALSE, col_data = about)
  states <- lapply(c(basal = "basal", treated = "treated"), function(which) {
    cell_embedding(run, x, which = which, col_data = about)
  })
  list(losses = run$history$loss_reconstruction, states = states, truth = read_h5ad_parts(file)$uns$expected)
}

expect_same_run <- function(run) {
  expect_equal(run$losses, as.vector(run$truth$losses), tolerance = 1e-10)
  for (state in names(run$states)) {
    expect_equal(run$states[[state]], run$truth[[state]], tolerance = 1e-6, ignore_attr = TRUE)
  }
}

test_that("training goes as in facebookresearch/CPA: turns and schedules", {
  run <- reference_run("cpa", 10, checkpoint_freq = 3, patience = 1000)
  expect_same_run(run)
  # The adversaries' turns leave the autoencoder as it is.
  expect_identical(abs(diff(run$losses)) < 1e-12, rep(c(FALSE, TRUE), length.out = 9))
  # A schedule that is stepped more often is another run.
  other <- reference_run("cpa", 10, checkpoint_freq = 1, patience = 1000)
  expect_gt(max(abs(other$losses - run$losses)), 1e-4)
})

test_that("training goes as in theislab/cpa: pre-training, warm-up, clipping, its own schedule", {
  run <- reference_run("theislab", 12, checkpoint_freq = 1000, restore_best = FALSE)
  expect_same_run(run)
  other <- reference_run("theislab", 12, checkpoint_freq = 1000, restore_best = FALSE, pretrain_epochs = 4)
  expect_gt(max(abs(other$losses - run$losses)), 1e-3)
})
