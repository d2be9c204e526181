# The toy cells with their perturbations and doses in two columns, in either order.
two_columns <- function(cells = toy_cells()) {
  n <- nrow(cells)
  turned <- seq_len(n) > n / 2
  pick <- function(a, b) ifelse(turned, b, a)
  first <- c(control = NA, A = "A", B = "", "A+B" = "A")[cells$drug]
  second <- c(control = "", A = "control", B = "B", "A+B" = "B")[cells$drug]
  dose <- function(name) unname(c(A = 0.5, B = 2)[name])
  data.frame(guide_1 = pick(first, second), dose_1 = pick(dose(first), dose(second)),
             guide_2 = pick(second, first), dose_2 = pick(dose(second), dose(first)),
             cells[c("cell_type", "donor")], row.names = rownames(cells))
}
guides <- c("guide_1", "guide_2")
amounts <- c("dose_1", "dose_2")

# The same conditions in one column of texts; controls have dose 0.
pasted <- function() {
  cells <- toy_cells()
  cells$dose[cells$drug == "control"] <- "0"
  cells
}

test_that("columns are read as pairs of a name and a dose", {
  one <- as_screen(toy_log(), toy_keys(), pasted())
  two <- as_screen(toy_log(), toy_keys(perturbation = guides, dose = amounts), two_columns())
  for (part in c("parts", "doses", "control", "covariates")) expect_identical(two[[part]], one[[part]])
  expect_identical(two$keys[c("perturbation", "dose")], list(perturbation = "perturbation", dose = "dose"))
  expect_identical(names(two$col_data), names(two_columns()))
  expect_identical(condition_label(two$parts[4], two$doses[4]), "A@0.5+B@2")
  plain <- as_screen(toy_log(), toy_keys(perturbation = guides, dose = NULL), two_columns())
  expect_identical(plain$parts, one$parts)
  expect_identical(unique(unlist(plain$doses)), 1)
  shared <- two_columns()
  shared$dose <- rep(c(0.1, 1), 30)
  same <- as_screen(toy_log(), toy_keys(perturbation = guides, dose = c("dose", "dose")), shared)
  expect_identical(same$doses[c(1, 2, 4)], list(0, 1, c(1, 1)))
  factors <- two_columns()
  factors[] <- lapply(factors, factor)
  expect_identical(as_screen(toy_log(), toy_keys(perturbation = guides, dose = amounts), factors)$doses, one$doses)
})

test_that("a row's name and dose are those of what acts", {
  row <- function(...) unlist(join_row(..., control = "ctrl"), use.names = FALSE)
  expect_identical(row(c("A", NA), c("1", NA)), c("A", "1"))
  expect_identical(row(c("B", "A"), c("1", "2")), paste0(c("B", "1"), joint_sep, c("A", "2")))
  expect_identical(row(c("ctrl", "A"), c(NA, "2")), c("A", "2"))
  expect_identical(row(c("A", "B"), c("1", NA)), c(paste0("A", joint_sep, "B"), NA))
  expect_identical(row(c(NA_character_, NA), c("3", NA)), c("ctrl", "0"))
  expect_identical(row(c("ctrl", "ctrl"), c("1", "10")), c("ctrl", "10"))
  expect_identical(row(c("ctrl", NA), c("high", NA)), c("ctrl", "high"))
})

test_that("names are not parsed, and one that is there twice adds its doses", {
  cells <- two_columns()
  cells[3, guides] <- c("(+)-A", "B")
  cells[3, amounts] <- 1
  cells[7, guides] <- "A"
  cells[7, amounts] <- c(1, 2)
  keys <- toy_keys(perturbation = guides, dose = amounts)
  screen <- as_screen(toy_log(), keys, cells)
  expect_identical(screen$parts[[3]], c("(+)-A", "B"))
  expect_identical(screen$parts[[7]], "A")
  expect_identical(screen$doses[[7]], 3)
  asked <- condition(list(c("B", "(+)-A")), dose = list(c(1, 1)))
  expect_identical(held_out_cells(screen, asked, 1), seq_len(60) == 3L)
})

