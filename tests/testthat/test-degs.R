# A planted screen: two cell types, drugs A and B at two doses, their combination, controls.
planted <- function(seed = 1) {
  withr::with_seed(seed, {
    design <- expand.grid(rep = 1:12, drug = c("dmso", "A", "B", "A+B"), amount = c(1, 10),
                          cell_type = c("T", "B"), stringsAsFactors = FALSE)
    combined <- design$drug == "A+B"
    design$dose <- ifelse(combined, paste0(design$amount, "+1"), as.character(design$amount))
    n <- nrow(design)
    x <- matrix(rnorm(40 * n, 2, 0.3), 40, n)
    up <- function(gene, cells, by) x[gene, cells] <<- x[gene, cells] + by
    up(5, design$drug == "A" & design$cell_type == "T", 2)
    up(9, design$drug == "A" & design$cell_type == "B", -1.5)
    up(20, design$drug == "B" & design$amount == 10, 2)
    up(31, combined, 2)
    dimnames(x) <- list(paste0("g", 1:40), paste0("c", seq_len(n)))
    x <- round(x * 64) / 64  # exact in single precision
    x[x < 0] <- 0
    list(x = x, cells = data.frame(design, row.names = colnames(x)))
  })
}
rank_planted <- function(p = planted(), ..., n_genes = 3, x = p$x) {
  rank_degs(x, "drug", dose = "dose", covariates = "cell_type", control = "dmso",
            n_genes = n_genes, col_data = p$cells, ...)
}

test_that("planted genes come first in their own condition, dose and cell type", {
  top <- rank_planted()
  expect_identical(names(top), c("cell_type", "drug", "dose", "gene", "rank", "score", "mean",
                                 "mean_control", "log_fold_change", "p_value", "p_adjusted",
                                 "n_cells", "n_control"))
  expect_identical(nrow(top), 2L * 6L * 3L)
  first <- top[top$rank == 1, ]
  best <- function(drug, type, dose) {
    first$gene[first$drug == drug & first$cell_type == type & first$dose == dose]
  }
  expect_identical(best("A", "T", "1"), "g5")
  expect_identical(best("A", "B", "10"), "g9")
  expect_identical(best("B", "T", "10"), "g20")
  expect_false(best("B", "T", "1") == "g20")
  expect_identical(best("A+B", "B", "10+1"), "g31")
  expect_true(all(first$n_cells == 12) && all(first$n_control == 24))
  down <- first[first$gene == "g9", ]
  expect_true(all(down$score < 0) && all(down$log_fold_change < -1))
})

test_that("every number is that of t.test()", {
  p <- planted()
  top <- rank_planted(p, n_genes = 40)
  one <- top[top$drug == "A" & top$dose == "10" & top$cell_type == "T", ]
  treated <- with(p$cells, drug == "A" & amount == 10 & cell_type == "T")
  control <- with(p$cells, drug == "dmso" & cell_type == "T")
  for (k in c(1, 7, 40)) {
    test <- t.test(p$x[one$gene[k], treated], p$x[one$gene[k], control])
    expect_equal(one$score[k], unname(test$statistic), tolerance = 1e-9)
    expect_equal(one$p_value[k], test$p.value, tolerance = 1e-9)
    expect_equal(c(one$mean[k], one$mean_control[k]), unname(test$estimate), tolerance = 1e-9)
  }
  expect_equal(one$p_adjusted, p.adjust(one$p_value, "BH"), tolerance = 1e-12)
  expect_equal(one$log_fold_change, one$mean - one$mean_control)
  expect_identical(one$rank, 1:40)
  expect_true(all(diff(abs(one$score)) <= 0))
})

test_that("doses of a perturbation can be taken together", {
  pooled <- rank_planted(by_dose = FALSE, n_genes = 2)
  expect_false("dose" %in% names(pooled))
  expect_identical(nrow(pooled), 2L * 3L * 2L)
  expect_true(all(pooled$n_cells == 24))
  expect_true(all(pooled$gene[pooled$drug == "B" & pooled$rank == 1] == "g20"))
})

test_that("doses are numbers when there are no combinations, and may be absent", {
  p <- planted()
  keep <- p$cells$drug != "A+B"
  p <- list(x = p$x[, keep], cells = p$cells[keep, ])
  expect_identical(sort(unique(rank_planted(p)$dose)), c(1, 10))
  out <- rank_degs(p$x, "drug", control = "dmso", n_genes = 1, col_data = p$cells)
  expect_identical(names(out)[1:2], c("drug", "gene"))
  expect_identical(out$n_control, c(48L, 48L))
})

