# What split_cells() holds out.

# One logical per cell: held out. Controls never are.
held_out_cells <- function(screen, hold_out, seed, call = rlang::caller_env()) {
  if (is.null(hold_out)) return(rep(FALSE, length(screen$parts)))
  if (is.numeric(hold_out)) {
    check_number(hold_out, "hold_out", 0, 1, call = call)
    hold_out <- list(share = hold_out)
  }
  # With names, as of c(drug = "A", cell_type = "B"), it is meant as a filter.
  if (is.null(names(hold_out))) hold_out <- texts_as_condition(hold_out)
  hold_out <- if (rlang::is_bare_list(hold_out)) lapply(hold_out, plain_table) else plain_table(hold_out)
  alike <- cells_alike(screen, unlist(c(list(names(hold_out)), if (is.list(hold_out)) lapply(hold_out, names))))
  screen <- with_conditions(subset_screen(screen, which(!duplicated(alike))))
  held <- if (is.data.frame(hold_out)) {
    hold_conditions(screen, hold_out, call)
  } else if (is.list(hold_out) && length(hold_out) > 0 && all(vapply(hold_out, is.list, NA))) {
    each <- lapply(seq_along(hold_out), function(i) {
      one <- hold_out[[i]]
      if (is.data.frame(one)) return(hold_conditions(screen, one, call, alone = FALSE))
      match_filter(screen, one, seed + i - 1, call)
    })
    none <- !vapply(each, any, NA)
    if (any(none) && !all(none)) warn_unmatched(paste("list", which(none)), call)
    Reduce(`|`, each)
  } else if (is.list(hold_out)) {
    match_filter(screen, hold_out, seed, call)
  } else {
    abort_input("`hold_out` must be a condition(), names of perturbations, a list of filters, or a share.",
                paste0("It is ", describe(hold_out), "."),
                "Write hold_out = list(cell_type = \"B\", drug = \"A\").", call = call)
  }
  held <- held & !screen$control
  if (!any(held) && !identical(hold_out, list(share = 0))) {
    abort_input("`hold_out` must hold out at least one perturbed cell.", "No cell matches it.",
                "Controls are never held out; check_screen() lists the conditions.", call = call)
  }
  held[alike]
}

# A number per cell, the same for those that `columns`, the names in what is asked for, cannot tell apart.
cells_alike <- function(screen, columns) {
  asked <- screen$col_data[intersect(c(screen$keys$perturbation, screen$keys$dose, columns), names(screen$col_data))]
  by_name <- lapply(as.list(asked), function(v) if (is.atomic(v)) v else level_names(v))
  row_codes(c(list(screen$code, screen$control), as.list(screen$covariates), by_name))
}

# The screen with `of_code`: the conditions that its `code` tells, and the texts that identify them with doses and
# without (`bare`).
with_conditions <- function(screen) {
  first <- match(seq_len(max(screen$code)), screen$code)
  parts <- screen$parts[first]
  doses <- screen$doses[first]
  screen$of_code <- list(parts = parts, doses = doses, key = condition_key(parts, doses),
                         bare = condition_key(parts, without_doses(parts)))
  screen
}

without_doses <- function(parts) lapply(parts, function(p) rep(0, length(p)))

# Cells of the conditions. Those that no cell has are told, but for a condition_grid(), which crosses all.
hold_conditions <- function(screen, asked, call, alone = TRUE) {
  condition <- as_condition(asked, screen$keys, call)
  found <- match_conditions(screen, condition, call)
  crossed <- rep(FALSE, nrow(asked))
  if (inherits(asked, "compert_condition")) {
    crossed <- vapply(asked$perturbation, function(p) isTRUE(attr(p, "crossed")), NA)
  }
  if (alone && !any(found$any)) {
    abort_input("`hold_out` must hold out at least one perturbed cell.",
                paste0("No cell matches ", name_list(format(condition)), "."),
                if (length(found$doses)) paste0("At other doses there are ", name_list(found$doses, 12), ".") else
                  "check_screen() lists the conditions.", call = call)
  }
  missed <- which(!found$any & !crossed)
  if (any(found$any) && length(missed)) warn_unmatched(format(condition[missed, ]), call)
  found$held
}

