# Genes and proteins of one object by their names in another.

# match() of names of genes or proteins. Seurat writes "-" for "_": where that alone sets two names apart, and
# no others are alike, they are the same.
match_feature_names <- function(names, table) {
  place <- match(names, table)
  gone <- which(is.na(place))
  others <- setdiff(seq_along(table), place)
  if (length(gone) == 0L || length(others) == 0L) return(place)
  dashed <- function(x) chartr("_", "-", x)
  once <- function(x) !x %in% x[duplicated(x)]
  wanted <- dashed(names[gone])
  left <- dashed(table[others])
  same <- match(wanted, left)
  same[!once(wanted) | !once(left)[same]] <- NA
  place[gone] <- others[same]
  place
}

# Expression of new cells with the rows of the registry, matched by name: the order does not
# matter. Missing genes are an error, or 0 with `missing_genes = "zero"` up to a tenth of them.
match_genes <- function(x, registry, missing_genes = c("error", "zero"),
                        call = rlang::caller_env()) {
  missing_genes <- check_choice(missing_genes, c("error", "zero"), "missing_genes", call = call)
  genes <- registry$genes
  if (identical(rownames(x), genes)) return(x)
  place <- match_feature_names(genes, rownames(x))
  absent <- genes[is.na(place)]
  share <- length(absent) / length(genes)
  if (length(absent) > 0 && (missing_genes == "error" || share > 0.1)) {
    abort_input(
      "`newdata` must have the genes that the model was trained on.",
      paste0("It lacks ", count(length(absent)), " of ",
             count_of(length(genes), "gene"), " (", format(100 * share, digits = 2), " %): ",
             name_list(absent), "."),
      if (share <= 0.1) "Write missing_genes = \"zero\" to take them as 0." else if (share < 0.5)
        "Give the cells with all genes of training, before a choice among these." else
        "Genes are matched by row name; give the same kind of names as in training.",
      call = call)
  }
  if (length(absent) == 0 || is_stored(x)) {
    out <- x[place, , drop = FALSE]
    dimnames(out) <- list(genes, colnames(x))
    return(out)
  }
  out <- as_sparse(x[place[!is.na(place)], , drop = FALSE])
  rownames(out) <- genes[!is.na(place)]
  out <- fit_rows(out, genes)
  if (methods::is(x, "dgCMatrix")) out else as.matrix(out)
}

# Rows of a dgCMatrix brought to `genes`; those it lacks are 0.
fit_rows <- function(x, genes) {
  if (identical(rownames(x), genes)) return(x)
  place <- match(rownames(x), genes)
  entries <- methods::as(x, "TsparseMatrix")
  Matrix::sparseMatrix(i = place[entries@i + 1L], j = entries@j + 1L, x = entries@x,
                       dims = c(length(genes), ncol(x)), dimnames = list(genes, colnames(x)))
}
