#' Latent vectors of cells, perturbations and covariates
#'
#' `cell_embedding()` gives the latent state of cells, `perturbation_embedding()` the vector that a
#' perturbation at a dose adds to it, `covariate_embedding()` the vector that a covariate level
#' adds. They live in one space of d dimensions (`dim` in [cpa_settings()]), without units.
#'
#' @details
#' With z the encoder's output, v_j the embedding of perturbation j, h_j its dose response and e_k
#' the embedding of covariate level k (of a continuous covariate `f_k(value) e_k`, see [cpa()]): `"basal"` is z;
#' `"treated"` is `z + sum_j h_j(dose_j) v_j + sum_k e_k` under each cell's own condition; `"corrected"` is
#' `"treated"` without the batch's vector.
#' With a `condition` the states are those that its source cells have under it, which
#' [predict()][predict.compert_fit] decodes.
#' A perturbation's vector at dose u is h_j(u) v_j; that of a combination is the sum. Doses are in the
#' screen's unit; h_j scales them as [cpa()] says.
#'
#' @param fit A `compert_fit`.
#' @param x Cells in any container that [cpa()] takes.
#' @param which `"basal"`, `"treated"` or `"corrected"`; or `"custom"`, the basal state with the parts
#'   that `add` names.
#' @param add As in [reconstruct()], for `which = "custom"` only.
#' @param ... Must be empty: later arguments are given by name.
#' @param condition A [condition()] or [condition_grid()] under which the states are asked for, `NULL` for each
#'   cell's own. As in [predict()][predict.compert_fit], whatever it leaves out stays as it is in each cell.
#' @param source With a `condition` the cells that it starts from, as in [predict()][predict.compert_fit]: by
#'   default the controls of `x` with the covariates of the condition.
#' @param assay,layer,col_data As in [cpa()]; `NULL` reads the assay and layer that training read, of
#'   another kind of container what is usual there.
#' @param missing_genes `"error"`, or `"zero"` to take up to a tenth of the fit's genes as 0 when
#'   the cells lack them.
#' @param perturbation Names of perturbations, a [condition()] (for doses; names of combinations are one), or
#'   `NULL` for all, control included.
#' @param dose One dose for all, or one per name. `NULL`: of each perturbation the highest dose that
#'   training saw, of one without training cells what corresponds to the highest of all others (where
#'   doses are relative, the same share of its own highest), of the control its own (with the `parity`
#'   of a reference 1 for all, as there). Not used with a [condition()], which says its doses as in
#'   [predict()][predict.compert_fit].
#' @param covariate Name of one covariate; names of several, whose vectors are added up for every
#'   combination of their levels; or `NULL` for all, one by one.
#'   A continuous covariate has one vector, what it adds where f is 1: of a linear one, a standard deviation above
#'   the mean.
#' @return `cell_embedding()`: matrix, cells x d; with a `condition` a row per condition and source cell,
#'   condition by condition, with the names that [predict()][predict.compert_fit] gives its columns and their
#'   description as attribute `col_data`. `perturbation_embedding()`: matrix, perturbations
#'   x d. `covariate_embedding()`: matrix, levels (or combinations, `"K562, donor 1"`) x d, or a
#'   named list of matrices for `NULL`.
#'   `similarity()`: matrix n x n.
#' @section Errors:
#' Names that are added and that the fit never saw; missing genes; a fit without covariates; treated states of
#' cells without the column of perturbations; a `condition` of basal states, a `source` without a condition, and
#' what [predict()][predict.compert_fit] refuses of both.
#' @source `get_latent`, `get_drug_embeddings`, `mix_drugs`, `get_covars_embeddings` and
#'   `get_covars_embeddings_combined` in `cpa/api.py` of facebookresearch/CPA.
#' @seealso [plot_embedding()], [knn_purity()], [disentanglement()], [embedding_clusters()], [write_back()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' dim(cell_embedding(fit, screen, "basal"))
#' stimulated <- cell_embedding(fit, screen, "treated", condition = condition("IFNb", cell_type = c("B", "NK")))
#' table(attr(stimulated, "col_data")$cpa_cell_type)
#' perturbation_embedding(fit)[, 1:4]
#' similarity(covariate_embedding(fit, "cell_type"))
#' @export
cell_embedding <- function(fit, x, which = c("basal", "treated", "corrected", "custom"), ...,
                           add = NULL, condition = NULL, source = "matched", assay = NULL, layer = NULL,
                           col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit)
  which <- check_choice(which, c("basal", "treated", "corrected", "custom"), "which")
  need_newdata(missing(x), "cell_embedding", arg = "x")
  parts <- latent_parts(fit, which, add)
  check_state_condition(condition, source, which)
  use <- if (!is.null(condition)) "start" else if (parts$perturbation) "own" else "unused"
  screen <- read_newdata(fit, x, assay, layer, col_data, missing_genes, labels = use)
  if (is.null(condition)) return(embed_screen(fit, screen, which, parts))
  asked <- knowing_molecules(fit, condition)
  fit <- asked$fit
  targets <- make_targets(fit, asked$condition)
  warn_dose_range(fit, targets)
  warn_continuous_range(fit, targets)
  embed_targets(fit, screen, targets, source_cells(fit, screen, targets, source), which, parts)
}

