curve_table <- function(drugs, types = c("B", "NK")) {
  one <- expand.grid(dose = c(0, 0.1, 1), perturbation = drugs, cell_type = types,
                     stringsAsFactors = FALSE)
  tibble::tibble(cell_type = one$cell_type, perturbation = one$perturbation, dose = one$dose,
                 n_cells = 5L, norm_of_mean = one$dose + 3, norm_of_difference = one$dose)
}

test_that("one perturbation: lines are covariates; several: lines are perturbations", {
  skip_without_package("ggplot2")
  one <- plot_dose_response(curve_table("A"))
  expect_identical(levels(one$data$.line), c("B", "NK"))
  expect_identical(nlevels(one$data$.panel), 1L)
  two <- plot_dose_response(curve_table(c("A", "C")))
  expect_identical(levels(two$data$.line), c("A", "C"))
  expect_identical(levels(two$data$.panel), c("B", "NK"))
  expect_identical(two$labels$y, "Length of predicted change")
  genes <- structure(transform(curve_table("A"), gene = "g1", mean = dose), scale = "log")
  expect_identical(plot_dose_response(genes, value = "mean")$labels$y, "Predicted mean expression\n(log-normalised)")
  expect_silent(ggplot2::ggplot_build(two))
})

test_that("the value can be chosen, and a logarithmic axis keeps dose 0", {
  skip_without_package("ggplot2")
  p <- plot_dose_response(curve_table("A"), value = "norm_of_mean", log_dose = TRUE)
  expect_equal(sort(unique(p$data$.dose)), c(0.01, 0.1, 1))
  expect_identical(p$data$.value, curve_table("A")$norm_of_mean)
  expect_silent(built <- ggplot2::ggplot_build(p))
  expect_identical(built$layout$panel_params[[1]]$x$get_labels(), c("0", "0.1", "1"))
  expect_identical(log_breaks(c(0.05, 120), NULL), c(0.1, 1, 10, 100))
  none <- curve_table("A")
  none <- ggplot2::ggplot_build(plot_dose_response(none[none$dose == 0, ], log_dose = TRUE))
  expect_identical(none$layout$panel_params[[1]]$x$get_labels(), "0")
})

test_that("on a logarithmic axis no line leads to dose 0, which is a point", {
  skip_without_package("ggplot2")
  built <- ggplot2::ggplot_build(plot_dose_response(curve_table("A"), log_dose = TRUE))$data
  expect_equal(sort(unique(built[[1]]$x)), c(-1, 0))
  expect_equal(sort(unique(built[[2]]$x)), c(-2, -1, 0))
  long <- tibble::tibble(perturbation = "A", dose = c(0, 1:20), response = 0:20)
  built <- ggplot2::ggplot_build(plot_dose_response(long, log_dose = TRUE))$data
  expect_equal(built[[2]]$x, -1)
  expect_length(ggplot2::ggplot_build(plot_dose_response(long))$data, 1L)
})

test_that("the axis has the unit, headings the gene first, and many names a legend on the right", {
  skip_without_package("ggplot2")
  drugs <- paste("A drug with a long name, number", 1:8)
  table <- curve_table(drugs)
  attr(table, "dose_unit") <- "uM"
  p <- plot_dose_response(table[table$dose > 0, ])
  expect_identical(p$labels$x, "Dose (uM)")
  expect_identical(p$theme$legend.position, "right")
  expect_identical(plot_dose_response(curve_table(c("A", "C")))$theme$legend.position, "bottom")
  expect_identical(plot_dose_response(curve_table("A"))$labels$x, "Dose")
  genes <- table[c("cell_type", "perturbation", "dose")]
  genes$gene <- "g1"
  genes$mean <- 1
  genes <- rbind(genes, transform(genes, gene = "g2"))
  expect_identical(levels(plot_dose_response(genes)$data$.panel), c("g1, B", "g1, NK", "g2, B", "g2, NK"))
  many <- plot_dose_response(curve_table(paste("drug", 1:49)))
  expect_identical(many$labels$caption, "No legend for 49 colours")
})

test_that("what there is one of stands in the subtitle", {
  skip_without_package("ggplot2")
  expect_identical(plot_dose_response(curve_table("A"))$labels$subtitle, "A")
  expect_identical(plot_dose_response(curve_table("A", "B"))$labels$subtitle, "A, cell_type: B")
  expect_identical(plot_dose_response(curve_table(c("A", "C"), "B"))$labels$subtitle, "cell_type: B")
  expect_null(plot_dose_response(curve_table(c("A", "C")))$labels$subtitle)
  gene <- transform(curve_table("A"), gene = "ISG15", mean = dose)
  expect_identical(plot_dose_response(gene)$labels$subtitle, "ISG15, A")
  gene <- rbind(gene, transform(gene, gene = "MX1"))
  expect_identical(plot_dose_response(gene)$labels$subtitle, "A")
})

test_that("more lines than colours tell apart have a panel each", {
  skip_without_package("ggplot2")
  drugs <- paste("drug", 1:9)
  p <- plot_dose_response(curve_table(drugs))
  expect_identical(levels(p$data$.panel), drugs)
  expect_identical(levels(p$data$.line), c("B", "NK"))
  expect_silent(ggplot2::ggplot_build(p))
  expect_identical(levels(plot_dose_response(curve_table(drugs[-1]))$data$.panel), c("B", "NK"))
  one <- plot_dose_response(curve_table(drugs, "B"))
  expect_identical(levels(one$data$.line), "")
  types <- plot_dose_response(curve_table("A", paste("type", 1:9)))
  expect_identical(nlevels(types$data$.panel), 9L)
  # Where panels would be too many, lines come in types.
  many <- plot_dose_response(curve_table(paste("drug", 1:49), "B"))
  expect_identical(nlevels(many$data$.panel), 1L)
  lines <- ggplot2::layer_data(many, 1L)
  expect_identical(anyDuplicated(unique(lines[c("group", "colour", "linetype")])[c("colour", "linetype")]), 41L)
  # Measured points find their panels.
  points <- transform(curve_table("drug 3")[2, ], seen = "condition")
  p <- plot_dose_response(curve_table(drugs), observed = points)
  expect_identical(as.character(p$layers[[2]]$data$.panel), "drug 3")
})

