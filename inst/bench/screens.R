# Data for the speed measurements: a synthetic log-normalised screen of any size, 10 % stored, with
# as many molecule features and proteins as a model needs.

synthetic_screen <- function(n_cells, n_genes, n_drugs = 10, stored = 0.1, seed = 1,
                             counts = FALSE, n_features = 0, n_proteins = 0) {
  set.seed(seed)
  per_cell <- max(1, round(n_genes * stored))
  i <- as.vector(vapply(seq_len(n_cells), function(c) sort.int(sample.int(n_genes, per_cell)),
                        integer(per_cell)))
  x <- new("dgCMatrix", i = i - 1L, p = as.integer(seq(0, by = per_cell, length.out = n_cells + 1)),
           x = stats::rgamma(n_cells * per_cell, 4, 3), Dim = as.integer(c(n_genes, n_cells)),
           Dimnames = list(paste0("g", seq_len(n_genes)), paste0("c", seq_len(n_cells))))
  drugs <- c("control", sprintf("d%03d", seq_len(n_drugs - 1)))
  drug <- sample(drugs, n_cells, TRUE)
  col_data <- data.frame(
    drug = drug, dose = ifelse(drug == "control", 1, sample(c(.1, .3, 1), n_cells, TRUE)),
    cell_type = sample(c("A", "B", "C"), n_cells, TRUE), split = "train", row.names = colnames(x))
  if (counts) x@x <- ceiling(2 * x@x)
  # The control is no molecule: features of 0.
  molecules <- matrix(stats::rnorm(n_drugs * n_features), n_drugs, n_features,
                      dimnames = list(drugs, names_of("f", n_features)))
  molecules["control", ] <- 0
  proteins <- matrix(stats::rnorm(n_proteins * n_cells), n_proteins, n_cells,
                     dimnames = list(names_of("p", n_proteins), colnames(x)))
  list(x = x, col_data = col_data, molecules = molecules, proteins = proteins)
}

names_of <- function(letter, n) sprintf("%s%d", letter, seq_len(n))

# The same for a program in another language: one file of doubles per array, cells by rows.
write_reference_input <- function(screen, path) {
  code <- function(values, levels) match(values, levels) - 1L
  about <- screen$col_data
  parts <- list(indptr = screen$x@p, indices = screen$x@i, data = screen$x@x, dim = dim(screen$x),
                drug = code(about$drug, rownames(screen$molecules)), dose = about$dose,
                cell_type = code(about$cell_type, c("A", "B", "C")),
                test = about$split == "test", molecules = t(screen$molecules),
                proteins = screen$proteins)
  for (name in names(parts)) writeBin(as.double(parts[[name]]), file.path(path, name))
}
