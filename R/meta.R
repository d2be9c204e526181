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
  order <- do.call(order, c(lapply(unname(as.list(screen$covariates[first, , drop = FALSE])), level_rank),
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

# What JSON cannot tell of values: that those of one element are vectors, and the types of those of none. "text[]"
# is a list of vectors, one per condition, and "text{}" one by names. All that is not named here is a single value.
meta_types <- list(
  registry = c(genes = "text", genes_inner = "text", proteins = "text", perturbations = "text",
               covariates = "text{}", continuous = "number{}", dose_range = "number{}", dose_scale = "number",
               dose_top = "number", feature_names = "text"),
  keys = c(covariates = "text", continuous = "text", proteins = "text", columns = "text{}", degs = "text{}",
           control_dose = "number", further_controls = "text"),
  conditions = c(label = "text", parts = "text[]", doses = "number[]", covariates = "text{}", split = "text",
                 control = "flag", n_cells = "integer"),
  degs = c(parts = "text[]", doses = "number[]", covariates = "text{}", genes = "text[]")
)

# `meta` with every value of these types as `convert(value, type, form)` makes it; the form is "", "[]" or "{}".
convert_meta <- function(meta, convert) {
  for (part in names(meta_types)) {
    types <- meta_types[[part]]
    for (name in intersect(names(types), names(Filter(Negate(is.null), meta[[part]])))) {
      meta[[part]][[name]] <- convert(meta[[part]][[name]], gsub("[^a-z]", "", types[[name]]),
                                      gsub("[a-z]", "", types[[name]]))
    }
  }
  meta
}

# Lists of single values, as of ten thousand knockouts, are written as one vector, which takes a hundredth of the
# time.
meta_to_json <- function(meta) {
  meta <- convert_meta(meta, function(value, type, form) {
    if (form == "{}") return(lapply(as_object(value), I))
    if (form == "[]" && length(value) && all(lengths(value) == 1L)) value <- unlist(value)
    if (is.list(value)) lapply(value, I) else I(value)
  })
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
  convert_meta(read_json(json), function(value, type, form) {
    typed <- switch(type, text = as_names, number = as.double, integer = as.integer, flag = as.logical)
    if (nzchar(form)) lapply(value, typed) else typed(value)
  })
}
