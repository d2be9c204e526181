#' Compare several models on the same conditions
#'
#' Puts scores of several fits side by side as chemCPA's tables do: per dose and over all
#' conditions, mean and median r2 over all genes and over DEGs, with paired tests against one of
#' the models. Only conditions that every model has are counted.
#'
#' @details
#' A condition is a row of [evaluate_r2()]: covariates, perturbation, dose and split. It counts when
#' every model and baseline has a score of every `metric` there; how many do not is said. A control
#' baseline that scores differently in two tables means that these were made with other cells, genes,
#' DEGs or scales; there is a warning then.
#'
#' With d the differences (model - reference) over conditions, `gain` is mean(d), `p_t` the
#' two-sided p-value of the paired t-test and `p_wilcoxon` that of Wilcoxon's signed rank test. They
#' are not adjusted for their number. Conditions that share a drug or a cell type are not
#' independent, so that p-values are too small rather than too large.
#'
#' @param ... Tables of [evaluate_r2()], named by their models; or one named list of them.
#' @param by Columns to group by, such as `"dose"`, `"cell_type"` or `"split"`; `NULL` for none.
#'   `"dose"` stands for the dose whatever its column is called.
#' @param reference The model that the others are tested against; `NULL` for the first.
#' @param baselines Names of baselines to compare with, of those that [evaluate_r2()] was asked for:
#'   `"control"` (no effect), `"additive"`, `"mean"`, `"interpolation"`, `"nearest"`, and its `"ceiling"`;
#'   `character()` for none. They are taken from the first table.
#' @param metric Scores of [evaluate_r2()] to compare.
#' @return A tibble of class `compert_comparison` with one row per group, metric and model: `group`
#'   (in words; `"all"` is every condition, and the only group where there is but one; a level of this
#'   name is `"own_all"`), the columns of `by` (with `own_` in front where they have the name of another
#'   column), `metric`, `model`, `n_conditions`, `mean`, `median`, `gain`, `better` (number of
#'   conditions with a higher score than the reference's), `p_t` and `p_wilcoxon`. The last four are
#'   `NA` for the reference, tests also with fewer than two conditions or without any spread of d.
#'   `print()` shows it as tables; [plot_r2()] draws it.
#' @section Errors:
#' Tables without names or not from [evaluate_r2()]; tables of different presets; no condition that
#' all models have; baselines that the first table lacks; unknown columns, models or metrics.
#' @source `notebooks/chemCPA_Table_2` and `chemCPA_Table_3` of theislab/chemCPA.
#' @seealso [evaluate_r2()], [plot_r2()]
#' @examples
#' screen <- kang_example()
#' fit <- function(epochs) {
#'   cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'       settings = cpa_settings(epochs = epochs, seed = 1, verbose = FALSE))
#' }
#' compare_r2(long = evaluate_r2(fit(4), screen), short = evaluate_r2(fit(1), screen))
#' @export
compare_r2 <- function(..., by = "dose", reference = NULL, baselines = "control",
                       metric = c("r2_mean", "r2_mean_deg")) {
  tables <- named_tables(...)
  check_among(metric, c(metric_names, protein_metrics), "metric")
  baselines <- check_baselines(baselines)
  clash <- intersect(names(tables), baselines)
  if (length(clash)) {
    abort_input("Models must not have the names of baselines.",
                paste0("One is called ", name_list(clash), "."),
                "Give it another name, or leave the baseline out of `baselines`.")
  }
  absent <- setdiff(baselines, tables[[1L]]$method)
  if (length(absent)) {
    abort_input("`baselines` must have rows in the first table.",
                paste0("It has none of ", name_list(absent), "."),
                paste0("Write `evaluate_r2(..., baselines = c(",
                       paste0("\"", baselines, "\"", collapse = ", "), "))`."))
  }
  keys <- shared_keys(tables)
  by <- grouping_columns(by, keys)
  scores <- shared_scores(tables, keys, baselines, metric)
  models <- c(names(tables), baselines)
  reference <- check_choice(reference %||% models[1L], models, "reference")
  groups <- comparison_groups(scores$conditions, by)
  rows <- lapply(names(groups), function(name) {
    compare_group(scores, groups[[name]], name, by, reference)
  })
  tibble::new_tibble(do.call(rbind, rows), class = "compert_comparison", by = by,
                     reference = reference, scores = scores, groups = groups,
                     words = shared_words(tables), unit = shared_unit(tables),
                     dose = keys[length(keys) - 1L], baselines = baselines)
}

