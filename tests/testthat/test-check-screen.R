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
  alone <- check_screen(toy_log(), "drug", control = "control", col_data = toy_cells())$design
  expect_identical(unique(alone$n_control), 15L)
  expect_identical(unique(check$design$n_control[check$design$cell_type == "NK"]), 7L)
  names(cells)[names(cells) == "cell_type"] <- "n_cells"
  own <- check_screen(toy_log(), "drug", covariates = "n_cells", control = "control",
                      col_data = cells)$design
  expect_identical(names(own), c("own_n_cells", "drug", "n_cells", "n_control"))
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

test_that("print has no line of its own beyond the width of the console", {
  withr::local_options(width = 40)
  shown <- capture.output(print(check_toy()))
  expect_lte(max(nchar(shown[seq_len(match("No defects.", shown))])), 40L)
})

test_that("counts are recognised and print says what was read", {
  check <- check_toy(x = toy_counts())
  expect_identical(check$loss, "nb")
  expect_output(print(check), "60 cells x 12 genes.*; the matrix; loss = \"nb\".*No defects")
})

test_that("proteins are looked at with the rest; what is wrong with them is a defect among the others", {
  cells <- cite_cells()
  look <- function(x = cite_sce(), control = "control", proteins = NULL, ...) {
    check_screen(x, "drug", covariates = "cell_type", control = control, proteins = proteins, ...)
  }
  check <- look()
  expect_identical(check$proteins, " and 5 proteins (ADT, nb_mixture)")
  expect_output(print(check), "160 cells x 14 genes and 5 proteins (ADT, nb_mixture)", fixed = TRUE)
  expect_identical(look(proteins = FALSE)$proteins, "")
  expect_identical(look(protein_loss = "gauss")$proteins, " and 5 proteins (ADT, gauss)")
  gap <- cells$adt
  gap[2, 7] <- NA
  check <- look(cite_sce(adt = list(counts = gap)), control = "contrl")
  errors <- check$defects[check$defects$severity == "error", ]
  expect_setequal(errors$check, c("proteins", "no such control"))
  expect_match(errors$given[errors$check == "proteins"], "\"cell7\" lacks 1 of 5")
  expect_identical(check$n_genes, 14L)
  none <- look(cite_sce("mine"))
  expect_match(none$defects$must[1], "`proteins` must say where the proteins are")
  rows <- check_screen(cite_rows(), "drug", control = "control", proteins = paste0("CD", 1:5),
                       col_data = cells$col_data)
  expect_identical(rows$n_genes, 14L)
  # Only an altExp, an assay of Seurat or a modality has assays.
  file <- cite_h5ad("ADT")
  no_assays <- "must be left out where proteins have no assays.*\"clr\""
  for (x in list(file, read_h5ad(file))) {
    expect_match(look(x, protein_assay = "clr")$defects$must[1], "`protein_assay` must be left out")
    expect_refused(multi_fit(x, proteins = NULL, protein_assay = "clr"), no_assays)
    expect_identical(look(x, protein_assay = "ADT")$proteins, " and 5 proteins (ADT, nb_mixture)")
  }
  expect_refused(multi_fit(protein_assay = "clr"), no_assays)
  expect_refused(multi_fit(file, proteins = NULL, protein_assay = 3), "`protein_assay` must be")
  # Without proteins there is nothing that they could be read from.
  rna <- function(...) check_screen(cite_rows(), "drug", control = "control", col_data = cells$col_data, ...)
  expect_refused(rna(protein_assay = "counts"), "`protein_assay` must be left out for the RNA alone")
  expect_refused(rna(protein_loss = "nb"), "`protein_loss` must be left out for the RNA alone.*`NULL` looks for")
  expect_refused(rna(proteins = TRUE), "must be names, `NULL` or `FALSE`.*proteins = NULL")
  # What is wrong with the RNA is said as before.
  expect_refused(look(assay = "logcounts"), "logcounts")
  expect_refused(look(protein_loss = "zinb"), "`protein_loss` must be one of")
  expect_refused(look(proteins = 3), "`proteins`")
})

