# What every container has to say for itself: `read_cells()` takes the expression values, the table
# of cells and the name of what was read out of it, and nothing more. A new container needs one
# method. Containers live in Suggests; S3 dispatch on their S4 classes needs none of them loaded.

# Returns list(x = dgCMatrix or double matrix, genes x cells; col_data = data.frame; container,
# assay, layer; hint = how raw counts are log-normalised in that ecosystem).
# `keys$loss` (a likelihood or NULL) leads the choice where `keys$assay`/`keys$layer` do not.
read_cells <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  UseMethod("read_cells")
}

#' @exportS3Method read_cells default
read_cells.default <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  todo <- "Matrices have genes in rows and cells in columns, and come with `col_data`."
  if (is.data.frame(x)) todo <- c("Turn it into a matrix: as.matrix(x).", todo)
  if (rlang::is_bare_list(x)) {
    todo <- "Join the objects of a list: merge(x[[1]], x[-1]) of Seurat's, do.call(cbind, x) of others."
  }
  abort_input(paste("`x` must be a SingleCellExperiment, SummarizedExperiment, Seurat object,",
                    "matrix, sparse or delayed matrix, or the path of an .h5ad file."),
              paste0("It is ", describe(x), "."), todo, call = call)
}

# Which of the available assays (layers) is read: the one asked for, else by the loss.
# `log_names` and `count_names` are the ecosystem's names in order of preference; `of_fit` the
# arguments that a fit's training gave, not the user. Where theirs is not there the other usual name
# serves: writing and reading a file makes "X" of "logcounts".
choose_assay <- function(available, wanted, loss, log_names, count_names, arg, call,
                         of_fit = NULL) {
  if (length(available) == 0) {
    abort_input("`x` must have expression values.", "It has no assay.",
                "Put a matrix of genes x cells into it.", call = call)
  }
  order <- if (is_count_loss(loss)) count_names else log_names
  if (is.null(loss)) order <- c(log_names, count_names)
  found <- intersect(order, available)
  if (!is.null(wanted)) {
    check_string(wanted, arg, call = call)
    if (wanted %in% available) return(wanted)
    if (arg %in% of_fit && wanted %in% order && length(found) > 0) return(found[1])
    absent <- paste0("There is no ", arg, " ", dQuote(wanted, FALSE), ".")
    if (arg %in% of_fit) {
      abort_input(paste0("The cells must have the ", arg, " that the fit was made on."), absent,
                  paste0("They have ", name_list(available, 12), "; `", arg, " = ` reads another."),
                  call = call)
    }
    abort_input(paste0("`", arg, "` must be one that `x` has."), absent,
                paste0(did_you_mean(wanted, available), "`x` has ", name_list(available, 12), "."),
                call = call)
  }
  if (length(found) > 0) return(found[1])
  if (length(available) == 1) return(available)
  abort_input(paste0("`", arg, "` must say what to read: `x` has nothing of the usual names."),
              paste0("Looked for ", name_list(order), "; `x` has ", name_list(available, 12), "."),
              paste0("Write ", arg, " = ", dQuote(available[1], FALSE), "."), call = call)
}

# Arguments that a container has no use for are refused, not ignored.
refuse_argument <- function(value, arg, why, todo, call) {
  if (is.null(value)) return(invisible())
  abort_input(paste0("`", arg, "` must be left out: ", why, "."),
              paste0("It is ", describe(value), "."), todo, call = call)
}

refuse_col_data <- function(col_data, where, call) {
  refuse_argument(col_data, "col_data", paste("this object has its own table of cells,", where),
                  "Put the columns into the object, or give a plain matrix.", call)
}

# A DataFrame of Bioconductor as a data frame.
plain_table <- function(x) if (inherits(x, "DataFrame")) as.data.frame(x, optional = TRUE) else x

