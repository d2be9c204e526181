# Tables of scores: their classes, print and summary.

# Scores of conditions. `title`: what they are; `words`: how they were made, as of preset_words().
new_scores <- function(table, rows, split, title, words, class = NULL, ...) {
  structure(
    tibble::as_tibble(table),
    class = c(class, "compert_scores", "tbl_df", "tbl", "data.frame"),
    title = title, words = words, splits = split, ...,
    left_out = c(`too few cells` = rows$too_small, `too few DEGs` = rows$few_degs %||% 0L)
  )
}

new_r2 <- function(table, rows, split, options) {
  new_scores(table, rows, split, "r2 of predicted condition statistics", preset_words(options), "compert_r2",
             preset = options$preset, order = options$order, empty = options$empty)
}

#' @export
print.compert_scores <- function(x, ...) {
  print_heading(x, print_width(...))
  if (nrow(x) > 0L) print(tibble::as_tibble(unclass_scores(x)), ...)
  invisible(x)
}

print_width <- function(..., width = NULL) width %||% getOption("width")

# A table that was put together anew has nothing to say of how it was made.
print_heading <- function(x, width) {
  words <- attr(x, "words")
  if (!is.null(words)) writeLines(wrap_lines(paste0(attr(x, "title"), ", ", words), width = width))
  left_out <- attr(x, "left_out")
  left_out <- left_out[left_out > 0]
  if (length(left_out)) {
    cat("Left out: ", paste0(vapply(left_out, count, ""), " with ", names(left_out), collapse = ", "), "\n", sep = "")
  }
  if (nrow(x) == 0L) {
    cat("No condition to score in split ", paste(attr(x, "splits"), collapse = ", "),
        if ("too few cells" %in% names(left_out)) "; `min_cells` rules how many cells one needs", ".\n", sep = "")
  }
}

#' @export
print.compert_r2 <- function(x, ...) {
  needed <- c("method", "split", "seen", "n_cells", metric_names)
  if (is.null(attr(x, "preset")) || !all(needed %in% names(x)) || nrow(x) == 0L) return(NextMethod())
  width <- print_width(...)
  print_heading(x, width)
  writeLines(as.character(wrap_lines(unscored(x), width = width)))
  for (split in unique(x$split)) print_split(unclass_scores(x)[x$split %in% split, , drop = FALSE], width)
  writeLines(c("", wrap_lines(c(verdict(x), words_without_split(x)), width = width), ""))
  print(tibble::as_tibble(unclass_scores(x)), ...)
  invisible(x)
}

words_without_split <- function(x) {
  if (anyNA(x$split) && any(x$method %in% learned_baselines())) {
    c("Without a split column the baselines learn from all other cells of trained conditions,",
      "test cells among them.")
  }
}

unclass_scores <- function(x) {
  class(x) <- setdiff(class(x), c("compert_r2", "compert_scores"))
  for (name in c("preset", "title", "words", "splits", "order", "empty", "left_out", "dose_unit")) attr(x, name) <- NULL
  x
}

# One row per method: the number of conditions with a score, and the averages over them.
method_averages <- function(x, fun = mean) {
  methods <- unique(x$method)
  values <- lapply(methods, function(method) {
    rows <- x$method == method
    c(n = sum(is.finite(x$r2_mean[rows])),
      vapply(metrics_of(x), function(name) average(x[[name]][rows], fun), 0))
  })
  cbind(data.frame(method = methods, stringsAsFactors = FALSE), do.call(rbind, values))
}

average <- function(values, fun) {
  values <- values[is.finite(values)]
  if (length(values)) fun(values) else NA_real_
}

print_split <- function(x, width) {
  averages <- shared_averages(x)
  of <- if (!is.na(x$split[1L])) paste0(", ", x$split[1L])
  lack <- if (nzchar(averages$lack)) paste0(" (", averages$lack, ")")
  writeLines(c("", wrap_lines(paste0("Averages", of, lack), width = width)))
  print_averages(averages$table)
}

