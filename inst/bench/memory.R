# Peak memory of a fit.

# Peak resident memory of this process, in MB; resets nothing, so call it in a fresh process.
peak_memory <- function() {
  status <- "/proc/self/status"
  if (!file.exists(status)) stop("peak memory is read from /proc, which this system lacks")
  line <- grep("^VmHWM:", readLines(status), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

bench_memory <- function(options) {
  model <- asked_models(options, "cpa")[[1]]
  screen <- model_screen(model, options)
  gc()
  before <- peak_memory()
  fit <- fit_model(model, screen, bench_settings(model, options, epochs = 2))
  after <- peak_memory()
  table <- data.frame(what = c("session with the data", "after the fit", "added by the fit",
                               "the matrix itself"),
                      MB = c(before, after, after - before,
                             as.numeric(utils::object.size(screen$x)) / 2^20))
  print(format(table, digits = 4, big.mark = ","), row.names = FALSE)
  table
}
