# The names that the user gave to the columns of the cells' table, and what was read.

# `keys` of a screen, checked for form (not yet against a table). Of several columns of perturbations, see
# several-columns.R.
new_keys <- function(perturbation = NULL, dose = NULL, covariates = NULL, control = NULL, batch = NULL,
                     split = NULL, assay = NULL, layer = NULL, loss = NULL, sep = "+",
                     continuous = NULL, call = rlang::caller_env()) {
  refuse_values(list(perturbation = perturbation, dose = dose, covariates = covariates, continuous = continuous,
                     batch = batch, split = split), call)
  covariates <- formula_names(covariates, "covariates", call)
  continuous <- formula_names(continuous, "continuous", call)
  columns <- several_columns(perturbation, dose, c(covariates, continuous, batch, split), call)
  if (is.null(columns)) {
    check_string(perturbation, "perturbation", call = call)
    check_string(dose, "dose", null_ok = TRUE, call = call)
  }
  check_strings(covariates, "covariates", call = call)
  check_strings(continuous, "continuous", call = call)
  check_string(batch, "batch", null_ok = TRUE, call = call)
  check_string(split, "split", null_ok = TRUE, call = call)
  check_string(assay, "assay", null_ok = TRUE, call = call)
  check_string(layer, "layer", null_ok = TRUE, call = call)
  check_string(sep, "sep", null_ok = TRUE, call = call)
  if (!is.null(loss)) loss <- check_choice(loss, c("gauss", "nb", "zinb"), "loss", call = call)
  if (!is.null(control)) check_strings(control, "control", null_ok = FALSE, call, min = 1L)
  check_roles(list(perturbation = perturbation, dose = dose, covariates = covariates,
                   continuous = continuous, batch = batch, split = split), call)
  if (!is.null(columns)) {
    perturbation <- joint_names$perturbation
    dose <- if (!is.null(dose)) joint_names$dose
  }
  c(list(perturbation = perturbation, dose = dose, covariates = as.character(covariates),
         control = if (!is.null(control)) as_utf8(control[1L]), batch = batch, split = split, assay = assay,
         layer = layer, loss = loss, sep = sep), if (!is.null(columns)) list(columns = columns),
    if (length(continuous)) list(continuous = continuous),
    if (length(control) > 1L) list(further_controls = as_utf8(control[-1L])))
}

# x$condition in place of "condition".
refuse_values <- function(roles, call) {
  values <- vapply(roles, function(x) is.factor(x) || inherits(x, "Rle") || (is.atomic(x) && length(x) > 100L), NA)
  if (!any(values)) return(invisible())
  arg <- names(roles)[values][1L]
  abort_input(paste0("`", arg, "` must be the name of a column of the cells' table, not the column itself."),
              paste0("It is ", describe(roles[[arg]]), "."), paste0("Write ", arg, " = \"...\", with its name."),
              call = call)
}

# Those of the arguments that a verb was given.
keys_of <- function(given, loss = NULL, call = rlang::caller_env()) {
  named <- given[intersect(names(given), setdiff(names(formals(new_keys)), "loss"))]
  do.call(new_keys, c(named, list(loss = loss, call = call)), quote = TRUE)
}

# Of a one-sided formula, ~ cell_type + donor, the names; anything else as it is.
formula_names <- function(x, arg, call) {
  if (!inherits(x, "formula")) return(x)
  names <- all.vars(x)
  if (length(x) == 2L && all(all.names(x) %in% c("~", "+", "(", names))) return(names)
  abort_input(paste0("`", arg, "` must be a formula of names, such as ~ a + b."),
              paste0("It is ", rlang::as_label(x), "."),
              "Make what is computed a column of the cells' table, and name that.", call)
}

# A column has one role, in which it may give the doses of several columns.
check_roles <- function(roles, call) {
  roles$dose <- unique(roles$dose)
  column <- unlist(roles, use.names = FALSE)
  role <- rep(names(roles), lengths(roles))
  twice <- column[duplicated(column)]
  if (length(twice) == 0) return(invisible())
  both <- role[column == twice[1]]
  abort_input("Each column must have one role.",
              paste0("Column ", dQuote(twice[1], FALSE), " is given as `", both[1], "` and as `",
                     both[2], "`."),
              "Leave it out of one of them.", call = call)
}

# Columns that the table lacks, one defect each.
column_defects <- function(keys, columns, need) {
  roles <- list(perturbation = given_columns(keys, "perturbation"), dose = unique(given_columns(keys, "dose")),
                covariates = keys$covariates, batch = keys$batch, split = keys$split)
  # Of several columns some are no use without the others.
  roles <- roles[intersect(names(roles), c(need, names(keys$columns)))]
  # As covariates, every cell has them.
  if ("covariates" %in% need) roles$continuous <- keys$continuous
  one <- function(arg, name) {
    n <- sum(columns %in% name)
    if (n > 1L) {
      return(new_defect("repeated column", paste0("`", arg, "` must name one column of the cells' table."),
                        paste0("There are ", n, " columns ", dQuote(name, FALSE), "."),
                        "Give them different names."))
    }
    if (n == 1L) return(NULL)
    new_defect("missing column", paste0("`", arg, "` must name a column of the cells' table."),
               paste0("There is no column ", dQuote(name, FALSE), "."),
               paste0(did_you_mean(name, columns), "The columns are ", name_list(columns, 12), ".",
                      if (name == "ident") " Identities of Seurat become one by x$ident <- Idents(x)."))
  }
  bind_defects(unlist(lapply(names(roles), function(arg) {
    lapply(roles[[arg]], function(name) one(arg, name))
  }), recursive = FALSE))
}

# Whether each cell has one value in columns of lists, such as a CharacterList, and of matrices, and the defects
# where not: as text, several would be R code.
single_values <- function(table, columns, cells) {
  counts <- Filter(Negate(is.null), lapply(as.list(table)[unique(columns)], values_per_cell))
  defects <- lapply(names(counts), function(name) {
    hit <- which(counts[[name]] != 1L)
    if (length(hit) == 0L) return(NULL)
    new_defect("several values", paste0("Column ", dQuote(name, FALSE), " must have one value for every cell."),
               paste0("Cell ", dQuote(cells[hit[1L]], FALSE), " has ", count_of(counts[[name]][hit[1L]], "value"),
                      and_more(length(hit)), "."),
               paste("Join those of a list to one text, such as \"A+B\": vapply(column, paste, \"\", collapse =",
                     "\"+\"). Make the columns of a matrix columns of the table."), n = length(hit))
  })
  list(ok = Reduce(`&`, lapply(counts, `==`, 1L), rep(TRUE, length(cells))), defects = bind_defects(defects))
}

# NULL of a plain column.
values_per_cell <- function(v) {
  if (length(dim(v)) == 2L) return(rep(ncol(v), nrow(v)))
  if (is.list(v) && !inherits(v, "POSIXlt")) unname(lengths(v))
}

# All covariates in the order of the model: the batch comes last.
covariate_names <- function(keys) c(keys$covariates, keys$batch)

# Losses that read raw counts.
is_count_loss <- function(loss) !is.null(loss) && loss %in% c("nb", "zinb")
