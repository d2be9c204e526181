# Data for the speed measurements: a synthetic log-normalised screen of any size, 10 % stored.

synthetic_screen <- function(n_cells, n_genes, n_drugs = 10, stored = 0.1, seed = 1) {
  set.seed(seed)
  per_cell <- max(1, round(n_genes * stored))
  i <- as.vector(vapply(seq_len(n_cells), function(c) sort.int(sample.int(n_genes, per_cell)),
                        integer(per_cell)))
  x <- new("dgCMatrix", i = i - 1L, p = as.integer(seq(0, by = per_cell, length.out = n_cells + 1)),
           x = stats::rgamma(n_cells * per_cell, 4, 3), Dim = as.integer(c(n_genes, n_cells)),
           Dimnames = list(paste0("g", seq_len(n_genes)), paste0("c", seq_len(n_cells))))
  drug <- sample(c("control", paste0("d", seq_len(n_drugs - 1))), n_cells, TRUE)
  list(x = x, col_data = data.frame(
    drug = drug, dose = ifelse(drug == "control", 1, sample(c(.1, .3, 1), n_cells, TRUE)),
    cell_type = sample(c("A", "B", "C"), n_cells, TRUE), split = "train",
    row.names = colnames(x)))
}

# The same for a program in another language: plain arrays in an HDF5 file.
write_reference_input <- function(screen, path) {
  levels <- sort(unique(screen$col_data$drug))
  types <- sort(unique(screen$col_data$cell_type))
  parts <- list(indptr = screen$x@p, indices = screen$x@i, data = screen$x@x, dim = dim(screen$x),
                drug = match(screen$col_data$drug, levels) - 1L, dose = screen$col_data$dose,
                cell_type = match(screen$col_data$cell_type, types) - 1L)
  for (name in names(parts)) writeBin(as.double(parts[[name]]), file.path(path, name))
}
