test_that("with settings the time of a fit is told, from its own number of epochs, whatever R's random stream", {
  set.seed(3)
  before <- .Random.seed
  check <- check_toy(settings = cpa_settings(dim = 4, autoencoder_width = 8))
  expect_identical(.Random.seed, before)
  time <- check$training
  expect_named(time, c("epochs", "epoch_seconds", "seconds", "device"))
  expect_gt(time$epoch_seconds, 0)
  expect_identical(time$seconds, time$epochs * time$epoch_seconds)
  expect_identical(time$device, "cpu")
  expect_output(print(check), paste0("Training \\(cpu\\): about .*, for at most ", time$epochs, " epochs of"))
  # What a fit says itself.
  told <- NULL
  local_replaced("progress_reporter", function(...) function(step) {
    told <<- step$epochs
    FALSE
  })
  suppressMessages(suppressWarnings(
    cpa(toy_log(60), "drug", dose = "dose", covariates = "cell_type", control = "control", col_data = toy_cells(),
        settings = cpa_settings(dim = 4, autoencoder_width = 8))
  ))
  expect_equal(time$epochs, told)
})

test_that("epochs, max_minutes and a checkpoint are those of the settings; nothing is written", {
  file <- file.path(withr::local_tempdir(), "fit.h5")
  time <- check_toy(settings = cpa_settings(epochs = 7, max_minutes = 1e-6, checkpoint = file))$training
  expect_identical(time$epochs, 7L)
  expect_equal(time$seconds, 6e-5)
  expect_false(file.exists(file))
  expect_null(check_toy()$training)
  cells <- toy_cells()
  cells$dose[1] <- "x"
  expect_null(check_toy(cells, settings = cpa_settings())$training)
})

test_that("steps and cells that are timed stand for those of an epoch", {
  task <- list(train = 0:999, settings = list(batch_size = 32L), screen = list(x = matrix(0, 1, 1000)))
  some <- some_training_cells(task)
  expect_length(unique(some), timed_steps * 32L)
  expect_identical(range(some), c(0L, 999L))
  task$settings$batch_size <- 1000L
  expect_identical(some_training_cells(task), 0:999)
  expect_identical(training_text(list(device = "cpu", seconds = 605, epochs = 20L, epoch_seconds = 30.25)),
                   "Training (cpu): about 10m 5s, for at most 20 epochs of 30s.")
  expect_identical(training_text(list(device = "cpu", seconds = 0.1234, epochs = 1L, epoch_seconds = 0.1234)),
                   "Training (cpu): about 0.12s, for at most 1 epoch of 0.12s.")
})

test_that("every model can be timed; what speaks against its fit is a defect", {
  toy <- function(settings, ...) check_screen(cite_sce(), "drug", control = "control", settings = settings, ...)
  small <- list(dim = 4, autoencoder_width = 8, epochs = 3)
  made <- function(settings) do.call(settings, small)
  expect_identical(check_toy(settings = made(scgen_settings))$training$epochs, 3L)
  expect_identical(toy(made(multicpa_settings), proteins = NULL)$training$epochs, 3L)
  both <- rbind(A = c(1, 0), B = c(0, 1))
  expect_identical(check_toy(molecules = both, settings = made(chemcpa_settings))$training$epochs, 3L)
  expect_refused(toy(made(multicpa_settings)), "`settings` must come from `cpa_settings.*of model \"multicpa\"")
  expect_refused(toy(made(cpa_settings), proteins = NULL), "`settings` must come from `multicpa_settings\\(\\)`")
  expect_refused(check_toy(settings = made(chemcpa_settings)), "`molecules` must say what the perturbations are")
  expect_refused(check_toy(settings = 3), "`settings` must come from")
  gaps <- check_screen(cite_sce(adt = list(counts = with_gaps(cite_cells()$adt))), "drug", control = "control",
                       proteins = NULL, settings = made(multicpa_settings))
  expect_null(gaps$training)
  expect_match(gaps$defects$must[gaps$defects$check == "settings"], "must have both modalities")
  expect_identical(gaps$defects$severity[1L], "error")
})

test_that("what is too slow for a short epoch is timed by the steps that it made", {
  task <- new_task(toy_log(60), new_keys("drug", "dose", "cell_type", "control"), toy_cells(),
                   quick_settings(), NULL, rlang::current_env())
  local_replaced("most_seconds", 1e-9)
  one <- step_time(task, core_rows(task$screen), 1L, rlang::current_env())
  expect_true(is.finite(one$seconds) && one$seconds > 0)
})

test_that("an interrupt and a file that fails end the estimate", {
  task <- new_task(toy_log(60), new_keys("drug", "dose", "cell_type", "control"), toy_cells(),
                   quick_settings(), NULL, rlang::current_env())
  ended <- function(stopped) {
    local_replaced("core_fit", function(...) list(stopped = stopped, message = "block 3 is damaged"))
    step_time(task, core_rows(task$screen), 1L, rlang::current_env())
  }
  expect_identical(tryCatch(ended("interrupt"), interrupt = function(cnd) "interrupted"), "interrupted")
  expect_refused(ended("unreadable"), "readable throughout.*block 3 is damaged")
})

test_that("training that breaks down in its first steps is a defect", {
  far <- check_toy(settings = cpa_settings(dim = 4, batch_size = 8, autoencoder_lr = 1e38, embeddings_lr = 1e38))
  expect_null(far$training)
  expect_match(far$defects$given[far$defects$check == "settings"], "After a few steps .* not finite")
})

test_that("a screen in a file is timed with its reading", {
  withr::local_options(compert.in_memory = 10)
  path <- withr::local_tempfile(fileext = ".h5ad")
  write_h5ad(toy_log(60), path, col_data = toy_cells())
  expect_message(
    check <- check_screen(path, "drug", dose = "dose", control = "control",
                          settings = cpa_settings(dim = 4, autoencoder_width = 8, epochs = 2)),
    "are read from"
  )
  expect_gt(check$training$seconds, 0)
})
