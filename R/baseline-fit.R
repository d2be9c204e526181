# Baselines as fits: what they keep of training cells, and how they are shown and refused.

#' Baselines with the verbs of a fit
#'
#' What a prediction has to beat: no effect, effects that simply add, the mean effect of the other
#' perturbations, a straight line between doses, and the effect of the most similar molecule. Nothing is trained.
#' `baseline_fit()` keeps the mean expression of the training cells of every condition; `predict()` adds to each
#' source cell the change that the method takes from these means, and [evaluate_r2()] scores it as it scores a model.
#'
#' @section Methods:
#' With m(p, k) the mean of the training cells under the perturbations p with their doses and the covariates
#' k (the batch aside), the measured change is `d(p, k) = m(p, k) - m(control, k)`. A source cell y is
#' predicted as `y + s(p, k)`:
#' \describe{
#'   \item{`"control"`}{`s(p, k) = 0`.}
#'   \item{`"additive"`}{`s(p, k) = mean(d(p, l))` over all other covariates l that p was measured under. Where
#'     there are none, the sum of what the parts i of p do alone: of each `d(i, k)`, or where i was not measured
#'     alone under k, `mean(d(i, l))` over all l where it was; at the nearest dose of i (by ratio; the
#'     mean of two that are equally near).}
#'   \item{`"mean"`}{`s(p, k) = mean(d(q, k))` over all q that are other perturbations or combinations than p:
#'     those at the doses of p (as a set), or where there are none, at any.}
#'   \item{`"interpolation"`}{`s(p, k) = (1 - w) d(a, k) + w d(b, k)`, of a single perturbation: a and b are it
#'     at the next lower and the next higher training dose, and `w = log(dose / a) / log(b / a)`, or
#'     `dose / b` from `a = 0`.}
#'   \item{`"nearest"`}{For drugs that were left out entirely: `s(p, k) = d(q, k)`, with q the other single
#'     perturbation measured under k whose molecule is the most similar to p's, at the nearest dose (by ratio).
#'     Similarity is the cosine of the features that `molecules` gives ([similarity()]); of several that are equally
#'     similar, and of doses that are equally near, the mean is taken. Of a combination the parts' are added up, where
#'     a part that was measured alone is the most similar to itself.}
#' }
#' No method uses d(p, k), so that a condition of the training is predicted as if it had not been measured.
#' Controls stay as they are. Where there is nothing to take a change from, `predict()` stops with an error
#' that says why, and scores are `NA` with the reason in `note`.
#'
#' @section What `predict()` answers:
#' Everything is by difference: `residual = FALSE`, `correct`, and draws (`type = "sample"`) need a network,
#' and a single cell has no variance. The variance of a condition (`summarise = "condition"`) is that over
#' the shifted source cells; of `"interpolation"` it lies on the line between the measured variances, like the
#' mean. A covariate that a condition leaves open is each source cell's own. A source cell of other covariates
#' than those asked for (`source = "all"`) gets the change that is asked for, and stays what it is otherwise.
#' A cell of counts plus a change may lie below 0, and is no whole number.
#'
#' With `"nearest"` two more columns of the description say whose effect it is: `nearest`, the perturbation and its
#' dose (of a combination joined by "and"; of a condition that leaves covariates open, all of them), and `similarity`,
#' from -1 to 1, the lowest if there are several. Scores have both in `note`. On screens of few cells the effect of
#' one drug has that drug's noise, and the mean of all drugs is harder to beat (`vignette("drugs")`).
#'
#' Proteins get the change of proteins, which is taken in the same way from the training cells that have them. A
#' source cell without proteins has `NA` in them, and so has a condition whose change of proteins is not known.
#'
#' @section Scores:
#' In [evaluate_r2()] and [evaluate_effects()] the rows `"model"` are the baseline's. They are those of the same
#' name that stand beside a fit's scores, to the bit, if training and scored cells are the same. To this end
#' they start from controls of the same covariates with the references' presets too, unless `controls` says
#' otherwise; of counts the changes are those of log-normalised values on the scale `"log"`, of proteins those
#' of log(1 + mean). [plot_means()], [r2_matrix()], [compare_r2()], [plot_r2()], [expected_r2()],
#' [observed_response()], [save_fit()] and `summary()` take a baseline too. What needs a network (embeddings,
#' latent responses, [resume_fit()] and the like) refuses it, and so does [interaction_table()]: no method
#' predicts an interaction.
#'
#' @section Dose responses:
#' [dose_response()] and [dose_response2d()] of cells (`newdata`) give what `predict()` answers at every dose,
#' `NA` where it has no answer; where it has none at all they stop with its reason. At a dose of the training
#' `predict()` leaves the measurement of that dose out, but a curve is one of measured neighbours: the default
#' grids leave these doses out. `"interpolation"` gives straight lines between the
#' measured doses, and nothing outside of them; `"additive"` and `"nearest"` step at the nearest doses.
#'
#' @inheritParams cpa
#' @param method `"additive"`, `"control"`, `"mean"`, `"interpolation"` or `"nearest"`, see Methods.
#' @param molecules What is known of each perturbation, as in [chemcpa()]: `"nearest"` needs it. SMILES become RDKit's
#'   descriptors ([smiles_features()]); for fingerprints give their matrix. Perturbations that are no molecules (`NA`)
#'   are similar to none. Further molecules than those of the screen can be predicted, with other methods too.
#' @param dose Name of the column with doses: numbers, or texts `"1+0.5"` with one number per part; of several
#'   columns of perturbations one name for each. `NULL`: every part has dose 1. `"interpolation"` needs it.
#' @param proteins Where surface proteins are, as in [multicpa()]: `NULL` looks for the usual names; `FALSE`,
#'   the default, takes the RNA alone.
#' @param protein_assay Assay (layer) of the proteins; `NULL`: raw counts where there are some.
#' @param batch Name of a column that is a nuisance: cells of all batches are one condition, and a predicted
#'   cell keeps its own.
#' @param assay,layer What to read, as in [cpa()]; `NULL` takes log-normalised values, or counts where there are
#'   only these.
#' @param seed Whole number that fixes the split where `split` is `NULL`; the split is that of [cpa()] with this
#'   seed. `NULL` takes one from R's stream, so that `set.seed()` governs.
#' @return An object of class `compert_baseline`, which is a `compert_fit` without a network: `meta` is as in a
#'   [fit][compert_fit] (`settings$method` is the method), `learned` are the means of training cells, `state`
#'   and `history` are empty.
#' @section Errors:
#' Those of [cpa()]; `"interpolation"` without doses, `"nearest"` without molecules; those of `molecules` in
#' [chemcpa()]. `predict()`: conditions that the method has no answer for, a batch in the condition,
#' and what is said above.
#' @references Ahlmann-Eltze, Huber, Anders (2025) Deep-learning-based gene perturbation effect prediction does
#'   not yet outperform simple linear baselines. Nature Methods 22, \doi{10.1038/s41592-025-02772-6}: no change and
#'   the sum of single effects for combinations, the mean over the training perturbations for unseen ones.
#'   Hetzel et al. (2022) NeurIPS 35 have the controls as the baseline.
#' @seealso [evaluate_r2()] has the same baselines beside the scores of a fit; [scgen()] is one with a network.
#' @examples
#' screen <- kang_example()
#' additive <- baseline_fit(screen, "condition", control = "control", covariates = "cell_type",
#'                          split = "split")
#' additive
#' predict(additive, screen, condition(condition = "IFNb", cell_type = "B"))
#' evaluate_r2(additive, screen, split = "ood", baselines = "control")
#'
#' drugs <- drugseq_example(as = "list")
#' nearest <- baseline_fit(drugs$x, "condition", method = "nearest", molecules = drugs$descriptors,
#'                         dose = "dose", control = "control", col_data = drugs$col_data, seed = 1)
#' answer <- predict(nearest, drugs$x, condition("Trametinib", dose = 1), col_data = drugs$col_data,
#'                   summarise = "condition")
#' attr(answer, "col_data")[c("nearest", "similarity")]
#' @export
baseline_fit <- function(x, perturbation, ..., method = c("additive", "control", "mean", "interpolation", "nearest"),
                         molecules = NULL, dose = NULL, covariates = NULL, control, batch = NULL, split = NULL,
                         proteins = FALSE, assay = NULL, layer = NULL, protein_assay = NULL, col_data = NULL,
                         sep = "+", dose_unit = NULL, seed = NULL) {
  check_no_dots(...)
  need_cells(missing(x))
  method <- check_choice(method, union("additive", baseline_names), "method")
  keys <- with_protein_keys(keys_of(given_arguments()), proteins, NULL, protein_assay)
  if (method == "interpolation" && is.null(dose)) {
    abort_input("`dose` must name the column of doses for `method = \"interpolation\"`.", "It is `NULL`.",
                "The line is between doses: name their column, or take another method.")
  }
  if (method == "nearest") need_molecules(molecules, todo = "other methods need none")
  molecules <- read_molecules(molecules)
  doses <- list(unit = check_dose_unit(dose_unit), transform = "relative")
  read <- read_screen(x, keys, col_data)
  molecules <- molecules_of_cells(molecules, read, rlang::current_env())
  # Names that training never meets are answered, or are an error that says why not.
  defects <- all_defects(read)
  defects <- defects[!startsWith(defects$check, "untrained"), ]
  abort_defects(defects)
  warn_defects(defects)
  screen <- read$screen
  seed <- resolve_seed(seed)
  if (is.null(screen$split)) {
    screen$split <- auto_split(screen, seed)
    tell_unused_split(screen$col_data)
  }
  settings <- list(model = paste(method, "baseline"), method = method, loss_ae = screen$loss,
                   parity = "none", seed = seed)
  settings$protein_loss <- screen$keys$protein_loss
  registry <- new_registry(screen, doses, known_molecules(molecules))
  registry$n_features <- molecules$n
  new_baseline(screen, new_meta(screen, registry, settings, NULL),
               learn_molecules(molecules, registry, rlang::current_env()))
}

