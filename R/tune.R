#' Search for good settings
#'
#' Tries settings of [cpa()], [chemcpa()], [multicpa()] or [scgen()] that are drawn at random from a
#' search space, compares the fits on the test cells, and returns the best one. Which model is searched
#' is said by `settings`. Training in full is one way; successive halving is the other: all trials begin
#' with a few epochs, the better ones go on.
#'
#' @inheritParams cpa
#' @param space What to search: a list of settings by name, or a [search_space()]. A vector is a
#'   choice among its values; ranges are [uniform()], [log_uniform()] and [integer_uniform()]. `NULL`
#'   takes the [default_space()] of the model, but for what the arguments switch off (`recon_weight_pro` with
#'   `proteins = FALSE`).
#' @param trials Number of trials.
#' @param method `"random"` trains every trial in full. `"halving"` trains all of them for `grace`
#'   epochs, keeps the best share, one in `reduction` (at least one trial), trains these on to
#'   `grace * reduction` epochs, and so on up to `max_epochs`.
#' @param metric What is compared: `"score"`, the mean of `r2_mean` and `r2_mean_deg` of the test
#'   cells (with proteins also of `r2_mean_protein`), by which training stops early as well where
#'   `stopping_metric` is `"r2"`; or a score or loss of a fit's history, such as `"r2_mean_protein"` of
#'   [multicpa()], or `"cpa_metric"`, which is there with `stopping_metric = "cpa_metric"` of
#'   [cpa_settings()] only. More is better, or, with a leading minus (`"-loss_reconstruction"`), less. The
#'   value is that of the epoch whose weights the fit keeps: the best one, or with `restore_best = FALSE`
#'   the last that was scored.
#' @param grace,reduction,max_epochs Of `"halving"` only: epochs of the first rung (`NULL`: 5), the
#'   factor between two rungs (`NULL`: 3), epochs of the last one (`NULL`: `epochs` of `settings`,
#'   or 100).
#' @param sample_cells `NULL`, or a number of cells on which all trials are fitted and compared: a
#'   random sample, the same for all, in which every condition (in its covariates and its part of
#'   the split) keeps its share, read into memory. The best fit has seen these cells only; fit again on all of them
#'   with `result$best_settings`.
#' @param seed One whole number that rules the search. `NULL` takes that of `settings`, or that of
#'   the search in `dir`, or else draws it with `sample.int()`, so that `set.seed()` governs; a
#'   number leaves R's stream untouched.
#' @param dir A folder that keeps what is done, made when there is none. `NULL` uses a temporary
#'   folder, which is removed at the end.
#' @param BPPARAM `NULL` runs one trial after the other. A parameter object of BiocParallel runs
#'   them in other processes: `SnowParam()` on this machine, `BatchtoolsParam()` on a cluster, whose
#'   nodes must see `dir`. Processes must be fresh ones: `MulticoreParam()`, which forks, is
#'   refused, because LibTorch's threads do not survive it.
#' @param loss Likelihood, see [cpa()]; not of [scgen()].
#' @param molecules Of [chemcpa()], which needs it, [cpa()] and [multicpa()]: what is known of each
#'   perturbation.
#' @param molecule_encoder Of [chemcpa()].
#' @param proteins,fusion,protein_loss,protein_assay Of [multicpa()].
#' @param dose_transform Of [cpa()], [chemcpa()] and [multicpa()].
#' @param degs Of [cpa()], [chemcpa()] and [multicpa()]: your own genes for `r2_mean_deg` and
#'   `r2_var_deg`.
#' @param settings Settings that are the same in all trials, from the function of the model:
#'   [cpa_settings()], [chemcpa_settings()], [multicpa_settings()] or [scgen_settings()]. Trials use one
#'   thread unless `threads` says otherwise. Where `seed` is given, all trials have that one.
#'
#' @return An object of class `compert_tuning`, a list with `best` (the `compert_fit` of the best
#'   trial; of equal ones the first), `best_settings`, `best_trial`, `space`,
#'   `metric`, `method`, `rung_epochs`, `seed`, `sample_cells`, `dir`, and two tibbles. The model's verb
#'   makes the same fit of `best_settings` and the other arguments of the search.
#'
#'   `trials`, one row per trial: `trial`; the searched settings; `seed` of the fit; `rung`, the
#'   last one that it took part in; `epochs_trained`; `best_epoch`, `score`, `r2_mean`,
#'   `r2_mean_deg`, `r2_var`, `r2_var_deg` (with proteins `r2_mean_protein` and `r2_var_protein`) and the
#'   metric at the best epoch; `status`
#'   (`"finished"`, `"stopped"` after a rung, `"failed"`); `message`, why it failed or stopped at a
#'   value that is not finite (`NA` where training ended by its epochs, `patience` or `max_minutes`);
#'   `seconds`.
#'
#'   `rungs`, one row per trial and rung that was trained: `trial`, `rung`, `epochs`, the metric at
#'   the best epoch of that rung, `seconds`.
#' @section Reproducible: All settings are drawn from `seed` before the first trial, none twice as long as the
#'   space has others, and each trial has a seed of its own. Without a `split` column, all have the same seed,
#'   because the seed draws the test cells, and scores on different cells can't be compared.
#'
#'   Halving is synchronous: a rung is complete before its best go on (as in Jamieson and Talwalkar
#'   2016; ASHA, Li et al. 2020, does not wait). The result then does not depend on who finishes
#'   first. On the processor, equal arguments give equal tables, whether one process works, or
#'   several, or the search was broken off and called again; only `seconds` differ (and, with
#'   `max_minutes`, everything). A trial is judged by the best epoch that it has had so far. One
#'   whose training stopped before the end of a rung (`patience`, which goes on counting from rung to
#'   rung) is not trained further, but stays in the contest. What runs over the epochs of one call,
#'   `lr_schedule = "linear"` and `kl_annealing_frac`, starts again in every rung.
#' @section Going on: With `dir`, each trial leaves in it a record and its fit ([load_fit()]) at the
#'   end of each rung. When a search was interrupted, killed or ran out of its time, the same call
#'   with the same `dir` does what is missing. With `method = "random"`, `trials` may then be
#'   larger, and `metric` another one. One call at a time works in a folder. A `dir` that holds
#'   another search (of other cells, arguments, settings or another model) is an error. Failed trials
#'   are not tried again; remove their records (`trial-0001-rung-1.rds`) for that.
#' @section Errors: As in the model's verb and [search_space()]; an argument that the model does not have,
#'   with those that have it; no test cells; a setting that is both fixed and searched, or that acts in
#'   other models only, or does nothing with the other arguments (that of proteins with `proteins = FALSE`,
#'   sizes of the network over molecules without `molecule_encoder`); a trial whose settings contradict each
#'   other; a `dir` with something else in it; a metric that the fits don't have; not one trial with a value
#'   of it. A trial that fails does not end the search.
#' @references Jamieson and Talwalkar (2016) Non-stochastic best arm identification and
#'   hyperparameter optimization. AISTATS, PMLR 51, 240-248. Li et al. (2018) Hyperband: a novel
#'   bandit-based approach to hyperparameter optimization. Journal of Machine Learning Research 18
#'   (185), 1-52. Li et al. (2020) A system for massively parallel hyperparameter tuning.
#'   Proceedings of Machine Learning and Systems 2, 230-246 (ASHA).
#' @source `run_autotune` in `cpa/_tuner.py` of theislab/cpa, which runs Ray Tune with ASHA.
#' @seealso [search_space()], [default_space()], [plot_tuning], [tidy.compert_tuning()]
#' @examples
#' cells <- kang_example(as = "list")
#' found <- tune_fit(cells$x, "condition", control = "control", covariates = "cell_type",
#'                   split = "split", col_data = cells$col_data, trials = 3, seed = 1,
#'                   space = list(dim = c(8, 16), autoencoder_lr = log_uniform(1e-3, 1e-2)),
#'                   settings = cpa_settings(epochs = 1, verbose = FALSE))
#' found
#' found$best
#' @examplesIf requireNamespace("SingleCellExperiment", quietly = TRUE)
#'
#' # Another model, by its settings and its own arguments.
#' found <- tune_fit(cite_example(), "condition", control = "control", covariates = "cell_type",
#'                   assay = "logcounts", fusion = "poe", metric = "r2_mean_protein",
#'                   trials = 2, seed = 1,
#'                   space = list(dim = c(8, 16), recon_weight_pro = log_uniform(0.1, 10)),
#'                   settings = multicpa_settings(epochs = 1, verbose = FALSE))
#' found
#' @export
tune_fit <- function(x, perturbation, ..., space = NULL, trials = 16L, method = c("random", "halving"),
                     metric = "score", grace = NULL, reduction = NULL, max_epochs = NULL,
                     sample_cells = NULL, seed = NULL, dir = NULL,
                     BPPARAM = NULL, # nolint: object_name_linter. The name of all of Bioconductor.
                     dose = NULL, covariates = NULL, continuous = NULL, control, batch = NULL,
                     split = NULL, assay = NULL, layer = NULL, loss = NULL, molecules = NULL,
                     molecule_encoder = NULL, dose_transform = NULL, proteins = NULL, fusion = NULL,
                     protein_loss = NULL, protein_assay = NULL, degs = NULL, col_data = NULL,
                     sep = "+", dose_unit = NULL, settings = cpa_settings()) {
  check_no_dots(..., .settings = call_of_settings(settings))
  need_cells(missing(x))
  check_settings(settings, model_names())
  given <- given_arguments()
  keys <- keys_of(given, agreed_loss(settings, loss))
  given[c("covariates", "continuous")] <- list(keys$covariates, keys$continuous)
  own <- own_arguments(given, settings$model)
  space <- if (is.null(space)) default_search(settings, own) else new_space(space)
  method <- check_choice(method, c("random", "halving"), "method")
  check_count(trials, "trials")
  metric <- read_metric(metric)
  rungs <- rung_epochs(method, grace, reduction, max_epochs, settings)
  check_search(space, settings, method, split, own)
  check_metric(metric, space, settings, own)
  check_backend(BPPARAM)
  kept <- read_folder(dir)
  fixed <- attr(settings, "given")
  seed <- resolve_seed(seed %||% fixed[["seed"]] %||% kept$seed)
  plan <- draw_trials(space, trials, seed, fixed[["seed"]] %||% if (is.null(split)) seed)
  check_trials(plan, fixed)
  search <- list(space = space, settings = settings, own = own, method = method, trials = trials, plan = plan,
                 rungs = rungs, reduction = reduction %||% 3, metric = metric, seed = seed,
                 sample_cells = sample_cells, param = BPPARAM, call = rlang::current_env())
  search_on(search, x, keys, col_data, column_arguments(given), dir, kept)
}

