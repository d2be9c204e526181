test_that("the registry is sorted in C order, with the control among the perturbations", {
  cells <- toy_cells()
  cells$cell_type[1:4] <- "b"
  registry <- new_registry(toy_screen(cells = cells, batch = "donor"))
  expect_identical(registry$perturbations, c("A", "B", "control"))
  expect_identical(registry$covariates,
                   list(cell_type = c("NK", "T", "b"), donor = c("d1", "d2")))
  expect_identical(registry$batch, "donor")
  expect_identical(registry$n_slots, 2L)
  expect_identical(registry$dose_range$A, c(0.5, 0.5))
  expect_identical(registry$genes, paste0("gene", 1:12))
})

test_that("levels that are numbers are in their order, in tables of screens and responses too", {
  cells <- toy_cells()
  cells$donor <- rep(c(10, 2, 1), length.out = nrow(cells))
  expect_identical(new_registry(toy_screen(cells = cells, batch = "donor"))$covariates$donor, c("1", "2", "10"))
  x <- small_cells()
  x$col_data$day <- rep(c(10, 2), length.out = ncol(x$x))
  days <- function(table) unique(table$day)
  looked <- check_screen(x$x, "condition", control = "control", covariates = "day", col_data = x$col_data)
  expect_identical(looked$design$day, c("2", "10", "2", "10"))
  fit <- cpa(x$x, "condition", control = "control", covariates = "day", split = "split", col_data = x$col_data,
             settings = quick_settings(1))
  expect_identical(rownames(covariate_embedding(fit, "day")), c("2", "10"))
  table <- dose_response(fit, x$x, space = "genes", genes = rownames(x$x)[1], n_points = 2, col_data = x$col_data)
  expect_identical(days(table), c("2", "10"))
  expect_identical(days(evaluate_r2(fit, x$x, col_data = x$col_data, min_cells = 2)), c("2", "10"))
  expect_identical(days(rank_degs(x$x, "condition", covariates = "day", control = "control", col_data = x$col_data)),
                   c("2", "10"))
  expect_identical(days(observed_response(fit, x$x, genes = rownames(x$x)[1], col_data = x$col_data)), c("2", "10"))
  expect_identical(days(summary(fit)$conditions), c("2", "10"))
})

test_that("a design has one column per cell, empty slots are -1 with dose 0", {
  screen <- toy_screen()
  registry <- new_registry(screen, list(transform = "none"))
  design <- encode_screen(registry, screen)
  expect_identical(design$perturbation[, 1:4], cbind(c(2L, -1L), c(0L, -1L), c(1L, -1L), 0:1))
  expect_identical(design$dose[, 1:4], cbind(c(1, 0), c(0.5, 0), c(2, 0), c(0.5, 2)))
  expect_identical(design$covariates[1, ], ifelse(screen$covariates$cell_type == "T", 1L, 0L))
  direct <- encode_design(registry, screen$parts, screen$doses, screen$covariates)
  expect_identical(design, direct)
})

test_that("the model sees doses as shares of each perturbation's largest training dose", {
  screen <- toy_screen()
  registry <- new_registry(screen)
  expect_identical(registry$dose_scale, c(0.5, 2, 1))
  expect_identical(encode_screen(registry, screen)$dose[, 2:4], cbind(c(1, 0), c(1, 0), c(1, 1)))
  expect_identical(scaled_dose(registry, 1L, 1), 2)
  expect_identical(scaled_dose(list(), 1L, 3), 3)
})

test_that("the sizes that the codes run over travel with the design", {
  screen <- toy_screen(batch = "donor")
  design <- encode_screen(new_registry(screen), screen)
  expect_identical(design[c("n_perturbations", "covariate_levels", "batch_covariate")],
                   list(n_perturbations = 3L, covariate_levels = c(2L, 2L), batch_covariate = 1L))
  screen <- toy_screen(covariates = NULL)
  design <- encode_screen(new_registry(screen), screen)
  expect_identical(design[c("covariate_levels", "batch_covariate")],
                   list(covariate_levels = integer(), batch_covariate = -1L))
})

test_that("drugs and doses permuted together give the same design", {
  registry <- new_registry(toy_screen())
  a <- encode_design(registry, list(c("A", "B")), list(c(1, 2)))
  b <- encode_design(registry, list(c("B", "A")), list(c(2, 1)))
  expect_identical(a, b)
})

