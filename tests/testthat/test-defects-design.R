test_that("odd designs are warnings, each found alone", {
  only <- function(...) check_toy(...)$defects
  cells <- toy_cells()
  cells$drug[cells$cell_type == "NK" & cells$drug == "control"] <- "A"
  cells$dose[cells$cell_type == "NK" & cells$drug == "A"] <- "0.5"
  alone <- only(cells)
  expect_identical(alone$check, c("covariate without controls", "confounded")[
    c(TRUE, "confounded" %in% alone$check)])
  expect_match(alone$given[1], "\"NK\" has none")
  expect_match(alone$todo[1], "evaluate_r2\\(\\) has no score, and predict\\(\\) needs")

  cells <- toy_cells()
  cells$dose[cells$drug == "A"] <- "0"
  expect_identical(only(cells)$check, "dose 0")
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

test_that("what names differ in is named, and sentences fit one name and several", {
  cells <- toy_cells()
  cells$drug[cells$drug == "A"] <- rep_len(c("drug-1", "drug.1"), sum(cells$drug == "A"))
  expect_match(check_toy(cells)$defects$given, all = FALSE,
               "\"drug-1\", \"drug.1\" differ in case, blanks, dots, dashes or underscores only")
  cells$part <- ifelse(cells$drug == "control", "train", "ood")
  expect_match(check_toy(cells, split = "part")$defects$todo, all = FALSE,
               "Predictions for them would be random; keep some of their cells")
})

test_that("further names that look like controls are told, with the call that names them all", {
  cells <- toy_cells()
  at <- which(cells$drug == "control")
  cells$drug[at[1:3]] <- "DMSO"
  cells$drug[at[4:6]] <- "mock"
  cells$drug[at[7:9]] <- "water"
  found <- check_toy(cells, control = c("control", "water"))$defects
  found <- found[found$check == "second control", ]
  expect_identical(found$given, "Besides \"control\" (with \"water\") there is \"DMSO\", \"mock\".")
  expect_match(found$todo, "write control = c(\"control\", \"water\", \"DMSO\", \"mock\").", fixed = TRUE)
  all <- check_toy(cells, control = c("control", "water", "DMSO", "mock"))$defects
  expect_false("second control" %in% all$check)
})

test_that("numbers are not names that are nearly alike", {
  cells <- toy_cells()
  cells$hours <- rep(c("1.5", "15", "-1", "1"), each = 8, length.out = 60)
  found <- function(cells) check_screen(toy_log(), "drug", control = "control", covariates = "hours",
                                        col_data = cells)$defects
  expect_false("names nearly alike" %in% found(cells)$check)
  cells$hours <- sub("^", "h", cells$hours)
  twins <- found(cells)
  expect_match(twins$given[twins$check == "names nearly alike"], "\"h-1\", \"h1\", \"h1.5\", \"h15\" differ")
})

test_that("large doses are a warning where the model takes them as they are, and there only", {
  cells <- toy_cells()
  cells$dose[cells$drug == "A"] <- "5000"
  expect_identical(check_toy(cells)$defects$check, character())
  of_fit <- function(...) {
    said <- capture_warnings(cpa(
      toy_log(), "drug", dose = "dose", control = "control", col_data = cells,
      settings = cpa_settings(epochs = 1, seed = 1, dim = 4, autoencoder_width = 8, verbose = FALSE,
                              threads = 1, device = "cpu", ...)
    ))
    grep("5000", gsub("\\s+", " ", said), value = TRUE)
  }
  expect_identical(of_fit(), character())
  expect_match(of_fit(parity = "fb"), "as they are should be near 1. They go up to 5000")
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
  expect_match(check_toy(controls, toy_log()[, rownames(controls)])$defects$must, "at least 1 perturbed cell\\.$",
               all = FALSE)
  expect_identical(errors(toy_cells()[1:3, ], toy_log()[, 1:3]), "too few cells")
  expect_identical(errors(x = toy_log()[1, , drop = FALSE]), "too few genes")
  cells <- toy_cells()
  cells$part <- "ood"
  expect_identical(errors(cells, split = "part"), "no training cells")
  cells$part <- ifelse(cells$drug == "control", "test", "train")
  expect_identical(check_toy(cells, split = "part")$defects$check, "no training controls")
})

test_that("names that hold the separator are seen by their brackets", {
  cells <- toy_cells()
  cells$dose <- NULL
  look <- function(drug, ...) {
    cells$drug[cells$drug %in% c("A", "B")] <- drug
    check_screen(toy_log(), "drug", control = "control", col_data = cells, ...)$defects
  }
  cut <- look("(+)-JQ1")
  cut <- cut[cut$check == "names cut in two", ]
  expect_identical(cut$severity, "warning")
  expect_match(cut$given, "\"(\", \")-JQ1\" were cut out of longer names at \"+\"", fixed = TRUE)
  expect_match(look("C[N+](C)C")$given, "\"C[N\", \"](C)C\" were cut", fixed = TRUE, all = FALSE)
  whole <- function(...) !"names cut in two" %in% look(...)$check
  expect_true(whole("JQ1 (racemate)"))
  expect_true(whole("(+)-JQ1", sep = NULL))
})
