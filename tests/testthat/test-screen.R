test_that("a screen holds what the contract of its readers says", {
  screen <- toy_screen(batch = "donor")
  expect_identical(screen$parts[[4]], c("A", "B"))
  expect_identical(screen$doses[[4]], c(0.5, 2))
  expect_identical(which(screen$control), seq(1L, 60L, 4L))
  expect_identical(names(screen$covariates), c("cell_type", "donor"))
  expect_true(is.character(screen$covariates$donor))
  expect_null(screen$split)
  expect_identical(screen$keys$loss, "gauss")
  expect_output(print(screen), "12 genes x 60 cells from matrix.*3 perturbations, 15 control cells")
})

test_that("cells for a prediction need no perturbation column, split, dose or control", {
  bare <- toy_cells()["cell_type"]
  start <- as_screen(toy_log(), toy_keys(split = "split", batch = "donor"), bare,
                     need = "covariates")
  expect_true(all(start$control))
  expect_identical(unique(start$parts), list("control"))
  treated <- toy_cells()[toy_cells()$drug != "control", ]
  x <- toy_log()[, rownames(treated)]
  expect_refused(as_screen(x, toy_keys(), treated), "`control` must be a name")
  some <- as_screen(x, toy_keys(), treated, need = c("perturbation", "dose", "covariates"))
  expect_false(any(some$control))
})

test_that("without a dose column controls have their dose of training, others none", {
  cells <- toy_cells()
  cells$dose[cells$drug == "control"] <- "0"
  keys <- toy_screen(cells = cells)$keys
  expect_identical(keys$control_dose, 0)
  need <- c("covariates", "batch")
  start <- as_screen(toy_log(), keys, cells["cell_type"], need = need)
  expect_identical(unique(start$doses), list(0))
  controls <- cells[cells$drug == "control", c("drug", "cell_type")]
  named <- as_screen(toy_log()[, rownames(controls)], keys, controls, need = need)
  expect_identical(unique(named$doses), list(0))
  expect_refused(as_screen(toy_log(), keys, cells[c("drug", "cell_type")], need = need),
                 "`dose` must name a column.*no column \"dose\"")
})

test_that("several defects are one error that names all of them", {
  cells <- toy_cells()
  cells$dose[2] <- "-1"
  cells$dose[8] <- "1"
  cells$cell_type[3] <- NA
  x <- toy_log()
  x[2, 5] <- Inf
  parts <- expect_refused(toy_screen(cells = cells, x = x), "it has 4")
  expect_length(parts$given, 4)
  expect_match(paste(parts$given, collapse = " "), "one value per perturbation.*0 or greater")
})

test_that("any characters are allowed in names of columns and levels", {
  cells <- toy_cells()
  names(cells) <- c("drug used (1)", "dose/uM", "cell type", "donor")
  cells[["drug used (1)"]] <- sub("^A$", "{A_1} 'x'", cells[["drug used (1)"]])
  cells[["drug used (1)"]] <- sub("^A[+]B$", "B|{A_1} 'x'", cells[["drug used (1)"]])
  cells[["dose/uM"]] <- sub("0.5+2", "2|0.5", cells[["dose/uM"]], fixed = TRUE)
  screen <- as_screen(toy_log(), new_keys("drug used (1)", dose = "dose/uM",
                                          covariates = "cell type", control = "control",
                                          sep = "|"), cells)
  expect_identical(screen$parts[[4]], c("B", "{A_1} 'x'"))
  expect_identical(screen$doses[[4]], c(2, 0.5))
})

test_that("every gene has a name", {
  x <- toy_log()
  rownames(x)[c(2, 5, 7)] <- c(NA, "", NA)
  defects <- name_defects(list(x = x, container = "matrix"))
  expect_identical(defects$check, "genes without a name")
  expect_match(defects$given, "Row 2 \\(and 2 more genes\\) has none")
})
