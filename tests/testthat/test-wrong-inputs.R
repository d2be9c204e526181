# Each wrong input gives one error with its three parts, and the session goes on.

wrong <- new.env()
wrong$cells <- toy_cells()
wrong$x <- toy_log()
wrong$counts <- toy_counts()
wrong$settings <- cpa_settings(epochs = 1, seed = 1, verbose = FALSE, dim = 2,
                               autoencoder_width = 4)

# cpa() on the toy screen with some arguments other than right.
fit_with <- function(x = wrong$x, ..., perturbation = "drug", dose = "dose", control = "control",
                     covariates = "cell_type", col_data = wrong$cells,
                     settings = wrong$settings) {
  cpa(x, perturbation, dose = dose, covariates = covariates, control = control,
      col_data = col_data, ..., settings = settings)
}
cells_with <- function(column, at, value) {
  cells <- wrong$cells
  cells[[column]][at] <- value
  cells
}
x_with <- function(value, x = wrong$x) {
  x[3, 5] <- value
  x
}
renamed <- function(x, dim, names) {
  dimnames(x)[[dim]] <- names
  x
}
file_of <- function(content, env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".h5ad", .local_envir = env)
  writeBin(content, path)
  path
}

# what is wrong = list(a call, what the message says)
wrong_inputs <- list(
  "x is NULL" = list(quote(fit_with(NULL)), "`x` must be a SingleCell.*It is `NULL`"),
  "x is a list" = list(quote(fit_with(list(1))), "class `list`"),
  "x is a data frame" = list(quote(fit_with(as.data.frame(wrong$x))), "as.matrix"),
  "x holds text" = list(quote(fit_with(matrix("a", 12, 60))), "must be numbers"),
  "x is transposed" = list(quote(fit_with(t(wrong$x))), "t\\(x\\) turns one over"),
  "x has no gene names" = list(quote(fit_with(unname(wrong$x))), "genes' names as row names"),
  "gene twice" = list(quote(fit_with(renamed(wrong$x, 1, c("gene2", rownames(wrong$x)[-1])))),
                      "Names of genes.*\"gene2\" is there more than once"),
  "cell twice" = list(
    quote(fit_with(renamed(wrong$x, 2, c("cell2", colnames(wrong$x)[-1])),
                   col_data = `rownames<-`(wrong$cells, NULL))),
    "Names of cells.*make.unique"),
  "NaN" = list(quote(fit_with(x_with(NaN))), "must be finite.*\"gene3\" of cell \"cell5\" is NaN"),
  "NA" = list(quote(fit_with(x_with(NA))), "must be finite"),
  "Inf" = list(quote(fit_with(x_with(Inf))), "is Inf"),
  "negative counts" = list(quote(fit_with(x_with(-1, wrong$counts))), "Counts must be 0"),
  "negative counts, nb" = list(quote(fit_with(x_with(-1, wrong$counts), loss = "nb")),
                               "\"gene3\" of cell \"cell5\" is -1"),
  "log values for nb" = list(quote(fit_with(loss = "nb")), "must be given raw counts"),
  "counts for gauss" = list(quote(fit_with(wrong$counts, loss = "gauss")),
                            "must be given log-normalised"),
  "one cell" = list(quote(fit_with(wrong$x[, 1, drop = FALSE], col_data = wrong$cells[1, ])),
                    "must have at least 4 cells"),
  "one gene" = list(quote(fit_with(wrong$x[1, , drop = FALSE])), "at least 2 genes"),
  "no cells" = list(quote(fit_with(wrong$x[, 0], col_data = wrong$cells[0, ])),
                    "0 cells and 12 genes"),
  "controls only" = list(
    quote(fit_with(wrong$x[, wrong$cells$drug == "control"],
                   col_data = wrong$cells[wrong$cells$drug == "control", ])),
    "perturbed cells"),
  "no col_data" = list(quote(fit_with(col_data = NULL)), "`col_data` must be given"),
  "col_data is a vector" = list(quote(fit_with(col_data = 1:60)), "must be a data frame"),
  "col_data too short" = list(quote(fit_with(col_data = wrong$cells[1:59, ])),
                              "one row per column.*59 rows.*60 columns"),
  "perturbation missing" = list(
    quote(cpa(wrong$x, control = "control", col_data = wrong$cells)), "`perturbation` must be one"),
  "perturbation column absent" = list(quote(fit_with(perturbation = "drg")),
                                      "no column \"drg\".*Did you mean \"drug\""),
  "perturbation is a number" = list(quote(fit_with(perturbation = 1)), "must be one text"),
  "perturbation NA" = list(quote(fit_with(col_data = cells_with("drug", 2, NA))),
                           "Cell \"cell2\" has none"),
  "empty part" = list(quote(fit_with(col_data = cells_with("drug", 4, "A+"))),
                      "a name in each part"),
  "control missing" = list(quote(cpa(wrong$x, "drug", col_data = wrong$cells)),
                           "`control` must name the control"),
  "control absent" = list(quote(fit_with(control = "vehicle")), "no cell is a control"),
  "control column all FALSE" = list(
    quote(fit_with(control = "no", col_data = transform(wrong$cells, no = FALSE))),
    "FALSE for every cell"),
  "control column of several" = list(
    quote(fit_with(control = "all", col_data = transform(wrong$cells, all = TRUE))),
    "mark the cells of one perturbation"),
  "dose column absent" = list(quote(fit_with(dose = "amount")), "no column \"amount\""),
  "too few doses" = list(quote(fit_with(col_data = cells_with("dose", 4, "1"))),
                         "one value per perturbation.*Cell \"cell4\".*Write \"1.0\\+1.0\""),
  "too many doses" = list(quote(fit_with(col_data = cells_with("dose", 2, "1+1"))),
                          "one value per perturbation"),
  "negative dose" = list(quote(fit_with(col_data = cells_with("dose", 4, "1+-1"))),
                         "`dose` must be 0 or greater"),
  "text dose" = list(quote(fit_with(col_data = cells_with("dose", 2, "10 uM"))),
                     "without units"),
  "NA dose" = list(quote(fit_with(col_data = cells_with("dose", 2, NA))),
                   "`dose` must have a value for every cell"),
  "infinite dose" = list(quote(fit_with(col_data = cells_with("dose", 2, "Inf"))),
                         "`dose` must be finite"),
  "covariate absent" = list(quote(fit_with(covariates = "celltype")),
                            "Did you mean \"cell_type\""),
  "covariate twice" = list(quote(fit_with(covariates = c("donor", "donor"))), "there twice"),
  "covariate NA" = list(quote(fit_with(col_data = cells_with("cell_type", 7, NA))),
                        "Cell \"cell7\" has no \"cell_type\""),
  "one column, two roles" = list(quote(fit_with(batch = "cell_type")), "one role"),
  "batch absent" = list(quote(fit_with(batch = "plate")), "`batch` must name a column"),
  "split column absent" = list(quote(fit_with(split = "split")), "`split` must name a column"),
  "split values" = list(quote(fit_with(split = "donor")), "holds \"d1\", \"d2\""),
  "no training cells" = list(
    quote(fit_with(split = "s", col_data = transform(wrong$cells, s = "test"))),
    "at least two cells in \"train\""),
  "unknown argument" = list(quote(fit_with(covariate = "donor")), "Did you mean \"covariates\""),
  "unnamed argument" = list(quote(cpa(wrong$x, "drug", "dose")), "given by name"),
  "unknown loss" = list(quote(fit_with(loss = "poisson")), "one of \"gauss\", \"nb\""),
  "assay of a matrix" = list(quote(fit_with(assay = "counts")), "`assay` must be left out"),
  "layer of a matrix" = list(quote(fit_with(layer = "counts")), "`layer` must be left out"),
  "empty separator" = list(quote(fit_with(sep = "")), "`sep` must be one text"),
  "settings are a list" = list(quote(fit_with(settings = list(dim = 3))),
                               "must come from `cpa_settings\\(\\)`"),
  "unknown hyperparameter" = list(quote(cpa_settings(adversary_regg = 5)),
                                  "no argument `adversary_regg`"),
  "hyperparameter of the wrong type" = list(quote(cpa_settings(dim = "64")), "`dim` must be"),
  "fraction for a whole number" = list(quote(cpa_settings(epochs = 1.5)), "`epochs` must be"),
  "hyperparameter below its range" = list(quote(cpa_settings(batch_size = 1)), "`batch_size` must"),
  "negative rate" = list(quote(cpa_settings(adversary_lr = -1)), "`adversary_lr` must be"),
  "two values" = list(quote(cpa_settings(dim = c(8, 16))), "`dim` must be one"),
  "unknown doser" = list(quote(cpa_settings(doser_type = "hill")), "\"linear\", \"sigm\""),
  "unknown device" = list(quote(cpa_settings(device = "tpu")), "`device` must be"),
  "no cells given" = list(quote(cpa(perturbation = "drug", control = "control")),
                          "`x` must be given: the cells.*It is missing"),
  "seed beyond the integers" = list(quote(cpa_settings(seed = 2^31)),
                                    "`seed` must be one whole number from 0 to 2147483647"),
  "negative seed" = list(quote(fit_with(settings = cpa_settings(seed = -1))), "`seed` must be"),
  "checkpoint in no folder" = list(
    quote(fit_with(settings = cpa_settings(epochs = 1, seed = 1, verbose = FALSE,
                                           checkpoint = "/no/such/folder/fit.h5"))), "must"),
  "missing file" = list(quote(cpa("none.h5ad", "drug", control = "control")), "does not exist"),
  "no h5ad file" = list(
    quote(cpa(file_of(charToRaw("gene,cell")), "drug", control = "control")), "`x` must"),
  "truncated file" = list(
    quote(cpa(file_of(readBin(kang_example(as = "path"), "raw", 5e5)), "condition",
              control = "control")), "`x` must"),
  "file and col_data" = list(
    quote(cpa(kang_example(as = "path"), "condition", control = "control",
              col_data = wrong$cells)), "`col_data` must be left out"),
  "no such layer in the file" = list(
    quote(cpa(kang_example(as = "path"), "condition", control = "control", layer = "cnts")),
    "Did you mean \"counts\""),
  "hold out what is not there" = list(
    quote(split_cells(wrong$cells, "drug", control = "control", hold_out = condition("Z"))),
    "No cell has perturbation \"Z\"")
)

