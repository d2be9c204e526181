# A small real screen, and fits on it that are made once and used by many tests.

small_cells <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      all <- kang_example(as = "list")
      types <- c("B", "CD14+Mono", "NK")
      keep <- unlist(lapply(split(seq_len(ncol(all$x)),
                                  paste(all$col_data$cell_type, all$col_data$condition)),
                            utils::head, 40))
      keep <- sort(keep[all$col_data$cell_type[keep] %in% types])
      genes <- order(-Matrix::rowSums(all$x[, keep]))[1:120]
      made <<- list(x = all$x[genes, keep], counts = all$counts[genes, keep],
                    col_data = as_text(all$col_data[keep, ]))
    }
    made
  }
})

# The same with few training cells of one condition.
uneven_cells <- function(n = 4) {
  cells <- small_cells()
  about <- cells$col_data
  of <- which(about$cell_type == "NK" & about$condition == "IFNb" & about$split == "train")
  keep <- setdiff(seq_len(nrow(about)), of[-seq_len(n)])
  list(x = cells$x[, keep], counts = cells$counts[, keep], col_data = about[keep, ])
}

# Factors as text, so that expectations can compare with what is given back.
as_text <- function(table) {
  factors <- vapply(table, is.factor, NA)
  table[factors] <- lapply(table[factors], as.character)
  table
}

# What is the same of every run, but the time that it took.
run_of <- function(fit) timeless(fit$history)
timeless <- function(table) table[setdiff(names(table), "seconds")]

quick_settings <- function(epochs = 3, ..., device = "cpu") {
  cpa_settings(epochs = epochs, dim = 8, autoencoder_width = 24, adversary_width = 16,
               batch_size = 32, checkpoint_freq = 1, threads = 1, device = device, seed = 11,
               reg_adversary = 1, verbose = FALSE, ...)
}

# Fits the small screen; further arguments go to cpa(). The same call is answered from memory.
small_fit <- local({
  made <- list()
  function(..., settings = quick_settings()) {
    key <- rlang::hash(list(..., settings))
    if (is.null(made[[key]])) {
      cells <- small_cells()
      counts <- identical(list(...)$loss, "nb")
      made[[key]] <<- suppressWarnings(cpa(
        if (counts) cells$counts else cells$x, "condition", control = "control",
        covariates = "cell_type", split = "split", col_data = cells$col_data, ...,
        settings = settings
      ))
    }
    made[[key]]
  }
})

small_sce <- function() {
  skip_without_package("SingleCellExperiment")
  cells <- small_cells()
  SingleCellExperiment::SingleCellExperiment(list(logcounts = cells$x),
                                             colData = cells$col_data)
}

small_seurat <- function() {
  skip_without_package("SeuratObject")
  cells <- small_cells()
  assay <- SeuratObject::CreateAssayObject(data = cells$x)
  SeuratObject::Key(assay) <- "rna_"
  SeuratObject::CreateSeuratObject(assay, meta.data = cells$col_data)
}

# Cells with two drugs, their combination and doses in two cell types, made for bookkeeping tests.
# `effect`: genes x perturbation shifts that add up; gene g of a cell is its type's level + shifts.
additive_cells <- function(n = 6, noise = 0) {
  one <- expand.grid(cell = seq_len(n), cell_type = c("K562", "A549"),
                     drug = c("control", "A", "B", "A+B"), stringsAsFactors = FALSE)
  one <- one[!(one$cell_type == "A549" & one$drug == "A+B"), ]
  effect <- cbind(A = c(1, 2, 0, 0, .5, 0), B = c(0, -1, 1, 3, 0, 0))
  base <- cbind(K562 = c(5, 5, 4, 4, 3, 3), A549 = c(2, 6, 4, 5, 3, 1))
  has <- function(part) vapply(strsplit(one$drug, "+", fixed = TRUE), function(p) part %in% p, NA)
  wiggle <- outer(seq_len(6), one$cell, function(g, i) sin(3 * g + i)) * noise
  x <- base[, one$cell_type] + effect[, c("A", "B")] %*% rbind(has("A"), has("B")) + wiggle
  dimnames(x) <- list(paste0("g", 1:6), paste0("c", seq_len(nrow(one))))
  one$dose <- ifelse(one$drug == "A+B", "1+1", "1")
  one$split <- ifelse(one$drug == "A+B", "ood", "train")
  rownames(one) <- colnames(x)
  list(x = x, col_data = one[c("cell_type", "drug", "dose", "split")], effect = effect)
}

additive_screen <- function(...) {
  toy <- additive_cells(...)
  keys <- new_keys("drug", dose = "dose", covariates = "cell_type", control = "control",
                   split = "split")
  as_screen(toy$x, keys, col_data = toy$col_data)
}

# What a fit on `screen` remembers, without a trained model in it.
untrained <- function(screen, residual = FALSE) {
  structure(
    list(state = raw(), history = tibble::tibble(),
         meta = list(model = "cpa", registry = new_registry(screen), keys = screen$keys,
                     conditions = seen_conditions(screen), residual = residual,
                     settings = list(loss_ae = screen$loss), container = screen$container,
                     seed = 1)),
    class = "compert_fit"
  )
}

# As much of a fit as conventions of evaluation read.
fit_of_loss <- function(loss) list(meta = list(settings = list(loss_ae = loss)))

# The scores of a fit of the small screen.
score_small <- function(fit = small_fit(), ...) {
  evaluate_r2(fit, small_cells()$x, col_data = small_cells()$col_data, ...)
}
