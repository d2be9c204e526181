# Called by tools/test: runs testthat on the installed package and writes what it counted.
# Arguments: the file for "passed failed", the file for the names of skipped tests.

out <- commandArgs(TRUE)
Sys.setenv(NOT_CRAN = "true", COMPERT_SOURCE = normalizePath("."))
results <- testthat::test_dir("tests/testthat", package = "compert", load_package = "installed",
                              reporter = testthat::SummaryReporter$new(show_praise = FALSE, max_reports = 50),
                              stop_on_failure = FALSE)

count <- function(class) {
  sum(vapply(results, function(test) {
    sum(vapply(test$results, inherits, logical(1), what = class))
  }, numeric(1)))
}

skips <- unlist(lapply(results, function(test) {
  skipped <- Filter(function(result) inherits(result, "expectation_skip"), test$results)
  vapply(skipped, function(result) {
    paste0(test$file, ": ", test$test, " (", sub("^Reason: ", "", result$message), ")")
  }, "")
}))

failed <- count("expectation_failure") + count("expectation_error")
if (length(results) == 0) failed <- 1
writeLines(paste(count("expectation_success"), failed), out[[1]])
writeLines(as.character(skips), out[[2]])
