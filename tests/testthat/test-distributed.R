# Several processes make the fit that one makes.

fit_small <- in_processes(function(cells, settings, verb = "cpa", ...) {
  get(verb)(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
            col_data = cells$col_data, ..., settings = settings)
})

group_settings <- function(..., made_by = cpa_settings) {
  given <- list(epochs = 3, dim = 8, autoencoder_width = 24, batch_size = 33, checkpoint_freq = 1,
                threads = 1, device = "cpu", seed = 11, verbose = FALSE)
  do.call(made_by, utils::modifyList(given, list(...)))
}

losses_of <- function(fit) as.list(fit$history[grep("^(loss|penalty)_", names(fit$history))])

scores_of <- function(fit) unlist(fit$history[grep("^r2_", names(fit$history))])

# The fits of a list of settings, made here, or by several processes one after the other.
alone <- function(jobs) {
  lapply(jobs, function(job) suppressWarnings(do.call(fit_small, job)))
}
in_group <- function(jobs, workers = 2) {
  jobs <- lapply(jobs, function(job) {
    job$settings["distributed"] <- list(TRUE)
    job
  })
  all <- in_processes(function(fit_small, jobs) {
    lapply(jobs, function(job) suppressWarnings(do.call(fit_small, job)))
  })
  launch_local(all, list(fit_small, jobs), workers, 1)
}

# A job for fit_small().
job <- function(..., cells = small_cells(), verb = "cpa", made_by = cpa_settings, more = list()) {
  c(list(cells = cells, settings = group_settings(..., made_by = made_by), verb = verb), more)
}

counts_of <- function(cells) list(x = cells$counts, col_data = cells$col_data)

# Everything but the time, in float64: nothing but a wrong sum is left to differ. In float32 rounding
# moves the biases ahead of batch norm, whose gradient is zero, and scores with them, as it does
# between numbers of threads.
expect_equal_fits <- function(one, several, names) {
  for (k in seq_along(one)) {
    compared <- setdiff(names(one[[k]]$history), "seconds")
    expect_gt(nrow(one[[k]]$history), 1)
    # Rounding grows from epoch to epoch.
    expect_equal(several[[k]]$history[compared], one[[k]]$history[compared], tolerance = 1e-8,
                 info = names[k])
  }
}

test_that("two processes make the losses of one, in float32", {
  skip_without_gloo()
  counts <- counts_of(small_cells())
  jobs <- list(
    job(),
    job(cells = counts, loss_ae = "nb"),
    job(reg_adversary = 1),
    job(encoder_dropout = 0.2, decoder_dropout = 0.1, adversary_dropout = 0.1, reg_adversary = 1,
        seed = 12)
  )
  one <- alone(jobs)
  two <- in_group(jobs)
  for (k in seq_along(jobs)) {
    differences <- unlist(losses_of(two[[k]])) - unlist(losses_of(one[[k]]))
    # Gradient penalties jump where rounding takes a unit of an adversary across 0: in float64, below.
    smooth <- !grepl("^penalty", names(differences))
    expect_lt(max(abs(differences[smooth]), na.rm = TRUE), 1e-5)
    expect_gt(nrow(two[[k]]$history), 1)
  }
})

test_that("losses and scores are those of one process for every kind of model and term", {
  skip_without_gloo()
  counts <- counts_of(small_cells())
  features <- matrix(c(0, 1, 1, 0, 0.5, 0.2), 2, dimnames = list(c("control", "IFNb"), NULL))
  exact <- function(...) job(..., precision = "float64")
  jobs <- list(
    defaults = exact(),
    nb = exact(cells = counts, loss_ae = "nb", reg_adversary = 1),
    zinb = exact(cells = counts, loss_ae = "zinb", variational = TRUE, encoder_dropout = 0.2,
                 decoder_dropout = 0.1, clip_grad_norm = 1),
    mixup = exact(mixup_alpha = 0.5, reg_alignment = 0, reg_counterfactual = 0),
    second_task = exact(reg_multi_task = 1, adversary_loss = "cce", reg_adversary = 2),
    composed_loss = exact(decoder_activation = "ReLU", cells = counts, loss_ae = "nb"),
    fb = exact(parity = "fb"),
    even_conditions = exact(balance = 1, cells = uneven_cells()),
    theislab = exact(cells = counts, parity = "theislab"),
    chemcpa = exact(verb = "chemcpa", made_by = chemcpa_settings, more = list(molecules = features)),
    chemcpa_parity = exact(verb = "chemcpa", made_by = chemcpa_settings, parity = "chemcpa",
                           more = list(molecules = features)),
    scgen = exact(verb = "scgen", made_by = scgen_settings)
  )
  expect_equal_fits(alone(jobs), in_group(jobs), names(jobs))
})

