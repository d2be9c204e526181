# Which conditions are scored, from which controls, against which cells.

# Every distinct condition of the screen (covariates, parts, doses; batch aside). All control cells
# of one covariate combination are one condition. `of_cell` gives each cell's row.
condition_groups <- function(fit, screen) {
  names <- condition_covariates(fit)
  # Different labels may mean the same ("A+B" and "B+A"), so keys are made for one cell of each.
  code <- row_codes(c(list(screen$code), screen$covariates[names]))
  cell <- which(!duplicated(code))
  groups <- distinct_groups(screen$parts[cell], screen$doses[cell],
                            screen$covariates[cell, names, drop = FALSE], screen$control[cell])
  groups$of_cell <- groups$of[code]
  groups
}

# Conditions, each once, ordered by covariates, names (controls first) and doses, as numbers; `of` is the
# number of each that was given.
distinct_groups <- function(parts, doses, covariates, control) {
  place <- row_keys(covariates)
  what <- condition_key(parts, doses)
  what[control] <- "\b"
  key <- paste(place, what, sep = "\f")
  at <- which(!duplicated(key))
  name <- ifelse(control[at], "\b", paste_parts(unlist(parts[at]), lengths(parts[at]), "\u001e"))
  slots <- lapply(seq_len(max(lengths(doses[at]), 0L)), function(j) vapply(doses[at], `[`, 0, j))
  levels <- lapply(unname(as.list(covariates)), function(level) level_rank(level)[at])
  at <- at[do.call(order, c(levels, list(name), slots, method = "radix"))]
  keys <- key[at]
  list(of = match(key, keys), n = length(keys), key = keys, what = what[at], place = place[at],
       parts = parts[at], doses = doses[at], covariates = covariates[at, , drop = FALSE],
       control = control[at])
}

# The conditions of the screen and, of these, one row per condition and split to score: list(groups, table, of_cell,
# too_small).
evaluation_rows <- function(fit, screen, split, condition, options, call = rlang::caller_env()) {
  groups <- condition_groups(fit, screen)
  if (is.null(screen$split)) split <- NA_character_
  part <- if (is.null(screen$split)) 1L else match(screen$split, split)
  # Groups are numbered on from split to split.
  number <- groups$of_cell + groups$n * (part - 1L)
  size <- tabulate(number, groups$n * length(split))
  measured <- which(size > 0L)
  rows <- list2DF(list(group = (measured - 1L) %% groups$n + 1L,
                       split = split[(measured - 1L) %/% groups$n + 1L], n_cells = size[measured]))
  wanted <- !groups$control[rows$group] | rows$split %in% options$control_rows
  if (!is.null(options$skip_names)) {
    wanted <- wanted & !grepl(options$skip_names, group_names(fit, groups)[rows$group],
                              ignore.case = TRUE)
  }
  if (!is.null(condition)) {
    asked <- asked_groups(fit, groups, condition, call)
    if (isTRUE(options$with_controls)) {
      asked <- c(asked, which(groups$control & groups$place %in% groups$place[asked]))
    }
    wanted <- wanted & rows$group %in% asked
  }
  small <- wanted & rows$n_cells < options$min_cells
  chosen <- which(wanted & !small)
  table <- rows[chosen, , drop = FALSE]
  rownames(table) <- NULL
  list(groups = groups, table = table, of_cell = match(number, measured[chosen]), too_small = sum(small))
}

# "A549, SAHA@0.5": covariates and condition, as names are matched in `skip_names`.
group_names <- function(fit, groups) {
  label <- pair_labels(fit, groups$parts, groups$doses)
  do.call(paste, c(unname(as.list(groups$covariates)), list(label), sep = ", "))
}

# Rows of `groups` that a condition() names; a covariate that it leaves out matches every level, and
# so does a dose.
asked_groups <- function(fit, groups, condition, call = rlang::caller_env()) {
  targets <- make_targets(fit, condition, call, any_dose(groups))
  stop_at_batch(fit, targets, call)
  what <- condition_key(targets$parts, targets$doses)
  hits <- lapply(seq_along(what), function(k) {
    same <- groups$what == what[k]
    for (name in names(groups$covariates)) {
      level <- targets$covariates[[name]][k]
      if (!is.na(level)) same <- same & groups$covariates[[name]] == level
    }
    which(same)
  })
  none <- which(!targets$row %in% targets$row[lengths(hits) > 0L])
  if (length(none)) {
    control <- fit$meta$registry$control
    if (any(vapply(targets$parts[none], identical, NA, control))) {
      abort_input("`condition` must name conditions other than the control.",
                  paste0(dQuote(control, FALSE), " is what they are compared with."),
                  "Leave it out; `predict()` and `reconstruct()` tell of controls.", call)
    }
    abort_input(
      "`condition` must name conditions with observed cells in `newdata`.",
      paste0("There are none for ", name_list(targets$label[none]), "."),
      "Use `predict()` for conditions that were never measured.", call
    )
  }
  unlist(hits)
}