# Runs what tune_fit() has settled on its cells. `columns`: the arguments of the verb that say what is where;
# `kept`: what the folder `dir` holds.
search_on <- function(search, x, keys, col_data, columns, dir, kept) {
  given <- as.list(attr(search$settings, "given"))
  settings <- reading_settings(search$settings, search$plan)
  settings["seed"] <- list(given[["seed"]] %||% search$seed)
  how <- read_own(keys, settings, c(search$own, columns), search$call)
  cells <- tuning_cells(x, keys, col_data, settings, search$sample_cells,
                        search_streams(search$seed, 0)$cells, how, search$call)
  if (cells$task$automatic) tell_unused_split(cells$task$screen$col_data)
  check_background(search$metric, search$space, cells$task, search$call)
  folder <- claim_folder(dir, kept, describe_search(search, cells$task), search$seed, search$call)
  search <- c(search, folder, list(
    given = utils::modifyList(list(threads = 1), given), arguments = c(columns, search$own),
    data = cells$data, proteins = !is.null(cells$task$screen$proteins)
  ))
  if (show_messages(settings$verbose)) inform_search(cells$task, search)
  complete <- FALSE
  on.exit(if (!complete) inform_rest(search, dir), add = TRUE)
  out <- new_tuning(with_backend(search), search, dir)
  complete <- TRUE
  if (is.null(dir)) unlink(search$dir, recursive = TRUE)
  out
}

