test_that("newdata may lack what a question does not need", {
  cells <- small_cells()
  fit <- small_fit()
  bare <- cells$col_data["cell_type"]
  screen <- read_newdata(fit, cells$x, col_data = bare)
  expect_true(all(screen$control))
  expect_null(screen$split)
  expect_error(read_newdata(fit, cells$x, col_data = cells$col_data["condition"]),
               "There is no column \"cell_type\"")
})

test_that("the fit's assay is for its own kind of container", {
  sce <- small_sce()
  fit <- cpa(sce, "condition", control = "control", covariates = "cell_type", split = "split",
             assay = "logcounts", settings = quick_settings(1))
  cells <- small_cells()
  what <- condition(condition = "IFNb", cell_type = "B")
  from_matrix <- predict(fit, cells$x, what, col_data = cells$col_data)
  from_sce <- predict(fit, sce, what)
  expect_equal(SummarizedExperiment::assay(from_sce, "mean"), from_matrix, ignore_attr = TRUE)
  expect_error(predict(fit, sce, what, assay = "normcounts"), "There is no assay \"normcounts\"")
})

test_that("what training read is read again, whatever the object's default is by now", {
  object <- small_seurat()
  fit <- cpa(object, "condition", control = "control", covariates = "cell_type", split = "split",
             settings = quick_settings(1))
  read <- function(...) read_newdata(fit, ...)
  wanted <- read(object)$x
  other <- SeuratObject::CreateAssayObject(data = 2 * small_cells()$x)
  SeuratObject::Key(other) <- "sct_"
  object[["SCT"]] <- other
  SeuratObject::DefaultAssay(object) <- "SCT"
  expect_identical(read(object)[c("assay", "layer")], list(assay = "RNA", layer = "data"))
  expect_identical(read(object)$x, wanted)
  expect_identical(read(object, assay = "SCT")$assay, "SCT")
  expect_identical(read(object, layer = "data")$assay, "RNA")
  fit$meta$assay <- "ADT"
  expect_refused(read(object), "assay that the fit was made on.*\"ADT\".*\"SCT\".*`assay = `")
  expect_refused(read(object, layer = "data"), "assay that the fit was made on")
  expect_refused(read(object, assay = "sct"), "`assay` must be one that `x` has.*\"sct\"")
})

test_that("another assay is not taken for the fit's, even where it is the only one", {
  sce <- small_sce()
  fit <- small_fit()
  fit$meta[c("container", "assay")] <- list("SingleCellExperiment", "logcounts")
  SummarizedExperiment::assay(sce, "scaled") <- SummarizedExperiment::assay(sce) * 2
  only <- sce
  SummarizedExperiment::assay(only, "logcounts") <- NULL
  expect_identical(read_newdata(fit, sce)$assay, "logcounts")
  expect_refused(read_newdata(fit, only), "that the fit was made on.*\"logcounts\".*\"scaled\"")
  expect_identical(read_newdata(fit, only, assay = "scaled")$assay, "scaled")
  fit$meta$container <- "matrix"
  expect_identical(read_newdata(fit, only)$assay, "scaled")
})

test_that("cells that were written and read back fit the fit, and the other way round", {
  sce <- small_sce()
  path <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(sce, path)
  back <- read_h5ad(path)
  expect_identical(SummarizedExperiment::assayNames(back), "X")
  fit <- small_fit()
  fit$meta[c("container", "assay")] <- list("SingleCellExperiment", "logcounts")
  expect_identical(read_newdata(fit, back)$assay, "X")
  counts <- round(10 * SummarizedExperiment::assay(back))
  wrong <- SummarizedExperiment::`assay<-`(back, "X", value = counts)
  expect_error(read_newdata(fit, wrong), "counts")
  fit$meta$assay <- "X"
  expect_identical(read_newdata(fit, sce)$assay, "logcounts")
  expect_refused(read_newdata(fit, sce, assay = "X"), "`assay` must be one that `x` has")
  fit <- small_fit(loss = "nb")
  fit$meta[c("container", "assay")] <- list("SingleCellExperiment", "counts")
  expect_error(read_newdata(fit, back), "counts")
  expect_identical(read_newdata(fit, wrong)$assay, "X")
})

