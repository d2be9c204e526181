# Distributions of genes: what is drawn is what predict() gives and what was measured.

ask_nk <- function() condition(condition = "IFNb", cell_type = "NK")
drawn_of <- function(fit = small_fit(), x = small_cells()$x, ask = ask_nk(), ...) {
  plot_genes(fit, x, ask, col_data = small_cells()$col_data, ...)
}

test_that("controls and measured cells are theirs, and predictions those of predict()", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  about <- cells$col_data
  genes <- rownames(cells$x)[c(7, 2)]
  p <- drawn_of(genes = genes)
  expect_silent(ggplot2::ggplot_build(p))
  expect_identical(levels(p$data$.panel), genes)
  value <- function(kind, gene) p$data$value[p$data$cells == kind & p$data$gene == gene]
  nk <- about$cell_type == "NK"
  predicted <- predict(small_fit(), cells$x, ask_nk(), residual = small_fit()$meta$residual, col_data = about)
  for (gene in genes) {
    expect_equal(value("Control", gene), unname(cells$x[gene, nk & about$condition == "control"]))
    expect_equal(value("Measured", gene), unname(cells$x[gene, nk & about$condition == "IFNb"]))
    expect_equal(value("Predicted", gene), unname(predicted[gene, ]), tolerance = 1e-6)
  }
  expect_identical(p$labels$title, "NK, IFNb (in training)")
  expect_match(p$labels$subtitle, "40 control, 40 predicted, 40 measured cells")
  expect_match(p$labels$y, "log-normalised")
})

test_that("the first DEGs are drawn unless genes are named, and decoded cells are draws", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  degs <- rank_degs(cells$x, "condition", covariates = "cell_type", control = "control", n_genes = 3,
                    col_data = cells$col_data)
  decoded <- drawn_of(n_genes = 3, residual = FALSE, seed = 1)
  expect_identical(levels(decoded$data$.panel), degs$gene[degs$cell_type == "NK"])
  made <- decoded$data[decoded$data$cells == "Predicted", ]
  expect_identical(nrow(made), 3L * 40L * 5L)
  expect_true(all(made$value >= 0))
  expect_identical(drawn_of(n_genes = 3, residual = FALSE, seed = 1)$data, decoded$data)
})

test_that("counts are log-normalised", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  p <- drawn_of(small_fit(loss = "nb"), cells$counts, genes = "ISG15", seed = 1)
  logs <- log_normalise(as.matrix(cells$counts), stats::median(Matrix::colSums(cells$counts)))
  nk <- cells$col_data$cell_type == "NK" & cells$col_data$condition == "IFNb"
  expect_equal(p$data$value[p$data$cells == "Measured"], unname(logs["ISG15", nk]), tolerance = 1e-6)
  expect_true(all(p$data$value < 10))
})

test_that("one cell is drawn as its value; which genes respond it cannot tell", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  nk <- which(cells$col_data$cell_type == "NK")
  one <- nk[match(c("control", "IFNb"), cells$col_data$condition[nk])]
  of_one <- function(...) plot_genes(small_fit(), cells$x[, one], ask_nk(), ..., col_data = cells$col_data[one, ])
  p <- of_one(genes = rownames(cells$x)[1:2])
  expect_silent(built <- ggplot2::ggplot_build(p))
  expect_identical(nrow(built$data[[1]]), 0L)
  expect_identical(nrow(built$data[[2]]), 6L)
  expect_refused(of_one(), "cells enough to tell which genes respond.*too few.*Name them")
})

