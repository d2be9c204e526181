# Units and scales of doses. The references take numbers as they come: nM in one data set, micromolar
# or shares of the highest dose in the next (theislab/chemCPA trains on both in turn). Here the unit
# is said once and kept, and the scale that the network sees is stored with the fit.

# Factors to mol/l, to g/l and to Gy.
dose_units <- function() {
  list(molar = c(fM = 1e-15, pM = 1e-12, nM = 1e-9, uM = 1e-6, mM = 1e-3, M = 1),
       mass = c("pg/ml" = 1e-9, "ng/ml" = 1e-6, "ug/ml" = 1e-3, "mg/ml" = 1, "mg/l" = 1e-3),
       body = c("ug/kg" = 1e-3, "mg/kg" = 1, "g/kg" = 1e3),
       radiation = c(mGy = 1e-3, Gy = 1))
}

known_units <- function() unlist(lapply(dose_units(), names), use.names = FALSE)

# One spelling of micro, and of the litre.
tidy_unit <- function(unit) sub("(/[a-z]?)L$", "\\1l", sub("^(\u00b5|\u03bc)", "u", trimws(unit)))

# Units outside the table, such as those of activity ("U/ml"), are labels. What is a known unit but for
# upper and lower case would be another one: "mM" or "MM", "nm" or "nM".
check_dose_unit <- function(unit, call = rlang::caller_env()) {
  check_string(unit, "dose_unit", null_ok = TRUE, call = call)
  if (is.null(unit)) return(NULL)
  unit <- tidy_unit(unit)
  known <- known_units()
  near <- known[lower_case(known) == lower_case(unit)]
  if (unit %in% known || length(near) == 0L) return(unit)
  abort_input("`dose_unit` must have the upper and lower case of the unit that is meant.",
              paste0("It is ", dQuote(unit, FALSE), "."),
              paste0("Known are ", name_list(near), "."), call)
}

# Numbers in `from` as numbers in `to`.
convert_doses <- function(dose, from, to, call = rlang::caller_env()) {
  if (identical(from, to)) return(dose)
  for (kind in dose_units()) {
    if (all(c(from, to) %in% names(kind))) return(dose * (kind[[from]] / kind[[to]]))
  }
  abort_input("The unit of the doses must be of the same kind as the fit's.",
              paste0("They are in ", dQuote(from, FALSE), ", the fit's in ", dQuote(to, FALSE), "."),
              if (all(c(from, to) %in% known_units()))
                "A molar dose and a mass need the molar mass: convert them yourself." else
                paste0("Converted are ", name_list(known_units(), 20), "."), call)
}

# The scale on which doses come before the network, the user's or the model's. The references of cpa() and multicpa()
# take doses as they come; those of chemcpa() are given them on one scale or another by their scripts.
pick_dose_transform <- function(given, settings, call = rlang::caller_env()) {
  parity <- settings$parity
  usual <- switch(parity, none = switch(settings$model, chemcpa = "log", scgen = "none", "relative"),
                  chemcpa = "max", "none")
  if (is.null(given)) return(usual)
  given <- check_choice(given, c("relative", "max", "log", "none"), "dose_transform", call)
  if (given == usual || parity %in% c("none", "chemcpa", "chemcpa_v2")) return(given)
  abort_input("`dose_transform` must be left out with the `parity` of a reference, which takes doses as they are.",
              paste0("It is ", dQuote(given, FALSE), ", and `parity` is ", dQuote(parity, FALSE), "."),
              "Leave it out and scale the dose column yourself, or leave `parity` out.", call)
}

# Doses as they come before the network. `code` counts perturbations from 1, dose in the fit's unit.
scaled_dose <- function(registry, code, dose) {
  top <- as.double(registry$dose_top %||% 1)
  switch(registry$dose_transform %||% "none",
    none = dose,
    relative = dose / as.double(registry$dose_scale)[code],
    max = dose / top,
    # Three decades below the highest dose; the lowest dose measured would be another one in every
    # screen, and a dose must mean the same in pre-training and fine-tuning.
    log = log1p(1000 * dose / top) / log1p(1000)
  )
}

# What scaled_dose() needs, from the doses of the screen. A perturbation without cells has no highest
# dose of its own and takes that of the screen.
dose_scaling <- function(transform, unit, range, control) {
  treated <- unlist(range[setdiff(names(range), control)], use.names = FALSE)
  treated <- treated[is.finite(treated) & treated > 0]
  top <- if (length(treated)) max(treated) else 1
  largest <- vapply(range, function(r) if (!has_doses(r)) top else if (r[2L] > 0) r[2L] else 1, 0)
  list(dose_unit = unit, dose_transform = transform, dose_scale = unname(largest), dose_top = top)
}

# Whether a perturbation's range of doses is known: it has cells among those that the range is of.
has_doses <- function(range) !is.null(range) && all(is.finite(range))

# The doses of conditions in the fit's unit. Those without a unit are taken to be in it.
doses_in_unit <- function(doses, registry, call = rlang::caller_env()) {
  lapply(doses, function(dose) {
    unit <- attr(dose, "unit")
    dose <- as.vector(dose)
    if (is.null(unit)) return(dose)
    if (is.null(registry$dose_unit)) {
      abort_input("`dose_unit` must be left out: the fit does not know the unit of its doses.",
                  paste0("It is ", dQuote(unit, FALSE), "."),
                  "Fit with `dose_unit = ` to have doses converted.", call)
    }
    convert_doses(dose, unit, registry$dose_unit, call)
  })
}

# A table of doses keeps their unit and what joins them, for its plots.
with_dose_unit <- function(table, fit) {
  table <- tibble::as_tibble(table)
  # structure() would make row names of the numbers of rows.
  attr(table, "dose_unit") <- fit$meta$registry$dose_unit
  attr(table, "dose_sep") <- fit$meta$registry$sep
  table
}

# Of a screen without doses only dose 1 was measured, of the control too. The table of a response at other
# doses says it, for its plots.
with_single_dose <- function(table, fit, doses) {
  if (!is.null(fit$meta$keys$dose) || all(doses == 1)) return(table)
  text <- "Without a dose column dose 0 is not the control; only dose 1 was measured."
  cli::cli_inform(c(i = text), class = "compert_single_dose")
  attr(table, "dose_note") <- text
  table
}

# The note in two lines, as wide as a small plot.
dose_note <- function(table) {
  note <- attr(table, "dose_note")
  if (!is.null(note)) sub("; ", ";\n", note, fixed = TRUE)
}

# "Dose of A (uM)"
dose_title <- function(table, of = NULL) {
  unit <- attr(table, "dose_unit")
  paste0("Dose", if (!is.null(of)) paste(" of", of), if (!is.null(unit)) paste0(" (", unit, ")"))
}
