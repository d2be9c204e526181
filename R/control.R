# Who is a control: cells whose perturbation has the control's name, or one of several (then the first is the name of
# all), or cells that a logical column marks. Names are compared for equality, doses play no part.
# (facebookresearch/CPA, cpa/data.py, compares dose texts and finds no controls in a numeric column; its later test is
# by substring.)

# list(control = name of the control perturbation, defects)
find_control <- function(keys, col_data, pairs) {
  atoms <- sort_names(stats::na.omit(unlist(pairs$parts, use.names = FALSE)))
  if (is.null(keys$control)) return(list(control = NULL, defects = control_missing(keys, atoms)))
  given <- control_names(keys)
  whole <- lapply(split_text(given, keys$sep), unique)
  if (all(lengths(whole) == 1L) && all(unlist(whole) %in% atoms)) return(control_by_name(unlist(whole), pairs))
  cut <- given[lengths(whole) > 1L & given %in% pairs$label]
  if (length(cut)) return(control_cut(cut[1L], keys))
  if (length(given) == 1L && given %in% names(col_data)) {
    return(control_by_flag(col_data[[given]], keys, pairs))
  }
  several <- length(given) > 1L
  absent <- given[!vapply(whole, function(w) length(w) == 1L && w %in% atoms, NA)][1L]
  flags <- if (!several) Filter(function(name) is_flag(col_data[[name]]), names(col_data))
  list(control = NULL, defects = new_defect(
    "no such control",
    if (several) "`control` must be names in the perturbation column." else
      "`control` must be a name in the perturbation column, or a logical column.",
    paste0(dQuote(absent, FALSE), if (several) " is none." else " is neither: no cell is a control."),
    paste0(did_you_mean(absent, c(atoms, flags)), columns_have(keys), name_list(atoms, 12), ".")))
}

control_names <- function(keys) c(keys$control, keys$further_controls)

# "control" (with "DMSO"): the name of all controls, and those that stand for it in the cells.
control_words <- function(keys) {
  further <- keys$further_controls
  paste0(dQuote(keys$control, FALSE), if (length(further)) paste0(" (with ", name_list(further, 4L), ")"))
}

# Names, or parts of labels, in which every name of the control is its first.
one_control <- function(parts, keys) {
  if (is.null(keys$further_controls)) return(parts)
  first <- function(p) replace(p, p %in% keys$further_controls, keys$control)
  if (is.list(parts)) lapply(parts, first) else first(parts)
}

# The cells have the control's name, which `sep` takes for a combination.
control_cut <- function(name, keys) {
  list(control = NULL, defects = new_defect(
    "control cut in two", "The name of the control must not hold what joins combinations.",
    paste0(dQuote(name, FALSE), " holds `sep`, ", dQuote(keys$sep, FALSE), "."),
    paste0("Give the controls a name without it; where each part is a control, write control = ",
           deparse1(unique(split_text(name, keys$sep)[[1L]])), "; where no cell has a combination, sep = NULL.")))
}

is_flag <- function(column) is.logical(column) || (is.numeric(column) && all(column %in% c(0, 1)))

usual_controls <- function() {
  c("control", "ctrl", "dmso", "vehicle", "nt", "non-targeting", "untreated", "unstimulated",
    "mock", "ntc", "safe-targeting", "negctrl")
}

# The control that was meant where the one named is not there, or NULL.
likely_control <- function(control, columns) {
  atoms <- sort_names(unlist(split_text(unique(level_names(columns$label)), columns$sep)))
  near <- if (!is.null(control)) nearest_name(control, atoms)
  near %||% usual_control(atoms)
}

usual_control <- function(atoms) {
  usual <- atoms[lower_case(atoms) %in% usual_controls()]
  if (length(usual) > 0) usual[1]
}

control_missing <- function(keys, atoms) {
  likely <- usual_control(atoms)
  hint <- if (!is.null(likely)) {
    paste0("Write control = ", dQuote(likely, FALSE), ".")
  } else {
    paste0(columns_have(keys), name_list(atoms, 12), ".")
  }
  new_defect("no control given", "`control` must name the control perturbation.",
             "It is missing.", hint)
}

control_by_name <- function(names, pairs) {
  pure <- vapply(pairs$parts, function(p) all(p %in% names), NA)
  if (any(pure)) return(list(control = names[1L], defects = NULL))
  list(control = names[1L], defects = new_defect(
    "no control cells", "There must be control cells.",
    paste0(name_list(names), if (length(names) > 1L) " occur" else " occurs", " only inside combinations."),
    "Add cells that had the control alone."))
}

control_by_flag <- function(flag, keys, pairs) {
  column <- dQuote(keys$control, FALSE)
  fail <- function(given, todo) {
    list(control = NULL, defects = new_defect(
      "control column", "A column given as `control` must mark the cells of one perturbation.",
      given, todo))
  }
  if (is.numeric(flag) && is_flag(flag)) flag <- flag == 1
  if (!is.logical(flag) || anyNA(flag)) {
    what <- if (is.logical(flag)) "has missing values" else
      paste("holds", name_list(utils::head(unique(flag), 20)))
    return(fail(paste0("Column ", column, " ", what, "."),
                "Make it TRUE for controls and FALSE for the others, or give the control's name."))
  }
  if (!any(flag)) {
    return(fail(paste0("Column ", column, " is FALSE for every cell: no cell is a control."),
                "Mark the control cells, or give the control's name."))
  }
  codes <- unique(pairs$code[flag])
  names <- unique(unlist(pairs$parts[codes], use.names = FALSE))
  if (length(names) != 1 || anyNA(names)) {
    return(fail(paste0("The cells it marks have perturbations ", name_list(names), "."),
                "Name what is a control, or each of several: control = c(\"first\", \"second\")."))
  }
  alike <- vapply(pairs$parts, function(p) all(p == names), NA)[pairs$code]
  stray <- which(alike & !flag)
  if (length(stray) > 0) {
    return(fail(paste0("It leaves out ", count_of(length(stray), "cell"), " whose perturbation is ",
                       dQuote(names, FALSE), "."),
                "Mark them too, or give them another name."))
  }
  list(control = names, defects = NULL)
}