# The unit of the doses, where all fits have the same.
shared_unit <- function(tables) {
  units <- unique(lapply(tables, attr, "dose_unit"))
  if (length(units) == 1L) units[[1L]]
}

# What the first table says of its numbers, without the modality that predictions start from where tables
# differ in it.
shared_words <- function(tables) {
  words <- lapply(tables, attr, "words")
  differs <- function(end) length(unique(grepl(end, words, fixed = TRUE))) > 1L
  if (!differs(" by RNA alone") && !differs(" by proteins alone")) return(words[[1L]])
  sub(" by (RNA|proteins) alone", "", words[[1L]])
}

# The tables of `...` as a named list, checked.
named_tables <- function(..., call = rlang::caller_env()) {
  tables <- rlang::list2(...)
  single <- length(tables) == 1L && is.list(tables[[1L]]) && !is.data.frame(tables[[1L]])
  if (single) tables <- tables[[1L]]
  names <- rlang::names2(tables)
  if (length(tables) == 0L || any(!nzchar(names)) || anyDuplicated(names)) {
    abort_input("Every table must have the name of its model, and no two the same.",
                if (length(tables)) paste0("The names are ", name_list(names), ".") else
                  "There is no table.",
                "Write `compare_r2(deep = evaluate_r2(...), flat = evaluate_r2(...))`.", call)
  }
  for (name in names) {
    need_columns(tables[[name]], c("method", "split", metric_names), name, "evaluate_r2()", call)
  }
  preset <- vapply(tables, function(t) attr(t, "preset") %||% NA_character_, "")
  if (length(unique(preset[!is.na(preset)])) > 1L) {
    abort_input("All tables must be of one preset.",
                paste0(name_list(names), " are of ", name_list(preset), "."),
                "Call `evaluate_r2()` with the same `preset` for every fit.", call)
  }
  tables
}

# Columns that name a condition: the user's own ones and the split, the same in all tables.
shared_keys <- function(tables, call = rlang::caller_env()) {
  own <- lapply(tables, function(t) names(t)[seq_len(match("method", names(t)) - 1L)])
  other <- which(!vapply(own, setequal, TRUE, own[[1L]]))
  if (length(other)) {
    abort_input("All tables must name conditions by the same columns.",
                paste0(dQuote(names(tables)[1L], FALSE), " has ", name_list(own[[1L]]), ", ",
                       dQuote(names(tables)[other[1L]], FALSE), " has ",
                       name_list(own[[other[1L]]]), "."),
                "Fit all models with the same columns.", call)
  }
  c(own[[1L]], "split")
}

# `by` as columns of the tables: the dose is the last of the user's own.
grouping_columns <- function(by, keys, call = rlang::caller_env()) {
  check_strings(by, "by", call = call)
  by <- by %||% character()
  by <- unique(replace(by, by == "dose", keys[length(keys) - 1L]))
  if (length(by)) check_among(by, keys, "by", call)
  by
}

# Scores of the conditions that all models have: list(conditions, values), the latter one matrix
# (conditions x models) per metric. Says what was dropped.
shared_scores <- function(tables, keys, baselines, metric, call = rlang::caller_env()) {
  pick <- function(table, method) table[table$method == method, , drop = FALSE]
  parts <- lapply(tables, pick, "model")
  if (length(baselines)) {
    parts[baselines] <- lapply(baselines, function(name) pick(tables[[1L]], name))
  }
  id <- lapply(parts, function(table) row_keys(table[keys]))
  usable <- Map(function(table, key) {
    finite <- Reduce(`&`, lapply(metric, function(name) is.finite(table[[name]])))
    key[finite]
  }, parts, id)
  all <- unique(unlist(id))
  shared <- all[all %in% Reduce(intersect, usable)]
  if (length(shared) == 0L) {
    without <- lapply(stats::setNames(nm = metric), function(name) {
      names(parts)[!vapply(parts, function(table) any(is.finite(table[[name]])), NA)]
    })
    without <- without[lengths(without) > 0L]
    abort_input("All models must share at least one condition.",
                c(paste0("None of ", length(all), " conditions has scores of all of ",
                         name_list(names(parts)), "."),
                  paste0("No ", names(without), ": ", vapply(without, name_list, ""), ".", recycle0 = TRUE)),
                "Score all fits on the same cells and splits; leave such `metric` or `baselines` out.", call)
  }
  gaps <- vapply(metric, function(name) {
    length(unique(unlist(Map(function(table, key) key[!is.finite(table[[name]])], parts, id))))
  }, 0L)
  say_dropped(all, shared, usable, gaps)
  warn_other_truth(tables, keys, shared, metric)
  place <- lapply(id, function(key) match(shared, key))
  values <- lapply(rlang::set_names(metric), function(name) {
    columns <- Map(function(table, at) table[[name]][at], parts, place)
    matrix(unlist(columns), length(shared), dimnames = list(NULL, names(parts)))
  })
  conditions <- unclass_scores(parts[[1L]])[place[[1L]], keys, drop = FALSE]
  list(conditions = conditions, values = values, n_all = length(all))
}

