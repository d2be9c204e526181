# What is added to the basal state, piece by piece, on a fit with a covariate and a batch.

composed <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      cells <- small_cells()
      cells$col_data$run <- rep(c("r1", "r2", "r2"), length.out = ncol(cells$x))
      fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type",
                 batch = "run", split = "split", col_data = cells$col_data,
                 settings = quick_settings(4))
      made <<- c(cells, list(fit = fit))
    }
    made
  }
})

latent <- function(which, ...) {
  with(composed(), cell_embedding(fit, x, which, ..., col_data = col_data))
}
custom <- function(add) latent("custom", add = add)
decoded <- function(...) with(composed(), reconstruct(fit, x, ..., col_data = col_data))
predicted <- function(what, ..., residual = FALSE) {
  with(composed(), predict(fit, x, what, residual = residual, ..., col_data = col_data))
}
# The embedding of each cell's own level (or perturbation).
own <- function(part) {
  made <- composed()
  if (part == "perturbation") return(perturbation_embedding(made$fit)[made$col_data$condition, ])
  covariate_embedding(made$fit, part)[made$col_data[[part]], ]
}
expect_sum <- function(left, right) {
  expect_equal(left, right, tolerance = 1e-5, ignore_attr = TRUE)
}
plain <- function(x) `attributes<-`(x, list(dim = dim(x)))

test_that("the treated state is the basal state and every embedding", {
  expect_sum(latent("treated") - latent("basal"),
             own("perturbation") + own("cell_type") + own("run"))
  expect_gt(max(abs(own("run"))), 1e-3)
})

test_that("the corrected state is the treated state without the batch", {
  expect_sum(latent("corrected"), latent("treated") - own("run"))
})

test_that("each part that is named is added, and no other", {
  basal <- latent("basal")
  expect_sum(custom("perturbation") - basal, own("perturbation"))
  expect_sum(custom("cell_type") - basal, own("cell_type"))
  expect_sum(custom("run") - basal, own("run"))
  expect_sum(custom(c("run", "cell_type")) - basal, own("run") + own("cell_type"))
  expect_identical(plain(custom(c("cell_type", "run"))), plain(custom(c("run", "cell_type"))))
})

test_that("everything and nothing are two requests, and have their own names", {
  expect_identical(plain(custom(NULL)), plain(latent("basal")))
  expect_identical(plain(custom(TRUE)), plain(latent("treated")))
  expect_identical(plain(custom(c("perturbation", "cell_type", "run"))), plain(latent("treated")))
  expect_identical(plain(custom(c("perturbation", "cell_type"))), plain(latent("corrected")))
  expect_identical(plain(custom(character())), plain(latent("basal")))
})

test_that("the questions leave nothing behind: asked again, the answer is the same", {
  first <- list(latent("treated"), covariate_embedding(composed()$fit))
  custom("run")
  decoded(add = NULL)
  expect_identical(list(latent("treated"), covariate_embedding(composed()$fit)), first)
})

test_that("reconstruct(add = ) decodes that composition", {
  whole <- decoded()
  expect_identical(decoded(add = TRUE), whole)
  expect_identical(decoded(add = c("perturbation", "cell_type", "run")), whole)
  parts <- list(NULL, "perturbation", "cell_type", "run", c("perturbation", "cell_type"))
  others <- lapply(parts, function(add) decoded(add = add))
  expect_true(all(vapply(others, function(x) all(is.finite(x)), NA)))
  expect_identical(anyDuplicated(lapply(c(list(whole), others), plain)), 0L)
  expect_identical(lapply(others, dimnames), rep(list(dimnames(whole)), length(parts)))
  variance <- decoded(add = "perturbation", type = "variance")
  expect_true(all(variance > 0))
})

test_that("cells that differ in nothing but their batch are one after correction", {
  made <- composed()
  swapped <- made$col_data
  swapped$run <- ifelse(swapped$run == "r1", "r2", "r1")
  with_batch <- reconstruct(made$fit, made$x, col_data = swapped)
  expect_gt(max(abs(with_batch - decoded())), 1e-3)
  without <- reconstruct(made$fit, made$x, add = c("perturbation", "cell_type"),
                         col_data = swapped)
  expect_identical(plain(without), plain(decoded(add = c("perturbation", "cell_type"))))
})

