# Perturbations, and their doses, in several columns of the cells' table: guide_1 and guide_2, drug_1 with
# dose_1 and drug_2 with dose_2. Each column names one perturbation of a cell or none, so that nothing is
# parsed and names may hold any sign. `keys$columns` has the names of the columns; `keys$perturbation` and
# `keys$dose` are what tables and conditions call the pairs that are read off them.

joint_names <- list(perturbation = "perturbation", dose = "dose")

# Joins the names of one cell's row before parse_pairs() takes them apart again.
joint_sep <- "\u001e"

# `perturbation` and `dose` as list(perturbation, dose), NULL where they name one column each. `others`: the
# columns of other roles.
several_columns <- function(perturbation, dose, others, call = rlang::caller_env()) {
  if (length(perturbation) < 2L && length(dose) < 2L) return(NULL)
  check_strings(perturbation, "perturbation", null_ok = FALSE, call = call)
  if (length(dose) > 0L) for (name in dose) check_string(name, "dose", call = call)
  if (length(perturbation) < 2L || !length(dose) %in% c(0L, length(perturbation))) {
    abort_input("`dose` must name as many columns as `perturbation`.",
                paste0("`perturbation` names ", count_of(length(perturbation), "column"), ", `dose` ",
                       count_of(length(dose), "column"), "."),
                paste0("Give each column of perturbations its doses, such as dose = c(\"dose_1\", \"dose_2\"); one ",
                       "of them may be named for several: dose = c(\"dose\", \"dose\")."), call)
  }
  taken <- intersect(others, c(joint_names$perturbation, if (length(dose)) joint_names$dose))
  if (length(taken)) {
    abort_input(paste0("No other column may be called ", dQuote(taken[1L], FALSE),
                       " where perturbations are in several columns."),
                paste0("It is what these are called together in conditions and tables, and is given as another ",
                       "role as well."), "Rename that column.", call)
  }
  c(list(perturbation = perturbation), if (length(dose)) list(dose = dose))
}

# The user's columns of a role.
given_columns <- function(keys, role) {
  if (!is.null(keys[[role]])) keys$columns[[role]] %||% keys[[role]]
}

# Column "drug" has, Columns "guide_1", "guide_2" have
columns_have <- function(keys) {
  names <- given_columns(keys, "perturbation")
  if (length(names) == 1L) return(paste0("Column ", dQuote(names, FALSE), " has "))
  paste0("Columns ", name_list(names), " have ")
}

# list(label, dose, sep): what parse_pairs() takes.
label_columns <- function(table, keys) {
  if (is.null(keys$columns)) {
    return(list(label = table[[keys$perturbation]], dose = if (!is.null(keys$dose)) table[[keys$dose]],
                sep = keys$sep))
  }
  read <- function(role) lapply(given_columns(keys, role), function(name) level_names(table[[name]]))
  parts <- lapply(read("perturbation"), function(part) replace(part, part %in% "", NA))
  doses <- read("dose")
  # Of no name of the control a dose is asked for.
  for (k in seq_along(doses)) doses[[k]][is.na(doses[[k]]) & parts[[k]] %in% keys$further_controls] <- "0"
  control <- keys$control %||% "control"
  named <- any(vapply(parts, function(part) any(control_names(keys) %in% part), NA))
  # The name of a column of marks is not one of cells.
  if (!named && control %in% names(table)) control <- "control"
  code <- row_codes(c(parts, doses))
  first <- which(!duplicated(code))
  rows <- lapply(first, function(i) {
    join_row(vapply(parts, `[`, "", i), if (length(doses)) vapply(doses, `[`, "", i), control)
  })
  take <- function(what) vapply(rows, `[[`, "", what)[code]
  list(label = take("label"), dose = if (length(doses)) take("dose"), sep = joint_sep)
}

# One cell's names and doses as two texts. Where only the control acts it is the control, at the highest dose
# that is given with its name, else at dose 0.
join_row <- function(part, dose, control) {
  acts <- !is.na(part) & part != control
  if (any(acts)) {
    missing <- anyNA(dose[acts])
    return(list(label = paste(part[acts], collapse = joint_sep),
                dose = if (missing) NA_character_ else paste(dose[acts], collapse = joint_sep)))
  }
  own <- dose[part %in% control & !is.na(dose)]
  number <- suppressWarnings(as.double(own))
  list(label = control, dose = if (length(own) == 0L) "0" else if (anyNA(number)) own[is.na(number)][1L] else
    level_names(max(number)))
}

# A table with the columns of all perturbations (and doses) together beside the user's own.
with_joint_columns <- function(table, keys, readable = FALSE) {
  if (is.null(keys$columns) || !all(keys$columns$perturbation %in% names(table))) return(table)
  if (!all(keys$columns$dose %in% names(table))) keys["dose"] <- list(NULL)
  joint <- label_columns(table, keys)
  text <- function(x) gsub(joint_sep, keys$sep %||% "+", x, fixed = TRUE)
  table[[joint_names$perturbation]] <- if (readable) text(joint$label) else split_text(joint$label, joint_sep)
  if (is.null(joint$dose)) return(table)
  table[[joint_names$dose]] <- if (readable) text(joint$dose) else split_doses(joint$dose, joint_sep)
  table
}
