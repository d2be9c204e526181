# RNA and proteins of screens with a second modality: a condition held out, for the RNA alone, both
# concatenated and the product of experts; then half of the training cells' proteins hidden.

protein_screens <- list(
  citeseq_pbmc_ctcl = list(covariates = "cell_type", loss = c("gauss", "nb"),
                           held_out = function(d) d$cell_type == "CD8T" & d$condition == "CTCL",
                           name = "CTCL, CD8T"),
  rat_liver_acetaminophen = list(covariates = "time_h", loss = "gauss", dose = "dose", log = TRUE,
                                 min_cells = 3,  # four rats each
                                 held_out = function(d) d$dose == 1500, name = "1500 mg/kg")
)

# SingleCellExperiment with the second modality as altExp "ADT" and a column `split`.
read_both <- function(path, spec) {
  parts <- suppressWarnings(read_h5ad(path, as = "list"))
  cells <- parts$obs
  cells$time_h <- if (!is.null(cells$time_h)) paste0(cells$time_h, "h")
  proteins <- t(parts$obsm$protein_counts)
  dimnames(proteins) <- list(parts$uns$protein_names, colnames(parts$X))
  if (isTRUE(spec$log)) proteins <- log1p(proteins)
  group <- paste(cells$condition, cells$dose, cells[[spec$covariates]])
  set.seed(1)
  # A quarter of each condition's cells test.
  test <- stats::ave(stats::runif(nrow(cells)), group, FUN = function(u) rank(u) <= length(u) / 4) == 1
  cells$split <- ifelse(spec$held_out(cells), "ood", ifelse(test, "test", "train"))
  screen <- SingleCellExperiment::SingleCellExperiment(
    c(list(logcounts = parts$X), parts$layers["counts"][!is.null(parts$layers$counts)]),
    colData = S4Vectors::DataFrame(cells))
  SingleCellExperiment::altExp(screen, "ADT") <-
    SummarizedExperiment::SummarizedExperiment(list(counts = proteins))
  screen
}

protein_fit <- function(screen, spec, model, loss, seed, threads) {
  arguments <- list(screen, "condition", dose = spec$dose, covariates = spec$covariates,
                    control = "control", split = "split", loss = loss)
  settings <- list(seed = seed, threads = threads, verbose = FALSE)
  quietly <- function(f, ...) suppressWarnings(suppressMessages(do.call(f, c(arguments, list(...)))))
  if (model == "RNA only") return(quietly(cpa, settings = do.call(cpa_settings, settings)))
  quietly(multicpa, fusion = model, settings = do.call(multicpa_settings, settings))
}

protein_scores <- function(name, spec, screen, options) {
  rows <- list()
  for (loss in spec$loss) for (seed in seq_len(options$seeds) - 1 + options$first) {
    for (model in c("RNA only", "concat", "poe")) {
      time <- system.time(fit <- protein_fit(screen, spec, model, loss, seed, options$threads))
      scores <- as.data.frame(evaluate_r2(fit, screen, split = "ood", seed = seed,
                                          min_cells = spec$min_cells))
      wanted <- c("r2_mean", "r2_mean_deg", "r2_var", "r2_lfc_deg", "r2_mean_protein", "r2_var_protein")
      scores[setdiff(wanted, names(scores))] <- NA
      own <- scores$method == "model"
      keep <- if (model == "concat") own | scores$method %in% c("control", "additive") else own
      kept <- stats::aggregate(scores[keep, wanted], list(method = scores$method[keep]), mean,
                               na.action = stats::na.pass)
      kept$method[kept$method == "model"] <- model
      rows <- c(rows, list(cbind(data = name, held_out = spec$name, loss = loss, seed = seed, kept,
                                 seconds = ifelse(kept$method == model, time[["elapsed"]], NA))))
    }
  }
  do.call(rbind, rows)
}

# Half of all training cells without proteins: those proteins from the cells' RNA, against what was
# measured. Correlation over cells, averaged over proteins, and that of the mean of the cell's type
# among cells with proteins.
hidden_proteins <- function(name, spec, screen, options) {
  part <- SingleCellExperiment::altExp(screen, "ADT")
  truth <- SummarizedExperiment::assay(part, "counts")
  cells <- SummarizedExperiment::colData(screen)
  counts <- all(truth == round(truth))
  rows <- lapply(seq_len(options$seeds) - 1 + options$first, function(seed) {
    set.seed(seed)
    train <- which(cells$split == "train")
    hidden <- sort(sample(train, length(train) / 2))
    masked <- truth
    masked[, hidden] <- NA
    SummarizedExperiment::assay(part, "counts") <- masked
    SingleCellExperiment::altExp(screen, "ADT") <- part
    fit <- protein_fit(screen, spec, "poe", spec$loss[1], seed, options$threads)
    guess <- reconstruct(fit, screen[, hidden])
    guess <- SummarizedExperiment::assay(SingleCellExperiment::altExp(guess, "ADT"), "mean")
    known <- setdiff(train, hidden)
    type <- paste(cells$condition, cells[[spec$covariates]])
    by_type <- vapply(hidden, function(i) {
      same <- known[type[known] == type[i]]
      rowMeans(truth[, if (length(same)) same else known, drop = FALSE])
    }, numeric(nrow(truth)))
    on_scale <- function(m) if (counts) log1p(m) else m
    score <- function(m, method) {
      each <- vapply(seq_len(nrow(truth)), function(p) {
        suppressWarnings(stats::cor(on_scale(m[p, ]), on_scale(truth[p, hidden])))
      }, 0)
      mean_r2 <- 1 - sum((on_scale(rowMeans(m)) - on_scale(rowMeans(truth[, hidden])))^2) /
        sum((on_scale(rowMeans(truth[, hidden])) - mean(on_scale(rowMeans(truth[, hidden]))))^2)
      data.frame(data = name, seed = seed, method = method, cells = length(hidden),
                 correlation = mean(each, na.rm = TRUE), r2_mean_protein = mean_r2)
    }
    rbind(score(guess, "from RNA, poe"), score(by_type, "mean of the type"))
  })
  do.call(rbind, rows)
}

bench_proteins <- function(options) {
  names <- names(protein_screens)
  if (nzchar(options$only)) names <- intersect(strsplit(options$only, ",")[[1]], names)
  out <- list()
  for (name in names) {
    spec <- protein_screens[[name]]
    screen <- read_both(file.path(options$data, paste0(name, ".h5ad")), spec)
    scores <- protein_scores(name, spec, screen, options)
    keep_rows(scores, options$csv, c("data", "held_out", "loss", "seed", "method"))
    numbers <- vapply(scores, is.double, NA)
    means <- stats::aggregate(scores[numbers], scores[c("loss", "method")], mean,
                              na.action = stats::na.pass)
    show(paste0(name, ", held out: ", spec$name), means[setdiff(names(means), "seed")])
    hidden <- hidden_proteins(name, spec, screen, options)
    means <- stats::aggregate(hidden[c("cells", "correlation", "r2_mean_protein")], hidden["method"], mean)
    show(paste0(name, ", proteins of half of the training cells hidden"), means)
    out[[name]] <- list(scores = scores, hidden = hidden)
  }
  out
}
