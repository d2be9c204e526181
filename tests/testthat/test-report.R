skip_without_report <- function() {
  skip_without_package("rmarkdown", "knitr", "ggplot2")
  skip_without(pandoc_found() >= "2.0", "pandoc")
}

# The text of a page on one line, without its pictures.
page_text <- function(file) {
  lines <- readLines(file, warn = FALSE, encoding = "UTF-8")
  gsub("\\s+", " ", paste(gsub("data:[a-z/]+;base64,[A-Za-z0-9+/=]+", "data:", lines), collapse = " "))
}

test_that("a report is one HTML file with the numbers of evaluate_r2(), and leaves nothing else", {
  skip_without_report()
  cells <- small_cells()
  folder <- withr::local_tempdir()
  withr::local_dir(folder)
  set.seed(5)
  loadNamespace("rmarkdown")
  before <- list(.Random.seed, options(), search(), list.files(tempdir(), all.files = TRUE), Sys.getenv())
  file <- withVisible(render_report(small_fit(), cells$x, "page.html", title = "A--B \"B\"\n<c> *d*: e",
                                    col_data = cells$col_data, n_degs = 10, min_cells = 4))
  after <- list(.Random.seed, options(), search(), list.files(tempdir(), all.files = TRUE), Sys.getenv())
  expect_identical(file, list(value = "page.html", visible = FALSE))
  expect_identical(after, before)
  expect_identical(list.files(folder, all.files = TRUE, no.. = TRUE), "page.html")

  page <- page_text("page.html")
  expect_false(grepl("(src|href)=\"(?!data:|#)", page, perl = TRUE))
  expect_match(page, "A--B &quot;B&quot; &lt;c&gt; *d*: e", fixed = TRUE)
  for (heading in c("The screen", "Training", "Held-out conditions", "Embeddings", "To do it again")) {
    expect_match(page, paste0("<h1[^>]*>", heading, "</h1>"))
  }
  expect_match(page, "Scored with preset &quot;compert&quot; with own <code>min_cells</code>: ", fixed = TRUE)
  # No doses, no proteins, nothing that is not measured.
  expect_false(grepl("<h1[^>]*>(Dose response|Proteins|Conditions that nobody measured|Notes)</h1>", page))
  expect_false(grepl("Error|Warning|\\bNA\\b|NULL|NaN", sub("To do it again</h1>.*", "", page)))
  expect_gt(lengths(gregexpr("<img", page, fixed = TRUE)), 5)

  scores <- evaluate_r2(small_fit(), cells$x, col_data = cells$col_data, n_degs = 10, min_cells = 4)
  unseen <- scores[scores$split == "ood", ]
  best <- best_baseline(unseen)
  expect_identical(best$value, max(unseen$r2_mean_deg[unseen$method %in% c("control", "additive")]))
  expect_match(page, paste0("<strong>", score_text(best$model), "</strong>, that of the best baseline (", best$name,
                            ") <strong>", score_text(best$value)), fixed = TRUE)
  for (metric in metric_names) {
    for (value in unseen[[metric]][is.finite(unseen[[metric]])]) {
      expect_match(page, paste0(">\\s*", score_text(value), "\\s*<"))
    }
  }
  for (line in verdict(scores)) expect_match(page, trimws(line), fixed = TRUE)
})

test_that("what cannot be done is said before anything is written", {
  skip_without_report()
  cells <- small_cells()
  folder <- withr::local_tempdir()
  file <- file.path(folder, "page.html")
  render <- function(file = file.path(folder, "page.html"), ..., x = cells$x, col_data = cells$col_data) {
    render_report(small_fit(), x, file, ..., col_data = col_data)
  }
  expect_error(render_report(1, cells$x, file), "`fit` must be a fit")
  expect_error(render_report(small_fit(), file = file), "`x` must", class = "compert_input_error")
  expect_error(render_report(small_fit(), cells$x, col_data = cells$col_data), "`file` must be one text")
  expect_error(render(file.path(folder, "none", "page.html")), "folder that exists")
  expect_error(render(file.path(folder, "page.pdf")), "must end in \".html\"")
  expect_error(render(n_deg = 5), "There is no argument `n_deg`")
  expect_error(render(n_degs = 1), "`n_degs` must be")
  expect_error(render(col_data = cells$col_data["condition"]), "cell_type")
  writeLines("mine", file)
  expect_error(render(), "must not exist yet")
  expect_identical(readLines(file), "mine")
  expect_identical(list.files(folder), "page.html")
})

test_that("errors name what is not installed", {
  skip_without_report()
  cells <- small_cells()
  file <- withr::local_tempfile(fileext = ".html")
  render <- function() render_report(small_fit(), cells$x, file, col_data = cells$col_data)
  withr::with_options(list(knitr.in.progress = TRUE), expect_error(render(), "being knitted"))
  local_replaced("pandoc_found", function() numeric_version("1.9"))
  expect_error(render(), "It is pandoc 1.9")
  local_replaced("pandoc_found", function() numeric_version("0"))
  expect_error(render(), "pandoc .* must be installed")
  local_replaced("check_package", function(package, why, call) abort_input(paste(package, why), call = call))
  expect_error(render(), "rmarkdown to render reports")
})

test_that("the template drafts, and its parameters may be files", {
  skip_without_report()
  folder <- withr::local_tempdir()
  path <- rmarkdown::draft(file.path(folder, "mine.Rmd"), "report", package = "compert", edit = FALSE)
  head <- rmarkdown::yaml_front_matter(path)
  expect_named(head$params, c("title", "fit", "cells", "options", "report"))
  sce <- small_sce()
  save_fit(small_fit(), file.path(folder, "fit.h5"))
  saveRDS(sce, file.path(folder, "cells.rds"))
  report <- report_from(list(fit = file.path(folder, "fit.h5"), cells = file.path(folder, "cells.rds"),
                             options = list(n_degs = 10, min_cells = 3), report = FALSE))
  expect_identical(report$scores, evaluate_r2(small_fit(), sce, n_degs = 10, min_cells = 3))
  expect_identical(report_from(list(report = report)), report)
})