warn_unmatched <- function(what, call) {
  cli::cli_warn(c(
    "`hold_out` names conditions that no cell has: they hold nothing out.",
    "x" = escape_braces(paste0("No cell matches ", name_list(what), ".")),
    i = "check_screen() lists the conditions; a combination's doses are in the order of its names as given."
  ), call = call, class = "compert_unmatched_hold_out")
}

# list(held, one logical per cell; any, one per condition: whether a cell has it; doses, what there is of
# perturbations that no cell has at the dose). Same parts (and doses, where known), same covariates where named.
match_conditions <- function(screen, condition, call) {
  unit <- unlist(lapply(condition$dose, attr, "unit"))
  if (length(unit) > 0) {
    abort_input("Conditions to hold out must have doses without a `dose_unit`.",
                paste0("It is ", dQuote(unit[1], FALSE),
                       "; the unit of the dose column is not known."),
                "Give the doses as numbers of that column, and leave `dose_unit` out.", call = call)
  }
  tidy <- tidy_pairs(one_control(condition$perturbation, screen$keys), condition$dose, screen$keys$control,
                     screen$keys$idle_zero)
  of_code <- screen$of_code
  known <- unique(unlist(of_code$parts, use.names = FALSE))
  strange <- setdiff(unlist(tidy$parts), known)
  if (length(strange) > 0) {
    abort_input("Conditions to hold out must be in the screen.",
                paste0("No cell has perturbation ", name_list(strange), "."),
                paste0(did_you_mean(strange[1], known), "There are ", name_list(known, 12), "."),
                call = call)
  }
  # Without a dose column every dose is said: 1, or the number of times that a name is there.
  dosed <- dose_given(condition$dose) | is.null(screen$keys$dose)
  tidy$doses[!dosed] <- without_doses(tidy$parts[!dosed])
  asked <- condition_key(tidy$parts, tidy$doses)
  at <- cells_of_keys(of_code$bare[screen$code], asked)
  at[dosed] <- cells_of_keys(of_code$key[screen$code], asked[dosed])
  columns <- condition_columns(screen$keys)
  for (name in intersect(screen$keys$covariates, names(columns)[columns %in% names(condition)])) {
    level <- as.character(condition[[columns[[name]]]])
    check_levels(level, screen$covariates[[name]], name, call)
    own <- screen$covariates[[name]]
    at <- Map(function(cells, level) if (is.na(level)) cells else cells[own[cells] == level], at, level)
  }
  undosed <- dosed & !asked %in% of_code$key
  alike <- of_code$bare %in% condition_key(tidy$parts, without_doses(tidy$parts))[undosed]
  list(held = seq_along(screen$code) %in% unlist(at), any = lengths(at) > 0L, doses = if (!is.null(screen$keys$dose)) {
    condition_label(of_code$parts[alike], of_code$doses[alike], screen$keys$sep)
  })
}

# The cells that have each of the keys that are asked for.
cells_of_keys <- function(key, asked) {
  distinct <- unique(key)
  unname(split(seq_along(key), factor(key, distinct)))[match(asked, distinct)]
}

check_levels <- function(level, column, name, call) {
  strange <- setdiff(level[!is.na(level)], column)
  if (length(strange) == 0) return(invisible())
  abort_input(paste0("`", name, "` of `hold_out` must be among the values of that column."),
              paste0("No cell has ", dQuote(strange[1], FALSE), "."),
              paste0(did_you_mean(strange[1], unique(column)), "There are ",
                     name_list(sort_names(column), 12), "."), call = call)
}

# Cells for which every filter of the list holds, then `n` or a `share` of their conditions.
match_filter <- function(screen, filter, seed, call) {
  if (is.null(names(filter)) || any(!nzchar(names(filter)))) {
    abort_input("The filters of `hold_out` must have names.", "One has none.",
                "Write hold_out = list(cell_type = \"B\", drug = \"A\").", call = call)
  }
  special <- c("contains", "n_parts", "n", "share")
  strange <- setdiff(names(filter), c(special, names(screen$col_data)))
  if (length(strange) > 0) {
    abort_input("The filters of `hold_out` must be named by columns of the table.",
                paste0("There is no column ", dQuote(strange[1], FALSE), "."),
                paste0(did_you_mean(strange[1], c(names(screen$col_data), special)),
                       "Besides columns there are ", name_list(special), "."), call = call)
  }
  columns <- setdiff(names(filter), c("n", "share"))
  named <- intersect(c(screen$keys$perturbation, screen$keys$dose), columns)
  hits <- lapply(rlang::set_names(columns), function(name) {
    filter_hits(screen, name, filter[[name]], length(named) == 2L, call)
  })
  held <- Reduce(`&`, hits[setdiff(columns, named)], !screen$control)
  if (length(named) > 0L) held <- held & whole_conditions(screen, Reduce(`&`, hits[named]))
  draw_conditions(screen, held, filter, seed, call)
}

