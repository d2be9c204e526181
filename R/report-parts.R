# What a report is put together from: tables and vectors, each computed once; pictures are drawn by the
# template.

# Most cells of embeddings, most rows of tables, most vectors of a heat map.
report_limits <- function() list(cells = 4000L, rows = 20L, vectors = 30L)

# `reading`: how the cells are read (assay, layer, col_data, missing_genes). `evaluate`: further arguments
# of evaluate_r2(). What could not be computed is NULL, and said in `notes`, beside all warnings.
new_report <- function(fit, x, reading = list(), evaluate = list(), call = rlang::caller_env()) {
  if (rlang::is_string(x) && file.exists(x)) x <- normalizePath(x)
  notes <- new.env(parent = emptyenv())
  report <- list(fit = fit, cells = x, reading = reading, evaluate = evaluate, notes = notes)
  screen <- noting(notes, read_newdata(
    fit, x, reading$assay, reading$layer, reading$col_data, reading$missing_genes %||% "error",
    need = measured_roles(),
    split = if (is.null(evaluate$condition)) no_split_todo, call = call
  ))
  split <- evaluation_split(fit, screen, condition = TRUE)
  report$n_cells <- ncol(screen$x)
  report$check <- attempt(notes, check_of_fit(fit, x, reading))
  if (!is.null(split) || !is.null(evaluate$condition)) {
    report$scores <- noting(notes, rlang::inject(evaluate_r2(fit, x, !!!evaluate, !!!reading)))
  }
  report$sample <- report_sample(fit, screen)
  report$disentangled <- attempt(notes, report_disentanglement(fit, screen, split))
  report$vectors <- report_vectors(fit)
  report$levels <- report_levels(fit)
  report$unmeasured <- attempt(notes, report_unmeasured(fit))
  report$doses <- report_doses(fit)
  if (any(lengths(screen$parts) == 2L)) {
    report$pairs <- attempt(notes, rlang::inject(interaction_table(fit, x, !!!reading)))
  }
  structure(report, class = "compert_report")
}

# The report that the template's parameters ask for: files or objects, where none is ready.
report_from <- function(params) {
  if (inherits(params$report, "compert_report")) return(params$report)
  fit <- if (is.character(params$fit)) load_fit(params$fit) else params$fit
  cells <- params$cells
  if (rlang::is_string(cells) && grepl("[.]rds$", cells, ignore.case = TRUE)) cells <- readRDS(cells)
  options <- as.list(params$options)
  how <- intersect(c("assay", "layer", "col_data", "missing_genes"), names(options))
  new_report(fit, cells, options[how], report_arguments(options[setdiff(names(options), how)]))
}

# Evaluates `expr`; its warnings go to the notes of the report, and messages nowhere.
noting <- function(notes, expr) {
  withCallingHandlers(expr, warning = function(cnd) {
    note_down(notes, cnd)
    invokeRestart("muffleWarning")
  }, message = function(cnd) invokeRestart("muffleMessage"))
}

note_down <- function(notes, cnd) {
  text <- gsub("\\s+", " ", cli::ansi_strip(conditionMessage(cnd)))
  notes$text <- union(notes$text, text)
}

# The same of a part that a report can do without: what the cells do not allow is NULL.
attempt <- function(notes, expr) {
  tryCatch(noting(notes, expr), compert_input_error = function(cnd) {
    note_down(notes, cnd)
    NULL
  })
}

# check_screen() with the columns, and the assay, of the fit, and with what its model computes.
check_of_fit <- function(fit, x, reading) {
  meta <- fit$meta
  keys <- keys_of_training(meta, container_kind(x))
  rna <- new_keys(
    given_columns(keys, "perturbation"), given_columns(keys, "dose"), if (length(keys$covariates)) keys$covariates,
    control_names(keys), keys$batch, keys$split, reading$assay %||% keys$assay, reading$layer %||% keys$layer, keys$loss,
    keys$sep, keys$continuous
  )
  both <- if (is.null(meta$registry$proteins)) rna else
    with_protein_keys(rna, keys$proteins, meta$settings$protein_loss, keys$protein_assay)
  read <- read_both(x, both, rna, reading$col_data)
  look_at_screen(read, all_defects(read, computed_perturbations(fit),
                                   identical(meta$registry$dose_transform, "none") && meta$model != "scgen"))
}

