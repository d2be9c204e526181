# Which conditions are scored, from which controls, against which cells.

# Every distinct condition of the screen (covariates, parts, doses; batch aside). All control cells
# of one covariate combination are one condition. `of_cell` gives each cell's row.
condition_groups <- function(fit, screen) {
  names <- condition_covariates(fit)
  place <- row_keys(screen$covariates[names])
  first <- match(unique(screen$code), screen$code)
  what <- condition_key(screen$parts[first], screen$doses[first])[match(screen$code,
                                                                         screen$code[first])]
  what[screen$control] <- "\b"
  key <- paste(place, what, sep = "\f")
  keys <- sort(unique(key), method = "radix")
  first <- match(keys, key)
  list(
    of_cell = match(key, keys), n = length(keys), key = keys, what = what[first],
    place = place[first], parts = screen$parts[first], doses = screen$doses[first],
    covariates = screen$covariates[first, names, drop = FALSE], control = screen$control[first]
  )
}

# One row per condition and split to score.
evaluation_rows <- function(fit, screen, groups, split, condition, options,
                            call = rlang::caller_env()) {
  of_cell <- screen$split %||% rep(NA_character_, length(groups$of_cell))
  cells <- data.frame(group = groups$of_cell, split = of_cell)
  keep <- is.na(of_cell) | of_cell %in% split
  rows <- unique(cells[keep, , drop = FALSE])
  rows <- rows[order(match(rows$split, split), rows$group), , drop = FALSE]
  row_of_cell <- match(paste(cells$group, cells$split), paste(rows$group, rows$split))
  rows$n_cells <- tabulate(row_of_cell, nrow(rows))
  wanted <- !groups$control[rows$group] | rows$split %in% options$control_rows
  if (!is.null(options$skip_names)) {
    wanted <- wanted & !grepl(options$skip_names, group_names(fit, groups)[rows$group],
                              ignore.case = TRUE)
  }
  if (!is.null(condition)) wanted <- wanted & rows$group %in% asked_groups(fit, groups, condition)
  small <- wanted & rows$n_cells < options$min_cells
  chosen <- which(wanted & !small)
  list(
    table = data.frame(rows[chosen, , drop = FALSE], row.names = NULL),
    of_cell = match(row_of_cell, chosen),
    too_small = sum(small)
  )
}

# "A549, SAHA@0.5": covariates and condition, as names are matched in `skip_names`.
group_names <- function(fit, groups) {
  label <- pair_labels(fit, groups$parts, groups$doses)
  do.call(paste, c(as.list(groups$covariates), list(label), sep = ", "))
}

# Rows of `groups` that a condition() names; a covariate that it leaves out matches every level.
asked_groups <- function(fit, groups, condition, call = rlang::caller_env()) {
  targets <- make_targets(fit, condition, call)
  what <- condition_key(targets$parts, targets$doses)
  hits <- lapply(seq_along(what), function(k) {
    same <- groups$what == what[k]
    for (name in names(groups$covariates)) {
      level <- targets$covariates[[name]][k]
      if (!is.na(level)) same <- same & groups$covariates[[name]] == level
    }
    which(same)
  })
  none <- which(lengths(hits) == 0L)
  if (length(none)) {
    abort_input(
      "`condition` must name conditions with observed cells in `newdata`.",
      paste0("There are none for ", name_list(targets$label[none]), "."),
      "Use `predict()` for conditions that were never measured.", call
    )
  }
  unlist(hits)
}

# Per row: the cells that its predictions start from, and the id of its reference controls (those
# of the same covariates) with that id per cell (0-based, -1 = none).
evaluation_controls <- function(screen, groups, rows, options, call = rlang::caller_env()) {
  own <- options$control_split == "own" && !is.null(screen$split)
  side <- function(split) if (own) ifelse(split %in% "train", "train", "test") else "all"
  row_side <- rep_len(side(rows$split), nrow(rows))
  cell_side <- if (own) ifelse(screen$split %in% c("train", "test"), screen$split, NA) else "all"
  control <- screen$control & !is.na(rep_len(cell_side, length(screen$control)))
  cell_key <- ifelse(control, paste(cell_side, groups$place[groups$of_cell], sep = "\f"), NA)
  row_key <- paste(row_side, groups$place[rows$group], sep = "\f")
  keys <- unique(row_key)
  source <- if (!is_control_word(options$controls)) {
    rep(list(chosen_cells(screen, options$controls, call)), nrow(rows))
  } else if (options$controls == "matched") {
    split(seq_along(cell_key), factor(cell_key, keys))[row_key]
  } else {
    pooled <- split(which(control), factor(rep_len(cell_side, length(control))[control],
                                           unique(row_side)))
    stop_without_controls(pooled, call)
    pooled[row_side]
  }
  list(source = unname(source), reference = match(row_key, keys), n_reference = length(keys),
       reference_of_cell = ifelse(is.na(cell_key), -1L, match(cell_key, keys, 0L) - 1L))
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

# Gene indices (1-based) of the top DEGs of every group that is scored: Welch t of all its cells
# against the controls of the same covariates.
evaluation_degs <- function(fit, screen, groups, rows, degs, n_degs, call = rlang::caller_env()) {
  if (!is.null(degs)) return(own_degs(fit, screen, groups, rows, degs, call))
  reference <- match(paste(groups$place, "\b", sep = "\f"), groups$key)
  scored <- seq_len(groups$n) %in% rows$group & !is.na(reference) & !groups$control
  needed <- scored | seq_len(groups$n) %in% reference[scored]
  group <- ifelse(needed[groups$of_cell], groups$of_cell - 1L, -1L)
  top <- core_rank_degs(log_values(screen), as.integer(group), groups$n,
                        as.integer(ifelse(scored, reference - 1L, -1L)), as.integer(n_degs))
  lapply(rows$group, function(g) top$groups[[g]]$genes + 1L)
}

# DEGs that the user gives, by "covariates, label", by label, or by perturbation for every dose.
own_degs <- function(fit, screen, groups, rows, degs, call) {
  check_own_degs(degs, call)
  names <- list(group_names(fit, groups), pair_labels(fit, groups$parts, groups$doses),
                condition_label(groups$parts, NULL, fit$meta$registry$sep))
  find_own_degs(degs, lapply(names, `[`, rows$group), rownames(screen$x))
}

check_own_degs <- function(degs, call = rlang::caller_env()) {
  named <- is.list(degs) && !is.null(names(degs)) && all(vapply(degs, is.character, TRUE))
  if (is.null(degs) || named) return(degs)
  abort_input("`degs` must be a named list of gene names.",
              paste0("It is ", describe(degs), "."),
              "Write `degs = list(\"IFNb\" = c(\"ISG15\", \"IFIT1\"))`.", call)
}

# `names`: vectors of the names that each condition goes by, the most exact first. Positions of the
# genes in `genes`, sorted.
find_own_degs <- function(degs, names, genes) {
  lapply(seq_along(names[[1]]), function(k) {
    own <- NULL
    for (name in names) own <- own %||% degs[[name[k]]]
    sort(unique(setdiff(match(own, genes, 0L), 0L)))
  })
}

zero_based <- function(index) ifelse(is.na(index), -1L, index - 1L)
