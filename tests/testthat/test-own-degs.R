# Scores over the user's own DEGs, in the small screen.
with_degs <- function(degs, ...) {
  cells <- small_cells()
  evaluate_r2(small_fit(), cells$x, degs = degs, ..., col_data = cells$col_data, baselines = FALSE,
              seed = 1)
}
genes <- function(n) rownames(small_cells()$x)[seq_len(n)]

test_that("known names and genes say nothing", {
  expect_silent(scores <- with_degs(list(IFNb = genes(5))))
  expect_true(all(is.finite(scores$r2_mean_deg)))
  # An empty one means none, and a condition that is not scored may be named as well.
  expect_silent(held <- with_degs(list("B, IFNb" = character(), IFNb = genes(5)), split = "ood"))
  expect_true(all(is.na(held$r2_mean_deg[held$cell_type == "B"])))
})

test_that("names of no condition, and no known gene, are errors", {
  expect_refused(with_degs(list(ifnb = genes(5))), "No condition is called \"ifnb\".*mean \"IFNb\"")
  expect_refused(with_degs(rlang::set_names(list(), character())), "named by conditions")
  wrong <- paste0(genes(2), "x")
  expect_refused(with_degs(list(IFNb = wrong)), "None of those of \"IFNb\" is one.*Did you mean")
  twice <- list(IFNb = genes(5), IFNb = genes(3))
  expect_refused(with_degs(twice), "each name once")
  cells <- small_cells()
  for (score in list(evaluate_cells, evaluate_effects)) {
    expect_refused(score(small_fit(), cells$x, degs = list(a = genes(5)), col_data = cells$col_data),
                   "No condition is called \"a\"")
  }
})

test_that("what is lost in part is said in one warning", {
  part <- list(IFNb = c(genes(5), "no {gene}"), other = genes(2))
  warnings <- capture_warnings(scores <- with_degs(part))
  expect_length(warnings, 1)
  expect_match(warnings, "No condition is called \"other\".*Not among the genes: \"no \\{gene\\}\"")
  expect_equal(scores, with_degs(list(IFNb = genes(5))))
  expect_warning(with_degs(list("NK, IFNb" = genes(5)), split = "ood"), "None of the conditions that")
})
