test_that("controls are found by name, by logical column, and by 0 and 1", {
  cells <- toy_cells()
  cells$untreated <- cells$drug == "control"
  cells$flag <- as.integer(cells$untreated)
  for (control in c("control", "untreated", "flag")) {
    screen <- toy_screen(cells = cells, control = control)
    expect_identical(which(screen$control), seq(1L, 60L, 4L))
    expect_identical(screen$keys$control, "control")
  }
})

test_that("several names are one control, alone, in combinations, in new cells and in questions", {
  cells <- toy_cells()
  plain <- toy_screen(cells = cells)
  at <- which(cells$drug == "control")
  cells$drug[at[1:5]] <- "NT1"
  cells$drug[at[6:8]] <- "NT1+NT2"
  cells$drug[at[9:15]] <- "NT2"
  alone <- which(cells$drug == "A")
  cells$drug[alone[1:4]] <- "A+NT2"
  both <- c(at[6:8], alone[1:4])
  cells$dose[both] <- paste(cells$dose[both], cells$dose[both], sep = "+")
  screen <- toy_screen(cells = cells, control = c("NT1", "NT2"))
  expect_identical(screen$keys[c("control", "further_controls")], list(control = "NT1", further_controls = "NT2"))
  expect_identical(screen$control, plain$control)
  expect_identical(unique(screen$parts[at]), list("NT1"))
  expect_identical(screen$parts[alone], plain$parts[alone])
  expect_refused(toy_screen(cells = cells, control = c("NT1", "NT3")),
                 "`control` must be names in the perturbation column\\..*\"NT3\" is none\\..*Did you mean")
  expect_refused(toy_screen(cells = cells, control = c("NT1", "NT1")), "\"NT1\" is there twice")
  expect_refused(toy_screen(cells = cells, control = character()),
                 "`control` must be a character vector without repeats\\.")
  expect_refused(toy_screen(cells = cells, control = "NT1+NT2"), "holds `sep`.*write control = c\\(\"NT1\", \"NT2\"\\)")
})

test_that("a fit knows every name of its control", {
  cells <- small_cells()
  about <- cells$col_data
  at <- which(about$condition == "control")
  about$condition[at[c(TRUE, FALSE)]] <- "NT2"
  about$condition[at[c(FALSE, TRUE)]] <- "NT1"
  make <- function(about, control) {
    cpa(cells$x, "condition", control = control, covariates = "cell_type", split = "split", col_data = about,
        settings = quick_settings(1))
  }
  fit <- make(about, c("NT1", "NT2"))
  one <- make(transform(about, condition = replace(condition, at, "NT1")), "NT1")
  expect_identical(fit$meta$registry$perturbations, one$meta$registry$perturbations)
  again <- new_fit(fit$state)
  expect_identical(again$meta$keys$further_controls, "NT2")
  ask <- condition(condition = "IFNb", cell_type = "B")
  told <- predict(again, cells$x, ask, col_data = about)
  expect_equal(told, predict(one, cells$x, ask, col_data = transform(about, condition = replace(condition, at, "NT1"))),
               ignore_attr = TRUE)
  # Some of the controls, of whatever name, are controls.
  some <- which(about$condition == "NT2" & about$cell_type == "B")
  expect_identical(ncol(predict(fit, cells$x[, some], ask, col_data = about[some, ])), length(some))
  expect_match(report_call(fit), "control = c\\(\"NT1\", \"NT2\"\\)", all = FALSE)
  expect_match(format(fit), "1 \\(IFNb\\), control \"NT1\" \\(with \"NT2\"\\)", all = FALSE)
  expect_identical(dose_response(fit, perturbation = c("NT2", "NT1")), dose_response(one, perturbation = "NT1"))
  expect_refused(dose_response2d(fit, perturbation = c("IFNb", "NT2")), "One of them is the control")
  expect_identical(perturbation_embedding(fit, c("NT2", "IFNb")), perturbation_embedding(one, c("NT1", "IFNb")))
  expect_identical(rownames(perturbation_embedding(fit, c("NT1", "NT2"))), "NT1")
  expect_identical(predict(fit, cells$x, condition(condition = "NT2", cell_type = "B"), summarise = "condition",
                           col_data = about)[, 1],
                   predict(fit, cells$x, condition(condition = "NT1", cell_type = "B"), summarise = "condition",
                           col_data = about)[, 1])
})

test_that("a molecule of any of the controls is no perturbation", {
  cells <- small_cells()
  about <- cells$col_data
  about$condition[which(about$condition == "control")[1:9]] <- "water"
  features <- cbind(f = c(water = 0.2, IFNb = 1, Z = 0.5))
  of <- function(control, molecules) {
    cpa(cells$x, "condition", control = control, covariates = "cell_type", split = "split", molecules = molecules,
        col_data = about, settings = quick_settings(1))
  }
  fit <- of(c("control", "water"), features)
  expect_identical(fit$meta$registry$perturbations, c("IFNb", "Z", "control"))
  expect_refused(add_molecules(fit, features["water", , drop = FALSE]), "names that the fit does not know.*\"water\"")
  found <- check_screen(cells$x, "condition", control = c("control", "water"), covariates = "cell_type",
                        molecules = features, col_data = about)$defects
  expect_identical(found$given[found$check == "molecules without cells"], "No cell has \"Z\".")
  # Whichever of them has it, and in whichever order they are.
  vector <- function(fit) perturbation_embedding(fit, "IFNb") - perturbation_embedding(fit, fit$meta$registry$control)
  of_first <- of(c("control", "water"), rbind(features, control = 0.2))
  expect_identical(vector(of_first), vector(fit))
  expect_refused(of(c("control", "water"), rbind(features, control = 0)),
                 "one molecule for all names.*\"water\", \"control\" have different.*\"control\" stands for all")
})

test_that("columns that mark controls badly are refused", {
  cells <- toy_cells()
  cells$none <- FALSE
  cells$two <- cells$drug %in% c("control", "A")
  cells$part <- seq_len(60) == 1
  cells$gap <- ifelse(cells$drug == "control", TRUE, NA)
  cells$word <- "yes"
  refused <- function(control, pattern) {
    expect_refused(toy_screen(cells = cells, control = control), pattern)
  }
  refused("none", "FALSE for every cell")
  refused("two", "perturbations \"control\", \"A\"")
  refused("part", "leaves out 14 cells whose perturbation is \"control\"")
  refused("gap", "has missing values")
  refused("word", "holds \"yes\"")
  refused("contrl", "is neither.*Did you mean \"control\"")
  cells$zzzy <- "x"
  cells$treatd <- rep(1:0, 30)
  refused("treated", "is neither.*Did you mean \"treatd\"")
  expect_no_match(error_parts(toy_screen(cells = cells, control = "zzzz"))$text, "Did you mean")
  refused(NULL, "Write control = \"control\"")
})

test_that("a control's name that holds the separator is told as that", {
  cells <- toy_cells()
  cells$drug[cells$drug == "control"] <- "NT_ctrl"
  wrong <- error_parts(toy_screen(cells = cells, control = "NT_ctrl", sep = "_"))$text
  expect_match(wrong, "must not hold what joins combinations.*\"NT_ctrl\" holds `sep`, \"_\".*sep = NULL")
  expect_no_match(wrong, "no cell is a control")
})

test_that("names are compared for equality: AB is no control because it contains A", {
  cells <- toy_cells()
  cells$drug[cells$drug == "B"] <- "controlled"
  expect_identical(which(toy_screen(cells = cells)$control), seq(1L, 60L, 4L))
})