test_that("the order of parts, the kind of matrix and the order of cells do not matter", {
  p <- planted()
  top <- rank_planted(p)
  sparse <- methods::as(Matrix::Matrix(p$x, sparse = TRUE), "generalMatrix")
  expect_identical(rank_planted(p, x = sparse), top)
  turned <- p
  swap <- which(turned$cells$drug == "A+B")[c(TRUE, FALSE)]
  turned$cells$drug[swap] <- "B+A"
  turned$cells$dose[swap] <- sub("(.*)[+](.*)", "\\2+\\1", turned$cells$dose[swap])
  expect_identical(rank_planted(turned), top)
  shuffle <- withr::with_seed(3, sample(ncol(p$x)))
  other <- rank_planted(list(x = p$x[, shuffle], cells = p$cells[shuffle, ]))
  expect_identical(other[c("cell_type", "drug", "dose", "gene", "rank", "n_cells")],
                   top[c("cell_type", "drug", "dose", "gene", "rank", "n_cells")])
  expect_equal(other$score, top$score, tolerance = 1e-9)
})

test_that("counts are log-normalised first, and said so", {
  p <- planted()
  counts <- withr::with_seed(2, {
    depth <- runif(ncol(p$x), 0.3, 3)
    matrix(rpois(length(p$x), exp(p$x) * rep(depth, each = nrow(p$x))), nrow(p$x),
           dimnames = dimnames(p$x))
  })
  counts[, 1] <- 0  # a cell without counts
  storage.mode(counts) <- "double"
  expect_message(top <- rank_planted(p, x = counts, n_genes = 40), "log-normalised")
  sums <- colSums(counts)
  scaled <- log1p(t(t(counts) / ifelse(sums > 0, sums, 1)) * median(sums[sums > 0]))
  expect_equal(top, suppressMessages(rank_planted(p, x = scaled, n_genes = 40)),
               tolerance = 1e-5)
  sparse <- methods::as(Matrix::Matrix(counts, sparse = TRUE), "generalMatrix")
  expect_equal(suppressMessages(rank_planted(p, x = sparse, n_genes = 40)), top,
               tolerance = 1e-10)
})

test_that("values that are neither logarithms nor counts are told", {
  p <- planted()
  expect_warning(rank_planted(p), NA)
  expect_warning(rank_planted(p, x = 10 * expm1(p$x)), "`rank_degs\\(\\)` expects log-normalised values.*values up to",
                 class = "compert_other_scale")
})

test_that("covariates without controls and single cells are left out and named", {
  p <- planted()
  p$cells$drug[p$cells$cell_type == "B" & p$cells$drug == "dmso"] <- "A"
  p$cells$dose[p$cells$dose == "10" & p$cells$drug == "A"] <- "1"
  expect_warning(top <- rank_planted(p), "cell_type = B", class = "compert_no_controls")
  expect_identical(unique(top$cell_type), "T")

  p <- planted()
  lone <- which(p$cells$drug == "B" & p$cells$dose == "1" & p$cells$cell_type == "T")[-1]
  p <- list(x = p$x[, -lone], cells = p$cells[-lone, ])
  said <- expect_warning(top <- rank_planted(p), class = "compert_one_cell")
  flat <- function(warning) gsub("\\s+", " ", conditionMessage(warning))
  expect_match(flat(said), "1 condition has one cell or one control: \"cell_type = T, B@1\"")
  few <- p$cells$drug %in% c("dmso", "A") | !duplicated(p$cells$drug)
  said <- expect_warning(rank_degs(p$x[, few], "drug", control = "dmso", col_data = p$cells[few, ]),
                         class = "compert_one_cell")
  expect_match(flat(said), "2 conditions have one cell or one control: \"A\\+B\", \"B\"")
  expect_false(any(top$drug == "B" & top$dose == "1" & top$cell_type == "T"))
  expect_true(any(top$drug == "B" & top$dose == "1" & top$cell_type == "B"))

  p <- planted()
  few <- p$cells$drug == "dmso" & duplicated(p$cells[c("drug", "cell_type")])
  p <- list(x = p$x[, !few], cells = p$cells[!few, ])
  expect_error(suppressWarnings(rank_planted(p)), "two cells and two controls",
               class = "compert_input_error")
})

