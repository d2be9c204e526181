# Controls, "A" which moves three genes by 2, and "B" which does nothing, in two cell types.
effect_cells <- function(n = 40, genes = 50) {
  withr::with_seed(12, {
    cells <- data.frame(drug = rep(c("control", "A", "B"), each = n), cell_type = rep(c("T", "NK"), length.out = 3 * n))
    x <- matrix(abs(stats::rnorm(genes * 3 * n, 3, 0.4)), genes, dimnames = list(paste0("g", seq_len(genes)), NULL))
    x[1:3, cells$drug == "A"] <- x[1:3, cells$drug == "A"] + 2
    list(x = x, cells = cells)
  })
}
look_effects <- function(s = effect_cells(), ..., x = s$x, covariates = "cell_type") {
  check_screen(x, "drug", covariates = covariates, control = "control", effects = TRUE, col_data = s$cells, ...)
}

test_that("effects of planted genes are found, and a perturbation that does nothing is a note", {
  found <- look_effects()
  design <- found$design
  expect_identical(names(design), c("cell_type", "drug", "n_cells", "n_control", "n_degs", "effect", "noise"))
  expect_true(all(is.na(design[design$drug == "control", c("n_degs", "effect", "noise")])))
  expect_identical(design$n_degs[design$drug != "control"], c(3L, 0L, 3L, 0L))
  # The root of the mean over genes of 2^2 in three of 50.
  expect_equal(design$effect[design$drug == "A"], rep(sqrt(3 * 4 / 50), 2), tolerance = 0.1)
  expect_equal(design$noise[design$drug != "control"], rep(0.4 * sqrt(2 / 20), 4), tolerance = 0.1)
  expect_identical(found$defects[c("severity", "check", "n")],
                   tibble::tibble(severity = "note", check = "without effect", n = 1L))
  expect_identical(found$defects$given, "\"B\" does not, of 2 perturbations.")
  expect_output(print(found), "change genes by more than noise.*n_degs +effect +noise")
})

test_that("the numbers are those of their definition", {
  s <- effect_cells()
  found <- look_effects(s, covariates = NULL)$design
  a <- s$x[, s$cells$drug == "A"]
  b <- s$x[, s$cells$drug == "control"]
  difference <- rowMeans(a) - rowMeans(b)
  noise <- apply(a, 1, var) / 40 + apply(b, 1, var) / 40
  expect_equal(found$effect[found$drug == "A"], sqrt(mean(difference^2 - noise)), tolerance = 1e-6)
  expect_equal(found$noise[found$drug == "A"], sqrt(mean(noise)), tolerance = 1e-6)
  # As many controls as cells: Welch's own test.
  p <- vapply(1:50, function(g) stats::t.test(a[g, ], b[g, ])$p.value, 0)
  variance <- cbind(apply(a, 1, var), apply(b, 1, var))
  expect_equal(cautious_p(unname(difference), unname(variance), 40), stats::p.adjust(p, "BH"), tolerance = 1e-6)
  expect_identical(cautious_p(c(0, 1), matrix(0, 2, 2), 3), c(1, 0))
})

test_that("few cells that happen not to express a gene have no DEGs, which Welch's test gives them", {
  cells <- kang_example(as = "list")
  control <- which(cells$col_data$condition == "control")
  x <- cells$x[, control]
  about <- data.frame(drug = replace(rep("control", length(control)), withr::with_seed(2, sample(length(control), 5)),
                                     "sham"))
  welch <- rank_degs(x, "drug", control = "control", n_genes = nrow(x), col_data = about)
  expect_gt(sum(welch$p_adjusted < 0.05), 50)
  found <- check_screen(x, "drug", control = "control", effects = TRUE, col_data = about)
  expect_identical(found$design$n_degs[found$design$drug == "sham"], 0L)
  expect_true("without effect" %in% found$defects$check)
})

test_that("every dose counts, and one that acts is enough", {
  s <- effect_cells()
  s$cells$dose <- 1
  s$cells$dose[s$cells$drug == "A"] <- rep(c(1, 10), 20)
  s$x[1:3, s$cells$drug == "A" & s$cells$dose == 1] <- s$x[1:3, s$cells$drug == "control"][, 1:20]
  found <- look_effects(s, covariates = NULL, dose = "dose")
  expect_identical(found$design$n_degs[found$design$drug == "A"], c(0L, 3L))
  expect_match(found$defects$given[found$defects$check == "without effect"], "^\"B\" does not")
})

test_that("what cannot be compared has no effect, and a screen with errors has none at all", {
  s <- effect_cells()
  lone <- which(s$cells$drug == "B" & s$cells$cell_type == "T")
  s$cells$cell_type[lone[1]] <- "alone"
  design <- look_effects(s)$design
  expect_identical(is.na(design$effect), design$drug == "control" | design$cell_type == "alone")
  s$x[1, 1] <- NaN
  broken <- look_effects(s)
  expect_identical(broken$defects$severity[1], "error")
  expect_true(all(is.na(broken$design[c("n_degs", "effect", "noise")])))
  expect_refused(check_screen(s$x, "drug", control = "control", effects = "yes"), "`effects` must be `TRUE` or `FALSE`")
})

test_that("cells in a file, and counts, give the effects of cells in memory", {
  skip_without_package("SingleCellExperiment")
  cells <- small_cells()
  sce <- SingleCellExperiment::SingleCellExperiment(list(X = cells$counts),
                                                    colData = S4Vectors::DataFrame(cells$col_data))
  file <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(sce, file)
  look <- function() {
    check_screen(file, "condition", covariates = "cell_type", control = "control", loss = "nb", layer = "X",
                 effects = TRUE)$design
  }
  memory <- look()
  expect_gt(sum(memory$n_degs, na.rm = TRUE), 0L)
  stored <- withr::with_options(list(compert.in_memory = 0), suppressMessages(look()))
  expect_equal(stored, memory, tolerance = 1e-5)
})
