step <- function(...) {
  utils::modifyList(list(epoch = 3, epochs = 10, loss_reconstruction = 0.12345,
                         loss_adv_perturbations = 0.69, loss_adv_covariates = 1.95, r2 = NA,
                         seconds = 3, seconds_left = 95), list(...))
}

test_that("the bar's text has losses, r2 when there is one, and the time left", {
  expect_identical(progress_text(step()), "loss 0.123, adversaries 0.690 1.95, 1m 35s left")
  expect_match(progress_text(step(r2 = 0.912)), "r2 0.912")
})

test_that("there is a bar when asked for, never while knitting, none when not interactive", {
  expect_null(progress_reporter(FALSE))
  withr::with_options(list(compert.verbose = FALSE), expect_null(progress_reporter(NULL)))
  expect_true(is.function(progress_reporter(TRUE)))
  withr::with_options(list(knitr.in.progress = TRUE), {
    expect_null(progress_reporter(TRUE))
    expect_false(show_messages(TRUE))
  })
  withr::with_options(list(compert.verbose = TRUE), expect_true(show_progress(NULL)))
  withr::with_options(list(compert.verbose = FALSE), expect_false(show_messages(NULL)))
  expect_true(show_messages(NULL))
  expect_false(show_messages(FALSE))
})

test_that("the bar moves through a whole run and ends with its frame", {
  withr::local_options(cli.dynamic = TRUE)
  run <- function() {
    report <- progress_reporter(TRUE)
    for (epoch in 1:9) report(step(epoch = epoch))
    cli::cli_progress_num()
  }
  expect_gt(suppressMessages(run()), 0)
  expect_identical(cli::cli_progress_num(), 0L)
})

test_that("Ctrl-C while the bar moves ends the training with the fit so far", {
  skip_without(.Platform$OS.type != "windows", "signals")
  withr::local_options(cli.dynamic = TRUE)
  cells <- small_cells()
  text <- progress_text
  local_replaced("progress_text", function(step) {
    if (step$epoch == 2) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(1)
    }
    text(step)
  })
  settings <- cpa_settings(epochs = 1e6, patience = 1e6, max_minutes = 1, dim = 8, autoencoder_width = 24,
                           threads = 1, device = "cpu", seed = 1, verbose = TRUE)
  expect_warning(fit <- suppressMessages(cpa(
    cells$x, "condition", control = "control", split = "split", col_data = cells$col_data,
    settings = settings)), class = "compert_stopped_interrupt")
  expect_gt(nrow(fit$history), 1)
  expect_lt(max(fit$history$seconds), 55)
})

test_that("without a bar the first epoch tells how long the others may take, if that is a minute or more", {
  withr::local_options(rlang_interactive = FALSE)
  tell <- progress_reporter(NULL)
  first <- step(epoch = 1, epochs = 200, seconds_left = 199 * 35)
  expect_message(expect_true(tell(first)), "first epoch took 35s: about 1h 56m for 199 more epochs, or less where")
  expect_silent(expect_true(tell(first)))
  expect_silent(progress_reporter(NULL)(step(epoch = 1, seconds_left = 59)))
  expect_silent(progress_reporter(NULL)(step(epoch = 1, seconds_left = NA_real_)))
})

test_that("a log has a line whenever a twentieth of the expected time has passed, of a minute or more", {
  now <- 0
  lines <- line_reporter(60, clock = function() now)
  at <- function(seconds, ...) {
    now <<- seconds
    lines(step(epochs = 200, ...))
  }
  expect_message(at(35, epoch = 1, seconds_left = 6000), "first epoch took")
  expect_silent(at(334, epoch = 10))
  expect_message(at(335, epoch = 11, r2 = 0.912),
                 "Epoch 11 of 200: loss 0.123, adversaries 0.690 1.95, r2 0.912, 1m 35s left.", fixed = TRUE)
  expect_silent(at(634, epoch = 20))
  expect_message(at(635, epoch = 21), "Epoch 21 of 200")
  short <- line_reporter(60, clock = function() now)
  short(step(epoch = 1, seconds_left = 59))
  now <- now + 59
  expect_silent(short(step(epoch = 2, seconds_left = NA_real_)))
  now <- now + 1
  expect_message(short(step(epoch = 3, seconds_left = NA_real_)), "Epoch 3 of 10: loss 0.123, adversaries 0.690 1.95.",
                 fixed = TRUE)
})

test_that("where no bar can move lines are written, and they keep the last r2", {
  withr::local_options(cli.dynamic = FALSE)
  now <- 0
  lines <- line_reporter
  local_replaced("line_reporter", function(least) lines(least, function() now))
  tell <- progress_reporter(TRUE)
  expect_true(tell(step(epoch = 1, seconds_left = 9, r2 = 0.5)))
  now <- 5
  expect_message(expect_true(tell(step(epoch = 2))), "Epoch 2 of 10: .*r2 0.500, 1m 35s left")
})

test_that("numbers of cells have commas in all of the line that says what is fitted", {
  screen <- toy_screen()
  screen$split <- rep(c("train", "test", "ood"), c(22650, 4550, 3000))
  expect_message(inform_task(list(screen = screen, registry = list(perturbations = c("control", "A")), automatic = FALSE,
                                  chose_loss = FALSE, settings = list(seed = 1))),
                 "22,650 train, 4,550\\s+test, 3,000 ood; seed 1")
})
