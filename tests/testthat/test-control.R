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