test_that("the layer of a file is read again; a 10x file has one matrix", {
  cells <- small_cells()
  path <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(list(X = 2 * cells$x, layers = list(log = cells$x), obs = cells$col_data), path)
  fit <- small_fit()
  fit$meta[c("container", "assay")] <- list("h5ad", "log")
  expect_identical(read_newdata(fit, path)$assay, "log")
  expect_identical(read_newdata(fit, path, layer = "X")$assay, "X")
  expect_identical(read_newdata(fit, path, assay = "X")$assay, "X")
  fit$meta$assay <- "norm"
  expect_refused(read_newdata(fit, path),
                 "layer that the fit was made on.*\"norm\".*\"X\", \"log\"")
  expect_identical(container_kind("filtered.h5"), "matrix")
})

test_that("row keys tell rows apart and ignore nothing", {
  expect_identical(row_keys(data.frame(a = c("x", "x"), b = c("y", "z")))[1] ==
                     row_keys(data.frame(a = c("x", "x"), b = c("y", "z")))[2], FALSE)
  expect_identical(row_keys(data.frame(row.names = 1:3)), rep("", 3))
})

test_that("row codes number equal rows alike, in the order in which they appear", {
  expect_identical(row_codes(list(c(7, 7, 2, 7), c("x", "y", "x", "x"))), c(1L, 2L, 3L, 1L))
  expect_identical(row_codes(list(c("b", NA, "b", NA))), c(1L, 2L, 1L, 2L))
  expect_identical(row_codes(list(integer(), character())), integer())
  table <- expand.grid(a = 1:4, b = letters[1:3], c = c(TRUE, FALSE))[c(1:24, 24:1), ]
  expect_identical(row_codes(table), c(1:24, 24:1))
})

test_that("cells without perturbations are controls for some questions, and that is said", {
  cells <- small_cells()
  fit <- small_fit()
  bare <- cells$col_data["cell_type"]
  what <- condition(condition = "IFNb", cell_type = "B")
  said <- "There is no column \"condition\": all 240 cells are taken as controls"
  flat <- function(expr) gsub("\\s+", " ", paste(capture_messages(expr), collapse = " "))
  expect_match(flat(predict(fit, cells$x, what, col_data = bare)), said)
  expect_match(flat(dose_response(fit, cells$x, space = "genes", dose = 1, col_data = bare)), said)
  expect_match(flat(reconstruct(fit, cells$x, add = NULL, col_data = bare)), said)
  expect_silent(cell_embedding(fit, cells$x, "basal", col_data = bare))
  expect_silent(predict(fit, cells$x, what, col_data = cells$col_data))
  own <- "There is no column \"condition\""
  expect_refused(cell_embedding(fit, cells$x, "treated", col_data = bare), own)
  expect_refused(cell_embedding(fit, cells$x, "corrected", col_data = bare), own)
  expect_refused(reconstruct(fit, cells$x, col_data = bare), own)
  expect_refused(augment(fit, cells$x, col_data = bare), own)
  renamed <- small_sce()
  renamed$condition <- NULL
  expect_refused(write_back(fit, renamed), own)
  expect_silent(write_back(fit, renamed, which = "basal"))
})

test_that("cells at doses that controls do not have are not taken as controls", {
  cells <- dosed_cells()
  fit <- dosed_fit()
  bare <- cells$col_data[c("cell_type", "dose")]
  what <- condition("B", cell_type = "T")
  ask <- function(table) predict(fit, cells$x, what, col_data = table, summarise = "condition")
  expect_refused(ask(bare), "\"c13\" has dose 0.1 \\(and 71 more cells\\) and there is no column \"drug\"")
  bare$dose <- "0"
  screen <- suppressMessages(read_newdata(fit, cells$x, col_data = bare))
  expect_identical(unique(screen$doses), list(0))
  expect_message(ask(bare), "all 84 cells are taken as")
  bare$dose <- NULL
  expect_message(ask(bare), "all 84 cells are taken as")
})

