# What is kept of a measurement: rows of a CSV, and the tables that are made of them.

# Rows of the same `key` replace older ones, so that a table can grow run by run.
keep_rows <- function(rows, file, key) {
  if (!nzchar(file)) return(invisible())
  if (file.exists(file)) {
    old <- utils::read.csv(file, check.names = FALSE)
    id <- function(d) do.call(paste, c(lapply(d[key], as.character), sep = "\r"))
    old[setdiff(names(rows), names(old))] <- NA
    rows <- rbind(old[!id(old) %in% id(rows), ], rows[names(old)])
  }
  numbers <- vapply(rows, is.double, NA)
  rows[numbers] <- lapply(rows[numbers], round, 3)
  sorted <- intersect(c("data", "variant", "loss", "held_out", "seed", "method"), names(rows))
  rows <- rows[do.call(order, unname(rows[sorted])), ]
  utils::write.csv(rows, file, row.names = FALSE, quote = which(!vapply(rows, is.numeric, NA)),
                   na = "")
}

# Markdown of the kept rows: one line per screen and loss, "model / controls / additive" in each
# cell, the best of the three in bold.
bench_tables <- function(options) {
  kept <- utils::read.csv(file.path(here, "results", "accuracy.csv"))
  kept <- kept[!grepl("(not additive)", kept$held_out, fixed = TRUE), ]
  shown <- c(r2_mean = "means", r2_mean_deg = "means, DEGs", r2_var = "variances",
             r2_var_deg = "variances, DEGs", r2_lfc_deg = "effects, DEGs")
  methods <- c("model", "control", "additive")
  cat("| screen | loss | ", paste(shown, collapse = " | "),
      " | decoded: means, effects, DEGs | seeds |\n", sep = "")
  cat("|", rep("---|", length(shown) + 4), "\n", sep = "")
  for (part in split(kept, paste(match(kept$data, names(held_out_screens)) + 100, kept$loss))) {
    # Folds count alike, however many conditions they hold.
    fold <- stats::aggregate(part[names(shown)], part[c("method", "held_out")], mean)
    mean_of <- function(metric, method) mean(fold[[metric]][fold$method == method])
    cells <- vapply(names(shown), function(metric) {
      value <- vapply(methods, mean_of, 0, metric = metric)
      text <- formatC(value, digits = 2, format = "f")
      best <- which(value >= max(c(value, -Inf), na.rm = TRUE) - 0.005)
      text[best] <- paste0("**", text[best], "**")
      paste(text, collapse = " / ")
    }, "")
    decoded <- vapply(c("r2_mean_deg", "r2_lfc_deg"), mean_of, 0, method = "model_decoded")
    cat("| ", part$data[1], " | ", part$loss[1], " | ", paste(cells, collapse = " | "), " | ",
        paste(formatC(decoded, digits = 2, format = "f"), collapse = ", "), " | ",
        length(unique(part$seed)), " |\n", sep = "")
  }
  invisible(kept)
}
