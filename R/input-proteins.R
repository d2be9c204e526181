# Where every container keeps proteins. A new container needs one method of find_proteins().

# What a container holds of proteins, read by the keys; NULL for a screen of RNA alone. With names that
# a fit knows, cells without any are no error here.
read_proteins <- function(x, cells, keys, call = rlang::caller_env()) {
  if (is.null(keys$proteins)) return(NULL)
  found <- find_proteins(x, cells, keys, call)
  if (is.null(found)) {
    if (!is.null(keys$of_fit$proteins)) return(list(genes = cells$x))
    abort_input("`proteins` must say where the proteins are.",
                if (is_automatic(keys$proteins)) {
                  paste0("Nothing in `x` has one of the usual names, ",
                         name_list(protein_places(), 12), ".")
                } else {
                  paste0("`x` has no ", name_list(keys$proteins), ".")
                },
                paste("Name an altExp or a reducedDim of the SingleCellExperiment, an assay of the Seurat",
                      "object, an array of obsm, or the rows of the matrix. For the RNA alone write",
                      "`proteins = FALSE`."),
                call = call)
  }
  check_given_assay(found, keys, call)
  found$genes <- found$genes %||% cells$x
  check_protein_values(found, keys, call)
}

is_automatic <- function(proteins) identical(proteins, "")

protein_places <- function() {
  c("ADT", "Antibody Capture", "protein", "proteins", "prot", "protein_counts",
    "protein_expression_raw", "protein_expression", "CITE", "AB")
}

# The place that was asked for, or the first of the usual names; NULL for none. Seurat makes the name
# "Antibody.Capture" of "Antibody Capture".
choose_place <- function(available, keys) {
  wanted <- keys$proteins
  asked <- length(wanted) == 1L && !is_automatic(wanted)
  if (asked && wanted %in% available) return(wanted)
  at <- c(if (asked) match(make.names(wanted), make.names(available)),
          if (is_automatic(wanted) || !is.null(keys$of_fit$proteins)) {
            match(make.names(lower_case(protein_places())), make.names(lower_case(available)))
          })
  at <- at[!is.na(at)]
  if (length(at)) available[at[1L]]
}

# list(x = proteins x cells with NA columns where a cell lacks them, genes = the other rows where they
# are rows of the same matrix, place, assay), or NULL.
find_proteins <- function(x, cells, keys, call) UseMethod("find_proteins")

#' @exportS3Method find_proteins default
find_proteins.default <- function(x, cells, keys, call) {
  rows <- keys$of_fit$proteins %||% if (!is_automatic(keys$proteins)) keys$proteins
  at <- match_feature_names(rows, rownames(cells$x))
  at[is.na(at)] <- 0L
  at[rows %in% keys$of_fit$genes] <- 0L  # the fit has a gene of that name: it is the row
  if (all(at == 0L)) return(NULL)
  stop_doubled_rows(rows[at > 0L], rownames(cells$x), call)
  if (any(at == 0L)) {
    abort_input("`x` must have all proteins among its rows.",
                paste0("It lacks ", name_list(rows[at == 0L]), "."),
                "Rows are matched by name; one that is named as a gene of the fit is that gene.",
                call = call)
  }
  parts <- split_rows(cells$x, at)
  list(x = parts$dense, genes = parts$others, place = "rows", assay = cells$assay)
}

# Of rows with one name the first may be the gene.
stop_doubled_rows <- function(proteins, rows, call) {
  twice <- intersect(proteins, rows[duplicated(rows)])
  if (length(twice) == 0L) return(invisible())
  abort_input("Rows that are proteins must have names that no other row has.",
              paste0(name_list(twice), if (length(twice) == 1L) " is" else " are",
                     " there more than once."),
              paste("Rename them, such as \"CD4\" to \"CD4_protein\", or put the proteins into an altExp",
                    "of a SingleCellExperiment."), call = call)
}

