test_that("expected logarithms are those of draws", {
  mean <- rbind(rep(c(0, 0.02, 0.5, 6, 300), 2))
  theta <- rep(c(0.3, 5), each = 5)
  variance <- mean + mean^2 / theta
  factor <- rep(c(0.4, 3), 5)
  ours <- vapply(1:10, function(k) {
    mean_of_logs(mean[, k, drop = FALSE], variance[, k, drop = FALSE], factor[k])
  }, 0)
  exact <- vapply(1:10, function(k) {
    x <- 0:20000
    sum(log1p(factor[k] * x) * stats::dnbinom(x, size = theta[k], mu = mean[k]))
  }, 0)
  expect_lt(max(abs(ours - exact)), 2e-3)
  expect_equal(mean_of_logs(mean, variance, factor), mean(ours), tolerance = 2e-3)
  # Poisson counts.
  x <- 0:200
  expect_equal(mean_of_logs(cbind(4), cbind(4), 2), sum(log1p(2 * x) * stats::dpois(x, 4)), tolerance = 1e-3)
})

test_that("logarithms are of the genes asked for", {
  fit <- small_fit(loss = "nb")
  cells <- small_cells()
  screen <- read_newdata(fit, cells$counts, col_data = cells$col_data)
  targets <- make_targets(fit, condition_grid(condition = c("IFNb", "control"), cell_type = "NK"))
  source <- source_cells(fit, screen, targets, "matched")
  decoded <- function(genes) log_means(fit, screen, targets, source, FALSE, genes)$decoded
  expect_equal(decoded(rownames(cells$counts)[3:4])[3:4, ], decoded(NULL)[3:4, ], tolerance = 1e-4)
})

test_that("a source cell without counts stays one", {
  fit <- small_fit(loss = "nb")
  cells <- small_cells()
  targets <- make_targets(fit, condition_grid(condition = "IFNb", cell_type = "NK"))
  decoded <- function(counts, among) {
    screen <- read_newdata(fit, counts, col_data = cells$col_data)
    decoded_logs(fit, screen, targets, list(among))
  }
  controls <- which(cells$col_data$condition == "control" & cells$col_data$cell_type == "NK")[1:3]
  empty <- cells$counts
  empty[, controls[2]] <- 0
  expect_equal(decoded(empty, controls), decoded(cells$counts, controls[-2]) * 2 / 3, tolerance = 1e-3)
})

test_that("responses of counts start from so many cells at most, the same ones for every condition", {
  fit <- small_fit(loss = "nb", layer = NULL)
  cells <- small_cells()
  screen <- read_newdata(fit, cells$counts, col_data = cells$col_data)
  targets <- make_targets(fit, condition_grid(condition = c("IFNb", "control"), cell_type = "NK"))
  source <- source_cells(fit, screen, targets, "matched")
  genes <- rownames(cells$counts)
  means <- function(genes) response_means(fit, screen, targets, source, FALSE, genes, "log", "genes")
  whole <- means(genes)
  logs <- decoded_logs
  used <- NULL
  local_replaced("decoded_logs", function(fit, screen, targets, cells, genes) {
    used <<- cells
    logs(fit, screen, targets, cells, genes)
  })
  original <- some_source_cells
  local_replaced("some_source_cells", function(source, seed, most = 2000L) {
    original(source, seed, most = most / 200)
  })
  few <- means(genes)
  expect_identical(lengths(used), c(10L, 10L))
  expect_identical(used[[1]], used[[2]])
  expect_false(isTRUE(all.equal(few, whole)))
  # What is subtracted is of the same cells.
  expect_lt(max(abs(few$difference[, 2])), 1e-5)
  expect_gt(max(abs(few$difference[, 1])), 1e-3)
  expect_identical(few, means(genes))
  lengths <- means(NULL)
  expect_identical(lengths(used), c(1L, 1L))
  expect_identical(lengths$difference, few$difference)
})

