# Several processes make the fit that one makes.

losses_of <- function(fit) as.list(fit$history[grep("^(loss|penalty)_", names(fit$history))])

# The fits of a list of settings, made here, or by several processes one after the other.
alone <- function(jobs) {
  lapply(jobs, function(job) suppressWarnings(do.call(fit_of_group, job)))
}
in_group <- function(jobs, workers = 2) {
  jobs <- lapply(jobs, function(job) {
    job$settings["distributed"] <- list(TRUE)
    job
  })
  all <- in_processes(function(fit_of_group, jobs) {
    lapply(jobs, function(job) suppressWarnings(do.call(fit_of_group, job)))
  })
  launch_local(all, list(fit_of_group, jobs), workers, 1)
}

# A job for fit_of_group().
job <- function(..., cells = small_cells(), verb = "cpa", made_by = cpa_settings, more = list()) {
  c(list(cells = cells, settings = group_settings(..., made_by = made_by), verb = verb), more)
}

# With a continuous covariate.
aged <- function(...) {
  cells <- small_cells()
  cells$col_data$age <- (seq_len(ncol(cells$x)) * 37) %% 23
  job(cells = cells, more = list(continuous = "age"), ...)
}

counts_of <- function(cells) list(x = cells$counts, col_data = cells$col_data)

# Everything but the time, in float64: nothing but a wrong sum is left to differ. In float32 rounding
# moves the biases ahead of batch norm, whose gradient is zero, and scores with them, as it does
# between numbers of threads; in float64 too, where `noisy`, to some 1e-9.
expect_equal_fits <- function(one, several, names, noisy = character()) {
  for (k in seq_along(one)) {
    compared <- setdiff(names(one[[k]]$history), "seconds")
    expect_gt(nrow(one[[k]]$history), 1)
    expect_equal(several[[k]]$history[compared], one[[k]]$history[compared],
                 tolerance = if (names[k] %in% noisy) 1e-8 else 1e-9, info = names[k])
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
    continuous = aged(precision = "float64", continuous_doser = "mlp"),
    theislab = exact(cells = counts, parity = "theislab"),
    chemcpa = exact(verb = "chemcpa", made_by = chemcpa_settings, more = list(molecules = features)),
    chemcpa_parity = exact(verb = "chemcpa", made_by = chemcpa_settings, parity = "chemcpa",
                           more = list(molecules = features)),
    chemcpa_parity_layer_norm = exact(verb = "chemcpa", made_by = chemcpa_settings, parity = "chemcpa",
                                      more = list(molecules = features), encoder_norm = "layer",
                                      decoder_norm = "layer", adversary_norm = "layer",
                                      embedding_encoder_norm = "layer"),
    scgen = exact(verb = "scgen", made_by = scgen_settings)
  )
  expect_equal_fits(alone(jobs), in_group(jobs), names(jobs), noisy = "chemcpa_parity")
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
  both <- in_processes(function(cells, settings, fit_of_group, file) {
    fit <- fit_of_group(cells, settings)
    saveRDS(fit, paste0(file, Sys.getenv("RANK")))
    fit
  })
  file <- withr::local_tempfile()
  cells <- small_cells()
  settings <- function(...) group_settings(precision = "float64", ...)
  fit <- launch_local(both, list(cells, settings(distributed = TRUE), fit_of_group, file), 2, 1)
  asked <- condition(condition = "IFNb", cell_type = "NK")
  answer <- function(fit) {
    as.matrix(predict(fit, cells$x, asked, col_data = cells$col_data))
  }
  ranks <- lapply(paste0(file, 0:1), readRDS)
  expect_identical(answer(ranks[[2]]), answer(ranks[[1]]))
  expect_identical(losses_of(ranks[[2]]), losses_of(ranks[[1]]))
  expect_identical(answer(fit), answer(ranks[[1]]))
  expect_equal(answer(fit), answer(fit_of_group(cells, settings())), tolerance = 1e-8)
})

