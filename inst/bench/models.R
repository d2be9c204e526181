# The models of the references with the references' sizes, and how each is fitted here.

`%||%` <- function(a, b) if (is.null(a)) b else a

# Defaults of set_hparams_() in cpa/model.py of facebookresearch/CPA.
fb_sizes <- function() {
  list(dim = 128, autoencoder_width = 128, autoencoder_depth = 3, decoder_skip = FALSE,
       adversary_width = 64, adversary_depth = 2,
       dosers_width = 128, dosers_depth = 2, reg_adversary = 60,
       penalty_adversary = 60, reg_alignment = 0, reg_counterfactual = 0, autoencoder_lr = 3e-4,
       embeddings_lr = 3e-4, adversary_lr = 3e-4)
}

# CPAModule and CPATrainingPlan of theislab/cpa.
theislab_sizes <- function() {
  list(dim = 128, autoencoder_width = 256, autoencoder_depth = 3, decoder_skip = FALSE,
       adversary_width = 64, adversary_depth = 3,
       adversary_dropout = 0.1, adversary_loss = "cce", reg_adversary = 1,
       penalty_adversary = 1, reg_alignment = 0, reg_counterfactual = 0, autoencoder_lr = 5e-4,
       embeddings_lr = 5e-4, adversary_lr = 3e-4)
}

# config/model/hparams/default.yaml of theislab/chemCPA. Its adversary_steps of 3 alternate one to
# one, because Lightning counts the steps of every optimiser: 2 here.
chemcpa_sizes <- function() {
  list(dim = 32, autoencoder_width = 256, autoencoder_depth = 4, decoder_skip = FALSE,
       adversary_width = 128, adversary_depth = 3,
       dosers_width = 64, dosers_depth = 3, embedding_encoder_width = 128,
       embedding_encoder_depth = 4, embedding_encoder_norm = "batch", reg_adversary = 9.1,
       reg_adversary_cov = 16.2, penalty_adversary = 0.455, adversary_steps = 2, clip_grad_norm = 1,
       decoder_activation = "ReLU", reg_alignment = 0, reg_counterfactual = 0,
       autoencoder_lr = 1.6e-3, embeddings_lr = 1.6e-3, adversary_lr = 1.2e-3)
}

# Defaults of ComPert and PoEComPert in MultiCPA/model.py of theislab/multicpa.
multicpa_sizes <- function() {
  list(dim = 256, autoencoder_width = 512, autoencoder_depth = 4, decoder_skip = FALSE,
       adversary_width = 128, adversary_depth = 3,
       reg_adversary = 5, penalty_adversary = 3, reg_alignment = 0,
       reg_counterfactual = 0, autoencoder_lr = 1e-3, embeddings_lr = 1e-3, adversary_lr = 3e-4)
}

# `set` goes to both of our fits, `sizes` to that without parity; `variable` names the checkout of
# `source`.
model_table <- function() {
  fb <- list(settings = cpa_settings, sizes = fb_sizes(), parity = "fb", losses = "gauss",
             variable = "CPA_REFERENCE", source = "facebookresearch/CPA", drugs = 10)
  multi <- list(settings = multicpa_settings, sizes = multicpa_sizes(), parity = "multicpa",
                losses = "gauss", variable = "MULTICPA", source = "theislab/multicpa", drugs = 10,
                proteins = 100)
  list(
    cpa = c(fb, list(set = list(doser_type = "sigm"))),
    cpa188 = utils::modifyList(fb, list(drugs = 188, set = list(doser_type = "mlp"))),
    theislab = list(settings = cpa_settings, sizes = theislab_sizes(), parity = "theislab",
                    losses = c("nb", "gauss", "zinb"), variable = "THEISLAB_CPA",
                    source = "theislab/cpa", drugs = 10, set = list(doser_type = "logsigm")),
    chemcpa = list(settings = chemcpa_settings, sizes = chemcpa_sizes(), parity = "chemcpa",
                   losses = "gauss", variable = "CHEMCPA", source = "theislab/chemCPA",
                   drugs = 188, features = 188, set = list(doser_type = "amortized")),
    multicpa = c(multi, list(set = list(fusion = "concat", variational = FALSE))),
    poe = c(multi, list(set = list(fusion = "poe", variational = TRUE)))
  )
}

# The models that --model names (all without it), each with its name.
asked_models <- function(options, of = names(model_table())) {
  names <- if (nzchar(options$model)) strsplit(options$model, ",")[[1]] else of
  if (!all(names %in% of)) stop("--model takes ", paste(of, collapse = ", "))
  Map(function(model, name) c(model, name = name), model_table()[names], names)
}

model_screen <- function(model, options, loss = model$losses[1], drugs = model$drugs) {
  synthetic_screen(options$cells, options$genes, drugs, counts = loss != "gauss",
                   n_features = model$features %||% 0, n_proteins = model$proteins %||% 0)
}

# Settings of one of our two fits: "none" with the reference's sizes, or its parity mode.
bench_settings <- function(model, options, parity = "none", epochs = options$epochs,
                           precision = "float32") {
  given <- c(if (parity == "none") model$sizes, model$set,
             list(parity = parity, precision = precision, batch_size = options$batch, epochs = epochs,
                  threads = options$threads, seed = 1, verbose = FALSE))
  do.call(model$settings, given)
}

fit_model <- function(model, screen, settings, loss = model$losses[1]) {
  common <- list(dose = "dose", covariates = "cell_type", control = "control", split = "split",
                 col_data = screen$col_data, loss = loss, settings = settings)
  fit <- function(verb, ...) quietly(do.call(verb, c(list(...), common)))
  switch(settings$model,
    cpa = fit(cpa, screen$x, "drug"),
    chemcpa = fit(chemcpa, screen$x, "drug", molecules = screen$molecules),
    multicpa = fit(multicpa, with_proteins(screen), "drug", proteins = rownames(screen$proteins),
                   protein_loss = "gauss")
  )
}

# Without what is said of small screens; a warning of a slow BLAS comes through.
quietly <- function(expr) {
  withCallingHandlers(suppressMessages(expr), compert_screen_warning = function(w) {
    invokeRestart("muffleWarning")
  })
}

# What a fit of the screen reads: genes, and proteins as further rows where there are some.
with_proteins <- function(screen) {
  if (nrow(screen$proteins) == 0) return(screen$x)
  rbind(screen$x, methods::as(screen$proteins, "CsparseMatrix"))
}

# Cells per second of each epoch but the first, from the history's clock (loading and updates, no
# evaluation). The first epoch warms up.
epoch_rates <- function(fit, n_cells) (n_cells / diff(c(0, fit$history$seconds)))[-1]
