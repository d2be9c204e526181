test_that("names of the user's give way, and stay different", {
  expect_identical(own_names(c("a", "seen", "b"), c("seen", "x")), c("a", "own_seen", "b"))
  expect_identical(own_names(c("seen", "own_seen"), "seen"), c("own_own_seen", "own_seen"))
  expect_identical(own_names(c("x", "x"), "x"), c("own_x", "own_own_x"))
  expect_identical(own_names(character(), "x"), character())
  table <- beside_own(data.frame(seen = 1:2, y = 3:4), list(seen = c("a", "b"), z = 5:6))
  expect_identical(as.list(table), list(own_seen = 1:2, y = 3:4, seen = c("a", "b"), z = 5:6))
  none <- beside_own(data.frame(row.names = integer()), list(z = character()))
  expect_identical(dim(none), c(0L, 1L))
})

# The small screen with its covariate as `method` and its perturbation as `seen`, and a fit on it.
renamed <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      cells <- small_cells()
      table <- cells$col_data
      names(table)[match(c("condition", "cell_type"), names(table))] <- c("seen", "method")
      fit <- suppressWarnings(cpa(cells$x, "seen", control = "control", covariates = "method",
                                  split = "split", col_data = table, settings = quick_settings()))
      made <<- list(fit = fit, x = cells$x, table = table)
    }
    made
  }
})

test_that("columns that are called as those of scores cost no fit and no scores", {
  it <- renamed()
  plain <- small_fit()
  expect_equal(it$fit$meta$test_scores, plain$meta$test_scores)
  scores <- function(fit, table) evaluate_r2(fit, small_cells()$x, col_data = table, seed = 1)
  own <- scores(it$fit, it$table)
  other <- scores(plain, small_cells()$col_data)
  expect_identical(names(own)[1:6], c("own_method", "own_seen", "dose", "method", "split", "seen"))
  expect_equal(unname(as.list(own)), unname(as.list(other)))
  expect_equal(summary(own), summary(other))
  expect_identical(capture.output(print(own))[1:9], capture.output(print(other))[1:9])
  compared <- compare_r2(a = own, b = own, by = "own_method")
  expect_equal(compared$mean, compare_r2(a = other, b = other, by = "cell_type")$mean)
  skip_without_package("ggplot2")
  expect_identical(plot_r2(own)$data, plot_r2(other)$data)
})

test_that("so it is in the other tables of conditions, without rows as well", {
  it <- renamed()
  none <- evaluate_r2(it$fit, it$x, col_data = it$table, min_cells = 1e6)
  some <- evaluate_r2(it$fit, it$x, col_data = it$table)
  expect_identical(names(none), names(some))
  cells <- evaluate_cells(it$fit, it$x, col_data = it$table)
  expect_identical(names(cells)[1:4], c("method", "own_seen", "dose", "split"))
  expect_identical(names(evaluate_cells(it$fit, it$x, col_data = it$table, min_cells = 1e6)),
                   names(cells))
  effects <- evaluate_effects(it$fit, it$x, col_data = it$table)
  expect_identical(names(effects)[1:4], c("own_method", "own_seen", "dose", "method"))
  r2 <- r2_matrix(it$fit, it$x, col_data = it$table)
  expect_identical(rownames(r2), c("B", "CD14+Mono", "NK"))
  asked <- condition(seen = "IFNb", method = c("B", "NK"))
  far <- prediction_uncertainty(it$fit, asked, min_cells = 1)
  expect_identical(names(far)[1:5], c("method", "own_seen", "dose", "seen", "cosine"))
  expect_identical(far$own_seen, c("IFNb", "IFNb"))
  trip <- cycle_uncertainty(it$fit, it$x, asked, col_data = it$table, n_cells = 5)
  expect_identical(names(trip)[1:5], c("method", "own_seen", "dose", "seen", "direction"))
  skip_without_package("ggplot2")
  expect_s3_class(plot_uncertainty(far), "ggplot")
})

test_that("descriptions of predictions keep the cells' own columns", {
  it <- renamed()
  answer <- predict(it$fit, it$x, condition(seen = "IFNb", method = "B"), col_data = it$table)
  about <- attr(answer, "col_data")
  expect_identical(unique(about$own_seen), "control")
  expect_identical(unique(about$seen), "drug new to covariate")
  again <- attr(reconstruct(it$fit, it$x, col_data = it$table), "col_data")
  expect_identical(again$own_seen, it$table$seen)
  expect_true(all(again$seen %in% seen_levels))
  twice <- it$table
  twice$.r2 <- "mine"
  more <- augment(it$fit, it$x, col_data = twice)
  expect_identical(unique(more$own_.r2), "mine")
  expect_true(is.numeric(more$.r2))
})

test_that("covariates that are called as columns of responses and of the fit's conditions", {
  cells <- small_cells()
  table <- cells$col_data[c("condition", "cell_type", "split")]
  names(table)[names(table) == "cell_type"] <- "dose"
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control", covariates = "dose",
                              split = "split", col_data = table, settings = quick_settings()))
  curve <- dose_response(fit, cells$x, space = "genes", dose = c(0, 1), col_data = table)
  plain <- dose_response(small_fit(), cells$x, space = "genes", dose = c(0, 1),
                         col_data = cells$col_data)
  expect_identical(names(curve)[1:4], c("own_dose", "perturbation", "dose", "n_cells"))
  expect_equal(unname(as.list(curve)), unname(as.list(plain)))
  points <- observed_response(fit, cells$x, col_data = table)
  expect_identical(names(points)[1:4], c("own_dose", "perturbation", "dose", "seen"))
  what <- condition(condition = "IFNb", own_dose = "B")
  expect_identical(attr(predict(fit, cells$x, what, col_data = table), "col_data")$cpa_dose[1], "B")
  expect_identical(names(summary(fit)$conditions)[1], "dose")
  skip_without_package("ggplot2")
  expect_s3_class(plot_dose_response(curve, observed = points), "ggplot")
})

test_that("a covariate that is called perturbation is not the perturbation", {
  cells <- small_cells()
  table <- cells$col_data
  names(table)[names(table) == "cell_type"] <- "perturbation"
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control",
                              covariates = "perturbation", split = "split", col_data = table,
                              settings = quick_settings(1)))
  expect_identical(as_composition(fit, "perturbation"), list(perturbation = TRUE, without = 0L))
  expect_identical(as_composition(fit, "own_perturbation"),
                   list(perturbation = FALSE, without = integer()))
  labels <- disentanglement(fit, cells$x, split = NULL, classifier = "knn", col_data = table)$label
  expect_identical(labels, c("perturbation", "own_perturbation"))
})
