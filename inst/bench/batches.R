# Batch correction of screens with a known batch, as measured, as reconstructed with the batch, and
# without it: how far batches mix, how pure the neighbourhoods of types are (of conditions, where
# there is one type), how far the batches' means differ, and whether effects stay (their correlation
# with the measured ones).

batch_screens <- list(
  kang_pbmc_donors = list(batch = "donor", covariates = "cell_type"),
  kang_pbmc_100genes = list(batch = "donor", covariates = "cell_type"),
  papalexi_thp1_crispr = list(batch = "replicate", covariates = NULL)
)

# Root mean square, over genes, groups and pairs of batches, of the difference of means. A group
# needs ten cells of a batch.
batch_gap <- function(x, group, batch) {
  gaps <- lapply(unique(group), function(one) {
    n <- table(batch[group == one])
    enough <- names(n)[n >= 10]
    if (length(enough) < 2) return(NULL)
    means <- vapply(enough, function(b) Matrix::rowMeans(x[, group == one & batch == b]),
                    numeric(nrow(x)))
    utils::combn(ncol(means), 2, function(k) means[, k[1]] - means[, k[2]])
  })
  sqrt(mean(unlist(gaps)^2))
}

# Effects of all conditions, one long vector: condition minus control within each batch, averaged
# over batches.
batch_effects <- function(x, cells, batch, covariates) {
  place <- do.call(paste, c(list(batch), cells[covariates]))
  mean_of <- function(rows) Matrix::rowMeans(x[, rows, drop = FALSE])
  of_condition <- function(one) {
    places <- Filter(function(p) sum(place == p & cells$condition == one) >= 10 &&
                       sum(place == p & cells$condition == "control") >= 10, unique(place))
    effects <- vapply(places, function(p) {
      here <- place == p
      mean_of(here & cells$condition == one) - mean_of(here & cells$condition == "control")
    }, numeric(nrow(x)))
    rowMeans(effects)
  }
  unlist(lapply(setdiff(unique(as.character(cells$condition)), "control"), of_condition))
}

batch_report <- function(name, spec, path, options) {
  screen <- read_held_out(path, "gauss")
  cells <- screen$cells
  x <- as.matrix(screen$x)
  batch <- as.character(cells[[spec$batch]])
  type <- if (is.null(spec$covariates)) cells$condition else cells[[spec$covariates]]
  group <- do.call(paste, cells[c("condition", spec$covariates)])
  fit <- suppressMessages(cpa(
    screen$x, "condition", covariates = spec$covariates, batch = spec$batch, control = "control",
    col_data = cells, loss = "gauss",
    settings = cpa_settings(seed = 1, threads = options$threads, verbose = FALSE)))
  decode <- function(add) {
    as.matrix(reconstruct(fit, screen$x, add = add, col_data = cells))[rownames(x), ]
  }
  kept <- decode(TRUE)
  gone <- decode(c("perturbation", spec$covariates))
  set.seed(1)
  shuffle <- function(i) i[sample.int(length(i))]
  exchanged <- batch[stats::ave(seq_along(group), group, FUN = shuffle)]
  components <- function(x) stats::prcomp(t(x), rank. = 20)$x
  effects_of <- function(x) batch_effects(x, cells, batch, spec$covariates)
  effects <- effects_of(x)
  row <- function(what, embedding, gap = NULL, by = batch) {
    data.frame(data = name, what = what, mixed = batch_mixing(embedding, by, pools = 1),
               pure = knn_purity(embedding, as.character(type)),
               gap = if (is.null(gap)) NA else batch_gap(gap, group, by),
               effects = if (is.null(gap)) NA else
                 stats::cor(effects, effects_of(gap), use = "complete.obs"))
  }
  embedding <- function(which) cell_embedding(fit, screen$x, which, col_data = cells)
  measured <- components(x)
  rbind(
    row("measured", measured, x),
    row("measured, batches exchanged at random", measured, x, exchanged),
    row("measured, batch taken off by the model", components(x - kept + gone), x - kept + gone),
    row("treated state", embedding("treated")),
    row("corrected state", embedding("corrected")),
    row("reconstructed with the batch", components(kept), kept),
    row("reconstructed without", components(gone), gone)
  )
}

bench_batches <- function(options) {
  table <- NULL
  names <- names(batch_screens)
  if (nzchar(options$only)) names <- intersect(strsplit(options$only, ",")[[1]], names)
  for (name in names) {
    path <- file.path(options$data, paste0(name, ".h5ad"))
    one <- batch_report(name, batch_screens[[name]], path, options)
    keep_rows(one, options$csv, c("data", "what"))
    show(paste0(name, ": mixing of the batches, purity of types, gap between batches, effects"), one[-1])
    table <- rbind(table, one)
  }
  table
}