test_that("shares may differ, and processes be more than a batch has cells", {
  skip_without_gloo()
  few <- small_cells()
  train <- which(few$col_data$split == "train")
  keep <- sort(c(setdiff(seq_len(ncol(few$x)), train), utils::head(train, 34)))
  few <- list(x = few$x[, keep], col_data = few$col_data[keep, ])
  jobs <- list(
    shares = job(precision = "float64"),
    # Batches of 8, 8, 8, 8 and 2 cells.
    few = job(precision = "float64", cells = few, batch_size = 8)
  )
  expect_equal_fits(alone(jobs), in_group(jobs, workers = 3), names(jobs))
})

test_that("weights are equal in all processes and predict as those of one", {
  skip_without_gloo()
  both <- in_processes(function(cells, settings, fit_small, file) {
    fit <- fit_small(cells, settings)
    saveRDS(fit, paste0(file, Sys.getenv("RANK")))
    fit
  })
  file <- withr::local_tempfile()
  cells <- small_cells()
  settings <- function(...) group_settings(precision = "float64", ...)
  fit <- launch_local(both, list(cells, settings(distributed = TRUE), fit_small, file), 2, 1)
  asked <- condition(condition = "IFNb", cell_type = "NK")
  answer <- function(fit) {
    as.matrix(predict(fit, cells$x, asked, col_data = cells$col_data))
  }
  ranks <- lapply(paste0(file, 0:1), readRDS)
  expect_identical(answer(ranks[[2]]), answer(ranks[[1]]))
  expect_identical(losses_of(ranks[[2]]), losses_of(ranks[[1]]))
  expect_identical(answer(fit), answer(ranks[[1]]))
  expect_equal(answer(fit), answer(fit_small(cells, settings())), tolerance = 1e-8)
})

test_that("a fit goes on in a group, and in one process without being asked", {
  skip_without_gloo()
  cells <- small_cells()
  go_on <- in_processes(function(fit, cells) {
    resume_fit(fit, cells$x, 2, col_data = cells$col_data, distributed = TRUE)
  })
  both <- in_processes(function(cells, settings, fit_small, go_on) {
    short <- fit_small(cells, settings)
    list(short, go_on(short, cells))
  })
  fits <- launch_local(both, list(cells, group_settings(epochs = 2, distributed = TRUE), fit_small,
                                  go_on), 2, 1)
  short <- fits[[1]]
  longer <- fits[[2]]
  whole <- losses_of(fit_small(cells, group_settings(epochs = 4)))
  expect_equal(losses_of(longer), whole, tolerance = 1e-5)
  expect_equal(losses_of(resume_fit(short, cells$x, 2, col_data = cells$col_data)), whole,
               tolerance = 1e-5)
})

test_that("several fits one after the other, by different paths of time, find each other", {
  skip_without_gloo()
  twice <- in_processes(function(cells, settings, fit_small) {
    first <- fit_small(cells, settings)
    if (Sys.getenv("RANK") == "1") Sys.sleep(1)
    list(first, fit_small(cells, settings))
  })
  fits <- launch_local(twice, list(small_cells(), group_settings(epochs = 1, distributed = TRUE),
                                   fit_small), 2, 1)
  expect_identical(losses_of(fits[[2]]), losses_of(fits[[1]]))
})

# Starts a long fit of two processes, does `harm` to the second once there is a checkpoint, and gives
# the error.
harmed_fit <- function(harm, checkpoint) {
  pid <- tempfile()
  train <- in_processes(function(cells, settings, fit_small, pid) {
    if (Sys.getenv("RANK") == "1") writeLines(as.character(Sys.getpid()), pid)
    fit_small(cells, settings)
  })
  doing <- tempfile()
  writeLines(c(
    "until <- Sys.time() + 60",
    paste0("checkpoint <- ", deparse1(checkpoint)),
    "while (!file.exists(checkpoint) && Sys.time() < until) Sys.sleep(0.1)",
    "Sys.sleep(0.5)",
    paste0("tools::pskill(as.integer(readLines(", deparse1(pid), ")), ", harm, ")")
  ), doing)
  system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(doing)), wait = FALSE)
  settings <- group_settings(epochs = 1e6, patience = 1e6, max_minutes = 2, checkpoint = checkpoint,
                             distributed = TRUE)
  tryCatch(launch_local(train, list(small_cells(), settings, fit_small, pid), 2, 1),
           error = function(cnd) cnd)
}

