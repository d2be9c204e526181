test_that("conditions are held out, in the cell types that are named, never controls", {
  expect_setequal(held(split_toy(hold_out = condition("B+A"))), c("A+B T", "A+B NK"))
  expect_setequal(held(split_toy(hold_out = condition("A+B", cell_type = "NK"))), "A+B NK")
  expect_setequal(held(split_toy(hold_out = condition("A", dose = 0.5))), c("A T", "A NK"))
  expect_refused(split_toy(hold_out = condition("A", dose = 9)), "\"A@9\"\\. i At other doses there are \"A@0.5\"")
  expect_refused(split_cells(toy_cells(), "drug", control = "control", hold_out = condition("A", tissue = "T")),
                 "\"tissue\" is none.*columns that `covariates` names")
  asked <- data.frame(drug = c("A", "B"), cell_type = c("T", "NK"))
  expect_setequal(held(split_toy(hold_out = asked)), c("A T", "B NK"))
  expect_refused(split_toy(hold_out = condition("control")), "at least one perturbed cell")
})

test_that("rows with and without a dose are held out as they say, units refused", {
  mixed <- rbind(condition(drug = "B", cell_type = "T"),
                 condition(drug = "A", dose = 0.5, cell_type = "NK"))
  expect_setequal(held(split_toy(hold_out = mixed)), c("B T", "A NK"))
  missed <- rbind(condition(drug = "B"), condition(drug = "A", dose = 0.7))
  expect_warning(missed <- held(split_toy(hold_out = missed)), "No cell matches \"A@0.7\"",
                 class = "compert_unmatched_hold_out")
  expect_setequal(missed, c("B T", "B NK"))
  expect_refused(split_toy(hold_out = condition("A", dose = 0.5, dose_unit = "nM")),
                 "without a `dose_unit`.*It is \"nM\"")
})

test_that("what no cell matches is told, where others are held out", {
  told <- function(out, ...) {
    text <- NULL
    withCallingHandlers(split_toy(hold_out = out, ...), compert_unmatched_hold_out = function(w) {
      text <<- gsub("\\s+", " ", conditionMessage(w))
      invokeRestart("muffleWarning")
    })
    text
  }
  wrong_way <- rbind(condition("A"), condition("B+A", dose = c(0.5, 2), cell_type = "T"))
  expect_match(told(wrong_way), "No cell matches \"A@2\\+B@0.5, cell_type = T\"\\.")
  expect_match(told(data.frame(drug = c("A", "B"), dose = c(9, 2))), "\"A@9\"")
  expect_match(told(list(list(drug = "A"), list(drug = "B", dose = "0.5"))), "\"list 2\"")
  cells <- toy_cells()
  expect_match(told(list(drug = c("A", "B+A")), cells = cells[cells$drug != "A+B", ]), "\"B\\+A\"")
  expect_null(told(rbind(condition("A"), condition("B+A", dose = c(2, 0.5)))))
  expect_null(told(condition_grid(c("A", "B"), dose = c(0.5, 2))))
  expect_refused(split_toy(hold_out = list(time = c(24, 36)), cells = transform(cells, time = 24)),
                 "No cell has \"36\"")
})

test_that("without a dose column a condition has the doses that its label says", {
  cells <- toy_cells()["drug"]
  cells$drug[cells$drug == "A+B"] <- "A+A"
  hold <- function(out, ...) {
    split_cells(cells, "drug", control = "control", hold_out = out, seed = 1, verbose = FALSE, ...)
  }
  held <- function(...) unique(hold(...)$drug[hold(...)$split == "ood"])
  expect_identical(held(condition("A")), "A")
  expect_identical(held(condition("A+A")), "A+A")
  expect_identical(held(condition("A", dose = 2)), "A+A")
  expect_identical(held(list(drug = "A+A")), "A+A")
  expect_setequal(held(list(contains = "A")), c("A", "A+A"))
})