test_that("predict(correct = \"batch\") decodes without the batch", {
  stimulated <- condition(condition = "IFNb", cell_type = "B")
  one <- predicted(stimulated, correct = "batch")
  expect_identical(predicted(stimulated, correct = "run"), one)
  expect_gt(max(abs(one - predicted(stimulated))), 1e-3)
  # Control cells under their own condition: a counterfactual that is a reconstruction.
  untreated <- predicted(condition(condition = "control", cell_type = "B"), correct = "batch")
  cells <- attr(untreated, "col_data")$cpa_cell
  expect_equal(plain(untreated),
               plain(decoded(add = c("perturbation", "cell_type"))[, cells]), tolerance = 1e-5)
})

test_that("whatever is corrected has no say in the answer", {
  r1 <- predicted(condition(condition = "IFNb", cell_type = "B", run = "r1"), correct = "batch")
  r2 <- predicted(condition(condition = "IFNb", cell_type = "B", run = "r2"), correct = "batch",
                  source = attr(r1, "col_data")$cpa_cell)
  expect_identical(plain(r1), plain(r2))
  all_gone <- predicted(condition(condition = "IFNb", cell_type = "B"),
                        correct = c("batch", "cell_type"))
  expect_true(all(is.finite(all_gone)))
})

test_that("the corrected mean of a condition is the mean of its corrected cells", {
  what <- condition(condition = "IFNb", cell_type = "B")
  one <- predicted(what, correct = "batch", summarise = "condition")
  expect_equal(as.vector(one), unname(rowMeans(predicted(what, correct = "batch"))),
               tolerance = 1e-5)
})

test_that("samples and differences are corrected as well", {
  what <- condition(condition = "IFNb", cell_type = "B")
  draws <- predicted(what, correct = "batch", type = "sample", seed = 1, residual = NULL)
  expect_identical(draws, predicted(what, correct = "run", type = "sample", seed = 1,
                                    residual = NULL))
  expect_false(identical(plain(draws), plain(predicted(what, type = "sample", seed = 1,
                                                       residual = NULL))))
  difference <- predicted(what, correct = "batch", residual = TRUE)
  expect_gt(max(abs(difference - predicted(what, residual = TRUE))), 1e-3)
})

test_that("a fit without a batch has the same corrected and treated states", {
  cells <- small_cells()
  of <- function(which) {
    plain(cell_embedding(small_fit(), cells$x, which, col_data = cells$col_data))
  }
  expect_identical(of("corrected"), of("treated"))
})

test_that("a covariate that is called batch means itself", {
  cells <- small_cells()
  cells$col_data$batch <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  fit <- cpa(cells$x, "condition", control = "control", covariates = c("cell_type", "batch"),
             split = "split", col_data = cells$col_data, settings = quick_settings(1))
  expect_identical(left_out(fit, "batch"), 1L)
  expect_identical(left_out(composed()$fit, "batch"), left_out(composed()$fit, "run"))
  expect_identical(left_out(composed()$fit, c("run", "batch")), left_out(composed()$fit, "run"))
})

test_that("wrong parts are refused, and what is known is named", {
  stimulated <- condition(condition = "IFNb", cell_type = "B")
  expect_refused(custom("donor"), "`add` must be TRUE, NULL, or name parts.*\"run\"")
  expect_refused(custom(FALSE), "`add` must be TRUE, NULL")
  expect_refused(custom(NA_character_), "`add` must be TRUE, NULL")
  expect_refused(custom(1), "`add` must be TRUE, NULL")
  expect_refused(decoded(add = "pertubation"), "The parts are \"perturbation\"")
  expect_refused(latent("treated", add = "run"), "`add` goes with `which = \"custom\"` only")
  expect_refused(latent("mixed"), "`which` must be one of")
  expect_refused(predicted(stimulated, correct = "celltype"), "Did you mean \"cell_type\"")
  expect_refused(predicted(stimulated, correct = "perturbation"), "`correct` must name covariates")
  expect_refused(predicted(stimulated, correct = 1), "`correct` must be")
  expect_refused(predict(small_fit(), small_cells()$x, stimulated, correct = "batch",
                         col_data = small_cells()$col_data),
                 "needs a fit with a batch.*\"cell_type\"")
})
