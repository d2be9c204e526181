# How the time of an epoch grows with cells, in memory and read from files, and with genes:
# facebookresearch/CPA's sizes, our steps.

bench_scaling <- function(options) {
  if (options$epochs < 2) stop("--epochs must be 2 or more: the first epoch is not counted")
  cells <- 10^seq(3, 5, by = 0.5)
  cells <- unique(round(c(cells[cells < options$cells], min(options$cells, 1e5))))
  # Enough batches per epoch for a steady time; 8,000 genes stay within small memories.
  fixed <- min(options$cells, 5000)
  genes <- 250 * 2^(0:5)
  by_cells <- growth("cells", cells, options, function(n) list(cells = n))
  streamed <- unique(round(c(10^(3:6)[10^(3:6) < options$cells], min(options$cells, 1e6))))
  by_streamed <- growth("cells from a file", streamed, options, function(n) list(cells = n),
                        streamed_epoch_seconds)
  by_genes <- growth("genes", genes, options, function(n) list(genes = n, cells = fixed))
  cat(sprintf("scaling: cells at %d genes, genes at %d cells, batches of %d, %d threads\n",
              options$genes, fixed, options$batch, options$threads))
  table <- rbind(by_cells, by_streamed, by_genes)
  print_table(table)
  list(times = table, blas = La_library())
}

growth <- function(what, sizes, options, change, measure = epoch_seconds) {
  seconds <- vapply(sizes, function(size) measure(utils::modifyList(options, change(size))), 0)
  data.frame(what = what, size = sizes, seconds_per_epoch = seconds,
             exponent = growth_exponent(sizes, seconds))
}

epoch_seconds <- function(options) {
  model <- asked_models(options, "cpa")[[1]]
  screen <- model_screen(model, options)
  fit <- fit_model(model, screen, bench_settings(model, options))
  options$cells / stats::median(epoch_rates(fit, options$cells))
}

# Real cells, see large_file.R; all of a file's are counted, and trained on or not as its split says.
streamed_epoch_seconds <- function(options) {
  path <- tempfile(fileext = ".h5ad")
  before <- options(compert.in_memory = 0)
  on.exit({
    options(before)
    unlink(path)
  })
  write_large_file(path, options$cells, options$genes)
  settings <- do.call(cpa_settings, c(fb_sizes(), list(
    batch_size = options$batch, epochs = options$epochs, threads = options$threads,
    checkpoint_freq = 1000, seed = 1, verbose = FALSE)))
  fit <- quietly(cpa(path, "condition", covariates = "cell_type", control = "control",
                     split = "split", settings = settings))
  options$cells / stats::median(epoch_rates(fit, options$cells))
}

# Slope of log time on log size over the three largest sizes: fixed costs hide it in small ones.
growth_exponent <- function(sizes, seconds) {
  large <- utils::tail(order(sizes), 3)
  if (length(large) < 2) return(NA_real_)
  stats::coef(stats::lm(log(seconds[large]) ~ log(sizes[large])))[[2]]
}
