#' Hyperparameters of a fit
#'
#' All settings of [cpa()] with their checks. An argument that is left `NULL` takes the core's
#' default; `print()` shows every value beside its default and meaning. Names are those of
#' facebookresearch/CPA (`cpa/model.py`, `set_hparams_`) where the reference has the setting.
#'
#' @param ... Must be empty: settings are given by name, and an unknown name is an error that tells
#'   the nearest known one.
#' @param parity `"none"` (fixed behaviour, the default) or `"fb"`: the defaults and the quirks of
#'   facebookresearch/CPA. Other settings are laid over the defaults that this one selects.
#' @param loss_ae Likelihood: `"gauss"` (log-normalised values) or `"nb"` (raw counts). Usually left
#'   to the `loss` argument of [cpa()].
#' @param doser_type Dose-response curve of each perturbation: `"linear"`, `"sigm"`, `"logsigm"` or
#'   `"mlp"`.
#' @param decoder_activation Activation of the decoded means, `"linear"` or `"ReLU"` (Gaussian
#'   likelihood).
#' @param dim Width of the latent space.
#' @param autoencoder_width,autoencoder_depth Width and number of the hidden layers of encoder and
#'   decoder.
#' @param dosers_width,dosers_depth The same for the dosers (`doser_type = "mlp"` only).
#' @param adversary_width,adversary_depth The same for the adversaries.
#' @param reg_adversary Weight of the adversaries in the autoencoder's objective.
#' @param penalty_adversary Weight of the gradient penalty in the adversaries' objective.
#' @param reg_alignment Weight of the alignment of basal states between perturbed cells and
#'   controls; 0 turns it off.
#' @param autoencoder_lr,dosers_lr,adversary_lr Learning rates of the three optimisers.
#' @param embeddings_lr Learning rate of the embeddings of perturbations and covariates, which
#'   belong to the autoencoder's optimiser.
#' @param autoencoder_wd,dosers_wd,adversary_wd Their weight decays.
#' @param adversary_steps Length of the alternating cycle: one step of the autoencoder, then
#'   `adversary_steps - 1` steps of the adversaries. With 1 the adversaries are never trained.
#' @param batch_size Cells in a mini-batch.
#' @param step_size_lr Evaluations after which every learning rate falls to a tenth.
#' @param epochs Passes over the training cells; 0 chooses the number from the number of cells.
#' @param max_minutes Time limit of training in minutes; 0 sets none.
#' @param checkpoint_freq Epochs between two evaluations of the test cells.
#' @param patience Evaluations without a better score after which training stops.
#' @param checkpoint File that keeps the fit at every evaluation, for [load_fit()]; `NULL` for
#'   none.
#' @param device `"auto"` (CUDA when LibTorch has it), `"cpu"`, `"cuda"` or `"cuda:<index>"`.
#' @param precision `"float32"` or `"float64"`.
#' @param threads Number of threads; 0 leaves LibTorch's choice.
#' @param seed One whole number that rules split, initialisation and shuffling. `NULL` draws it with
#'   `sample.int()`, so that `set.seed()` governs; a number leaves R's stream untouched.
#' @param verbose `TRUE` shows a progress bar, `FALSE` says nothing at all; `NULL` shows the bar in
#'   an interactive session, or as `options(compert.verbose = )` says, and never while knitting.
#'
#' @return A list of class `compert_settings` with every setting, completed and checked. `seed`
#'   stays `NULL` until the fit when it was not given.
#' @references Lotfollahi et al. (2023) Predicting cellular responses to complex perturbations in
#'   high-throughput screens. Molecular Systems Biology 19, e11517.
#' @importFrom rlang %||%
#' @examples
#' cpa_settings(epochs = 50, dim = 32)
#' cpa_settings(parity = "fb")$reg_adversary
#' try(cpa_settings(adversary_reg = 60))
#' @export
cpa_settings <- function(..., parity = NULL, loss_ae = NULL, doser_type = NULL,
                         decoder_activation = NULL, dim = NULL, autoencoder_width = NULL,
                         autoencoder_depth = NULL, dosers_width = NULL, dosers_depth = NULL,
                         adversary_width = NULL, adversary_depth = NULL, reg_adversary = NULL,
                         penalty_adversary = NULL, reg_alignment = NULL, autoencoder_lr = NULL,
                         autoencoder_wd = NULL, embeddings_lr = NULL, dosers_lr = NULL,
                         dosers_wd = NULL, adversary_lr = NULL, adversary_wd = NULL,
                         adversary_steps = NULL, batch_size = NULL, step_size_lr = NULL,
                         epochs = NULL, max_minutes = NULL, checkpoint_freq = NULL,
                         patience = NULL, checkpoint = NULL, device = NULL, precision = NULL,
                         threads = NULL, seed = NULL, verbose = NULL) {
  check_no_dots(...)
  names <- setdiff(rlang::fn_fmls_names(), c("...", "verbose"))
  given <- Filter(Negate(is.null), mget(names))
  check_flag(verbose, "verbose", null_ok = TRUE)
  new_settings(given, verbose)
}

