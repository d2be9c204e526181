#' Ask for a condition
#'
#' `condition()` says in the names of your own columns which perturbation, at which dose, in which
#' cells is meant: to predict it, to hold it out, to look it up. `condition_grid()` crosses all
#' values given. Names are those of the screen; they are checked where the condition is used.
#'
#' @param ... The perturbation first, under the name of its column (or without a name), then any
#'   covariates, each by the name of its column. The perturbation is a text such as `"A"` or `"A+B"`
#'   (several texts make several conditions; numbers are names too, as in the cells), or a list of
#'   character vectors, `list(c("A", "B"))`, when names hold the separator. Covariates that are not
#'   named stay as they are in each cell. A continuous covariate has a number (`age = 50`). A covariate whose
#'   column is called `perturbation`, `dose`,
#'   `dose_unit` or `sep` is named with `own_` in front (`own_dose`); a perturbation column of such
#'   a name is left out: `condition("A")`. Perturbations in several columns are `perturbation` together.
#'   A molecule that the fit has not seen is asked for by its `smiles`, see Molecules.
#' @param dose Dose, in the unit of the dose column: one number per part (`c(1, 0.5)` for
#'   `"A+B"`; for `"A"` each number makes a condition), texts such as `"1+0.5"`, or a list of numeric vectors, one
#'   per condition. `NULL`
#'   leaves it open, see Open doses. In `condition_grid()` every value is one dose that all parts take.
#' @param dose_unit Unit of the doses, such as `"nM"`: they are converted to the unit that the fit was
#'   made with (`dose_unit` of [cpa()]). `NULL`: they are in that unit. [split_cells()], which
#'   knows no unit of its column, refuses one.
#' @param sep What joins the names of a combination, and its doses, in these texts; `NULL` when
#'   nothing does. Left out, names are joined as in the screen; where that is not by `"+"`, doses of a
#'   combination need it. A `sep` that reads a text otherwise than the screen does is an error.
#'
#' @section Shorter:
#' Where a verb asks for a condition, texts alone are perturbations: `"A+B"` is `condition("A+B")`. A data frame
#' with the screen's own columns, as `expand.grid()` or `unique()` make it, has a condition in each row.
#'
#' @section Open doses:
#' Where measured conditions are chosen, as by [split_cells()], [evaluate_r2()], [plot_means()] and
#' [cycle_uncertainty()], a condition without a dose means every dose that was measured. Where one state is
#' asked for, as by [predict()][predict.compert_fit], it means the only dose that training saw of the
#' combination, or else of each of its perturbations; where there are several, that is an error that lists
#' them. A perturbation without training cells has what corresponds to the only dose of all others: where
#' doses are relative (see Doses in [cpa()]) the same share of its own highest dose. The control has its
#' own dose. Without a dose column a dose is how often the name is written, 1 for `"A"` and 2 for `"A+A"`; the
#' table of a condition shows an open dose so.
#'
#' @section Molecules:
#' A fit that computes embeddings from SMILES ([chemcpa()]) predicts molecules that it does not know, where
#' one state is asked for. `condition("New drug", dose = 1, smiles = "CCO")` gives the molecule of a name,
#' `NA` for names that the fit knows; `condition(smiles = "CCO", dose = 1)` has the SMILES in place of the
#' perturbation, which they name, too, or `smiles = c("New drug" = "CCO")`. SMILES are split at no `sep` but one
#' that is given. The fit that was asked stays as it is: [add_molecules()] makes one that knows molecules from then
#' on, also in combinations. A screen with a column called `smiles` has its names there, as any column.
#' @return A tibble of class `compert_condition` with one row per condition and columns
#'   `perturbation` (list of character vectors), `dose` (list of numeric vectors), and one column
#'   per covariate. The order of parts never matters: `"B+A"` with doses 2 and 1 is `"A+B"` with 1
#'   and 2. Conditions may be put together by `rbind()`: every row keeps its own `dose_unit`, its
#'   `sep`, and whether it was given a dose, and leaves open what covariates only others name.
#' @references Lotfollahi et al. (2023) Molecular Systems Biology 19, e11517 (counterfactual
#'   queries of the compositional perturbation autoencoder).
#' @section Errors: No perturbation; covariates without a name; doses that are not one number per part; a `dose_unit`
#'   without doses; values of a number that is neither one nor that of the conditions. Where the condition is used:
#'   no row, columns that are not the screen's, another `sep`, and names that the verb does not know.
#' @seealso [predict()][predict.compert_fit], [split_cells()], [evaluate_r2()], [prediction_uncertainty()]
#' @examples
#' condition(drug = "A+B", dose = c(1, 0.5), cell_type = "K562")
#' condition(drug = c("A", "B"), cell_type = "K562")
#' condition(drug = "A", dose = c(0.1, 1, 10), cell_type = "K562")
#' condition_grid(drug = c("A", "B"), dose = c(0.1, 1), cell_type = c("K562", "A549"))
#' condition("Ethanol", smiles = "CCO", dose = 1, cell_type = "K562")
#' @export
condition <- function(..., dose = NULL, dose_unit = NULL, sep = "+") {
  check_string(sep, "sep", null_ok = TRUE)
  dose_unit <- check_unit_of(dose, dose_unit)
  given <- split_condition_args(list(...))
  n <- max(lengths(c(list(given$value), given$covariates)))
  parts <- written_parts(given, sep, !missing(sep))
  # Numbers for one combination are those of its parts.
  several <- is.list(dose) || (length(parts) == 1 && (is.character(dose) || lengths(parts) == 1))
  if (several) n <- max(n, length(dose))
  parts <- recycle_to(parts, n, "perturbation")
  doses <- in_unit(condition_doses(dose, parts, sep), dose_unit)
  covariates <- lapply(given$covariates, level_names)
  covariates <- Map(function(v, name) recycle_to(v, n, name), covariates, names(covariates))
  new_condition(parts, doses, covariates)
}