#' @exportS3Method find_proteins SummarizedExperiment
find_proteins.SummarizedExperiment <- function(x, cells, keys, call) {
  if (!inherits(x, "SingleCellExperiment")) return(find_proteins.default(x, cells, keys, call))
  place <- choose_place(SingleCellExperiment::altExpNames(x), keys)
  if (is.null(place)) return(find_reduced_proteins(x, cells, keys, call))
  part <- SingleCellExperiment::altExp(x, place)
  available <- SummarizedExperiment::assayNames(part)
  assay <- choose_protein_assay(available, keys, call)
  values <- as.matrix(SummarizedExperiment::assay(part, assay, withDimnames = FALSE))
  dimnames(values) <- list(rownames(part), colnames(cells$x))
  list(x = values, place = place, assay = assay)
}

# Where read_h5ad() and zellkonverter put an array of obsm.
find_reduced_proteins <- function(x, cells, keys, call) {
  place <- choose_place(SingleCellExperiment::reducedDimNames(x), keys)
  if (is.null(place)) return(find_proteins.default(x, cells, keys, call))
  values <- SingleCellExperiment::reducedDim(x, place, withDimnames = FALSE)
  list(x = array_proteins(values, place, S4Vectors::metadata(x), cells), place = place)
}

#' @exportS3Method find_proteins Seurat
find_proteins.Seurat <- function(x, cells, keys, call) {
  others <- setdiff(SeuratObject::Assays(x), cells$assay)
  place <- choose_place(others, keys)
  if (is.null(place)) {
    stop_read_as_genes(cells$assay, others, keys, call)
    return(find_proteins.default(x, cells, keys, call))
  }
  seurat_proteins(x, place, keys, call)
}

# `others`: layers that have other values.
seurat_proteins <- function(x, place, keys, call) {
  object <- x[[place]]
  layers <- seurat_layers(object)
  assay <- choose_protein_assay(layers$names, keys, call)
  here <- intersect(colnames(x), colnames(object))
  some <- as.matrix(read_seurat_layer(object, assay, layers$all, here, call))
  values <- matrix(NA_real_, nrow(some), ncol(x), dimnames = list(rownames(some), colnames(x)))
  values[, here] <- some
  repeats <- c(assay, layer_pieces(layers), if (!seurat_normalised(object, layers)) "data")
  list(x = values, place = place, assay = assay, others = setdiff(layers$names, repeats))
}

stop_read_as_genes <- function(assay, others, keys, call) {
  if (length(others) == 0L || is.null(choose_place(assay, keys))) return(invisible())
  abort_input("`assay` must name the assay of the genes, another than that of the proteins.",
              paste0("Assay ", dQuote(assay, FALSE), ", the default or that of `assay`, is read as the genes."),
              paste0("`x` also has ", name_list(others), ": write assay = ", dQuote(others[1L], FALSE), "."),
              call = call)
}

#' @exportS3Method find_proteins character
find_proteins.character <- function(x, cells, keys, call) {
  if (!is.null(cells$experiment)) return(find_proteins(cells$experiment, cells, keys, call))
  if (!is.null(cells$features)) return(find_tenx_proteins(x, cells, keys, call))
  place <- choose_place(core_h5ad_outline(path.expand(x))$obsm, keys)
  if (is.null(place)) return(find_proteins.default(x, cells, keys, call))
  parts <- read_h5ad_parts(x, character(), obsm = TRUE, uns = TRUE, call = call)
  if (is.null(parts$obsm[[place]])) {
    abort_input("Proteins must be a matrix or table of cells x proteins.",
                paste0("Array ", dQuote(place, FALSE), " of obsm is ", parts$skipped[[paste0("obsm/", place)]], "."),
                "Write it as one, or name another array by `proteins`.", call = call)
  }
  list(x = array_proteins(parts$obsm[[place]], place, parts$uns, cells), place = place, assay = place)
}

# Cells x proteins turned over.
array_proteins <- function(values, place, uns, cells) {
  values <- as.matrix(values)
  names <- colnames(values) %||% names_in_uns(place, uns, ncol(values)) %||%
    paste0(array_stem(place), "_", seq_len(ncol(values)))
  values <- t(values)
  dimnames(values) <- list(names, colnames(cells$x))
  values
}

# Features of another type than genes, in a file of Cell Ranger.
find_tenx_proteins <- function(x, cells, keys, call) {
  types <- cells$features$types
  place <- choose_place(setdiff(types, "Gene Expression"), keys)
  if (is.null(place)) return(find_proteins.default(x, cells, keys, call))
  part <- cells$features$x[which(types == place), ]
  list(x = as.matrix(read_stored(part, call = call)), place = place, assay = cells$assay)
}