# Perturbations whose vectors are not learned from cells of their own: they have molecules, or scGen takes the
# mean of the others.
computed_perturbations <- function(fit) {
  names <- fit$meta$registry$perturbations
  if (fit$meta$model == "scgen") return(names)
  if (!isTRUE(fit$meta$registry$n_features > 0)) return(character())
  has <- core_weights(fit$state)[["perturbation_has_features"]]
  if (is.null(has)) names else names[as.vector(has) > 0]
}

some_cells <- function(cells) {
  most <- report_limits()$cells
  if (length(cells) <= most) cells else sort(with_stream(1L, sample(cells, most)))
}

# Embeddings of a sample of the cells, and what they are coloured by.
report_sample <- function(fit, screen) {
  cells <- some_cells(seq_len(ncol(screen$x)))
  some <- subset_screen(screen, cells)
  labels <- latent_labels(fit, some, FALSE)
  control <- fit$meta$registry$control
  batch <- fit$meta$registry$batch
  # One level has nothing to show.
  several <- setdiff(names(Filter(function(v) length(unique(v)) > 1L, labels[-1L])), batch)
  list(
    n = length(cells), of = ncol(screen$x), basal = embed_screen(fit, some, "basal"),
    treated = embed_screen(fit, some, "treated"),
    corrected = if (!is.null(batch)) embed_screen(fit, some, "corrected"),
    perturbation = main_groups(labels[[1L]], control),
    covariate = if (length(several)) main_groups(labels[[several[1L]]]),
    by = c(perturbation = "perturbation", covariate = several[1L]),
    batch = if (!is.null(batch)) main_groups(labels[[length(labels)]])
  )
}

# Names in the order of their frequency, the first of them `control`; from the eighth on they are one group.
main_groups <- function(names, control = NULL, most = 7L) {
  order <- names(sort(table(names), decreasing = TRUE))
  order <- union(intersect(control, order), order)
  groups <- main_and_rest(as.character(names), if (length(order) > most + 1L) order[seq_len(most)] else order)
  # Long names would leave no room for the picture.
  levels(groups) <- make.unique(short_names(levels(groups), 16L), " ")
  groups
}

# Of test cells, if there are enough of them for most perturbations. The nearest neighbours name many
# classes in no time.
report_disentanglement <- function(fit, screen, split) {
  test <- which(split %in% "test")
  sizes <- table(latent_labels(fit, subset_screen(screen, test), FALSE)$perturbation)
  tested <- length(test) >= 50L && length(sizes) > 1L && stats::median(sizes) >= 5
  cells <- some_cells(if (tested) test else seq_len(ncol(screen$x)))
  some <- subset_screen(screen, cells)
  classes <- lengths(lapply(latent_labels(fit, some, FALSE), unique))
  classifier <- if (max(classes) > 40L) "knn" else "linear"
  table <- disentangle_screen(fit, some, classifier)
  table$treated <- disentangle_screen(fit, some, classifier, which = "treated")$score
  list(table = table, tested = tested, classifier = classifier)
}

# Vectors of the perturbations, the longest first; NULL where there are too few to compare.
report_vectors <- function(fit) {
  names <- setdiff(fit$meta$registry$perturbations, fit$meta$registry$control)
  z <- perturbation_embedding(fit, names)
  length <- sqrt(rowSums(z^2))
  z <- z[order(-length), , drop = FALSE]
  list(names = rownames(z), n = nrow(z),
       shown = if (nrow(z) >= 3L) utils::head(z, report_limits()$vectors))
}

