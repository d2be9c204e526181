pairs_drawn <- function(...) interaction_table(dosed_fit(), dosed_cells()$x, ..., col_data = dosed_cells()$col_data)

test_that("pairs lie in the plane of their coefficients", {
  skip_without_package("ggplot2")
  table <- pairs_drawn()
  p <- plot_interactions(table)
  expect_equal(p$data$coef_1, table$coef_1)
  expect_identical(levels(p$data$method), c("predicted", "observed"))
  expect_silent(ggplot2::ggplot_build(p))
  layers <- vapply(p$layers, function(layer) class(layer$geom)[1], "")
  labels <- p$layers[[which(layers == "GeomText")]]$data
  # One name per pair, at the prediction.
  expect_setequal(labels$x, table$coef_1[table$method == "predicted"])
  expect_setequal(labels$name, c("NK", "T"))
  expect_match(p$labels$subtitle, "drug: A+B, dose: 1+10", fixed = TRUE)
  one <- plot_interactions(table[table$method == "predicted", ], n_labels = 1)
  expect_identical(nrow(one$layers[[which(layers == "GeomText")]]$data), 1L)
  expect_silent(ggplot2::ggplot_build(one))
  table$coef_1[1] <- NA
  expect_message(left <- plot_interactions(table), "1 of 4 rows", class = "compert_left_out")
  expect_identical(nrow(left$data), 3L)
  table$coef_1 <- NA_real_
  expect_refused(plot_interactions(table), "must have pairs with coefficients")
})

test_that("names of pairs lie over no point, and those left out are counted", {
  skip_without_package("ggplot2")
  table <- pairs_drawn()[1, ]
  many <- table[rep(1, 15), ]
  many$cell_type <- paste("a rather long name", 1:15)
  many$coef_1 <- 0.7 + 1:15 / 1000
  many$coef_2 <- 0.7
  p <- plot_interactions(many)
  shown <- nrow(p$layers[[6]]$data)
  expect_lt(shown, 10L)
  expect_match(p$labels$caption, paste0("magnitude of the sum\n", 10L - shown, " names left out for want of room$"))
  many$coef_2 <- 1:15 / 10
  expect_no_match(plot_interactions(many)$labels$caption, "left out")
})

test_that("genes lie at the sum of the changes and the change under both", {
  skip_without_package("ggplot2")
  table <- pairs_drawn(by = "gene")
  p <- plot_interactions(table, n_labels = 2)
  expect_equal(p$data$predicted, table$first + table$second - 2 * table$control)
  expect_equal(p$data$measured, table$both - table$control)
  expect_identical(nlevels(p$data$condition), 4L)
  expect_identical(levels(p$data$condition)[1:2], c("NK\n(predicted,\nin training)", "NK\n(observed,\nin training)"))
  expect_identical(unname(tapply(p$data$.named, p$data$condition, sum))[1:4], rep(2L, 4), ignore_attr = TRUE)
  one <- p$data[p$data$condition == levels(p$data$condition)[2], ]
  expect_setequal(one$gene[one$.named], one$gene[order(-abs(one$deviation))][1:2])
  expect_silent(ggplot2::ggplot_build(p))
  named <- plot_interactions(table[table$cell_type == "T", ], genes = c("g1", "g3"))
  expect_setequal(named$data$gene[named$data$.named], c("g1", "g3"))
  expect_match(levels(named$data$condition), "^T, A\\+B, 1\\+10\n")
  panels <- function(p) max(as.integer(ggplot2::ggplot_build(p)$layout$layout$COL))
  expect_identical(panels(p), 2L)
  more <- rbind(table, transform(table, cell_type = paste(cell_type, "2")))
  expect_identical(panels(plot_interactions(more)), 4L)
  expect_refused(plot_interactions(table, genes = "g12"), "`genes` must be genes of `interactions`")
  expect_refused(plot_interactions(table, max_panels = 3), "at most 3.*It has 4")
})

test_that("wrong tables are refused", {
  skip_without_package("ggplot2")
  expect_refused(plot_interactions(data.frame(method = "a")), "made by `interaction_table\\(\\)`")
  table <- pairs_drawn()
  expect_refused(plot_interactions(table, genes = "g1"), "must be left out for a table of pairs")
  expect_refused(plot_interactions(table[0, ]), "It has no rows")
  expect_refused(plot_interactions(table, n_labels = -1), "`n_labels`")
})

test_that("hundreds of pairs have small points and faint lines", {
  skip_without_package("ggplot2")
  picture <- function(n) {
    table <- pairs_drawn()[rep(1:2, each = n), ]
    table$cell_type <- rep(paste0("T", seq_len(n)), 2)
    p <- plot_interactions(table)
    layers <- vapply(p$layers, function(layer) class(layer$geom)[1], "")
    c(p$layers[[which(layers == "GeomPoint" & seq_along(layers) > 4)]]$aes_params$size,
      p$layers[[which(layers == "GeomLine")]]$aes_params$alpha)
  }
  expect_identical(picture(200), c(2.2, 1))
  expect_identical(picture(201), c(1, 0.2))
})
