toy_registry <- function(...) new_registry(toy_screen(...))

test_that("a condition is resolved against registry and keys", {
  registry <- toy_registry()
  found <- resolve_conditions(condition(drug = "B+A", dose = "2+0.5", cell_type = "NK"), registry,
                              toy_keys())
  expect_identical(found$parts, list(c("A", "B")))
  expect_identical(found$label, "A@0.5+B@2")
  expect_identical(found$target$perturbation, matrix(c(0L, 1L)))
  expect_identical(found$target$dose, matrix(c(1, 1)))  # shares of the largest trained doses
  expect_identical(found$target$covariates, matrix(0L))
})

test_that("covariates that are not named are those of the cell", {
  found <- resolve_conditions(condition("A"), toy_registry(), toy_keys())
  expect_identical(found$target$covariates, matrix(-1L))
  expect_identical(found$covariates, list(cell_type = NA_character_))
})

test_that("labels of a screen without doses tell those that a repeated name asks for", {
  keys <- modifyList(toy_keys(), list(dose = NULL))
  label <- function(asked) resolve_conditions(asked, toy_registry(), keys)$label
  expect_identical(label(condition_grid(c("A", "B"))), c("A", "B"))
  expect_identical(label(condition_grid(c("A", "A+A"))), c("A@1", "A@2"))
})

test_that("a condition prints a repeated name as it is written", {
  expect_identical(format(condition(c("A", "A+A", "B+A+A"), cell_type = "T")),
                   paste0(c("A", "A+A", "A+A+B"), ", cell_type = T"))
  expect_identical(format(condition("A+A", dose = "1+0.5")), "A@1.5")
})

test_that("the control without a dose has the dose of training; padding is dropped", {
  cells <- toy_cells()
  cells$dose[cells$drug == "control"] <- "0"
  registry <- toy_registry(cells = cells)
  found <- resolve_conditions(condition("control"), registry, toy_keys())
  expect_identical(found$doses, list(0))
  expect_identical(resolve_conditions(condition("control", dose = 1), registry,
                                      toy_keys())$doses, list(1))
  padded <- resolve_conditions(condition("A+control", dose = "3+0"), registry, toy_keys())
  expect_identical(padded$parts, list("A"))
  expect_identical(padded$doses, list(3))
})

test_that("a data frame with the screen's own columns is a condition", {
  asked <- data.frame(drug = c("A", "B+A"), dose = c("1", "3+4"), cell_type = c("T", NA))
  found <- as_condition(asked, toy_keys())
  expect_identical(found$perturbation, list("A", c("A", "B")))
  expect_identical(found$dose, list(1, c(4, 3)))
  expect_identical(found$cell_type, c("T", NA))
  skip_without_package("S4Vectors")
  frame <- S4Vectors::DataFrame(asked)
  expect_identical(as_condition(frame, toy_keys()), found)
  expect_refused(as_condition(frame[0, ], toy_keys()), "It has no rows")
  expect_identical(split_toy(hold_out = frame[1, "drug", drop = FALSE]), split_toy(hold_out = condition("A")))
  expect_identical(split_toy(hold_out = list(frame[1, "drug", drop = FALSE])), split_toy(hold_out = condition("A")))
})

test_that("numbers are levels however they are stored", {
  cells <- toy_cells()
  cells$time <- rep(c(24L, 100000L), each = 4, length.out = 60)
  keys <- toy_keys(covariates = "time")
  registry <- new_registry(as_screen(toy_log(), keys, cells))
  expect_identical(registry$covariates$time, c("24", "100000"))
  code <- function(asked) resolve_conditions(asked, registry, keys)$target$covariates
  for (time in list(1e5, 100000L, "100000", factor("100000"))) {
    expect_identical(code(condition("A", time = time)), matrix(1L))
    expect_identical(code(condition_grid("A", time = time)), matrix(1L))
    expect_identical(code(data.frame(drug = "A", time = time)), matrix(1L))
  }
  cells$time <- as.double(cells$time)
  screen <- as_screen(toy_log(), keys, cells)
  expect_identical(encode_screen(registry, screen)$covariates[1, 1:8], rep(0:1, each = 4))
  expect_identical(encode_covariates(registry, list(time = c(1e5, 24)), 2), matrix(1:0, 1))
})