# Cells of all batches (and values of continuous covariates) are one condition, so that none can be asked for
# where measured conditions enter. `cells`: whether the verb is given cells.
stop_at_batch <- function(fit, targets, call = rlang::caller_env(), cells = TRUE) {
  todo <- function(only) paste0("Leave it out", if (cells) paste0(", and give the cells of ", only), ".")
  for (name in names(fit$meta$registry$continuous)) {
    value <- targets$covariates[[name]]
    if (all(is.na(value))) next
    abort_input(paste0("`condition` must leave ", dQuote(name, FALSE),
                       " out here: the cells of all values are one condition."),
                paste0("It names ", name, " = ", value[!is.na(value)][1L], "."),
                todo("the values in question only"), call)
  }
  batch <- fit$meta$registry$batch
  named <- unique(unlist(targets$covariates[batch]))
  named <- named[!is.na(named)]
  if (length(named) == 0L) return(invisible())
  abort_input("`condition` must leave the batch out here: the cells of all batches are one condition.",
              paste0("It names ", paste0(batch, " = ", dQuote(named, FALSE), collapse = ", "), "."),
              todo("that batch only to have them alone"), call)
}

# Per row: the cells that its predictions start from, and the id of its reference controls (those
# of the same covariates) with that id per cell (0-based, -1 = none).
evaluation_controls <- function(screen, groups, rows, options, call = rlang::caller_env()) {
  own <- options$control_split == "own" && !is.null(screen$split)
  row_side <- if (own) ifelse(rows$split %in% "train", "train", "test") else rep("all", nrow(rows))
  cells <- which(screen$control)
  if (own) cells <- cells[screen$split[cells] %in% c("train", "test")]
  cell_side <- if (own) screen$split[cells] else rep("all", length(cells))
  cell_key <- paste(cell_side, groups$place[groups$of_cell[cells]], sep = "\f")
  row_key <- paste(row_side, groups$place[rows$group], sep = "\f")
  keys <- unique(row_key)
  reference_of_cell <- rep(-1L, length(screen$control))
  reference_of_cell[cells] <- match(cell_key, keys, 0L) - 1L
  source <- if (!is_control_word(options$controls)) {
    rep(list(chosen_cells(screen, options$controls, call)), nrow(rows))
  } else if (options$controls == "matched") {
    split(cells, factor(cell_key, keys))[row_key]
  } else {
    pooled <- split(cells, factor(cell_side, unique(row_side)))
    stop_without_controls(pooled, call)
    pooled[row_side]
  }
  list(source = unname(source), reference = match(row_key, keys), n_reference = length(keys),
       reference_of_cell = reference_of_cell)
}

is_control_word <- function(controls) {
  is.character(controls) && length(controls) == 1L && controls %in% c("matched", "pooled")
}

stop_without_controls <- function(pooled, call) {
  none <- names(pooled)[lengths(pooled) == 0L]
  if (length(none) == 0L) return(invisible())
  where <- if (none[1L] == "all") "" else paste0(" in the ", none[1L], " split")
  abort_input(
    paste0("`newdata` must hold control cells", where, ": this preset predicts from them."),
    "There is none.",
    paste0("Put controls into that split, choose cells by `controls = `, or use ",
           "`preset = \"compert\"`, which takes the controls of every split."), call
  )
}

# Gene indices (1-based) of the DEGs of every row, the user's own or the top of its cells of every split against
# the controls of the same covariates; without `by_dose`, of the cells of all doses.
evaluation_degs <- function(fit, screen, rows, degs, n_degs, call = rlang::caller_env(), by_dose = TRUE) {
  groups <- rows$groups
  g <- rows$table$group
  if (!is.null(degs)) return(own_degs(fit, screen, groups, g, degs, call))
  conditions <- list(perturbation = groups$parts[g], dose = groups$doses[g],
                     covariates = groups$covariates[g, , drop = FALSE])
  lapply(degs_of_screen(screen, conditions, n_degs, by_dose, call), function(genes) genes + 1L)
}

zero_based <- function(index) {
  index[is.na(index)] <- 0L
  index - 1L
}