# Raw counts before normalised values, unless the likelihood wants these.
choose_protein_assay <- function(available, keys, call) {
  if (is.null(available)) return(1L)
  normalised <- c("clr", "CLR", "logcounts", "data", "X")
  counts <- c("counts", "X")
  if (!is.null(keys$protein_assay)) {
    check_string(keys$protein_assay, "protein_assay", call = call)
    if (keys$protein_assay %in% available) return(keys$protein_assay)
    of_fit <- !is.null(keys$of_fit$proteins)
    alike <- Filter(function(names) keys$protein_assay %in% names, list(counts, normalised))
    found <- intersect(unlist(alike), available)
    if (of_fit && length(found)) return(found[1L])
    abort_input(if (of_fit) "`newdata` must have the assay of proteins that the fit was made on." else
                  "`protein_assay` must be one that the proteins have.",
                paste0("There is no ", dQuote(keys$protein_assay, FALSE), "."),
                paste0(did_you_mean(keys$protein_assay, available), "They have ",
                       name_list(available, 12), "."), call = call)
  }
  order <- if (identical(keys$protein_loss, "gauss")) c(normalised, counts) else c(counts, normalised)
  found <- intersect(order, available)
  if (length(found)) found[1L] else available[1L]
}

# Arrays and rows have no assays of their own. The name that a fit has from another place does no harm.
check_given_assay <- function(found, keys, call) {
  assay <- keys$protein_assay
  if (is.null(assay) || !is.null(keys$of_fit$proteins)) return(invisible())
  check_string(assay, "protein_assay", call = call)
  if (assay %in% c(found$assay, found$place)) return(invisible())
  abort_input("`protein_assay` must be left out where proteins have no assays.",
              paste0("It is ", dQuote(assay, FALSE), "; an array of `obsm` (or `reducedDims`), a type of ",
                     "features or rows of a matrix are one table of values."),
              "Put the values that you mean there, or name an altExp or a Seurat assay by `proteins`.",
              call = call)
}

# Cells have all proteins or none; counts are counts. Adds `measured` and the likelihood.
check_protein_values <- function(found, keys, call) {
  x <- as_columns(found$x, call)
  names <- rownames(x)
  if (is.null(names) || anyDuplicated(names)) {
    abort_input("Proteins must have names, different from each other.",
                if (is.null(names)) "They have none." else
                  paste0(dQuote(names[duplicated(names)][1L], FALSE), " is there twice."),
                "Write make.unique(names).", call = call)
  }
  gone <- if (anyNA(x)) colSums(is.na(x)) else rep(0, ncol(x))
  part <- which(gone > 0 & gone < nrow(x))
  if (length(part)) {
    abort_input("A cell must have all proteins, or none.",
                paste0("Cell ", dQuote(colnames(x)[part[1L]], FALSE), " lacks ", gone[part[1L]],
                       " of ", nrow(x), and_more(length(part)), "."),
                "Set the whole column to NA, or fill it.", call = call)
  }
  has <- gone == 0
  if (!all(has)) x[, !has] <- 0
  values <- inspect_values(x)
  if (values$n_bad > 0) {
    abort_input("Protein values must be finite.",
                paste0("That of ", dQuote(values$bad_at$gene, FALSE), " in cell ",
                       dQuote(values$bad_at$cell, FALSE), " is ", format(values$bad), "."),
                "Set the whole cell's proteins to NA, or put measured values in.", call = call)
  }
  counts <- values$whole && values$min >= 0
  loss <- keys$protein_loss %||% if (counts) "nb_mixture" else "gauss"
  if (loss != "gauss" && !counts) {
    abort_input(paste0("`protein_loss = \"", loss, "\"` must be given raw counts of proteins."),
                paste0("The values of ", dQuote(found$place, FALSE), " hold ",
                       format(values$example, digits = 6), "."),
                "Name the raw counts by `protein_assay`, or use protein_loss = \"gauss\".",
                call = call)
  }
  found$x <- x
  found$measured <- unname(ifelse(has, both_modalities, rna_only))
  found$counts <- counts
  found$loss <- loss
  found
}
