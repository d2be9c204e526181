# What a baseline answers, from source cells and the means of training cells.

# Questions that only a network can answer.
check_baseline_question <- function(type, summarise, residual, correct = character(),
                                    call = rlang::caller_env()) {
  needs <- function(must, given, todo = "Leave it out.") {
    abort_input(paste0(must, ": a baseline has no network."), given, todo, call)
  }
  if (isFALSE(residual)) needs("`residual` must be left out, or `TRUE`", "It is `FALSE`.")
  if (length(correct)) needs("`correct` must be left out", paste0("It is ", describe(correct), "."))
  if (type == "sample") needs("`type` must be \"mean\" or \"variance\"", "It is \"sample\".")
  if (type == "variance" && summarise == "cell") {
    needs("`type = \"variance\"` must go with `summarise = \"condition\"`", "`summarise` is \"cell\".",
          "The variance is that over the source cells of a condition.")
  }
}

# For evaluate_r2(): one kind of counterfactual, with a variance of its own, from matched controls.
baseline_options <- function(options, own, call) {
  for (name in c("residual", "variance")) {
    if (is.null(own[[name]]) || isTRUE(own[[name]])) next
    abort_input(paste0("`", name, "` must be left out for a baseline, which has no network."),
                paste0("It is ", describe(own[[name]]), "."),
                "A baseline predicts by difference, with the variance of its source cells.", call)
  }
  # No change makes a cell of one type one of another.
  if (is.null(own$controls)) options$controls <- "matched"
  options["residual"] <- list(NULL)
  options
}

# As predict_rows(), and beside it a note per row without an answer. `screen`: its genes on the scale of the
# scores.
predict_baseline_rows <- function(fit, screen, targets, source, options, seed, features = "genes") {
  start <- start_moments(fit, screen, source, options$ddof, options$scale, features)
  list(difference = baseline_answer(fit, targets, start, options$ddof, options$scale, features))
}

# source_moments() of genes, as they are, or of proteins, over the cells that have them and on the scale.
start_moments <- function(fit, screen, source, ddof, scale, features) {
  if (features == "genes") return(source_moments(screen$x, source, ddof))
  has <- has_proteins(screen)
  lapply(source_moments(screen$proteins, lapply(source, function(i) i[has[i]]), ddof), protein_scaling(fit, scale))
}

# list(values, about): the values of predict(), and columns of its description. Proteins without an answer are NA,
# as where no source cell has any.
baseline_values <- function(fit, screen, targets, cells, summarise, call = rlang::caller_env()) {
  by_cell <- summarise == "cell"
  pieces <- source_pieces(fit, screen, targets, cells, by_cell)
  answer <- function(features) {
    values <- if (by_cell) baseline_cells else baseline_means
    values(fit, screen, cells, pieces, "model", features)
  }
  genes <- answer("genes")
  stop_at_pieces(fit, targets, pieces, genes$note, call)
  proteins <- if (!is.null(screen$proteins)) answer("proteins")
  parts <- intersect(c("mean", "variance"), names(genes))
  list(values = lapply(rlang::set_names(parts), function(what) rbind(genes[[what]], proteins[[what]])),
       about = if (fit$meta$settings$method == "nearest") {
         if (by_cell) lapply(genes$from, `[`, pieces$of_source) else nearest_columns(genes$from, pieces$of)
       })
}

# list(mean, note, from) of every source cell; `from` is of the pieces, as of baseline_means().
baseline_cells <- function(fit, screen, cells, pieces, scale, features) {
  x <- if (features == "genes") screen$x else screen$proteins
  none <- matrix(0, nrow(x), length(pieces$of))
  answer <- baseline_answer(fit, pieces, list(mean = none, variance = none), 0, scale, features)
  values <- as.matrix(pick_columns(x, unlist(cells)))
  if (features == "proteins") values[, !has_proteins(screen)[unlist(cells)]] <- NA
  list(mean = values + answer$mean[, pieces$of_source, drop = FALSE], note = answer$note,
       from = answer[c("nearest", "similarity")])
}

# list(mean, variance, start, note, from) of every condition, `start` the mean of its source cells.
baseline_means <- function(fit, screen, cells, pieces, scale, features) {
  start <- start_moments(fit, screen, pieces$cells, 0, scale, features)
  answer <- baseline_answer(fit, pieces, start, 0, scale, features)
  n <- if (features == "genes") lengths(pieces$cells) else
    vapply(pieces$cells, function(i) sum(has_proteins(screen)[i]), 0)
  c(join_pieces(answer, pieces$of, n), list(start = join_pieces(start, pieces$of, n)$mean, note = answer$note,
                                            from = answer[c("nearest", "similarity")]))
}

