# Levels that training never saw: the mean of the others, everything else as it was.

ask_type <- function(fit, type, cells = small_cells(), ...) {
  predict(fit, cells$x, condition(condition = "IFNb", cell_type = type), ..., col_data = cells$col_data)
}
# The small screen, with one cell type under another name.
renamed <- function(type = "NK", to = "ILC") {
  cells <- small_cells()
  cells$col_data$cell_type[cells$col_data$cell_type == type] <- to
  cells
}

test_that("a new level has the mean of the trained ones, and all else stays to the bit", {
  fit <- small_fit()
  more <- add_levels(fit, list(cell_type = c("ILC", "pDC")))
  before <- covariate_embedding(fit, "cell_type")
  after <- covariate_embedding(more, "cell_type")
  expect_identical(after[rownames(before), ], before)
  expect_equal(unname(after["ILC", ]), unname(colMeans(before)), tolerance = 1e-6)
  expect_identical(unname(after["pDC", ]), unname(after["ILC", ]))
  expect_identical(c(ask_type(more, "B")), c(ask_type(fit, "B")))
  expect_identical(more$history, fit$history)
  once <- add_levels(add_levels(fit, list(cell_type = "ILC")), list(cell_type = "pDC"))
  expect_equal(covariate_embedding(once, "cell_type"), after)  # added ones do not count as trained
})

test_that("cells of the new level are predicted from their own controls", {
  fit <- small_fit()
  cells <- renamed()
  expect_refused(ask_type(fit, "ILC", cells),
                 "\"ILC\" was not in training.*add_levels\\(fit, list\\(cell_type = \"ILC\"")
  more <- add_levels(fit, list(cell_type = "ILC"))
  answer <- ask_type(more, "ILC", cells)
  about <- attr(answer, "col_data")
  expect_identical(unique(about$seen), "drug new to covariate")
  expect_true(all(about$cell_type == "ILC") && ncol(answer) == 40L)
  expect_true(all(is.finite(answer)))
  # By hand: the network is told the mean vector, wherever the cell's own or the new condition is meant.
  decoded <- ask_type(more, "ILC", cells, residual = FALSE, summarise = "condition")
  own <- ask_type(more, "NK", residual = FALSE, summarise = "condition")
  expect_false(isTRUE(all.equal(c(decoded), c(own))))
  scores <- evaluate_r2(more, cells$x, condition = condition(condition = "IFNb", cell_type = "ILC"), split = "test",
                        col_data = cells$col_data, seed = 1)
  expect_true(all(is.finite(scores$r2_mean)))
})

test_that("levels of several covariates, of a batch, and of numbers are added and kept in a file", {
  toy <- toy_cells()
  toy$donor <- ifelse(toy$donor == "d1", 1, 2)
  fit <- cpa(toy_log(), "drug", dose = "dose", control = "control", covariates = "cell_type", batch = "donor",
             col_data = toy, settings = quick_settings(1))
  more <- add_levels(fit, list(donor = 3, cell_type = "B"))
  path <- withr::local_tempfile(fileext = ".h5")
  save_fit(more, path)
  more <- load_fit(path)
  expect_identical(more$meta$registry$covariates, list(cell_type = c("NK", "T", "B"), donor = c("1", "2", "3")))
  new <- toy
  new$donor <- 3
  asked <- condition(drug = "A", dose = 0.5, cell_type = "T")
  expect_true(all(is.finite(predict(more, toy_log(), asked, col_data = new))))
  expect_refused(predict(fit, toy_log(), asked, col_data = new), "\"3\" was not in training")
})

test_that("levels without training cells are no part of the mean", {
  cells <- small_cells()
  cells$col_data$split[cells$col_data$cell_type == "NK"] <- "ood"
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
                              col_data = cells$col_data, settings = quick_settings(1)))
  vectors <- covariate_embedding(add_levels(fit, list(cell_type = "ILC")), "cell_type")
  expect_equal(vectors["ILC", ], colMeans(vectors[c("B", "CD14+Mono"), ]), tolerance = 1e-6)
})

test_that("other models know new levels as well, and go on from them", {
  both <- add_levels(multi_fit(), list(cell_type = "B"))
  vectors <- covariate_embedding(both, "cell_type")
  expect_equal(vectors["B", ], colMeans(vectors[c("NK", "T"), ]), tolerance = 1e-6)
  cells <- renamed()
  baseline <- suppressWarnings(scgen(small_cells()$x, "condition", control = "control", covariates = "cell_type",
                                     split = "split", col_data = small_cells()$col_data,
                                     settings = scgen_settings(epochs = 1, seed = 1, threads = 1, verbose = FALSE)))
  answer <- ask_type(add_levels(baseline, list(cell_type = "ILC")), "ILC", cells, summarise = "condition")
  expect_equal(c(answer), c(ask_type(baseline, "NK", summarise = "condition")))  # its network knows no types
  more <- add_levels(small_fit(), list(cell_type = "ILC"))
  on <- suppressWarnings(resume_fit(more, small_cells()$x, epochs = 1, col_data = small_cells()$col_data))
  expect_identical(nrow(on$history), nrow(more$history) + 1L)
  tuned <- suppressWarnings(fine_tune(more, cells$x, "condition", control = "control", covariates = "cell_type",
                                      split = "split", col_data = cells$col_data, epochs = 1, lr_factor = 0,
                                      verbose = FALSE))
  expect_equal(covariate_embedding(tuned, "cell_type")["ILC", ], covariate_embedding(more, "cell_type")["ILC", ])
})

test_that("what is no new level is refused", {
  fit <- small_fit()
  expect_refused(add_levels(fit, "ILC"), "named list of new levels.*list\\(cell_type = \"new\"\\)")
  expect_refused(add_levels(fit, list("ILC")), "named list")
  expect_refused(add_levels(fit, list(cell_typ = "ILC")), "\"cell_typ\" is none.*Did you mean \"cell_type\"")
  expect_refused(add_levels(fit, list(cell_type = c("ILC", "NK"))), "does not know.*knows \"NK\"")
  expect_refused(add_levels(fit, list(cell_type = c("ILC", "ILC"))), "\"ILC\" is there twice")
  expect_refused(add_levels(fit, list(cell_type = NA)), "must be a character vector")
  expect_refused(add_levels(fit, list(cell_type = character())), "named list")
  cells <- small_cells()
  plain <- suppressWarnings(cpa(cells$x, "condition", control = "control", col_data = cells$col_data,
                                settings = quick_settings(1)))
  expect_refused(add_levels(plain, list(cell_type = "ILC")), "must have covariates")
  ages <- cells$col_data
  ages$age <- seq_len(nrow(ages))
  aged <- suppressWarnings(cpa(cells$x, "condition", control = "control", covariates = "cell_type", continuous = "age",
                               col_data = ages, settings = quick_settings(1)))
  expect_refused(add_levels(aged, list(age = 3)), "\"age\" is continuous")
  expect_refused(add_levels(baseline_fit(cells$x, "condition", control = "control", col_data = cells$col_data),
                            list(cell_type = "ILC")), "must be a model that was trained")
})
