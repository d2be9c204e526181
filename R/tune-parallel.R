# Where the trials run: here, one after the other, or in other processes by BiocParallel.

# Processes that are forked from this one can't train: LibTorch's threads do not survive a fork.
check_backend <- function(param, call = rlang::caller_env()) {
  if (is.null(param)) return(invisible())
  if (!inherits(param, "BiocParallelParam")) {
    abort_input("`BPPARAM` must be `NULL` or a parameter object of BiocParallel.",
                paste0("It is ", describe(param), "."),
                "Write BPPARAM = BiocParallel::SnowParam(2).", call)
  }
  check_package("BiocParallel", "for `BPPARAM`", call = call)
  forks <- inherits(param, "MulticoreParam") ||
    (inherits(param, "SnowParam") && identical(param$.clusterargs$type, "FORK")) ||
    (inherits(param, "BatchtoolsParam") && identical(param$cluster, "multicore"))
  if (!forks) return(invisible())
  abort_input("`BPPARAM` must start fresh processes: a forked one can't train.",
              paste0("It is a ", class(param)[1], " that forks."),
              c("Write BPPARAM = BiocParallel::SnowParam(workers = 2).",
                "On a cluster: BiocParallel::BatchtoolsParam(cluster = \"slurm\", ...)."), call)
}

# Runs the jobs and returns their records, in order.
run_jobs <- function(jobs, search) {
  if (length(jobs) == 0) return(list())
  if (is.null(search$param)) return(run_here(jobs, search$settings$verbose))
  worker <- function(job, libraries) {
    .libPaths(libraries)
    get("run_trial", envir = asNamespace("compert"))(job)
  }
  # Nothing of this process travels along with the function.
  environment(worker) <- baseenv()
  # Trials differ in length: who is free takes the next one. The object is a reference; the user
  # gets it back as it was.
  param <- search$param
  tasks <- BiocParallel::bptasks(param)
  on.exit(BiocParallel::`bptasks<-`(param, value = tasks))
  # SerialParam() runs them in this process.
  on.exit(forget_trial_data(), add = TRUE)
  BiocParallel::`bptasks<-`(param, value = length(jobs))
  tryCatch(
    BiocParallel::bplapply(jobs, worker, libraries = .libPaths(), BPPARAM = param),
    error = function(cnd) {
      abort_input("Every trial must come back from its process.",
                  paste("One did not:", plain_message(cnd)),
                  "The same call with the same `dir` goes on with the trials that are missing.",
                  call = search$call, class = "compert_search_broken")
    }
  )
}

# With a bar, or where none can move with lines as into a log, a minute apart at least.
run_here <- function(jobs, verbose, clock = function() proc.time()[["elapsed"]]) {
  here <- rlang::current_env()
  what <- paste("Trials of rung", jobs[[1]]$rung)
  bar <- if (show_progress(verbose) && cli::is_dynamic_tty()) {
    cli::cli_progress_bar(what, total = length(jobs), .envir = here)
  }
  told <- clock()
  lapply(seq_along(jobs), function(k) {
    record <- run_trial(jobs[[k]])
    if (!is.null(bar)) cli::cli_progress_update(id = bar, .envir = here)
    if (is.null(bar) && show_messages(verbose) && k < length(jobs) && clock() - told >= 60) {
      cli::cli_inform(paste0(what, ": ", k, " of ", length(jobs), " done."))
      told <<- clock()
    }
    record
  })
}

# Starts the processes once for all rungs; returns a function that ends them.
start_backend <- function(param) {
  if (is.null(param) || BiocParallel::bpisup(param)) return(function() NULL)
  BiocParallel::bpstart(param)
  function() BiocParallel::bpstop(param)
}
