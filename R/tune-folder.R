# The folder of a search: `search.rds` says what is searched; every trial leaves, for each rung that
# it has trained, a fit (`trial-0001-rung-1.h5`) and then a record (`.rds`). A record that is there
# is whole, and so is its fit.

# What a search is, part by part, each with a check sum and in words. Searches of equal parts have
# equal tables. More trials, or another metric, are the same search as long as every trial is
# trained in full.
describe_search <- function(search, task) {
  part <- function(value, words) list(hash = plain_hash(value), words = words)
  given <- attr(search$settings, "given")
  given <- given[sort(setdiff(names(given), "model"), method = "radix")]
  own <- search$own
  halving <- search$method == "halving"
  screen <- task$screen
  list(
    compert = part(task$meta$package_version, task$meta$package_version),
    model = part(task$settings$model, task$settings$model),
    arguments = part(lapply(own, argument_values), if (length(own)) {
      paste(names(own), vapply(own, describe, ""), sep = ": ", collapse = ", ")
    } else {
      "none"
    }),
    space = part(lapply(unclass(search$space), unclass), paste(format(search$space), collapse = "; ")),
    settings = part(given, if (length(given)) {
      paste(names(given), vapply(given, format, "", digits = 15), sep = " = ", collapse = ", ")
    } else {
      "the defaults"
    }),
    method = part(
      list(search$method, if (halving) list(search$rungs, search$reduction, search$metric$name, search$trials)),
      paste0(search$method, if (halving) {
        paste0(" of ", search$trials, " trials by ", search$metric$name, ", epochs ",
               paste(search$rungs, collapse = ", "), ", reduction ", search$reduction)
      })),
    seed = part(search$seed, as.character(search$seed)),
    roles = part(task$registry[c("control", "batch", "dose_unit")], paste0(
      "control ", task$registry$control, ", batch ", task$registry$batch %||% "none",
      ", dose unit ", task$registry$dose_unit %||% "none")),
    data = part(hash_task(task), paste0(
      count_of(ncol(screen$x), "cell"), " x ", count_of(nrow(screen$x), "gene"), ", ",
      count_of(length(task$registry$perturbations), "perturbation")))
  )
}

# Arguments as plain values: R keeps equal ones in different ways.
argument_values <- function(value) {
  if (inherits(value, "compert_molecule_encoder")) value <- unclass(value)[c("width", "depth", "weights")]
  if (is.data.frame(value)) value <- as.matrix(value)
  value
}

search_file <- function(dir) file.path(dir, "search.rds")

# The description that a folder holds; NULL for a folder that is new or empty.
read_folder <- function(dir, call = rlang::caller_env()) {
  if (is.null(dir)) return(NULL)
  check_string(dir, "dir", call = call)
  dir <- path.expand(dir)
  if (!file.exists(dir)) return(NULL)
  kept <- read_rds(search_file(dir))
  whole <- is.list(kept) && identical(kept$format, 1L)
  if (whole || (dir.exists(dir) && is_unused(dir))) return(if (whole) kept)
  abort_input("`dir` must be a new folder, or one that holds a search of `tune_fit()`.",
              paste0(dQuote(dir, FALSE), if (dir.exists(dir)) " holds other files." else
                " is a file."), "Give another path.", call)
}

# Empty, but for what a start leaves that did not get as far as to write what is searched.
is_unused <- function(dir) {
  files <- setdiff(list.files(dir, all.files = TRUE, no.. = TRUE), basename(temporary_files(dir)))
  length(files) == 0 || (identical(files, "search.rds") && file.size(search_file(dir)) == 0)
}

# Makes the folder, or goes on with the search that is in it.
claim_folder <- function(dir, kept, description, seed, call = rlang::caller_env()) {
  dir <- if (is.null(dir)) tempfile("compert-search-") else path.expand(dir)
  id <- rlang::hash(vapply(description, `[[`, "", "hash"))
  if (!is.null(kept)) {
    check_same_search(dir, kept$parts, description, call)
    files <- temporary_files(dir)
    unlink(files[is_abandoned(files)])
    return(list(dir = normalizePath(dir), id = kept$id))
  }
  made <- dir.exists(dir) || dir.create(dir, showWarnings = FALSE, recursive = TRUE)
  written <- made && write_rds(list(format = 1L, id = id, seed = seed, parts = description),
                               search_file(dir))
  if (!written) {
    abort_input("`dir` must be a folder that can be written to.",
                paste0("Making ", dQuote(dir, FALSE), " failed."),
                "Look at its permissions and at the free space, or give another path.", call)
  }
  list(dir = normalizePath(dir), id = id)
}

check_same_search <- function(dir, there, here, call) {
  hash <- function(parts, name) parts[[name]]$hash %||% ""
  names <- union(names(here), names(there))
  differs <- names[vapply(names, function(n) hash(there, n) != hash(here, n), NA)]
  if (length(differs) == 0) return(invisible())
  words <- vapply(differs, function(name) {
    old <- there[[name]]$words %||% "none"
    new <- here[[name]]$words %||% "none"
    if (old == new) return(paste0(name, ": other values there than here (", new, ")."))
    paste0(name, ": ", old, " there; ", new, " here.")
  }, "")
  abort_input("`dir` must be a new folder, or hold this very search.",
              c(paste0(dQuote(dir, FALSE), " holds another one."), unname(words)),
              "Give another folder, or the arguments of the search that is there.", call)
}

# An R object from a file; NULL when there is none, or none that can be read.
read_rds <- function(file) {
  if (!file.exists(file) || dir.exists(file)) return(NULL)
  tryCatch(readRDS(file), error = function(cnd) NULL, warning = function(cnd) NULL)
}

write_rds <- function(object, file) replace_file(file, function(part) saved_whole(object, part))

# Whether all of it is in the file. Uncompressed: R does not say of a compressed one that the disk was full
# when it was closed.
saved_whole <- function(object, file) {
  whole <- TRUE
  # Muffled, so that close() comes to its end.
  note <- function(cnd) {
    whole <<- FALSE
    invokeRestart("muffleWarning")
  }
  tryCatch(withCallingHandlers({
    con <- file(file, "wb", raw = TRUE)
    tryCatch(saveRDS(object, con), finally = close(con))
  }, warning = note), error = function(cnd) whole <<- FALSE)
  whole
}

trial_file <- function(dir, trial, rung, ending) {
  file.path(dir, sprintf("trial-%04d-rung-%d.%s", trial, rung, ending))
}

# The record of a trial that has been through a rung; NULL where it must be done (again).
read_record <- function(search, trial, rung) {
  record <- read_rds(trial_file(search$dir, trial, rung, "rds"))
  if (!is.list(record) || !identical(record$search, search$id)) return(NULL)
  fit <- trial_file(search$dir, trial, rung, "h5")
  if (record$status == "failed" || file.exists(fit)) record
}
