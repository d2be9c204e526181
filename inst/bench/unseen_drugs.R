# Drugs that are left out entirely, in k folds: what each model says of them, from real screens.
# Models: control ("Baseline" of the chemCPA paper: no effect), mean_drug (the mean effect of the
# training drugs at that dose), nearest_drug (that of the one whose molecule is the most similar), scGen
# (which has nothing else to say of a new drug), CPA (one-hot perturbations: the new drug's column is never
# trained), chemCPA, and chemCPA pre-trained on L1000.

unseen_drug_screens <- list(
  l1000_a375 = list(file = "l1000_a375_ht115", line = "A375", folds = 3, pretrain = "HT115",
                    title = "L1000 A375, 59 compounds x 6 doses; pre-trained on HT115, 6 h"),
  l1000_ht115 = list(file = "l1000_a375_ht115", line = "HT115", folds = 3, pretrain = "A375",
                     title = "L1000 HT115, 349 compounds; pre-trained on A375, 24 h"),
  drugseq_mcf10a = list(file = "drugseq_mcf10a", folds = 3, pretrain = c("A375", "HT115"),
                        title = "Drug-seq MCF10A, 27 drugs x 3 doses; pre-trained on L1000"),
  drugseq_ovarian = list(file = "drugseq_ovarian", folds = 3, covariates = "cell_type",
                         pretrain = c("A375", "HT115"), shared_genes = TRUE,
                         title = "Drug-seq ovarian, 22 drugs, 3 lines, genes of L1000; pre-trained on it"),
  simulated = list(folds = 3,
                   title = paste("Simulated from real parts, 24 drugs x 3 doses in A375; pre-trained",
                                 "on about 400 others in HT115"))
)

# RDKit's descriptors of the drugs of a data set, z-scores over all molecules of the folder: one scale
# for pre-training and fine-tuning.
drug_descriptors <- function(folder, datasets) {
  all <- utils::read.csv(gzfile(file.path(folder, "drug_rdkit_features.csv.gz")), check.names = FALSE)
  values <- as.matrix(all[setdiff(names(all), c("smiles_rdkit", "morgan_r2_1024_on_bits"))])
  values[!is.finite(values)] <- 0
  values <- scale(values[, apply(values, 2, stats::sd) > 0.01])
  values <- pmin(pmax(values, -10), 10)
  drugs <- utils::read.csv(file.path(folder, "drug_annotations.csv"), encoding = "UTF-8")
  drugs <- drugs[drugs$dataset %in% datasets & nzchar(drugs$smiles_rdkit), ]
  drugs <- drugs[!duplicated(drugs$drug_name), ]
  at <- match(drugs$smiles_rdkit, all$smiles_rdkit)
  out <- values[at[!is.na(at)], ]
  rownames(out) <- drugs$drug_name[!is.na(at)]
  list(features = out, smiles = stats::setNames(drugs$smiles_rdkit, drugs$drug_name))
}

read_drug_screen <- function(folder, file, lines = NULL, molecules) {
  parts <- read_h5ad(file.path(folder, paste0(file, ".h5ad")), as = "list")
  cells <- as.data.frame(parts$obs)
  drug <- as.character(cells$condition)
  keep <- (is.null(lines) | as.character(cells$cell_type) %in% lines) &
    (drug == "control" | drug %in% rownames(molecules$features))
  cells <- droplevels(cells[keep, , drop = FALSE])
  cells$condition <- as.character(cells$condition)
  cells$cell_type <- as.character(cells$cell_type)
  list(x = as.matrix(parts$X[, keep]), cells = cells)
}

# L1000's log2 intensities on the scale of log-normalised counts: natural logarithms, per line and gene
# centred at the controls of the target screen where it has the gene, not below 0.
on_scale_of <- function(bulk, target) {
  x <- bulk$x * log(2)
  control <- rowMeans(target$x[, target$cells$condition == "control", drop = FALSE])
  for (line in unique(bulk$cells$cell_type)) {
    here <- bulk$cells$cell_type == line
    own <- rowMeans(x[, here & bulk$cells$condition == "control", drop = FALSE])
    goal <- ifelse(rownames(x) %in% names(control), control[rownames(x)], own)
    x[, here] <- x[, here] - own + goal
  }
  list(x = pmax(x, 0), cells = bulk$cells)
}

