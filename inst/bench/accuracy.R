# Held-out accuracy on real screens, beside the baselines: package defaults, several seeds.
# Figures of the reference on the same held-out conditions are in reference_results.csv
# (facebookresearch/CPA 50e283a, run once on a 2-core machine with its own defaults).

read_screen_file <- function(path) {
  parts <- read_h5ad(path, as = "list")
  list(x = parts$X, col_data = as.data.frame(parts$obs))
}

# train and test cells of everything that is not held out: every fifth cell of a condition tests.
split_others <- function(col_data, held_out, groups) {
  split <- ifelse(held_out, "ood", "train")
  others <- which(!held_out)
  for (rows in split(others, interaction(col_data[others, groups], drop = TRUE))) {
    split[rows[seq_along(rows) %% 5 == 0]] <- "test"
  }
  split
}

fit_and_score <- function(screen, covariates, held_out, seed, options) {
  screen$col_data$split <- split_others(screen$col_data, held_out, c("condition", covariates))
  settings <- cpa_settings(seed = seed, threads = options$threads, verbose = FALSE)
  start <- proc.time()[["elapsed"]]
  fit <- suppressMessages(cpa(screen$x, "condition", dose = "dose_val", covariates = covariates,
                              control = "control", split = "split", col_data = screen$col_data,
                              loss = "gauss", settings = settings))
  seconds <- proc.time()[["elapsed"]] - start
  scores <- evaluate_r2(fit, screen$x, split = "ood", col_data = screen$col_data)
  scores$seed <- seed
  scores$fit_seconds <- seconds
  as.data.frame(scores)
}

score_columns <- c("r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg", "r2_lfc_deg", "pearson_delta")

average_scores <- function(scores, by) {
  stats::aggregate(scores[score_columns], scores[by], mean, na.action = stats::na.pass)
}

show <- function(title, table) {
  cat("\n", title, "\n", sep = "")
  print(format(table, digits = 2, nsmall = 2), row.names = FALSE)
}

# One line per fit while it goes on: DEG r2 of every method.
tell <- function(what, seed, scores) {
  deg <- tapply(scores$r2_mean_deg, scores$method, mean, na.rm = TRUE)
  cat(sprintf("%s, seed %d, %.0f s; DEG r2: %s\n", what, seed, scores$fit_seconds[1],
              paste(names(deg), formatC(deg, digits = 2, format = "f"), collapse = ", ")))
}

accuracy_kang <- function(path, options) {
  screen <- read_screen_file(path)
  types <- sort(unique(as.character(screen$col_data$cell_type)))
  rows <- list()
  for (seed in seq_len(options$seeds) - 1) {
    for (type in types) {
      held_out <- screen$col_data$cell_type == type & screen$col_data$condition == "IFNb"
      scored <- fit_and_score(screen, "cell_type", held_out, seed, options)
      rows[[length(rows) + 1]] <- scored
      tell(paste("kang", type), seed, scored)
    }
  }
  scores <- do.call(rbind, rows)
  table <- average_scores(scores, c("method", "cell_type"))
  show("Kang PBMC, each cell type held out under IFN-beta (means over seeds)",
       table[order(table$cell_type), ])
  own <- scores[scores$method == "model", ]
  control <- scores[scores$method == "control", ]
  cat(sprintf("DEG r2 above the control mean: %d of %d fits; fit time %.0f s on average\n",
              sum(own$r2_mean_deg > control$r2_mean_deg), nrow(own), mean(own$fit_seconds)))
  scores$data <- "kang_pbmc_ifnb"
  scores
}

accuracy_norman <- function(path, options) {
  screen <- read_screen_file(path)
  held_out <- as.character(screen$col_data$split) == "ood"
  scores <- do.call(rbind, lapply(seq_len(options$seeds) - 1, function(seed) {
    scored <- fit_and_score(screen, NULL, held_out, seed, options)
    tell("norman", seed, scored)
    scored
  }))
  table <- average_scores(scores, c("method", "condition"))
  show("Norman K562, doubles held out (means over seeds)", table[order(table$condition), ])
  scores$data <- "norman_k562_crispra"
  scores
}

accuracy_papalexi <- function(path, options) {
  screen <- read_screen_file(path)
  col_data <- screen$col_data
  replicates <- sort(unique(as.character(col_data$replicate)))
  held_out <- col_data$condition %in% c("IFNGR1", "STAT2", "BRD4", "IRF1") &
    as.character(col_data$replicate) == replicates[2]
  scores <- do.call(rbind, lapply(seq_len(options$seeds) - 1, function(seed) {
    scored <- fit_and_score(screen, "replicate", held_out, seed, options)
    tell("papalexi", seed, scored)
    scored
  }))
  table <- average_scores(scores, c("method", "condition"))
  show("Papalexi THP-1, four knockouts held out in one replicate (means over seeds)",
       table[order(table$condition), ])
  scores$data <- "papalexi_thp1_crispr"
  scores
}

bench_accuracy <- function(options) {
  files <- c(kang = "kang_pbmc_ifnb.h5ad", norman = "norman_k562_crispra.h5ad",
             papalexi = "papalexi_thp1_crispr.h5ad")
  if (!nzchar(options$data)) {
    cat("no --data folder: the shipped cells only\n")
    shipped <- system.file("extdata", "kang_pbmc.h5ad", package = "compert", mustWork = TRUE)
    return(accuracy_kang(shipped, options))
  }
  paths <- file.path(options$data, files)
  names(paths) <- names(files)
  there <- paths[file.exists(paths)]
  if (length(there) == 0) stop("none of ", toString(files), " is in ", options$data)
  run <- list(kang = accuracy_kang, norman = accuracy_norman, papalexi = accuracy_papalexi)
  scores <- lapply(names(there), function(name) run[[name]](there[[name]], options))
  show("facebookresearch/CPA on the same held-out conditions",
       utils::read.csv(file.path(here, "reference_results.csv")))
  common <- Reduce(intersect, lapply(scores, names))
  do.call(rbind, lapply(scores, function(s) s[common]))
}
