# What a fit remembers of the screen and the run, kept as JSON inside its state.

new_meta <- function(screen, registry, settings, plan) {
  list(
    format = 1L,
    package_version = as.character(utils::packageVersion("compert")),
    model = settings$model,
    created = format(Sys.time(), "%Y-%m-%dT%H:%M:%SZ", tz = "UTC"),
    settings = run_settings(settings),
    registry = registry,
    keys = screen$keys,
    container = screen$container,
    assay = screen$assay,
    layer = screen$layer,
    scale = screen$scale,
    protein_counts = screen$protein_counts,
    n_cells = as.list(table(factor(screen$split, c("train", "test", "ood")))),
    cells = hash_names(colnames(screen$x)),
    conditions = seen_conditions(screen),
    degs = plan_gene_names(plan, registry),
    seed = settings$seed,
    # Held-out evidence: see the accuracy tables. Proteins are better decoded; the references decode.
    residual = identical(settings$parity, "none") && settings$model != "multicpa"
  )
}

run_settings <- function(settings) {
  values <- unclass(settings)
  attributes(values) <- list(names = names(values))
  values[setdiff(names(values), "verbose")]
}

# One entry per distinct condition x covariates (batch included) x split: what the model saw.
seen_conditions <- function(screen) {
  group <- paste(condition_group(screen, names(screen$covariates)), screen$split, sep = "\u001d")
  first <- which(!duplicated(group))
  order <- do.call(order, c(unname(as.list(screen$covariates[first, , drop = FALSE])),
                            list(condition_key(screen$parts[first], screen$doses[first]),
                                 screen$split[first]), method = "radix"))
  first <- first[order]
  list(
    label = condition_label(screen$parts[first], shown_doses(screen$doses[first], screen$keys),
                            screen$keys$sep),
    parts = screen$parts[first],
    doses = screen$doses[first],
    covariates = as.list(screen$covariates[first, , drop = FALSE]),
    split = screen$split[first],
    control = screen$control[first],
    n_cells = tabulate(match(group, group[first]), length(first))
  )
}

# The DEGs of the scored conditions, by name.
plan_gene_names <- function(plan, registry) {
  if (is.null(plan)) return(list())
  list(parts = plan$conditions$perturbation, doses = plan$conditions$dose,
       covariates = as.list(plan$conditions$covariates),
       genes = lapply(plan$degs, function(g) registry$genes[g + 1L]))
}

# Vectors stay vectors through JSON: everything that may have one element is kept from unboxing. Lists of
# single values, as of ten thousand knockouts, are written as one vector, which takes a hundredth of the time.
meta_to_json <- function(meta) {
  for (part in c("conditions", "degs")) {
    for (name in intersect(c("parts", "doses"), names(meta[[part]]))) {
      values <- meta[[part]][[name]]
      if (length(values) && all(lengths(values) == 1L)) meta[[part]][[name]] <- unlist(values)
    }
  }
  keep <- function(x) {
    if (is.list(x)) return(lapply(x, keep))
    if (is.null(x)) x else I(x)
  }
  meta$registry$covariates <- as_object(meta$registry$covariates)
  meta$registry$dose_range <- as_object(meta$registry$dose_range)
  meta$conditions$covariates <- as_object(meta$conditions$covariates)
  if (length(meta$degs)) meta$degs$covariates <- as_object(meta$degs$covariates)
  vectors <- c("registry", "keys", "conditions", "degs")
  meta[vectors] <- lapply(meta[vectors], keep)
  scalars <- list(registry = c("control", "batch", "n_slots", "sep", "n_features", "feature_kind",
                               "dose_unit", "dose_transform", "dose_top"),
                  keys = setdiff(names(meta$keys), c("covariates", "continuous", "proteins", "columns")))
  for (part in names(scalars)) {
    for (name in intersect(scalars[[part]], names(meta[[part]]))) {
      value <- meta[[part]][[name]]
      if (!is.null(value)) meta[[part]][[name]] <- unclass(value)
    }
  }
  as.character(jsonlite::toJSON(meta, auto_unbox = TRUE, digits = I(17), null = "null",
                                na = "null"))
}

# An empty list is an empty object, not an empty array.
as_object <- function(x) {
  if (length(x) == 0) return(rlang::set_names(list(), character()))
  as.list(x)
}

# jsonlite makes a missing value of a lone "NA", which may be a name. None is missing here.
as_names <- function(x) {
  x <- as.character(x)
  x[is.na(x)] <- "NA"
  x
}

# What the core hands out has no mark of its encoding, and fromJSON() marks texts as it finds them.
read_json <- function(json) {
  jsonlite::fromJSON(as_utf8(json), simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
}

meta_from_json <- function(json) {
  meta <- read_json(json)
  texts <- function(x) lapply(x, as_names)
  meta$registry$genes <- as.character(meta$registry$genes)
  for (name in intersect(c("genes_inner", "feature_names"), names(meta$registry))) {
    meta$registry[[name]] <- as.character(meta$registry[[name]])
  }
  if (!is.null(meta$registry$proteins)) {
    meta$registry$proteins <- as.character(meta$registry$proteins)
    meta$keys$proteins <- as.character(meta$keys$proteins)
  }
  meta$registry$covariates <- texts(meta$registry$covariates)
  meta$registry$dose_range <- lapply(meta$registry$dose_range, as.double)
  numbers <- c("dose_scale", "dose_top")
  meta$registry[numbers] <- lapply(meta$registry[numbers], as.double)
  if (!is.null(meta$registry$continuous)) {
    meta$registry$continuous <- lapply(meta$registry$continuous, as.double)
    meta$keys$continuous <- as_names(meta$keys$continuous)
  }
  meta$keys$covariates <- as_names(meta$keys$covariates)
  if (!is.null(meta$keys$columns)) meta$keys$columns <- lapply(meta$keys$columns, as_names)
  meta$keys$control_dose <- as.double(meta$keys$control_dose)
  for (part in c("conditions", if (length(meta$degs)) "degs")) {
    meta[[part]]$parts <- texts(meta[[part]]$parts)
    meta[[part]]$doses <- lapply(meta[[part]]$doses, as.double)
    meta[[part]]$covariates <- texts(meta[[part]]$covariates)
  }
  if (length(meta$degs)) meta$degs$genes <- lapply(meta$degs$genes, as.character)
  # Without any conditions these are empty lists.
  meta$conditions[c("label", "split")] <- texts(meta$conditions[c("label", "split")])
  meta$conditions$control <- as.logical(meta$conditions$control)
  meta$conditions$n_cells <- as.integer(meta$conditions$n_cells)
  meta
}