# The composition of each kind of latent state.
latent_parts <- function(fit, which, add = NULL, call = rlang::caller_env()) {
  if (which != "custom" && !is.null(add)) {
    abort_input("`add` goes with `which = \"custom\"` only.", paste0("`which` is \"", which, "\"."),
                "Leave `add` out, or write which = \"custom\".", call)
  }
  switch(which,
    basal = as_composition(fit, NULL),
    treated = as_composition(fit, TRUE),
    corrected = list(perturbation = TRUE,
                     without = left_out(fit, if (is.null(fit$meta$registry$batch)) character()
                                        else "batch")),
    custom = as_composition(fit, add, call)
  )
}

embed_screen <- function(fit, screen, which, parts = latent_parts(fit, which),
                         call = rlang::caller_env()) {
  design <- encode_screen(fit$meta$registry, labels_in_use(fit, screen, parts), call)
  z <- with_core_errors(
    core_embed(fit$state, core_rows(screen), design, parts$perturbation, parts$without), call = call
  )
  name_embedding(t(z), colnames(screen$x), which)
}

name_embedding <- function(z, rows, stem) {
  dimnames(z) <- list(rows, paste0(stem, "_", seq_len(ncol(z))))
  z
}

#' @rdname cell_embedding
#' @export
perturbation_embedding <- function(fit, perturbation = NULL, ..., dose = NULL) {
  check_no_dots(...)
  validate_fit(fit)
  known <- knowing_molecules(fit, perturbation)
  fit <- known$fit
  asked <- asked_perturbations(fit, known$condition, dose)
  name_embedding(perturbation_vectors(fit, asked$parts, asked$doses), asked$names, "dim")
}

# One vector per condition (rows), without those of covariates.
perturbation_vectors <- function(fit, parts, doses, call = rlang::caller_env()) {
  design <- encode_design(fit$meta$registry, parts, doses, call = call)
  t(with_core_errors(core_perturbation_embedding(fit$state, design$perturbation, design$dose), call))
}

# Names (or a condition, as "A+B" is) and doses as list(names, parts, doses).
asked_perturbations <- function(fit, perturbation, dose, call = rlang::caller_env()) {
  registry <- fit$meta$registry
  if (is.factor(perturbation)) perturbation <- as.character(perturbation)
  known <- c(registry$perturbations, control_names(fit$meta$keys))
  if (is.character(perturbation) && !all(perturbation %in% known)) {
    # Names with a combination among them: each at the dose that it has by itself.
    perturbation <- as_condition(texts_as_condition(perturbation, "perturbation", call), fit$meta$keys, call)
    at_strongest <- function(parts, dose) if (all(parts %in% known)) strongest_doses(fit, parts) else dose
    perturbation$dose <- Map(at_strongest, perturbation$perturbation, perturbation$dose)
  }
  if (inherits(perturbation, "compert_condition")) {
    stop_without_conditions(nrow(perturbation), fit$meta$keys, call, "perturbation")
    asked <- resolve_conditions(perturbation, registry, fit$meta$keys, call, only_dose(fit), fit$meta$conditions$doses)
    if (!is.null(dose)) {
      abort_input("`dose` must be left out for conditions, as combinations are: they have doses of their own.",
                  "It was given.", "Write condition(\"A+B\", dose = c(1, 2)).", call)
    }
    return(list(names = asked$label, parts = asked$parts, doses = asked$doses))
  }
  names <- perturbation %||% registry$perturbations
  check_strings(names, "perturbation", call = call)
  if (!is.null(dose)) check_doses(dose, length(names), call)
  names <- one_control(names, fit$meta$keys)
  asked <- unique(data.frame(name = names, dose = as.numeric(dose %||% strongest_doses(fit, names))))
  list(names = asked$name, parts = as.list(asked$name), doses = as.list(asked$dose))
}