new_baseline <- function(screen, meta, molecules = NULL) {
  fit <- structure(
    list(state = raw(), meta = meta_from_json(meta_to_json(meta)),
         history = tibble::tibble(epoch = integer(), seconds = double(), best = logical())),
    class = c("compert_baseline", "compert_fit")
  )
  fit$learned <- c(learn_means(fit, screen), list(molecules = molecules))
  fit
}

is_baseline <- function(fit) inherits(fit, "compert_baseline")

# The conditions of training cells, and on each scale that scores are taken on their numbers of cells and
# means, and variances where the method reads them; of proteins over the cells that have them, as they are.
learn_means <- function(fit, screen) {
  groups <- condition_groups(fit, screen)
  train <- screen$split == "train"
  at <- which(tabulate(groups$of_cell[train], groups$n) > 0L)
  statistics_of <- function(x, cells = train) {
    stats <- training_statistics(x, groups, cells)
    list(n = stats$n[at], mean = stats$mean[, at, drop = FALSE],
         variance = if (fit$meta$settings$method == "interpolation") stats$variance[, at, drop = FALSE])
  }
  statistics <- list(model = statistics_of(screen$x))
  if (is_count_loss(screen$loss)) statistics$log <- statistics_of(log_values(screen))
  if (!is.null(screen$proteins)) {
    statistics$proteins <- statistics_of(screen$proteins, train & has_proteins(screen))
  }
  list(parts = groups$parts[at], doses = groups$doses[at], covariates = groups$covariates[at, , drop = FALSE],
       control = groups$control[at], statistics = statistics)
}

# What the image says of the network and its training; a baseline has neither.
state_info <- function(fit) {
  if (!is_baseline(fit)) return(core_state_info(fit$state))
  list(n_parameters = 0L, best_epoch = 0L, epochs_done = 0L)
}

# What needs a network has no meaning for a baseline.
refuse_baseline <- function(fit, arg, call, which = "which has no network",
                            todo = c("A baseline has `predict()`, `evaluate_r2()` and what else `?baseline_fit` names.",
                                     "`cpa()` fits a model.")) {
  abort_input(paste0("`", arg, "` must be a model that was trained."),
              paste0("It is the ", fit$meta$model, ", ", which, "."), todo, call)
}

baseline_words <- function(method) {
  paste("source cells plus", switch(method,
    control = "nothing: no effect",
    additive = "the condition's effect under other covariates, or the sum of its parts'",
    mean = "the mean effect of the other perturbations",
    interpolation = "the effect on the line between the neighbouring doses",
    nearest = "the effect of the most similar molecule at the nearest dose"
  ))
}
