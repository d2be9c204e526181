# Running the checkouts that the variables CPA_REFERENCE, THEISLAB_CPA, CHEMCPA and MULTICPA name.

checkout_of <- function(model) {
  folder <- Sys.getenv(model$variable)
  if (nzchar(folder) && !dir.exists(folder)) stop(model$variable, " names no folder: ", folder)
  folder
}

has_reference <- function(model) nzchar(checkout_of(model))

reference_notes <- function(models) {
  without <- Filter(function(model) !has_reference(model), models)
  notes <- vapply(without, function(model) {
    paste0(model$name, ": no reference, ", model$variable, " is not set")
  }, "")
  if (any(vapply(models, function(m) m$name == "theislab" && has_reference(m), TRUE))) {
    notes <- c(notes, paste("theislab: layers, distributions and metrics of scvi-tools and",
                            "torchmetrics, which theislab/cpa builds on, are stand-ins"))
  }
  unname(notes)
}

say_notes <- function(notes) for (note in notes) cat("(", note, ")\n", sep = "")

# glibc gives large tensors back to the kernel at every step; with these settings it keeps them,
# which makes the references about 1.5 times faster.
reference_environment <- function(threads) {
  c("MALLOC_MMAP_THRESHOLD_=4000000000", "MALLOC_TRIM_THRESHOLD_=4000000000",
    "MALLOC_TOP_PAD_=268435456", paste0("OMP_NUM_THREADS=", threads),
    "PYTHONDONTWRITEBYTECODE=1")
}

# A table with what, cells, seconds of every repetition but the first, which warms up.
run_reference <- function(mode, model, folder, options) {
  errors <- tempfile("errors")
  on.exit(unlink(errors))
  args <- c(file.path(here, "references.py"), mode, model$name, checkout_of(model), folder,
            options$batch, options$threads, options$epochs)
  out <- suppressWarnings(system2(Sys.getenv("PYTHON", "python3"), shQuote(args), stdout = TRUE,
                                  stderr = errors, env = reference_environment(options$threads)))
  if (!is.null(attr(out, "status"))) {
    stop(model$source, " failed:\n", paste(utils::tail(readLines(errors), 20), collapse = "\n"))
  }
  lines <- do.call(rbind, lapply(out, function(line) as.data.frame(jsonlite::fromJSON(line))))
  lines[duplicated(lines$what), ]
}

# A folder with the screen's arrays; NULL without a checkout to read them.
reference_input <- function(model, screen) {
  if (!has_reference(model)) return(NULL)
  folder <- tempfile("reference")
  dir.create(folder)
  write_reference_input(screen, folder)
  folder
}

# Runs the parties (functions that give a named list of measurements) in turn, and joins what each
# round gave.
interleave <- function(parties, rounds) {
  all <- list()
  for (round in seq_len(rounds)) {
    for (party in parties) {
      found <- party()
      for (name in names(found)) all[[name]] <- c(all[[name]], found[[name]])
    }
  }
  all
}