#' @rdname condition
#' @export
condition_grid <- function(..., dose = NULL, dose_unit = NULL, sep = "+") {
  check_string(sep, "sep", null_ok = TRUE)
  dose_unit <- check_unit_of(dose, dose_unit)
  given <- split_condition_args(list(...))
  parts <- written_parts(given, sep, !missing(sep))
  axes <- c(list(perturbation = seq_along(parts)), if (!is.null(dose)) list(dose = seq_along(dose)),
            lapply(given$covariates, seq_along))
  at <- rev(expand.grid(rev(axes), KEEP.OUT.ATTRS = FALSE))
  doses <- lapply(seq_len(nrow(at)), function(i) {
    p <- parts[[at$perturbation[i]]]
    if (is.null(dose)) return(no_dose(p))
    one <- if (is.list(dose)) dose[[at$dose[i]]] else dose[at$dose[i]]
    if (is.numeric(one) && length(one) == 1) one <- rep(one, length(p))
    condition_doses(if (is.list(one) || is.character(one)) one else list(one), list(p), sep)[[1]]
  })
  covariates <- Map(function(v, name) level_names(v)[at[[name]]], given$covariates,
                    names(given$covariates))
  parts <- lapply(parts, `attr<-`, "crossed", TRUE)
  new_condition(parts[at$perturbation], in_unit(doses, dose_unit), covariates)
}

# list(key = name of the perturbation's argument, value, covariates)
split_condition_args <- function(args, call = rlang::caller_env()) {
  if (length(args) == 0) {
    abort_input("A condition must name a perturbation.", "Nothing was given.",
                c("Write condition(drug = \"A\"), with the name of your own column.",
                  "A column called dose, dose_unit or sep is not named: condition(\"A\")."), call = call)
  }
  names <- rlang::names2(args)
  first <- c(which(names == "perturbation"), 1)[1]
  rest <- args[-first]
  if (any(!nzchar(names[-first])) || anyDuplicated(names[-first])) {
    abort_input("Covariates of a condition must have names, each its own.",
                "One has no name, or a name is there twice.",
                "Write condition(drug = \"A\", cell_type = \"K562\").", call = call)
  }
  key <- if (names[first] %in% c("", "perturbation")) "perturbation" else names[first]
  for (k in seq_along(rest)) {
    good <- is.atomic(rest[[k]]) && length(rest[[k]]) > 0
    if (!good) {
      abort_input(paste0("`", names(rest)[k], "` must be a level or several."),
                  paste0("It is ", describe(rest[[k]]), "."), "Give the level's name.", call = call)
    }
  }
  list(key = key, value = args[[first]], covariates = rest)
}