test_that("wrong tables are refused", {
  skip_without_package("ggplot2")
  expect_error(plot_dose_response(data.frame(dose = 1)), "made by `dose_response\\(\\)`")
  expect_error(plot_dose_response(data.frame(dose = 1, perturbation = "A")),
               "made by `dose_response\\(\\)`")
  expect_refused(plot_dose_response(curve_table("A")[0, ]), "It has no rows")
  expect_error(plot_dose_response(curve_table("A"), value = "response"), "`value` must be one of")
})

test_that("bars of measured genes reach two standard errors to either side", {
  skip_without_package("ggplot2")
  cells <- small_cells()
  gene <- rownames(cells$x)[7]
  curve <- dose_response(small_fit(), cells$x, genes = gene, n_points = 3, col_data = cells$col_data)
  points <- observed_response(small_fit(), cells$x, genes = gene, col_data = cells$col_data)
  points$se_difference[1] <- NA
  for (value in c("mean", "difference")) {
    drawn <- ggplot2::layer_data(plot_dose_response(curve, value = value, observed = points), 2L)
    shown <- points[is.finite(points[[paste0("se_", value)]]), ]
    expect_equal(sort(drawn$ymax), sort(shown[[value]] + 2 * shown[[paste0("se_", value)]]))
    expect_equal(sort(drawn$ymin), sort(shown[[value]] - 2 * shown[[paste0("se_", value)]]))
  }
})

test_that("measured points lie over the lines they belong to", {
  skip_without_package("ggplot2")
  points <- curve_table(c("A", "C", "E"))[c(1, 3, 12, 14, 16), ]
  points$seen <- c("condition", "parts only", "condition", "condition", "condition")
  points$dose[1] <- 0.02
  points$n_cells <- c(3L, 9L, 2L, 3L, 4L)
  p <- plot_dose_response(curve_table(c("A", "C")), observed = points, log_dose = TRUE)
  expect_identical(p$labels$y, "Length of change")
  drawn <- p$layers[[2]]$data
  expect_identical(drawn$perturbation, c("A", "A", "A", "C"))
  expect_identical(as.character(drawn$.seen)[1:2], c("in training", "not in training"))
  expect_equal(min(p$data$.dose), 0.002)
  expect_silent(ggplot2::ggplot_build(p))
  # The legend of sizes tells the fewest and the most cells.
  expect_equal(p$scales$get_scales("size")$breaks, c(2, 9))
  points$n_cells <- 3L
  expect_silent(ggplot2::ggplot_build(plot_dose_response(curve_table("A"), observed = points)))
})

test_that("measured points that cannot be drawn are refused", {
  skip_without_package("ggplot2")
  points <- curve_table("A")
  expect_refused(plot_dose_response(curve_table("A"), observed = points),
                 "made by `observed_response\\(\\)`")
  points$seen <- "condition"
  expect_refused(plot_dose_response(curve_table("C"), observed = points), "belong to `response`")
  latent <- tibble::tibble(perturbation = "A", dose = 0:2, response = 0:2)
  expect_refused(plot_dose_response(latent, observed = points), "cannot be measured")
})

test_that("values of a continuous covariate are lines, and measured points say which they are of", {
  skip_without_package("ggplot2")
  one <- curve_table("A")
  one <- one[one$cell_type == "B", ]
  ages <- rbind(cbind(one, age = 30), cbind(one, age = 70))
  expect_identical(levels(plot_dose_response(ages)$data$.line), c("age 30", "age 70"))
  points <- cbind(one[1, ], seen = "condition")
  expect_refused(plot_dose_response(ages, observed = points), "must say which `age`.*observed\\$age <- 30")
  points$age <- 70
  drawn <- ggplot2::ggplot_build(plot_dose_response(ages, observed = points))$plot$layers
  expect_identical(as.character(drawn[[2]]$data$.line), "age 70")
  expect_silent(plot_dose_response(ages[ages$age == 30, ], observed = points["age" != names(points)]))
})

test_that("a single dose has points, one break and no line", {
  skip_without_package("ggplot2")
  table <- curve_table(c("A", "C"))
  for (types in list(c("B", "NK"), "B")) {
    p <- plot_dose_response(table[table$dose == 0.1 & table$cell_type %in% types, ])
    expect_silent(ggplot2::ggplotGrob(p))
    built <- ggplot2::ggplot_build(p)
    expect_identical(nrow(built$data[[1]]), 0L)
    expect_identical(nrow(built$data[[2]]), 2L * length(types))
    expect_identical(built$layout$panel_params[[1]]$x$get_labels(), "0.1")
  }
})

test_that("headings of panels that are five beside each other are smaller", {
  skip_without_package("ggplot2")
  curves <- function(n) {
    table <- expand.grid(dose = c(0, 1), perturbation = paste0("drug ", seq_len(n)), stringsAsFactors = FALSE)
    tibble::tibble(table[c("perturbation", "dose")], response = table$dose)
  }
  size <- function(n) as.numeric(plot_dose_response(curves(n))$theme$strip.text$size)
  expect_lt(size(17), size(16))
})
