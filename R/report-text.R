# Words and tables of a report, as Markdown for the template.

# Names of the user's, taken literally.
md <- function(x) gsub("([][\\\\`*_{}<>#$^~|@!])", "\\\\\\1", x)

# The same as a title: on one line, and no mark of a list or a rule at its beginning.
md_title <- function(x) {
  sub("^([[:alnum:]]*)([-+.)=])", "\\1\\\\\\2", md(trimws(gsub("[[:space:]]+", " ", x))))
}

md_list <- function(lines) paste0("- ", lines, collapse = "\n")

# A table as HTML that pandoc leaves alone; numbers on the right. Scores have two decimals.
report_table <- function(table, class = "wide") {
  numbers <- vapply(table, is.numeric, NA)
  shown <- lapply(table, function(column) {
    text <- if (is.integer(column)) vapply(column, count, "") else if (is.numeric(column)) {
      # Far below 0 decimals say nothing.
      ifelse(abs(column) < 100, score_text(column), count(round(column)))
    } else {
      as.character(column)
    }
    ifelse(is.na(column), "-", text)
  })
  shown <- as.data.frame(shown, optional = TRUE, stringsAsFactors = FALSE)
  html <- knitr::kable(shown, "html", align = ifelse(numbers, "r", "l"), row.names = FALSE)
  knitr::raw_html(paste0("<div class=\"", class, "\">\n", html, "\n</div>"))
}

# What the fit is of, in a sentence or two.
report_subject <- function(report) {
  meta <- report$fit$meta
  registry <- meta$registry
  conditions <- conditions_of_fit(meta)
  none <- conditions$n - conditions$trained
  covariates <- registry$covariates
  paste0(
    model_title(meta$model), " was fitted to the expression of ", count_of(length(registry$genes), "gene"),
    if (!is.null(registry$proteins)) paste(" and", count_of(length(registry$proteins), "surface protein")),
    " in ", count_of(sum(unlist(meta$n_cells)), "cell"), " of a screen with ",
    count_of(length(setdiff(registry$perturbations, registry$control)), "perturbation"),
    if (any(lengths(meta$conditions$parts) > 1L)) " (some in combination)",
    ", the control ", md(control_words(meta$keys)), " and ",
    report_covariates(registry),
    ". It has ", count_of(conditions$n, "perturbed condition"),
    " (perturbation", if (!is.null(meta$keys$dose)) ", dose",
    if (length(setdiff(names(covariates), registry$batch))) ", covariates", "); ",
    if (none == 0L) "all have training cells." else
      paste(count(none), if (none == 1L) "has" else "have", "no training cells."),
    if (report$n_cells != sum(unlist(meta$n_cells))) {
      paste0(" This report was made of ", count_of(report$n_cells, "cell"), ".")
    }
  )
}

report_covariates <- function(registry) {
  levels <- registry$covariates
  told <- c(paste0(md(names(levels)), " (", ifelse(names(levels) %in% registry$batch, "the batch, ", ""),
                   vapply(lengths(levels), count_of, "", "level"), ")", recycle0 = TRUE),
            paste0(md(names(registry$continuous)), " (continuous)", recycle0 = TRUE))
  if (length(told) == 0L) return("no covariates")
  paste0("the covariate", if (length(told) > 1L) "s", " ", paste(told, collapse = ", "))
}

# Perturbed conditions of the screen, batches together, and how many of them training saw.
conditions_of_fit <- function(meta) {
  rows <- meta$conditions
  covariates <- list2DF(as.list(rows$covariates), length(rows$label))
  covariates <- covariates[setdiff(names(covariates), meta$registry$batch)]
  key <- place_key(list(parts = rows$parts, doses = rows$doses, covariates = covariates))
  own <- !rows$control
  list(n = length(unique(key[own])), trained = length(unique(key[own & rows$split == "train"])))
}

