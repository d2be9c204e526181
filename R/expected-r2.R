#' The r2 that other cells of the split would give
#'
#' A baseline without a model (MultiCPA): a condition of the split is drawn, and the mean of a random
#' 10 to 89 % of its cells is predicted by the mean of all other cells of the split, controls
#' included. A model that knows its conditions must be above it.
#'
#' @inheritParams evaluate_r2
#' @param newdata All cells of the split, and controls, which DEGs are found against, in any
#'   container that [cpa()] takes.
#' @param split The split whose cells are drawn from, `"train"`, `"test"` or `"ood"`, or a word for it that
#'   [cpa()] takes.
#' @param n_draws Number of draws.
#' @param scale `"log"`, that of the scores of [evaluate_r2()] (counts log-normalised, of proteins
#'   log(1 + mean)), or `"model"`, that of the training data, which is the published one.
#' @return A tibble with one row per part (`"genes"`, `"DEGs"` and, for fits of both, `"proteins"`):
#'   `part`, `mean`, `sd` (over draws), `median`, `n_draws` and `n_conditions`.
#' @section Errors: No split, or no perturbed condition of two cells in it.
#' @source theislab/multicpa-reproducibility; Inecik et al. (2022), bioRxiv 2022.07.08.499049.
#' @seealso [evaluate_r2()], whose baselines predict each condition; [baseline_fit()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' expected_r2(fit, screen, n_draws = 50, seed = 1)
#' @export
expected_r2 <- function(fit, newdata, ..., split = "test", n_draws = 1000L, n_degs = 50L,
                        scale = c("log", "model"), seed = NULL, assay = NULL, layer = NULL, col_data = NULL,
                        missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  need_newdata(missing(newdata), "expected_r2")
  check_count(n_draws, "n_draws")
  check_count(n_degs, "n_degs", min = 2)
  scale <- check_choice(scale, c("log", "model"), "scale")
  split <- check_split_names(split)
  if (length(split) > 1L) {
    abort_input("`split` must be one split.", paste0("It is ", name_list(split), "."),
                "Ask for them one by one.")
  }
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes,
                         need = c("perturbation", "covariates", "batch"),
                         split = "split_cells() makes such a column.")
  screen["split"] <- list(evaluation_split(fit, screen, NULL))
  groups <- condition_groups(fit, screen)
  pool <- which(screen$split == split)
  cells <- cells_by_condition(pool, groups)
  if (length(cells) == 0L) {
    abort_input("The split must have a perturbed condition of two cells.",
                paste0("Split \"", split, "\" has none."), "Choose another split.")
  }
  rows <- list(groups = groups, table = data.frame(group = as.integer(names(cells))))
  degs <- evaluation_degs(fit, screen, rows, NULL, n_degs)
  if (scores_logs(fit, scale)) screen$x <- log_values(screen)
  to_scale <- if (!is.null(screen$proteins)) protein_scaling(fit, scale)
  whole <- means_of(screen, pool)
  scores <- vapply(draws_of_cells(resolve_seed(seed), n_draws, cells), function(draw) {
    score_draw(screen, whole, draw$cells, degs[[draw$condition]], to_scale)
  }, numeric(3L))
  parts <- c("genes", "DEGs", if (!is.null(screen$proteins)) "proteins")
  table <- lapply(seq_along(parts), function(k) {
    v <- scores[k, is.finite(scores[k, ])]
    tibble::tibble(part = parts[k], mean = if (length(v)) mean(v) else NA_real_, sd = stats::sd(v),
                   median = stats::median(v),
                   n_draws = length(v), n_conditions = length(cells))
  })
  do.call(rbind, table)
}

# Cells of the pool by condition, controls and single cells left out.
cells_by_condition <- function(pool, groups) {
  code <- groups$of_cell[pool]
  keep <- !groups$control[code]
  cells <- split(pool[keep], code[keep])
  cells[lengths(cells) >= 2L]
}

# A condition and 10 to 89 % of its cells (one at least, not all) per draw; R's stream is left alone.
draws_of_cells <- function(seed, n, cells) {
  uniform <- matrix(seeded_uniform(2 * n, seed), 2L)
  lapply(seq_len(n), function(i) {
    k <- floor(uniform[1L, i] * length(cells)) + 1
    own <- cells[[k]]
    share <- 0.1 + 0.79 * uniform[2L, i]
    size <- min(max(1, round(share * length(own))), length(own) - 1)
    list(condition = k, cells = seeded_sample(own, size, as.numeric(seed) + i))
  })
}

# Number and mean of some cells, for genes and (of those that have them) proteins.
means_of <- function(screen, cells) {
  # Only these cells go to the core, which looks at every entry of what it is given.
  part <- function(x, cells) {
    own <- pick_columns(x, sort(cells))
    list(n = length(cells), mean = core_group_stats(own, integer(length(cells)), 1L)$mean[, 1L])
  }
  with_proteins <- if (!is.null(screen$proteins)) cells[has_proteins(screen)[cells]]
  c(list(genes = part(screen$x, cells)),
    if (!is.null(screen$proteins)) list(proteins = part(screen$proteins, with_proteins)))
}

# `whole`: means_of() the pool. What the others have is the rest of that, so that a draw reads its own
# cells only. `to_scale`: of proteins.
score_draw <- function(screen, whole, cells, deg, to_scale) {
  own <- means_of(screen, cells)
  others <- Map(function(all, own) (all$n * all$mean - own$n * own$mean) / (all$n - own$n), whole, own)
  c(safe_r2(own$genes$mean, others$genes), safe_r2(own$genes$mean[deg], others$genes[deg]),
    if (is.null(own$proteins)) NA_real_ else safe_r2(to_scale(own$proteins$mean), to_scale(others$proteins)))
}