# The dose at which each perturbation is embedded by itself: the highest that training saw of it, of the
# control its own, and 1 with the parity of a reference, as there.
strongest_doses <- function(fit, names) {
  registry <- fit$meta$registry
  if (!fit$meta$settings$parity %in% "none") return(rep(1, length(names)))
  ifelse(names == registry$control, control_dose(registry), trained_ranges(registry, names)[, 2L])
}

check_doses <- function(dose, n, call = rlang::caller_env()) {
  ok <- is.numeric(dose) && length(dose) %in% c(1L, n) && all(is.finite(dose)) && all(dose >= 0)
  if (ok) return(invisible())
  abort_input(
    "`dose` must be one number of at least 0, or one per perturbation.",
    paste0("It is ", describe(dose), " for ", count_of(n, "perturbation"), "."),
    "Write `dose = 1`.", call
  )
}

#' @rdname cell_embedding
#' @export
covariate_embedding <- function(fit, covariate = NULL, ...) {
  check_no_dots(...)
  validate_fit(fit)
  registry <- fit$meta$registry
  levels <- c(registry$covariates, as.list(stats::setNames(nm = names(registry$continuous))))
  if (length(levels) == 0L) {
    abort_input("`fit` must have covariates.", "It was fitted without any.",
                "Fit with `cpa(..., covariates = \"name\")`.")
  }
  check_strings(covariate, "covariate")
  for (name in covariate) check_choice(name, names(levels), "covariate")
  tables <- with_core_errors(core_covariate_embedding(fit$state))
  tables <- Map(function(z, rows) name_embedding(t(z), rows, "dim"), tables, levels)
  names(tables) <- names(levels)
  if (length(covariate) == 0L) tables else Reduce(add_embeddings, tables[covariate])
}

# Every row of `a` with every row of `b`.
add_embeddings <- function(a, b) {
  first <- rep(seq_len(nrow(a)), each = nrow(b))
  second <- rep(seq_len(nrow(b)), nrow(a))
  sum <- a[first, , drop = FALSE] + b[second, , drop = FALSE]
  rownames(sum) <- paste(rownames(a)[first], rownames(b)[second], sep = ", ")
  sum
}

#' @rdname cell_embedding
#' @param embedding Matrix with one vector per row, as the functions above return.
#' @param method `"cosine"`: cosine of the angle, from -1 to 1 (vectors of length 0 give `NA`);
#'   `"euclidean"`: distance, 0 or more.
#' @export
similarity <- function(embedding, method = c("cosine", "euclidean"), ...) {
  check_no_dots(...)
  method <- check_choice(method, c("cosine", "euclidean"), "method")
  embedding <- only_matrix(embedding)
  if (!is.matrix(embedding) || !is.numeric(embedding)) {
    abort_input("`embedding` must be a numeric matrix with one vector per row.",
                paste0("It is ", describe(embedding), "."),
                "Take one from `perturbation_embedding()` or `covariate_embedding()`.")
  }
  if (method == "euclidean") return(as.matrix(stats::dist(embedding)))
  cosines(unit_rows(embedding))
}

# covariate_embedding() of one covariate is a list with one matrix; of several one has to be chosen.
only_matrix <- function(embedding, call = rlang::caller_env()) {
  several <- is.list(embedding) && !is.object(embedding) && length(embedding) > 0L
  if (!several) return(embedding)
  if (length(embedding) == 1L) return(embedding[[1L]])
  abort_input("`embedding` must be one matrix with one vector per row.",
              paste0("It is a list of ", length(embedding), ": ", name_list(names(embedding)), "."),
              paste0("Name the covariate: covariate_embedding(fit, ", dQuote(names(embedding)[1L], FALSE), ")."),
              call)
}

# A numeric matrix of two rows or more, all of its values finite.
check_embedding <- function(embedding, columns = 1L, call = rlang::caller_env()) {
  matrix <- is.matrix(embedding) && is.numeric(embedding)
  if (!matrix || nrow(embedding) < 2L || ncol(embedding) < columns) {
    abort_input(paste0("`embedding` must be a numeric matrix of at least 2 rows and ",
                       count_of(columns, "column"), "."),
                if (matrix) paste0("It is ", nrow(embedding), " x ", ncol(embedding), ".") else
                  paste0("It is ", describe(embedding), "."),
                "Take one from `cell_embedding()`, `perturbation_embedding()` or `covariate_embedding()`.", call)
  }
  bad <- which(rowSums(!is.finite(embedding)) > 0)
  if (length(bad) == 0L) return(invisible())
  abort_input("`embedding` must hold finite numbers.",
              paste0(length(bad), " of ", nrow(embedding), " rows hold others; the first is row ", bad[1L], "."),
              "Leave these rows out, and out of their labels.", call)
}