test_that("a killed process ends the others with the epoch and a checkpoint to go on from", {
  skip_without_gloo()
  checkpoint <- withr::local_tempfile(fileext = ".h5")
  start <- Sys.time()
  cnd <- harmed_fit(tools::SIGKILL, checkpoint)
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
  expect_s3_class(cnd, "compert_launch_error")
  text <- gsub("\\s+", " ", conditionMessage(cnd))
  expect_match(text, "Rank 1: it ended without a result \\(killed by signal 9\\)")
  expect_match(text, "Rank 0: .*One was lost in epoch [0-9]+")
  expect_match(text, paste0("last checkpoint is kept.*", checkpoint), perl = TRUE)
  fit <- load_fit(checkpoint)
  more <- resume_fit(fit, small_cells()$x, 1, col_data = small_cells()$col_data, checkpoint = "")
  expect_identical(nrow(more$history), nrow(fit$history) + 1L)
  expect_true(all(is.finite(more$history$loss_reconstruction)))
})

test_that("a process that does not answer is lost after the time given", {
  skip_without_gloo()
  withr::local_envvar(COMPERT_GROUP_TIMEOUT = "4")
  start <- Sys.time()
  cnd <- harmed_fit(tools::SIGSTOP, withr::local_tempfile(fileext = ".h5"))
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
  expect_match(conditionMessage(cnd), "One was lost in\\s+epoch [0-9]+")
})

test_that("a checkpoint may take longer to write than the others would wait for an answer", {
  skip_without_gloo()
  skip_on_os("windows")
  withr::local_envvar(COMPERT_GROUP_TIMEOUT = "4")
  checkpoint <- withr::local_tempfile(fileext = ".h5")
  # Writing to a pipe waits until somebody reads it.
  part <- withr::local_file(paste0(checkpoint, ".part"))
  expect_identical(system2("mkfifo", part), 0L)
  waiting <- file.path(withr::local_tempdir(), "waiting")
  script <- sprintf("while [ ! -e %s ]; do sleep 0.2; done; sleep 9; cat %s > /dev/null", waiting, part)
  reader <- processx::process$new("sh", c("-c", script))
  withr::defer(reader$kill())
  slow <- in_processes(function(cells, settings, fit_small, waiting) {
    file.create(waiting)
    fit_small(cells, settings)
  })
  settings <- group_settings(epochs = 1, distributed = TRUE, checkpoint = checkpoint)
  start <- Sys.time()
  fit <- launch_local(slow, list(small_cells(), settings, fit_small, waiting), 2, 1)
  expect_gt(as.double(Sys.time() - start, units = "secs"), 9)
  expect_identical(nrow(fit$history), 1L)
})

test_that("a process that writes a checkpoint when another is lost is given the time", {
  skip_without_gloo()
  skip_on_os("windows")
  checkpoint <- withr::local_tempfile(fileext = ".h5")
  # A pipe is opened when both sides are there, and holds less than a checkpoint: the first process writes on
  # while its reader ends the second, and for longer then than it has to say its error. It looks for the file.
  part <- withr::local_file(paste0(checkpoint, ".part"))
  expect_identical(system2("mkfifo", part), 0L)
  pid <- withr::local_tempfile()
  read <- withr::local_tempfile(fileext = ".h5")
  script <- sprintf(paste("exec 3< %s; kill -9 $(cat %s); sleep 8; cat <&3 > %s; exec 3<&-;",
                          "until [ -p %s ]; do sleep 0.1; done; : > %s"),
                    part, pid, read, checkpoint, checkpoint)
  reader <- processx::process$new("sh", c("-c", script))
  withr::defer(reader$kill())
  train <- in_processes(function(cells, settings, fit_small, pid) {
    if (Sys.getenv("RANK") == "1") writeLines(as.character(Sys.getpid()), pid)
    fit_small(cells, settings)
  })
  settings <- group_settings(epochs = 1, distributed = TRUE, checkpoint = checkpoint)
  start <- Sys.time()
  cnd <- tryCatch(launch_local(train, list(small_cells(), settings, fit_small, pid), 2, 1),
                  error = function(cnd) cnd)
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
  text <- gsub("\\s+", " ", conditionMessage(cnd))
  expect_match(text, "Rank 1: it ended without a result \\(killed by signal 9\\)")
  expect_match(text, "Rank 0: .*One was lost in epoch 2 .*last checkpoint is kept")
  expect_true(file.exists(checkpoint))
  expect_identical(nrow(load_fit(read)$history), 1L)
})

