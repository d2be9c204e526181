# The report of a fit: a template of rmarkdown, rendered to one HTML file.

#' A report of a fit as one HTML file
#'
#' `render_report()` writes what a fit is and what it is worth into a page that can be read without R
#' and handed on: the main result beside the best baseline, the screen, the training, scores of
#' held-out conditions with the best and the worst of them, embeddings, dose responses, combinations, proteins, how
#' far conditions that nobody measured lie from the training, and what is needed to do it again. Each
#' picture comes with what a good and a bad one look like. Parts that a fit has not, such as doses, are
#' left out.
#'
#' @details
#' The page is an R Markdown template of the package. To change it, take a copy, by
#' `rmarkdown::draft("report.Rmd", "report", package = "compert")` or in RStudio under New File, R
#' Markdown, From Template, and knit that: its head names the files of the fit and of the cells.
#'
#' Of large screens, embeddings and [disentanglement()] are those of at most 4,000 cells, drawn under a
#' seed of their own, and tables have at most 20 rows; the page says both. Scores are of all cells.
#'
#' Nothing of the session changes: options, random numbers (the report's own seed is 1), attached packages
#' and the graphics device are afterwards as before, and the working directory is not written to. While
#' a document is being knitted `render_report()` has to run in another process, as knitr cannot knit
#' two at once.
#'
#' @inheritParams cell_embedding
#' @param x All cells of the screen, in any container that [cpa()] takes, as for [evaluate_r2()].
#' @param file Path of the file to write, which ends in `.html`.
#' @param ... Arguments of [evaluate_r2()], such as `split`, `baselines`, `degs` or `min_cells`.
#' @param title Title of the page; `NULL` for the name of the model.
#' @param overwrite `TRUE` replaces an existing file. The new one is moved there when it is whole.
#' @param quiet `FALSE` shows what rmarkdown and pandoc say.
#' @return `file`, invisibly.
#' @section Errors:
#' rmarkdown, pandoc or ggplot2 not installed; a file that exists or cannot be written; what
#' [evaluate_r2()] refuses.
#' @seealso [evaluate_r2()], [plot_r2()], [plot_means()], [check_screen()], [compert_sitrep()]
#' @examplesIf requireNamespace("rmarkdown", quietly = TRUE) && requireNamespace("ggplot2", quietly = TRUE)
#' cells <- kang_example(as = "list")
#' some <- seq(1, ncol(cells$x), 4)
#' genes <- order(-Matrix::rowSums(cells$x))[1:200]
#' x <- cells$x[genes, some]
#' about <- cells$col_data[some, ]
#' fit <- cpa(x, "condition", covariates = "cell_type", control = "control", split = "split",
#'            col_data = about, settings = cpa_settings(epochs = 2, verbose = FALSE))
#' file <- tempfile(fileext = ".html")
#' if (rmarkdown::pandoc_available("2.0")) render_report(fit, x, file, col_data = about)
#' # browseURL(file)
#' @export
render_report <- function(fit, x, file, ..., title = NULL, overwrite = FALSE, quiet = TRUE,
                          assay = NULL, layer = NULL, col_data = NULL,
                          missing_genes = c("error", "zero")) {
  evaluate <- report_arguments(list(...))
  validate_fit(fit)
  need_known_training(fit)
  need_newdata(missing(x), "render_report", arg = "x")
  if (missing(file)) file <- NULL
  check_string(file, "file")
  check_new_file(file, overwrite)
  check_string(title, "title", null_ok = TRUE)
  check_flag(quiet, "quiet")
  if (!grepl("[.]html?$", file, ignore.case = TRUE)) {
    abort_input("`file` must end in \".html\".", paste0("It is ", dQuote(file, FALSE), "."),
                "Add the ending: the report is a page of HTML.")
  }
  # Before the work, not after it.
  if (file.access(dirname(file), 2L) != 0L) abort_unwritable(file, rlang::current_env())
  need_report_tools()
  missing_genes <- check_choice(missing_genes, c("error", "zero"), "missing_genes")
  reading <- list(assay = assay, layer = layer, col_data = col_data, missing_genes = missing_genes)
  target <- file.path(normalizePath(dirname(file)), basename(file))
  page <- as_before(render_page(fit, x, reading, evaluate, title, quiet))
  put_file(target, function(part) {
    writeBin(page, part)
    file.size(part) == length(page)
  })
  invisible(file)
}