test_that("covariates may be called dose and perturbation", {
  keys <- new_keys("drug", covariates = c("dose", "perturbation"), control = "control")
  found <- as_condition(condition("A", own_dose = "T", own_perturbation = "x"), keys)
  expect_identical(condition_columns(keys), c(dose = "own_dose", perturbation = "own_perturbation"))
  same <- as_condition(data.frame(drug = "A", dose = "T", perturbation = "x"), keys)
  expect_identical(unclass(found)[1:4], unclass(same)[1:4])
  expect_identical(lapply(same$dose, as.vector), list(1))
  cells <- toy_cells()
  cells$dose <- cells$cell_type
  screen <- as_screen(toy_log(), new_keys("drug", covariates = "dose", control = "control"), cells)
  asked <- resolve_conditions(condition(drug = "A", own_dose = "T"), new_registry(screen), screen$keys)
  expect_identical(asked$covariates, list(dose = "T"))
  held <- held_out_cells(screen, condition(drug = "A", own_dose = "T"), 1)
  expect_identical(held, cells$drug == "A" & cells$cell_type == "T")
})

test_that("covariates may be called as arguments of condition()", {
  keys <- new_keys("drug", covariates = c("sep", "dose_unit"), control = "control")
  found <- as_condition(condition("A", own_sep = "x", own_dose_unit = "uM"), keys)
  expect_identical(found$own_sep, "x")
  expect_identical(as_condition(data.frame(drug = "A", sep = "x"), keys)$own_sep, "x")
  expect_refused(condition(dose = "A"), "A column called dose")
})

test_that("a perturbation column may be called dose", {
  keys <- new_keys("dose", control = "0")
  found <- as_condition(data.frame(dose = c("1", "10")), keys)
  expect_identical(found$perturbation, list("1", "10"))
  expect_identical(lapply(found$dose, as.vector), list(1, 1))
})

test_that("no condition is one clear error", {
  none <- condition("A")[0, ]
  expect_refused(as_condition(none, toy_keys()), "`condition` must name at least one condition")
  expect_refused(as_condition(data.frame(drug = character()), toy_keys()), "It has no rows")
  fit <- small_fit()
  expect_refused(prediction_uncertainty(fit, none), "must name at least one condition")
  expect_refused(perturbation_embedding(fit, none), "`perturbation` must name at least one")
  expect_refused(predict(fit, small_cells()$x, condition_grid("IFNb", dose = numeric()),
                         col_data = small_cells()$col_data), "must name at least one condition")
})

test_that("wrong columns, order and names are refused", {
  registry <- toy_registry()
  resolve <- function(condition) resolve_conditions(condition, registry, toy_keys())
  expect_refused(resolve(condition(cell_type = "T", drug = "A")), "must come first")
  expect_refused(resolve(condition(drug = "A", celltype = "T")), "Did you mean \"cell_type\"")
  expect_refused(resolve(condition(drug = "A", cell_type = "TT")), "\"TT\" was not in training")
  expect_refused(resolve(condition(drug = "A+C")), "\"C\" \\(in \"A\\+C\"\\) was never perturbed")
  expect_refused(resolve(1), "must come from condition\\(\\) or condition_grid\\(\\), or be names of perturbations")
  expect_refused(resolve(data.frame(x = 1)), "must have a column \"drug\"")
})

test_that("names of perturbations alone are conditions", {
  resolve <- function(condition) resolve_conditions(condition, toy_registry(), toy_keys())
  expect_identical(resolve(c("B+A", "A")), resolve(condition(drug = c("B+A", "A"))))
  expect_identical(resolve(factor(c(x = "A"), levels = c("B", "A"))), resolve(condition("A")))
  expect_refused(resolve(c(drug = "A", cell_type = "T")),
                 "without names of their own.*called \"drug\", \"cell_type\".*condition\\(drug = \"A\"")
  expect_refused(resolve("Z"), "\"Z\" was never perturbed")
  expect_refused(resolve("A@1"), "Doses stand beside the names: condition\\(\"A\", dose = 1\\)")
  expect_refused(resolve("A@1+B@2"), "condition\\(\"A\", dose = 1\\), for a combination dose = c\\(1, ...\\)")
  expect_no_match(conditionMessage(expect_error(resolve("Q@1"))), "beside the names")
  expect_refused(resolve(character()), "must be a text such as.*It is 0 texts")
  expect_refused(resolve(NA_character_), "NA")
})

test_that("molecules are no part of a condition, unless a column is called smiles", {
  resolve <- function(condition, keys = toy_keys()) resolve_conditions(condition, toy_registry(), keys)
  way <- "not their molecules.*condition\\(drug = \"New drug\"\\).*add_molecules\\("
  expect_refused(resolve(condition(smiles = "CCO")), way)
  expect_refused(resolve(condition(drug = "A", SMILES = "CCO")), way)
  keys <- toy_keys()
  keys$perturbation <- "smiles"
  expect_identical(resolve(condition(smiles = "A"), keys)$parts, list("A"))
})

