#' Train in several processes
#'
#' `launch_local()` runs a function in several fresh R processes on this machine. A fit in it with
#' `cpa_settings(distributed = TRUE)` is then one fit of all of them: each computes its
#' share of every batch, and the losses are those of one process, up to rounding. On a cluster `srun
#' Rscript script.R` or `torchrun --no-python` starts the processes instead; the folder
#' `system.file("scripts", package = "compert")` has an example for SLURM, `fit_slurm.sh` with
#' `fit_slurm.R`.
#'
#' @section How the work is shared:
#' A process fetches its share of the cells of each batch, runs the first layer of the encoder and
#' the last one of the decoder on them, and the likelihood: all that is as wide as the genes. What
#' lies between is computed by all for the whole batch, so that batch normalisation, dropout,
#' alignment and adversaries see what they see in one process. What is gained grows with the
#' share of these wide layers, and has not been measured yet. `batch_size`
#' is that of the whole batch. All models but [multicpa()] can be trained so, on processors (Gloo);
#' several processes with a GPU each need `device = "cuda:<index>"`.
#'
#' Every process has all of `x`, runs the same script and gets the same fit. Where `x` stays in its
#' file, each process reads, and decompresses, whole blocks of it, of which it takes its share:
#' the file is read once per epoch by every process. Only the first, of rank
#' 0, shows progress and writes the checkpoint. Ctrl-C in any of them, or `max_minutes`, ends the training of all at
#' the same step with the fit so far. Before the training, or a second time, Ctrl-C ends `launch_local()` without a
#' result.
#'
#' @section When a process is lost:
#' The others stop with an error that names the epoch and the checkpoint: at once when it ended,
#' after 50 seconds when it does not answer (environment variable `COMPERT_GROUP_TIMEOUT`, in
#' seconds; writing a checkpoint may take as long as it needs). Start them again with
#' `resume_fit(load_fit(checkpoint), x, epochs, distributed = TRUE)` in place of `cpa()`.
#'
#' Before a fit one process cannot tell another that is lost from one that still reads its cells, and waits up to
#' ten minutes for it (`COMPERT_JOIN_TIMEOUT`, in seconds); only the first one, where an earlier fit of the script
#' met it, must answer in 50 seconds. torchrun and `srun --kill-on-bad-exit=1` end all processes at once when one
#' of them fails, whatever it was at.
#'
#' After the error of one process `launch_local()` gives the others 5 seconds to stop by themselves, and
#' one that writes a checkpoint up to 50 to do so. All processes must make all the fits: one whose `fun` ends
#' without a fit that others wait to begin is an error there at once.
#'
#' @section The group:
#' Processes find each other by the variables that torchrun sets, `RANK`, `WORLD_SIZE`,
#' `MASTER_ADDR` and `MASTER_PORT`; without `RANK` by those of SLURM, `SLURM_PROCID` and
#' `SLURM_NTASKS`, where the address may be left to `SLURM_LAUNCH_NODE_IPADDR` and the port is
#' 29500. `GLOO_SOCKET_IFNAME` chooses a network interface.
#'
#' @param fun A function; it sees its arguments and the packages that it loads, and compert, with its
#'   options `compert.verbose` and `compert.in_memory` as they are here.
#' @param args List of its arguments.
#' @param workers Number of processes.
#' @param threads Threads of each where the settings leave them open; `NULL` shares the cores out.
#' @return What `fun` returned in the first process. Random numbers begin alike in all processes, at a seed from R's
#'   own stream. The processes end with the R that started them, however it ends; their temporary files are removed
#'   when `launch_local()` returns.
#' @seealso `distributed` of [cpa_settings()].
#' @source The roles of `torchrun` and of DistributedDataParallel (Li et al. 2020, VLDB 13, 3005),
#'   which keeps batch normalisation apart in each process.
#' @section Errors: An error of any process, with its rank; a package that was built without Gloo; `fun` or `args` of
#'   another kind.
#' @examples
#' fit_kang <- function(epochs) {
#'   cpa(kang_example(), "condition", covariates = "cell_type", control = "control",
#'       split = "split", settings = cpa_settings(epochs = epochs, distributed = TRUE, seed = 1))
#' }
#' # Needs a build with Gloo, which compert_sitrep() tells, and a second or two for two processes.
#' if (compert_sitrep()$built_with[["distributed"]] && .Platform$OS.type == "unix") {
#'   fit <- launch_local(fit_kang, list(epochs = 2), workers = 2, threads = 1)
#'   fit$history
#' }
#' @export
launch_local <- function(fun, args = list(), workers = 2, threads = NULL) {
  if (!is.function(fun)) {
    abort_input("`fun` must be a function.", paste0("It is ", describe(fun), "."),
                "Write launch_local(function(x) cpa(x, ...), list(x)).")
  }
  if (!is.list(args)) {
    abort_input("`args` must be a list of arguments.", paste0("It is ", describe(args), "."),
                "Write args = list(x).")
  }
  check_count(workers, "workers")
  check_count(threads, "threads", null_ok = TRUE)
  check_can_launch()
  folder <- tempfile("compert-launch-")
  dir.create(folder)
  saveRDS(list(fun = fun, args = args, seed = sample.int(.Machine$integer.max, 1),
               options = list(compert.in_memory = getOption("compert.in_memory"),
                              compert.verbose = getOption("compert.verbose") %||%
                                if (show_progress(NULL)) TRUE)),
          file.path(folder, "job.rds"))
  group <- list(folder = folder, size = workers, port = free_port(),
                threads = threads %||% max(1, parallel_cores() %/% workers, na.rm = TRUE),
                processes = list())
  on.exit({
    for (process in group$processes) process$kill()
    unlink(folder, recursive = TRUE)
  })
  for (rank in seq_len(workers) - 1) group$processes[[rank + 1]] <- start_worker(group, rank)
  ends <- wait_for_workers(group)
  abort_launch(ends)
  ends[[1]]$value
}

