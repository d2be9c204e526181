# Held-out accuracy on real screens, beside the baselines: package defaults, several seeds.
# Figures of the reference on the same held-out conditions are in reference_results.csv
# (facebookresearch/CPA 50e283a, run once on a 2-core machine with its own defaults).

score_columns <- c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg", "r2_lfc_deg", "pearson_delta")

read_held_out <- function(path, loss, skip = NULL) {
  parts <- read_h5ad(path, as = "list")
  x <- if (loss == "gauss") parts$X else parts$layers$counts
  cells <- as.data.frame(parts$obs)
  if (is.null(x)) return(NULL)
  keep <- if (is.null(skip)) seq_len(nrow(cells)) else which(!skip(cells))
  cells <- cells[keep, , drop = FALSE]
  # A cell without any counts says nothing.
  x <- x[, keep, drop = FALSE]
  full <- if (loss == "gauss") seq_len(ncol(x)) else which(Matrix::colSums(x) > 0)
  list(x = x[, full, drop = FALSE], logs = parts$X[, keep, drop = FALSE][, full, drop = FALSE],
       cells = droplevels(cells[full, , drop = FALSE]))
}

# train and test cells of everything that is not held out: every fifth cell of a condition tests.
split_others <- function(cells, held_out, groups) {
  split <- ifelse(held_out, "ood", "train")
  others <- which(!held_out)
  for (rows in split(others, interaction(cells[others, groups], drop = TRUE))) {
    split[rows[seq_along(rows) %% 5 == 0]] <- "test"
  }
  split
}

# One fit of one fold: the scores of its held-out conditions, every method.
fit_and_score <- function(screen, spec, held_out, loss, seed, settings, options) {
  cells <- screen$cells
  cells$split <- split_others(cells, held_out, c("condition", spec$covariates, spec$batch))
  settings <- do.call(cpa_settings, c(list(seed = seed, threads = options$threads, verbose = FALSE),
                                      settings))
  start <- proc.time()[["elapsed"]]
  fit <- suppressWarnings(suppressMessages(cpa(
    screen$x, "condition", dose = "dose_val", covariates = spec$covariates, batch = spec$batch,
    control = "control", split = "split", col_data = cells, loss = loss, settings = settings)))
  seconds <- proc.time()[["elapsed"]] - start
  degs <- if (isTRUE(spec$wells)) degs_of_wells(screen, held_out, spec)
  scores <- as.data.frame(evaluate_r2(fit, screen$x, split = "ood", col_data = cells, degs = degs,
                                      min_cells = spec$min_cells %||% 5, seed = seed))
  scores[c("seed", "fit_seconds", "loss")] <- list(seed, seconds, loss)
  scores
}

# Screens of wells have too few replicates for a t statistic per condition. As LINCS has it in
# chemCPA: the genes whose mean over all wells of a drug that are not held out differs most from the
# controls'.
degs_of_wells <- function(screen, held_out, spec, n = 50) {
  drug <- as.character(screen$cells$condition)
  drugs <- setdiff(unique(drug[held_out]), "control")
  mean_of <- function(cells) Matrix::rowMeans(screen$logs[, cells, drop = FALSE])
  control <- mean_of(drug == "control")
  degs <- lapply(drugs, function(d) {
    known <- drug == d & !held_out
    if (!any(known)) return(NULL)
    rownames(screen$x)[order(-abs(mean_of(known) - control))[seq_len(n)]]
  })
  names(degs) <- drugs
  Filter(Negate(is.null), degs)
}

`%||%` <- function(a, b) if (is.null(a)) b else a

average_scores <- function(scores, by) {
  mean_of <- function(v) if (all(is.na(v))) NA_real_ else mean(v, na.rm = TRUE)
  stats::aggregate(scores[score_columns], scores[by], mean_of)
}

show <- function(title, table) {
  cat("\n", title, "\n", sep = "")
  print(format(table, digits = 2, nsmall = 2), row.names = FALSE)
}

# One line per fit while it goes on: DEG r2 of means and of effects, every method.
tell <- function(what, scores) {
  deg <- tapply(scores$r2_mean_deg, scores$method, mean, na.rm = TRUE)
  effect <- tapply(scores$r2_lfc_deg, scores$method, mean, na.rm = TRUE)
  cat(sprintf("%s, seed %d, %.0f s; DEG r2 / effects: %s\n", what, scores$seed[1],
              scores$fit_seconds[1],
              paste0(names(deg), " ", formatC(deg, digits = 2, format = "f"), "/",
                     formatC(effect, digits = 2, format = "f"), collapse = ", ")))
}

# All folds and seeds of one screen, kept as they come; `extra` are further columns of what is kept.
score_screen <- function(name, spec, path, loss, settings, options, extra = NULL) {
  screen <- read_held_out(path, loss, spec$skip)
  if (is.null(screen)) return(NULL)
  folds <- spec$folds(screen$cells)
  rows <- list()
  for (seed in options$first + seq_len(options$seeds) - 1) {
    for (fold in names(folds)) {
      scored <- fit_and_score(screen, spec, folds[[fold]], loss, seed, settings, options)
      tell(paste(name, loss, fold), scored)
      scored[c("data", "fold")] <- list(name, fold)
      kept <- per_fold(scored)
      kept[names(extra)] <- extra
      keep_rows(kept, options$csv,
                c("data", names(extra), "loss", "seed", "held_out", "method"))
      rows[[length(rows) + 1]] <- scored
    }
  }
  common <- Reduce(intersect, lapply(rows, names))
  do.call(rbind, lapply(rows, function(r) r[common]))
}

