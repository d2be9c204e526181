# Speed and memory. Everything of one comparison runs in one call, the parties in turn.

fb_sizes <- function(batch, threads, ...) {
  cpa_settings(parity = "none", dim = 128, autoencoder_width = 128, autoencoder_depth = 3,
               adversary_width = 64, adversary_depth = 2, reg_adversary = 60,
               penalty_adversary = 60, reg_alignment = 0, reg_counterfactual = 0,
               autoencoder_lr = 3e-4,
               embeddings_lr = 3e-4, adversary_lr = 3e-4, doser_type = "sigm", batch_size = batch,
               threads = threads, seed = 1, verbose = FALSE, ...)
}

fit_screen <- function(screen, settings) {
  suppressMessages(cpa(screen$x, "drug", dose = "dose", covariates = "cell_type",
                       control = "control", split = "split", col_data = screen$col_data,
                       loss = "gauss", settings = settings))
}

# Cells per second of each epoch, from the history's clock (loading and updates, no evaluation).
epoch_rates <- function(fit, n_cells) n_cells / diff(c(0, fit$history$seconds))

run_reference <- function(checkout, folder, options, epochs) {
  out <- system2("python3", c(file.path(here, "reference_cpa.py"), checkout, folder, options$batch,
                              options$threads, "sigm", epochs), stdout = TRUE)
  vapply(out, function(line) jsonlite::fromJSON(line)$cells_per_second, 0, USE.NAMES = FALSE)
}

bench_train <- function(options) {
  screen <- synthetic_screen(options$cells, options$genes)
  parties <- list(
    "compert, the reference's sizes" = fb_sizes(options$batch, options$threads,
                                                epochs = options$epochs),
    "compert, parity = \"fb\"" = cpa_settings(parity = "fb", doser_type = "sigm",
                                              batch_size = options$batch, epochs = options$epochs,
                                              threads = options$threads, seed = 1,
                                              verbose = FALSE),
    "compert, defaults" = cpa_settings(epochs = options$epochs, threads = options$threads,
                                       seed = 1, verbose = FALSE)
  )
  checkout <- Sys.getenv("CPA_REFERENCE")
  rates <- rep(list(numeric()), length(parties))
  names(rates) <- names(parties)
  if (nzchar(checkout)) {
    folder <- tempfile("reference")
    dir.create(folder)
    write_reference_input(screen, folder)
    rates[["facebookresearch/CPA"]] <- numeric()
  }
  for (round in 1:2) {
    for (name in names(parties)) {
      fit <- fit_screen(screen, parties[[name]])
      rates[[name]] <- c(rates[[name]], epoch_rates(fit, options$cells)[-1])
    }
    if (nzchar(checkout)) {
      rates[["facebookresearch/CPA"]] <- c(
        rates[["facebookresearch/CPA"]],
        run_reference(checkout, folder, options, options$epochs)[-1]
      )
    }
  }
  table <- data.frame(what = names(rates), cells_per_second = vapply(rates, stats::median, 0),
                      slowest = vapply(rates, min, 0), fastest = vapply(rates, max, 0),
                      row.names = NULL)
  if (nzchar(checkout)) {
    table$ratio <- table$cells_per_second /
      table$cells_per_second[table$what == "facebookresearch/CPA"]
  }
  cat(sprintf("training, %d cells x %d genes, 10 %% stored, batch %d, %d threads; medians of %d epochs\n",
              options$cells, options$genes, options$batch, options$threads, length(rates[[1]])))
  print(format(table, digits = 4, big.mark = ","), row.names = FALSE)
  if (!nzchar(checkout)) cat("(no reference: CPA_REFERENCE is not set)\n")
  table
}

bench_predict <- function(options) {
  screen <- synthetic_screen(options$cells, options$genes)
  screen$col_data$split <- rep_len(c("train", "train", "test"), options$cells)
  fit <- fit_screen(screen, fb_sizes(options$batch, options$threads, epochs = 1))
  asked <- condition_grid(drug = setdiff(unique(screen$col_data$drug), "control"),
                          cell_type = c("A", "B", "C"))
  time <- function(expr) system.time(expr)[["elapsed"]]
  controls <- sum(screen$col_data$drug == "control")
  summarised <- time(predict(fit, screen$x, asked, summarise = "condition", source = "all",
                             col_data = screen$col_data))
  evaluated <- time(evaluate_r2(fit, screen$x, preset = "fb", col_data = screen$col_data))
  table <- data.frame(
    what = c("predict, summarised", "evaluate_r2, preset fb"), seconds = c(summarised, evaluated),
    predicted_cells_per_second = c(nrow(asked) * controls / summarised, NA))
  print(format(table, digits = 4, big.mark = ","), row.names = FALSE)
  table
}

# Peak resident memory of this process, in MB; resets nothing, so call it in a fresh process.
peak_memory <- function() {
  status <- "/proc/self/status"
  if (!file.exists(status)) stop("peak memory is read from /proc, which this system lacks")
  line <- grep("^VmHWM:", readLines(status), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

bench_memory <- function(options) {
  screen <- synthetic_screen(options$cells, options$genes)
  gc()
  before <- peak_memory()
  fit <- fit_screen(screen, fb_sizes(options$batch, options$threads, epochs = 2))
  after <- peak_memory()
  table <- data.frame(what = c("session with the data", "after the fit", "added by the fit",
                               "the matrix itself"),
                      MB = c(before, after, after - before,
                             as.numeric(utils::object.size(screen$x)) / 2^20))
  print(format(table, digits = 4, big.mark = ","), row.names = FALSE)
  table
}

# What a training cycle needs at least: multiply-adds of the layers, the first one sparse, at the
# rate that large products reach here (R's own BLAS, which LibTorch shares on Debian).
bench_floor <- function(options) {
  a <- matrix(stats::rnorm(2000 * 2000), 2000)
  seconds <- min(replicate(3, system.time(a %*% a)[["elapsed"]]))
  rate <- 2 * 2000^3 / seconds
  w <- 128
  d <- 128
  genes <- options$genes
  inner <- 2 * w * w + w * d
  head <- w * 2 * genes
  encoder <- 0.1 * genes * w + inner
  flop <- 2 * ((3 * (encoder + inner + head) - 0.1 * genes * w) + 2 * (encoder + 3 * 2 * 16000)) / 3
  table <- data.frame(GFLOPs = rate / 1e9, MFLOP_per_cell = flop / 1e6,
                      cells_per_second = rate / flop)
  cat("floor: needed multiply-adds over the measured rate of matrix products\n")
  print(format(table, digits = 4, big.mark = ","), row.names = FALSE)
  table
}
