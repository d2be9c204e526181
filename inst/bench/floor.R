# What training needs at least: the floating-point operations of the layers, at the rate that large
# matrix products reach here.
#
# Needed is what the objective and the alternation ask for: no decoder and no gradient of the
# encoder in the adversaries' steps, no gradient to the data, dosers only of the drug that a cell
# has, embeddings looked up. The first layer counts in full, and in a second column only where
# values are stored.

bench_floor <- function(options) {
  models <- asked_models(options)
  table <- do.call(rbind, lapply(models, floor_row, options))
  rate <- product_rate()
  table$floor <- rate / (table$MFLOP_per_cell * 1e6)
  table$floor_sparse <- rate / (table$MFLOP_sparse * 1e6)
  table$of_floor <- table$cells_per_second / table$floor
  table$of_floor_sparse <- table$cells_per_second / table$floor_sparse
  rownames(table) <- NULL
  cat(sprintf("floor: %d genes, single-precision products at %.0f GFLOP/s, batches of %d\n",
              options$genes, rate / 1e9, options$batch))
  print_table(table)
  list(rates = table, GFLOPs = rate / 1e9, blas = La_library())
}

# Operations per second of large products, by the BLAS that R and, on Debian, LibTorch share.
# Vectors hold twice as many numbers in the single precision of training as in R's double.
product_rate <- function() {
  a <- matrix(stats::rnorm(2000 * 2000), 2000)
  seconds <- min(replicate(4, system.time(a %*% a)[["elapsed"]]))
  2 * 2 * 2000^3 / seconds
}

floor_row <- function(model, options) {
  settings <- bench_settings(model, options)
  fit <- fit_model(model, model_screen(model, options), settings)
  settings$loss_ae <- model$losses[1]
  need <- needed_flop(model, settings, options$genes)
  sparse <- needed_flop(model, settings, options$genes, stored = 0.1)
  data.frame(model = model$name, generator = need[["generator"]] / 1e6,
             adversary = need[["adversary"]] / 1e6, MFLOP_per_cell = need[["average"]] / 1e6,
             MFLOP_sparse = sparse[["average"]] / 1e6,
             cells_per_second = stats::median(epoch_rates(fit, options$cells)))
}

# Multiply-adds of one cell through a network: c(all layers, the first one alone).
network_macs <- function(sizes) {
  layers <- utils::head(sizes, -1) * sizes[-1]
  c(all = sum(layers), first = layers[1])
}

# A network that is trained: forward, gradients of weights and of inputs, the last not to the data
# (`data`), of which a share `stored` is read.
trained_macs <- function(sizes, data = FALSE, stored = 1) {
  macs <- network_macs(sizes)
  if (!data) return(3 * macs[["all"]])
  3 * (macs[["all"]] - macs[["first"]]) + 2 * stored * macs[["first"]]
}

needed_flop <- function(model, s, genes, stored = 1) {
  proteins <- model$proteins %||% 0
  hidden <- rep(s$autoencoder_width, s$autoencoder_depth)
  parts <- if (identical(s$fusion, "poe") && proteins > 0) c(genes, proteins) else genes + proteins
  encoders <- lapply(parts, function(n) c(n, hidden, s$dim * (1 + s$variational)))
  decoders <- lapply(parts, function(n) c(s$dim, hidden, n * heads_per_feature(s$loss_ae)))
  # A product of experts has three latents, its own and the joint one decoded, all with adversaries.
  calls <- if (length(parts) > 1) 2 else 1
  latents <- if (length(parts) > 1) 3 else 1
  # Stored values are those of genes; proteins are dense.
  share <- stored_share(parts, genes, proteins, stored)
  adversary <- sum(vapply(c(model$drugs, 3), function(classes) {
    network_macs(c(s$dim, rep(s$adversary_width, s$adversary_depth), classes))[["all"]]
  }, 0)) * latents
  generator <- sum(mapply(trained_macs, encoders, TRUE, share)) +
    calls * sum(vapply(decoders, trained_macs, 0)) + perturbation_macs(model, s) + 2 * adversary
  # Forward, two gradients, and the penalty: a gradient to the latent and what goes back through it.
  forward <- sum(mapply(function(sizes, share) {
    macs <- network_macs(sizes)
    macs[["all"]] - (1 - share) * macs[["first"]]
  }, encoders, share))
  adversarial <- forward + 7 * adversary
  steps <- s$adversary_steps - 1
  flop <- 2 * c(generator = generator, adversary = adversarial)
  c(flop, average = (flop[["generator"]] + steps * flop[["adversary"]]) / (1 + steps))
}

stored_share <- function(parts, genes, proteins, stored) {
  if (length(parts) > 1) return(c(stored, 1))
  (genes * stored + proteins) / parts
}

# Means and a second parameter of every feature; the negative binomial's is one per gene.
heads_per_feature <- function(loss) if (loss == "nb") 1 else 2

# Dosers and the encoder of molecules.
perturbation_macs <- function(model, s) {
  dosers <- rep(s$dosers_width, s$dosers_depth)
  embedding <- rep(s$embedding_encoder_width, s$embedding_encoder_depth)
  switch(s$doser_type,
    mlp = trained_macs(c(1, dosers, 1)),
    amortized = trained_macs(c(model$features + 1, dosers, 1), data = TRUE) +
      trained_macs(c(model$features, embedding, s$dim), data = TRUE),
    0
  )
}
