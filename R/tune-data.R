# The cells of a search: read and checked once, a sample of them where that is wanted, and how they
# get to other processes.

# list(task, data): `task` is what the model's verb makes of the cells (new_task()), `data` the arguments
# `x`, `col_data`, `assay` and `layer` of every trial. `how`: see read_own().
tuning_cells <- function(x, keys, col_data, settings, sample_cells, stream,
                         how = read_own(keys, settings, list()), call = rlang::caller_env()) {
  if (is.character(x) && length(x) == 1 && file.exists(x)) x <- normalizePath(x)
  data <- list(x = x, col_data = col_data, assay = keys$assay, layer = keys$layer)
  read <- function(data) {
    keys <- how$keys
    keys[c("assay", "layer")] <- list(data$assay, data$layer)
    new_task(data$x, keys, data$col_data, how$settings, how$molecules, call, how$doses)
  }
  if (!is.null(sample_cells)) {
    data <- sample_data(data, suppressWarnings(read(data)), sample_cells, stream, call)
  }
  task <- read(data)
  if (is.null(task$plan)) {
    abort_input("A search must have test cells, by which trials are compared.",
                "No perturbed condition has 5 test cells.",
                c(if (!is.null(sample_cells)) "Raise `sample_cells`.",
                  paste0(if (is.null(keys$split)) "The automatic split" else "split_cells(test = 0.25)",
                         " gives them to conditions of 20 cells and more; smaller ones need a `split` with ",
                         "more of their cells in \"test\".")),
                call)
  }
  list(task = task, data = data)
}

sample_data <- function(data, task, n, stream, call) {
  screen <- task$screen
  group <- condition_group(screen)
  if (!task$automatic) group <- paste(group, screen$split, sep = "\u001d")
  cells <- sample_strata(group, n, stream, call)
  if (is.character(data$x)) return(sample_file(screen, cells, call))
  if (!is.null(data$col_data)) data$col_data <- screen$col_data[cells, , drop = FALSE]
  data$x <- if (inherits(data$x, "Seurat")) {
    subset(data$x, cells = colnames(data$x)[cells])
  } else {
    data$x[, cells]
  }
  data
}

# Cells of a file, with their proteins where the file has them.
sample_file <- function(screen, cells, call) {
  x <- as_columns(screen$x[, cells, drop = FALSE], call)
  col_data <- screen$col_data[cells, , drop = FALSE]
  if (is.null(screen$proteins)) return(list(x = x, col_data = col_data))
  proteins <- screen$proteins[, cells, drop = FALSE]
  proteins[, bitwAnd(screen$measured[cells], proteins_only) == 0L] <- NA
  place <- screen$keys$proteins
  if (identical(place, rownames(proteins))) return(list(x = rbind(x, as_sparse(proteins)), col_data = col_data))
  check_package("SingleCellExperiment", "for `sample_cells` of a file with proteins", call)
  named <- function(values, assay) rlang::set_names(list(values), assay)
  main <- SingleCellExperiment::SingleCellExperiment(
    named(x, if (is_count_loss(screen$loss)) "counts" else "logcounts"), colData = col_data
  )
  # The name of an array is that of no assay: without a name a fit looks for its proteins by their likelihood.
  assay <- setdiff(screen$keys$protein_assay, place)
  SingleCellExperiment::altExp(main, place) <- SummarizedExperiment::SummarizedExperiment(
    if (length(assay)) named(proteins, assay) else list(proteins)
  )
  list(x = main)
}

# Numbers of `n` items, each group with its share, but two of each at least.
sample_strata <- function(group, n, seed, call = rlang::caller_env()) {
  total <- length(group)
  check_count(n, "sample_cells", call = call)
  if (n >= total) return(seq_len(total))
  code <- match(group, unique(group))
  size <- tabulate(code)
  least <- pmin(size, 2)
  if (n < sum(least)) {
    abort_input("`sample_cells` must leave two cells of every condition.",
                paste0("It is ", n, "; ", count_of(length(size), "condition"),
                       " (with covariates and split) need ", sum(least), "."),
                "Raise it, or leave it out.", call)
  }
  share <- n * size / total
  take <- pmax(least, floor(share))
  while (sum(take) < n) {
    more <- order(take - share)
    more <- utils::head(more[take[more] < size[more]], n - sum(take))
    take[more] <- take[more] + 1
  }
  while (sum(take) > n) {
    less <- order(share - take)
    less <- utils::head(less[take[less] > least[less]], sum(take) - n)
    take[less] <- take[less] - 1
  }
  rank <- integer(total)
  rank[order(code, seeded_uniform(total, seed))] <- sequence(size)
  which(rank <= take[code])
}

# A check sum of what is fitted: values, names, conditions, covariates, split, molecules and proteins.
hash_task <- function(task) {
  screen <- task$screen
  x <- screen$x
  values <- if (is_stored(x)) by_blocks(x, function(block) plain_hash(matrix_values(block))) else
    matrix_values(x)
  about <- list(dimnames(x), screen$parts, screen$doses, c(as.list(screen$covariates), as.list(screen$continuous)),
                if (task$automatic) "automatic" else screen$split, screen$loss,
                task$design[c("features", "graphs")], dimnames(screen$proteins), screen$proteins,
                screen$measured)
  rlang::hash(vapply(c(values, about), plain_hash, ""))
}

matrix_values <- function(x) if (methods::is(x, "dgCMatrix")) list(x@i, x@p, x@x) else list(as.vector(x))

# The same for equal vectors, whatever R makes of them inside: rlang::hash() tells 1:3 from
# c(1L, 2L, 3L), and both from c(1, 2, 3).
plain_hash <- function(x) {
  plain <- function(x) {
    if (is.list(x)) return(lapply(unclass(x), plain))
    switch(typeof(x), integer = , double = as.double(x) + 0, character = paste0(x), x)
  }
  rlang::hash(list(names(x), plain(x)))
}

# The cells for other processes: `file`, in the folder of the search, that is read once by each. Data
# that are a path are that already.
share_data <- function(data, file, call = rlang::caller_env()) {
  if (is.character(data$x)) return(data)
  if (saved_whole(data, file)) return(file)
  abort_input("`dir` must have room for the cells, which other processes read there.",
              paste0("Writing ", format(utils::object.size(data), units = "auto"), " to ",
                     dQuote(dirname(file), FALSE), " failed."),
              "Look at its permissions and at the free space, or leave `BPPARAM` out.", call)
}

tuning_cache <- new.env(parent = emptyenv())

trial_data <- function(data) {
  if (is.list(data)) return(data)
  if (!identical(tuning_cache$file, data)) {
    tuning_cache$data <- readRDS(data)
    tuning_cache$file <- data
  }
  # Methods for S4 objects are found when the package of their class is loaded.
  package <- attr(class(tuning_cache$data$x), "package")
  if (!is.null(package)) requireNamespace(package, quietly = TRUE)
  tuning_cache$data
}

forget_trial_data <- function() rm(list = ls(tuning_cache), envir = tuning_cache)
