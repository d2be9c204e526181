test_that("colours are different from each other, few or many", {
  for (n in c(1, 8, 9, 30)) expect_identical(anyDuplicated(palette_compert(n)), 0L)
  expect_identical(palette_compert(2), okabe_ito()[1:2])
})

test_that("groups beyond eight have the colours again with other shapes and types of lines, in one legend", {
  skip_without_package("ggplot2")
  z <- withr::with_seed(1, matrix(rnorm(40), 20))
  groups <- rep(sprintf("type %02d", 1:10), 2)
  p <- plot_embedding(z, groups, method = "none", label = FALSE)
  points <- ggplot2::layer_data(p)
  pairs <- unique(points[c("colour", "shape")])
  expect_identical(nrow(pairs), 10L)
  expect_setequal(pairs$colour, okabe_ito())
  expect_identical(unique(ggplot2::layer_data(plot_embedding(z, groups > "type 05", method = "none"))$shape), 16)
  withr::local_pdf(NULL)  # where text is measured
  gtable <- ggplot2::ggplotGrob(p)
  box <- gtable$grobs[[which(grepl("guide-box", gtable$layout$name) &
                               vapply(gtable$grobs, function(g) inherits(g, "gtable"), NA))[1L]]]
  expect_identical(sum(box$layout$name == "guides"), 1L)
})

test_that("long names are cut in the middle of their parts, which get lines of their own", {
  expect_identical(short_names(c("B, IFNb", "IFNb", NA)), c("B, IFNb", "IFNb", "NA"))
  expect_identical(short_names("a kidney of an embryo, Compound-01 with a long name"),
                   "a kidney of an embryo,\nCompound-01 wi...long name")
  many <- short_names(paste0("a kidney of an embryo, Compound-0", 1:9, " with a long name"))
  expect_identical(many[1], "a kidney of an ..., Compound-01 wit...")
  expect_identical(short_names("Compound-01 with a very long name"), "Compound-01 wi...long name")
  expect_identical(anyDuplicated(short_names(paste("Compound with a very long name", 1:99))), 0L)
  # Of combinations every name is there.
  guides <- paste("very long guide name of the library", 1:3, "targeting something")
  pairs <- short_names(paste0("NK, ", guides[c(1, 1, 2)], "+", guides[c(2, 3, 3)]), 18L, many = FALSE)
  expect_identical(pairs[1], "NK,\n...rary 1 tar...+\n...rary 2 tar...")
  expect_identical(anyDuplicated(pairs), 0L)
  expect_no_match(short_names(paste0(guides, "+", rev(guides))[c(1, 3)], many = TRUE), "\n")
  expect_identical(short_names("(+)-JQ1"), "(+)-JQ1")
  # Names that differ only in their middle show that.
  middle <- paste0("a very long beginning of a name, ", c("KLF1", "SPI1"), " and an end that all of them have")
  middle <- gsub(", ", " ", middle)
  expect_identical(short_names(middle[c(1, 2, 1)]),
                   c("...name KLF1 and an end...", "...name SPI1 and an end...")[c(1, 2, 1)])
  three <- paste0("a very long beginning of a name AAAAAAAAAAAAAAAAAAAA", c("1", "2", "3"), "BBBBBBBBBBBBBB and its end")
  expect_identical(anyDuplicated(short_names(c(three, sub("AAAAA", "CCCCC", three)))), 0L)
})

test_that("names of a horizontal axis are wrapped or slanted where they have no room", {
  skip_without_package("ggplot2")
  expect_null(guide_field(names_axis("x", c("B", "NK")), "angle"))
  expect_null(guide_field(names_axis("x", c("MDA-MB-231 breast", "HEK293T kidney"), 2L), "angle"))
  expect_identical(names_axis("x", c("MDA-MB-231 breast", "HEK293T kidney"), 2L)$labels("MDA-MB-231 long breast"),
                   "MDA-MB-231 long\nbreast")
  expect_identical(guide_field(names_axis("x", paste("a long name", 1:9)), "angle"), 45)
  expect_null(guide_field(names_axis("y", paste("a long name", 1:9)), "angle"))
  # A panel with few of many names writes each in one line.
  long <- "a kidney of an embryo, Compound-01 with a long name"
  expect_no_match(names_axis("y", paste("a long name", 1:9))$labels(long), "\n")
})

test_that("numbers of many tiles are small, and none is a negative zero", {
  skip_without_package("ggplot2")
  table <- data.frame(row = "a", column = c("a", "b", "c"))
  few <- tile_numbers(table, c(-0.001, 0.9, NA), c(FALSE, TRUE, NA), 3L)[[1L]]
  expect_identical(few$data$.number, c("0.00", "0.90", NA))
  expect_identical(few$data$.ink, c("grey10", "white", "grey10"))
  expect_gt(few$aes_params$size, tile_numbers(table, 1:3, FALSE, 10L)[[1L]]$aes_params$size)
})

test_that("no name is no name", {
  expect_identical(short_names(character()), character())
  expect_identical(short_names(NULL), character())
})

test_that("a plot that is given a fit says what makes its table, whatever stands beside it", {
  skip_without_package("ggplot2")
  plots <- list("prediction_uncertainty\\(\\)" = plot_uncertainty, "`dose_response\\(\\)" = plot_dose_response,
                "dose_response2d\\(\\)" = plot_dose_response2d, "interaction_table\\(\\)" = plot_interactions,
                "`r2_matrix\\(\\)" = plot_r2_matrix, "cell_embedding\\(\\)" = plot_embedding,
                "perturbation_embedding\\(\\)" = plot_similarity, "evaluate_r2\\(\\)" = plot_r2)
  for (maker in names(plots)) expect_refused(plots[[maker]](small_fit(), "IFNb", "B"), maker)
  response <- data.frame(perturbation = "A", dose = 1, response = 1)
  expect_refused(plot_dose_response(response, 1), "must be given by name")
})