test_that("equal genes keep their order and genes without values score 0", {
  p <- planted()
  p$x[c(2, 30), ] <- p$x[c(5, 5), ]
  p$x[40, ] <- 0
  top <- rank_planted(p, n_genes = 40)
  one <- top[top$drug == "A" & top$dose == "1" & top$cell_type == "T", ]
  expect_identical(one$gene[1:3], c("g2", "g5", "g30"))
  last <- one[one$gene == "g40", ]
  expect_identical(c(last$rank, last$score, last$p_value), c(40, 0, 1))
})

test_that("genes that are constant have p-values, and count among the genes of the adjustment", {
  set.seed(1)
  n <- 20
  x <- rbind(marker = rep(0:1, each = n), same = rep(1, 2 * n), a = rnorm(2 * n), b = c(rnorm(n), rnorm(n, 1)))
  colnames(x) <- paste0("c", seq_len(2 * n))
  about <- data.frame(p = rep(c("control", "A"), each = n))
  ranked <- rank_degs(x, "p", control = "control", col_data = about, n_genes = 4)
  at <- match(rownames(x), ranked$gene)
  p <- c(0, 1, t.test(x["a", 21:40], x["a", 1:20])$p.value, t.test(x["b", 21:40], x["b", 1:20])$p.value)
  expect_equal(ranked$p_value[at], p, tolerance = 1e-6)  # the core reads single precision
  expect_equal(ranked$p_adjusted[at], p.adjust(p, "BH"), tolerance = 1e-6)
})

test_that("columns of the user that are called as the ranking's begin with own_", {
  p <- planted()
  names(p$cells)[names(p$cells) == "drug"] <- "gene"
  names(p$cells)[names(p$cells) == "cell_type"] <- "mean"
  top <- rank_degs(p$x, "gene", covariates = "mean", control = "dmso", n_genes = 1,
                   col_data = p$cells)
  expect_identical(names(top)[1:4], c("own_mean", "own_gene", "gene", "rank"))
  expect_setequal(top$own_gene, c("A", "B", "A+B"))
  expect_setequal(top$own_mean, c("T", "B"))
  expect_true("g5" %in% top$gene && is.numeric(top$mean))
})

test_that("wrong arguments are said in the user's words", {
  p <- planted()
  fails <- function(expr, text) expect_error(expr, text, class = "compert_input_error")
  fails(rank_planted(p, n_genes = 0), "`n_genes`")
  fails(rank_planted(p, by_dose = NA), "`by_dose`")
  fails(rank_planted(p, genes = 5), "no argument `genes`")
  fails(rank_degs(p$x, "drug", col_data = p$cells), "`control`")
  fails(rank_degs(p$x, "drog", control = "dmso", col_data = p$cells), "Did you mean \"drug\"")
  fails(rank_degs(p$x, "drug", control = "dmso", covariates = "donor", col_data = p$cells),
        "`covariates`")
})

test_that("the gene lists of an evaluation plan are the ranking's", {
  p <- planted()
  keys <- new_keys("drug", "dose", "cell_type", "dmso")
  screen <- as_screen(p$x, keys, p$cells)
  top <- rank_planted(p, n_genes = 4)
  listed <- function(drug, dose, type) {
    match(top$gene[top$drug == drug & top$dose == dose & top$cell_type == type],
          rownames(p$x)) - 1L
  }
  asked <- function(...) {
    all <- condition(...)
    list(perturbation = all$perturbation, dose = all$dose,
         covariates = as.data.frame(all[setdiff(names(all), c("perturbation", "dose"))]))
  }
  wanted <- asked(drug = c("B+A", "A", "A"), dose = list(c(1, 10), 1, 10),
                  cell_type = c("B", "T", "T"))
  expect_identical(degs_of_screen(screen, wanted, 4),
                   list(listed("A+B", "10+1", "B"), listed("A", "1", "T"), listed("A", "10", "T")))
  # never measured, and the control itself
  none <- asked(drug = c("A", "dmso"), dose = c(7, 1), cell_type = "T")
  expect_identical(degs_of_screen(screen, none, 4), list(integer(), integer()))
  # without the covariate, all cells are pooled
  over_all <- rank_degs(p$x, "drug", dose = "dose", control = "dmso", n_genes = 4,
                        col_data = p$cells)
  genes <- match(over_all$gene[over_all$drug == "B" & over_all$dose == "10"], rownames(p$x)) - 1L
  expect_identical(degs_of_screen(screen, asked(drug = "B", dose = 10), 4), list(genes))
  # doses taken together
  pooled <- rank_planted(p, n_genes = 4, by_dose = FALSE)
  genes <- match(pooled$gene[pooled$drug == "A" & pooled$cell_type == "T"], rownames(p$x)) - 1L
  both <- asked(drug = "A", dose = list(1, 10), cell_type = "T")
  expect_identical(degs_of_screen(screen, both, 4, by_dose = FALSE), list(genes, genes))
})

