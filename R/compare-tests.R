# The numbers and the print of compare_r2().

# Rows of one group: every metric and model.
compare_group <- function(scores, rows, name, by, reference) {
  whole <- length(rows) == nrow(scores$conditions) && name == "all"
  first <- scores$conditions[rows[1L], by, drop = FALSE]
  if (whole && length(by)) first[] <- lapply(first, function(value) value[NA_integer_])
  tables <- lapply(names(scores$values), function(metric) {
    values <- scores$values[[metric]][rows, , drop = FALSE]
    tests <- lapply(colnames(values), function(model) {
      if (model == reference) return(paired_tests(numeric()))
      paired_tests(values[, model] - values[, reference])
    })
    data.frame(metric = metric, model = colnames(values), n_conditions = nrow(values),
               mean = colMeans(values), median = apply(values, 2L, stats::median),
               do.call(rbind, tests), row.names = NULL, stringsAsFactors = FALSE)
  })
  table <- do.call(rbind, tables)
  own <- as.data.frame(first)[rep(1L, nrow(table)), , drop = FALSE]
  rownames(own) <- NULL
  own <- beside_own(own, c(list(group = rep(name, nrow(table))), table))
  own[union("group", names(own))]
}

# Of paired differences; NA where a test says nothing.
paired_tests <- function(d) {
  if (length(d) == 0L) {
    return(data.frame(gain = NA_real_, better = NA_integer_, p_t = NA_real_, p_wilcoxon = NA_real_))
  }
  n <- length(d)
  spread <- if (n > 1L) stats::sd(d) else 0
  testable <- n > 1L && spread > 1e-12 * max(abs(d), 1e-300)
  t <- if (testable) mean(d) / (spread / sqrt(n))
  data.frame(
    gain = mean(d), better = sum(d > 0),
    p_t = if (testable) 2 * stats::pt(-abs(t), n - 1) else NA_real_,
    p_wilcoxon = if (testable) suppressWarnings(stats::wilcox.test(d)$p.value) else NA_real_
  )
}

#' @export
print.compert_comparison <- function(x, ...) {
  needed <- c("group", "metric", "model", "n_conditions", "mean", "median", "p_t", "p_wilcoxon")
  if (!all(needed %in% names(x))) return(NextMethod())
  scores <- attr(x, "scores")
  baselines <- intersect(unique(x$model), attr(x, "baselines"))
  models <- length(unique(x$model)) - length(baselines)
  cat("r2 of ", count_of(models, "model"), if (length(baselines)) " and ",
      if (length(baselines)) count_of(length(baselines), "baseline"), " on ",
      count_of(nrow(scores$conditions), "condition"), " that all of them have", sep = "")
  dropped <- scores$n_all - nrow(scores$conditions)
  if (dropped > 0) cat(" (", dropped, " left out)", sep = "")
  cat("\n")
  if (!is.null(attr(x, "words"))) writeLines(wrap_lines(attr(x, "words")))
  for (group in unique(x$group)) {
    rows <- x[x$group == group, , drop = FALSE]
    cat("\n", group_title(x, group), " (", count_of(rows$n_conditions[1L], "condition"), ")\n",
        sep = "")
    print_group(rows)
  }
  cat("\np: paired t-test and Wilcoxon's signed rank test against \"", attr(x, "reference"),
      "\", not adjusted\n", sep = "")
  invisible(x)
}

group_title <- function(x, group) {
  if (group == "all") return("All conditions")
  paste(by_words(x), group)
}

# The columns that groups are made by, the dose with its unit: "dose (uM), cell_type".
by_words <- function(comparison) {
  by <- attr(comparison, "by")
  unit <- attr(comparison, "unit")
  dose <- by %in% attr(comparison, "dose") & !is.null(unit)
  paste0(by, ifelse(dose, paste0(" (", unit, ")"), ""), collapse = ", ")
}

# One line per model; per metric mean, median and the two p-values.
print_group <- function(rows) {
  number <- function(v) ifelse(is.na(v), "-", formatC(v, digits = 3, format = "f"))
  p <- function(v) ifelse(is.na(v), "-", ifelse(v < 1e-3, "<.001", formatC(v, digits = 3,
                                                                          format = "f")))
  models <- unique(rows$model)
  columns <- list(c("", "", models))
  for (metric in unique(rows$metric)) {
    own <- rows[rows$metric == metric, , drop = FALSE]
    cells <- list(c("mean", number(own$mean)), c("median", number(own$median)),
                  c("p(t)", p(own$p_t)), c("p(W)", p(own$p_wilcoxon)))
    words <- paste0("| ", comparison_words()[[metric]])
    cells <- lapply(cells, function(cell) format(cell, justify = "right"))
    body <- paste0("| ", do.call(paste, c(cells, sep = "  ")))
    columns <- c(columns, list(format(c(words, body))))
  }
  columns[[1L]] <- format(columns[[1L]])
  cat(paste0(do.call(paste, c(columns, sep = " ")), "\n"), sep = "")
}

comparison_words <- function() {
  c(r2_mean = "all genes", r2_mean_deg = "DEGs", r2_var = "variances, all genes",
    r2_var_deg = "variances, DEGs", r2_lfc_deg = "effects, DEGs",
    pearson_delta = "Pearson r of effects", r2_mean_protein = "proteins",
    r2_var_protein = "variances, proteins", r2_lfc_protein = "effects, proteins",
    pearson_delta_protein = "Pearson r of effects, proteins")
}
