# What training showed of a condition.

seen_levels <- c("condition", "parts only", "drug new to covariate", "drug new")

# One of `seen_levels` per condition. "parts only": every perturbation occurred under these
# covariates, but not this combination or dose. `covariates` has no missing values here.
seen_in_training <- function(fit, parts, doses, covariates) {
  if (!knows_training(fit$meta)) return(rep(NA_character_, length(parts)))
  rows <- trained_conditions(fit)
  rows[c("parts", "doses")] <- acting_pairs(fit, rows$parts, rows$doses)
  asked <- acting_pairs(fit, parts, doses)
  parts <- asked$parts
  doses <- asked$doses
  known <- row_keys(rows$covariates[condition_covariates(fit)])
  asked <- row_keys(covariates[condition_covariates(fit)])
  whole <- paste(known, condition_key(rows$parts, rows$doses), sep = "\f")
  all_parts <- unlist(rows$parts)
  single <- paste(rep(known, lengths(rows$parts)), all_parts, sep = "\f")
  whole_seen <- paste(asked, condition_key(parts, doses), sep = "\f") %in% whole
  part <- unlist(parts)
  row <- rep(seq_along(parts), lengths(parts))
  new <- tabulate(row[!part %in% all_parts], length(parts)) > 0L
  new_here <- tabulate(row[!paste(asked[row], part, sep = "\f") %in% single], length(parts)) > 0L
  seen_levels[ifelse(whole_seen, 1L, ifelse(new, 4L, ifelse(new_here, 3L, 2L)))]
}

# Columns that tell of conditions: `seen`, and the distances of prediction_uncertainty() where `min_cells`
# asks for them.
training_columns <- function(fit, parts, doses, covariates, min_cells = NULL, call = rlang::caller_env()) {
  c(list(seen = seen_in_training(fit, parts, doses, covariates)),
    if (!is.null(min_cells)) training_distances(fit, parts, doses, covariates, min_cells, call))
}

# The same for many rows, worked out once per distinct pair of condition and covariates. `code`: a
# number per row, the same for the same parts and doses.
columns_by_group <- function(fit, code, parts, doses, covariates, min_cells = NULL,
                             call = rlang::caller_env()) {
  group <- row_codes(c(list(code), covariates[condition_covariates(fit)]))
  first <- which(!duplicated(group))
  told <- training_columns(fit, parts[first], doses[first], covariates[first, , drop = FALSE], min_cells, call)
  lapply(told, `[`, group)
}

# Whether the fit knows the cells that it was trained on; of weights from elsewhere it may not.
knows_training <- function(meta) length(meta$conditions$split) > 0

need_known_training <- function(fit, call = rlang::caller_env()) {
  if (knows_training(fit$meta)) return(invisible())
  abort_input("`fit` must know the conditions that it was trained on.",
              "It was read by `read_reference_fit()` from a file without them.",
              "Export the model again with `--data` and the training data.", call)
}

# Conditions as the model takes them: where nothing acts at dose 0, what has no other part is the
# control.
acting_pairs <- function(fit, parts, doses) {
  pairs <- list(parts = parts, doses = doses)
  if (!isTRUE(fit$meta$keys$idle_zero)) return(pairs)
  pairs <- acting_parts(pairs)
  idle <- vapply(pairs$doses, function(d) all(d %in% 0), NA)
  pairs$parts[idle] <- fit$meta$registry$control
  pairs$doses[idle] <- 0
  pairs
}

# A condition that leaves a covariate open has been seen as well as its least known level was, and is as far
# as its farthest one.
columns_of_targets <- function(fit, targets, min_cells = NULL, call = rlang::caller_env()) {
  every <- every_level(fit, targets)
  told <- training_columns(fit, every$parts, every$doses, every$covariates, min_cells, call)
  most <- function(value) {
    vapply(split(seq_along(value), every$from), function(i) i[order(-value[i])][1L], 0L, USE.NAMES = FALSE)
  }
  least <- list(seen = most(match(told$seen, seen_levels)))
  if (!is.null(min_cells)) {
    least[c("cosine", "nearest_cosine")] <- list(most(told$cosine))
    least[c("euclidean", "nearest_euclidean")] <- list(most(told$euclidean))
  }
  Map(`[`, told, least[names(told)])
}

# The entries of meta$conditions that are training cells; covariates as a data frame.
trained_conditions <- function(fit) {
  rows <- fit$meta$conditions
  train <- which(rows$split == "train")
  covariates <- list2DF(as.list(rows$covariates), length(rows$split))
  list(parts = rows$parts[train], doses = rows$doses[train],
       covariates = covariates[train, , drop = FALSE])
}
