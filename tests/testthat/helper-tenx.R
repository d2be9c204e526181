# The file that Cell Ranger 3 writes of counts of features x cells.
tenx_file <- function(counts, types, names = rownames(counts), env = parent.frame()) {
  skip_without_package("rhdf5")
  file <- withr::local_tempfile(fileext = ".h5", .local_envir = env)
  write <- function(value, name) h5("h5write")(value, file, name)
  h5("h5createFile")(file)
  for (group in c("matrix", "matrix/features")) h5("h5createGroup")(file, group)
  counts <- as_sparse(counts)
  write(counts@x, "matrix/data")
  write(counts@i, "matrix/indices")
  write(counts@p, "matrix/indptr")
  write(dim(counts), "matrix/shape")
  write(colnames(counts), "matrix/barcodes")
  write(paste0("ENSG", seq_len(nrow(counts))), "matrix/features/id")
  write(names, "matrix/features/name")
  write(types, "matrix/features/feature_type")
  file
}
