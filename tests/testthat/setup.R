# One thread: results are then the same on every machine, and R CMD check allows two at most.
core_set_threads(1L)

# A partially matched argument or name is a mistake waiting to happen.
withr::local_options(
  list(warnPartialMatchArgs = TRUE, warnPartialMatchDollar = TRUE, warnPartialMatchAttr = TRUE),
  .local_envir = testthat::teardown_env()
)
