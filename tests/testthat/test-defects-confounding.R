# Rank by the plain definition.
lost_by_rank <- function(parts, level, n) {
  atoms <- unique(unlist(parts))
  drug <- cbind(1, t(vapply(parts, function(p) as.double(atoms %in% p), double(length(atoms)))))
  with <- outer(level, seq_len(n)[-1], "==") + 0
  rank <- function(x) sum(svd(x)$d > 1e-7)
  n - 1 - (rank(cbind(drug, with)) - rank(drug))
}

test_that("the differences that perturbations hide are counted, with and without combinations", {
  count <- function(single, n = 4) {
    parts <- lapply(sample(if (single) 1 else 1:2, 12, TRUE), function(k) sample(LETTERS[1:7], k))
    level <- c(seq_len(n), sample(n, 12 - n, TRUE))
    c(lost_rank(parts, level, n), lost_by_rank(parts, level, n))
  }
  counts <- withr::with_seed(1, rbind(t(replicate(30, count(TRUE))), t(replicate(60, count(FALSE)))))
  expect_identical(counts[, 1], counts[, 2])
  expect_gt(sum(counts[, 1] > 0), 10)
  expect_gt(sum(counts[, 1] == 0), 10)
})

test_that("a screen of many perturbations is looked at in little memory", {
  n <- 4000
  parts <- as.list(c(rep("control", 4), rep(paste0("p", seq_len(n)), each = 2)))
  level <- c(1, 1, 2, 3, rep(seq_len(n) %% 2 + 1, each = 2))
  # A matrix of pairs x perturbations would take 256 MB.
  gc(reset = TRUE)
  before <- gc()[2, 6]
  expect_identical(lost_rank(parts, level, 3), 0)
  expect_lt(gc()[2, 6] - before, 60)
  expect_identical(lost_rank(parts[-1:-4], level[-1:-4], 2), 1)
  parts[[1]] <- c("p1", "p3")
  expect_identical(lost_rank(parts, level, 3), 0)
  expect_identical(lost_rank(parts[-2:-4], level[-2:-4], 2), NA)
})