test_that("a fit goes on in a group, and in one process without being asked", {
  skip_without_gloo()
  cells <- small_cells()
  go_on <- in_processes(function(fit, cells) {
    resume_fit(fit, cells$x, 2, col_data = cells$col_data, distributed = TRUE)
  })
  both <- in_processes(function(cells, settings, fit_of_group, go_on) {
    short <- fit_of_group(cells, settings)
    list(short, go_on(short, cells))
  })
  fits <- launch_local(both, list(cells, group_settings(epochs = 2, distributed = TRUE), fit_of_group,
                                  go_on), 2, 1)
  short <- fits[[1]]
  longer <- fits[[2]]
  whole <- losses_of(fit_of_group(cells, group_settings(epochs = 4)))
  expect_equal(losses_of(longer), whole, tolerance = 1e-5)
  expect_equal(losses_of(resume_fit(short, cells$x, 2, col_data = cells$col_data)), whole,
               tolerance = 1e-5)
})

test_that("several fits one after the other, by different paths of time, find each other", {
  skip_without_gloo()
  twice <- in_processes(function(cells, settings, fit_of_group) {
    first <- fit_of_group(cells, settings)
    if (Sys.getenv("RANK") == "1") Sys.sleep(1)
    list(first, fit_of_group(cells, settings))
  })
  fits <- launch_local(twice, list(small_cells(), group_settings(epochs = 1, distributed = TRUE),
                                   fit_of_group), 2, 1)
  expect_identical(losses_of(fits[[2]]), losses_of(fits[[1]]))
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
    differing <- in_processes(function(fit_of_group, jobs, changes) {
      if (Sys.getenv("RANK") == "1") jobs <- Map(function(change, job) change(job), changes, jobs)
      said <- vapply(jobs, function(job) {
        tryCatch({
          suppressWarnings(do.call(fit_of_group, job))
          "fit"
        }, error = function(cnd) gsub("\\s+", " ", conditionMessage(cnd)))
      }, "")
      stats::setNames(said, names(changes))
    })
    launch_local(differing, list(fit_of_group, jobs, lapply(changes, in_processes)), 2, 1)
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
    # Of cells that are not among those whose values are compared.
    degs = function(job) {
      job$cells$x[1:9, 10:30] <- 0
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
    },
    bins = function(job) {
      job$cells$col_data$age <- rev(job$cells$col_data$age)
      job
    },
    ages = function(job) {
      age <- job$cells$col_data$age
      job$cells$col_data$age <- ifelse(age == max(age), 2 * age, age)
      job
    }
  )
  features <- matrix(c(0, 1, 1, 0, 0.5, 0.2), 2, dimnames = list(c("control", "IFNb"), NULL))
  drugs <- job(verb = "chemcpa", made_by = chemcpa_settings, more = list(molecules = features))
  said <- refusals(c(rep(list(job()), 5), list(job(reg_multi_task = 1), job(), drugs, aged(), aged())), changes)
  expect_match(said[["seed"]], "`seed` must be the same in all processes.* rank 0: 5, not 11")
  expect_match(said[["cells"]], "`x` must be the same .* rank 0: \\[120,")
  expect_match(said[["order"]], "`x` must be the same .* in the names of its genes or their order")
  expect_match(said[["scale"]], "`x` must be the same .* in the values of its cells")
  expect_match(said[["genes"]], "`x` must be the same .* in the values of its cells")
  expect_match(said[["degs"]], "`x` must be the same .* in the differentially expressed genes of its conditions")
  expect_identical(said[["rounding"]], "fit")
  expect_match(said[["features"]], "`molecules` must be the same .* rank 0 in their features")
  expect_match(said[["bins"]], "`col_data` must be the same .* Rank 1 differs from rank 0\\. ")
  expect_match(said[["ages"]], "`col_data` must be the same .* rank 0 in the values of continuous covariates")
})

test_that("without a group, or for proteins, a distributed fit is refused", {
  skip_without_gloo()
  withr::local_envvar(RANK = NA, WORLD_SIZE = NA, SLURM_PROCID = NA, SLURM_NTASKS = NA,
                      MASTER_ADDR = NA, SLURM_LAUNCH_NODE_IPADDR = NA)
  fit <- function() fit_of_group(small_cells(), group_settings(distributed = TRUE))
  expect_refused(fit(), "whole number in WORLD_SIZE.*not set.*launch_local")
  withr::local_envvar(RANK = "2", WORLD_SIZE = "2")
  expect_refused(fit(), "whole number in RANK.*\"2\"")
  withr::local_envvar(RANK = NA, SLURM_PROCID = "0", SLURM_NTASKS = "2")
  expect_refused(fit(), "address of the first process in MASTER_ADDR")
  withr::local_envvar(SLURM_NTASKS = "1")
  expect_identical(losses_of(fit()), losses_of(fit_of_group(small_cells(), group_settings())))
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