# Questions to a fit: an error, too.
wrong_questions <- list(
  "no condition" = list(quote(predict(fit, wrong$x, col_data = wrong$cells)), "reconstruct"),
  "condition never seen" = list(
    quote(predict(fit, wrong$x, condition("Z"), col_data = wrong$cells)),
    "\"Z\" was never perturbed"),
  "level never seen" = list(
    quote(predict(fit, wrong$x, condition("A", cell_type = "NKT"), col_data = wrong$cells)),
    "\"NKT\" was not in training.*Did you mean \"NK\""),
  "covariate never named" = list(
    quote(predict(fit, wrong$x, condition("A", tissue = "skin"), col_data = wrong$cells)),
    "\"tissue\" is none"),
  "new cells lack genes" = list(
    quote(predict(fit, wrong$x[-(1:5), ], condition("A", cell_type = "T"),
                  col_data = wrong$cells)),
    "lacks 5 of 12 genes"),
  "new cells of another scale" = list(
    quote(predict(fit, wrong$counts, condition("A", cell_type = "T"), col_data = wrong$cells)),
    "must be given log-normalised"),
  "arity of the question" = list(
    quote(predict(fit, wrong$x, condition("A+B", dose = 1), col_data = wrong$cells)),
    "per part of each")
)

for (what in names(wrong_inputs)) {
  test_that(paste("wrong input:", what), {
    expect_refused(eval(wrong_inputs[[what]][[1]]), wrong_inputs[[what]][[2]])
  })
}

