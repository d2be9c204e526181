# A screen: expression, conditions, controls and covariates of the cells, in the one form that the
# rest of the package works on. Made from any container, checked once.

all_roles <- function() c("perturbation", "dose", "covariates", "control", "batch", "split")

# Reads `x` into a screen. `need` are the roles that must be there: predictions may start from cells
# without a perturbation column (they count as controls then), without controls, without a split.
# Defects that make the cells unreadable stop here, all of them in one error. `expects_log`: what is said
# (must, todo) of values that are no logarithms, where they should be.
as_screen <- function(x, keys, col_data = NULL, ..., need = all_roles(), expects_log = NULL,
                      call = rlang::caller_env()) {
  read <- read_screen(x, keys, col_data, need, call)
  abort_defects(read$defects, call)
  odd <- read$defects$given[read$defects$check == "unusual scale"]
  if (length(odd) && length(expects_log)) {
    cli::cli_warn(c(as_called(expects_log[["must"]], call), "x" = escape_braces(odd), i = expects_log[["todo"]]),
                  call = call, class = "compert_other_scale")
  }
  read$screen
}

# list(screen, partial, defects, ...): the screen is NULL when some cell cannot be read; `partial`
# is then the screen of the cells that can, so that the rest of the design is looked at all the
# same (with the control that was probably meant, when the one named is not there).
read_screen <- function(x, keys, col_data, need = all_roles(), call = rlang::caller_env()) {
  cells <- read_cells(x, keys, col_data, call)
  second <- read_proteins(x, name_cells(cells), keys, call)
  if (!is.null(second)) cells$x <- as_columns(second$genes, call)
  if (any(dim(cells$x) == 0)) {
    abort_input("`x` must have cells and genes.",
                paste0("It has ", count_of(ncol(cells$x), "cell"), " and ",
                       count_of(nrow(cells$x), "gene"), "."),
                "Was everything filtered out?", call = call)
  }
  cells <- name_cells(cells)
  values <- inspect_values(cells$x)
  scale <- value_scale(values)
  counts <- isTRUE(values$whole && values$max > 0)
  keys$loss <- keys$loss %||% if (counts) "nb" else "gauss"
  defects <- bind_defects(name_defects(cells), type_defect(cells), value_defects(values, keys$loss),
                          scale_defect(cells, values, scale, keys$loss))
  out <- list(screen = NULL, partial = NULL, source = source_text(cells), loss = keys$loss,
              dim = dim(cells$x), bytes = if (is_stored(cells$x)) memory_bytes(cells$x$where) else
                as.numeric(utils::object.size(cells$x)))
  asked <- keys
  keys <- drop_absent(keys, names(cells$col_data), need)
  absent <- column_defects(keys, names(cells$col_data), need)
  if (nrow(absent) > 0) keys <- drop_absent(keys, names(cells$col_data), "perturbation", enough = all)
  if (!all(given_columns(keys, "perturbation") %in% names(cells$col_data))) {
    return(c(out, list(defects = bind_defects(absent, defects))))
  }
  labels <- if (isTRUE(keys$of_fit$unused) || is.null(keys$perturbation)) unlabelled_controls(cells, asked) else
    read_labels(cells, keys, need)
  if (is.null(keys$dose) && !is.null(asked$dose) && nrow(absent) == 0) {
    labels <- control_doses(labels, asked, names(cells$col_data))
  }
  design <- read_design(cells, keys)
  unreadable <- bind_defects(absent, labels$defects, design$defects)
  if (nrow(unreadable) == 0) {
    out$screen <- add_proteins(new_screen(cells, keys, scale, labels, design), second)
  } else {
    out$partial <- readable_screen(cells, keys, scale, labels$ok & design$ok)
  }
  c(out, list(defects = bind_defects(unreadable, defects)))
}

readable_screen <- function(cells, keys, scale, ok) {
  if (!any(ok) || is.null(keys$perturbation)) return(NULL)
  cells$x <- cells$x[, ok, drop = FALSE]
  cells$col_data <- cells$col_data[ok, , drop = FALSE]
  if (!is.null(keys$split) && !is.null(read_split(cells$col_data[[keys$split]], "")$defects)) {
    keys["split"] <- list(NULL)
  }
  labels <- read_labels(cells, keys)
  if (is.null(labels$control)) {
    keys$control <- likely_control(keys$control, label_columns(cells$col_data, keys))
    labels <- read_labels(cells, keys)
  }
  if (nrow(labels$defects) > 0) return(NULL)
  new_screen(cells, keys, scale, labels, read_design(cells, keys))
}

