test_that("genes are matched by name", {
  registry <- new_registry(toy_screen())
  x <- toy_log()
  expect_identical(match_genes(x[12:1, ], registry), x)
  expect_identical(match_genes(rbind(x, extra = 1), registry), x)
  expect_refused(match_genes(x[-1, ], registry), "lacks 1 of 12 genes.*\"gene1\"")
  zero <- match_genes(x[-1, ], registry, "zero")
  expect_identical(zero[1, ], x[1, ] * 0)
  expect_identical(zero[-1, ], x[-1, ])
  expect_identical(as.matrix(match_genes(as_sparse(x[-1, ]), registry, "zero")), zero)
  expect_refused(match_genes(x[1:3, ], registry, "zero"), "lacks 9 of 12 genes.*the same kind of names")
  expect_refused(match_genes(x[1:8, ], registry, "zero"), "lacks 4 of 12 genes.*with all genes of training")
})

test_that("genes and proteins that only Seurat's dashes set apart are the same", {
  expect_identical(match_feature_names(c("a_1", "b", "c-2"), c("b", "c_2", "a-1")), c(3L, 1L, 2L))
  expect_identical(match_feature_names(c("a_1", "a-1", "x"), c("a-1", "z")), c(NA, 1L, NA))
  expect_identical(match_feature_names(c("a_1_b", "c"), c("a-1_b", "a_1-b")), c(NA_integer_, NA))
  expect_identical(match_feature_names(character(), "a"), integer())
  skip_without_package("SeuratObject")
  cells <- cite_cells()
  marked <- function(x) {
    rownames(x) <- sub("([0-9])", "_\\1", rownames(x))
    x
  }
  genes <- marked(cells$genes)
  adt <- marked(cells$adt)
  rows <- rbind(genes, adt)
  fit <- multi_fit(rows, proteins = rownames(adt))
  seurat <- suppressWarnings(SeuratObject::CreateSeuratObject(as_sparse(genes), meta.data = cells$col_data))
  seurat[["ADT"]] <- suppressWarnings(SeuratObject::CreateAssayObject(counts = as_sparse(adt)))
  expect_identical(rownames(seurat)[1L], "gene-1")
  expect_identical(protein_expression(fit, seurat), protein_expression(fit, rows, col_data = cells$col_data))
  expect_equal(as.matrix(SeuratObject::GetAssayData(suppressWarnings(ask_both(fit, seurat))[["mean"]])),
               ask_both(fit, rows), ignore_attr = TRUE)
  of_seurat <- multi_fit(seurat, proteins = NULL)
  expect_equal(protein_expression(of_seurat, rows, col_data = cells$col_data),
               protein_expression(of_seurat, seurat))
})

test_that("names that a column of the genes' table has are found there, whatever the cells come in", {
  cells <- small_cells()
  ids <- sprintf("ENSG%05d", seq_len(nrow(cells$x)))
  symbols <- rownames(cells$x)
  x <- cells$x
  rownames(x) <- ids
  fit <- suppressWarnings(cpa(x, "condition", control = "control", covariates = "cell_type",
                              col_data = cells$col_data, settings = quick_settings()))
  table <- data.frame(ID = ids, Symbol = factor(symbols), length = seq_along(ids), row.names = ids)
  id <- function(symbol) ids[match(symbol, symbols)]
  two <- symbols[c(5, 3)]
  told <- function(where, more = "") {
    rows <- paste0("\"", two, "\" is row \"", id(two), "\"", collapse = ", ")
    paste0("By the column \"Symbol\" of ", where, " ", rows, ": ask by the names of rows.*", more)
  }
  ask <- function(newdata, genes = c(two, "none"), ...) {
    dose_response(fit, newdata, perturbation = "IFNb", genes = genes, ...)
  }
  file <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(x, file, col_data = cells$col_data, row_data = table)
  expect_refused(ask(file), told("`var` of the file", "a.var_names = a.var\\[\"Symbol\"\\]"))
  # Nothing there that is asked for, no table, and no cells: as ever.
  for (from in list(quote(ask(file, "none")), quote(ask(x, col_data = cells$col_data)))) {
    expect_refused(eval(from), "`genes` must be genes.*of the fit")
    expect_no_match(error_parts(eval(from))$text, "By the column")
  }
  degs <- list(IFNb = two)
  expect_refused(evaluate_r2(fit, file, degs = degs), paste0("hold genes of the screen.*", told("`var` of the file")))
  skip_without_package("SingleCellExperiment")
  sce <- SingleCellExperiment::SingleCellExperiment(list(logcounts = x), colData = cells$col_data, rowData = table)
  of <- "rowData\\(newdata\\)"
  expect_refused(ask(sce), told(of, "rownames\\(newdata\\) <- scuttle::uniquifyFeatureNames"))
  expect_refused(plot_means(fit, sce, condition("IFNb"), genes = two), told(of))
  expect_refused(cpa(sce, "condition", control = "control", covariates = "cell_type", degs = degs),
                 told("rowData\\(x\\)", "rownames\\(x\\) <- "))
  skip_without_package("SeuratObject")
  seurat <- suppressWarnings(SeuratObject::CreateSeuratObject(as_sparse(x), meta.data = cells$col_data))
  seurat[["RNA"]] <- SeuratObject::AddMetaData(seurat[["RNA"]], table)
  expect_refused(ask(seurat), told("newdata\\[\\[\"RNA\"\\]\\]\\[\\[\\]\\]"))
})