# The averages of rows over the conditions that all methods can score, but for those without any score.
# Where there are none, every method has its own. `lack`: whom scores lack, in words.
shared_averages <- function(x) {
  own <- method_averages(x)
  shared <- method_averages(shared_rows(x))
  some <- max(shared$n) > 0
  lacking <- max(own$n) - own$n
  none <- own$n == 0
  every <- paste0("all methods", if (any(none)) paste(" but", paste(own$method[none], collapse = ", ")))
  lacks <- paste(own$method, "lacks", vapply(lacking, count, ""))[lacking > 0 & !none]
  lack <- if (any(lacking > 0)) c(
    if (some) paste(count(max(shared$n)), "of", count(max(own$n)), "conditions, which", every, "can score")
    else paste("no condition that", every, "can score"),
    if (length(lacks)) paste(lacks, collapse = ", "))
  list(table = if (some) shared else own, lack = paste(lack, collapse = "; "))
}

# Without the scores of conditions that another method lacks. Methods without any score count for none.
shared_rows <- function(x) {
  key <- row_keys(x[c(own_columns(x), "split")])
  for (name in metrics_of(x)) {
    there <- is.finite(x[[name]])
    methods <- unique(x$method[there])
    count <- table(key[there & x$method %in% methods])
    lacking <- !(key %in% names(count)[count == length(methods)])
    x[[name]][lacking] <- NA
  }
  x
}

# Fixed-width lines, whatever the width of the console; the scores of proteins below those of genes.
print_averages <- function(table) {
  metrics <- metrics_of(table)
  for (block in split(metrics, metrics %in% protein_metrics)) {
    shown <- lapply(table[block], function(v) ifelse(is.na(v), "-", formatC(v, digits = 3, format = "f")))
    shown <- c(list(method = table$method, n = vapply(table$n, count, "")), shown)
    columns <- Map(function(values, name) {
      format(c(name, values), justify = if (name == "method") "left" else "right")
    }, shown, names(shown))
    cat(paste0(do.call(paste, c(unname(columns), sep = " ")), "\n"), sep = "")
  }
}

# Averages that are less apart are level.
level_gap <- 0.02

# In plain words, how the model stands against each baseline, on conditions that both can score.
# Conditions whose training cells the model saw are counted apart: there it knows more than the
# additive baseline, which never uses the condition itself.
verdict <- function(x) {
  new <- x$seen != "condition"
  cells <- unique(x$split[which(!new)])
  lines <- c(verdict_of(x[which(new), ], "not seen in training"),
             verdict_of(x[is.na(new), ], "of which the fit does not know whether training saw them"),
             verdict_of(x[which(!new), ], paste0("seen in training",
                                        if (length(cells) == 1L && !is.na(cells)) paste0(" (", cells, " cells)"))))
  lines %||% "No baseline could be compared."
}

learned_baselines <- function() setdiff(baseline_names, "control")

verdict_of <- function(x, which) {
  if (nrow(x) == 0L) return(NULL)
  learned <- learned_baselines()
  genes <- c(r2_mean_deg = "r2 of the means of DEGs", r2_lfc_deg = "r2 of the effects on DEGs")
  # Fewer than two cells tell no DEGs.
  if (!any(is.finite(x$r2_mean_deg))) genes <- c(r2_mean = "r2 of the means of all genes")
  proteins <- c(r2_mean_protein = "r2 of the means of proteins", r2_lfc_protein = "r2 of the effects on proteins")
  compared <- function(baselines, metrics) {
    unlist(lapply(baselines, function(one) Map(compare_methods, list(x), one, names(metrics), metrics)))
  }
  lines <- c(compared(learned, genes), compared("control", genes[1L]), compared(ceiling_name, genes),
             if (all(names(proteins) %in% names(x))) {
               c(compared(learned, proteins), compared("control", proteins[1L]), compared(ceiling_name, proteins))
             },
             words_without_additive(x), words_without_degs(x))
  if (length(lines)) c(paste0("Conditions ", which, ":"), paste0("  ", lines))
}