# The arguments in `...`, which are those of evaluate_r2() that say how to score.
report_arguments <- function(given, call = rlang::caller_env()) {
  own <- setdiff(rlang::fn_fmls_names(render_report), "...")
  known <- setdiff(rlang::fn_fmls_names(evaluate_r2), c("fit", "newdata", "...", own))
  unknown <- given[!rlang::names2(given) %in% known]
  if (length(unknown)) {
    rlang::inject(check_no_dots(!!!unknown, .call = call, .valid = c(own, known), .settings = NULL))
  }
  given
}

need_report_tools <- function(call = rlang::caller_env()) {
  for (package in c("rmarkdown", "knitr")) check_package(package, "to render reports", call)
  need_ggplot(call)
  pandoc <- pandoc_found()
  if (pandoc < "2.0") {
    abort_input("pandoc (2.0 or later) must be installed to render reports.",
                if (pandoc > "0") paste0("It is pandoc ", pandoc, ".") else "It was not found.",
                "Install it (Debian: apt-get install pandoc), or set RSTUDIO_PANDOC to its folder.",
                call)
  }
  if (is.null(getOption("knitr.in.progress"))) return(invisible())
  abort_input("`render_report()` must be called outside of a document that is being knitted.",
              "knitr is at work in this process, and cannot knit two documents at once.",
              "Call it in a process of its own, as by `callr::r()`.", call)
}

# The version, 0 where there is none.
pandoc_found <- function() if (rmarkdown::pandoc_available()) rmarkdown::pandoc_version() else
  numeric_version("0")

# The page as raw bytes. All that is made on the way lies in one folder, which goes with it.
render_page <- function(fit, x, reading, evaluate, title, quiet, call = rlang::caller_env()) {
  report <- new_report(fit, x, reading, evaluate, call)
  dir <- tempfile("compert-report-")
  dir.create(dir)
  on.exit(unlink(dir, recursive = TRUE))
  template <- system.file("rmarkdown", "templates", "report", "skeleton", "skeleton.Rmd",
                          package = "compert", mustWork = TRUE)
  input <- file.path(dir, "report.Rmd")
  file.copy(template, input)
  rmarkdown::render(
    input, output_file = "report.html", output_dir = dir, intermediates_dir = dir,
    knit_root_dir = dir, envir = new.env(parent = globalenv()), quiet = quiet, encoding = "UTF-8",
    params = list(title = title %||% paste(model_title(fit$meta$model), "fit"), report = report)
  )
  page <- file.path(dir, "report.html")
  readBin(page, "raw", file.size(page))
}

# Evaluates `expr` and leaves options, random numbers, attached packages and graphics devices as they
# were.
as_before <- function(expr) {
  options <- options()
  attached <- search()
  device <- grDevices::dev.cur()
  files <- list.files(tempdir())
  on.exit({
    for (name in setdiff(search(), attached)) detach(name, character.only = TRUE)
    if (device > 1L && device %in% grDevices::dev.list()) grDevices::dev.set(device)
    new <- setdiff(names(options()), names(options))
    options(c(options, stats::setNames(vector("list", length(new)), new)))
    # What rmarkdown leaves of its own.
    left <- setdiff(list.files(tempdir(), "^rmarkdown-str"), files)
    unlink(file.path(tempdir(), left), recursive = TRUE)
  })
  with_stream(1L, expr)
}
