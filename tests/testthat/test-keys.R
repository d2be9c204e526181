test_that("keys are names of columns, in one form", {
  keys <- new_keys("drug", dose = "dose", covariates = c("a", "b"), control = "x", batch = "c")
  expect_identical(keys$covariates, c("a", "b"))
  expect_identical(covariate_names(keys), c("a", "b", "c"))
  expect_identical(new_keys("drug")$covariates, character())
  expect_identical(new_keys("drug", covariates = ~ a + b)$covariates, c("a", "b"))
  expect_identical(new_keys("drug", continuous = ~ age)$continuous, "age")
  expect_identical(new_keys("drug", sep = NULL)["sep"], list(sep = NULL))
})

test_that("a column has one role, and every key is a text", {
  expect_refused(new_keys("drug", dose = "drug"),
                 "\"drug\" is given as `perturbation` and as `dose`")
  expect_refused(new_keys("drug", covariates = "a", batch = "a"), "`covariates` and as `batch`")
  expect_refused(new_keys(NULL), "`perturbation` must be one text")
  expect_refused(new_keys(factor("A")), "the name of a column.*not the column itself.*class `factor`.*perturbation = ")
  expect_refused(new_keys("drug", covariates = rep("T", 101)), "`covariates` must be the name of a column.*101 texts")
  expect_refused(new_keys("drug", continuous = ~ log(time)), "`continuous` must be a formula of names.*~log\\(time\\)")
  expect_refused(new_keys("drug", covariates = drug ~ a), "`covariates` must be a formula of names.*drug ~ a")
  expect_refused(new_keys("drug", covariates = ~ a:b), "`covariates` must be a formula of names")
  expect_refused(new_keys("drug", control = TRUE), "`control` must be a character vector")
  expect_refused(new_keys("drug", loss = "poisson"), "`loss` must be one of")
  expect_identical(new_keys("drug", control = "none", loss = "zinb")$loss, "zinb")
})

test_that("each column that is absent is a defect of its own, for the roles that are needed", {
  keys <- new_keys("drug", dose = "dos", covariates = c("a", "b"), split = "part")
  missing <- column_defects(keys, c("drug", "dose", "a"), all_roles())
  expect_identical(missing$check, rep("missing column", 3))
  expect_match(missing$given, "\"dos\"|\"b\"|\"part\"")
  expect_match(missing$todo[1], "Did you mean \"dose\"")
  expect_identical(nrow(column_defects(keys, c("drug", "a"), "perturbation")), 0L)
})

test_that("identities of Seurat are told how they become a column", {
  expect_match(column_defects(new_keys("ident"), "drug", "perturbation")$todo, "by x\\$ident <- Idents\\(x\\)")
  expect_no_match(column_defects(new_keys("dru"), "drug", "perturbation")$todo, "Idents")
})

test_that("a name that two columns have is no name of one", {
  twice <- column_defects(new_keys("drug", dose = "dose"), c("drug", "dose", "drug"), all_roles())
  expect_identical(twice$check, "repeated column")
  expect_match(twice$given, "There are 2 columns \"drug\"")
  expect_identical(nrow(column_defects(new_keys("drug"), c("drug", NA), all_roles())), 0L)
})

test_that("a column of lists, or a matrix, must have one value for each cell", {
  cells <- toy_cells()
  listed <- function(column, values) {
    cells[[column]] <- values
    cells
  }
  joined <- "Column \"drug\" must have one value.*\"cell4\" has 2 values \\(and 14 more cells\\).*collapse"
  parts <- strsplit(cells$drug, "+", fixed = TRUE)
  expect_refused(toy_screen(cells = listed("drug", parts)), joined)
  expect_refused(split_toy(cells = listed("drug", parts)), joined)
  empty <- replace(as.list(cells$cell_type), 3, list(NULL))
  expect_refused(toy_screen(cells = listed("cell_type", empty)),
                 "Column \"cell_type\" must have one value.*\"cell3\" has 0 values\\.")
  expect_refused(toy_screen(cells = listed("dose", strsplit(cells$dose, "+", fixed = TRUE))), "Column \"dose\" must")
  expect_identical(check_toy(listed("cell_type", empty))$defects$check[1], "several values")
  for (column in c("drug", "dose", "cell_type")) {
    one <- toy_screen(cells = listed(column, as.list(cells[[column]])))
    expect_identical(one[c("parts", "doses", "covariates")], toy_screen()[c("parts", "doses", "covariates")])
  }
  for (column in c("drug", "dose", "cell_type")) {
    pair <- unname(as.matrix(cells[c(column, column)]))
    expect_refused(toy_screen(cells = listed(column, pair)), paste0(column, "\" must.*\"cell1\" has 2 values"))
    expect_identical(check_toy(listed(column, pair))$defects$check, "several values")
  }
  skip_without_package("SingleCellExperiment")
  sce <- SingleCellExperiment::SingleCellExperiment(list(logcounts = toy_log()),
                                                    colData = S4Vectors::DataFrame(cells))
  sce$drug <- methods::as(parts, "CharacterList")
  expect_refused(as_screen(sce, toy_keys()), joined)
})
