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

test_that("combinations are known by their parts in any order, and with the control as padding", {
  keys <- list(dose = "dose", sep = "+", control = "ctrl")
  names <- deg_names(list("A", c("A", "B"), c("A", "A1")), list(0.5, c(1, 1), c(1e5, 2)),
                     data.frame(type = c("T", "CD4+ T", "T")), keys)
  spelled <- function(...) names(spell_as_known(rlang::set_names(list(1), c(...)), names, keys))
  for (own in c("B+A", "B+ctrl+A")) expect_identical(spelled(own), "A+B")
  expect_identical(spelled("A+ctrl"), "A")
  expect_identical(spelled("CD4+ T, B+A"), "CD4+ T, A+B")
  expect_identical(spelled("T, A@0.5+ctrl"), "T, A@0.5")
  expect_identical(spelled("A1@2+A@1e+05"), "A@1e+05+A1@2")
  for (own in c("C+A", "T, B+A", "A+B, T", "")) expect_identical(spelled(own), own)
  expect_refused(spell_as_known(list("A+B" = "g", "B+A" = "g"), names, keys),
                 "one entry per condition.*\"A\\+B\", \"B\\+A\" are the same")
})

test_that("a fit and its scores take combinations in any order", {
  cells <- toy_cells(160)
  fit <- function(degs) {
    cpa(toy_log(160), "drug", control = "control", covariates = "cell_type", col_data = cells,
        degs = degs, settings = cpa_settings(epochs = 1, seed = 1, dim = 4, autoencoder_width = 8,
                                             verbose = FALSE, threads = 1, device = "cpu"))
  }
  expect_silent(one <- fit(list("A+B" = c("gene1", "gene2", "gene4"))))
  expect_silent(other <- fit(list("B+A" = c("gene1", "gene2", "gene4"))))
  expect_identical(other$meta$degs, one$meta$degs)
  expect_true(any(lengths(one$meta$degs$genes) == 3))
  scores <- function(degs) {
    evaluate_r2(one, toy_log(160), degs = degs, split = "test", col_data = cells, baselines = FALSE,
                seed = 1)
  }
  expect_silent(swapped <- scores(list("T, B+A" = c("gene1", "gene2", "gene4"))))
  expect_identical(swapped, scores(list("T, A+B" = c("gene1", "gene2", "gene4"))))
  expect_identical(unique(swapped$drug[is.finite(swapped$r2_mean_deg)]), "A+B")
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
    expect_refused(score(small_fit(), cells$x, degs = data.frame(condition = "IFNb", gene = genes(5)),
                         col_data = cells$col_data), "write split\\(degs\\$gene, degs\\$condition\\)")
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

test_that("names with covariates may leave the dose out, and dose 1 is written as others are", {
  keys <- toy_keys()
  names <- deg_names(list("A", c("A", "B")), list(1, c(1, 2)), data.frame(cell_type = c("T", "NK")), keys)
  expect_identical(names, list(c("T, A@1", "NK, A@1+B@2"), c("A@1", "A@1+B@2"), c("T, A", "NK, A+B"),
                               c("A", "A+B")))
})

test_that("of a table of genes the error tells how to make the list", {
  ranked <- rank_degs(small_cells()$x, "condition", control = "control", covariates = "cell_type", n_genes = 5,
                      col_data = small_cells()$col_data)
  expect_refused(with_degs(ranked), "It is an object of class `tbl_df`.*split\\(degs\\$gene, degs\\$condition\\)")
  own <- split(ranked$gene, paste(ranked$cell_type, ranked$condition, sep = ", "))
  expect_true(all(is.finite(with_degs(own)$r2_mean_deg)))
})
