# The table that travels with predictions: one row per column of the answer.

# One row per condition and source cell (and draw), with the source cells' own columns.
describe_cells <- function(fit, screen, targets, cells, n_samples = 1L) {
  index <- unlist(cells)
  k <- rep(seq_along(cells), lengths(cells))
  covariates <- asked_covariates(screen, targets, index, k)
  about <- screen$col_data[index, , drop = FALSE]
  about$cpa_condition <- targets$label[k]
  about$cpa_source <- rep("counterfactual", length(index))
  about$cpa_cell <- colnames(screen$x)[index]
  for (name in condition_covariates(fit)) about[[paste0("cpa_", name)]] <- covariates[[name]]
  about$seen <- seen_by_group(fit, k, targets$parts[k], targets$doses[k], covariates)
  names <- about$cpa_cell
  if (anyDuplicated(names)) names <- paste0(names, "_", k)
  if (n_samples > 1L) {
    row <- rep(seq_along(names), each = n_samples)
    about <- about[row, , drop = FALSE]
    about$cpa_draw <- rep(seq_len(n_samples), length(names))
    names <- paste0(names[row], "_draw", about$cpa_draw)
  }
  rownames(about) <- make.unique(names, "_")
  about
}

# The covariates that each answer stands for: those asked for, else the source cell's own.
asked_covariates <- function(screen, targets, index, k) {
  columns <- lapply(rlang::set_names(names(screen$covariates)), function(name) {
    level <- targets$covariates[[name]][k]
    open <- is.na(level)
    level[open] <- screen$covariates[[name]][index[open]]
    level
  })
  list2DF(columns, length(index))
}

# One row per condition.
describe_conditions <- function(fit, targets, n_cells) {
  labels <- targets$label
  covariates <- targets$covariates
  open <- vapply(covariates, function(column) all(is.na(column)), TRUE)
  covariates <- covariates[!open]
  about <- data.frame(cpa_condition = labels,
                      cpa_source = rep("counterfactual", length(labels)), row.names = NULL,
                      stringsAsFactors = FALSE)
  for (name in names(covariates)) about[[paste0("cpa_", name)]] <- covariates[[name]]
  about$seen <- seen_of_targets(fit, targets)
  about$n_cells <- n_cells
  levels <- lapply(covariates, function(level) ifelse(is.na(level), "", paste0(", ", level)))
  rownames(about) <- make.unique(do.call(paste0, c(list(labels), unname(levels))), "_")
  about
}