test_that("names of perturbations alone are whole conditions", {
  expect_identical(held(split_toy(hold_out = c("A", "B+A"))), held(split_toy(hold_out = condition(c("A", "A+B")))))
  expect_setequal(held(split_toy(hold_out = factor("A"))), c("A T", "A NK"))
  expect_refused(split_toy(hold_out = c(drug = "A", cell_type = "T")), "list\\(cell_type = ")
  expect_refused(split_toy(hold_out = c(contains = "A")), "a list of filters")
  expect_refused(split_toy(hold_out = "Q"), "No cell has perturbation \"Q\"")
  expect_refused(split_toy(hold_out = mean), "names of perturbations, a list of filters.*hold_out = list")
})

test_that("a share of no condition is told as that", {
  expect_refused(split_toy(hold_out = 0.01),
                 "0.01 of 6 conditions, which rounds to none.*at least 1/6")
  expect_refused(split_toy(hold_out = list(drug = "A", share = 0.1)), "0.1 of 2 conditions")
  expect_setequal(held(split_toy(hold_out = 0)), character())
})

test_that("filters: columns, contents, number of parts, a number or share of them", {
  expect_setequal(held(split_toy(hold_out = list(cell_type = "T"))), c("A T", "B T", "A+B T"))
  expect_setequal(held(split_toy(hold_out = list(drug = "B+A", cell_type = "T"))), "A+B T")
  expect_setequal(held(split_toy(hold_out = list(n_parts = 2))), c("A+B T", "A+B NK"))
  expect_setequal(held(split_toy(hold_out = list(contains = "B", cell_type = "NK"))),
                  c("B NK", "A+B NK"))
  expect_length(held(split_toy(hold_out = list(contains = "B", n = 1))), 1)
  expect_length(held(split_toy(hold_out = 0.5)), 3)
  two <- list(list(drug = "A", cell_type = "T"), list(n_parts = 2, cell_type = "NK"))
  expect_setequal(held(split_toy(hold_out = two)), c("A T", "A+B NK"))
  none <- list(condition("A", dose = 9), list(cell_type = "T"))
  expect_warning(some <- split_toy(hold_out = none), "No cell matches \"list 1\"")
  expect_setequal(held(some), c("A T", "B T", "A+B T"))
  doses <- split_toy(hold_out = list(dose = "2"))
  expect_setequal(held(doses), c("B T", "B NK"))
  cells <- transform(toy_cells(), time = rep(c(24, 100000), each = 4, length.out = 60))
  late <- list(time = "100000", drug = "A")
  expect_setequal(held(split_toy(hold_out = late, cells = cells)), "A NK")
})

test_that("what cannot be held out is refused", {
  expect_refused(split_toy(hold_out = condition("Q")), "No cell has perturbation \"Q\"")
  expect_refused(split_toy(hold_out = condition("A", cell_type = "TT")), "No cell has \"TT\"")
  expect_refused(split_toy(hold_out = list(cell = "T")), "Did you mean \"cell_type\"")
  expect_refused(split_toy(hold_out = list("T")), "must have names")
  expect_refused(split_toy(hold_out = TRUE), "must be a condition")
  expect_refused(split_toy(hold_out = 2), "from 0 to 1")
  expect_refused(split_toy(test = 1), "from 0 to 0.99")
  expect_refused(split_cells(list(), "drug", control = "control"), "data frame with one row")
  expect_refused(split_cells(toy_cells(), "drug"), "control = \"control\"")
  expect_refused(split_cells(toy_cells(), control = "control"), "`perturbation` must be one text")
})

test_that("it says what it did, once", {
  expect_message(split_toy(hold_out = condition("A+B"), verbose = TRUE),
                 "train, .* test, 15 ood cells; held out: \"T, A@0.5\\+B@2\", \"NK, A@0.5")
  expect_message(split_toy(hold_out = condition("A+B", cell_type = "NK"), verbose = TRUE),
                 "held out: \"NK, A@0.5\\+B@2\".")
  expect_silent(split_toy())
})