# Every fold's held-out drugs.
drug_folds <- function(cells, n) {
  drugs <- sort(setdiff(unique(cells$condition), "control"))
  lapply(seq_len(n), function(k) drugs[seq_along(drugs) %% n == k %% n])
}

# The genes whose mean over all wells of a drug differs most from the controls' (LINCS in chemCPA).
top_genes <- function(screen, drugs, n = 50) {
  control <- rowMeans(screen$x[, screen$cells$condition == "control"])
  lapply(rlang::set_names(drugs), function(drug) {
    own <- rowMeans(screen$x[, screen$cells$condition == drug, drop = FALSE])
    rownames(screen$x)[order(-abs(own - control))[seq_len(n)]]
  })
}

r2_of <- function(truth, guess) max(0, 1 - sum((truth - guess)^2) / sum((truth - mean(truth))^2))

# What the mean training drug would do, for the conditions that evaluate_r2() scored.
score_mean_drug <- function(screen, scores, degs) {
  cells <- screen$cells
  shift_at <- function(dose, line) {
    train <- cells$split == "train" & cells$cell_type == line
    doses <- unique(cells$dose[train & cells$condition != "control"])
    near <- doses[which.min(abs(log(doses) - log(dose)))]
    rowMeans(screen$x[, train & cells$condition != "control" & cells$dose == near, drop = FALSE]) -
      rowMeans(screen$x[, train & cells$condition == "control", drop = FALSE])
  }
  rows <- scores[scores$method == "control", ]
  for (i in seq_len(nrow(rows))) {
    line <- rows$cell_type[i] %||% unique(cells$cell_type)
    here <- cells$cell_type == line
    truth <- rowMeans(screen$x[, here & cells$condition == rows$condition[i] &
                                 cells$dose == rows$dose[i], drop = FALSE])
    guess <- rowMeans(screen$x[, here & cells$condition == "control", drop = FALSE]) +
      shift_at(rows$dose[i], line)
    genes <- match(degs[[rows$condition[i]]], rownames(screen$x))
    rows$r2_mean[i] <- r2_of(truth, guess)
    rows$r2_mean_deg[i] <- r2_of(truth[genes], guess[genes])
  }
  rows$method <- "mean_drug"
  rows
}

# The fits of one fold, scored.
score_unseen <- function(spec, screen, held_out, bulk, molecules, seed, options) {
  cells <- screen$cells
  cells$split <- split_others(cells, cells$condition %in% held_out, c("condition", "cell_type"))
  screen$cells <- cells
  degs <- top_genes(screen, held_out)
  run <- list(seed = seed, threads = options$threads, verbose = FALSE)
  common <- list(screen$x, "condition", dose = "dose", control = "control", split = "split",
                 covariates = spec$covariates, col_data = cells)
  known <- molecules$features[intersect(rownames(molecules$features), cells$condition), ]
  one_hot <- diag(nrow(known))
  rownames(one_hot) <- rownames(known)
  quiet <- function(f, ...) suppressWarnings(suppressMessages(do.call(f, c(common, list(...)))))
  fits <- list(
    nearest_drug = quiet(baseline_fit, method = "nearest", molecules = known, seed = seed),
    scGen = quiet(scgen, settings = do.call(scgen_settings, run)),
    CPA = quiet(cpa, molecules = one_hot, settings = do.call(cpa_settings, run)),
    chemCPA = quiet(chemcpa, molecules = known, dose_unit = "uM",
                    settings = do.call(chemcpa_settings, run))
  )
  # No drug of the test, under whatever name, is in the pre-training.
  hidden <- molecules$smiles[names(molecules$smiles) %in% held_out]
  shown <- !bulk$cells$condition %in% names(molecules$smiles)[molecules$smiles %in% hidden]
  before <- suppressWarnings(suppressMessages(chemcpa(
    bulk$x[, shown], "condition", dose = "dose", control = "control", covariates = "cell_type",
    molecules = molecules$features[intersect(rownames(molecules$features), bulk$cells$condition[shown]), ],
    dose_unit = "uM", col_data = bulk$cells[shown, ], settings = do.call(chemcpa_settings, run))))
  fits$`chemCPA pre-trained` <- suppressWarnings(suppressMessages(do.call(fine_tune, c(
    list(before), common, list(molecules = known, dose_unit = "uM"), run))))
  rows <- lapply(names(fits), function(name) {
    scores <- as.data.frame(evaluate_r2(fits[[name]], screen$x, split = "ood", col_data = cells,
                                        degs = degs, min_cells = 1, clamp_negative = TRUE))
    scores <- scores[scores$method == "model" | (name == "scGen" & scores$method == "control"), ]
    scores$method <- ifelse(scores$method == "model", name, "control")
    scores
  })
  scores <- do.call(rbind, rows)
  scores <- rbind(scores, score_mean_drug(screen, scores, degs))
  scores$seed <- seed
  scores
}