test_that("doses of cells without perturbations matter only where controls are needed", {
  cells <- dosed_cells()
  bare <- cells$col_data[c("cell_type", "dose")]
  embed <- function(table) cell_embedding(dosed_fit(), cells$x, "basal", col_data = table)
  expect_identical(embed(bare), embed(cells$col_data))
  expect_refused(cell_embedding(dosed_fit(), cells$x, "treated", col_data = bare), "no column \"drug\"")
})

test_that("controls may have every dose that controls had in training", {
  cells <- dosed_cells()
  control <- cells$col_data$drug == "control"
  cells$col_data$dose[control] <- c("0", "0", "0.3333333333333333", "0.3333333333333333")
  fit <- dosed_fit(cells = cells)
  bare <- cells$col_data[control, c("cell_type", "dose")]
  ask <- function(table) {
    predict(fit, cells$x[, control], condition("B"), col_data = table, summarise = "condition")
  }
  expect_message(answer <- ask(bare), "all 12 cells are taken as")
  expect_equal(answer, ask(cells$col_data[control, ]))
  bare$dose[5] <- "0.5"
  expect_refused(ask(bare), "\"c5\" has dose 0.5 .*controls have dose 0 or 0.333333333333333")
})

test_that("values on another scale than those of training are told", {
  cells <- small_cells()
  scores <- function(x) {
    evaluate_r2(small_fit(), x, col_data = cells$col_data, split = "ood", baselines = FALSE, min_cells = 1)
  }
  expect_warning(scores(cells$x), NA)
  expect_warning(scores(expm1(cells$x) * 10), "values up to [0-9.]+ \\(no logarithm", class = "compert_other_scale")
  expect_warning(scores(as.matrix(cells$x) - 1), "negative values", class = "compert_other_scale")
  scaled <- suppressWarnings(cpa(as.matrix(cells$x) - 1, "condition", control = "control", split = "split",
                                 col_data = cells$col_data, settings = quick_settings(1)))
  what <- condition(condition = "IFNb")
  expect_warning(predict(scaled, as.matrix(cells$x) - 1, what, col_data = cells$col_data), NA)
  expect_warning(predict(small_fit(), 0 * cells$x, what, col_data = cells$col_data), NA)
})

test_that("proteins on another scale than those of training are told", {
  adt <- cite_cells()$adt
  clr <- log1p(adt) / 2
  both <- cite_sce(adt = list(counts = adt, clr = clr))
  normalised <- multi_fit(both, proteins = NULL, protein_assay = "clr")
  expect_identical(normalised$meta$protein_counts, FALSE)
  look <- function(fit, x) read_newdata(fit, x, col_data = plain_cells(x))
  expect_warning(look(normalised, both), NA)
  file <- cite_h5ad()
  other <- "were no whole numbers.*They are whole numbers"
  for (x in list(file, read_h5ad(file), cite_rows())) {
    expect_warning(look(normalised, x), other, class = "compert_other_scale")
  }
  expect_warning(evaluate_r2(normalised, file, split = "ood", baselines = FALSE, min_cells = 1), other,
                 class = "compert_other_scale")
  expect_warning(look(normalised, cite_h5ad(adt = clr)), NA)
  raw <- multi_fit(both, proteins = NULL, protein_assay = "counts", protein_loss = "gauss")
  expect_warning(look(raw, file), NA)
  expect_warning(look(raw, cite_h5ad(adt = clr)), "were whole numbers.*They are no whole numbers",
                 class = "compert_other_scale")
  # Cells without proteins have no scale of them; an older fit does not know its own.
  open <- multi_fit(cite_rows(clr), fusion = "poe")
  expect_warning(look(open, cite_sce(adt = list(counts = replace(adt, TRUE, NA)))), NA)
  open$meta$protein_counts <- NULL
  expect_warning(look(open, file), NA)
})