check_can_launch <- function(call = rlang::caller_env()) {
  if (.Platform$OS.type == "unix" && core_build_info()$c10d) return(invisible())
  abort_input("`launch_local()` must run where compert was built with Gloo.",
              "compert_sitrep() tells that this one was built without.",
              "Install libgloo-dev (Debian), and compert again; or fit in one process.", call)
}

# A port of this machine that nobody listens on. R's random numbers are left alone.
free_port <- function() {
  for (try in seq_len(100)) {
    spread <- Sys.getpid() * 7919 + floor(as.double(Sys.time()) * 1000) + try * 613
    port <- 20000L + as.integer(spread %% 12000)
    server <- tryCatch(serverSocket(port), error = function(cnd) NULL)
    if (is.null(server)) next
    close(server)
    return(port)
  }
  29500L
}

worker_file <- function(group, name, rank) file.path(group$folder, paste0(name, "-", rank))

# Its temporary folder is in the group's, which is removed when it was killed as well.
start_worker <- function(group, rank) {
  script <- worker_file(group, "script", rank)
  writeLines(c(
    paste0(".libPaths(", deparse1(.libPaths()), ")"),
    "library(compert)",
    paste0("compert:::run_worker(", deparse1(group$folder), ", ", rank, ", ", Sys.getpid(), ")")
  ), script)
  variables <- c("current", RANK = rank, LOCAL_RANK = rank, WORLD_SIZE = group$size,
                 MASTER_ADDR = "127.0.0.1", MASTER_PORT = group$port, OMP_NUM_THREADS = group$threads,
                 GLOO_SOCKET_IFNAME = "", TMPDIR = group$folder, COMPERT_LAUNCH_FOLDER = group$folder,
                 if (rank == 0 && cli::is_dynamic_tty()) c(R_CLI_DYNAMIC = "true"))
  processx::process$new(file.path(R.home("bin"), "Rscript"), c("--vanilla", script),
                        env = variables, stdout = worker_file(group, "output", rank),
                        stderr = "2>&1")
}

# Runs in the process, which ends when the R that launched it has: leaves list(value) or
# list(error, lost), whole or not at all.
run_worker <- function(folder, rank, launcher) {
  core_end_with(launcher)
  group <- list(folder = folder)
  job <- readRDS(file.path(folder, "job.rds"))
  options(job$options)
  set.seed(job$seed)
  end <- tryCatch(list(value = do.call(job$fun, job$args)), error = function(cnd) {
    text <- plain_message(cnd)
    list(error = text, lost = grepl("must (keep|find) all processes of the group", text))
  })
  if (rank > 0) end["value"] <- list(NULL)
  part <- worker_file(group, "part", rank)
  saveRDS(end, part)
  file.rename(part, worker_file(group, "end", rank))
  if (!is.null(end$error)) quit("no", status = 1)
  invisible()
}