# Runs the search with its processes started and its cells where they can read them.
with_backend <- function(search) {
  if (is.null(search$param)) return(run_search(search))
  file <- temporary_in(search$dir, ".cells-")
  on.exit(unlink(file), add = TRUE)
  search$data <- share_data(search$data, file, search$call)
  end <- start_backend(search$param)
  on.exit(end(), add = TRUE, after = FALSE)
  run_search(search)
}

inform_search <- function(task, search) {
  inform_task(task)
  text <- paste0(
    count_of(search$trials, "trial"), " of ", paste(names(search$space), collapse = ", "), "; ",
    if (search$method == "random") "each in full" else
      paste0("halving at ", paste(search$rungs, collapse = ", "), " epochs"),
    "; seed ", search$seed, " of the search."
  )
  done <- n_records(search)
  kept <- if (done) paste0(count_of(done, "record"), " of finished trials in ", dQuote(search$dir, FALSE),
                           if (done == 1L) " is used." else " are used.")
  cli::cli_inform(c(i = escape_braces(text), i = if (done) escape_braces(kept)))
}

n_records <- function(search) length(list.files(search$dir, "^trial-.*[.]rds$"))

# After an error or an interrupt: where the finished trials are.
inform_rest <- function(search, dir) {
  n <- n_records(search)
  if (n == 0 || !show_messages(search$settings$verbose)) return(invisible())
  text <- paste0(count_of(n, "record"), " of finished trials ", if (n == 1) "is" else "are", " in ",
                 dQuote(search$dir, FALSE), ". The same call with ",
                 if (is.null(dir)) "this path as `dir`" else "the same `dir`", " goes on.")
  cli::cli_inform(c(i = escape_braces(text)))
}
