# The registry: the coding of genes, perturbations and covariates, made once from the training
# screen and kept in the fit. Nothing about coding lives outside a fit, so two fits in one session
# cannot disturb each other. (theislab/cpa, cpa/_model.py, keeps its encoders on the class.)

# Names are sorted in C-locale order (facebookresearch/CPA sorts too: spec of its one-hot columns), levels that are
# numbers by these;
# the control is an ordinary perturbation with its own code. Codes are positions minus 1.
#
# `dose_range` is of training cells; `dose_scale` and `dose_top` are of all.
#
# `doses`: unit and transform (see doses.R). `further`: perturbations that no cell has, known by what
# their molecules are.
new_registry <- function(screen, doses = list(transform = "relative"), further = character()) {
  first <- which(!duplicated(screen$code))
  parts <- screen$parts[first]
  perturbations <- sort_names(c(unlist(parts, use.names = FALSE), screen$keys$control, further))
  whole <- dose_ranges(screen, first, perturbations)
  train <- which(screen$split == "train")
  trained <- if (is.null(screen$split)) whole else
    dose_ranges(screen, train[!duplicated(screen$code[train])], perturbations)
  # Controls have their dose wherever they are.
  trained[screen$keys$control] <- whole[screen$keys$control]
  out <- c(list(
    genes = rownames(screen$x),
    proteins = rownames(screen$proteins),
    perturbations = perturbations,
    control = screen$keys$control,
    covariates = lapply(screen$covariates, function(x) by_number(sort_names(x))),
    batch = screen$keys$batch,
    n_slots = max(lengths(parts), 1L),
    dose_range = trained,
    sep = screen$keys$sep
  ), dose_scaling(doses$transform, doses$unit, whole, screen$keys$control))
  if (length(screen$continuous)) out$continuous <- continuous_scaling(screen)
  out
}

# Lowest and highest dose of each perturbation in some cells; NA where it is in none of them.
dose_ranges <- function(screen, cells, perturbations) {
  atom <- as.character(unlist(screen$parts[cells], use.names = FALSE))
  given <- split(as.double(unlist(screen$doses[cells], use.names = FALSE)), factor(atom, perturbations))
  lapply(given, function(d) if (length(d)) range(d) else c(NA_real_, NA_real_))
}

# The design of cells or conditions in the registry's codes, 0-based: perturbation and dose are
# n_slots x n (empty slots: -1 and 0), covariates are one row per covariate of the registry.
# A covariate that is not given, or NA, is -1: "as in the cell". Continuous ones are in `covariates` too.
# A dose of NA is 1. The control as padding of a combination is dropped.
# Unknown names are one error that tells what is near and what is known.
encode_design <- function(registry, parts, doses, covariates = NULL,
                          call = rlang::caller_env()) {
  n <- length(parts)
  mixed <- which(lengths(parts) > 1)
  tidy <- tidy_pairs(parts[mixed], doses[mixed], registry$control)
  parts[mixed] <- tidy$parts
  doses[mixed] <- tidy$doses
  size <- lengths(parts)
  atom <- unlist(parts, use.names = FALSE)
  code <- match(atom, registry$perturbations)
  if (anyNA(code)) abort_unknown_perturbation(registry, atom[is.na(code)], parts, call)
  dose <- as.double(unlist(doses, use.names = FALSE))
  dose[is.na(dose)] <- 1
  n_slots <- max(registry$n_slots, size, 1)
  place <- sequence(size) + n_slots * rep(seq_len(n) - 1, size)
  perturbation <- matrix(-1L, n_slots, n)
  doses <- matrix(0, n_slots, n)
  perturbation[place] <- code - 1L
  doses[place] <- scaled_dose(registry, code, dose)
  c(list(perturbation = perturbation, dose = doses,
         covariates = encode_covariates(registry, covariates, n, call)),
    encode_continuous(registry, covariates, n), design_sizes(registry))
}