new_screen <- function(cells, keys, scale, labels, design) {
  keys$control <- labels$control
  keys$idle_zero <- labels$idle_zero %||% keys$idle_zero
  if (any(labels$is_control)) keys$control_dose <- max(unlist(labels$doses[labels$is_control]))
  structure(list(
    x = cells$x, col_data = cells$col_data, container = cells$container, assay = cells$assay,
    layer = cells$layer, scale = if (is.na(scale)) "other" else scale, loss = keys$loss,
    keys = keys, parts = labels$parts, doses = labels$doses, code = labels$code,
    control = labels$is_control, split = design$split, covariates = design$covariates,
    continuous = design$continuous
  ), class = "compert_screen")
}

# Roles that are not needed are forgotten when their column is not there, or `enough` of them.
drop_absent <- function(keys, columns, need, enough = any) {
  for (role in setdiff(c("perturbation", "dose", "batch", "split"), need)) {
    if (!is.null(keys[[role]]) && !enough(given_columns(keys, role) %in% columns)) keys[role] <- list(NULL)
  }
  if (!"covariates" %in% need) {
    keys$covariates <- intersect(keys$covariates, columns)
    keys$continuous <- intersect(keys$continuous, columns)
  }
  keys
}

# Cells without names are numbered. Genes without names cannot be matched later: a defect.
name_cells <- function(cells) {
  n <- ncol(cells$x)
  if (is.null(colnames(cells$x))) colnames(cells$x) <- paste0("cell", seq_len(n))[seq_len(n)]
  cells
}

name_defects <- function(cells) {
  genes <- rownames(cells$x)
  unique_names <- function(r, python) {
    if (cells$container != "h5ad") return(paste0("Write ", r, "(x) <- make.unique(", r, "(x))."))
    paste0("In Python: adata.", python, "_names_make_unique(), and write the file anew; or give what ",
           "read_h5ad() reads, where they are made unique.")
  }
  twice <- function(names, what, todo) {
    again <- names[duplicated(names)]
    if (length(again) == 0) return(NULL)
    new_defect(paste("duplicated", what, "names"),
               paste0("Names of ", what, "s must be different from each other."),
               paste0(dQuote(again[1], FALSE), " is there more than once",
                      and_more(length(unique(again)), paste(what, "name")), "."),
               todo, n = length(again))
  }
  bind_defects(
    if (is.null(genes)) {
      new_defect("no gene names", "`x` must have the genes' names as row names.",
                 "It has no row names.", "Set them: rownames(x) <- genes.")
    },
    if (anyNA(genes) || !all(nzchar(genes))) {
      unnamed <- which(is.na(genes) | !nzchar(genes))
      new_defect("genes without a name", "Every gene must have a name.",
                 paste0("Row ", unnamed[1L], and_more(length(unnamed), "gene"), " has none."),
                 "Set them: rownames(x) <- genes.", n = length(unnamed))
    },
    twice(genes[!is.na(genes) & nzchar(genes)], "gene", unique_names("rownames", "var")),
    twice(colnames(cells$x), "cell", unique_names("colnames", "obs"))
  )
}

value_defects <- function(values, loss) {
  at <- function(where) {
    paste0("gene ", dQuote(where$gene, FALSE), " of cell ", dQuote(where$cell, FALSE))
  }
  bind_defects(
    if (values$n_bad > 0) {
      new_defect("values not finite", "Expression values must be finite.",
                 paste0("The value of ", at(values$bad_at), " is ", format(values$bad),
                        and_more(values$n_bad, "value"), "."),
                 "Leave these cells out, or put measured values in.", n = values$n_bad)
    },
    if (values$n_negative > 0 && is_count_loss(loss)) {
      new_defect("negative counts", "Counts must be 0 or greater.",
                 paste0("The value of ", at(values$negative_at), " is ",
                        format(values$negative), and_more(values$n_negative, "value"), "."),
                 "Give the raw counts, or use loss = \"gauss\".", n = values$n_negative)
    }
  )
}

