# What condition() notes on its elements is of no concern here.
bare <- function(column) lapply(column, as.vector)

test_that("condition() keeps pairs together, whatever their order", {
  a <- condition(drug = "A+B", dose = c(1, 0.5), cell_type = "K562")
  b <- condition(drug = "B+A", dose = c(0.5, 1), cell_type = "K562")
  expect_s3_class(a, "compert_condition")
  expect_identical(bare(a$perturbation), list(c("A", "B")))
  expect_identical(a$dose, list(c(1, 0.5)))
  expect_identical(a$cell_type, "K562")
  expect_identical(bare(b$perturbation), list(c("A", "B")))
  expect_identical(b$dose, a$dose)
  expect_identical(condition(drug = "B+A", dose = "0.5+1")$dose, list(c(1, 0.5)))
})

test_that("several conditions at once, lists of parts, and no separator", {
  several <- condition(drug = c("A", "B"), dose = c(1, 2), cell_type = "T")
  expect_identical(several$dose, list(1, 2))
  expect_identical(several$cell_type, c("T", "T"))
  listed <- condition(drug = list(c("(+)-x", "y")), dose = list(c(1, 2)))
  expect_identical(bare(listed$perturbation), list(c("(+)-x", "y")))
  expect_identical(bare(condition(drug = "a+b", sep = NULL)$perturbation), list("a+b"))
  expect_identical(bare(condition("A")$perturbation), list("A"))
})

test_that("several numbers for one perturbation are several conditions", {
  three <- condition(drug = "A", dose = c(0.1, 1, 10), cell_type = "T")
  expect_identical(three$dose, list(0.1, 1, 10))
  expect_identical(three, condition(drug = "A", dose = list(0.1, 1, 10), cell_type = "T"))
  expect_identical(condition("A", dose = c(0.1, 1, 10), dose_unit = "nM", cell_type = c("x", "y", "z"))$cell_type,
                   c("x", "y", "z"))
  # Where the screen joins names by another sign, it is a combination, and the number of doses is wrong.
  keys <- new_keys("drug", control = "control", sep = "_")
  expect_refused(as_condition(condition(drug = "A_B", dose = c(1, 2)), keys), "the screen has sep = \"_\"")
})

test_that("condition_grid() crosses everything, the first axis slowest", {
  grid <- condition_grid(drug = c("A", "A+B"), dose = c(0.1, 1), cell_type = c("x", "y"))
  expect_identical(nrow(grid), 8L)
  expect_identical(format(grid)[c(1, 2, 3, 5)],
                   c("A@0.1, cell_type = x", "A@0.1, cell_type = y", "A@1, cell_type = x",
                     "A@0.1+B@0.1, cell_type = x"))
  expect_identical(condition_grid(drug = "A+B", dose = list(c(1, 2)))$dose, list(c(1, 2)))
})

test_that("conditions that cannot be meant are refused", {
  expect_refused(condition(), "must name a perturbation")
  expect_refused(condition(drug = "A+"), "text such as")
  expect_refused(condition(drug = NA), "text such as")
  expect_refused(condition(drug = c("A", "B"), dose = c(1, 2, 3)), "one number, 0 or greater, per part")
  expect_refused(condition(drug = "A+B", dose = c(1, 2, 3)), "one number, 0 or greater, per part")
  expect_refused(condition(drug = "A", dose = c(1, 2), cell_type = c("T", "NK", "B")), "one number.*per part")
  expect_refused(condition(drug = "A", dose = -1), "0 or greater")
  expect_refused(condition(drug = "A", dose = NA_real_), "0 or greater")
  expect_refused(condition(drug = "A+B", dose = 1), "per part")
  expect_refused(condition(drug = c("A", "B"), cell = c("x", "y", "z")), "one per condition")
  expect_refused(condition(drug = "A", cell = list()), "must be a level")
  expect_refused(condition(drug = "A", "B"), "must have names")
  expect_refused(condition_grid(drug = "A+B", dose = "1"), "per part")
  expect_refused(condition("A", dose_unit = "nM"), "there is no `dose`")
})

test_that("print says each condition on a line", {
  expect_output(print(condition(drug = "A+B", dose = c(1, 0.5), cell_type = "T")),
                "<1 condition>\n  A@1\\+B@0.5, cell_type = T")
  expect_output(print(condition_grid(drug = letters), n = 3), "... and 23 more")
  units <- rbind(condition("A", dose = 1), condition("A+B", dose = c(1, 20), dose_unit = "nM"))
  expect_output(print(units), "<2 conditions>\n  A@1\n  A@1 nM\\+B@20 nM")
  expect_output(print(units["dose"]), "tibble")
})

test_that("numbers are names of perturbations, as in the cells", {
  expect_identical(bare(condition(drug = c(3, 1e5))$perturbation), list("3", "100000"))
  expect_identical(bare(condition_grid(drug = 1:2)$perturbation), list("1", "2"))
  expect_identical(bare(condition(drug = list(c(1e5, 2)))$perturbation), list(c("100000", "2")))
  expect_identical(bare(condition(treated = TRUE)$perturbation), list("TRUE"))
  keys <- toy_keys(sep = ";")
  asked <- list(condition(drug = 1e5), data.frame(drug = 1e5), data.frame(drug = 100000L))
  for (one in asked) expect_identical(as_condition(one, keys)$perturbation, list("100000"))
})

test_that("doses with units are told to be no numbers", {
  expect_refused(condition("A", dose = "10nM"), "must be numbers.*It is \"10nM\".*dose = 10.*`dose_unit = \"uM\"`")
  expect_refused(condition("A+B", dose = list("1", "x")), "must be numbers.*\"1\", \"x\"")
  expect_refused(condition("A", dose = NA_character_), "one number, 0 or greater")
})

test_that("a fit or a table in the place of a perturbation is refused, not taken for a list of its parts", {
  expect_refused(condition(small_fit()), "must be a text such as.*an object of class `compert_fit`")
  expect_refused(condition_grid(small_fit(), cell_type = "K562"), "must be a text such as.*`compert_fit`")
})