# What the codes run over, which travels with them: the core makes a new model of this size.
design_sizes <- function(registry) {
  list(n_perturbations = length(registry$perturbations),
       n_proteins = length(registry$proteins),
       covariate_levels = as.integer(lengths(registry$covariates)),
       batch_covariate = match(registry$batch %||% NA, names(registry$covariates), 0L) - 1L)
}

encode_covariates <- function(registry, covariates, n, call) {
  out <- matrix(-1L, length(registry$covariates), n)
  for (k in seq_along(registry$covariates)) {
    name <- names(registry$covariates)[k]
    if (is.null(covariates[[name]])) next
    value <- level_names(covariates[[name]])
    code <- match(value, registry$covariates[[k]])
    bad <- unique(value[is.na(code) & !is.na(value)])
    if (length(bad) > 0) abort_unknown_level(registry, name, bad, call)
    out[k, ] <- ifelse(is.na(code), -1L, code - 1L)
  }
  out
}

abort_unknown_perturbation <- function(registry, unknown, parts, call) {
  known <- setdiff(registry$perturbations, registry$control)
  whole <- parts[vapply(parts, function(p) unknown[1] %in% p, NA)][[1]]
  inside <- if (length(whole) > 1) {
    paste0(" (in ", dQuote(condition_label(list(whole), sep = registry$sep), FALSE), ")")
  } else {
    ""
  }
  meant <- names_that_hold_sep(known, unknown, whole, registry$sep)
  described <- isTRUE(registry$n_features > 0)
  label <- label_advice(unknown[1], known)
  abort_input(
    if (described) "Perturbations must be known to the fit, by cells or by molecules." else
      "Perturbations must be among those of the training screen.",
    paste0(name_list(unknown), inside, if (described) " was neither given as a molecule nor" else " was never",
           " perturbed in training."),
    c(if (length(meant)) {
      paste0(name_list(meant[1]), " holds the separator ", dQuote(registry$sep, FALSE),
             ": write condition(list(", dQuote(meant[1], FALSE), ")).")
    }, label,
    paste0(did_you_mean(unknown[1], c(known, registry$control)), "Known: ", name_list(known, 12), "; the control is ",
           dQuote(registry$control, FALSE), "."),
    if (is.null(label)) how_to_know(unknown[1], registry)),
    call = call, class = "compert_unknown_perturbation")
}

# "A@1", as tables have it, in place of condition("A", dose = 1).
label_advice <- function(label, known) {
  name <- sub("@[^@]*$", "", label)
  if (name == label || !name %in% known) return(NULL)
  dose <- sub("^.*@", "", label)
  paste0("Doses stand beside the names: condition(", dQuote(name, FALSE), ", dose = ", dose, "), for a combination ",
         "dose = c(", dose, ", ...).")
}

# What makes a fit know a perturbation.
how_to_know <- function(name, registry) {
  if (!isTRUE(registry$n_features > 0)) {
    return(paste("A fit of `chemcpa()` predicts drugs without cells, by their molecules; one of `cpa()` learns",
                 "new perturbations from cells by `fine_tune()`."))
  }
  given <- dQuote(name, FALSE)
  if (is.null(registry$feature_kind)) {
    return(paste0("Make a molecule known by `molecules`: baseline_fit(..., molecules = ) with ", given, " among them."))
  }
  if (registry$feature_kind == "matrix") {
    return(paste0("Make a molecule known by its features: add_molecules(fit, x), with a row ", given, " in x."))
  }
  paste0("Give a molecule by its SMILES: add_molecules(fit, c(", given, " = \"...\")), or, where one state is asked ",
         "for as by predict(), condition(", given, ", smiles = \"...\").")
}

# Those of `names` that were split at the separator that they hold: all pieces are `parts`, and some
# of these are `unknown`.
names_that_hold_sep <- function(names, unknown, parts, sep) {
  pieces <- split_text(names, sep)
  names[lengths(pieces) > 1 & vapply(pieces, function(p) {
    all(p %in% parts) && any(p %in% unknown)
  }, NA)]
}

