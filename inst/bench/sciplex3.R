# Tables of unseen drugs of the chemCPA paper (Hetzel et al. 2022, tables 1 to 3): sci-Plex 3 with and
# without pre-training on LINCS L1000. It downloads nothing.
#
#   Rscript inst/bench/sciplex3.R --sciplex FILE.h5ad --lincs FILE.h5ad --molecules FILE.csv
#     [--epochs N] [--seeds N] [--device cuda] [--ood "A,B,..."] [--out DIR] [--check]
#
# Where the files come from (the paper's own preprocessing: theislab/chemCPA, folder preprocessing):
#   sci-Plex 3   Srivatsan et al. 2020, GEO GSM4150378; as .h5ad with log-normalised X (cells x genes),
#                obs: condition (drug, "control" for the vehicle), dose (nM), cell_type
#   L1000        LINCS phase 1, level 3, GEO GSE92742; as .h5ad with X of 978 landmark genes, obs:
#                condition (drug or pert_id, "control" for DMSO), dose (uM), cell_type (cell line)
#   molecules    CSV with columns drug and smiles for the drugs of both files; control may be missing
# Genes of both files need the same kind of names (symbols or Ensembl identifiers).
# --check reads and checks the files and stops there. One GPU takes all of it; on two cores use --check
# or a part of the data.
suppressPackageStartupMessages(library(compert))

options_of <- function(args) {
  out <- list(sciplex = "", lincs = "", molecules = "", epochs = 0, seeds = 1, device = "auto",
              ood = paste("Dacinostat,CUDC-907,Givinostat,CUDC-101,Pirarubicin,Hesperadin,Tanespimycin",
                          "Trametinib,Raltitrexed", sep = ","),
              out = "sciplex3", check = FALSE)
  k <- 1
  while (k <= length(args)) {
    name <- sub("^--", "", args[k])
    if (!name %in% names(out)) stop("unknown option ", args[k], "; see the head of this file")
    if (name == "check") {
      out$check <- TRUE
      k <- k + 1
      next
    }
    out[[name]] <- if (is.numeric(out[[name]])) as.numeric(args[k + 1]) else args[k + 1]
    k <- k + 2
  }
  out
}

# All that is wrong with the files, at once.
checked <- function(options) {
  problems <- character()
  note <- function(...) problems <<- c(problems, paste0(...))
  files <- unlist(options[c("sciplex", "lincs", "molecules")])
  for (name in names(files)) if (!file.exists(files[[name]])) note("--", name, ": no file ", dQuote(files[[name]]))
  if (length(problems)) stop(paste(c("", problems, "Where they come from: the head of this file."), collapse = "\n"))
  read <- lapply(files[c("sciplex", "lincs")], read_h5ad, as = "list")
  for (name in names(read)) {
    absent <- setdiff(c("condition", "dose", "cell_type"), names(read[[name]]$obs))
    if (length(absent)) note("--", name, ": obs lacks ", toString(absent))
    else if (!"control" %in% read[[name]]$obs$condition) note("--", name, ": no condition \"control\"")
    if (max(read[[name]]$X[seq_len(min(200, nrow(read[[name]]$X))), ]) > 50)
      note("--", name, ": X does not look like logarithms")
  }
  table <- utils::read.csv(files[["molecules"]], encoding = "UTF-8")
  if (!all(c("drug", "smiles") %in% names(table))) note("--molecules: columns drug and smiles are needed")
  shared <- intersect(rownames(read$sciplex$X), rownames(read$lincs$X))
  if (length(shared) < 100) note("only ", length(shared), " genes have the same name in both files")
  if (length(problems)) stop(paste(c("", problems), collapse = "\n"))
  smiles <- stats::setNames(table$smiles, table$drug)
  smiles <- smiles[nzchar(smiles) & !is.na(smiles) & !duplicated(names(smiles))]
  screens <- lapply(read, function(r) {
    cells <- as.data.frame(r$obs)
    cells[c("condition", "cell_type")] <- lapply(cells[c("condition", "cell_type")], as.character)
    keep <- cells$condition == "control" | cells$condition %in% names(smiles)
    if (!all(keep)) message(sum(!keep), " cells of drugs without SMILES are left out")
    list(x = r$X[, keep, drop = FALSE], cells = droplevels(cells[keep, ]))
  })
  used <- unique(unlist(lapply(screens, function(s) s$cells$condition)))
  list(sciplex = screens$sciplex, lincs = screens$lincs, shared = shared,
       features = smiles_features(smiles[intersect(names(smiles), used)]))
}