# The vectors of the covariate that has the most levels, of three or more.
report_levels <- function(fit) {
  levels <- fit$meta$registry$covariates
  if (length(levels) == 0L || max(lengths(levels)) < 3L) return(NULL)
  name <- names(levels)[which.max(lengths(levels))]
  z <- covariate_embedding(fit, name)
  if (nrow(z) > report_limits()$vectors) return(NULL)
  list(name = name, shown = z)
}

# Single perturbations that have several trained doses, the longest vector first, and the gene space that
# is cheap enough to draw.
report_doses <- function(fit, most = 6L) {
  if (is.null(fit$meta$keys$dose)) return(NULL)
  seen <- trained_conditions(fit)
  doses <- split(unlist(seen$doses), factor(unlist(seen$parts)))
  doses <- lapply(doses[setdiff(names(doses), fit$meta$registry$control)],
                  function(d) sort(unique(d[d > 0])))
  several <- names(doses)[lengths(doses) > 1L]
  if (length(several) == 0L) return(NULL)
  names <- intersect(report_vectors(fit)$names, several)
  span <- range(unlist(doses[utils::head(names, most)]))
  list(names = utils::head(names, most), n = length(names), log = span[2L] >= 10 * span[1L])
}

# Pairs of a single perturbation and covariates that no cell was measured under, with their distances to
# the training, the farthest first.
report_unmeasured <- function(fit, most = 5000L) {
  registry <- fit$meta$registry
  names <- setdiff(registry$perturbations, registry$control)
  levels <- registry$covariates[condition_covariates(fit)]
  if (length(names) * prod(lengths(levels)) > most) return(NULL)
  asked <- new_condition(as.list(names), as.list(strongest_doses(fit, names)))
  targets <- every_level(fit, make_targets(fit, asked))
  measured <- fit$meta$conditions
  covariates <- list2DF(as.list(measured$covariates), length(measured$label))
  # At any dose: what else was measured of a pair tells of it.
  parts <- function(of) place_key(list(parts = of$parts, doses = lapply(of$parts, function(p) 1),
                                       covariates = of$covariates[names(levels)]))
  single <- lengths(measured$parts) == 1L
  known <- parts(list(parts = measured$parts[single], covariates = covariates[single, , drop = FALSE]))
  open <- !parts(targets) %in% known
  if (!any(open)) return(NULL)
  cells <- measured$n_cells[measured$split == "train"]
  min_cells <- min(31L, max(1L, floor(stats::median(cells))))
  table <- prediction_uncertainty(fit, asked, min_cells = min_cells)[open, ]
  table <- table[order(-table$cosine), ]
  seen <- match("seen", names(table))
  own <- own_words(table[seq_len(seen - 1L)], !is.null(fit$meta$keys$dose))
  structure(list2DF(c(own, as.list(table[-seq_len(seen)])), nrow(table)), min_cells = min_cells)
}

# Curves of the three genes that the first of the dosed perturbations changed most, with what was measured;
# NULL where there are too many cells for it.
report_dose_genes <- function(report, most = 2e9) {
  fit <- report$fit
  if (report$n_cells * length(fit$meta$registry$genes) * 20 > most) return(NULL)
  name <- report$doses$names[1L]
  ask <- function(verb, ...) rlang::inject(verb(fit, report$cells, perturbation = name, ..., !!!report$reading))
  all <- ask(observed_response, genes = fit$meta$registry$genes)
  top <- all[all$dose == max(all$dose), ]
  change <- sort(tapply(abs(top$difference), top$gene, mean), decreasing = TRUE)
  genes <- names(change)[seq_len(min(3L, length(change)))]
  curve <- ask(dose_response, space = "genes", genes = genes, n_points = 8L)
  list(name = name, curve = curve, observed = all[all$gene %in% genes, ])
}
