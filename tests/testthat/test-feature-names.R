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