test_that("controls may have a name in the columns, none, or marks in another column", {
  cells <- two_columns()
  none <- cells
  none[guides] <- lapply(none[guides], function(x) replace(x, x %in% c("control", ""), NA))
  read <- function(cells, control, x = toy_log()) {
    as_screen(x, toy_keys(perturbation = guides, dose = NULL, control = control), cells)
  }
  free <- read(none, "untreated")
  expect_identical(free$control, toy_cells()$drug == "control")
  expect_identical(free$keys$control, "untreated")
  none$mark <- toy_cells()$drug == "control"
  marked <- read(none, "mark")
  expect_identical(marked$control, none$mark)
  expect_identical(marked$keys$control, "control")
  named <- none
  named$guide_1[none$mark] <- "NT"
  expect_identical(read(named, "mark")$keys$control, "NT")
  named$guide_1[which(none$mark)[1]] <- NA
  expect_refused(read(named, "mark"), "perturbations \"control\", \"NT\"")
  expect_refused(read(none[!none$mark, ], "nobody", toy_log()[, !none$mark]),
                 "\"nobody\" is neither.*Columns \"guide_1\", \"guide_2\" have \"A\", \"B\"")
  expect_refused(read(cells, NULL), "Write control = \"control\"")
})

test_that("of no name of the control a dose is asked for", {
  cells <- two_columns()
  one <- as_screen(toy_log(), toy_keys(perturbation = guides, dose = amounts), cells)
  for (name in guides) {
    at <- which(cells[[name]] %in% "control")
    cells[[name]][at[c(TRUE, FALSE)]] <- "empty"
  }
  cells[which(toy_cells()$drug == "control")[1:2], guides] <- "empty"
  both <- as_screen(toy_log(), toy_keys(perturbation = guides, dose = amounts, control = c("control", "empty")), cells)
  for (part in c("parts", "doses", "control")) expect_identical(both[[part]], one[[part]], info = part)
})

test_that("verbs that read a table take the columns", {
  cells <- two_columns()
  split <- function(hold_out, dose = amounts) {
    out <- split_cells(cells, guides, control = "control", covariates = "cell_type", dose = dose,
                       hold_out = hold_out, seed = 1, verbose = FALSE)
    out$split == "ood"
  }
  double <- toy_cells()$drug == "A+B"
  expect_identical(split(condition("B+A", dose = "2+0.5")), double)
  expect_identical(split(condition(perturbation = "A+B")), double)
  expect_identical(split(list(perturbation = "A+B", dose = "0.5+2")), double)
  expect_identical(split(list(n_parts = 2)), double)
  expect_identical(split(data.frame(guide_1 = "B", guide_2 = "A")), double)
  rows <- data.frame(guide_1 = c("B", "A"), dose_1 = c(2, 0.5), guide_2 = c("A", NA), dose_2 = c(0.5, NA))
  expect_identical(split(rows), double | toy_cells()$drug == "A")
  degs <- rank_degs(toy_log(), guides, dose = amounts, control = "control", col_data = cells)
  one <- rank_degs(toy_log(), "drug", dose = "dose", control = "control", col_data = pasted())
  expect_identical(names(degs)[1:2], c("perturbation", "dose"))
  expect_identical(degs$perturbation, one$drug)
  expect_identical(degs[-(1:2)], one[-(1:2)])
  check <- check_screen(toy_log(), guides, dose = amounts, control = "control", col_data = cells)
  expect_identical(check$design$perturbation, c("control", "A", "A+B", "B"))
  expect_identical(check$design$dose, c("0", "0.5", "0.5+2", "2"))
})

two_fit <- local({
  made <- NULL
  function() {
    if (!is.null(made)) return(made)
    cells <- two_columns(toy_cells(160))
    cells$split <- rep(c("train", "train", "test"), each = 8, length.out = 160)
    fit <- cpa(toy_log(160), guides, dose = amounts, control = "control", covariates = "cell_type",
               split = "split", col_data = cells, settings = quick_settings(1))
    made <<- list(fit = fit, cells = cells)
    made
  }
})

