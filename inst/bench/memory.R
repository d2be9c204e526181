# Peak memory of a fit.

# Peak resident memory of this process, in MB, since its start or the last reset_peak().
peak_memory <- function() {
  status <- "/proc/self/status"
  if (!file.exists(status)) stop("peak memory is read from /proc, which this system lacks")
  line <- grep("^VmHWM:", readLines(status), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

# The peak starts anew at what is resident now (Linux 4.0; man 5 proc, clear_refs).
reset_peak <- function() {
  gc()
  writeLines("5", "/proc/self/clear_refs")
}

bench_memory <- function(options) {
  model <- asked_models(options, "cpa")[[1]]
  screen <- model_screen(model, options)
  reset_peak()
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