# With the marked cells all others of their conditions: what is one condition may be written in several
# ways, "A+B" at "1+0" and A at 1.
whole_conditions <- function(screen, hit) {
  key <- screen$of_code$key
  (key %in% key[screen$code[hit]])[screen$code]
}

# `dosed`: whether the list filters by perturbation and dose.
filter_hits <- function(screen, name, value, dosed, call) {
  parts <- screen$of_code$parts
  if (name == "contains") {
    check_levels(value, unlist(parts), "contains", call)
    return(vapply(parts, function(p) any(value %in% p), NA)[screen$code])
  }
  if (name == "n_parts") return((lengths(parts) %in% value)[screen$code])
  if (name == screen$keys$perturbation) {
    return(label_hits(screen, name, level_names(value), dosed, call))
  }
  column <- screen$col_data[[name]]
  if (is.numeric(column) && is.numeric(value)) {
    check_levels(level_names(setdiff(value, column)), level_names(column), name, call)
    return(column %in% value)
  }
  value <- level_names(value)
  column <- level_names(column)
  check_levels(value, column, name, call)
  column %in% value
}

# Cells that have what the label says: "B+A" is "A+B". Where doses are given too, also cells whose column
# reads so: at "1+0" the label alone does not tell what acts.
label_hits <- function(screen, name, value, dosed, call) {
  asked <- rlang::set_names(tibble::tibble(value), name)
  found <- match_conditions(screen, as_condition(asked, screen$keys, call), call)
  column <- level_names(screen$col_data[[name]])
  missed <- !found$any & !(dosed & value %in% column)
  if (any(missed) && !all(missed)) warn_unmatched(value[missed], call)
  found$held | (dosed & column %in% value)
}

# At random among the conditions (in their covariates) of the marked cells.
draw_conditions <- function(screen, held, filter, seed, call) {
  n <- filter[["n"]]
  share <- filter[["share"]]
  if (is.null(n) && is.null(share)) return(held)
  group <- condition_group(screen)
  groups <- sort_names(group[held])
  count <- if (!is.null(n)) {
    check_count(n, "n", call = call)
    n
  } else {
    check_number(share, "share", 0, 1, call = call)
    stop_no_share(share, length(groups), call)
    round(share * length(groups))
  }
  chosen <- seeded_sample(groups, min(count, length(groups)), seed)
  held & group %in% chosen
}

stop_no_share <- function(share, n, call) {
  if (share == 0 || n == 0 || round(share * n) > 0) return(invisible())
  abort_input("The share of `hold_out` must be large enough for one condition.",
              paste0("It is ", format(share, digits = 15), " of ", count_of(n, "condition"),
                     ", which rounds to none."),
              paste0("Give at least 1/", n, ", or hold_out = list(n = 1)."), call = call)
}

inform_split <- function(screen, value, name) {
  n <- table(factor(value, c("train", "test", "ood")))
  ood <- value == "ood"
  shown <- shown_doses(screen$doses[ood], screen$keys, screen$doses)
  label <- condition_label(screen$parts[ood], shown, screen$keys$sep)
  levels <- lapply(screen$keys$covariates, function(name) screen$covariates[[name]][ood])
  held <- unique(do.call(paste, c(levels, list(label), sep = ", ")))
  what <- if (length(held) > 0) paste0("; held out: ", name_list(held)) else ""
  text <- paste0("Column ", dQuote(name, FALSE), ": ", count(n[["train"]]), " train, ", count(n[["test"]]),
                 " test, ", count(n[["ood"]]), " ood cells", what, ".")
  cli::cli_inform(escape_braces(text))
}