# For dose_response(): as response_means(). What has no answer is NA, unless no perturbation has one.
baseline_response <- function(fit, screen, targets, cells, scale, of, call) {
  pieces <- source_pieces(fit, screen, targets, cells, FALSE)
  control <- vapply(pieces$parts, function(p) all(p == fit$meta$registry$control), NA)
  if (scores_logs(fit, scale)) screen$x <- log_values(screen)
  stack_features(of, function(features) {
    answer <- baseline_means(fit, screen, cells, pieces, scale, features)
    if (!all(control) && !anyNA(answer$note[!control])) stop_at_pieces(fit, targets, pieces, answer$note, call)
    list(mean = answer$mean, difference = answer$mean - answer$start)
  })
}

stop_at_pieces <- function(fit, targets, pieces, note, call) {
  label <- do.call(paste, c(list(targets$label[pieces$of]), unname(pieces$covariates), sep = ", "))
  stop_unanswered(paste0("The ", fit$meta$model, " must have an answer for every condition."), label, note,
                  "Leave these conditions out, or take another method in `baseline_fit()`.", call)
}

# list(mean, variance, note): `reference` (genes, or proteins, x conditions) under the conditions `asked`.
# `scale`: of both, "model" or "log".
baseline_answer <- function(fit, asked, reference, ddof, scale, features = "genes") {
  learned <- fit$learned
  parts <- c(learned$parts, asked$parts)
  covariates <- Map(c, learned$covariates, asked$covariates[names(learned$covariates)])
  control <- vapply(asked$parts, function(p) all(p == fit$meta$registry$control), NA)
  groups <- distinct_groups(parts, c(learned$doses, asked$doses), list2DF(covariates, length(parts)),
                            c(learned$control, control))
  if (fit$meta$settings$method == "nearest") groups <- with_molecules(fit, groups)
  mine <- seq_along(learned$parts)
  at <- match(seq_len(groups$n), groups$of[mine])
  proteins <- features == "proteins"
  known <- learned$statistics[[if (proteins) features else if (scores_logs(fit, scale)) "log" else "model"]]
  stats <- list(n = ifelse(is.na(at), 0L, known$n[at]), mean = known$mean[, at, drop = FALSE],
                variance = known$variance[, at, drop = FALSE])
  answer_baselines(fit$meta$settings$method, stats, groups, groups$of[-mine], reference, ddof,
                   if (proteins) protein_scaling(fit, scale) else identity)[[1L]]
}

# The source cells of each condition, apart by their covariates where it leaves some open: list(cells, of,
# parts, doses, covariates, of_source), `of` the number of the condition, `of_source` (where `by_cell`) the
# piece that each source cell is in. The cells of a condition that leaves nothing open are not looked at.
source_pieces <- function(fit, screen, targets, cells, by_cell) {
  names <- condition_covariates(fit)
  asked <- as.list(targets$covariates[names])
  open <- Reduce(`|`, lapply(asked, is.na), logical(length(cells)))
  place <- if (any(open)) row_codes(as.list(screen$covariates[names]))
  apart <- lapply(seq_along(cells), function(k) {
    if (open[k]) unname(split(cells[[k]], place[cells[[k]]])) else cells[k]
  })
  of <- rep(seq_along(cells), lengths(apart))
  pieces <- unlist(apart, recursive = FALSE)
  first <- vapply(pieces, `[`, 0L, 1L)
  acting <- acting_pairs(fit, targets$parts[of], targets$doses[of])
  list(parts = acting$parts, doses = acting$doses, of = of, cells = pieces,
       of_source = if (by_cell) {
         number <- rep(seq_along(cells), lengths(cells))
         at <- if (any(open)) order(number, ifelse(open[number], place[unlist(cells)], 0)) else seq_along(number)
         replace(number, at, rep(seq_along(pieces), lengths(pieces)))
       },
       covariates = lapply(rlang::set_names(names), function(name) {
         ifelse(is.na(asked[[name]][of]), screen$covariates[[name]][first], asked[[name]][of])
       }))
}

# Mean and variance over the pieces of each condition together; `n`: their cells. NA without cells.
join_pieces <- function(answer, of, n) {
  joined <- lapply(split(seq_along(of), of), function(i) {
    i <- if (any(n[i] > 0)) i[n[i] > 0] else i[1L]
    share <- n[i] / sum(n[i])
    mean <- drop(answer$mean[, i, drop = FALSE] %*% share)
    spread <- answer$variance[, i, drop = FALSE] + (answer$mean[, i, drop = FALSE] - mean)^2
    list(mean = mean, variance = drop(spread %*% share))
  })
  lapply(c(mean = "mean", variance = "variance"), function(what) do.call(cbind, lapply(joined, `[[`, what)))
}

# `note` says why a condition has no prediction, NA where it has one.
stop_unanswered <- function(must, label, note, todo, call) {
  gone <- which(!is.na(note))
  if (length(gone) == 0L) return(invisible())
  shown <- unique(paste0(dQuote(label[gone], FALSE), ": ", note[gone], "."))
  more <- length(shown) - 5L
  abort_input(must, c(utils::head(shown, 5L), if (more > 0L) paste0("And ", count(more), " more.")), todo, call,
              class = "compert_unanswered")
}
