test_that("a folder holds one search, and says what is different about another", {
  dir <- withr::local_tempdir()
  search <- function(...) small_search(trials = 2, dir = dir, ...)
  first <- search()
  expect_setequal(list.files(dir, all.files = TRUE, no.. = TRUE), c(
    "search.rds", "trial-0001-rung-1.h5", "trial-0001-rung-1.rds", "trial-0002-rung-1.h5",
    "trial-0002-rung-1.rds"))
  expect_identical(normalizePath(dir), first$dir)
  again <- search()
  expect_identical(again$trials, first$trials)
  expect_refused(search(seed = 2), "\"seed\"|seed: 1 there; 2 here")
  expect_refused(search(space = list(dim = c(4, 8))), "space: .*there; dim: 4, 8 here")
  expect_refused(search(settings = tuned_settings(3)), "settings: .*epochs = 2.*epochs = 3")
  expect_refused(search(method = "halving", grace = 1), "method: random there; halving of 2 trials")
  cells <- small_cells()
  expect_refused(search(x = cells$x[-1, ]), "data: .*120 genes.*119 genes")
  cells$x@x[3] <- cells$x@x[3] + 0.5
  expect_refused(search(x = cells$x), "data: other values there than here")
})

test_that("the folder remembers its seed", {
  dir <- withr::local_tempdir()
  drawn <- withr::with_seed(4, small_search(trials = 1, dir = dir, seed = NULL))
  expect_identical(small_search(trials = 2, dir = dir, seed = NULL)$seed, drawn$seed)
})

test_that("a folder with other things in it, a file, and a place that can't be are refused", {
  dir <- withr::local_tempdir()
  file <- file.path(dir, "notes.txt")
  writeLines("mine", file)
  expect_refused(small_search(dir = dir), "holds other files")
  expect_refused(small_search(dir = file), "is a file")
  expect_refused(small_search(dir = file.path(file, "below")), "folder that can be written to")
  expect_refused(small_search(dir = 3), "`dir` must be one text")
  expect_identical(list.files(dir), "notes.txt")
})

test_that("records are whole or not there", {
  dir <- withr::local_tempdir()
  search <- list(dir = dir, id = "a")
  file <- trial_file(dir, 12, 2, "rds")
  expect_identical(basename(file), "trial-0012-rung-2.rds")
  expect_null(read_record(search, 12, 2))
  expect_true(write_rds(list(search = "a", status = "failed"), file))
  expect_identical(read_record(search, 12, 2)$status, "failed")
  expect_true(write_rds(list(search = "a", status = "trained"), file))
  expect_null(read_record(search, 12, 2)) # the fit is not there
  expect_true(write_rds(list(search = "b", status = "failed"), file))
  expect_null(read_record(search, 12, 2)) # of another search
  writeLines("no RDS", file)
  expect_null(read_record(search, 12, 2))
  expect_false(write_rds(1, file.path(dir, "absent", "file.rds")))
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), basename(file))
})

test_that("another control or batch is another search", {
  cells <- small_cells()
  cells$col_data$donor <- rep(c("p", "q"), length.out = nrow(cells$col_data))
  describe <- function(control, batch = NULL) {
    keys <- new_keys("condition", covariates = c("cell_type", setdiff("donor", batch)), control = control,
                     batch = batch, split = "split")
    task <- suppressWarnings(new_task(cells$x, keys, cells$col_data, quick_settings(), NULL,
                                      rlang::current_env()))
    describe_search(list(space = new_space(tuned_space()), settings = tuned_settings(), method = "random",
                         seed = 1), task)
  }
  dir <- withr::local_tempdir()
  claim_folder(dir, NULL, describe("control"), 1)
  same <- function(...) check_same_search(dir, read_folder(dir)$parts, describe(...), rlang::current_env())
  expect_silent(same("control"))
  expect_refused(same("IFNb"), "roles: control control, batch none, .* there; control IFNb, batch none, .* here")
  expect_refused(same("control", "donor"), "batch none, .* there; control control, batch donor, .* here")
})

test_that("another unit of the doses is another search", {
  dir <- withr::local_tempdir()
  cells <- small_cells()$col_data
  cells$dose <- ifelse(cells$condition == "control", "0", "1")
  search <- function(unit, ...) {
    small_search(trials = 1, dir = dir, col_data = cells, dose = "dose", dose_unit = unit, ...)
  }
  expect_identical(search("uM")$best$meta$registry$dose_unit, "uM")
  expect_refused(search("nM"), "roles: .* dose unit uM there; .* dose unit nM here")
  expect_refused(search(NULL), "dose unit uM there; .* dose unit none here")
  dir <- withr::local_tempdir()
  search("uM", sample_cells = 200)
  expect_refused(search("nM", sample_cells = 200), "dose unit uM there; .* dose unit nM here")
})

test_that("a start that did not get as far as its description is no other file", {
  dir <- withr::local_tempdir()
  file.create(search_file(dir), temporary_in(dir, ".search.rds-"))
  expect_null(read_folder(dir))
  writeLines("mine", search_file(dir))
  expect_refused(read_folder(dir), "holds other files")
})

test_that("a file that does not get all of it is not whole", {
  skip_without(file.exists("/dev/full"), "a device that is always full")
  expect_false(saved_whole(list(1), "/dev/full"))
  expect_false(saved_whole(runif(1e5), "/dev/full"))
  file <- withr::local_tempfile()
  expect_true(saved_whole(list(a = 1:3), file))
  expect_identical(readRDS(file), list(a = 1:3))
})

test_that("what a killed process has left goes, what another one writes stays", {
  skip_without(.Platform$OS.type != "windows", "signals to other processes")
  dir <- withr::local_tempdir()
  file <- function(stem, host, pid) file.path(dir, paste0(stem, "@", host, "@", pid, "@-5d2"))
  gone <- as.integer(system("sh -c 'echo $$'", intern = TRUE))
  ours <- c(file(".cells-", host_name(), Sys.getpid()), file(".cells-", "elsewhere", gone),
            temporary_in(dir, ".trial-0001-rung-1.h5-"))
  left <- c(file(".trial-0001-rung-1.rds-", host_name(), gone), file(".cells-", host_name(), gone))
  file.create(ours, left)
  description <- list(seed = list(hash = "a", words = "1"))
  claim_folder(dir, list(id = "b", parts = description), description, 1)
  expect_setequal(list.files(dir, all.files = TRUE, no.. = TRUE), basename(ours))
})
