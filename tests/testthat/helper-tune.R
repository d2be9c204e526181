# Searches on the small screen that take a second or two.

tuned_settings <- function(epochs = 2, ...) {
  given <- list(epochs = epochs, autoencoder_width = 24, batch_size = 32, checkpoint_freq = 1,
                threads = 1, device = "cpu", verbose = FALSE)
  do.call(cpa_settings, utils::modifyList(given, list(...)))
}

tuned_space <- function() {
  list(dim = c(4, 8), autoencoder_lr = log_uniform(1e-3, 1e-2))
}

small_search <- function(..., x = small_cells()$x, col_data = small_cells()$col_data,
                         space = tuned_space(), trials = 4, split = "split", seed = 1,
                         settings = tuned_settings()) {
  tune_fit(x, "condition", control = "control", covariates = "cell_type", split = split,
           col_data = col_data, space = space, trials = trials, seed = seed, settings = settings,
           ...)
}

# Successive halving of nine trials: 1, 3 and 9 epochs.
small_halving <- function(..., settings = tuned_settings(9), trials = 9) {
  small_search(method = "halving", grace = 1, reduction = 3, trials = trials, settings = settings,
               ...)
}

# All of a search that is reproducible.
same_part <- function(found) {
  list(timeless(found$trials), timeless(found$rungs), timeless(found$best$history),
       found$best_trial, unclass(found$best_settings))
}

records_in <- function(dir) list.files(dir, "^trial-.*[.]rds$")
