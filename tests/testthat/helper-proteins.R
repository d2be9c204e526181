# A small screen of RNA and surface proteins: control, A, B and A+B in two cell types. Numbers are drawn
# under a fixed seed.

cite_cells <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      n <- 160
      cells <- data.frame(
        drug = rep(c("control", "A", "B", "A+B"), length.out = n),
        cell_type = rep(c("T", "NK"), each = 4, length.out = n),
        donor = rep(c("d1", "d2", "d1"), each = 8, length.out = n),
        split = rep(c("train", "train", "train", "test"), each = 8, length.out = n),
        row.names = paste0("cell", seq_len(n))
      )
      cells$split[cells$drug == "A+B" & cells$cell_type == "NK"] <- "ood"
      made <<- withr::with_seed(3, {
        draw <- function(rows, level, names) {
          effect <- matrix(stats::rnorm(3 * rows, sd = 0.5), rows)
          what <- rbind(grepl("A", cells$drug), grepl("B", cells$drug), cells$cell_type == "NK")
          x <- stats::rpois(rows * n, exp(level + effect %*% what))
          matrix(as.double(x), rows, dimnames = list(names, rownames(cells)))
        }
        list(genes = draw(14, 1.2, paste0("gene", 1:14)), adt = draw(5, 2.5, paste0("CD", 1:5)),
             col_data = cells)
      })
    }
    made
  }
})

# Proteins of the cells whose number is a multiple of three are gone.
with_gaps <- function(adt) {
  adt[, seq(3, ncol(adt), 3)] <- NA
  adt
}
cite_rows <- function(adt = cite_cells()$adt) rbind(cite_cells()$genes, adt)

cite_sce <- function(place = "ADT", adt = list(counts = cite_cells()$adt)) {
  skip_without_package("SingleCellExperiment")
  cells <- cite_cells()
  x <- SingleCellExperiment::SingleCellExperiment(list(counts = cells$genes), colData = cells$col_data)
  SingleCellExperiment::altExp(x, place) <- SummarizedExperiment::SummarizedExperiment(adt)
  x
}

cite_seurat <- function(adt = cite_cells()$adt, place = "ADT") {
  skip_without_package("SeuratObject")
  cells <- cite_cells()
  x <- SeuratObject::CreateSeuratObject(as_sparse(cells$genes), meta.data = cells$col_data)
  second <- SeuratObject::CreateAssayObject(counts = as_sparse(adt))
  SeuratObject::Key(second) <- "adt_"
  x[[place]] <- second
  x
}

cite_h5ad <- function(place = "protein_expression", adt = cite_cells()$adt, uns = TRUE,
                      env = parent.frame()) {
  cells <- cite_cells()
  path <- withr::local_tempfile(fileext = ".h5ad", .local_envir = env)
  names <- if (uns) list(protein_names = rownames(adt)) else list()
  write_h5ad(list(X = cells$genes, obs = cells$col_data, obsm = rlang::set_names(list(t(unname(adt))), place),
                  uns = names), path)
  path
}

multi_settings <- function(epochs = 2, ...) {
  multicpa_settings(epochs = epochs, dim = 6, autoencoder_width = 16, batch_size = 32, threads = 1,
                    device = "cpu", seed = 4, verbose = FALSE, checkpoint_freq = 1, ...)
}

# The table that a matrix comes with.
plain_cells <- function(x) if (is.matrix(x) || methods::is(x, "Matrix")) cite_cells()$col_data

# multicpa() on the screen; the same call is answered from memory.
multi_fit <- local({
  made <- list()
  function(x = cite_rows(), ..., proteins = paste0("CD", 1:5), covariates = "cell_type",
           col_data = plain_cells(x), settings = multi_settings()) {
    key <- rlang::hash(list(x, ..., proteins, covariates, col_data, settings))
    if (is.null(made[[key]])) {
      made[[key]] <<- multicpa(x, "drug", control = "control", split = "split", proteins = proteins,
                               covariates = covariates, ..., col_data = col_data, settings = settings)
    }
    made[[key]]
  }
})

# The question that most tests ask, of the controls of one type.
ask_both <- function(fit, x = cite_rows(), ..., cell_type = "NK") {
  predict(fit, x, condition(drug = "A+B", cell_type = cell_type), ...,
          col_data = plain_cells(x))
}
proteins_of <- function(answer) attr(answer, "proteins")
