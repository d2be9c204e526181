# The second modality of a screen: surface proteins (or whatever else was measured beside the genes).
#
# A screen of both has `proteins`, a matrix of proteins x cells with 0 where a cell lacks them, and
# `measured`, per cell 1 (RNA), 2 (proteins) or 3 (both). The core takes one matrix, genes first.

rna_only <- 1L
both_modalities <- 3L

# What a container holds of proteins, read by the keys; NULL for a screen of RNA alone. With names that
# a fit knows, cells without any are no error here.
read_proteins <- function(x, cells, keys, call = rlang::caller_env()) {
  if (is.null(keys$proteins)) return(NULL)
  found <- find_proteins(x, cells, keys, call)
  if (is.null(found)) {
    if (!is.null(keys$protein_names)) return(list(genes = cells$x))
    abort_input("`proteins` must say where the proteins are.",
                if (is_automatic(keys$proteins)) {
                  paste0("Nothing in `x` has one of the usual names, ",
                         name_list(protein_places(), 12), ".")
                } else {
                  paste0("`x` has no ", name_list(keys$proteins), ".")
                },
                paste("Name an altExp of the SingleCellExperiment, an assay of the Seurat object, an",
                      "array of obsm, or the rows of the matrix. Without proteins use `cpa()`."),
                call = call)
  }
  found$genes <- found$genes %||% cells$x
  check_protein_values(found, keys, call)
}

is_automatic <- function(proteins) identical(proteins, "")

protein_places <- function() {
  c("ADT", "Antibody Capture", "protein", "proteins", "prot", "protein_counts",
    "protein_expression_raw", "protein_expression", "CITE", "AB")
}

# The place that was asked for, or the first of the usual names; NULL for none.
choose_place <- function(available, keys) {
  wanted <- keys$proteins
  if (length(wanted) == 1L && wanted %in% available) return(wanted)
  if (!is_automatic(wanted) && is.null(keys$protein_names)) return(NULL)
  at <- match(tolower(protein_places()), tolower(available))
  at <- at[!is.na(at)]
  if (length(at)) available[at[1L]]
}

# list(x = proteins x cells with NA columns where a cell lacks them, genes = the other rows where they
# are rows of the same matrix, place, assay), or NULL.
find_proteins <- function(x, cells, keys, call) UseMethod("find_proteins")

#' @exportS3Method find_proteins default
find_proteins.default <- function(x, cells, keys, call) {
  rows <- keys$protein_names %||% if (!is_automatic(keys$proteins)) keys$proteins
  at <- match(rows, rownames(cells$x), 0L)
  if (all(at == 0L)) return(NULL)
  if (any(at == 0L)) {
    abort_input("`x` must have all proteins among its rows.",
                paste0("It lacks ", name_list(rows[at == 0L]), "."),
                "Rows are matched by name.", call = call)
  }
  values <- as.matrix(cells$x[at, , drop = FALSE])
  list(x = values, genes = cells$x[-at, , drop = FALSE], place = "rows", assay = cells$assay)
}

#' @exportS3Method find_proteins SummarizedExperiment
find_proteins.SummarizedExperiment <- function(x, cells, keys, call) {
  if (!inherits(x, "SingleCellExperiment")) return(find_proteins.default(x, cells, keys, call))
  place <- choose_place(SingleCellExperiment::altExpNames(x), keys)
  if (is.null(place)) return(find_proteins.default(x, cells, keys, call))
  part <- SingleCellExperiment::altExp(x, place)
  available <- SummarizedExperiment::assayNames(part)
  assay <- choose_protein_assay(available, keys, call)
  values <- as.matrix(SummarizedExperiment::assay(part, assay, withDimnames = FALSE))
  dimnames(values) <- list(rownames(part), colnames(cells$x))
  list(x = values, place = place, assay = assay)
}

#' @exportS3Method find_proteins Seurat
find_proteins.Seurat <- function(x, cells, keys, call) {
  place <- choose_place(setdiff(SeuratObject::Assays(x), cells$assay), keys)
  if (is.null(place)) return(find_proteins.default(x, cells, keys, call))
  object <- x[[place]]
  layers <- seurat_layers(object)
  assay <- choose_protein_assay(layers$names, keys, call)
  here <- intersect(colnames(x), colnames(object))
  some <- as.matrix(read_seurat_layer(object, assay, layers$all, here, call))
  values <- matrix(NA_real_, nrow(some), ncol(cells$x), dimnames = list(rownames(some), colnames(x)))
  values[, here] <- some
  list(x = values, place = place, assay = assay)
}

#' @exportS3Method find_proteins character
find_proteins.character <- function(x, cells, keys, call) {
  if (!is.null(cells$experiment)) return(find_proteins(cells$experiment, cells, keys, call))
  place <- choose_place(core_h5ad_outline(path.expand(x))$obsm, keys)
  if (is.null(place)) return(find_proteins.default(x, cells, keys, call))
  parts <- read_h5ad_parts(x, character(), obsm = TRUE, uns = TRUE, call = call)
  values <- as.matrix(parts$obsm[[place]])
  names <- colnames(values)
  stem <- sub("_(counts|expression|expression_raw)$", "", place)
  for (key in paste0(unique(c(place, stem)), "_names")) names <- names %||% parts$uns[[key]]
  names <- as.character(names)
  if (length(names) != ncol(values)) names <- paste0(stem, "_", seq_len(ncol(values)))
  values <- t(values)
  dimnames(values) <- list(names, colnames(cells$x))
  list(x = values, place = place, assay = place)
}

