# What tests of several processes share.

skip_without_gloo <- function() {
  skip_without(.Platform$OS.type == "unix", "processes of Unix")
  skip_without(core_build_info()$c10d, "Gloo")
}

# Runs in every process, without anything of this one but its arguments.
in_processes <- function(fun) {
  environment(fun) <- globalenv()
  fun
}

fit_of_group <- in_processes(function(cells, settings, verb = "cpa", ...) {
  get(verb)(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
            col_data = cells$col_data, ..., settings = settings)
})

group_settings <- function(..., made_by = cpa_settings) {
  given <- list(epochs = 3, dim = 8, autoencoder_width = 24, batch_size = 33, checkpoint_freq = 1,
                threads = 1, device = "cpu", seed = 11, verbose = FALSE)
  do.call(made_by, utils::modifyList(given, list(...)))
}
