test_that("presets have the conventions of the published codes", {
  p <- r2_presets()
  expect_identical(vapply(p, function(o) o$min_cells, 1L),
                   c(compert = 5L, fb = 31L, fb_api = 1L, chemcpa = 6L, multicpa = 31L,
                     theislab = 1L))
  expect_identical(vapply(p, function(o) o$ddof, 1L),
                   c(compert = 1L, fb = 0L, fb_api = 0L, chemcpa = 1L, multicpa = 0L,
                     theislab = 0L))
  expect_identical(names(Filter(function(o) o$clamp_negative, p)), "chemcpa")
  expect_identical(names(Filter(function(o) o$controls == "matched", p)), "compert")
  expect_identical(p$multicpa$order, c("r2_mean", "r2_var", "r2_mean_deg", "r2_var_deg", "r2_mean_protein",
                                        "r2_var_protein"))
  expect_identical(p$fb$order, c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg"))
  expect_identical(c(p$fb$empty, p$multicpa$empty), c(-1, -1))
  expect_true(is.na(p$chemcpa$empty))
  expect_identical(p$chemcpa$limit, 3e12)
  expect_identical(p$chemcpa$min_degs, 2L)
  expect_null(p$compert$residual)
  expect_false(p$fb$residual)
})

test_that("the variance of counts is the preset's own", {
  variance <- function(preset, loss) r2_options(fit_of_loss(loss), preset, list())$variance
  expect_identical(variance("fb", "gauss"), "predicted")
  expect_identical(variance("fb", "nb"), "sampled")
  expect_identical(variance("fb_api", "nb"), "predicted")
  expect_identical(variance("multicpa", "nb"), "predicted")
  expect_identical(variance("compert", "nb"), "total")
  expect_identical(variance("theislab", "zinb"), "of_means")
})

test_that("own options override, and are named in print", {
  o <- r2_options(fit_of_loss("gauss"), "fb", list(min_cells = 3, ddof = NULL))
  expect_identical(o$min_cells, 3)
  expect_identical(o$ddof, 0L)
  o$n_degs <- 50
  expect_match(preset_words(o), "preset \"fb\" with own `min_cells`: all controls of the split")
  expect_match(preset_words(o), "at least 3 cells, 50 DEGs, ddof 0")
  pooled <- r2_options(fit_of_loss("gauss"), "compert", list(controls = "pooled"))
  expect_match(preset_words(pooled), ": all controls, whatever their covariates")
  expect_match(preset_words(r2_options(fit_of_loss("gauss"), "theislab", list())), ": all controls, whatever")
})

test_that("wrong options are refused", {
  expect_error(r2_options(fit_of_loss("gauss"), "fbb", list()), "`preset` must be one of")
  expect_error(r2_options(fit_of_loss("gauss"), "fb", list(ddof = 2)), "`ddof` must be")
  expect_error(r2_options(fit_of_loss("gauss"), "fb", list(variance = "none")), "`variance` must be one of")
  expect_error(r2_options(fit_of_loss("gauss"), "fb", list(controls = "mine")), "`controls` must be one of")
  expect_error(r2_options(fit_of_loss("gauss"), "fb", list(min_cells = -1)), "`min_cells` must be")
  expect_error(r2_options(fit_of_loss("gauss"), "fb", list(clamp_negative = "yes")), "`clamp_negative` must be")
})

test_that("one cell is one cell", {
  cells <- small_cells()
  scores <- evaluate_r2(small_fit(), cells$x, col_data = cells$col_data, min_cells = 1)
  expect_match(attr(scores, "words"), "at least 1 cell,", fixed = TRUE)
})