test_that("SingleCellExperiment and Seurat get the column in place", {
  skip_without_package("SingleCellExperiment", "SeuratObject")
  expected <- split_toy()$split
  sce <- SingleCellExperiment::SingleCellExperiment(
    list(counts = toy_counts()), colData = S4Vectors::DataFrame(toy_cells()))
  sce <- split_toy(cells = sce, name = "part")
  expect_identical(sce$part, expected)
  seurat <- SeuratObject::CreateSeuratObject(as_sparse(toy_counts()), meta.data = toy_cells())
  expect_identical(unname(split_toy(cells = seurat)$split), expected)
})

test_that("perturbations are held out by name where another column is called perturbation", {
  cells <- data.frame(drug = rep(c("control", "A", "B"), each = 8), perturbation = rep(c("x", "y"), 12))
  for (column in c("covariates", "dose")) {
    about <- cells
    if (column == "dose") about$perturbation <- 1
    arguments <- list(about, "drug", control = "control", hold_out = list(drug = "A"), seed = 1, verbose = FALSE)
    arguments[[column]] <- "perturbation"
    expect_identical(do.call(split_cells, arguments)$split == "ood", cells$drug == "A")
  }
})

test_that("many conditions and lists hold out what each of them names", {
  cells <- expand.grid(well = 1:4, drug = c("control", paste0("D", 1:30), "D1+D2"), cell_type = c("K", "L"), dose = 1:2,
                       stringsAsFactors = FALSE)
  cells$dose <- ifelse(cells$drug == "D1+D2", paste0(cells$dose, "+1"), ifelse(cells$drug == "control", "0", cells$dose))
  held <- function(hold_out) {
    split_cells(cells, "drug", control = "control", covariates = "cell_type", dose = "dose", hold_out = hold_out,
                seed = 1, verbose = FALSE)$split == "ood"
  }
  levels <- rep(c("K", "L", NA), 10)
  here <- cells$cell_type == levels[match(cells$drug, paste0("D", 1:30))]
  expect_identical(held(condition(drug = paste0("D", 1:30), cell_type = levels)),
                   startsWith(cells$drug, "D") & cells$drug != "D1+D2" & (is.na(here) | here))
  doses <- condition(drug = c("D3", "D4", "D2+D1"), dose = list(1, 2, c(1, 2)), cell_type = "L")
  expect_identical(held(doses), cells$cell_type == "L" & (cells$drug == "D3" & cells$dose == "1" |
                                  cells$drug == "D4" & cells$dose == "2" | cells$dose == "2+1"))
  lists <- lapply(1:20, function(i) list(drug = paste0("D", i), well = i %% 4 + 1, cell_type = "K"))
  lists <- c(lists, list(list(drug = "D2+D1", dose = "1+1"), condition("D30", cell_type = "L")))
  each <- vapply(lists, function(one) held(one), logical(nrow(cells)))
  expect_identical(held(lists), rowSums(each) > 0)
  expect_identical(colSums(each), rep(c(2, 8), c(20, 2)))
  expect_identical(each[, 1], cells$drug == "D1" & cells$well == 2 & cells$cell_type == "K")
})

test_that("numbers of many cells are written with commas", {
  cells <- data.frame(drug = rep(c("control", "A", "B"), c(1000, 2000, 1500)))
  expect_message(split_cells(cells, "drug", control = "control", hold_out = "B", seed = 1),
                 "2,250 train, 750 test, 1,500 ood cells")
})

test_that("cells that differ in a column of any type only are told apart", {
  cells <- toy_cells()
  first <- cumsum(cells$drug == "A") %% 2 == 1
  cells$when <- as.POSIXlt(ifelse(first, "2024-01-01", "2024-01-02"), tz = "UTC")
  out <- split_toy(cells = cells, hold_out = list(drug = "A", when = "2024-01-01"))$split == "ood"
  expect_identical(out, cells$drug == "A" & first)
})
