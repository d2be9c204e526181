# The table that travels with predictions: one row per column of the answer.

# One row per condition and source cell (and draw), with the source cells' own columns.
# `min_cells`: NULL, or for columns of distances, see prediction_uncertainty().
describe_cells <- function(fit, screen, targets, cells, n_samples = 1L, min_cells = NULL,
                           call = rlang::caller_env()) {
  index <- rep(unlist(cells), each = n_samples)
  k <- rep(rep(seq_along(cells), lengths(cells)), each = n_samples)
  draw <- rep(seq_len(n_samples), length.out = length(index))
  covariates <- asked_covariates(screen, targets, index, k)
  fixed <- c(list(cpa_condition = targets$label[k],
                  cpa_source = rep("counterfactual", length(index)),
                  cpa_cell = colnames(screen$x)[index]),
             covariate_columns(covariates),
             columns_by_group(fit, k, targets$parts[k], targets$doses[k], covariates, min_cells, call))
  if (n_samples > 1L) fixed$cpa_draw <- draw
  about <- beside_own(screen$col_data[index, , drop = FALSE], fixed)
  names <- about$cpa_cell
  if (anyDuplicated(names[draw == 1L])) names <- paste0(names, "_", k)
  if (n_samples > 1L) names <- paste0(names, "_draw", draw)
  rownames(about) <- make.unique(names, "_")
  about
}

# Columns of covariates, the batch among them, as `cpa_cell_type`. One that is called like what else there
# is (`condition`) becomes `cpa_own_condition`.
covariate_columns <- function(covariates) {
  names <- own_names(names(covariates), c("condition", "source", "cell", "draw"))
  stats::setNames(as.list(covariates), paste0("cpa_", names, recycle0 = TRUE))
}

# The covariates that each answer stands for: those asked for, else the source cell's own.
asked_covariates <- function(screen, targets, index, k) {
  own <- c(screen$covariates, screen$continuous)
  columns <- lapply(rlang::set_names(c(names(screen$covariates), names(screen$continuous))), function(name) {
    level <- targets$covariates[[name]][k]
    open <- is.na(level)
    level[open] <- own[[name]][index[open]]
    level
  })
  list2DF(columns, length(index))
}

# One row per condition.
describe_conditions <- function(fit, targets, n_cells, min_cells = NULL, call = rlang::caller_env()) {
  labels <- targets$label
  covariates <- targets$covariates
  open <- vapply(covariates, function(column) all(is.na(column)), TRUE)
  covariates <- covariates[!open]
  about <- list2DF(c(
    list(cpa_condition = labels, cpa_source = rep("counterfactual", length(labels))),
    covariate_columns(covariates), columns_of_targets(fit, targets, min_cells, call), list(n_cells = n_cells)
  ))
  levels <- lapply(covariates, function(level) ifelse(is.na(level), "", paste0(", ", level)))
  rownames(about) <- make.unique(do.call(paste0, c(list(labels), unname(levels))), "_")
  about
}
