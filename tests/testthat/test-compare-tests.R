test_that("paired tests agree with those of stats, and keep silent where they say nothing", {
  d <- c(0.1, 0.3, -0.2, 0.25, 0.4)
  ours <- paired_tests(d)
  expect_equal(ours$p_t, stats::t.test(d)$p.value)
  expect_equal(ours$p_wilcoxon, stats::wilcox.test(d)$p.value)
  expect_identical(ours$better, 4L)
  expect_equal(ours$gain, mean(d))
  expect_silent(tied <- paired_tests(c(0, 0.1, 0.1, -0.2)))
  expect_true(is.finite(tied$p_wilcoxon))
  for (flat in list(0.2, c(0.2, 0.2), c(0, 0))) {
    expect_identical(paired_tests(flat)$p_t, NA_real_)
    expect_identical(paired_tests(flat)$p_wilcoxon, NA_real_)
  }
  expect_true(all(is.na(paired_tests(numeric()))))
})

comparison <- function() {
  values <- cbind(one = c(0.5, 0.7, 0.9), two = c(0.1, 0.2, 0.5))
  conditions <- tibble::tibble(cell_type = "T", drug = c("A", "B", "C"), dose = c(1, 1, 2),
                               split = "ood")
  scores <- list(conditions = conditions, values = list(r2_mean = values), n_all = 5L)
  groups <- comparison_groups(conditions, "dose")
  rows <- lapply(names(groups), function(g) compare_group(scores, groups[[g]], g, "dose", "one"))
  tibble::new_tibble(do.call(rbind, rows), class = "compert_comparison", by = "dose",
                     reference = "one", scores = scores, groups = groups, words = "preset")
}

test_that("the print has a line per model and group, and says against what is tested", {
  lines <- capture.output(print(comparison()))
  expect_match(lines[1], "r2 of 2 models on 3 conditions .*\\(2 left out\\)")
  expect_true(any(grepl("^dose 1 \\(2 conditions\\)$", lines)))
  expect_true(any(grepl("^All conditions \\(3 conditions\\)$", lines)))
  expect_identical(sum(grepl("^two ", lines)), 3L)
  expect_true(any(grepl("^one +\\| 0.700 +0.700 +- +-", lines)))
  expect_match(lines[length(lines)], "against \"one\", not adjusted")
  expect_identical(nchar(lines[5]), nchar(lines[6]))
})

test_that("a table that lost its columns prints as a tibble", {
  expect_match(capture.output(print(comparison()[1:3]))[1], "tibble")
  whole <- comparison()
  expect_match(capture.output(print(whole[setdiff(names(whole), "n_conditions")]))[1], "tibble")
})