test_that("panels stand in as many columns as asked; beside more than two others violins have a legend", {
  skip_without_package("ggplot2")
  genes <- rownames(small_cells()$x)[1:5]
  columns <- function(p) max(ggplot2::ggplot_build(p)$layout$layout$COL)
  legend <- function(p) inherits(p$guides$guides$fill %||% p$guides$fill, c("guide", "Guide"))
  named <- function(p) !inherits(p$theme$axis.text.x, "element_blank")
  usual <- drawn_of(genes = genes)
  expect_identical(c(columns(usual), legend(usual), named(usual)), c(3L, FALSE, TRUE))
  wide <- drawn_of(genes = genes, ncol = 4)
  expect_identical(c(columns(wide), legend(wide), named(wide)), c(4L, TRUE, FALSE))
  expect_identical(columns(drawn_of(genes = genes, ncol = 90)), 5L)
  expect_identical(named(drawn_of(genes = genes[1:2], ncol = 9)), TRUE)
  expect_refused(drawn_of(genes = genes, ncol = 0), "`ncol` must be one whole number of at least 1")
})

test_that("what cannot be drawn is refused", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  expect_refused(drawn_of(ask = condition("IFNb")), "one condition that was measured.*names 3.*Name all covariates")
  expect_refused(drawn_of(genes = "ISG1"), "\"ISG1\"")
  expect_refused(plot_genes(multi_fit(), cite_rows(), condition(drug = "A", cell_type = "B"),
                            genes = rownames(cite_cells()$adt)[1], col_data = cite_cells()$col_data),
                 "must be genes of the fit.*Of proteins write features = \"proteins\"")
  expect_refused(drawn_of(features = "proteins"), "`features` must be \"genes\" for a fit of RNA alone")
  expect_refused(plot_genes(small_fit(), cells$x, col_data = cells$col_data), "must say what to draw.*Write condition\\(condition = \"IFNb\", cell_type = \"B\"\\)")
  expect_refused(plot_genes(small_fit()), "`newdata` must be given")
  treated <- cells$col_data$condition == "IFNb"
  expect_refused(plot_genes(small_fit(), cells$x[, treated], ask_nk(), genes = "ISG15",
                            col_data = cells$col_data[treated, ]), "must hold control cells of the condition's")
  additive <- baseline_fit(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
                           col_data = cells$col_data)
  expect_refused(plot_genes(additive, cells$x, ask_nk(), col_data = cells$col_data), "model that was trained")
})

test_that("proteins are drawn over the cells that have them, those that changed most by default", {
  skip_without_package("ggplot2")
  cells <- cite_cells()
  ask <- condition(drug = "A", cell_type = "NK")
  draw <- function(fit = multi_fit(), x = cite_rows(), ...) {
    plot_genes(fit, x, ask, features = "proteins", ..., residual = TRUE, col_data = cells$col_data)
  }
  p <- draw(n_genes = 3)
  of <- function(drug) which(cells$col_data$drug == drug & cells$col_data$cell_type == "NK")
  proteins <- log1p(as.matrix(cells$adt))
  change <- abs(rowMeans(proteins[, of("A")]) - rowMeans(proteins[, of("control")]))
  expect_identical(unique(p$data$gene), names(sort(change, decreasing = TRUE))[1:3])
  expect_equal(p$data$value[p$data$cells == "Measured"], as.vector(proteins[unique(p$data$gene), of("A")]),
               tolerance = 1e-6)
  expect_equal(p$data$value[p$data$cells == "Control"], as.vector(proteins[unique(p$data$gene), of("control")]),
               tolerance = 1e-6)
  answer <- predict(multi_fit(), cite_rows(), ask, residual = TRUE, col_data = cells$col_data)
  answer <- proteins_of(answer)[unique(p$data$gene), ]
  expect_equal(p$data$value[p$data$cells == "Predicted"], as.vector(log1p(pmax(answer, 0))), tolerance = 1e-6)
  expect_s3_class(ggplot2::ggplot_build(draw(genes = rownames(cells$adt)[2])), "ggplot_built")
  poe <- multi_fit(settings = multi_settings(fusion = "poe"))
  expect_refused(suppressWarnings(draw(poe, cells$genes)), "must hold control cells with proteins.*There is none")
})