test_that("the column of splits may hold anything where nobody looks at it", {
  cells <- small_cells()
  fit <- small_fit()
  what <- condition(condition = "IFNb", cell_type = "B")
  ask <- list(function(...) predict(fit, cells$x, what, ...), function(...) cell_embedding(fit, cells$x, ...),
              function(...) observed_response(fit, cells$x, ...),
              function(...) plot_means(fit, cells$x, what, ...)$data,
              function(...) disentanglement(fit, cells$x, split = NULL, ...))
  query <- cells$col_data
  query$split <- replace(query$split, 1:5, NA)
  without <- query[names(query) != "split"]
  for (verb in ask) {
    expect_equal(structure(verb(col_data = query), col_data = NULL),
                 structure(verb(col_data = without), col_data = NULL))
  }
  query$split <- "query"
  named <- "must hold \"train\", \"test\" and \"ood\" only. x Column \"split\" holds \"query\". i "
  for (verb in list(evaluate_r2, evaluate_effects, evaluate_cells)) {
    expect_refused(verb(fit, cells$x, col_data = query), paste0(named, "Write these words; .*by `condition = `"))
    expect_s3_class(verb(fit, cells$x, col_data = without, condition = what), "tbl_df")
  }
  expect_refused(disentanglement(fit, cells$x, col_data = query), paste0(named, "Write `split = NULL`"))
  expect_refused(expected_r2(fit, cells$x, col_data = query), paste0(named, "split_cells"))
  expect_refused(resume_fit(fit, cells$x, 1, col_data = query), paste0(named, "Give the same cells"))
})

test_that("labels that an answer leaves out need not be known to the fit", {
  cells <- small_cells()
  cells$col_data$run <- rep(c("r1", "r2"), length.out = ncol(cells$x))
  fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", batch = "run",
             split = "split", col_data = cells$col_data, settings = quick_settings(1))
  other <- cells$col_data
  embed <- function(table, ...) cell_embedding(fit, cells$x, ..., col_data = table)
  other$condition[1:3] <- c("other", NA, "")
  for (add in list(NULL, "cell_type")) {
    expect_identical(embed(other, "custom", add = add), embed(cells$col_data, "custom", add = add))
  }
  other$condition[2:3] <- "new"
  expect_refused(embed(other, "treated"), "\"other\", \"new\" was never")
  decode <- function(table, add) reconstruct(fit, cells$x, add = add, col_data = table)
  expect_equal(decode(other, NULL), decode(cells$col_data, NULL), ignore_attr = TRUE)
  score <- function(table) {
    evaluate_cells(fit, cells$x, condition = condition(condition = "IFNb"), col_data = table, min_cells = 1)
  }
  own <- c("r2_cells", "r2_var")  # DEGs are found against fewer controls
  expect_identical(score(other)[own], score(cells$col_data)[own])
  other <- cells$col_data
  other$run[1] <- "r9"
  expect_identical(embed(other, "corrected"), embed(cells$col_data, "corrected"))
  expect_refused(embed(other, "treated"), "`run` must be a level")
  what <- condition(condition = "IFNb", cell_type = "B")
  ask <- function(table, asked = what, ...) {
    answer <- predict(fit, cells$x, asked, residual = FALSE, summarise = "condition", col_data = table, ...)
    as.vector(answer)
  }
  expect_identical(ask(other, correct = "batch"), ask(cells$col_data, correct = "batch"))
  in_run <- condition(condition = "IFNb", cell_type = "B", run = "r2")
  expect_identical(ask(other, in_run), ask(cells$col_data, in_run))
  other <- cells$col_data
  some <- which(other$condition == "IFNb" & other$cell_type == "NK")[1:3]
  other$condition[some] <- "new"
  expect_identical(ask(other, source = some), ask(cells$col_data, source = some))
})
