#' Train a fit further
#'
#' Goes on where a fit stopped: weights, optimisers, learning-rate schedule, early stopping and
#' history continue, so that 10 epochs and 10 more are the same as 20, to the bit. Exceptions are what
#' runs over the epochs of one call, `lr_schedule = "linear"` and `kl_annealing_frac`; and the scores, the
#' best epoch and with it the restored weights where `checkpoint_freq` does not divide the first number of
#' epochs, since the last epoch of a call is always scored. The fit that is given stays as it is.
#'
#' @param fit A `compert_fit`.
#' @param newdata The cells that the fit was trained on (a fit keeps none), in any container that
#'   [cpa()] takes. Their perturbations, covariates and genes must be those of the fit.
#' @param epochs How many epochs to add.
#' @param ... Run settings to change, by the names of [cpa_settings()]: for instance `max_minutes`,
#'   `patience`, `checkpoint`, `device`, `threads`, `verbose`, or learning rates (`embeddings_lr`, a
#'   multiple of `autoencoder_lr`, follows it). What shapes the network (`dim`,
#'   widths, depths, `loss_ae`, `doser_type`) cannot be changed.
#' @inheritParams cell_embedding
#' @return A `compert_fit` with the longer history.
#' @section Errors:
#' Other cells than those of the training (a fit knows its conditions and their numbers of cells);
#' unknown settings, or ones that would change the network.
#' @source Wanted in scverse/scvi-tools#853 and theislab/scgen#96; facebookresearch/CPA keeps no
#'   optimiser state in its checkpoints.
#' @seealso [fine_tune()] for other cells, [save_fit()], `checkpoint` of [cpa_settings()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' longer <- resume_fit(fit, screen, epochs = 2, verbose = FALSE)
#' nrow(longer$history)
#' @export
resume_fit <- function(fit, newdata, epochs, ..., assay = NULL, layer = NULL, col_data = NULL) {
  validate_fit(fit)
  need_newdata(missing(newdata), "resume_fit")
  if (missing(epochs)) {
    abort_input("`epochs` must say how many epochs to add.", "It is missing.",
                "Write `epochs = 50`.")
  }
  check_count(epochs, "epochs")
  need_known_training(fit)
  settings <- first_speaks(resumed_settings(fit, epochs, rlang::list2(...)))
  check_checkpoint(settings)
  screen <- read_newdata(fit, newdata, assay, layer, col_data, need = all_roles(),
                         split = "Give the same cells, with the same split column.")
  screen$split <- training_split(fit, screen, "newdata")
  plan <- new_plan(screen, fit$meta$registry)
  meta <- fit$meta
  meta$settings <- run_settings(settings)
  meta[c("run", "test_scores", "test_comparison")] <- NULL
  result <- with_core_errors(core_fit(
    core_rows(screen), training_design(fit$meta$registry, screen, model = fit$meta$model,
                                multi_task = settings$reg_multi_task > 0),
    which(screen$split == "train") - 1L, plan,
    settings_json(settings), meta_to_json(meta), fit$state, progress_reporter(settings$verbose)
  ))
  finish_fit(result, settings, screen)
}

# What a network was built with.
fixed_settings <- function() {
  table <- core_settings_table()
  table$name[table$fixed]
}

# The user's changes of settings between two runs; `fixed` must not be among them, for the reason `why`.
check_changes <- function(changes, fixed, why, todo, call) {
  if (length(changes) && any(!nzchar(rlang::names2(changes)))) {
    abort_input("Settings in `...` must be given by name.", "One has no name.",
                "Write, for instance, `max_minutes = 10`.", call)
  }
  fixed <- intersect(names(changes), fixed)
  if (length(fixed) == 0L) return(invisible())
  abort_input("`...` must hold settings that may change between two runs.",
              paste0(name_list(fixed), " may not: ", why, " was made with it."), todo, call)
}

# The settings of a fit's state, which has every digit; `meta` has 15.
state_settings <- function(fit) jsonlite::fromJSON(core_state_info(fit$state)$settings)

# Those that go on to a further run.
lasting_settings <- function(fit) {
  old <- state_settings(fit)
  old <- old[intersect(names(old), rlang::fn_fmls_names(cpa_settings))]
  old$distributed <- NULL  # of the run, not of the fit
  old$device <- device_elsewhere(old$device)
  old
}

# Changes laid over them, checked by cpa_settings(); `verb` is what takes them in `...`.
changed_settings <- function(fit, old, changes, verb, call) {
  verbose <- changes$verbose
  changes$verbose <- NULL
  model_settings(fit$meta$model, utils::modifyList(old, changes), verbose, call,
                 setdiff(rlang::fn_fmls_names(verb), "..."))
}

resumed_settings <- function(fit, epochs, changes, call = rlang::caller_env()) {
  check_changes(changes, c(fixed_settings(), "seed", "epochs"), "the network or the run",
                paste0("Make a new fit with `", fit$meta$model, "()`."), call)
  old <- lasting_settings(fit)
  old$epochs <- epochs
  # The network keeps it as a multiple of the autoencoder's.
  if (is.numeric(changes$autoencoder_lr) && is.null(changes$embeddings_lr) && old$autoencoder_lr > 0) {
    changes$embeddings_lr <- old$embeddings_lr * (changes$autoencoder_lr / old$autoencoder_lr)
  }
  settings <- changed_settings(fit, old, changes, resume_fit, call)
  settings$frozen <- fit$meta$settings$frozen %||% ""
  settings
}

# A fit made on a GPU goes on anywhere.
device_elsewhere <- function(device) if (identical(device, "cpu")) device else "auto"

# train/test/ood of the cells that a fit was trained on: their split column, or the automatic split
# drawn again from the fit's seed. An error when the cells are not those of the training.
training_split <- function(fit, screen, arg, call = rlang::caller_env()) {
  split <- screen$split %||% auto_split(screen, fit$meta$seed)
  screen$split <- split
  if (same_cells(fit$meta, screen)) return(split)
  abort_input(
    paste0("`", arg, "` must hold the cells that the fit was trained on, in their order."),
    paste0("Its conditions and numbers of cells are others than those of the ",
           count_of(sum(unlist(fit$meta$n_cells)), "cell"), " of the training."),
    if (is.null(fit$meta$keys$split)) {
      "The split was drawn automatically; a split column (`split_cells()`) goes with any cells."
    } else {
      "Give the same cells, with the same split column."
    }, call
  )
}

# Compares what the fit remembers of its cells with these ones: conditions, and names in order.
same_cells <- function(meta, screen) {
  now <- seen_conditions(screen)
  parts <- c("parts", "doses", "covariates", "split", "n_cells")
  same <- all(vapply(parts, function(p) isTRUE(all.equal(now[[p]], meta$conditions[[p]],
                                                         check.attributes = FALSE)), TRUE))
  same && (is.null(meta$cells) || identical(meta$cells, hash_names(colnames(screen$x))))
}

# A check sum of the cells' names, by which a fit knows its cells again without keeping them.
hash_names <- function(names) md5_of(charToRaw(enc2utf8(paste(names, collapse = "\n"))))
