# Run by every task of fit_slurm.sh: all read the same cells and make the same fit together.

library(compert)

checkpoint <- "fit-checkpoint.h5" # in a folder that all nodes see
epochs <- 100

cells <- kang_example() # your own: read_h5ad("screen.h5ad")

# All tasks look before any of them trains: they join the group first, and the checkpoint is written
# later.
if (file.exists(checkpoint)) {
  # One that `patience` has stopped trains until its next score, and stops again.
  fit <- load_fit(checkpoint)
  left <- epochs - nrow(fit$history)
  if (left > 0) {
    fit <- resume_fit(fit, cells, left, distributed = TRUE, checkpoint = checkpoint)
  }
} else {
  fit <- cpa(
    cells, "condition", covariates = "cell_type", control = "control", split = "split",
    settings = cpa_settings(
      epochs = epochs,
      batch_size = 512, # of all tasks together
      distributed = TRUE,
      seed = 1,         # each task would draw its own
      checkpoint = checkpoint
    )
  )
}

# All tasks hold the same fit; one of them keeps it.
if (Sys.getenv("SLURM_PROCID", "0") == "0") save_fit(fit, "fit.h5", overwrite = TRUE)
