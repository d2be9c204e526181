# Small screens for tests of the R side. Numbers are drawn under a fixed seed; what is tested never
# depends on their values.

# 60 cells x 12 genes: control, A, B, A+B in two cell types, doses, two donors.
toy_cells <- function(n = 60) {
  drug <- rep(c("control", "A", "B", "A+B"), length.out = n)
  data.frame(
    drug = drug,
    dose = c(control = "1", A = "0.5", B = "2", "A+B" = "0.5+2")[drug],
    cell_type = rep(c("T", "NK"), each = 4, length.out = n),
    donor = rep(c("d1", "d2", "d1"), each = 8, length.out = n),
    row.names = paste0("cell", seq_len(n))
  )
}

toy_counts <- function(n = 60, genes = 12) {
  withr::with_seed(7, {
    x <- matrix(as.double(stats::rpois(n * genes, 2)), genes, n)
  })
  x[1, ] <- x[1, ] + 1
  dimnames(x) <- list(paste0("gene", seq_len(genes)), paste0("cell", seq_len(n)))
  x
}

toy_log <- function(n = 60, genes = 12) log1p(toy_counts(n, genes) / 1.7)

toy_keys <- function(..., perturbation = "drug", dose = "dose", covariates = "cell_type",
                     control = "control") {
  new_keys(perturbation, dose = dose, covariates = covariates, control = control, ...)
}

toy_screen <- function(..., cells = toy_cells(), x = toy_log(nrow(cells))) {
  as_screen(x, toy_keys(...), cells)
}

# The three parts of an error of this package: what must hold, what was given, what to do.
error_parts <- function(expr) {
  cnd <- tryCatch({
    force(expr)
    NULL
  }, compert_input_error = function(e) e)
  if (is.null(cnd)) return(NULL)
  list(must = unname(cnd$message), given = unname(cnd$body[names(cnd$body) == "x"]),
       todo = unname(cnd$body[names(cnd$body) == "i"]), call = cnd$call,
       text = conditionMessage(cnd))
}

# An error of this package that has all three parts, about what `pattern` says.
expect_refused <- function(expr, pattern) {
  parts <- error_parts(expr)
  if (is.null(parts)) {
    testthat::fail("no error of this package was raised")
    return(invisible())
  }
  flat <- gsub("\\s+", " ", parts$text)
  testthat::expect_match(flat, pattern)
  testthat::expect_true(nzchar(parts$must) && length(parts$given) > 0 && all(nzchar(parts$given)) &&
                          length(parts$todo) > 0 && all(nzchar(parts$todo)), info = flat)
  invisible(parts)
}

# split_cells() on the toy cells, and what it held out.
split_toy <- function(..., cells = toy_cells(), seed = 1, verbose = FALSE) {
  split_cells(cells, "drug", control = "control", covariates = "cell_type", dose = "dose", ...,
              seed = seed, verbose = verbose)
}
held <- function(cells) unique(paste(cells$drug, cells$cell_type)[cells$split == "ood"])

# check_screen() on the toy cells.
check_toy <- function(cells = toy_cells(), x = toy_log(nrow(cells)), ..., control = "control") {
  check_screen(x, "drug", dose = "dose", covariates = "cell_type", control = control,
               col_data = cells, ...)
}

# What read_h5ad() gives of what write_h5ad() wrote.
read_back <- function(x, ..., env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".h5ad", .local_envir = env)
  write_h5ad(x, path, ...)
  read_h5ad(path, as = "list")
}
