# Entry of tools/bench: options, the measurement asked for, its table and its JSON.
suppressPackageStartupMessages(library(compert))
here <- file.path("inst", "bench")
for (part in c("screens", "models", "references", "train", "predict", "memory", "floor", "scaling",
               "held_out", "results", "accuracy", "batches", "tuning", "unseen_drugs",
               "simulated_drugs", "proteins", "large_file")) {
  source(file.path(here, paste0(part, ".R")))
}

read_options <- function(args) {
  options <- list(genes = 2000, cells = 20000, batch = 256, threads = 2, seeds = 3, first = 0,
                  epochs = 4, model = "", data = Sys.getenv("COMPERT_DATA"), only = "",
                  loss = "gauss", csv = "", json = "")
  k <- 1
  while (k <= length(args)) {
    name <- sub("^--", "", args[k])
    if (!startsWith(args[k], "--") || !name %in% names(options) || k == length(args)) {
      stop("unknown option ", args[k], "; known: ", paste0("--", names(options), collapse = " "))
    }
    value <- args[k + 1]
    options[[name]] <- if (is.numeric(options[[name]])) as.numeric(value) else value
    k <- k + 2
  }
  options
}

args <- commandArgs(trailingOnly = TRUE)
options <- read_options(args[-1])
result <- switch(args[1],
  train = bench_train(options), predict = bench_predict(options), memory = bench_memory(options),
  stream = bench_stream(options),
  floor = bench_floor(options), scaling = bench_scaling(options),
  accuracy = bench_accuracy(options), ablation = bench_ablation(options),
  tables = bench_tables(options), batches = bench_batches(options),
  tuning = bench_tuning(options), drugs = bench_drugs(options), proteins = bench_proteins(options)
)
if (nzchar(options$json)) {
  jsonlite::write_json(list(bench = args[1], options = options, result = result,
                            libtorch = device_info()$libtorch, r = R.version.string),
                       options$json, auto_unbox = TRUE, digits = 6, pretty = TRUE, na = "null")
  cat("written to", options$json, "\n")
}