test_that("longer combinations get more slots; NA doses are 1; no covariates give no rows", {
  cells <- toy_cells()
  cells$drug[4] <- "C"
  cells$dose[4] <- "1"
  screen <- toy_screen(cells = cells, covariates = NULL)
  registry <- new_registry(screen, list(transform = "none"))
  design <- encode_design(registry, list(c("A", "B", "C")), list(c(1, NA, 3)))
  expect_identical(design$perturbation, matrix(0:2))
  expect_identical(design$dose, matrix(c(1, 1, 3)))
  expect_identical(dim(design$covariates), c(0L, 1L))
})

test_that("unknown names list what is near and what is known", {
  registry <- new_registry(toy_screen())
  expect_refused(encode_design(registry, list("Aa"), list(1)),
                 "\"Aa\" was never perturbed.*Did you mean \"A\".*Known: \"A\", \"B\"")
  expect_error(encode_design(registry, list("Q"), list(1)), class = "compert_unknown_perturbation")
  expect_refused(encode_design(registry, list("A"), list(1), list(cell_type = "NK2")),
                 "\"NK2\" was not in training.*Did you mean \"NK\"")
})

test_that("who asks for a new drug or level is told how a fit gets to know it", {
  registry <- new_registry(toy_screen())
  ask <- function(kind = NULL, part = "New") {
    registry$n_features <- if (is.null(kind)) 0L else 3L
    registry$feature_kind <- kind
    encode_design(registry, list(part), list(rep(1, length(part))))
  }
  expect_refused(ask(), "training screen.*`chemcpa\\(\\)` predicts drugs without cells.*`fine_tune\\(\\)`")
  by_smiles <- "by cells or by molecules.*neither given as a molecule nor perturbed.*c\\(\"New\" = \"...\"\\)"
  expect_refused(ask("rdkit"), by_smiles)
  expect_refused(ask("graph", c("A", "New")), "\"New\" \\(in \"A\\+New\"\\) was neither.*add_molecules")
  expect_refused(ask("matrix"), "add_molecules\\(fit, x\\), with a row \"New\"")
  expect_refused(encode_design(registry, list("A"), list(1), list(cell_type = "X")),
                 "add_levels\\(fit, list\\(cell_type = \"X\"\\)\\) .*`fine_tune")
})

test_that("a name that was split at the separator that it holds is told how to be asked for", {
  screen <- toy_screen()
  registry <- new_registry(screen, further = c("(+)-JQ1", "A+B+"))
  keys <- toy_keys()
  expect_refused(resolve_conditions(condition(drug = "(+)-JQ1"), registry, keys),
                 "\"\\(\\+\\)-JQ1\" holds the separator.*condition\\(list\\(\"\\(\\+\\)-JQ1\"\\)\\)")
  whole <- resolve_conditions(condition(drug = list("(+)-JQ1")), registry, keys)
  expect_identical(whole$parts, list("(+)-JQ1"))
  other <- error_parts(encode_design(registry, list(c("A", "Z")), list(c(1, 1))))
  expect_no_match(other$todo, "separator")

  x <- toy_log()
  cells <- toy_cells()
  cells$drug[cells$drug == "B"] <- "(+)-JQ1"
  features <- rbind(A = 1:2, B = 3:4, "(+)-JQ1" = 2:1)
  fit <- function(sep) {
    cpa(x, "drug", control = "control", col_data = cells, molecules = features, sep = sep,
        settings = cpa_settings(epochs = 1, seed = 1, verbose = FALSE, dim = 4, autoencoder_width = 8,
                                threads = 1, device = "cpu"))
  }
  expect_warning(expect_refused(fit("+"), "\"\\(\\+\\)-JQ1\" was split at \"\\+\": write sep = NULL"),
                 "cut out of longer names")
  cells$drug[cells$drug == "A+B"] <- "A"
  expect_true("(+)-JQ1" %in% fit(NULL)$meta$registry$perturbations)
})

test_that("ranges of doses are those of training cells; shares are of all cells", {
  cells <- toy_cells()
  cells$dose[cells$drug == "A"] <- rep(c("0.5", "5"), length.out = 15)
  cells$split <- ifelse(cells$dose == "5" | cells$drug == "B", "ood", "train")
  cells$drug[cells$drug == "A+B"] <- "A"
  cells$dose[cells$dose == "0.5+2"] <- "0.5"
  registry <- new_registry(toy_screen(cells = cells, split = "split"))
  expect_identical(registry$dose_range, list(A = c(0.5, 0.5), B = c(NA_real_, NA_real_), control = c(1, 1)))
  expect_identical(registry$dose_scale, c(5, 2, 1))
  cells$split[cells$drug == "control"] <- "test"
  registry <- new_registry(toy_screen(cells = cells, split = "split"))
  expect_identical(registry$dose_range$control, c(1, 1))
})