# How a process ended: what it left, or its status; NULL for one that runs.
worker_end <- function(group, rank) {
  process <- group$processes[[rank + 1]]
  if (process$is_alive()) return(NULL)
  end <- worker_file(group, "end", rank)
  if (file.exists(end)) readRDS(end) else list(error = death_text(group, rank), lost = FALSE, died = TRUE)
}

# A status below 0 is a signal's number.
death_text <- function(group, rank) {
  status <- group$processes[[rank + 1]]$get_exit_status()
  output <- readLines(worker_file(group, "output", rank), warn = FALSE)
  output <- if (rank > 0) utils::tail(output[nzchar(output)], 3)
  paste0("it ended without a result (",
         if (isTRUE(status < 0)) paste("killed by signal", -status) else paste("status", status), ")",
         if (length(output)) paste0(": ", paste(output, collapse = " ")))
}

# Polls until all have ended, or one has failed and the others have had time to say so as well: 5 seconds, or
# 15 after the end of a checkpoint that one writes, but less than a minute in all. The first interrupt stops the
# training, which leaves the fit so far; a second one ends everything, and so does the first where nothing was there
# yet to stop.
wait_for_workers <- function(group) {
  ranks <- seq_len(group$size) - 1
  seen <- 0
  asked <- again <- FALSE
  failed <- until <- NULL
  # An interrupt comes while nothing else is done.
  suspendInterrupts(repeat {
    ends <- lapply(ranks, function(rank) worker_end(group, rank))
    running <- vapply(ends, is.null, NA)
    stopped <- again || (asked && died_of_interrupt(group, ends[[1]]))
    seen <- relay_output(group, seen, all = stopped || !any(running))
    if (stopped) break
    if (!any(running)) return(ends)
    if (any(vapply(ends, function(end) !is.null(end$error), NA))) {
      now <- Sys.time()
      failed <- failed %||% now
      if (now == failed) until <- now + 5
      if (any(file.exists(worker_file(group, "writing", ranks[running])))) until <- min(now + 15, failed + 50)
      if (now > until) return(ends)
    }
    tryCatch(allowInterrupts(Sys.sleep(0.1)), interrupt = function(cnd) {
      again <<- asked
      asked <<- TRUE
      if (!again) group$processes[[1]]$interrupt()
    })
  })
  rlang::interrupt()  # while they are suspended it would only be put off
}

# R's own status after an interrupt, or the signal's.
died_of_interrupt <- function(group, end) {
  isTRUE(end$died) && group$processes[[1]]$get_exit_status() %in% c(1L, -2L, 130L)
}

# Shows what the first process has written since; a line, or a state of the bar, at a time.
relay_output <- function(group, seen, all) {
  path <- worker_file(group, "output", 0)
  size <- if (file.exists(path)) file.size(path) else 0
  if (size <= seen) return(seen)
  con <- file(path, "rb")
  on.exit(close(con))
  seek(con, seen)
  bytes <- readBin(con, "raw", size - seen)
  ends <- which(bytes %in% charToRaw("\n\r"))
  whole <- if (all) length(bytes) else if (length(ends)) max(ends) else 0
  if (whole > 0) message(rawToChar(bytes[seq_len(whole)]), appendLF = FALSE)
  seen + whole
}

# The error of the process that failed by itself comes before those of the ones that missed it.
abort_launch <- function(ends, call = rlang::caller_env()) {
  failed <- which(vapply(ends, function(end) !is.null(end$error), NA))
  if (length(failed) == 0) return(invisible())
  lost <- vapply(ends[failed], `[[`, NA, "lost")
  first <- failed[order(lost)][1]
  shown <- unique(c(first, failed[lost][seq_len(min(1, sum(lost)))]))
  abort_input("All processes of the group must end without an error.",
              paste0("Rank ", shown - 1, ": ", vapply(ends[shown], `[[`, "", "error")),
              call = call, class = "compert_launch_error")
}