# The table of cells of a plain matrix: one row per cell, in the order of the columns or with the
# columns' names.
match_col_data <- function(col_data, cells, n, call) {
  if (is.null(col_data)) {
    abort_input("`col_data` must be given with a matrix: a data frame with one row per cell.",
                "It is missing.", "Write col_data = data.frame(condition = ..., ...).", call = call)
  }
  col_data <- plain_table(col_data)
  if (!is.data.frame(col_data)) {
    abort_input("`col_data` must be a data frame with one row per cell.",
                paste0("It is ", describe(col_data), "."), "Write as.data.frame(col_data).",
                call = call)
  }
  if (nrow(col_data) != n) {
    abort_input("`col_data` must have one row per column of `x`.",
                paste0("It has ", count_of(nrow(col_data), "row"), ", `x` has ",
                       count_of(n, "column"), "."),
                "Matrices have genes in rows and cells in columns: t(x) turns one over.",
                call = call)
  }
  named <- .row_names_info(col_data) > 0 && !is.null(cells)
  if (!named || identical(rownames(col_data), cells)) return(as.data.frame(col_data))
  if (setequal(rownames(col_data), cells)) {
    return(col_data[match(cells, rownames(col_data)), , drop = FALSE])
  }
  # Numbers are names only where cells are named by numbers; else they are what is left of an order.
  if (is.integer(attr(col_data, "row.names"))) return(as.data.frame(col_data))
  stranger <- setdiff(rownames(col_data), cells)[1]
  abort_input("`col_data` must have the cells of `x` as row names, or none.",
              paste0("Row ", dQuote(stranger, FALSE), " is no column of `x`."),
              "Write rownames(col_data) <- colnames(x) if the order is the same.", call = call)
}

# What the values are: "counts" (whole numbers, none negative), "log" (none negative, below 30 as a
# logarithm would be) or "other"; NA when there is nothing but zeros.
value_scale <- function(values) {
  if (is.na(values$max) || (values$max == 0 && values$min == 0)) return(NA_character_)
  if (values$min < 0) return("other")
  if (values$whole) return("counts")
  if (values$max < 30) "log" else "other"
}

# What was read, in words.
source_text <- function(cells) {
  if (cells$container %in% c("matrix", "DelayedMatrix")) return("The matrix")
  if (cells$container == "h5ad") return(paste(dQuote(cells$assay, FALSE), "of the h5ad file"))
  assay <- paste0("ssay ", dQuote(cells$assay, FALSE))
  if (is.null(cells$layer)) return(paste0("A", assay))
  paste0("Layer ", dQuote(cells$layer, FALSE), " of a", assay)
}

# The values must suit the likelihood (scverse/scvi-tools#1281: NaN after non-counts). Returns a
# defect or NULL.
scale_defect <- function(cells, values, scale, loss) {
  where <- source_text(cells)
  if (is_count_loss(loss) && values$n_negative > 0) return(NULL)
  if (is_count_loss(loss) && !is.na(scale) && scale != "counts") {
    given <- paste0(where, " holds the value ", format(values$example, digits = 6), " (gene ",
                    dQuote(values$example_gene, FALSE), ", cell ",
                    dQuote(values$example_cell, FALSE), ")",
                    if (scale == "log") ": it looks log-normalised" else "", ".")
    must <- paste0("`loss = \"", loss, "\"` must be given raw counts.")
    return(new_defect("log values for nb", must, given,
                      paste(cells$count_hint, "cpa(loss = \"gauss\") fits logarithms.")))
  }
  if (loss == "gauss" && identical(scale, "counts")) {
    return(new_defect("counts for gauss", "`loss = \"gauss\"` must be given log-normalised values.",
                      paste0(where, " holds whole numbers up to ", format(values$max),
                             ": these look like raw counts."),
                      paste(cells$log_hint, "cpa(loss = \"nb\") fits counts.")))
  }
  if (loss == "gauss" && identical(scale, "other")) {
    what <- if (values$min < 0) "negative values (scaled data?)" else
      paste0("values up to ", format(values$max, digits = 6), " (no logarithm?)")
    return(new_defect("unusual scale", "`loss = \"gauss\"` expects log-normalised values.",
                      paste0(where, " holds ", what, "."),
                      paste(c("Predictions and r2 will be on that scale.", cells$raw_hint), collapse = " "),
                      severity = "warning"))
  }
  NULL
}

# What 10x calls the kind of each row, under the names of scanpy and DropletUtils; NULL where nothing tells.
row_types <- function(table, rows) {
  column <- intersect(c("feature_types", "feature_type", "Type"), names(table))
  if (length(column)) rlang::set_names(as.character(table[[column[1L]]]), rows)
}

# Antibodies or peaks among the genes. A 10x file is read by its types, and has none left.
type_defect <- function(cells) {
  types <- cells$types[rownames(cells$x)]
  others <- which(types != "Gene Expression")
  if (length(others) == 0L || length(others) == sum(!is.na(types))) return(NULL)
  new_defect("other features", "Rows should be genes.",
             paste0(count_of(length(others), "row"), " of ", nrow(cells$x),
                    if (length(others) == 1L) " is" else " are", " no gene but ",
                    name_list(unique(types[others])), ", such as ", dQuote(names(types)[others[1L]], FALSE), "."),
             "Leave them out, or, where they are proteins, name them by `proteins` of multicpa().",
             severity = "warning", n = length(others))
}