# `gaps`: how many conditions lack each metric in some model. Where one lacks more than another, it could be left out.
say_dropped <- function(all, shared, usable, gaps) {
  if (length(shared) == length(all)) return(invisible())
  lacks <- length(all) - lengths(usable)
  lacks <- lacks[lacks > 0]
  most <- gaps > min(gaps)
  cli::cli_inform(c(i = paste0(
    length(all) - length(shared), " of ", count_of(length(all), "condition"),
    " left out: not every model has all (missing: ",
    escape_braces(paste0(names(lacks), " ", lacks, collapse = ", ")), ")."
  ), i = if (any(most)) paste0("No ", paste0(names(gaps)[most], ": ", gaps[most], collapse = "; "),
                               "; leave it out of `metric` to compare these.")))
}

# No model enters the control baseline, so it must be the same in all tables that have it.
warn_other_truth <- function(tables, keys, shared, metric) {
  base <- lapply(tables, function(table) {
    rows <- table[table$method == "control", , drop = FALSE]
    unclass_scores(rows)[match(shared, row_keys(rows[keys])), c("method", metric), drop = FALSE]
  })
  both <- function(x) !is.na(x$method) & !is.na(base[[1L]]$method)
  off <- lapply(base, function(x) {
    metric[vapply(metric, function(name) other_scores(x[[name]], base[[1L]][[name]], both(x)), NA)]
  })
  off <- off[lengths(off) > 0L]
  if (!length(off)) return(invisible())
  # Tables that come from files do not say how they were made.
  words <- Filter(length, lapply(tables[c(names(tables)[1L], names(off))], attr, "words"))
  where <- paste0(names(off), " (", vapply(off, paste, "", collapse = ", "), ")", collapse = ", ")
  lines <- c(paste0("The control baseline scores differently for ", where, "."),
             if (length(unique(words)) > 1L) paste0(names(words), ": ", words))
  cli::cli_warn(c(
    "The tables were not made from the same measurements.",
    stats::setNames(escape_braces(lines), rep("x", length(lines))),
    i = "Score all fits on the same cells, genes, DEGs and scale of values."
  ))
}

# Whether scores differ in rows that both tables have, or are there in one of them only.
other_scores <- function(a, b, both) {
  gap <- abs(a - b)[both] > 1e-6 * pmax(1, abs(b[both]))
  any(gap, xor(is.na(a), is.na(b))[both], na.rm = TRUE)
}

# Row numbers of each group, in the order of the values of `by`; "all" last. A value "all" is "own_all".
comparison_groups <- function(conditions, by) {
  rows <- list(all = seq_len(nrow(conditions)))
  if (length(by) == 0L) return(rows)
  values <- as.list(conditions[by])
  # The dose is the last of the user's columns. Those of combinations are text.
  dose <- intersect(names(conditions)[ncol(conditions) - 1L], by[vapply(values, is.character, NA)])
  values[dose] <- lapply(values[dose], dose_ranks)
  place <- do.call(order, c(unname(values), list(method = "radix")))
  label <- do.call(paste, c(unname(lapply(conditions[by], as.character)), sep = ", "))
  names <- unique(label[place])
  groups <- split(seq_along(label), factor(label, names, own_names(names, "all")))
  if (length(groups) == 1L) rows else c(groups, rows)
}

# Places of doses such as "0.5+2" by their numbers, the first one first.
dose_ranks <- function(text) {
  distinct <- unique(text)
  numbers <- lapply(regmatches(distinct, gregexpr("[0-9.]+(e[+-]?[0-9]+)?", distinct)), as.double)
  columns <- lapply(seq_len(max(lengths(numbers), 1L)), function(k) vapply(numbers, `[`, 0, k))
  match(text, distinct[do.call(order, c(columns, list(na.last = FALSE)))])
}