unseen_methods <- c("control", "mean_drug", "nearest_drug", "scGen", "CPA", "chemCPA", "chemCPA pre-trained")

# The table of the chemCPA paper, with the paired t test of each model against chemCPA's row above it.
unseen_table <- function(scores) {
  key <- do.call(paste, scores[intersect(c("condition", "dose", "cell_type", "seed"), names(scores))])
  reference <- scores[scores$method == "control", ]
  reference_key <- key[scores$method == "control"]
  do.call(rbind, lapply(unseen_methods, function(method) {
    own <- scores[scores$method == method, ]
    gain <- own$r2_mean_deg - reference$r2_mean_deg[match(key[scores$method == method], reference_key)]
    test <- if (method != "control" && stats::sd(gain) > 0) stats::t.test(gain)$p.value else NA
    data.frame(method = method, n = nrow(own), mean_all = mean(own$r2_mean),
               mean_deg = mean(own$r2_mean_deg), median_all = stats::median(own$r2_mean),
               median_deg = stats::median(own$r2_mean_deg), p_against_control = signif(test, 2))
  }))
}

bench_drugs <- function(options) {
  if (!nzchar(options$data)) stop("tools/bench drugs needs --data DIR, the folder of the screens")
  names <- names(unseen_drug_screens)
  if (nzchar(options$only)) names <- intersect(strsplit(options$only, ",")[[1]], names)
  molecules <- drug_descriptors(options$data, c("drugseq_mcf10a", "drugseq_ovarian", "l1000_a375",
                                                "l1000_ht115", "l1000_a375_ht115"))
  all <- list()
  for (name in names) {
    spec <- unseen_drug_screens[[name]]
    if (is.null(spec$file)) {
      made <- simulated_drug_screens(options$data, molecules)
      screen <- made$screen
      bulk <- made$bulk
      molecules_here <- made$molecules
    } else {
      screen <- read_drug_screen(options$data, spec$file, spec$line, molecules)
      bulk <- read_drug_screen(options$data, "l1000_a375_ht115", spec$pretrain, molecules)
      if (isTRUE(spec$shared_genes)) {
        shared <- intersect(rownames(bulk$x), rownames(screen$x))
        screen$x <- screen$x[shared, ]
        bulk$x <- bulk$x[shared, ]
      }
      if (spec$file != "l1000_a375_ht115") bulk <- on_scale_of(bulk, screen)
      molecules_here <- molecules
    }
    rows <- list()
    for (seed in seq_len(options$seeds) - 1) {
      for (held_out in drug_folds(screen$cells, spec$folds)) {
        rows[[length(rows) + 1]] <- score_unseen(spec, screen, held_out, bulk, molecules_here,
                                                  seed, options)
        cat(".")
      }
    }
    scores <- do.call(rbind, rows)
    scores$data <- name
    show(paste0(spec$title, "; drugs held out in ", spec$folds, " folds, negative r2 set to 0"),
         unseen_table(scores))
    high <- scores[scores$dose >= 1, ]
    if (nrow(high) < nrow(scores)) show("  of these at 1 uM and more", unseen_table(high))
    all[[name]] <- scores
  }
  common <- Reduce(intersect, lapply(all, colnames))
  do.call(rbind, lapply(all, function(s) s[common]))
}
