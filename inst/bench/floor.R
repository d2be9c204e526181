# What training needs at least: the matrix products of its layers, each at the rate that its shape reaches
# here on its own, one pass over the decoder's outputs and one over what Adam reads and writes, at the
# rate of memory. Measured before and after every fit that it is compared with.
#
# Needed is what the objective and the alternation ask for: no decoder and no gradient of the
# encoder in the adversaries' steps, no gradient to the data, dosers only of the drug that a cell
# has, embeddings looked up. The first layer counts in full, and in a second column only where
# values are stored.

bench_floor <- function(options) {
  models <- asked_models(options)
  table <- do.call(rbind, lapply(models, floor_row, options))
  rownames(table) <- NULL
  cat(sprintf("floor: %d genes, batches of %d, %d threads; products of each layer's shape, passes over %s\n",
              options$genes, options$batch, options$threads, "outputs and parameters at memory's rate"))
  print_table(table)
  list(rates = table, blas = La_library())
}

# The machine is not equally fast all the time: floor and fit in turn, and the median of their ratios.
floor_row <- function(model, options, rounds = 5) {
  settings <- bench_settings(model, options)
  settings$loss_ae <- model$losses[1]
  products <- needed_products(model, settings, options)
  bytes <- needed_bytes(model, settings, options)
  screen <- model_screen(model, options)
  cycle_cells <- options$batch * settings$adversary_steps
  flop <- sum(2 * products$rows * products$inner * products$outer * products$times)
  before <- floor_seconds(products, bytes, options)
  each <- vapply(seq_len(rounds), function(round) {
    fit <- fit_model(model, screen, bench_settings(model, options))
    after <- floor_seconds(products, bytes, options)
    seconds <- (before + after) / 2
    before <<- after
    needs <- cycle_cells / stats::median(epoch_rates(fit, options$cells))
    c(cycle_cells / c(needs, seconds[["dense"]], seconds[["sparse"]]),
      needs / c(seconds[["dense"]], seconds[["sparse"]]), flop / seconds[["products"]] / 1e9)
  }, numeric(6))
  each <- apply(each, 1, stats::median)
  data.frame(model = model$name, MFLOP_per_cell = flop / cycle_cells / 1e6, GFLOP_per_s = each[6],
             cells_per_second = each[1], floor = each[2], floor_sparse = each[3],
             times_floor = each[4], times_floor_sparse = each[5])
}

# Seconds of one turn of the alternation: all products, with the passes, and the same with a first layer
# that is only counted where values are stored.
floor_seconds <- function(products, bytes, options) {
  shapes <- unique(products[c("kind", "rows", "inner", "outer")])
  each <- compert:::core_product_seconds(as.matrix(shapes), options$threads)
  key <- function(p) do.call(paste, p[c("kind", "rows", "inner", "outer")])
  took <- each[match(key(products), key(shapes))] * products$times
  passes <- bytes / compert:::core_memory_rate(options$threads)
  c(products = sum(took), dense = sum(took) + passes, sparse = sum(took * products$stored) + passes)
}

# Layers of the networks of a model: inputs, hidden ones, outputs. A product of experts has three latents,
# its own and the joint one decoded, all with adversaries.
model_networks <- function(model, s, genes) {
  proteins <- model$proteins %||% 0
  hidden <- rep(s$autoencoder_width, s$autoencoder_depth)
  experts <- identical(s$fusion, "poe") && proteins > 0
  parts <- if (experts) c(genes, proteins) else genes + proteins
  list(
    encoders = lapply(parts, function(n) c(n, hidden, s$dim * (1 + s$variational))),
    # Stored values are those of genes; proteins are dense.
    stored = if (experts) c(0.1, 1) else (0.1 * genes + proteins) / parts,
    decoders = lapply(parts, function(n) c(s$dim, hidden, n * heads_per_feature(s$loss_ae))),
    adversaries = lapply(c(model$drugs, 3), function(classes) {
      c(s$dim, rep(s$adversary_width, s$adversary_depth), classes)
    }),
    latents = if (experts) 3 else 1, decodings = if (experts) 2 else 1
  )
}

# Products of one turn of the alternation: kind (0 forward, 1 gradient of the weight, 2 of the input),
# rows, units, how often, and the share of values that are stored.
needed_products <- function(model, s, options) {
  n <- model_networks(model, s, options$genes)
  turns <- s$adversary_steps - 1
  of_all <- function(networks, ...) do.call(rbind, lapply(networks, network_products, options$batch, ...))
  encoders <- function(kinds, times) {
    do.call(rbind, Map(function(sizes, stored) {
      network_products(sizes, options$batch, kinds, times, data = TRUE, stored = stored)
    }, n$encoders, n$stored))
  }
  rbind(
    encoders(0:2, 1), of_all(n$decoders, times = n$decodings),
    of_all(perturbation_networks(model, s)$sizes, data = TRUE),
    of_all(n$adversaries, kinds = c(0, 2), times = n$latents),
    encoders(0, turns),
    # Forward, both gradients, and the penalty: a gradient to the latent and what goes back through it.
    of_all(n$adversaries, times = n$latents * turns),
    of_all(n$adversaries, kinds = c(0, 1, 2, 2), times = n$latents * turns)
  )
}

# Of a network with these layers; with `data` there is no gradient to its input, of which a share `stored`
# is read.
network_products <- function(sizes, rows, kinds = 0:2, times = 1, data = FALSE, stored = 1) {
  layers <- data.frame(inner = utils::head(sizes, -1), outer = sizes[-1], stored = 1)
  layers$stored[1] <- stored
  all <- do.call(rbind, lapply(kinds, function(kind) {
    used <- if (data && kind == 2) layers[-1, ] else layers
    cbind(kind = rep(kind, nrow(used)), rows = rep(rows, nrow(used)), used)
  }))
  cbind(all, times = rep(times, nrow(all)))
}

# Means and a second parameter of every feature; the negative binomial's is one per gene.
heads_per_feature <- function(loss) if (loss == "nb") 1 else 2

# Layers of dosers and of the encoder of molecules, and of how many networks a cell runs one.
perturbation_networks <- function(model, s) {
  dosers <- rep(s$dosers_width, s$dosers_depth)
  embedding <- rep(s$embedding_encoder_width, s$embedding_encoder_depth)
  switch(s$doser_type,
    mlp = list(sizes = list(c(1, dosers, 1)), networks = model$drugs),
    amortized = list(sizes = list(c(model$features + 1, dosers, 1), c(model$features, embedding, s$dim)),
                     networks = 1),
    list(sizes = list(), networks = 1)
  )
}

# Of one turn: outputs are written and read, and Adam reads four and writes three values per parameter,
# also of the dosers of drugs that the batch has not.
needed_bytes <- function(model, s, options) {
  n <- model_networks(model, s, options$genes)
  of_perturbations <- perturbation_networks(model, s)
  weights <- function(networks) {
    sum(vapply(networks, function(sizes) sum(utils::head(sizes, -1) * sizes[-1]), 0))
  }
  parameters <- weights(n$encoders) + weights(n$decoders) +
    weights(of_perturbations$sizes) * of_perturbations$networks +
    weights(n$adversaries) * (s$adversary_steps - 1)
  outputs <- options$batch * n$decodings * sum(vapply(n$decoders, utils::tail, 0, 1))
  4 * (2 * outputs + 7 * parameters)
}