test_that("a response is asked for at values of a continuous covariate", {
  data <- aged_cells()
  fit <- fit_aged(data, epochs = 20L)
  ask <- function(..., verb = dose_response) verb(fit, data$x, ..., space = "genes", col_data = data$cells)
  at <- suppressMessages(ask(perturbation = "A", dose = c(0, 1), genes = "gene10", continuous = list(age = c(25, 75))))
  expect_identical(names(at), c("cell_type", "age", "perturbation", "dose", "n_cells", "gene", "mean", "difference"))
  expect_identical(at$age, rep(c(25, 75), 2, each = 2))
  expect_identical(at$cell_type, rep(c("NK", "T"), each = 4))
  told <- function(drug, age, type, residual = NULL) {
    predict(fit, data$x, condition(drug, age = age, cell_type = type), col_data = data$cells, summarise = "condition",
            residual = residual)["gene10", 1]
  }
  of <- function(type, age) which(at$cell_type == type & at$age == age & at$dose == 1)
  for (type in c("NK", "T")) for (age in c(25, 75)) {
    expect_equal(at$mean[of(type, age)], told("A", age, type), tolerance = 1e-5)
    expect_equal(at$difference[of(type, age)], told("A", age, type) - told("control", age, type), tolerance = 1e-4)
  }
  expect_gt(abs(at$difference[of("T", 75)] - at$difference[of("T", 25)]), 0.01)
  one <- ask(perturbation = "A", dose = 1, genes = "gene10", continuous = c(age = 75), residual = FALSE)
  expect_equal(one$mean, unname(c(told("A", 75, "NK", FALSE), told("A", 75, "T", FALSE))), tolerance = 1e-5)
  expect_equal(one$difference, at$difference[c(of("NK", 75), of("T", 75))], tolerance = 1e-5)
  lengths <- ask(perturbation = "A", dose = 1, continuous = c(age = 75))
  each <- ask(perturbation = "A", dose = 1, genes = rownames(data$x), continuous = c(age = 75))
  expect_equal(lengths$norm_of_difference, unname(sqrt(tapply(each$difference^2, each$cell_type, sum)[])),
               tolerance = 1e-6, ignore_attr = TRUE)
  expect_warning(ask(perturbation = "A", dose = 1, continuous = c(age = 95)), "age = 95", class = "compert_extrapolation")
  both <- ask(perturbation = c("A", "B"), dose = list(1, 1), genes = "gene10", continuous = c(age = 75),
              verb = dose_response2d)
  pair <- told("A+B", 75, "NK") - told("control", 75, "NK")
  expect_equal(both$difference[both$cell_type == "NK"], unname(pair), tolerance = 1e-4)
})

test_that("responses of counts and at several continuous covariates have the values' rows", {
  cells <- small_cells()
  cells$col_data$age <- seq_len(ncol(cells$x)) %% 7
  cells$col_data$hours <- seq_len(ncol(cells$x)) %% 5
  fit <- cpa(cells$counts, "condition", control = "control", continuous = c("age", "hours"), split = "split",
             loss = "nb", col_data = cells$col_data, settings = quick_settings(1))
  at <- dose_response(fit, cells$counts, genes = rownames(cells$x)[1], dose = 1, col_data = cells$col_data,
                      continuous = list(hours = 2, age = c(1, 5)))
  expect_identical(as.list(at[c("hours", "age")]), list(hours = c(2, 2), age = c(1, 5)), ignore_attr = TRUE)
  none <- dose_response(fit, cells$counts, genes = rownames(cells$x)[1], dose = 1, col_data = cells$col_data,
                        perturbation = "control", continuous = c(age = 1, hours = 2))
  expect_identical(none$difference, 0)
})

test_that("values that there are not are refused", {
  data <- aged_cells(60)
  fit <- fit_aged(data)
  ask <- function(..., fit = fit_aged(data)) dose_response(fit, data$x, dose = 1, ..., col_data = data$cells)
  wrong <- "`continuous` must hold finite numbers, named by continuous covariates of the fit.*the names are \"age\""
  for (values in list(50, c(years = 50), c(age = NA), list(age = "old"), c(age = 1, age = 2), list(age = numeric()),
                      TRUE)) {
    expect_refused(ask(continuous = values, fit = fit), wrong)
  }
  expect_refused(ask(continuous = 50, fit = fit), "It is `50`, without a name for each\\.")
  expect_refused(ask(continuous = c(age = 50), space = "latent", fit = fit), "left out for `space = \"latent\"`")
  expect_refused(ask(continuous = c(age = 50), fit = fit_aged(data, continuous = NULL)), "It has none")
  simple <- baseline_fit(data$x, "drug", control = "control", covariates = "cell_type", split = "split",
                         col_data = data$cells)
  expect_refused(ask(continuous = c(age = 50), fit = simple), "It is a baseline")
})