test_that("rbind() leaves open what covariates only others name", {
  a <- condition("A", cell_type = "T")
  b <- condition("B", dose = 2)
  for (asked in list(rbind(a, b), rbind(b, a)[2:1, ], rbind(a, as.data.frame(b)))) {
    found <- resolve_conditions(asked, toy_registry(), toy_keys())
    expect_identical(found$parts, list("A", "B"))
    expect_equal(found$doses, list(1, 2))
    expect_identical(found$covariates, list(cell_type = c("T", NA)))
  }
  expect_s3_class(rbind(b, a), "compert_condition")
  donors <- rbind(b, condition("A", donor = "x"), NULL, a)
  expect_identical(donors$donor, c(NA, "x", NA))
  expect_identical(donors$cell_type, c(NA, NA, "T"))
})

test_that("units and doses belong to their rows, in any order, whatever is done to the table", {
  registry <- new_registry(toy_screen(), list(transform = "none", unit = "uM"))
  doses <- function(asked) resolve_conditions(asked, registry, toy_keys())$doses
  nano <- condition("A", dose = 100, dose_unit = "nM", cell_type = "T")
  micro <- condition("A", dose = 2, cell_type = "T")
  expect_equal(doses(rbind(nano, micro)), list(0.1, 2))
  expect_equal(doses(rbind(micro, nano)), list(2, 0.1))
  expect_equal(doses(rbind(micro, nano)[2, ]), list(0.1))
  expect_equal(doses(as.data.frame(rbind(micro, nano))), list(2, 0.1))
  skip_without_package("vctrs")  # dplyr's bind_rows() and slice()
  expect_equal(doses(vctrs::vec_slice(vctrs::vec_rbind(micro, nano), 2:1)), list(0.1, 2))
})

test_that("the control takes the dose of training in the rows without a dose only", {
  cells <- toy_cells()
  cells$dose[cells$drug == "control"] <- "0"
  asked <- rbind(condition("control", dose = 3), condition("control"))
  expect_identical(resolve_conditions(asked, toy_registry(cells = cells), toy_keys())$doses,
                   list(3, 0))
})

test_that("texts are split as the screen's, doses and a `sep` of one's own held to it", {
  read <- function(asked, sep) as_condition(asked, toy_keys(sep = sep))
  parts <- function(...) read(...)$perturbation
  expect_identical(parts(condition("B+A"), NULL), list("B+A"))
  expect_identical(parts(condition("B_A"), "_"), list(c("A", "B")))
  expect_identical(parts(condition_grid(c("A_B", "C+D")), "_"), list(c("A", "B"), "C+D"))
  expect_identical(parts(rbind(condition("A_B", sep = "_"), condition("C")), "_"),
                   list(c("A", "B"), "C"))
  expect_identical(parts(condition(list("A_B")), "_"), list("A_B"))
  expect_identical(parts(condition(list(c("A", "B"))), NULL), list(c("A", "B")))
  expect_identical(read(condition("A_B", dose = "2_1", sep = "_"), "_")$dose, list(c(2, 1)))
  expect_identical(as.vector(read(condition("A+A"), NULL)$dose[[1]]), 1)
  other <- "\"A\\+B\" is read with sep = \"\\+\"; the screen has sep = NULL.*Write sep = NULL"
  expect_refused(read(condition("A+B", sep = "+"), NULL), other)
  expect_refused(read(condition("A+B", dose = c(1, 2)), NULL), other)
  expect_refused(read(condition("A_B", dose = 1), "_"), "the screen has sep = \"_\"")
  expect_refused(read(condition("A+B", sep = NULL), "+"), "with sep = NULL; .*list\\(\"A\\+B\"\\)")
  expect_refused(read(condition("A_"), "_"), "must be a text such as")
})

test_that("a fit without a separator answers for the name that was trained", {
  cells <- small_cells()
  about <- cells$col_data
  about$condition[about$condition == "IFNb"] <- "IFN+b"
  fit <- cpa(cells$x, "condition", control = "control", split = "split", sep = NULL,
             col_data = about, settings = quick_settings(1))
  ask <- function(asked) predict(fit, cells$x, asked, col_data = about, summarise = "condition")
  expect_identical(ask(condition(condition = "IFN+b")), ask(data.frame(condition = "IFN+b")))
  expect_identical(perturbation_embedding(fit, condition("IFN+b"))[1, ],
                   perturbation_embedding(fit, "IFN+b")[1, ])
})

test_that("a dose under the name of its column is told how to be written", {
  keys <- new_keys("drug", dose = "conc", control = "control")
  expect_refused(as_condition(condition(drug = "A", conc = 0.5), keys),
                 "\"conc\" is none.*write dose = ... instead of conc")
})
