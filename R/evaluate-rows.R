# Rows of the tables of scores: what was measured, what each method says, and how it is named.

# All methods' scores as one data frame, rows of one condition together.
score_rows <- function(fit, screen, rows, options, baselines, seed, call) {
  parts <- row_statistics(fit, screen, rows, options, baselines, seed, call)
  table_of_methods(fit, rows, parts, function(method, name) {
    scores <- score_draws(method, function(m) {
      score_method(parts$truth, m, parts$reference, rows$degs, options)
    })
    if (is.null(parts$proteins)) return(scores)
    cbind(scores, score_draws(parts$proteins$methods[[name]], function(m) {
      score_proteins(parts$proteins$truth, m, parts$proteins$reference, options)
    }))
  })
}

# What was measured and what each method says, genes x conditions: truth, reference (controls of
# the same covariates), methods (list(mean, variance) each, or what score_draws() takes), their notes, and
# source cells; `from`: in words, what answers were taken from.
row_statistics <- function(fit, screen, rows, options, baselines, seed, call = rlang::caller_env()) {
  if ("nearest" %in% baselines) rows$groups <- with_molecules(fit, rows$groups, call)
  table <- rows$table
  groups <- rows$groups
  measured <- screen
  if (options$log_counts) measured$x <- log_values(screen)
  control <- evaluation_controls(screen, groups, table, options)
  baseline <- is_baseline(fit)
  if (options$log_counts && is_control_word(options$controls) && !baseline) {
    control$source <- some_source_cells(control$source, seed)
  }
  truth <- group_statistics(measured$x, zero_based(rows$of_cell), nrow(table), options$ddof)
  stats <- group_statistics(measured$x, control$reference_of_cell, control$n_reference,
                            options$ddof)
  reference <- take_groups(stats, control$reference)
  cells <- split(seq_along(rows$of_cell), factor(rows$of_cell, seq_len(nrow(table))))
  targets <- group_targets(fit, groups, table$group, continuous_means(screen, cells))
  predicted <- if (baseline) predict_baseline_rows else if (options$log_counts) predict_log_rows else predict_rows
  start <- if (baseline) measured else start_from(screen, control$source, options, call)
  both <- predicted(fit, start, targets, control$source, options, seed)
  methods <- name_kinds(both, options)
  proteins <- if (!is.null(screen$proteins)) {
    protein_statistics(fit, screen, start, rows, control, targets, both, options, baselines, seed)
  }
  notes <- list(model = methods$model$note %||%
                  ifelse(lengths(control$source) == 0L, no_controls_note, NA_character_))
  from <- list(model = nearest_words(methods$model))
  methods <- lapply(methods, function(m) {
    lapply(m[c("mean", "variance")], gene_rows, registry = fit$meta$registry)
  })
  if (length(baselines)) {
    train <- training_cells(fit, screen, groups, rows$of_cell)
    ceiling <- ceiling_method(measured$x, rows$of_cell, nrow(table), options$ddof, seed)
    others <- baseline_methods(baselines, measured, groups, table, train, reference, options$ddof,
                               ceiling = ceiling)
    methods <- c(methods, others)
    notes <- c(notes, lapply(others, `[[`, "note"))
    from <- c(from, lapply(others, nearest_words))
  }
  list(truth = truth, reference = reference, methods = methods, notes = notes, from = from,
       source = control$source, proteins = proteins)
}

# `score` gives a data frame with a row per condition for the statistics of one method, by its name.
table_of_methods <- function(fit, rows, parts, score) {
  table <- rows$table
  about <- describe_rows(fit, rows$groups, table)
  scored <- lapply(names(parts$methods), function(name) {
    note <- parts$notes[[name]] %||% parts$notes$model
    from <- parts$from[[name]]
    if (!is.null(from)) note <- ifelse(is.na(note), from, note)
    beside_own(about$own, c(list(method = rep(name, nrow(table))), about$fixed,
                            score(parts$methods[[name]], name),
                            list(n_controls = lengths(parts$source), note = note)))
  })
  all <- do.call(rbind, scored)
  all[order(rep(seq_len(nrow(table)), length(parts$methods))), , drop = FALSE]
}

# "model" is the first of `options$kinds`; the other kind, where there is one, has its own name.
name_kinds <- function(predicted, options) {
  names <- paste0("model_", options$kinds)
  names[1] <- "model"
  stats::setNames(predicted[options$kinds], names)
}

# The conditions as codes; the batch stays as it is in each source cell. `continuous`: the values of
# continuous covariates.
group_targets <- function(fit, groups, which, continuous) {
  registry <- fit$meta$registry
  covariates <- groups$covariates[which, , drop = FALSE]
  for (name in registry$batch) covariates[[name]] <- rep(NA_character_, length(which))
  covariates <- covariates[names(registry$covariates)]
  for (name in names(continuous)) covariates[[name]] <- continuous[[name]]
  parts <- groups$parts[which]
  doses <- groups$doses[which]
  list(parts = parts, doses = doses, covariates = covariates,
       design = encode_design(registry, parts, doses, covariates))
}

# list(own, fixed): the user's columns (covariates, perturbation, dose), and those that every table of
# conditions has behind them. Put together by beside_own().
describe_rows <- function(fit, groups, table) {
  keys <- fit$meta$keys
  registry <- fit$meta$registry
  g <- table$group
  own <- groups$covariates[g, , drop = FALSE]
  rownames(own) <- NULL
  # `dose` is the dose, whether there is a column of it or not.
  dose <- keys$dose %||% "dose"
  names <- own_names(c(names(own), keys$perturbation, keys$dose), setdiff("dose", keys$dose))
  names(own) <- names[seq_along(own)]
  own[[names[length(own) + 1L]]] <- if (length(g)) {
    condition_label(groups$parts[g], NULL, registry$sep)
  } else {
    character()
  }
  # Two may be asked for together of a fit that saw them one by one.
  own[[dose]] <- if (registry$n_slots > 1L || any(lengths(groups$doses[g]) > 1L)) {
    dose_text(groups$doses[g], registry$sep)
  } else {
    vapply(groups$doses[g], `[`, 0, 1L)
  }
  seen <- seen_in_training(fit, groups$parts[g], groups$doses[g],
                           groups$covariates[g, , drop = FALSE])
  list(own = own, fixed = list(split = table$split, seen = seen, n_cells = table$n_cells))
}

describe_no_rows <- function(fit) {
  names <- condition_covariates(fit)
  covariates <- list2DF(stats::setNames(rep(list(character()), length(names)), names), 0L)
  describe_rows(fit, list(parts = list(), doses = list(), covariates = covariates),
                data.frame(group = integer(), split = character(), n_cells = integer()))
}

# Columns without rows, `proteins` where the fit has some.
no_values <- function(fit, genes, proteins) {
  names <- c(genes, if (!is.null(fit$meta$registry$proteins)) proteins)
  stats::setNames(rep(list(numeric()), length(names)), names)
}

# table_of_methods() without rows, of the scores `genes` and `proteins`.
table_of_none <- function(fit, genes, proteins) {
  about <- describe_no_rows(fit)
  beside_own(about$own, c(list(method = character()), about$fixed, no_values(fit, genes, proteins),
                          list(n_controls = integer(), note = character())))
}

# Why the model has no score for some conditions, in words.
unscored <- function(x) {
  notes <- x[["note"]][x$method == "model" & !is.finite(x$r2_mean)]
  without <- table(as.character(notes))
  if (length(without) == 0L) return(NULL)
  paste0("Without a score: ", paste0(vapply(c(without), count_of, "", "condition"), " (", names(without), ")",
                                     collapse = ", "))
}