abort_unknown_level <- function(registry, name, unknown, call) {
  levels <- registry$covariates[[name]]
  abort_input(
    paste0("`", name, "` must be a level of the training screen."),
    paste0(name_list(unknown), " was not in training."),
    c(paste0(did_you_mean(unknown[1], levels), "Known: ", name_list(levels, 12), "."),
      paste0("For a trained model, add_levels(fit, list(", name, " = ", dQuote(unknown[1], FALSE), ")) takes it as the ",
             "mean of the known ones; a fit of `cpa()` or `chemcpa()` learns it from cells by `fine_tune()`.")),
    call = call, class = "compert_unknown_level")
}

# The design of all cells of a screen, each distinct condition coded once.
encode_screen <- function(registry, screen, call = rlang::caller_env()) {
  first <- match(seq_len(max(screen$code, 0)), screen$code)
  used <- which(!is.na(first))
  pairs <- encode_design(registry, screen$parts[first[used]], screen$doses[first[used]],
                         call = call)
  place <- match(screen$code, used)
  c(list(perturbation = pairs$perturbation[, place, drop = FALSE],
         dose = pairs$dose[, place, drop = FALSE],
         covariates = encode_covariates(registry, screen$covariates, length(place), call)),
    encode_continuous(registry, screen$continuous, length(place)),
    if (!is.null(screen$measured)) list(measured = as.integer(screen$measured)),
    design_sizes(registry))
}

# The design of training: the cells' own, the condition of each as a class for adversaries that
# guess it (its perturbations without doses) with the classes' weights N / n - 1 (theislab/cpa), and
# the features of the perturbations.
training_design <- function(registry, screen, molecules = NULL, model = "cpa", multi_task = FALSE,
                            call = rlang::caller_env()) {
  design <- encode_screen(registry, screen, call)
  # Each label of a perturbation and its dose once, not each cell.
  first <- which(!duplicated(screen$code))
  kinds <- vapply(screen$parts[first], function(p) paste(sort_names(p), collapse = "\f"), "")
  kind <- kinds[match(screen$code, screen$code[first])]
  class <- match(kind, sort(unique(kind), method = "radix"))
  design$condition <- class - 1L
  if (isTRUE(multi_task)) design$degs <- deg_targets(screen)
  design <- c(design, continuous_bins(screen))
  design$condition_weight <- length(class) / tabulate(class) - 1
  design <- c(design, perturbation_features(molecules, registry, call))
  if (identical(model, "scgen")) design <- c(design, measured_doses(registry, screen))
  design
}

# DEGs of the training cells' conditions, doses together, 0-based; controls and held-out cells have none.
deg_targets <- function(screen) {
  cells <- which(screen$split == "train" & !screen$control)
  train <- subset_screen(screen, which(screen$split == "train"))
  key <- condition_group(screen)[cells]
  first <- cells[!duplicated(key)]
  conditions <- list(perturbation = screen$parts[first], dose = screen$doses[first],
                     covariates = screen$covariates[first, screen$keys$covariates, drop = FALSE])
  group <- rep(-1L, ncol(screen$x))
  group[cells] <- match(key, unique(key)) - 1L
  list(group = group, genes = degs_of_screen(train, conditions, 50, by_dose = FALSE))
}

# The doses of single perturbations that training cells have, in codes and as the model sees doses.
measured_doses <- function(registry, screen) {
  cells <- which(lengths(screen$parts) == 1 & screen$split == "train" & !screen$control)
  pairs <- unique(data.frame(name = unlist(screen$parts[cells]), dose = unlist(screen$doses[cells])))
  code <- match(pairs$name, registry$perturbations)
  pairs$dose[is.na(pairs$dose)] <- 1
  list(control = match(registry$control, registry$perturbations) - 1L,
       measured_perturbation = code - 1L,
       measured_dose = scaled_dose(registry, code, pairs$dose))
}