# Raw counts before normalised values, unless the likelihood wants these.
choose_protein_assay <- function(available, keys, call) {
  if (is.null(available)) return(1L)
  normalised <- c("clr", "CLR", "logcounts", "data", "X")
  counts <- c("counts", "X")
  if (!is.null(keys$protein_assay)) {
    check_string(keys$protein_assay, "protein_assay", call = call)
    if (keys$protein_assay %in% available) return(keys$protein_assay)
    abort_input("`protein_assay` must be one that the proteins have.",
                paste0("There is no ", dQuote(keys$protein_assay, FALSE), "."),
                paste0(did_you_mean(keys$protein_assay, available), "They have ",
                       name_list(available, 12), "."), call = call)
  }
  order <- if (identical(keys$protein_loss, "gauss")) c(normalised, counts) else c(counts, normalised)
  found <- intersect(order, available)
  if (length(found)) found[1L] else available[1L]
}

# Cells have all proteins or none; counts are counts. Adds `measured` and the likelihood.
check_protein_values <- function(found, keys, call) {
  x <- found$x
  names <- rownames(x)
  if (is.null(names) || anyDuplicated(names)) {
    abort_input("Proteins must have names, different from each other.",
                if (is.null(names)) "They have none." else
                  paste0(dQuote(names[duplicated(names)][1L], FALSE), " is there twice."),
                "Write make.unique(names).", call = call)
  }
  gone <- colSums(is.na(x))
  part <- which(gone > 0 & gone < nrow(x))
  if (length(part)) {
    abort_input("A cell must have all proteins, or none.",
                paste0("Cell ", dQuote(colnames(x)[part[1L]], FALSE), " lacks ", gone[part[1L]],
                       " of ", nrow(x), and_more(length(part)), "."),
                "Set the whole column to NA, or fill it.", call = call)
  }
  has <- gone == 0
  x[, !has] <- 0
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
  found$measured <- ifelse(has, both_modalities, rna_only)
  found$counts <- counts
  found$loss <- loss
  found
}

# The screen with its second modality.
add_proteins <- function(screen, second) {
  if (is.null(second)) return(screen)
  if (is.null(second$x)) {  # cells of RNA alone, for a fit of both
    cli::cli_warn(c("`newdata` has no proteins: its cells are taken by their RNA alone.",
                    i = "Proteins are looked for under the names of the fit's training data."),
                  class = "compert_rna_only")
    names <- screen$keys$protein_names
    screen$proteins <- matrix(0, length(names), ncol(screen$x), dimnames = list(names, colnames(screen$x)))
    screen$measured <- rep(rna_only, ncol(screen$x))
    return(screen)
  }
  screen$proteins <- second$x
  screen$measured <- second$measured
  screen$keys$proteins <- if (identical(second$place, "rows")) rownames(second$x) else second$place
  screen$keys["protein_assay"] <- list(if (!identical(second$place, "rows")) as.character(second$assay))
  screen$keys$protein_loss <- second$loss
  screen
}

# Proteins of new cells with the rows of the fit.
match_proteins <- function(screen, fit, call = rlang::caller_env()) {
  names <- fit$meta$registry$proteins
  if (is.null(names)) return(screen)
  at <- match(names, rownames(screen$proteins))
  if (anyNA(at)) {
    abort_input("`newdata` must have the proteins that the model was trained on.",
                paste0("It lacks ", name_list(names[is.na(at)]), "."),
                "Proteins are matched by name.", call = call)
  }
  screen$proteins <- screen$proteins[at, , drop = FALSE]
  if (fit$meta$settings$fusion == "concat" && any(screen$measured != both_modalities)) {
    abort_input("Cells must have both modalities for a fit with fusion = \"concat\".",
                paste0(count_of(sum(screen$measured != both_modalities), "cell"), " of ",
                       length(screen$measured), " lack proteins."),
                "Fit with fusion = \"poe\", which takes cells that lack one of them.", call = call)
  }
  screen
}

# Cells of which only one modality is to be used; `from` is "all", "rna" or "proteins".
use_modality <- function(screen, from, call = rlang::caller_env()) {
  from <- check_choice(from, c("all", "rna", "proteins"), "from", call = call)
  if (from == "all") return(screen)
  if (is.null(screen$proteins)) {
    abort_input("`from` must be \"all\" for a fit of RNA alone.", paste0("It is \"", from, "\"."),
                "Leave it out.", call = call)
  }
  keep <- if (from == "rna") rna_only else 2L
  lacking <- bitwAnd(screen$measured, keep) == 0L
  if (any(lacking)) {
    abort_input(paste0("`from = \"", from, "\"` must go with cells that have that modality."),
                paste0(count_of(sum(lacking), "cell"), " lack it."), "Leave these cells out.",
                call = call)
  }
  screen$measured <- rep(keep, length(screen$measured))
  screen
}

# Genes and proteins as the core takes them.
core_rows <- function(screen) {
  if (is.null(screen$proteins)) return(screen$x)
  if (methods::is(screen$x, "dgCMatrix")) return(methods::rbind2(screen$x, as_sparse(screen$proteins)))
  rbind(screen$x, screen$proteins)
}

# The two parts of what the core returns, rows by cells or conditions.
gene_rows <- function(registry, values) {
  if (is.null(registry$proteins)) return(values)
  values[seq_along(registry$genes), , drop = FALSE]
}
protein_rows <- function(registry, values) {
  values[length(registry$genes) + seq_along(registry$proteins), , drop = FALSE]
}

# ", 49 proteins (ADT, nb_mixture)" of a screen of both.
protein_text <- function(screen) {
  if (is.null(screen$proteins)) return("")
  lacking <- sum(screen$measured != both_modalities)
  place <- screen$keys$proteins
  paste0(" and ", count_of(nrow(screen$proteins), "protein"), " (",
         if (length(place) == 1L) paste0(place, ", "), screen$keys$protein_loss,
         if (lacking > 0) paste0("; ", count_of(lacking, "cell"), " without"), ")")
}