test_that("every verb on a screen asks for the cells, every verb on a fit for the fit", {
  verbs <- list(cpa, chemcpa, multicpa, scgen, tune_fit, rank_degs, split_cells)
  for (verb in verbs) expect_refused(verb(perturbation = "drug"), "`x` must be given: the cells")
  verbs <- list(evaluate_r2, cell_embedding, dose_response, fine_tune, resume_fit)
  for (verb in verbs) expect_refused(verb(), "`fit` must be a fit made by `cpa\\(\\)`.*`NULL`")
  expect_refused(rank_degs(wrong$x, col_data = wrong$cells), "`perturbation` must be one text")
})

test_that("wrong questions to a fit are refused, and the fit stays usable", {
  fit <- fit_with()
  for (what in names(wrong_questions)) {
    expect_refused(eval(wrong_questions[[what]][[1]]), wrong_questions[[what]][[2]])
  }
  answer <- predict(fit, wrong$x, condition("A", cell_type = "T", dose = 0.5),
                    col_data = wrong$cells)
  expect_true(all(is.finite(as.matrix(answer))))
})

test_that("the session goes on: the right input fits after all of this", {
  expect_s3_class(fit_with(), "compert_fit")
  expect_s3_class(fit_with(wrong$counts), "compert_fit")
})