# Perturbations, doses and controls of the cells.
read_labels <- function(cells, keys, need = all_roles()) {
  names <- colnames(cells$x)
  single <- single_values(cells$col_data, unlist(lapply(c("perturbation", "dose"), given_columns, keys = keys)), names)
  if (!all(single$ok)) return(c(single, control = keys$control))
  columns <- label_columns(cells$col_data, keys)
  keys["sep"] <- list(columns$sep)
  pairs <- parse_pairs(columns$label, columns$dose, columns$sep, names)
  found <- find_control(keys, cells$col_data, pairs)
  if (!"control" %in% need && !is.null(found$defects)) found <- list(control = keys$control)
  defects <- bind_defects(pairs$defects, found$defects)
  if (nrow(defects) > 0) {
    return(list(defects = defects, control = found$control, ok = pairs$ok[pairs$code]))
  }
  tidy <- tidy_pairs(one_control(pairs$parts, keys), pairs$doses, found$control)
  is_control <- vapply(tidy$parts, identical, NA, found$control)
  # A fit's cells are read as those of its training; else the controls say what dose 0 is.
  idle_zero <- keys$idle_zero %||% any(unlist(tidy$doses[is_control]) == 0)
  if (idle_zero) tidy <- acting_parts(tidy)
  list(parts = tidy$parts[pairs$code], doses = tidy$doses[pairs$code], code = pairs$code,
       is_control = is_control[pairs$code], control = found$control, idle_zero = idle_zero,
       ok = pairs$ok[pairs$code], defects = defects)
}

# Without a perturbation column all cells are controls, unless their doses say otherwise. Where labels
# are not used, doses are not looked at.
unlabelled_controls <- function(cells, keys) {
  n <- ncol(cells$x)
  own <- keys$control_dose %||% 1
  known <- keys$of_fit$control_doses %||% own
  dose <- if (!is.null(keys$dose) && is.null(keys$columns) && !isTRUE(keys$of_fit$unused)) cells$col_data[[keys$dose]]
  dose <- dose %||% rep(own, n)
  if (is.factor(dose) || is.logical(dose)) dose <- as.character(dose)
  values <- unique(dose)
  given <- split_doses(values, keys$sep)
  other <- dose %in% values[!vapply(given, function(d) all(format_dose(d) %in% format_dose(known)), NA)]
  code <- match(dose, values)
  list(parts = rep(list(keys$control), n), doses = lapply(given, max)[code], code = code,
       is_control = rep(TRUE, n), control = keys$control, ok = !other,
       defects = if (any(other)) treated_defect(keys, colnames(cells$x)[other], dose[other], known) else
         no_defects())
}

treated_defect <- function(keys, cells, dose, known) {
  new_defect("doses without perturbations",
             "Cells at other doses than the controls' must have a column of perturbations.",
             paste0("Cell ", dQuote(cells[1], FALSE), " has dose ", dose[1], and_more(length(cells)),
                    " and there is no column ", dQuote(keys$perturbation, FALSE), "; controls have dose ",
                    paste(format_dose(sort(unique(known))), collapse = " or "), "."),
             paste0("Add that column, or give the control cells only."), n = length(cells))
}

# Cells of a dosed screen without a dose column: controls have the dose that they had in training;
# of perturbed cells it cannot be known.
control_doses <- function(labels, keys, columns) {
  if (nrow(labels$defects) > 0) return(labels)
  if (!all(labels$is_control)) {
    labels$defects <- column_defects(keys, columns, "dose")
    return(labels)
  }
  labels$doses <- rep(list(keys$control_dose %||% 1), length(labels$doses))
  labels
}

#' @export
print.compert_screen <- function(x, ...) {
  cli::cat_line("<screen> ", count_of(nrow(x$x), "gene"), " x ", count_of(ncol(x$x), "cell"),
                " from ", x$container, ", ", x$assay, " (", x$scale, ")")
  cli::cat_line("  ", count_of(length(unique(unlist(x$parts))), "perturbation"), ", ",
                count_of(sum(x$control), "control cell"))
  invisible(x)
}
