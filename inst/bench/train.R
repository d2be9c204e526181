# Training speed of every model: our fit with the reference's sizes, our parity mode, and the
# reference itself, in turn in one run.

bench_train <- function(options) {
  if (options$epochs < 2) stop("--epochs must be 2 or more: the first epoch is not counted")
  models <- asked_models(options)
  cat(sprintf("training, %d cells x %d genes, 10 %% stored, batches of %d, %d threads, %s\n",
              options$cells, options$genes, options$batch, options$threads, La_library()))
  rates <- do.call(rbind, lapply(models, train_model, options))
  likelihoods <- likelihood_times(rates)
  rownames(rates) <- NULL
  print_table(rates)
  if (nrow(likelihoods)) {
    cat("\ntime of an epoch relative to the Gaussian likelihood\n")
    print_table(likelihoods)
  }
  notes <- reference_notes(models)
  say_notes(notes)
  list(rates = rates, likelihoods = likelihoods, notes = notes, blas = La_library())
}

print_table <- function(table) {
  table[] <- lapply(table, function(column) {
    if (!is.numeric(column)) return(column)
    ifelse(is.na(column), "", format(column, digits = 4, big.mark = ",", trim = TRUE))
  })
  lines <- utils::capture.output(print(table, row.names = FALSE, right = FALSE, width = 200))
  cat(sub(" +$", "", lines), sep = "\n")
}

train_model <- function(model, options) {
  rates <- interleave(train_parties(model, options), 2)
  say_done(model)
  rate_table(model, rates)
}

say_done <- function(model) cat(".. ", model$name, " measured\n", sep = "", file = stderr())

party_name <- function(model, parity, loss, precision) {
  paste0("compert, ", if (parity == "none") "the reference's sizes" else
           paste0("parity = \"", parity, "\""), if (precision != "float32") paste0(", ", precision),
         if (length(model$losses) > 1) paste0(", ", loss))
}

# The parties of a model by their likelihoods. Counts and their reference come first, so that they
# run one after the other.
train_parties <- function(model, options) {
  parties <- list()
  for (loss in model$losses) {
    screen <- model_screen(model, options, loss)
    for (parity in c("none", model$parity)) {
      parties <- c(parties, our_party(model, options, screen, parity, loss))
    }
    if (compert_sitrep()$built_with[["bfloat16"]]) {
      parties <- c(parties, our_party(model, options, screen, "none", loss, "bf16-mixed"))
    }
    folder <- if (loss == model$losses[1]) reference_input(model, screen)
    if (!is.null(folder)) parties <- c(parties, reference_party(model, options, folder))
  }
  parties
}

our_party <- function(model, options, screen, parity, loss, precision = "float32") {
  force(loss)
  force(screen)
  name <- party_name(model, parity, loss, precision)
  settings <- bench_settings(model, options, parity, precision = precision)
  list(function() {
    fit <- fit_model(model, screen, settings, loss)
    stats::setNames(list(epoch_rates(fit, options$cells)), name)
  })
}

reference_party <- function(model, options, folder) {
  force(folder)
  list(function() {
    lines <- run_reference("train", model, folder, options)
    variant <- ifelse(nzchar(lines$what), paste0(", ", lines$what), "")
    split(lines$cells / lines$seconds, paste0(model$source, variant))
  })
}

# `ratio` is to the reference as it is, `ratio_lean` to its fastest variant; a likelihood that the
# reference did not run has neither.
rate_table <- function(model, rates) {
  party <- names(rates)
  median <- vapply(rates, stats::median, 0)
  theirs <- startsWith(party, model$source)
  comparable <- theirs | !grepl(", (gauss|zinb)$", party)
  over <- function(rate) ifelse(comparable & any(theirs), median / rate, NA_real_)
  data.frame(model = model$name, party = party, cells_per_second = median,
             slowest = vapply(rates, min, 0), fastest = vapply(rates, max, 0),
             ratio = over(median[match(model$source, party)]),
             ratio_lean = over(max(median[theirs], -Inf)), row.names = NULL)
}

likelihood_times <- function(rates) {
  counts <- rates[grepl("^compert.*, (nb|zinb)$", rates$party), , drop = FALSE]
  gauss <- rates$cells_per_second[match(sub(", (nb|zinb)$", ", gauss", counts$party), rates$party)]
  data.frame(model = counts$model, party = counts$party, time = gauss / counts$cells_per_second)
}
