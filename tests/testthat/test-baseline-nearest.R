# Drugs A and B and the pair A+B under K562, C under A549 alone; N and M have no cells. What
# gene 1 gains is `effect`.
nearest_cells <- function() {
  one <- data.frame(
    drug = c("control", "A", "A", "B", "B", "A+B", "control", "C"),
    dose = c("0", "1", "10", "1", "30", "1+1", "0", "1"),
    effect = c(0, 1, 4, 2, 9, 5, 0, 7),
    cell_type = rep(c("K562", "A549"), c(6, 2))
  )
  one <- one[rep(seq_len(nrow(one)), each = 3), ]
  one$split <- "train"
  x <- rbind(5 + one$effect + c(-0.5, 0, 0.5), 1, 2 + c(0.1, 0, 0))
  dimnames(x) <- list(paste0("g", 1:3), paste0("c", seq_len(ncol(x))))
  rownames(one) <- colnames(x)
  list(x = x, col_data = one)
}

near_molecules <- rbind(A = c(1, 0), B = c(0, 1), C = c(1, 1), N = c(3, 1), M = c(-1, -1))

nearest_fit <- function(molecules = near_molecules, cells = nearest_cells(), ..., method = "nearest") {
  suppressWarnings(baseline_fit(cells$x, "drug", method = method, dose = "dose", covariates = "cell_type",
                                control = "control", split = "split", molecules = molecules,
                                col_data = cells$col_data, ...))
}

# What is added to gene 1 of one condition, and whose effect it is.
nearest_of <- function(what, fit = nearest_fit(), cells = nearest_cells()) {
  answer <- suppressWarnings(predict(fit, cells$x, what, summarise = "condition", col_data = cells$col_data))
  about <- attr(answer, "col_data")
  list(shift = unname(answer[1, ] - 5), nearest = about$nearest, similarity = about$similarity)
}

test_that("a drug without cells has the effect of the most similar molecule at the nearest dose", {
  k562 <- function(drug, dose) condition(drug = drug, dose = dose, cell_type = "K562")
  low <- nearest_of(k562("N", 2))
  expect_equal(low$shift, 1)
  expect_identical(low$nearest, "A@1")
  expect_equal(low$similarity, 3 / sqrt(10))
  expect_equal(nearest_of(k562("N", 5))$shift, 4)
  # C is more similar, and has cells under the other covariates only.
  expect_identical(nearest_of(condition(drug = "N", dose = 2, cell_type = "A549"))$nearest, "C@1")
  # Of equally similar ones the mean, at the dose that is the nearest of theirs.
  both <- nearest_of(k562("M", c(1, 30)))
  expect_equal(both$shift, c(mean(c(1, 2)), 9))
  expect_identical(both$nearest, c("A@1, B@1", "B@30"))
  expect_equal(both$similarity, rep(-sqrt(0.5), 2))
})

test_that("the own effect is left out at all doses, but for parts of a combination", {
  own <- nearest_of(condition(drug = "A", dose = c(1, 10), cell_type = "K562"))
  expect_identical(own$nearest, c("B@1", "B@30"))
  expect_equal(own$similarity, c(0, 0))
  pair <- nearest_of(condition(drug = "A+N", dose = list(c(10, 1)), cell_type = "K562"))
  expect_identical(pair$nearest, "A@10 and A@1")
  expect_equal(pair$shift, 4 + 1)
  expect_equal(pair$similarity, 3 / sqrt(10))
  expect_equal(nearest_of(condition(drug = "A+B", dose = list(c(1, 1)), cell_type = "K562"))$shift, 1 + 2)
  expect_refused(interaction_table(nearest_fit(), nearest_cells()$x), "effects add up by definition")
})

test_that("cells say it one by one, and open covariates all of them", {
  cells <- nearest_cells()
  open <- nearest_of(condition(drug = "N", dose = 1))
  expect_identical(open$nearest, "A@1; C@1")
  expect_equal(open$similarity, 4 / sqrt(20), tolerance = 1e-6)
  one <- predict(nearest_fit(), cells$x, condition(drug = "N", dose = 1), col_data = cells$col_data)
  about <- attr(one, "col_data")
  expect_identical(about$nearest, rep(c("A@1", "C@1"), each = 3))
  expect_equal(unname(one[1, ] - cells$x[1, about$cpa_cell]), rep(c(1, 7), each = 3))
  cells$col_data$nearest <- "mine"
  about <- attr(predict(nearest_fit(), cells$x, condition(drug = "N", dose = 1), col_data = cells$col_data),
                "col_data")
  expect_identical(unique(about$own_nearest), "mine")
  expect_null(nearest_of(condition("A", dose = 1, cell_type = "K562"), nearest_fit(method = "mean"))$nearest)
})

test_that("what has no molecule to compare is told", {
  k562 <- function(drug) condition(drug = drug, dose = 1, cell_type = "K562")
  knockout <- near_molecules
  knockout["A", ] <- NA
  expect_refused(nearest_of(k562("A"), nearest_fit(knockout)), "\"A@1, K562\": no molecule of \"A\" to compare")
  # It has cells of its own for a combination.
  expect_equal(nearest_of(condition("A+B", dose = list(c(1, 1)), cell_type = "K562"), nearest_fit(knockout))$shift,
               1 + 2)
  expect_identical(nearest_of(k562("N"), nearest_fit(knockout))$nearest, "B@1")
  expect_refused(nearest_of(condition("C", dose = 1, cell_type = "A549")),
                 "no training cells of another perturbation under the same covariates")
  expect_refused(nearest_of(k562("P")), "\"P\" was neither given as a molecule.*baseline_fit\\(..., molecules = \\)")
})