test_that("doses of a drug stand in their order, whatever that of the cells", {
  cells <- toy_cells(64)
  cells$dose <- ifelse(cells$drug == "A", c("10", "0.5", "2"), cells$dose)
  design <- check_toy(cells)$design
  expect_identical(design$dose[design$drug == "A" & design$cell_type == "NK"], c("0.5", "2", "10"))
})

test_that("molecules are looked at with the screen, and a wrong one is a defect among the others", {
  cells <- toy_cells()
  look <- function(molecules, ..., x = cells) check_toy(x, molecules = molecules, ...)$defects
  features <- rbind(A = c(1, 0), B = c(0, 1))
  expect_identical(nrow(look(features)), 0L)
  lacks <- look(features["A", , drop = FALSE])
  expect_identical(lacks$severity, "error")
  expect_match(lacks$given, "It lacks \"B\"")
  idle <- look(rbind(features, C = c(1, 1)))
  expect_identical(idle[c("check", "severity", "n")],
                   tibble::tibble(check = "molecules without cells", severity = "note", n = 1L))
  expect_match(idle$given, "No cell has \"C\"")
  same <- look(rbind(A = c(1, 0), B = c(1, 0), C = c(1, 1)))
  expect_identical(same$check, c("molecules", "molecules without cells"))
  expect_match(same$given[1], "The same: \"A\", \"B\"")
  expect_match(look("smiles")$given, "There is no column \"smiles\"")
  expect_match(look(c("CCO", "CCC"))$must, "SMILES named by perturbation")
  # Beside the other defects, and known by its molecule where no training cell has it.
  broken <- cells
  broken$dose[1] <- "x"
  both <- look(features["A", , drop = FALSE], x = broken)
  expect_identical(both$severity, c("error", "error"))
  expect_match(both$given[both$check == "molecules"], "It lacks \"B\"")
  expect_match(both$given[both$check != "molecules"], "dose \"x\"")
  cells$part <- ifelse(grepl("B", cells$drug), "ood", "train")
  expect_true("untrained perturbation" %in% check_toy(cells, split = "part")$defects$check)
  expect_false("untrained perturbation" %in% look(features, split = "part", x = cells)$check)
})

test_that("the unit of doses is taken as cpa() takes it, and proteins that are values are refused", {
  expect_identical(check_toy(dose_unit = "uM"), check_toy())
  expect_refused(check_toy(dose_unit = "um"), "upper and lower case of the unit")
  expect_refused(check_toy(proteins = matrix(1, 2, 60)), "must name where the proteins.*rbind\\(genes, proteins\\)")
  expect_refused(check_toy(proteins = 3:4), "must name where the proteins")
})

test_that("the scale of doses, and the model of the settings, decide what is odd, as in cpa()", {
  cells <- toy_cells()
  cells$dose <- ifelse(cells$drug == "A", "1000", cells$dose)
  look <- function(...) check_toy(cells, ...)$defects
  fitted <- function(..., settings = cpa_settings(epochs = 1, verbose = FALSE)) {
    told <- "none"
    withCallingHandlers(
      cpa(toy_log(60), "drug", dose = "dose", covariates = "cell_type", control = "control", col_data = cells,
          settings = settings, ...),
      compert_screen_warning = function(w) {
        told <<- conditionMessage(w)
        rlang::cnd_muffle(w)
      })
    told
  }
  none <- look(dose_transform = "none")
  expect_identical(none$check, "large doses")
  expect_match(fitted(dose_transform = "none"), none$given, fixed = TRUE)
  for (transform in list(NULL, "relative", "max", "log")) expect_identical(nrow(look(dose_transform = transform)), 0L)
  expect_identical(fitted(), "none")
  theirs <- cpa_settings(parity = "fb", epochs = 1)
  expect_identical(look(settings = theirs)$check, "large doses")
  expect_identical(nrow(look(settings = scgen_settings(epochs = 1))), 0L)
  expect_refused(look(dose_transform = "sqrt"), "`dose_transform` must be one of")
  expect_refused(look(dose_transform = "log", settings = theirs), "`dose_transform` must be left out with the `parity`")
  expect_refused(look(loss = "nb", settings = cpa_settings(loss_ae = "gauss")), "`loss` and `loss_ae`")
})