words_without_degs <- function(x) {
  scored <- x$method == "model" & is.finite(x$r2_mean)
  without <- sum(scored & !is.finite(x$r2_mean_deg))
  if (without > 0L) {
    paste0(count(without), " of ", count_of(sum(scored), "condition"), " without DEGs: they are told by two cells or ",
           "more, or given in `degs`")
  }
}

words_without_additive <- function(x) {
  additive <- x$r2_mean[x$method == "additive"]
  controls <- x$r2_mean[x$method == "control"]
  unscored <- length(additive) && !any(is.finite(additive)) && !"mean" %in% x$method
  # Without controls the mean baseline has none either.
  if (unscored && (length(controls) == 0L || any(is.finite(controls)))) {
    paste("the additive baseline has no score;",
          "`baselines = c(\"control\", \"mean\")` compares with the mean effect of the others")
  }
}

# The mean baseline stands in where there is no additive one.
compare_methods <- function(x, baseline, metric, words) {
  model <- x[[metric]][x$method == "model"]
  other <- x[[metric]][x$method == baseline]
  # The same numbers are the same method: a baseline that is scored itself.
  if (length(other) != length(model) || isTRUE(all.equal(model, other, tolerance = 1e-8))) return(NULL)
  both <- is.finite(model) & is.finite(other)
  additive <- x[[metric]][x$method == "additive"]
  instead <- baseline == "mean" && length(additive) == length(model)
  if (instead) both <- both & !is.finite(additive)
  if (!any(both)) return(NULL)
  gain <- mean(model[both]) - mean(other[both])
  words_of <- if (baseline == ceiling_name) c(above = "is above", below = "is below", name = ceiling_name) else
    c(above = "beats", below = "does NOT beat", name = paste(baseline, "baseline"))
  stands <- if (abs(gain) < level_gap) "is level with" else words_of[[if (gain > 0) "above" else "below"]]
  paste0(
    "the model ", stands, " the ", words_of[["name"]], " in ", words, ": ",
    sprintf("%.3f", mean(model[both])), " against ",
    sprintf("%.3f", mean(other[both])), " (better in ", count(sum(model[both] > other[both] + 1e-8)), " of ",
    count(sum(both)), if (instead) " without an additive baseline", ")"
  )
}

#' @rdname evaluate_r2
#' @param object A `compert_r2`.
#' @param fun How conditions are averaged, such as `mean` or `median`.
#' @export
summary.compert_r2 <- function(object, ..., fun = mean) {
  check_no_dots(...)
  if (!is.function(fun)) {
    abort_input("`fun` must be a function of a numeric vector.",
                paste0("It is ", describe(fun), "."), "Write `fun = median`.")
  }
  # The preset may name proteins, which a fit of RNA alone has not.
  attr(object, "order") <- intersect(attr(object, "order"), names(object))
  order <- union(attr(object, "order"), metrics_of(object))
  if (!"split" %in% names(object)) object$split <- rep(NA_character_, nrow(object))
  splits <- union(if (!anyNA(object$split)) attr(object, "splits"), unique(object$split))
  parts <- lapply(splits, function(split) summarise_split(object, split, order, fun))
  tibble::as_tibble(do.call(rbind, parts))
}

summarise_split <- function(object, split, order, fun) {
  rows <- unclass_scores(object)[object$split %in% split, , drop = FALSE]
  if (nrow(rows) == 0L) {
    values <- as.list(stats::setNames(rep(NA_real_, length(order)), order))
    values[attr(object, "order")] <- attr(object, "empty")
    table <- data.frame(method = "model", n_conditions = 0L, values, stringsAsFactors = FALSE)
  } else {
    table <- method_averages(rows, fun)
    names(table)[names(table) == "n"] <- "n_conditions"
    table$n_conditions <- as.integer(table$n_conditions)
    table <- table[c("method", "n_conditions", order)]
  }
  cbind(split = split, table, stringsAsFactors = FALSE)
}
