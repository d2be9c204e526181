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

# Advice where `asked` are no names of rows that are `known`, but stand in a column of the table of genes that comes
# with the cells of the verb `call`, as symbols beside ids do; NULL elsewhere.
column_advice <- function(asked, known, call) {
  table <- feature_table(call)
  columns <- table$columns[vapply(table$columns, function(v) is.character(v) || is.factor(v), NA)]
  rows <- lapply(columns, function(v) {
    row <- table$rows[match(asked, v)]
    ifelse(row %in% known, row, NA)
  })
  n <- vapply(rows, function(row) sum(!is.na(row)), 0L)
  if (length(n) == 0L || max(n) == 0L) return(NULL)
  best <- which.max(n)
  row <- rows[[best]]
  pairs <- paste(dQuote(asked, FALSE), "is row", dQuote(row, FALSE))[!is.na(row)]
  column <- names(columns)[best]
  c(paste0("By the column ", dQuote(column, FALSE), " of ", table$name, " ", short_list(pairs, 3L),
           ": ask by the names of rows."),
    table$rename(column))
}

# list(rows, columns, name, rename): their names, what else is known of them, and how to name them by a column.
feature_table <- function(call) {
  arg <- Find(function(name) exists(name, envir = call, inherits = FALSE), c("newdata", "data", "x"))
  x <- if (!is.null(arg)) tryCatch(get(arg, envir = call), error = function(cnd) NULL)
  if (inherits(x, "SummarizedExperiment")) {
    of <- paste0("rowData(", arg, ")")
    return(list(rows = rownames(x), columns = as.list(SummarizedExperiment::rowData(x)), name = of,
                rename = function(column) paste0(
                  "To fit, and draw, by its names: rownames(", arg, ") <- scuttle::uniquifyFeatureNames(rownames(", arg,
                  "), ", of, "[[", dQuote(column, FALSE), "]]) before the fit.")))
  }
  if (inherits(x, "Seurat")) {
    assay <- SeuratObject::DefaultAssay(x)
    return(list(rows = rownames(x[[assay]]), columns = as.list(x[[assay]][[]]), rename = function(column) NULL,
                name = paste0(arg, "[[", dQuote(assay, FALSE), "]][[]]")))
  }
  if (!is.character(x) || length(x) != 1L || !grepl("[.]h5ad$", x)) return(NULL)
  # What is wrong with a file is told by the verb that reads it.
  parts <- tryCatch(read_h5ad_parts(x, character(), obsm = FALSE, uns = FALSE, call = call),
                    compert_input_error = function(cnd) NULL)
  list(rows = parts$index$genes, columns = as.list(parts$var), name = "`var` of the file",
       rename = function(column) paste0(
         "To fit, and draw, by its names, before the fit in Python: a.var_names = a.var[", dQuote(column, FALSE),
         "].astype(str); a.var_names_make_unique()."))
}