test_that("a perturbation that is called \"control\", which is not the control, is ranked as others are", {
  p <- planted()
  renamed <- transform(p$cells, drug = sub("^B$", "control", drug))
  ranked <- function(cells, name) {
    top <- rank_degs(p$x, "drug", dose = "dose", covariates = "cell_type", control = "dmso", n_genes = 4,
                     by_dose = FALSE, col_data = cells)
    top[top$drug == name, setdiff(names(top), "drug")]
  }
  expect_gt(nrow(ranked(renamed, "control")), 0)
  expect_identical(ranked(renamed, "control"), ranked(p$cells, "B"))
})

test_that("a name that is there twice is another dose, told where there is no dose column", {
  p <- planted()
  cells <- p$cells
  cells$drug[cells$drug == "A+B"] <- rep(c("A+A", "A"), sum(cells$drug == "A+B") / 2)
  top <- rank_degs(p$x, "drug", control = "dmso", n_genes = 2, col_data = cells)
  expect_identical(unique(top$dose[top$drug == "A"]), c(1, 2))
  expect_identical(names(top)[1:3], c("drug", "dose", "gene"))
  expect_false("dose" %in% names(rank_degs(p$x, "drug", control = "dmso", n_genes = 2, by_dose = FALSE,
                                           col_data = cells)))
  plain <- rank_degs(p$x, "drug", control = "dmso", n_genes = 2, col_data = p$cells)
  expect_identical(names(plain)[1:2], c("drug", "gene"))
  cells$dose <- NULL
  names(cells)[names(cells) == "cell_type"] <- "dose"
  cells$dose <- p$cells$cell_type
  own <- rank_degs(p$x, "drug", covariates = "dose", control = "dmso", n_genes = 2, col_data = cells)
  expect_identical(names(own)[1:3], c("own_dose", "drug", "dose"))
  design <- check_screen(p$x, "drug", control = "dmso", col_data = cells)$design
  expect_identical(design$dose[design$drug == "A"], c("1", "2"))
})

test_that("proteins are ranked in place of genes, over the cells that have them", {
  adt <- with_gaps(cite_cells()$adt)
  about <- cite_cells()$col_data
  rank <- function(x, proteins, ...) {
    rank_degs(x, "drug", covariates = "cell_type", control = "control", proteins = proteins, n_genes = 5, ...)
  }
  top <- rank(cite_sce(adt = list(counts = adt)), "ADT")
  expect_setequal(top$gene, rownames(adt))
  one <- top[top$drug == "A" & top$cell_type == "NK", ]
  measured <- !is.na(adt[1, ]) & about$cell_type == "NK"
  for (k in c(1, 5)) {
    of <- function(drug) log1p(adt[one$gene[k], measured & about$drug == drug])
    test <- t.test(of("A"), of("control"))
    expect_equal(one$score[k], unname(test$statistic), tolerance = 1e-6)
    expect_equal(c(one$mean[k], one$mean_control[k]), unname(test$estimate), tolerance = 1e-6)
  }
  expect_identical(c(one$n_cells[1], one$n_control[1]),
                   c(sum(measured & about$drug == "A"), sum(measured & about$drug == "control")))
  expect_equal(rank(cite_rows(adt), rownames(adt), col_data = about), top)  # rows of a matrix
  expect_true(all(rank(cite_sce(), FALSE)$gene %in% rownames(cite_cells()$genes)))
})

test_that("other values of proteins than counts are taken as they are, and silently", {
  values <- log1p(cite_cells()$adt) / 3
  normalised <- expect_silent(rank_degs(cite_sce(adt = list(clr = values)), "drug", control = "control",
                                        proteins = NULL, protein_assay = "clr"))
  counts <- rank_degs(cite_sce(), "drug", control = "control", proteins = "ADT")
  expect_equal(normalised$score, counts$score, tolerance = 1e-6)
  expect_equal(normalised$mean, counts$mean / 3, tolerance = 1e-6)
  expect_refused(rank_degs(cite_sce(), "drug", control = "control", proteins = "HTO"), "no \"HTO\".*altExp")
})