# The parts of each perturbation with notes (see new_condition()) of how they were written. What was
# given as a list holds the parts as they are.
written_parts <- function(given, sep, sep_given, call = rlang::caller_env()) {
  value <- if (is.atomic(given$value)) level_names(given$value) else given$value
  # Molecules have signs of their charges.
  if (lower_case(given$key) == "smiles" && !sep_given) sep <- NULL
  parts <- condition_parts(value, sep, call)
  Map(function(p, text, name) {
    written <- if (!is.list(value)) list(text = text, sep = sep, given = sep_given, name = if (nzchar(name)) name)
    structure(p, key = given$key, written = written)
  }, parts, value, rlang::names2(given$value), USE.NAMES = FALSE)
}

check_unit_of <- function(dose, unit, call = rlang::caller_env()) {
  unit <- check_dose_unit(unit, call)
  if (is.null(unit) || !is.null(dose)) return(unit)
  abort_input("`dose_unit` must come with the doses that are in it.",
              paste0("It is ", dQuote(unit, FALSE), ", and there is no `dose`."),
              "Give `dose` too, or leave `dose_unit` out.", call = call)
}

in_unit <- function(doses, unit) lapply(doses, `attr<-`, "unit", unit)

condition_parts <- function(value, sep, call = rlang::caller_env()) {
  parts <- if (is.list(value) && all(vapply(value, is.atomic, NA))) {
    lapply(value, function(p) if (is.character(p)) unname(p) else level_names(p))
  } else if (is.atomic(value)) {
    split_text(level_names(value), sep)
  }
  bad <- length(parts) == 0 ||
    any(vapply(parts, function(p) length(p) == 0 || anyNA(p) || any(!nzchar(p)), NA))
  if (bad) {
    abort_input("The perturbation of a condition must be a text such as \"A\" or \"A+B\".",
                paste0("It is ", describe(value), "."),
                "Write condition(drug = \"A+B\") or condition(drug = list(c(\"A\", \"B\"))).",
                call = call)
  }
  unname(parts)
}

# One numeric vector per condition.
condition_doses <- function(dose, parts, sep, call = rlang::caller_env()) {
  size <- lengths(parts)
  n <- length(parts)
  if (is.null(dose)) return(lapply(parts, no_dose))
  if (is.factor(dose)) dose <- as.character(dose)
  doses <- if (is.character(dose)) {
    split_doses(dose, sep)
  } else if (is.list(dose)) {
    lapply(dose, function(d) {
      if (is.character(d)) split_doses(d, sep)[[1]] else keep_notes(as.double(d), d)
    })
  } else if (is.numeric(dose) && n == 1) {
    list(as.double(dose))
  } else if (is.numeric(dose)) {
    as.list(as.double(dose))
  }
  if (length(doses) == 1) doses <- rep(doses, n)
  fits <- length(doses) == n && identical(lengths(doses), size)
  value <- unlist(doses)
  check_dose_texts(dose, value, call)
  if (fits && !anyNA(value) && all(is.finite(value)) && all(value >= 0)) return(doses)
  abort_input(
    "`dose` must have one number, 0 or greater, per part of each perturbation.",
    paste0("There ", if (sum(size) == 1) "is 1 part" else paste("are", sum(size), "parts"), " in ",
           count_of(n, "condition"), "; `dose` is ", describe_dose(dose), "."),
    c("Write dose = c(1, 0.5) for one combination \"A+B\"; dose = list(1, c(1, 0.5)) for several.",
      "The perturbation is written first; condition_grid() crosses it with doses.",
      "`sep` says what joins names and their doses; it is NULL when nothing does."), call = call)
}

# Texts that hold no numbers, which a unit may be the reason of. split_doses() makes NaN of them.
check_dose_texts <- function(dose, value, call) {
  if (!is.character(unlist(dose)) || !any(is.nan(value))) return(invisible())
  abort_input("Texts of `dose` must be numbers, joined as the perturbations are.",
              paste0("It is ", name_list(dose), "."),
              "Write dose = 10, or \"1+0.5\" for a combination; the unit goes into `dose_unit = \"uM\"`.", call)
}

describe_dose <- function(dose) {
  if (is.atomic(dose)) paste(format(dose, digits = 6), collapse = ", ") else describe(dose)
}

recycle_to <- function(x, n, name, call = rlang::caller_env()) {
  if (length(x) == n) return(x)
  if (length(x) == 1) return(rep(x, n))
  abort_input(paste0("`", name, "` must have one value, or one per condition."),
              paste0("It has ", length(x), " for ", count_of(n, "condition"), "."),
              "condition_grid() crosses all values.", call = call)
}
