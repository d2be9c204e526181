check_toy <- function(cells = toy_cells(), x = toy_log(nrow(cells)), ..., control = "control") {
  check_screen(x, "drug", dose = "dose", covariates = "cell_type", control = control,
               col_data = cells, ...)
}

test_that("a sound screen has no defects and its design is counted", {
  check <- check_toy()
  expect_s3_class(check, "compert_check")
  expect_identical(check$defects$check, character())
  expect_identical(names(check$design), c("cell_type", "drug", "dose", "n_cells", "n_control"))
  expect_identical(sum(check$design$n_cells), 60L)
  expect_identical(nrow(check$design), 8L)
  expect_identical(check$design$drug[1], "control")
  expect_identical(check$loss, "gauss")
  cells <- toy_cells()
  cells$part <- rep(c("train", "train", "test", "ood", "train"), 12)
  with_split <- check_toy(cells, split = "part")$design
  expect_identical(with_split$n_train + with_split$n_test + with_split$n_ood, with_split$n_cells)
})

test_that("a screen with every defect at once reports them all in one look", {
  cells <- toy_cells(80)
  x <- toy_log(80)
  cells$dose[2] <- "x"
  cells$dose[6] <- NA
  cells$dose[3] <- "-2"
  cells$dose[4] <- "1"
  cells$cell_type[5] <- NA
  cells$drug[7] <- "b "
  cells$drug[14] <- "DMSO"
  cells$plate <- cells$drug
  cells$part <- rep(c("train", "dev"), 40)
  x[3, 9] <- NaN
  x[, 20] <- 0
  x[5, ] <- 0
  rownames(x)[2] <- "gene1"
  colnames(x)[11] <- "cell10"
  rownames(cells) <- NULL
  check <- check_screen(x, "drug", dose = "dose", covariates = c("cell_type", "plate", "lost"),
                        control = "contrl", split = "part", col_data = cells)
  found <- check$defects$check
  expected <- c("missing column", "dose is no number", "missing dose", "negative dose",
                "number of doses", "no such control", "missing covariate", "split values",
                "values not finite", "duplicated gene names", "duplicated cell names",
                "empty cells", "empty genes", "names nearly alike", "blanks around names",
                "second control", "few cells", "covariate without controls", "confounded")
  expect_identical(setdiff(expected, found), character())
  expect_identical(check$defects$severity,
                   check$defects$severity[order(match(check$defects$severity,
                                                      c("error", "warning", "note")))])
  expect_true(all(nzchar(check$defects$must) & nzchar(check$defects$given) &
                    nzchar(check$defects$todo)))
  expect_output(print(check), "no column\\s+\"lost\"")
})

test_that("odd designs are warnings, each found alone", {
  only <- function(...) check_toy(...)$defects
  cells <- toy_cells()
  cells$drug[cells$cell_type == "NK" & cells$drug == "control"] <- "A"
  cells$dose[cells$cell_type == "NK" & cells$drug == "A"] <- "0.5"
  alone <- only(cells)
  expect_identical(alone$check, c("covariate without controls", "confounded")[
    c(TRUE, "confounded" %in% alone$check)])
  expect_match(alone$given[1], "\"NK\" has none")

  cells <- toy_cells()
  cells$dose[cells$drug == "A"] <- "0"
  expect_identical(only(cells)$check, "dose 0")
  cells$dose[cells$drug == "A"] <- "5000"
  expect_identical(only(cells)$check, "large doses")
  cells <- toy_cells()
  cells$dose[1] <- "0"
  expect_identical(only(cells)[c("check", "severity")],
                   tibble::tibble(check = c("few cells", "doses of controls"),
                                  severity = c("warning", "note")))
  cells <- toy_cells()
  cells$drug[2] <- "a"
  expect_setequal(only(cells)$check, c("few cells", "names nearly alike"))
  cells <- toy_cells()
  cells$donor <- ifelse(cells$drug == "A", "d9", "d1")
  expect_identical(only(cells, batch = "donor")$check, "confounded")
  cells$donor <- paste0("d", seq_len(60))
  expect_identical(only(cells, batch = "donor")$check, "many levels")
})

test_that("names never met in training are a warning", {
  cells <- toy_cells()
  cells$part <- ifelse(cells$drug == "B" | cells$drug == "A+B", "ood", "train")
  found <- check_toy(cells, split = "part")$defects
  expect_identical(found$check, "untrained perturbation")
  expect_match(found$given, "\"B\" is not")
  cells$part <- ifelse(cells$drug == "A+B", "ood", "train")
  expect_identical(check_toy(cells, split = "part")$defects$check, character())
  cells$part <- ifelse(cells$cell_type == "NK", "ood", "train")
  expect_identical(check_toy(cells, split = "part")$defects$check, "untrained level of cell_type")
})

test_that("screens that cannot be fitted have an error each", {
  errors <- function(...) {
    d <- check_toy(...)$defects
    d$check[d$severity == "error"]
  }
  controls <- toy_cells()[toy_cells()$drug == "control", ]
  expect_identical(errors(controls, toy_log()[, rownames(controls)]), "no perturbed cells")
  expect_identical(errors(toy_cells()[1:3, ], toy_log()[, 1:3]), "too few cells")
  expect_identical(errors(x = toy_log()[1, , drop = FALSE]), "too few genes")
  cells <- toy_cells()
  cells$part <- "ood"
  expect_identical(errors(cells, split = "part"), "no training cells")
  cells$part <- ifelse(cells$drug == "control", "test", "train")
  expect_identical(check_toy(cells, split = "part")$defects$check, "no training controls")
})

test_that("counts are recognised and print says what was read", {
  check <- check_toy(x = toy_counts())
  expect_identical(check$loss, "nb")
  expect_output(print(check), "60 cells x 12 genes.*loss = \"nb\".*No defects")
})