test_that("molecules are asked for, and read as chemcpa() reads them", {
  expect_refused(nearest_fit(NULL), "`molecules` must say what the perturbations are.*other methods need none")
  expect_refused(nearest_fit(near_molecules["A", , drop = FALSE]), "must have an entry for every perturbation.*\"B\"")
  expect_refused(nearest_fit(list(1)), "`molecules` must be a matrix of finite numbers")
  cells <- nearest_cells()
  fit <- function(molecules) {
    baseline_fit(cells$x, "drug", method = "nearest", dose = "dose", control = "control", split = "split",
                 molecules = molecules, col_data = cells$col_data)
  }
  expect_warning(expect_warning(fit(near_molecules * 100), class = "compert_unscaled_features"))
  expect_warning(expect_warning(fit(rbind(A = 1:2, B = 1:2, C = 2:1)), class = "compert_same_molecules"))
  one <- nearest_fit()
  expect_match(paste(format(one), collapse = "\n"), "2 features each.*effect of the most similar molecule")
  file <- withr::local_tempfile()
  save_fit(one, file)
  expect_identical(load_fit(file), one)
})

test_that("SMILES and the column of the cells that holds them are features too", {
  skip_without(core_has_rdkit(), "RDKit")
  smiles <- c(A = "CCO", B = "c1ccccc1", C = "CCCO", N = "CCCCO")
  cells <- nearest_cells()
  expect_identical(nearest_of(condition("N", dose = 1, cell_type = "K562"), nearest_fit(smiles))$nearest, "A@1")
  cells$col_data$smiles <- smiles[cells$col_data$drug]
  of_cells <- nearest_fit("smiles", cells)
  expect_identical(of_cells$learned$molecules["A", ], nearest_fit(smiles)$learned$molecules["A", ])
  graph <- suppressWarnings(chemcpa(
    cells$x, "drug", dose = "dose", covariates = "cell_type", control = "control", split = "split",
    molecules = smiles, molecule_encoder = "graph", col_data = cells$col_data,
    settings = chemcpa_settings(epochs = 1, seed = 1, verbose = FALSE, threads = 1)
  ))
  expect_refused(evaluate_r2(graph, cells$x, split = "train", min_cells = 1, baselines = "nearest",
                             col_data = cells$col_data), "must know the features of molecules.*reads their graphs")
})

test_that("beside a fit it takes the molecules of the fit, and the note says which", {
  cells <- nearest_cells()
  cells$col_data$split[cells$col_data$drug == "A"] <- "ood"
  fit <- suppressWarnings(chemcpa(
    cells$x, "drug", dose = "dose", covariates = "cell_type", control = "control", split = "split",
    molecules = rbind(near_molecules, G = NA), col_data = cells$col_data,
    settings = chemcpa_settings(epochs = 1, seed = 1, verbose = FALSE, threads = 1)
  ))
  expect_equal(molecules_of_fit(fit), nearest_fit(rbind(near_molecules, G = NA))$learned$molecules)
  score <- function(verb, fit, ...) {
    verb(fit, cells$x, split = "ood", min_cells = 1, col_data = cells$col_data, ...)
  }
  for (verb in list(evaluate_r2, evaluate_effects)) {
    table <- score(verb, fit, baselines = c("control", "nearest"))
    own <- table[table$method == "nearest", ]
    expect_identical(own$note, paste0("the effect of B@", c(1, 30), ", similarity 0.00"))
    expect_true(all(is.na(table$note[table$method != "nearest"])))
    scores <- intersect(c("r2_mean", "r2_lfc", "r2_mean_deg", "r2_logfold_deg", "sign_deg"), names(own))
    expect_true(all(is.finite(own[[scores[1]]])))
    alone <- score(verb, nearest_fit(cells = cells), baselines = FALSE)
    expect_identical(alone[scores], own[scores])
    expect_identical(alone$note, own$note)
  }
  plain <- nearest_fit(NULL, method = "mean")
  expect_refused(score(evaluate_r2, plain, baselines = "nearest"),
                 "must know the features of molecules.*made without `molecules`.*compare_r2")
})

test_that("similarities are told as they are asked for, and each molecule is like itself", {
  molecules <- rbind(A = c(1, 0), B = c(2, 2), C = c(0, 0), D = c(NA, NA), E = c(-3, 0.5))
  groups <- list(n = 6L, parts = list("A", "B", "C", "D", c("A", "E"), "E"), place = c("x", "x", "x", "y", "y", "y"),
                 molecules = molecules[5:1, ])
  near <- similar_singles(list(single = list(1L, 2:3, 4L, 6L)), groups)
  expect_identical(near$here, list(1:3, c(4L, 6L)))
  all <- similarity(molecules)
  diag(all) <- 1
  of <- match(c("E", "B", "C", "D"), near$names)
  expect_equal(similarity_to(near, near$here[[1L]], of), all[c("A", "B", "C"), c("E", "B", "C", "D")],
               ignore_attr = TRUE)
  expect_equal(similarity_to(near, near$here[[2L]], of[1]), all[c("D", "E"), "E", drop = FALSE], ignore_attr = TRUE)
})