# Completed by the core from the values that were given; these are remembered for resume and print.
new_settings <- function(given, verbose = NULL, call = rlang::caller_env()) {
  for (name in names(given)) check_setting(given[[name]], name, call)
  file <- given[["checkpoint"]]
  if (is.character(file)) given[["checkpoint"]] <- path.expand(file)
  complete <- jsonlite::fromJSON(with_core_errors(
    core_settings(settings_json(given)), call,
    todo = "Print cpa_settings() to see every setting with its default."
  ))
  if (is.null(given[["seed"]])) complete["seed"] <- list(NULL)
  structure(c(complete, list(verbose = verbose)), given = given, class = "compert_settings")
}

check_setting <- function(value, name, call) {
  plain <- is.numeric(value) || is.character(value) || is.logical(value)
  if (plain && !is.object(value) && length(value) == 1 && !is.na(value)) return(invisible())
  abort_input(paste0("`", name, "` must be one number or one text."),
              paste0("It is ", describe(value), "."),
              "Print cpa_settings() to see every setting with its default.", call = call)
}

# Settings as the JSON object that the core reads. Numbers are written in full: jsonlite stops at 15
# digits.
settings_json <- function(settings) {
  values <- unclass(settings)
  values <- Filter(Negate(is.null), values[setdiff(names(values), "verbose")])
  if (length(values) == 0) return("{}")
  text <- vapply(values, function(v) {
    if (is.numeric(v) && is.finite(v)) return(sprintf("%.17g", v))
    as.character(jsonlite::toJSON(v, auto_unbox = TRUE))
  }, "")
  paste0("{", paste0("\"", names(values), "\":", text, collapse = ","), "}")
}

check_settings <- function(settings, arg = "settings", call = rlang::caller_env()) {
  if (inherits(settings, "compert_settings")) return(invisible())
  abort_input(paste0("`", arg, "` must come from `cpa_settings()`."),
              paste0("It is ", describe(settings), "."),
              "Write settings = cpa_settings(epochs = 100, ...).", call = call)
}

# The settings of a run: `loss` laid over them; the two must not contradict each other.
settings_with_loss <- function(settings, loss, call = rlang::caller_env()) {
  set <- attr(settings, "given")[["loss_ae"]]
  if (!is.null(set) && !is.null(loss) && set != loss) {
    abort_input("`loss` and `loss_ae` of the settings must agree.",
                paste0("They are ", dQuote(loss, FALSE), " and ", dQuote(set, FALSE), "."),
                "Give one of the two only.", call = call)
  }
  loss %||% set
}

#' @export
print.compert_settings <- function(x, ...) {
  table <- core_settings_table()
  value <- vapply(table$name, function(name) {
    v <- x[[name]]
    if (is.null(v)) "drawn at the fit" else if (identical(v, "")) "none" else format(v, digits = 15)
  }, "")
  given <- table$name %in% names(attr(x, "given"))
  cli::cat_line("<settings of compert>  (* = given here, the rest are defaults)")
  cli::cat_line(paste0(ifelse(given, "* ", "  "), format(table$name), "  ", format(value), "  ",
                       table$meaning))
  cli::cat_line("  ", format("verbose", width = max(nchar(table$name))), "  ",
                format(x$verbose %||% "NULL", width = max(nchar(value))),
                "  progress bar and messages")
  invisible(x)
}
