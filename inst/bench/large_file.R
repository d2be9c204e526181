# Cells in a file: what training from disk costs beside training in memory, in time and in memory, on a
# screen as large as asked for, of real cells.

# Every fit has a process of its own, because peak memory is one of a process.
bench_stream <- function(options) {
  path <- if (nzchar(options$data)) options$data else tempfile(fileext = ".h5ad")
  if (!file.exists(path)) {
    cat("writing", path, "\n")
    write_large_file(path, options$cells, options$genes)
  }
  one <- function(where, limit) {
    measured <- in_fresh_process(quote({
      options(compert.in_memory = LIMIT)
      fit <- suppressMessages(cpa(
        PATH, "condition", covariates = "cell_type", control = "control", split = "split",
        settings = cpa_settings(epochs = EPOCHS, threads = THREADS, checkpoint_freq = 1000, seed = 1,
                                verbose = FALSE)))
      c(cells = fit$meta$n_cells$train, rate = stats::median(epoch_rates(fit, fit$meta$n_cells$train)),
        peak = peak_memory())
    }), list(LIMIT = limit, PATH = path, EPOCHS = options$epochs, THREADS = options$threads))
    data.frame(cells_from = where, training_cells = measured[["cells"]],
               cells_per_second = measured[["rate"]], peak_MB = measured[["peak"]])
  }
  table <- rbind(one("file", 0), one("memory", Inf), one("file", 0), one("memory", Inf))
  table <- stats::aggregate(table[-1], table[1], stats::median)
  table$rate_to_memory <- table$cells_per_second / table$cells_per_second[table$cells_from == "memory"]
  cat(sprintf("training, default settings, %d threads, epochs after the first of %d\n",
              options$threads, options$epochs))
  print(format(table, digits = 4, big.mark = ","), row.names = FALSE)
  table
}

# The value of an expression in a new R process, numbers by name.
in_fresh_process <- function(expr, values) {
  script <- tempfile(fileext = ".R")
  result <- tempfile(fileext = ".rds")
  body <- do.call(substitute, list(expr, values))
  writeLines(c("suppressPackageStartupMessages(library(compert))",
               sprintf("source(\"%s\")", file.path(here, c("memory.R", "models.R"))),
               sprintf("saveRDS(%s, %s)", paste(deparse(body), collapse = "\n"), deparse(result))),
             script)
  status <- system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", script))
  if (status != 0) stop("the process that measures ended with status ", status)
  readRDS(result)
}

# Genes are those with the largest variance; with more cells than the example has, a cell appears more
# than once (its values are scaled by a few per cent, so that no two are the same).
write_large_file <- function(path, n_cells, n_genes, seed = 1) {
  if (!requireNamespace("rhdf5", quietly = TRUE)) stop("package rhdf5 is needed")
  set.seed(seed)
  cells <- kang_example(as = "list")
  x <- cells$x
  mean <- Matrix::rowMeans(x)
  spread <- Matrix::rowMeans(x^2) - mean^2
  x <- x[sort(order(-spread)[seq_len(min(n_genes, nrow(x)))]), ]
  drawn <- sample.int(ncol(x), n_cells, replace = TRUE)
  h5 <- function(f, ...) getExportedValue("rhdf5", f)(...)
  h5("h5createFile", path)
  for (group in c("X", "obs", "var")) h5("h5createGroup", path, group)
  per_cell <- diff(x@p)
  total <- sum(as.double(per_cell[drawn]))
  for (part in c("data", "indices")) {
    h5("h5createDataset", path, paste0("X/", part), dims = total, chunk = 1e5, filter = "NONE", shuffle = FALSE,
       storage.mode = if (part == "data") "double" else "integer",
       H5type = if (part == "data") "H5T_IEEE_F32LE" else "H5T_STD_I32LE")
  }
  at <- 1
  for (part in split(drawn, (seq_along(drawn) - 1) %/% 20000)) {
    block <- x[, part]
    n <- length(block@x)
    values <- block@x * stats::runif(n, 0.95, 1.05)
    h5("h5write", values, path, "X/data", start = at, count = n)
    h5("h5write", block@i, path, "X/indices", start = at, count = n)
    at <- at + n
  }
  h5("h5write", c(0, cumsum(as.double(per_cell[drawn]))), path, "X/indptr")
  names <- paste0("c", seq_len(n_cells))
  h5("h5write", names, path, "obs/_index")
  for (column in c("condition", "cell_type", "split")) {
    h5("h5write", as.character(cells$col_data[[column]][drawn]), path, paste0("obs/", column))
  }
  h5("h5write", rownames(x), path, "var/_index")
  write_attributes(path, n_cells, nrow(x))
}

write_attributes <- function(path, n_cells, n_genes) {
  h5 <- function(f, ...) getExportedValue("rhdf5", f)(...)
  file <- h5("H5Fopen", path)
  on.exit(h5("H5Fclose", file))
  set <- function(where, values) {
    object <- h5("H5Oopen", file, where)
    for (name in names(values)) h5("h5writeAttribute", values[[name]], object, name)
    h5("H5Oclose", object)
  }
  set("X", list("encoding-type" = "csr_matrix", "encoding-version" = "0.1.0",
                shape = c(n_cells, n_genes)))
  columns <- c("condition", "cell_type", "split")
  set("obs", list("encoding-type" = "dataframe", "encoding-version" = "0.2.0", "_index" = "_index",
                  "column-order" = columns))
  set("var", list("encoding-type" = "dataframe", "encoding-version" = "0.2.0", "_index" = "_index"))
  for (column in c(paste0("obs/", c("_index", columns)), "var/_index")) {
    set(column, list("encoding-type" = "string-array", "encoding-version" = "0.2.0"))
  }
}
