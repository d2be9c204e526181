# A larger drug screen, simulated from real parts: controls and their noise are real wells, effects lie
# in the space of the real effects and have their sizes, molecules are real. Only the law from molecule
# to effect is made up: smooth in the leading principal components of the descriptors, the same in both
# lines. Real screens at hand have 22 to 349 drugs with one to three wells each, where noise rules;
# here is what the models do with a law to find and enough drugs to find it from.

simulated_drug_screens <- function(folder, molecules, n_bulk = 400, n_target = 24, n_wells = 6,
                                   seed = 1) {
  set.seed(seed)
  real <- read_drug_screen(folder, "l1000_a375_ht115", c("A375", "HT115"), molecules)
  cells <- real$cells
  a375 <- cells$cell_type == "A375"
  control <- rowMeans(real$x[, a375 & cells$condition == "control"])
  high <- which(a375 & cells$condition != "control" & cells$dose > 3)
  effects <- real$x[, high] - control
  space <- svd(effects, nu = 5, nv = 5)
  size <- apply(space$v %*% diag(space$d[1:5]), 2, stats::sd)

  distinct <- !duplicated(molecules$features)
  all <- molecules$features[distinct, ]
  chosen <- sample(rownames(all), min(n_bulk + n_target, nrow(all)))
  axes <- stats::prcomp(all)$x[chosen, 1:6]
  axes <- scale(axes)
  law <- matrix(stats::rnorm(6 * 5), 6)
  scores <- scale(tanh(axes %*% law / 2)) %*% diag(2 * size)
  effect_of <- space$u %*% t(scores)
  colnames(effect_of) <- chosen
  strength <- function(dose) log1p(dose / 0.1) / log1p(100)

  screen_of <- function(drugs, line, doses, wells) {
    pool <- real$x[, cells$cell_type == line & cells$condition == "control"]
    design <- expand.grid(condition = drugs, dose = doses, well = seq_len(wells),
                          stringsAsFactors = FALSE)
    design <- rbind(design, data.frame(condition = "control", dose = 0, well = seq_len(60)))
    x <- pool[, sample(ncol(pool), nrow(design), TRUE)]
    # A well's own noise, as between two control wells, so that no well is another one twice.
    x <- x + (pool[, sample(ncol(pool), nrow(design), TRUE)] - rowMeans(pool)) / 2
    treated <- design$condition != "control"
    x[, treated] <- x[, treated] + t(t(effect_of[, design$condition[treated]]) *
                                       strength(design$dose[treated]))
    colnames(x) <- paste0(line, "_", seq_len(ncol(x)))
    design$cell_type <- line
    rownames(design) <- colnames(x)
    list(x = pmax(x, 0), cells = design)
  }
  target <- seq_len(n_target)
  list(screen = screen_of(chosen[target], "A375", c(0.1, 1, 10), n_wells %/% 2),
       bulk = screen_of(chosen[-target], "HT115", 10, 2),
       molecules = list(features = all[chosen, ], smiles = stats::setNames(chosen, chosen)))
}
