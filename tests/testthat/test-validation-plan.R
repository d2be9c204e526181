plan_toy <- function(assign, ..., cells = toy_cells(160), covariates = "cell_type",
                     batch = NULL) {
  cells$part <- assign(cells)
  screen <- toy_screen(cells = cells, split = "part", covariates = covariates, batch = batch)
  registry <- new_registry(screen)
  list(screen = screen, registry = registry, cells = cells,
       plan = new_plan(screen, registry, ...))
}
half <- function(cells) rep(rep(c("train", "test"), each = 8), length.out = nrow(cells))

test_that("conditions of the test cells are scored, from test controls of the same covariates", {
  p <- plan_toy(half)
  conditions <- p$plan$conditions
  expect_length(conditions$perturbation, 6)
  expect_identical(lengths(p$plan$truth), rep(10L, 6))
  for (k in seq_len(6)) {
    truth <- p$cells[p$plan$truth[[k]] + 1, ]
    source <- p$cells[p$plan$source[[k]] + 1, ]
    expect_true(all(truth$part == "test") && all(source$part == "test"))
    expect_true(all(source$drug == "control"))
    expect_identical(unique(source$cell_type), conditions$covariates$cell_type[k])
    expect_identical(unique(truth$cell_type), conditions$covariates$cell_type[k])
    expect_identical(unique(truth$drug), paste(conditions$perturbation[[k]], collapse = "+"))
  }
  expect_identical(p$plan$target$covariates[1, ],
                   match(conditions$covariates$cell_type, p$registry$covariates$cell_type) - 1L)
})

test_that("too few test controls: those of training; held-out cells are never a source", {
  few <- function(cells) {
    part <- half(cells)
    part[cells$drug == "control"] <- "train"
    part[which(cells$drug == "control")[1:4]] <- "test"
    part[cells$drug == "B" & cells$cell_type == "NK"] <- "ood"
    part[which(cells$drug == "control" & cells$cell_type == "NK")[5:9]] <- "ood"
    part
  }
  p <- plan_toy(few)
  sources <- lapply(p$plan$source, function(i) unique(p$cells$part[i + 1]))
  expect_identical(unique(unlist(sources)), "train")
  in_nk <- p$plan$conditions$perturbation[p$plan$conditions$covariates$cell_type == "NK"]
  expect_identical(in_nk, list("A", c("A", "B")))
})

test_that("a covariate without controls is predicted from the others", {
  cells <- toy_cells(160)
  cells$drug[cells$cell_type == "NK" & cells$drug == "control"] <- "A"
  cells$dose[cells$cell_type == "NK" & cells$drug == "A"] <- "0.5"
  p <- plan_toy(half, cells = cells)
  sources <- lapply(p$plan$source, function(i) unique(cells$cell_type[i + 1]))
  expect_setequal(p$plan$conditions$covariates$cell_type, c("NK", "T"))
  expect_identical(unique(sources), list("T"))
})

test_that("too few cells are nothing to score", {
  expect_null(plan_toy(half, min_cells = 11)$plan)
  expect_null(plan_toy(function(cells) "train")$plan)
})

test_that("covariates may be called as columns of the plan", {
  plain <- plan_toy(half)
  for (name in c("dose", "perturbation", "n_cells", "split", "matched")) {
    cells <- toy_cells(160)
    names(cells)[names(cells) == "dose"] <- "amount"
    names(cells)[names(cells) == "cell_type"] <- name
    cells$part <- half(cells)
    screen <- toy_screen(cells = cells, split = "part", covariates = name, dose = "amount")
    plan <- new_plan(screen, new_registry(screen))
    expect_identical(plan$conditions$covariates[[name]], plain$plan$conditions$covariates$cell_type)
    shared <- setdiff(names(plan), "conditions")
    expect_identical(plan[shared], plain$plan[shared])
    expect_identical(deg_targets(screen), deg_targets(plain$screen))
  }
})

test_that("the batch is no part of a condition: cells keep their own", {
  p <- plan_toy(half, batch = "donor")
  expect_length(p$plan$truth, 6)
  expect_identical(p$plan$target$covariates[2, ], rep(-1L, 6))
})

test_that("DEGs come from cells that are not held out, best first", {
  cells <- toy_cells(160)
  x <- toy_log(160)
  x["gene7", cells$drug == "A"] <- x["gene7", cells$drug == "A"] + 5
  ood <- rep(c(FALSE, TRUE), each = 80) & cells$drug == "A"
  x["gene9", ood] <- x["gene9", ood] + 50
  cells$part <- ifelse(ood, "ood", rep(rep(c("train", "test"), each = 8), 10))
  screen <- toy_screen(cells = cells, x = x, split = "part")
  plan <- new_plan(screen, new_registry(screen), n_degs = 3)
  is_a <- vapply(plan$conditions$perturbation, identical, NA, "A")
  best <- lapply(plan$degs[is_a], function(g) rownames(x)[g[1] + 1])
  expect_identical(unique(unlist(best)), "gene7")
  expect_true(all(lengths(plan$degs) == 3))
  expect_false("gene9" %in% rownames(x)[unlist(plan$degs[is_a]) + 1])
})

test_that("a subset of a screen is the screen of the subset", {
  screen <- toy_screen(batch = "donor")
  some <- c(3, 9, 40)
  expect_equal(subset_screen(screen, some)[c("x", "parts", "doses", "control")],
               toy_screen(cells = toy_cells()[some, ], x = toy_log()[, some], batch = "donor",
                          control = "control", loss = "gauss")[c("x", "parts", "doses", "control")])
})

test_that("own differentially expressed genes are scored during training", {
  cells <- small_cells()
  own <- list(IFNb = rownames(cells$x)[c(7, 3, 3)], "NK, IFNb" = c(rownames(cells$x)[9], "no gene"))
  fit <- suppressWarnings(cpa(cells$x, "condition", control = "control", covariates = "cell_type",
                              split = "split", col_data = cells$col_data, degs = own,
                              settings = quick_settings(1)))
  expect_setequal(unique(fit$meta$degs$genes),
                  list(rownames(cells$x)[9], rownames(cells$x)[c(3, 7)]))
  longer <- suppressWarnings(resume_fit(fit, cells$x, 1, col_data = cells$col_data, verbose = FALSE))
  expect_equal(longer$meta$degs, fit$meta$degs)
  fit_with <- function(degs) {
    cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
        col_data = cells$col_data, degs = degs, settings = quick_settings(1))
  }
  expect_refused(fit_with(c("A", "B")), "`degs` must be a named list")
  expect_refused(fit_with(list(IFNb = "a", B = factor("b"))), "`degs` must be a named list.*\"B\" is")
  expect_refused(fit_with(list(ifnb = "g")), "No condition is called \"ifnb\".*mean \"IFNb\"")
  expect_refused(fit_with(list(IFNb = "no gene")), "None of those of \"IFNb\" is one: \"no gene\"")
})