# theislab/chemCPA's split_ood_finetuning: the drugs of `ood` in all doses and lines; of the rest 4 % of
# the cells, and 5 % of the controls, test.
split_of <- function(cells, ood, seed) {
  set.seed(seed)
  control <- cells$condition == "control"
  test <- stats::runif(nrow(cells)) < ifelse(control, 0.05, 0.04)
  ifelse(cells$condition %in% ood, "ood", ifelse(test, "test", "train"))
}

fit_all <- function(data, genes, ood, seed, options) {
  x <- data$sciplex$x[genes, ]
  cells <- data$sciplex$cells
  cells$split <- split_of(cells, ood, 42)
  run <- list(seed = seed, device = options$device, epochs = options$epochs, verbose = NULL)
  known <- function(cells) data$features[intersect(rownames(data$features), cells$condition), ]
  common <- list("condition", dose = "dose", control = "control", covariates = "cell_type")
  target <- c(list(x), common, list(split = "split", col_data = cells, molecules = known(cells),
                                    dose_unit = "nM"))
  scratch <- do.call(chemcpa, c(target, list(settings = do.call(chemcpa_settings, run))))
  # Drugs of the test are not in the pre-training, under whatever name.
  alike <- rownames(data$features)[duplicated(rbind(known(cells[cells$split == "ood", ]), data$features))[
    -seq_len(nrow(known(cells[cells$split == "ood", ])))]]
  shown <- !data$lincs$cells$condition %in% c(ood, alike)
  bulk <- list(x = data$lincs$x[data$shared, shown], cells = data$lincs$cells[shown, ])
  before <- do.call(chemcpa, c(list(bulk$x), common, list(
    col_data = bulk$cells, molecules = known(bulk$cells), dose_unit = "uM",
    settings = do.call(chemcpa_settings, run))))
  tuned <- do.call(fine_tune, c(list(before), target, run))
  lapply(list(scratch = scratch, `pre-trained` = tuned), evaluate_r2, x, preset = "chemcpa",
         split = "ood", col_data = cells)
}

options <- options_of(commandArgs(trailingOnly = TRUE))
data <- checked(options)
ood <- intersect(strsplit(options$ood, ",")[[1]], data$sciplex$cells$condition)
cat(sprintf("sci-Plex 3: %d cells x %d genes; L1000: %d x %d; %d genes shared; %d molecules; held out: %s\n",
            ncol(data$sciplex$x), nrow(data$sciplex$x), ncol(data$lincs$x), nrow(data$lincs$x),
            length(data$shared), nrow(data$features), toString(ood)))
if (length(ood) == 0) stop("none of the drugs of --ood is in --sciplex")
if (options$check) quit(status = 0)
dir.create(options$out, showWarnings = FALSE, recursive = TRUE)
settings <- list(`shared genes (table 2)` = data$shared, `all genes (table 3)` = rownames(data$sciplex$x))
for (name in names(settings)) {
  for (seed in seq_len(options$seeds) - 1) {
    scores <- fit_all(data, settings[[name]], ood, seed, options)
    comparison <- compare_r2(scores)
    cat("\n", name, ", seed ", seed, "\n", sep = "")
    print(comparison)
    saveRDS(scores, file.path(options$out, paste0(gsub("[^a-z0-9]+", "_", name), "_", seed, ".rds")))
  }
}
