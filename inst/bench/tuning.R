# A search on two processes that is killed half-way and called again ends with the table of one that
# nothing disturbed. Linux: the search gets a process group of its own by setsid(1).

tuning_trials <- 16

# The search; in a process of its own as `Rscript inst/bench/tuning.R DIR`.
tuning_search <- function(dir) {
  cells <- compert::kang_example(as = "list")
  compert::tune_fit(
    cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
    col_data = cells$col_data, trials = tuning_trials, sample_cells = 800, seed = 1, dir = dir,
    BPPARAM = BiocParallel::SnowParam(2),
    space = list(dim = c(8, 16, 32), autoencoder_lr = compert::log_uniform(1e-3, 1e-2)),
    settings = compert::cpa_settings(epochs = 2, threads = 1, verbose = FALSE))
}

tuning_records <- function(dir) list.files(dir, "^trial-.*[.]rds$", full.names = TRUE)

# Starts the search, waits for half of its trials, kills the whole group.
tuning_broken <- function(dir) {
  pid_file <- tempfile()
  command <- "echo $$ >\"$1\"; exec Rscript --vanilla inst/bench/tuning.R \"$2\""
  system2("setsid", c("sh", "-c", shQuote(command), "sh", shQuote(pid_file), shQuote(dir)),
          wait = FALSE, stdout = FALSE, stderr = FALSE)
  start <- Sys.time()
  while (length(tuning_records(dir)) < tuning_trials / 2) {
    if (difftime(Sys.time(), start, units = "mins") > 10) stop("no trials after ten minutes")
    Sys.sleep(0.05)
  }
  group <- readLines(pid_file)
  system(paste0("kill -s KILL -- -", group))
  alive <- function() {
    states <- suppressWarnings(system(paste("ps -o stat= -s", group), intern = TRUE))
    sum(!startsWith(states, "Z"))
  }
  for (k in 1:100) if (alive() > 0) Sys.sleep(0.1)
  c(killed = group, left = alive())
}

bench_tuning <- function(options) {
  dirs <- file.path(tempfile("tuning"), c("broken", "whole"))
  dir.create(dirname(dirs[1]))
  on.exit(unlink(dirname(dirs[1]), recursive = TRUE))
  killed <- tuning_broken(dirs[1])
  done <- tuning_records(dirs[1])
  written <- file.mtime(done)
  cat(sprintf("killed (SIGKILL, group %s): %d of %d trials on disk, %s processes left\n",
              killed[["killed"]], length(done), tuning_trials, killed[["left"]]))
  if (killed[["left"]] != "0") stop("the search was not killed")
  resumed <- tuning_search(dirs[1])
  kept <- identical(file.mtime(done), written)
  whole <- tuning_search(dirs[2])
  timeless <- function(t) as.data.frame(t[setdiff(names(t), "seconds")])
  same <- c(
    "half-way when killed" = length(done) >= tuning_trials / 2 && length(done) < tuning_trials,
    "finished trials were not run again" = kept,
    trials = identical(timeless(resumed$trials), timeless(whole$trials)),
    rungs = identical(timeless(resumed$rungs), timeless(whole$rungs)),
    "history of the best fit" = identical(timeless(resumed$best$history),
                                          timeless(whole$best$history))
  )
  columns <- c("trial", "dim", "autoencoder_lr", "seed", "best_epoch", "score", "status")
  cat("the unbroken search:\n")
  print(as.data.frame(whole$trials[columns]), row.names = FALSE)
  cat("broken, resumed and compared with it, all columns but times:\n")
  cat(sprintf("  %-36s %s\n", names(same), ifelse(same, "yes", "NO")), sep = "")
  if (!all(same)) stop("the resumed search differs from the unbroken one")
  timeless(whole$trials)
}

if (sys.nframe() == 0) tuning_search(commandArgs(trailingOnly = TRUE)[1])
