# What a condition without a dose means where the screen has doses.

# A function that gives the distinct doses (a list of numeric vectors) at which `rows` hold a combination.
doses_of <- function(rows) {
  # An environment has its names in the encoding of the locale, which may lack their letters.
  ascii <- function(x) iconv(x, "UTF-8", "ASCII", "byte")
  name <- paste_parts(unlist(rows$parts, use.names = FALSE), lengths(rows$parts), "\u001e")
  doses <- list2env(base::split(rows$doses, ascii(name)))
  function(parts) {
    here <- doses[[ascii(paste(parts, collapse = "\u001e"))]]
    here[!duplicated(here)]
  }
}

# Where measured conditions are chosen: every dose that `rows` hold. Where they hold none, what
# `otherwise` says, or NA, which no cell has.
any_dose <- function(rows, otherwise = function(parts, call) list(rep(NA_real_, length(parts)))) {
  measured <- doses_of(rows)
  function(parts, call) {
    doses <- measured(parts)
    if (length(doses)) doses else otherwise(parts, call)
  }
}

# Where one state is asked for: the only dose that training saw of it. A combination that training lacks
# has the doses of its perturbations; a perturbation that it lacks what corresponds to those of the others.
only_dose <- function(fit) {
  trained <- trained_conditions(fit)
  trained <- acting_pairs(fit, trained$parts, trained$doses)
  control <- vapply(trained$parts, identical, NA, fit$meta$registry$control)
  trained <- list(parts = trained$parts[!control], doses = trained$doses[!control])
  doses_at <- doses_of(trained)
  atom <- as.character(unlist(trained$parts))
  dose <- as.double(unlist(trained$doses))
  registry <- fit$meta$registry
  shares <- unique(dose / own_scale(registry, atom))
  function(parts, call) {
    whole <- doses_at(parts)
    if (length(whole) == 1L) return(whole)
    if (length(whole) > 1L) abort_open_dose(fit, parts, whole, call)
    list(vapply(parts, function(part) {
      seen <- if (part %in% atom) dose[atom == part] else doses_of_shares(registry, shares, part)
      seen <- sort(unique(seen))
      if (length(seen) == 1L) return(seen)
      if (length(seen) == 0L) return(1)
      abort_open_dose(fit, part, as.list(seen), call, alone = length(parts) == 1L, own = part %in% atom)
    }, 0, USE.NAMES = FALSE))
  }
}

# `alone`: whether `parts` are all that was asked for. `own`: whether `doses` are theirs.
abort_open_dose <- function(fit, parts, doses, call, alone = TRUE, own = TRUE) {
  registry <- fit$meta$registry
  sep <- registry$sep %||% "+"
  name <- condition_label(list(parts), NULL, sep)
  doses <- doses[do.call(order, as.data.frame(do.call(rbind, doses)))]
  text <- dose_text(doses, sep)
  shown <- paste(utils::head(text, 12L), collapse = ", ")
  more <- if (length(text) > 12L) paste0(" and ", length(text) - 12L, " more")
  one <- doses[[length(doses)]]
  one <- if (length(one) == 1L) format_dose(one) else paste0("c(", paste(format_dose(one), collapse = ", "), ")")
  abort_input(
    "`condition` must say the dose where training saw several.",
    paste0(if (own) paste0("The trained doses of ", dQuote(name, FALSE), " are ") else
             paste0("Training saw no cell treated with ", dQuote(name, FALSE),
                    "; the others' doses correspond to "),
           shown, more, if (!is.null(registry$dose_unit)) paste0(" ", registry$dose_unit), "."),
    if (alone) paste0("Write `dose = ", one, "` in condition().") else
      "Write `dose = c(...)` in condition(), one number per perturbation.", call, class = "compert_open_dose"
  )
}

# The highest dose of each perturbation where the network sees shares of it, else 1.
own_scale <- function(registry, names) {
  if (!identical(registry$dose_transform, "relative")) return(rep(1, length(names)))
  as.double(registry$dose_scale)[match(names, registry$perturbations)]
}

# `shares` of own_scale() as doses of `to`, without the digits that rounding adds.
doses_of_shares <- function(registry, shares, to) {
  dose <- shares * own_scale(registry, to)
  if (identical(registry$dose_transform, "relative")) signif(dose, 12) else dose
}

# Per range of doses whether it is that of cells which training saw treated; where controls have dose 0,
# cells at dose 0 are controls.
was_treated <- function(ranges, registry) {
  idle_zero <- isTRUE(registry$dose_range[[registry$control]][1L] == 0)
  vapply(ranges, function(range) has_doses(range) && (range[2L] > 0 || !idle_zero), NA)
}

# The ranges of doses that training saw of perturbations, a row each; of one without training cells, what
# corresponds to that of all others.
trained_ranges <- function(registry, names) {
  ranges <- registry$dose_range
  treated <- names(ranges)[was_treated(ranges, registry)]
  others <- setdiff(treated, registry$control)
  shares <- unlist(ranges[others], use.names = FALSE) / rep(own_scale(registry, others), each = 2L)
  own <- names %in% treated
  out <- matrix(1, length(names), 2L)
  out[own, ] <- t(vapply(ranges[names[own]], identity, c(0, 0)))
  if (length(others)) {
    out[!own, ] <- vapply(range(shares), function(share) doses_of_shares(registry, share, names[!own]),
                          double(sum(!own)))
  }
  out
}

control_dose <- function(registry) max(registry$dose_range[[registry$control]], 0)