# Whether the additive baseline can predict the condition of a row.
is_additive <- function(scores) {
  key <- with(scores, paste(data, loss, fold, seed, condition))
  for (extra in intersect(c("cell_type", "replicate", "time_h", "dose_val"), names(scores))) {
    key <- paste(key, scores[[extra]])
  }
  key %in% key[scores$method == "additive" & is.finite(scores$r2_mean)]
}

# Means over held-out conditions and seeds; conditions that the additive baseline cannot predict are
# left out of the comparison with it.
compare <- function(scores) {
  known <- is_additive(scores)
  if (any(known)) average_scores(scores[known, ], c("data", "loss", "method"))
}

# One row per fold, seed and method. Conditions that the additive baseline cannot predict stand by
# themselves, without it.
per_fold <- function(scores) {
  scores$held_out <- paste0(scores$fold, ifelse(is_additive(scores), "", " (not additive)"))
  scores$conditions <- 1
  scores <- scores[is_additive(scores) | scores$method != "additive", ]
  by <- c("data", "held_out", "loss", "seed", "method")
  out <- average_scores(scores, by)
  n <- stats::aggregate(scores["conditions"], scores[by], sum)
  merge(out, n)[c(by, "conditions", score_columns)]
}

screens_of <- function(options) {
  if (!nzchar(options$data)) {
    cat("no --data folder: the shipped cells only\n")
    path <- system.file("extdata", "kang_pbmc.h5ad", package = "compert", mustWork = TRUE)
    return(list(kang_pbmc_ifnb = path))
  }
  names <- names(held_out_screens)
  if (nzchar(options$only)) names <- intersect(strsplit(options$only, ",")[[1]], names)
  paths <- file.path(options$data, paste0(names, ".h5ad"))
  there <- file.exists(paths)
  if (!any(there)) stop("none of ", toString(basename(paths)), " is in ", options$data)
  as.list(stats::setNames(paths[there], names[there]))
}

bench_accuracy <- function(options) {
  paths <- screens_of(options)
  all <- list()
  for (loss in strsplit(options$loss, ",")[[1]]) {
    for (name in names(paths)) {
      spec <- held_out_screens[[name]]
      scores <- score_screen(name, spec, paths[[name]], loss, list(), options)
      if (is.null(scores)) next
      by <- if (length(unique(scores$condition)) > 8) "fold" else c("fold", "condition")
      table <- average_scores(scores, c(by, "method"))
      show(paste0(spec$title, ", loss \"", loss, "\" (means over ", options$seeds, " seeds)"),
           table[do.call(order, table[by]), ])
      all[[length(all) + 1]] <- scores
    }
  }
  common <- Reduce(intersect, lapply(all, names))
  scores <- do.call(rbind, lapply(all, function(s) s[common]))
  table <- do.call(rbind, lapply(all, compare))
  show("Averages over held-out conditions that the additive baseline can predict",
       table[order(table$data, table$loss), ])
  wins <- merge(table[table$method == "model", ], table[table$method == "additive", ],
                by = c("data", "loss"), suffixes = c("", ".additive"))
  for (metric in c("r2_mean_deg", "r2_lfc_deg")) {
    ahead <- wins[[metric]] > wins[[paste0(metric, ".additive")]]
    cat(sprintf("%s: ahead of the additive baseline on %d of %d (behind: %s)\n", metric, sum(ahead),
                length(ahead), toString(paste(wins$data, wins$loss)[!ahead])))
  }
  if (nzchar(options$data)) {
    show("facebookresearch/CPA on the same held-out conditions",
         utils::read.csv(file.path(here, "reference_results.csv")))
  }
  scores
}

# What each choice of the defaults adds: the same fits with one choice taken back at a time.
ablations <- list(
  defaults = list(),
  "no counterfactual matching" = list(reg_counterfactual = 0),
  "no alignment" = list(reg_alignment = 0),
  "neither" = list(reg_counterfactual = 0, reg_alignment = 0),
  "adversaries instead (reg 60)" = list(reg_counterfactual = 0, reg_alignment = 0,
                                        reg_adversary = 60, penalty_adversary = 60),
  "no skip connection" = list(decoder_skip = FALSE),
  "no shrinkage of means" = list(counterfactual_shrinkage = FALSE),
  "highest score only" = list(best_tolerance = 0),
  "three hidden layers" = list(autoencoder_depth = 3),
  "embeddings at the network's rate" = list(embeddings_lr = 3e-3),
  "products of bfloat16" = list(precision = "bf16-mixed")
)

bench_ablation <- function(options) {
  paths <- screens_of(options)
  if (!compert_sitrep()$built_with[["bfloat16"]]) {
    ablations[["products of bfloat16"]] <- NULL
    cat("without products of bfloat16, which this processor or build does not have\n")
  }
  rows <- list()
  for (name in names(paths)) {
    for (variant in names(ablations)) {
      scores <- score_screen(name, held_out_screens[[name]], paths[[name]], "gauss",
                             ablations[[variant]], options, list(variant = variant))
      rows[[length(rows) + 1]] <- cbind(variant = variant, per_fold(scores))
      show(paste(name, variant, sep = ", "), compare(scores))
    }
  }
  table <- do.call(rbind, rows)
  shown <- average_scores(table[table$method %in% c("model", "model_decoded"), ],
                          c("variant", "method", "data"))
  show("Ablation", shown[order(shown$data, shown$method), ])
  table
}
