# Cells with a continuous covariate, and fits on them.

# Genes 1-4 grow with age in all cells; A raises genes 5-8, and genes 9-12 the more the older a cell is.
# Old cells with A are held out.
aged_mean <- function(gene, drug, age) {
  a <- drug == "A"
  3 + ifelse(gene <= 4, 0.02 * (age - 50), ifelse(gene <= 8, a, ifelse(gene <= 12, a * (1 + 0.03 * (age - 50)), 0)))
}

aged_cells <- function(n = 360) {
  withr::with_seed(5, {
    cells <- data.frame(drug = rep(c("control", "A", "B"), length.out = n),
                        cell_type = rep(c("T", "NK"), each = 3, length.out = n),
                        age = round(stats::runif(n, 20, 80), 1), row.names = paste0("cell", seq_len(n)))
    mean <- outer(1:16, seq_len(n), function(g, i) aged_mean(g, cells$drug[i], cells$age[i]))
    x <- pmax(mean + stats::rnorm(length(mean), sd = 0.3), 0)
  })
  cells$split <- ifelse(cells$drug == "A" & cells$age > 65, "ood",
                        ifelse(seq_len(n) %% 10 < 2, "test", "train"))
  dimnames(x) <- list(paste0("gene", 1:16), rownames(cells))
  list(x = x, cells = cells)
}

fit_aged <- function(data = aged_cells(), ..., epochs = 2L, continuous = "age", settings = list()) {
  how <- utils::modifyList(list(epochs = epochs, seed = 1, verbose = FALSE, dim = 8L, autoencoder_width = 32L),
                           settings)
  cpa(data$x, "drug", control = "control", covariates = "cell_type", continuous = continuous, split = "split",
      col_data = data$cells, ..., settings = do.call(cpa_settings, how))
}
