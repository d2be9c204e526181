named_rows <- function() {
  tibble::tibble(cell_type = rep(c("B", "NK"), each = 3L), drug = "IFNb", dose = 1, method = "model")
}

test_that("conditions are named by what differs between them", {
  table <- named_rows()
  expect_identical(unique(condition_names(table)), c("B", "NK"))
  table$dose <- rep(c("1", "1+1"), each = 3)
  expect_identical(unique(condition_names(table)), c("B", "NK"))
  table$dose <- rep(c("1", "1+0.5"), each = 3)
  expect_identical(unique(condition_names(table)), c("B, 1", "NK, 1+0.5"))
  # Doses that are 1 throughout say nothing, for a single condition either.
  expect_identical(unique(condition_names(table[1:3, ])), "B, IFNb")
})

test_that("what all rows have is told apart from their names", {
  table <- named_rows()
  expect_identical(constant_names(table), "drug: IFNb")
  table$dose <- 10
  expect_identical(constant_names(table), "drug: IFNb, dose: 10")
  table$drug <- rep(c("A", "C"), 3)
  table$dose <- 1:6
  expect_null(constant_names(table))
  # A single condition has all of it in its name.
  expect_null(constant_names(named_rows()[1:3, ]))
})

test_that("numbers are told with their column, and no columns are no words", {
  table <- data.frame(cell_type = c("B", "NK"), age = c(30, 0.5))
  expect_identical(joined_words(table, c("cell_type", "age")), c("B, age 30", "NK, age 0.5"))
  expect_identical(joined_words(table, character()), c("", ""))
})
