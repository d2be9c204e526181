# Features beside the genes in .h5ad files: arrays of obsm, where multicpa() finds proteins.

# An alternative experiment becomes an array of obsm, its features' names "ADT_names" of uns: where
# find_proteins() looks for them.
add_alt_exp <- function(parts, part, name, call) {
  assays <- assay_names(part)
  what <- "an alternative experiment"
  if (length(assays) == 0L || nrow(part) == 0L) {
    parts$notes[name] <- what
    return(parts)
  }
  assay <- match(choose_protein_assay(assays, list(), call), assays)
  values <- SummarizedExperiment::assay(part, assay, withDimnames = FALSE)
  lost <- c(assays[-assay], if (ncol(SummarizedExperiment::rowData(part))) "table of features")
  add_features(parts, t_values(values, call), rownames(part), name, what, lost)
}

# Seurat's assays have no other role than by their names: those of proteins are written in the same way.
add_protein_assays <- function(parts, x, others, call) {
  proteins <- Filter(function(name) !is.null(choose_place(name, list(proteins = ""))), others)
  parts$notes <- c(parts$notes, note_each(setdiff(others, proteins),
                                          "another assay, written on its own with `assay`"))
  for (name in proteins) {
    found <- seurat_proteins(x, name, list(), call)
    lost <- c(found$others, if (ncol(x[[name]][[]])) "table of features")
    parts <- add_features(parts, t(found$x), rownames(found$x), name, "another assay", lost)
  }
  parts
}

add_features <- function(parts, values, features, name, what, lost) {
  key <- paste0(name, "_names")
  taken <- name %in% names(parts$obsm) || key %in% names(parts$uns)
  if (taken || grepl("/", name, fixed = TRUE)) {
    parts$notes[name] <- paste0(what, if (taken) ", whose name obsm or uns has already")
    return(parts)
  }
  parts$obsm[[name]] <- values
  parts$uns[[key]] <- features
  if (length(lost)) parts$notes[name] <- paste("written without its", name_list(lost))
  parts
}

array_stem <- function(place) sub("_(counts|expression|expression_raw)$", "", place)

# The names of the columns of an array of obsm are not in the array: add_features() and totalVI keep them in
# `uns`. NULL where there are not as many.
names_in_uns <- function(place, uns, columns) {
  keys <- intersect(paste0(unique(c(place, array_stem(place))), "_names"), names(uns))
  if (length(keys) == 0L) return(NULL)
  names <- uns[[keys[1L]]]
  if (is.atomic(names) && length(names) == columns && !anyNA(names)) as.character(names)
}

name_arrays <- function(obsm, uns) {
  for (place in names(obsm)) {
    if (!is.data.frame(obsm[[place]])) colnames(obsm[[place]]) <- names_in_uns(place, uns, ncol(obsm[[place]]))
  }
  obsm
}
