# Counterfactual predictions and evaluations, beside the references'.

bench_predict <- function(options) {
  if (options$epochs < 2) stop("--epochs must be 2 or more: the first repetition is not counted")
  models <- asked_models(options, c("cpa", "chemcpa", "multicpa", "poe"))
  cat(sprintf("prediction, %d cells x %d genes, a third of them held out, %d threads, %s\n",
              options$cells, options$genes, options$threads, La_library()))
  table <- do.call(rbind, lapply(models, predict_model, options))
  rownames(table) <- NULL
  print_table(table)
  notes <- reference_notes(models)
  say_notes(notes)
  list(rates = table, notes = notes, blas = La_library())
}

# Ten drugs for every model: with 188 no held-out condition has the cells that the evaluations want.
predict_model <- function(model, options) {
  screen <- model_screen(model, options, drugs = 10)
  screen$col_data$split <- rep_len(c("train", "train", "test"), options$cells)
  fit <- fit_model(model, screen, bench_settings(model, options, epochs = 1))
  folder <- reference_input(model, screen)
  seconds <- interleave(c(
    list(function() repeated(our_predictions(model, fit, screen, options), options$epochs)),
    if (!is.null(folder)) list(function() reference_seconds(model, folder, options))
  ), 2)
  say_done(model)
  # The fewest cells of a condition that the references score.
  predict_table(model, seconds, predicted_cells(screen, if (model$name == "chemcpa") 6 else 31))
}

# Evaluations as the reference's own: decoded, no baselines, genes of a condition given. Beside them, of
# CPA: ranking genes, and a whole call that trains for one epoch.
our_predictions <- function(model, fit, screen, options) {
  x <- with_proteins(screen)
  about <- screen$col_data
  held_out <- about$split == "test"
  controls <- which(held_out & about$drug == "control")
  drugs <- setdiff(rownames(screen$molecules), "control")
  asked <- condition_grid(drug = drugs, dose = 1, cell_type = "A")
  degs <- stats::setNames(rep(list(rownames(screen$x)[1:50]), length(drugs)), drugs)
  tasks <- list(evaluate_r2 = function() {
    evaluate_r2(fit, x, preset = model$parity, split = "test", baselines = FALSE, degs = degs,
                col_data = about)
  })
  if (model$name != "cpa") return(tasks)
  each <- function(summarise) function() {
    predict(fit, x, asked, type = "variance", summarise = summarise, source = controls,
            residual = FALSE, col_data = about)
  }
  c(tasks, list(predict = each("cell"), `predict, summarised` = each("condition"),
                rank_degs = function() {
                  rank_degs(x, "drug", dose = "dose", covariates = "cell_type", control = "control",
                            col_data = about)
                },
                `to the first epoch` = function() {
                  fit_model(model, screen, bench_settings(model, options, epochs = 1))
                }))
}

# Seconds of each task, by name, without the first repetition.
repeated <- function(tasks, times) {
  seconds <- lapply(tasks, function(task) {
    vapply(seq_len(times), function(k) system.time(task())[["elapsed"]], 0)[-1]
  })
  stats::setNames(seconds, paste("compert", names(tasks), sep = ": "))
}

reference_seconds <- function(model, folder, options) {
  lines <- run_reference("predict", model, folder, options)
  split(lines$seconds, paste(model$source, lines$what, sep = ": "))
}

# How many cells each task predicts: conditions times held-out controls.
predicted_cells <- function(screen, fewest) {
  test <- screen$col_data[screen$col_data$split == "test", ]
  controls <- sum(test$drug == "control")
  treated <- test[test$drug != "control", ]
  sizes <- table(paste(treated$cell_type, treated$drug, treated$dose))
  drugs <- nrow(screen$molecules) - 1
  c(evaluate_r2 = sum(sizes >= fewest) * controls, predict = drugs * controls,
    `predict, summarised` = drugs * controls, rank_degs = nrow(screen$col_data),
    `to the first epoch` = nrow(screen$col_data))
}

predict_table <- function(model, seconds, cells) {
  who <- sub(": .*", "", names(seconds))
  what <- sub(".*?: ", "", names(seconds))
  median <- vapply(seconds, stats::median, 0)
  theirs <- median[match(paste(model$source, what, sep = ": "), names(seconds))]
  data.frame(model = model$name, what = what, party = who, seconds = median,
             slowest = vapply(seconds, max, 0), fastest = vapply(seconds, min, 0),
             cells_per_second = cells[what] / median, ratio = theirs / median, row.names = NULL)
}