test_that("a process that ends without a fit is not waited for by those that are at it", {
  skip_without_gloo()
  without <- in_processes(function(cells, settings, fit_small, rank) {
    if (Sys.getenv("RANK") == rank) "no fit" else fit_small(cells, settings)
  })
  # By itself joining would end after twelve times that.
  withr::local_envvar(COMPERT_GROUP_TIMEOUT = "10")
  settings <- group_settings(epochs = 1, distributed = TRUE)
  for (rank in 0:1) {
    start <- Sys.time()
    cnd <- tryCatch(launch_local(without, list(small_cells(), settings, fit_small, rank), 2, 1),
                    error = function(cnd) cnd)
    expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
    expect_s3_class(cnd, "compert_launch_error")
    expect_match(gsub("\\s+", " ", conditionMessage(cnd)),
                 paste0("Rank ", 1 - rank, ": .*must find all processes.*Rank ", rank,
                        " has ended without this fit .*Let every process make all the fits"))
  }
})

test_that("a time limit within an epoch ends all processes at the same step", {
  skip_without_gloo()
  file <- withr::local_tempfile()
  timed <- in_processes(function(cells, settings, fit_small, file) {
    fit <- fit_small(cells, settings)
    saveRDS(fit$state, paste0(file, Sys.getenv("RANK")))
    fit
  })
  settings <- group_settings(epochs = 2, batch_size = 2, max_minutes = 1e-4, distributed = TRUE)
  fit <- launch_local(timed, list(small_cells(), settings, fit_small, file), 2, 1)
  expect_identical(fit$meta$run$stopped, "max_minutes")
  expect_identical(nrow(fit$history), 0L)
  weights <- function(rank) core_weights(readRDS(paste0(file, rank)))
  expect_identical(weights(1), weights(0))
})

test_that("an error of one process is the error of all", {
  skip_without_gloo()
  second_fails <- in_processes(function() {
    if (Sys.getenv("RANK") == "1") stop("no {cells} here")
    Sys.sleep(600)
  })
  start <- Sys.time()
  expect_error(launch_local(second_fails), "Rank 1: no \\{cells\\} here",
               class = "compert_launch_error")
  expect_lt(as.double(Sys.time() - start, units = "secs"), 60)
})

test_that("an interrupt of any process ends all with the fit so far", {
  skip_without_gloo()
  # As Ctrl-C does it, from a process of its own while R waits for the fit.
  interrupted <- in_processes(function(cells, settings, fit_small) {
    if (Sys.getenv("RANK") == "1") {
      # When training has begun, so that it meets training only.
      system(paste0("(while [ ! -s ", settings$checkpoint, " ]; do sleep 0.1; done; sleep 0.3; ",
                    "kill -INT ", Sys.getpid(), ")"), wait = FALSE)
    }
    tryCatch(fit_small(cells, settings), warning = function(cnd) class(cnd)[1])
  })
  settings <- group_settings(epochs = 1e6, patience = 1e6, max_minutes = 2, distributed = TRUE,
                             checkpoint = withr::local_tempfile(fileext = ".h5"))
  expect_identical(launch_local(interrupted, list(small_cells(), settings, fit_small), 2, 1),
                   "compert_stopped_interrupt")
})