test_that("a fit knows its columns, through its file too, and predicts from new cells that have them", {
  made <- two_fit()
  file <- withr::local_tempfile(fileext = ".cpa")
  save_fit(made$fit, file)
  fit <- load_fit(file)
  expect_identical(fit$meta$keys$columns, list(perturbation = guides, dose = amounts))
  ask <- function(fit, cells = made$cells) {
    predict(fit, toy_log(160), condition("A+B", dose = "0.5+2", cell_type = "T"), col_data = cells)
  }
  answer <- ask(fit)
  expect_equal(answer, ask(made$fit))
  expect_identical(ncol(answer), sum(toy_cells(160)$drug == "control" & made$cells$cell_type == "T"))
  expect_identical(names(attr(answer, "col_data"))[seq_along(made$cells)], names(made$cells))
  scores <- evaluate_r2(fit, toy_log(160), split = "test", col_data = made$cells)
  expect_identical(names(scores)[1:3], c("cell_type", "perturbation", "dose"))
  expect_setequal(scores$perturbation, c("A", "B", "A+B"))
  expect_match(report_call(fit), "x, c(\"guide_1\", \"guide_2\"),\n  dose = c(\"dose_1\", \"dose_2\")", fixed = TRUE)
  checked <- check_of_fit(fit, toy_log(160), list(col_data = made$cells))
  expect_false(any(checked$defects$severity == "error"))
})

test_that("new cells without any of the columns are controls; with some of them they are refused", {
  made <- two_fit()
  controls <- toy_cells(160)$drug == "control"
  ask <- function(columns) {
    predict(made$fit, toy_log(160)[, controls], condition("A", cell_type = "T"),
            col_data = made$cells[controls, columns, drop = FALSE])
  }
  expect_message(answer <- ask("cell_type"), "no columns \"guide_1\", \"guide_2\"", class = "compert_all_controls")
  expect_equal(c(answer), c(ask(names(made$cells))))
  expect_refused(ask(c("cell_type", "guide_1")), "no column \"guide_2\"")
  expect_refused(ask(c("cell_type", guides, "dose_1")), "no column \"dose_2\"")
})

test_that("a search hands the columns on to its trials", {
  made <- two_fit()
  found <- tune_fit(toy_log(160), guides, dose = amounts, control = "control", covariates = "cell_type",
                    split = "split", col_data = made$cells, space = list(reg_alignment = c(0, 1)), trials = 2,
                    seed = 1, settings = quick_settings(1))
  expect_identical(found$best$meta$keys$columns, list(perturbation = guides, dose = amounts))
})

test_that("wrong columns are refused", {
  cells <- two_columns()
  fit <- function(perturbation = guides, ..., control = "control", col_data = cells) {
    cpa(toy_log(), perturbation, ..., control = control, col_data = col_data)
  }
  expect_refused(fit(dose = "dose_1"), "as many columns as `perturbation`. .*2 columns, `dose` 1 column")
  expect_refused(fit("guide_1", dose = amounts), "1 column, `dose` 2 columns")
  expect_refused(fit(c("guide_1", "guide_1")), "`perturbation` must be a character vector without repeats\\.")
  expect_refused(fit(c("guide_1", "guide_3")), "no column \"guide_3\"")
  expect_refused(fit(covariates = "guide_2"), "as `perturbation` and as `covariates`")
  cells$perturbation <- "x"
  expect_refused(fit(covariates = "perturbation"), "No other column may be called \"perturbation\"")
  expect_refused(fit(dose = c("dose_1", "dose_1")), "`dose` must have a value")
  expect_refused(predict(two_fit()$fit, toy_log(160), condition(guide_1 = "A"), col_data = two_fit()$cells),
                 "begins with \"guide_1\". .*Write condition\\(\"A\"\\)")
  cells$dose_2[4] <- "1 uM"
  lines <- check_screen(toy_log(), guides, dose = amounts, control = "control", col_data = cells)$defects
  expect_match(lines$given[lines$check == "dose is no number"], "\"A+B\" and dose \"0.5+1 uM\"", fixed = TRUE)
})
