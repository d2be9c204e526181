means_small <- function(..., asked = condition(condition = "IFNb", cell_type = "B")) {
  cells <- small_cells()
  plot_means(small_fit(), cells$x, asked, col_data = cells$col_data, ...)
}

test_that("a condition of one cell has no DEGs, and no names", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  treated <- which(cells$col_data$condition == "IFNb" & cells$col_data$cell_type == "B")
  keep <- setdiff(seq_len(ncol(cells$x)), treated[-1])
  p <- plot_means(small_fit(), cells$x[, keep], condition(condition = "IFNb", cell_type = "B"),
                  col_data = cells$col_data[keep, ])
  expect_true(all(p$data$.kind == "other genes"))
  expect_match(p$labels$subtitle, "\n1 measured cell$")
  expect_silent(ggplot2::ggplot_build(p))
})

test_that("points are the means that evaluate_r2() scores", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  p <- means_small(n_degs = 10, seed = 1)
  expect_identical(nrow(p$data), nrow(cells$x))
  b <- cells$col_data$cell_type == "B"
  measured <- rowMeans(as.matrix(cells$x[, b & cells$col_data$condition == "IFNb"]))
  expect_equal(p$data$measured, unname(measured[p$data$gene]))
  predicted <- predict(small_fit(), cells$x, condition(condition = "IFNb", cell_type = "B"),
                       summarise = "condition", col_data = cells$col_data)
  expect_equal(p$data$predicted, unname(predicted[p$data$gene, 1]), tolerance = 1e-5)
  scores <- evaluate_r2(small_fit(), cells$x, split = "ood",
                        condition = condition(condition = "IFNb", cell_type = "B"), n_degs = 10,
                        baselines = FALSE, col_data = cells$col_data)
  expect_match(p$labels$subtitle, sprintf("r2 = %.2f over all 120 genes, %.2f over 10 DEGs",
                                          scores$r2_mean[1], scores$r2_mean_deg[1]))
  expect_identical(p$labels$title, "B, IFNb (not in training)")
  expect_identical(sort(p$data$deg), 1:10)
  expect_silent(ggplot2::ggplot_build(p))
})

test_that("names, changes and panels", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  labels <- function(p) p$layers[[3]]$data$gene
  p <- means_small(n_labels = 3)
  expect_identical(length(labels(p)), 3L)
  expect_identical(labels(p), p$data$gene[match(1:3, p$data$deg)])
  genes <- rownames(cells$x)[c(3, 8)]
  change <- means_small(genes = genes, value = "difference")
  expect_setequal(labels(change), genes)
  b <- cells$col_data$cell_type == "B"
  control <- rowMeans(as.matrix(cells$x[, b & cells$col_data$condition == "control"]))
  expect_equal(change$data$measured + unname(control[change$data$gene]),
               p$data$measured[match(change$data$gene, p$data$gene)])
  three <- means_small(asked = condition(condition = "IFNb"))
  expect_identical(unique(three$data$condition[order(three$data$condition)]),
                   c("B, IFNb", "CD14+Mono, IFNb", "NK, IFNb"))
  heading <- three$facet$params$labeller(list(levels(three$data$.panel)))[[1]][1]
  expect_match(unlist(heading), "B, IFNb\n(not in training)\nr2 = ", fixed = TRUE)
  heading <- three$facet$params$labeller(list(levels(three$data$.panel)))[[1]][3]
  expect_match(unlist(heading), "NK, IFNb\n(in training)\nr2 = ", fixed = TRUE)
  expect_silent(ggplot2::ggplot_build(three))
  turned <- means_small(asked = condition(condition = "IFNb", cell_type = c("NK", "B")))
  expect_identical(levels(turned$data$.panel), c("NK, IFNb", "B, IFNb"))
  of_nk <- function(p) {
    rows <- p$data[p$data$condition == "NK, IFNb", ]
    rows$predicted[order(rows$gene)]
  }
  expect_identical(of_nk(turned), of_nk(three))
})

test_that("wrong questions are refused", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  expect_refused(plot_means(small_fit(), cells$x), "`condition` must say")
  expect_refused(means_small(asked = condition(condition = "IFNg")), "IFNg")
  expect_refused(means_small(asked = condition(condition = "IFNb"), max_panels = 2),
                 "at most 2 measured conditions")
  expect_refused(means_small(genes = "ISG"), "`genes` must be genes of the fit")
  expect_refused(means_small(value = "median"), "`value` must be one of")
  expect_refused(means_small(degs = c("a", "b")), "`degs` must be a named list")
  treated <- cells$col_data$condition == "IFNb"
  expect_refused(plot_means(small_fit(), cells$x[, treated], condition(condition = "IFNb"),
                            col_data = cells$col_data[treated, ]), "can be predicted.*\"B, IFNb\": no control cells of the same")
})

test_that("names and titles have room: nothing is cut at the border of the panel", {
  skip_without_package("ggplot2")
  p <- means_small()
  expect_identical(p$coordinates$clip, "off")
  expect_match(p$labels$y, "Measured mean\n(", fixed = TRUE)
  # The line ends in the corners.
  panel <- ggplot2::ggplot_build(p)$layout$panel_params[[1]]
  expect_equal(panel$x.range, panel$y.range)
})

test_that("names lie over no other name, rather beside a crowd of points, and are counted where left out", {
  labels <- data.frame(condition = "A", gene = c("a", "b"), predicted = c(0, 1), measured = c(1, 0),
                       .name = "a long name of a gene")
  table <- rbind(labels[-5], data.frame(condition = "A", gene = paste0("g", 1:50), predicted = 0, measured = 1:50 / 50 + 0.01))
  placed <- name_genes(labels, table, c(0, 1), 1)
  # Within the panel, and not over the points above and below.
  expect_lt(placed$hjust[1], 0.2)
  expect_gt(placed$hjust[2], 0.8)
  many <- labels[rep(1, 20), ]
  many$gene <- paste0("h", 1:20)
  few <- name_genes(many, rbind(table, many[-5]), c(0, 1), 1)
  expect_lt(nrow(few), 9L)
  expect_identical(nrow(name_genes(labels[0, ], table, c(0, 1), 1)), 0L)
  skip_without_package("ggplot2")
  p <- draw_genes(transform(rbind(table, many[-5]), .kind = "x"), many, c(0, 1), 1, 1, c(x = "black"))
  expect_identical(p$labels$caption, paste(20L - nrow(few), "names left out for want of room"))
})
