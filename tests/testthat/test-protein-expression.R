express <- function(what, fit = multi_fit(), x = cite_rows(), ...) {
  protein_expression(fit, x, what, col_data = cite_cells()$col_data, ...)
}

test_that("every kind has its range, and they are the parts of the mixture's mean", {
  kinds <- rlang::set_names(c("denoised", "foreground_probability", "background", "foreground"))
  for (fit in list(multi_fit(), multi_fit(fusion = "poe"))) {
    part <- lapply(kinds, express, fit = fit)
    for (one in part) {
      expect_identical(dimnames(one), list(paste0("CD", 1:5), rownames(cite_cells()$col_data)))
      expect_true(all(is.finite(one)))
    }
    p <- part$foreground_probability
    expect_true(all(p > 0 & p < 1))
    expect_true(all(part$background > 0))
    expect_true(all(part$foreground >= part$background))
    expect_equal(part$denoised, p * part$foreground, tolerance = 1e-5)
    mean <- attr(reconstruct(fit, cite_rows(), col_data = cite_cells()$col_data), "proteins")
    expect_equal(mean, part$denoised + (1 - p) * part$background, tolerance = 1e-5, ignore_attr = TRUE)
  }
  expect_identical(protein_expression(multi_fit(), cite_rows(), col_data = cite_cells()$col_data), express("denoised"))
})

test_that("cells are taken by one modality, or without parts of their condition", {
  fit <- multi_fit(cite_rows(with_gaps(cite_cells()$adt)), fusion = "poe")
  rna <- express("foreground", fit, from = "rna")
  expect_false(identical(rna, express("foreground", fit)))
  gaps <- express("foreground", fit, cite_rows(with_gaps(cite_cells()$adt)))
  lacking <- seq(3, 160, 3)
  expect_equal(gaps[, lacking], rna[, lacking], tolerance = 1e-5)
  expect_warning(without <- express("foreground", fit, cite_cells()$genes), class = "compert_rna_only")
  expect_identical(without, rna)
  untreated <- express("denoised", add = "cell_type")
  control <- cite_cells()$col_data$drug == "control"
  expect_false(isTRUE(all.equal(untreated[, !control], express("denoised")[, !control])))
  expect_identical(express("denoised", x = cite_rows()[19:1, ]), express("denoised"))
})

test_that("other fits and questions are refused", {
  expect_refused(express("sum"), "`what` must be one of")
  expect_refused(express("denoised", multi_fit(protein_loss = "nb")), "must have a mixture")
  expect_refused(express("denoised", multi_fit(cite_cells()$genes, proteins = FALSE), cite_cells()$genes),
                 "RNA and proteins")
  expect_refused(protein_expression(multi_fit()), "newdata")
  expect_refused(express("denoised", x = cite_cells()$genes) |> suppressWarnings(), "both modalities")
})
