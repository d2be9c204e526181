# Tables and sentences of a report on scores of held-out conditions.

# Rows on conditions that training did not see, or all rows where there are none.
report_unseen <- function(scores) {
  unseen <- scores$seen != "condition"
  list(rows = if (any(unseen)) scores[unseen, ] else scores, unseen = any(unseen))
}

# Who is best among the baselines, over the conditions that all of them and the model can score; NULL where
# there is no baseline, or no such condition.
best_baseline <- function(scores, metric = "r2_mean_deg") {
  methods <- intersect(unique(scores$method), c("model", baseline_names))
  values <- vapply(methods, function(m) scores[[metric]][scores$method == m],
                   numeric(sum(scores$method == "model")))
  values <- matrix(values, ncol = length(methods), dimnames = list(NULL, methods))
  values <- values[, colSums(is.finite(values)) > 0L, drop = FALSE]
  if (!"model" %in% colnames(values) || ncol(values) < 2L) return(NULL)
  both <- rowSums(!is.finite(values)) == 0L
  if (!any(both)) return(NULL)
  mean <- colMeans(values[both, , drop = FALSE])
  others <- mean[setdiff(names(mean), "model")]
  best <- names(which.max(others))
  list(name = best, value = others[[best]], model = mean[["model"]], n = sum(both), of = nrow(values),
       better = sum(values[both, "model"] > values[both, best]))
}

# The main result in a sentence or two, with numbers, whichever side they are on.
report_result <- function(scores, metric = "r2_mean_deg", words = "means over the DEGs") {
  what <- report_unseen(scores)
  n <- sum(what$rows$method == "model")
  which <- paste0(if (n == 1L) "The scored condition" else paste(count(n), "scored conditions"), if (what$unseen)
    " that training did not see" else
      " of which training saw other cells (none was left out of training entirely)")
  score <- function(value) paste0("**", score_text(value), "**", if (n > 1L) " on average")
  best <- best_baseline(what$rows, metric)
  if (is.null(best)) {
    value <- average(what$rows[[metric]][what$rows$method == "model"], mean)
    if (is.na(value)) return(NULL)
    return(paste0(which, ": r2 of the ", words, " is ", score(value),
                  "; no baseline has a score to compare it with."))
  }
  gap <- best$model - best$value
  stands <- if (abs(gap) < level_gap) "The two are level" else
    if (gap > 0) "The model is better" else "**The baseline is better**"
  paste0(
    which, ": r2 of the ", words, " is ", score(best$model), ", that of the best baseline (",
    best$name, ") **", score_text(best$value), "**. ", stands,
    if (n > 1L) paste0("; the model is ahead in ", best$better, " of ", best$n),
    if (best$n < best$of) paste0(" (", best$of - best$n, " more cannot be scored by every baseline)"), "."
  )
}

# One row per split, what training saw, and method.
report_averages <- function(scores) {
  split <- ifelse(is.na(scores$split), "", scores$split)
  groups <- unique(data.frame(split = split, seen = scores$seen))
  groups <- groups[order(match(groups$split, c("ood", "test", "train")), -match(groups$seen, seen_levels)), ]
  parts <- lapply(seq_len(nrow(groups)), function(k) {
    rows <- unclass_scores(scores)[split == groups$split[k] & scores$seen == groups$seen[k], ]
    averages <- shared_averages(rows)
    cbind(split = groups$split[k], seen = training_words()[[groups$seen[k]]], averages$table,
          lack = averages$lack)
  })
  do.call(rbind, parts)
}

# Averages for readers, of some of the scores. A group says what it is in its first row only.
averages_table <- function(averages, metrics) {
  again <- duplicated(averages[c("split", "seen")])
  averages[again, c("split", "seen")] <- ""
  averages$method <- method_words(averages$method)
  averages$n <- as.integer(averages$n)
  table <- averages[c("split", "seen", "method", "n", metrics)]
  stats::setNames(table, c("Split", "Training saw", "Method", "Conditions", r2_words()[metrics]))
}

# What training saw of a condition, for the heading "Training saw".
training_words <- function() {
  stats::setNames(c("the condition (other cells)", "its parts only", "the perturbation elsewhere",
                    "not the perturbation"), seen_levels)
}

# The best and the worst conditions by r2 of means over DEGs: the rows of `scores` for the model, in
# order, with the baselines beside it.
report_ranking <- function(scores, metric = "r2_mean_deg") {
  rows <- report_unseen(scores)$rows
  model <- rows[rows$method == "model", ]
  for (name in intersect(comparison_names, rows$method)) {
    model[[paste0(".", name)]] <- rows[[metric]][rows$method == name]
  }
  model <- model[is.finite(model[[metric]]), ]
  model[order(-model[[metric]]), ]
}

# The ranking for readers, its middle left out where it is long.
ranking_table <- function(ranking, dosed = FALSE, most = report_limits()$rows) {
  n <- nrow(ranking)
  half <- most %/% 2L
  ends <- if (n > most) c(seq_len(half), seq(n - half + 1L, n)) else seq_len(n)
  own <- own_words(ranking[own_columns(ranking)], dosed)
  baselines <- grep("^[.]", names(ranking), value = TRUE)
  table <- as.data.frame(c(
    as.list(own), list(split = ranking$split, cells = ranking$n_cells, model = ranking$r2_mean_deg),
    as.list(ranking[baselines]), list(effects = ranking$r2_lfc_deg, r = ranking$pearson_delta)
  ), optional = TRUE)
  names(table) <- c(names(own), "Split", "Cells", "Model", method_words(sub("^[.]", "", baselines)),
                    "Model: effects", "Model: Pearson r")
  if (all(is.na(table$Split))) table$Split <- NULL
  table[ends, , drop = FALSE]
}

# The user's columns, of which the last is the dose, as texts. Without doses a dose of 1 says nothing.
own_words <- function(table, dosed) {
  words <- lapply(as.list(table), function(column) {
    if (is.numeric(column)) format_dose(column) else as.character(column)
  })
  n <- length(words)
  if (!dosed && all(grepl("^1([^0-9.]1)*$", words[[n]]))) words[-n] else words
}

# What the baselines among the methods are.
baseline_text <- function(scores) {
  words <- c(
    control = "`control` predicts no effect: the measured controls of the same covariates.",
    additive = paste("`additive` adds to the controls the average effect of the condition under other covariates,",
                     "or the sum of its single perturbations."),
    mean = "`mean` adds to the controls the average effect of all other perturbations.",
    interpolation = "`interpolation` lies on the line between the next lower and the next higher dose."
  )
  there <- intersect(names(words), scores$method)
  paste(c(words[there], if (length(there)) "A model that does not beat them is of no more use than they are here.",
          if (ceiling_name %in% scores$method) {
            paste("`ceiling` is a random half of the condition's measured cells: what a prediction of their expected",
                  "expression would reach.")
          }),
        collapse = " ")
}

# The best, the middle and the worst condition, as a table for the `condition` of verbs.
conditions_to_draw <- function(ranking, most = 3L) {
  own <- unique(as.data.frame(ranking[own_columns(ranking)]))
  own[unique(round(seq(1, nrow(own), length.out = min(most, nrow(own))))), , drop = FALSE]
}