test_that("processes that differ are refused, by what differs", {
  skip_without_gloo()
  # What the first process says when `changes` are done to the jobs of the second one.
  refusals <- function(jobs, changes) {
    for (k in seq_along(jobs)) {
      jobs[[k]]$settings["distributed"] <- list(TRUE)
      # Without test cells there are no DEGs that genes could be told by.
      jobs[[k]]$cells$col_data$split <- "train"
    }
    differing <- in_processes(function(fit_small, jobs, changes) {
      if (Sys.getenv("RANK") == "1") jobs <- Map(function(change, job) change(job), changes, jobs)
      said <- vapply(jobs, function(job) {
        tryCatch({
          suppressWarnings(do.call(fit_small, job))
          "fit"
        }, error = function(cnd) gsub("\\s+", " ", conditionMessage(cnd)))
      }, "")
      stats::setNames(said, names(changes))
    })
    launch_local(differing, list(fit_small, jobs, lapply(changes, in_processes)), 2, 1)
  }
  changes <- list(
    seed = function(job) {
      job$settings$seed <- 5L
      job
    },
    cells = function(job) {
      job$cells <- list(x = job$cells$x[, -1], col_data = job$cells$col_data[-1, ])
      job
    },
    order = function(job) {
      job$cells$x <- job$cells$x[rev(seq_len(nrow(job$cells$x))), ]
      job
    },
    scale = function(job) {
      job$cells$x <- job$cells$x * 1.001
      job
    },
    genes = function(job) {
      names <- rownames(job$cells$x)
      job$cells$x <- job$cells$x[c(2, 1, seq_along(names)[-(1:2)]), ]
      rownames(job$cells$x) <- names
      job
    },
    # As other processors round.
    rounding = function(job) {
      job$cells$x <- job$cells$x * (1 + 1e-6)
      job
    },
    features = function(job) {
      job$molecules["IFNb", ] <- rev(job$molecules["IFNb", ])
      job
    }
  )
  features <- matrix(c(0, 1, 1, 0, 0.5, 0.2), 2, dimnames = list(c("control", "IFNb"), NULL))
  drugs <- job(verb = "chemcpa", made_by = chemcpa_settings, more = list(molecules = features))
  said <- refusals(c(rep(list(job()), 6), list(drugs)), changes)
  expect_match(said[["seed"]], "`seed` must be the same in all processes.* rank 0: 5, not 11")
  expect_match(said[["cells"]], "`x` must be the same .* rank 0: \\[120,")
  expect_match(said[["order"]], "`x` must be the same .* in the names of its genes or their order")
  expect_match(said[["scale"]], "`x` must be the same .* in the values of its cells")
  expect_match(said[["genes"]], "`x` must be the same .* in the values of its cells")
  expect_identical(said[["rounding"]], "fit")
  expect_match(said[["features"]], "`molecules` must be the same .* rank 0 in their features")
})

test_that("without a group, or for proteins, a distributed fit is refused", {
  skip_without_gloo()
  withr::local_envvar(RANK = NA, WORLD_SIZE = NA, SLURM_PROCID = NA, SLURM_NTASKS = NA,
                      MASTER_ADDR = NA, SLURM_LAUNCH_NODE_IPADDR = NA)
  fit <- function() fit_small(small_cells(), group_settings(distributed = TRUE))
  expect_refused(fit(), "whole number in WORLD_SIZE.*not set.*launch_local")
  withr::local_envvar(RANK = "2", WORLD_SIZE = "2")
  expect_refused(fit(), "whole number in RANK.*\"2\"")
  withr::local_envvar(RANK = NA, SLURM_PROCID = "0", SLURM_NTASKS = "2")
  expect_refused(fit(), "address of the first process in MASTER_ADDR")
  withr::local_envvar(SLURM_NTASKS = "1")
  expect_identical(losses_of(fit()), losses_of(fit_small(small_cells(), group_settings())))
  expect_error(multicpa_settings(distributed = TRUE), "`distributed` must be FALSE")
})

test_that("wrong arguments are refused, R's stream moves by one number", {
  expect_refused(launch_local(3), "`fun` must be a function")
  expect_refused(launch_local(mean, 3), "`args` must be a list")
  expect_refused(launch_local(mean, workers = 0), "`workers` must be")
  expect_refused(launch_local(mean, threads = "all"), "`threads` must be")
  skip_without_gloo()
  draw <- in_processes(function() {
    message("drawing")
    sample.int(1e6, 1)
  })
  withr::local_seed(1)
  expect_message(first <- launch_local(draw), "drawing")
  after <- sample.int(1e6, 1)
  withr::local_seed(1)
  expect_identical(suppressMessages(launch_local(draw)), first)
  expect_identical(sample.int(1e6, 1), after)
})

test_that("processes that see the cells of an epoch in another order are refused", {
  skip_without_gloo()
  skip_without_package("SingleCellExperiment")
  # More cells than are read at a time.
  n <- 66000
  condition <- rep(c("control", "A", "B"), length.out = n)
  x <- matrix(seq_len(4 * n) %% 7 / 7, 4, dimnames = list(paste0("g", 1:4), NULL))
  file <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(x, file, col_data = data.frame(condition, split = "train"))
  differing <- in_processes(function(file, settings) {
    options(compert.in_memory = if (Sys.getenv("RANK") == "1") 0 else 1e9)
    tryCatch({
      suppressWarnings(cpa(file, "condition", control = "control", split = "split", settings = settings))
      "fit"
    }, error = function(cnd) gsub("\\s+", " ", conditionMessage(cnd)))
  })
  settings <- group_settings(epochs = 1, batch_size = 30000, distributed = TRUE)
  said <- launch_local(differing, list(file, settings), 2, 1)
  expect_match(said, "`x` must be the same .* rank 0 in the order of its cells .*compert.in_memory")
})