# format() of the fit as a table of two columns.
report_facts <- function(fit) {
  lines <- sub("^<compert_fit> ", "Model:         ", format(fit))
  # What a line has no room for stands on the next ones.
  further <- startsWith(lines, " ")
  item <- cumsum(!further)
  text <- trimws(ifelse(further, lines, sub("^[^:]*:", "", lines)))
  value <- vapply(split(text, item), paste, "", collapse = "; ")
  device <- fit$meta$run$device
  data.frame(what = c(sub(":.*", "", lines[!further]), if (length(device)) "Device"),
             value = c(unname(value), device))
}

# Cells and conditions per split.
split_table <- function(fit) {
  rows <- fit$meta$conditions
  parts <- lapply(intersect(c("train", "test", "ood"), rows$split), function(split) {
    here <- rows$split == split & !rows$control
    data.frame(Split = split, Cells = sum(rows$n_cells[rows$split == split]),
               Controls = sum(rows$n_cells[rows$split == split & rows$control]),
               Conditions = sum(here), Fewest = average(rows$n_cells[here], min),
               Median = average(rows$n_cells[here], stats::median),
               Most = average(rows$n_cells[here], max))
  })
  table <- do.call(rbind, parts)
  table[-1L] <- lapply(table[-1L], as.integer)
  names(table)[5:7] <- c("Fewest cells", "Median cells", "Most cells")
  table
}

# The design, its middle left out where it is long: rows in the order of their cells.
design_rows <- function(design, most = report_limits()$rows) {
  table <- as.data.frame(design, optional = TRUE)
  if (nrow(table) <= most) return(table)
  half <- most %/% 2L
  table <- table[order(table$n_cells), , drop = FALSE]
  table[c(seq_len(half), seq(nrow(table) - half + 1L, nrow(table))), , drop = FALSE]
}

# Defects of check_screen() as a list.
defect_list <- function(defects) {
  if (nrow(defects) == 0L) return("`check_screen()` finds no defects.")
  paste0("`check_screen()` finds:\n\n", md_list(paste0(
    "**", defects$severity, "** ", md(paste(defects$must, defects$given, defects$todo)))))
}

# Why training ended, and whose weights the fit has.
report_stop <- function(fit) {
  settings <- fit$meta$settings
  history <- fit$history
  done <- nrow(history)
  best <- last_best(history)
  since <- if (length(best)) sum(is.finite(history$r2_mean) & history$epoch > best) else 0L
  run <- fit$meta$run
  after <- if (done == 0) "Training stopped in its first epoch" else
    paste0("Training stopped after epoch ", count(done))
  if (done == 0L && is.null(run$stopped) && !is.null(fit$meta$reference)) {
    return(paste0("Training was done by ", fit$meta$reference,
                  "; the weights are those that it saved, without a history."))
  }
  ended <- switch(run$stopped %||% "checkpoint",
    checkpoint = paste0("This is a checkpoint, written after epoch ", count(done), " of a training that went on"),
    epochs = paste0(count_of(done, "epoch"), " ran, all that were planned"),
    patience = paste0(after, ": since epoch ", best, " the test cells were scored ", since,
                      " times in a row without a better score (patience)"),
    max_minutes = paste0(after, ", at its limit of time"),
    interrupt = paste0(after, ", interrupted"),
    paste0(after, ": ", md(run$message))
  )
  kept <- if (length(best) == 0L) "no test cells could be scored on the way, and the weights are the last ones" else
    if (isFALSE(settings$restore_best)) "the weights are the last ones (`restore_best = FALSE`)" else
      paste0("the fit has the weights of epoch ", best)
  paste0(ended, "; ", kept, ".")
}

# What keeps covariates out of basal states.
report_taken_out <- function(fit) {
  settings <- fit$meta$settings
  if (fit$meta$model == "scgen") return("scGen takes nothing out of its states.")
  if (length(fit$meta$registry$covariates) == 0L) return("")
  weight <- settings$reg_adversary_cov
  if (weight < 0) weight <- settings$reg_adversary
  if (weight > 0) "Covariates are taken out by adversaries, and are to be near chance in the basal state too." else
    "Covariates may be in the basal state: this fit has no adversaries that take them out."
}
