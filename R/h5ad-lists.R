# Lists as read_h5ad() gives them, and tables beside a matrix, as the parts of a file that is written: where two
# of them have names of cells (genes), these decide which is whose.

# `arg`: what the user's code calls the list. Its parts, names and size.
list_parts <- function(x, arg, call) {
  x <- check_list_parts(x, arg, call)
  matrices <- lapply(c(if (!is.null(x$X)) list(x$X), x$layers), h5ad_values, call = call)
  size <- if (length(matrices)) dim(matrices[[1L]]) else c(nrow(x$var), nrow(x$obs))
  names <- if (length(matrices)) dimnames(matrices[[1L]])
  genes <- names[[1L]] %||% frame_names(x$var)
  cells <- names[[2L]] %||% frame_names(x$obs)
  of <- function(...) paste(arg, ..., sep = "$", recycle0 = TRUE)
  layers <- if (is.null(x$X)) matrices else matrices[-1L]
  parts <- list(X = if (!is.null(x$X)) matrices[[1L]],
                layers = Map(match_values, layers, of("layers", rlang::names2(layers)),
                             MoreArgs = list(genes = genes, cells = cells, call = call)),
                obs = match_rows(x$obs, of("obs"), names[[2L]], size[2L], "cell", call),
                var = match_rows(x$var, of("var"), names[[1L]], size[1L], "gene", call),
                obsm = Map(match_array, x$obsm, of("obsm", rlang::names2(x$obsm)),
                           MoreArgs = list(cells = cells, call = call)),
                uns = x$uns)
  if (!is.null(x$raw)) {
    values <- match_values(h5ad_values(x$raw$X, call), of("raw", "X"), NULL, cells, call)
    parts$raw <- list(X = values, var = match_rows(x$raw$var, of("raw", "var"), rownames(values), nrow(values),
                                                   "gene", call))
  }
  list(parts = parts, genes = genes, cells = cells, size = size)
}

# The list with all names, so that `$` cannot take "obsm" for a missing "obs".
check_list_parts <- function(x, arg, call) {
  known <- c("X", "layers", "obs", "var", "obsm", "uns", "raw")
  bad <- wrong_list(x, known)
  if (is.null(bad)) return(lapply(rlang::set_names(known), function(name) x[[name]]))
  abort_input(paste0("`", arg, "` must be a list of `X`, `layers`, `obs`, `var`, `obsm`, `uns` and `raw`."), bad,
              "Write list(X = matrix); read_h5ad(path, as = \"list\") gives such a list.", call = call)
}

wrong_list <- function(x, known) {
  if (!is_plain_list(x)) return(paste0("It is ", describe(x), "."))
  unknown <- setdiff(rlang::names2(x), known)
  if (length(unknown)) return(paste0("It has ", name_list(unknown), "."))
  for (name in c("layers", "obsm", "uns", "raw")) {
    part <- x[[name]]
    if (!is.null(part) && !is_plain_list(part)) return(paste0("Its `", name, "` is ", describe(part), ", no list."))
  }
  if (!is.null(x[["raw"]]) && is.null(x[["raw"]][["X"]])) return("Its `raw` has no `X`.")
  tables <- !is.null(x[["obs"]]) && !is.null(x[["var"]])
  if (is.null(x[["X"]]) && length(x[["layers"]]) == 0L && !tables) {
    return("It has neither a matrix nor both `obs` and `var`.")
  }
}

is_plain_list <- function(x) is.list(x) && !is.data.frame(x)

# A matrix of genes x cells in the order of the names, and an array or table with cells in rows.
match_values <- function(x, arg, genes, cells, call) {
  rows <- name_places(rownames(x), genes, arg, "gene", call)
  if (!is.null(rows)) x <- x[rows, , drop = FALSE]
  columns <- name_places(colnames(x), cells, arg, "cell", call, "column")
  if (is.null(columns)) x else x[, columns, drop = FALSE]
}

match_array <- function(x, arg, cells, call) {
  rows <- row_places(x, cells, arg, "cell", call)
  if (is.null(rows)) x else x[rows, , drop = FALSE]
}

# A table with a row per cell (gene), in the order of the matrix; row names decide where both have
# them.
match_rows <- function(data, arg, names, n, what, call) {
  if (is.null(data)) return(data.frame(row.names = seq_len(n)))
  is_table <- is.data.frame(data) || inherits(data, "DataFrame")
  if (!is_table || nrow(data) != n) {
    given <- if (is_table) {
      paste0("It has ", nrow(data), " rows; there are ", n, " ", what, "s.")
    } else {
      paste0("It is ", describe(data), ".")
    }
    abort_input(paste0("`", arg, "` must be a data frame with one row per ", what, "."), given,
                "Matrices have genes in rows and cells in columns.", call = call)
  }
  rows <- row_places(data, names, arg, what, call)
  if (is.null(rows)) data else data[rows, , drop = FALSE]
}

# As match_col_data(): numbers are names only where there are names that are these numbers.
row_places <- function(x, names, arg, what, call) {
  own <- frame_names(x)
  numbers <- is.data.frame(x) && is.integer(attr(x, "row.names"))
  if (!numbers || setequal(own, names)) name_places(own, names, arg, what, call)
}

# Where each of `names` is among a part's `own`; NULL where the order is the same or one has no names. That there are
# as many is looked at elsewhere.
name_places <- function(own, names, arg, what, call, side = "row") {
  if (is.null(own) || is.null(names) || length(own) != length(names)) return(NULL)
  if (identical(own, names) || identical(own, make.unique(names))) return(NULL)
  place <- match(names, own)
  if (!anyNA(place) && !anyDuplicated(place)) return(place)
  given <- if (anyNA(place)) {
    paste0("The matrix has ", dQuote(names[is.na(place)][1L], FALSE), ", `", arg, "` has not.")
  } else {
    paste0("The matrix has ", dQuote(names[duplicated(names)][1L], FALSE), " more than once.")
  }
  abort_input(paste0("`", arg, "` must have the ", what, "s of `x` as ", side, " names, or none."), given,
              paste0("Write ", substr(side, 1L, 3L), "names(", arg, ") <- NULL if the order is the same."), call = call)
}
