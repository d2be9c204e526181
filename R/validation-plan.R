# The plan of the validation during training: which conditions of the test cells are scored, from which cells
# they are predicted, and by which genes.

# Perturbed test cells by condition, each with its covariates (the batch is no part of a condition: every
# cell keeps its own). Entry k of
#   truth, source   0-based cells; the source are controls, see plan_sources()
#   target          the design of the conditions; the batch is -1, "as in the cell", and continuous
#                   covariates have the means of the condition's cells
#   degs            0-based genes, the top `n_degs` by |Welch t| of the condition's cells against
#                   the controls of its covariates, held-out cells left out; or the user's own (keys$degs)
# `cells`: all test cells. `conditions`: what is scored, the levels of the covariates in a data frame of
# their own: they may have any names. Conditions with fewer than `min_cells` cells are left out. NULL when
# nothing is left.
new_plan <- function(screen, registry, min_cells = 5, n_degs = 50, call = rlang::caller_env()) {
  group <- condition_group(screen)
  truth <- tested_conditions(screen, group, min_cells)
  if (length(truth) == 0) return(NULL)
  first <- vapply(truth, `[`, 1L, 1L)
  conditions <- list(perturbation = screen$parts[first], dose = screen$doses[first],
                     covariates = screen$covariates[first, screen$keys$covariates, drop = FALSE])
  list(
    truth = lapply(truth, function(i) i - 1L),
    source = lapply(plan_sources(screen, first), function(i) i - 1L),
    target = encode_design(registry, conditions$perturbation, conditions$dose,
                           c(conditions$covariates, continuous_means(screen, truth)), call),
    degs = plan_degs(screen, group, conditions, n_degs, call),
    cells = which(screen$split == "test") - 1L,
    conditions = conditions
  )
}

# The perturbed test cells, condition by condition, those with enough cells.
tested_conditions <- function(screen, group, min_cells) {
  cells <- which(screen$split == "test" & !screen$control)
  truth <- base::split(cells, group[cells])
  truth <- truth[lengths(truth) >= min_cells]
  first <- vapply(truth, `[`, 1L, 1L)
  label <- condition_key(screen$parts[first], screen$doses[first])
  levels <- screen$covariates[first, screen$keys$covariates, drop = FALSE]
  unname(truth[do.call(order, c(unname(as.list(levels)), list(label), method = "radix"))])
}

# The controls that conditions are predicted from, of which `cell` holds one cell each: those of the same
# covariates in the test part, when it has at least `least` of them, else all of training. Held-out cells are
# never a source. Where a covariate has no controls at all, the controls of the others. After training the presets of
# evaluate_r2() choose, see evaluation_controls(): nothing is learned there, so controls of every split may serve.
plan_sources <- function(screen, cell, least = 5) {
  place <- screen$covariates[screen$keys$covariates]
  place <- if (length(place)) row_codes(place) else rep(1L, length(screen$control))
  controls <- lapply(c(test = "test", train = "train"), function(part) {
    which(screen$control & screen$split == part)
  })
  matched <- lapply(controls, function(i) split_by_number(i, place[i], max(place)))
  choose <- function(test, train) if (length(test) >= least || length(train) == 0L) test else train
  lapply(place[cell], function(at) {
    cells <- choose(matched$test[[at]], matched$train[[at]])
    if (length(cells)) cells else choose(controls$test, controls$train)
  })
}

plan_degs <- function(screen, group, conditions, n_degs, call) {
  own <- screen$keys$degs
  if (!is.null(own)) {
    # Also those that are not scored during training may be named.
    all <- which(!duplicated(group))
    known <- deg_names(screen$parts[all], screen$doses[all],
                       screen$covariates[all, screen$keys$covariates, drop = FALSE], screen$keys)
    scored <- deg_names(conditions$perturbation, conditions$dose, conditions$covariates, screen$keys,
                        screen$doses[all])
    own <- find_own_degs(own, scored, known, rownames(screen$x), screen$keys, call)
    return(lapply(own, function(g) g - 1L))
  }
  ood <- screen$split == "ood"
  if (any(ood)) screen <- subset_screen(screen, which(!ood))
  degs_of_screen(screen, conditions, n = n_degs)
}

# The screen of some of its cells.
subset_screen <- function(screen, cells) {
  screen$x <- pick_columns(screen$x, cells)
  screen$col_data <- screen$col_data[cells, , drop = FALSE]
  screen$covariates <- screen$covariates[cells, , drop = FALSE]
  if (length(screen$continuous)) screen$continuous <- screen$continuous[cells, , drop = FALSE]
  if (!is.null(screen$proteins)) screen$proteins <- screen$proteins[, cells, drop = FALSE]
  for (part in c("parts", "doses", "code", "control", "split", "measured")) {
    screen[part] <- list(screen[[part]][cells])
  }
  screen
}
