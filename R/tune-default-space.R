#' The search space of a model
#'
#' The ranges in which the authors of a model searched its settings, for [tune_fit()], which takes them
#' where no `space` is given. Entries can be taken out and put in as in any list.
#'
#' @param settings Settings that are the same in all trials, from [cpa_settings()],
#'   [chemcpa_settings()], [multicpa_settings()] or [scgen_settings()].
#' @return A list of class `compert_space`, as [search_space()] makes it.
#' @section Ranges: From the papers' searches: facebookresearch/CPA for [cpa()] (with
#'   `parity = "theislab"` the tuning script of theislab/cpa), its autoencoder's part for [scgen()];
#'   theislab/chemCPA's pre-training and fine-tuning together for [chemcpa()]; theislab/multicpa's
#'   first sweep for [multicpa()]. Three things differ. A value of `settings` that lies outside its range
#'   widens it: the defaults of this package are smaller networks. Only what acts is searched: settings
#'   of adversaries where `reg_adversary` of `settings` is above 0 (without `adversary_steps = 1`, with
#'   which they are never trained), sizes of dosers where they are networks, mixup where nothing excludes
#'   it. And settings that were given are left out: they are the same in all trials.
#' @references Lotfollahi et al. (2023) Molecular Systems Biology 19, e11517. Hetzel et al. (2022)
#'   NeurIPS 35. Inecik et al. (2022) bioRxiv 2022.07.08.499049.
#' @source `set_hparams_` in the first commit of facebookresearch/CPA; `examples/tune_script.py` of
#'   theislab/cpa; the experiments `lincs_rdkit_hparam` and `finetuning_num_genes` of theislab/chemCPA
#'   v2.0; `seml/seml_config_vol_1.yaml` of theislab/multicpa.
#' @seealso [search_space()], [tune_fit()], Sensible ranges in [cpa_settings()]
#' @examples
#' default_space()
#' default_space(chemcpa_settings(dim = 32))
#' space <- default_space(multicpa_settings())
#' space$dim <- c(16, 32, 64)
#' space$autoencoder_width <- NULL
#' space
#' @export
default_space <- function(settings = cpa_settings()) {
  check_settings(settings, model_names())
  key <- if (settings$parity == "theislab") "theislab" else settings$model
  ranges <- switch(key, cpa = ranges_cpa(), scgen = ranges_cpa(), theislab = ranges_theislab(),
                   chemcpa = ranges_chemcpa(), multicpa = ranges_multicpa())
  ranges <- ranges[setdiff(names(ranges), c(names(attr(settings, "given")), resting_settings(settings)))]
  new_space(Map(widened, ranges, unclass(settings)[names(ranges)]))
}

# Settings of parts that fits with these settings do not have.
resting_settings <- function(settings) {
  adversary <- c(paste0("adversary_", c("width", "depth", "norm", "dropout", "lr", "wd", "steps",
                                        "warmup_epochs")),
                 "reg_adversary", "reg_adversary_cov", "penalty_adversary", "pretrain_epochs")
  mixup <- c("mixup_alpha", "mixup_warmup_epochs")
  any_doser <- is.null(attr(settings, "given")$doser_type) && settings$model == "multicpa"
  c(idle_settings(settings$model),
    if (settings$reg_adversary == 0) adversary,
    if (!any_doser && !settings$doser_type %in% c("mlp", "amortized") && settings$continuous_doser != "mlp") {
      c("dosers_width", "dosers_depth")
    },
    if (settings$reg_alignment > 0 || settings$reg_counterfactual > 0) mixup,
    if (settings$lr_schedule != "step") "step_size_lr")
}

# A range or choice with the value that the settings have. A logarithmic range stays above 0.
widened <- function(entry, value) {
  if (!is_range(entry)) {
    values <- union(entry, value)
    return(if (is.numeric(entry)) sort(values) else values)
  }
  if (entry$kind == "log_uniform" && value <= 0) return(entry)
  entry$lower <- min(entry$lower, value)
  entry$upper <- max(entry$upper, value)
  entry
}

ranges_cpa <- function() {
  list(
    dim = c(128, 256, 512), autoencoder_width = c(256, 512, 1024), autoencoder_depth = 3:5,
    dosers_width = c(32, 64, 128), dosers_depth = 1:3,
    adversary_width = c(64, 128, 256), adversary_depth = 2:4,
    # With 1, which is in the reference's range, adversaries are never trained.
    adversary_steps = 2:5,
    reg_adversary = log_uniform(1e-2, 1e2), penalty_adversary = log_uniform(1e-2, 10),
    autoencoder_lr = log_uniform(1e-4, 1e-2), autoencoder_wd = log_uniform(1e-8, 1e-4),
    dosers_lr = log_uniform(1e-4, 1e-2), dosers_wd = log_uniform(1e-8, 1e-5),
    adversary_lr = log_uniform(1e-5, 1e-3), adversary_wd = log_uniform(1e-6, 1e-3),
    batch_size = c(64, 128, 256, 512), step_size_lr = c(15, 25, 45)
  )
}

ranges_theislab <- function() {
  widths <- c(128, 256, 512, 1024)
  norms <- c("batch", "layer", "none")
  dropout <- c(0, 0.1, 0.2, 0.25)
  list(
    dim = c(32, 64, 128, 256), autoencoder_width = widths, autoencoder_depth = 1:5,
    decoder_width = widths, decoder_depth = 1:5, encoder_norm = norms, decoder_norm = norms,
    encoder_dropout = dropout, decoder_dropout = dropout,
    mixup_alpha = seq(0, 5) / 10, mixup_warmup_epochs = c(0, 1, 3, 5, 10),
    pretrain_epochs = c(0, 1, 3, 5, 10, 30, 50), adversary_warmup_epochs = c(0, 1, 3, 5, 10, 50, 70),
    adversary_width = c(32, 64, 128, 256), adversary_depth = 1:5, adversary_norm = norms,
    adversary_dropout = c(dropout, 0.3), adversary_steps = c(2, 3, 5, 10, 15, 20, 25, 30),
    reg_adversary = log_uniform(1e-2, 1e2), penalty_adversary = log_uniform(1e-2, 1e2),
    autoencoder_lr = log_uniform(1e-5, 1e-2), autoencoder_wd = log_uniform(1e-8, 1e-5),
    dosers_lr = log_uniform(1e-5, 1e-2), dosers_wd = log_uniform(1e-8, 1e-5),
    adversary_lr = log_uniform(1e-5, 1e-2), adversary_wd = log_uniform(1e-8, 1e-5),
    clip_grad_norm = c(0, 1), step_size_lr = c(10, 25, 45)
  )
}

ranges_chemcpa <- function() {
  list(
    dim = c(32, 64), autoencoder_width = c(128, 256, 512), autoencoder_depth = 3:5,
    embedding_encoder_width = c(128, 256, 512), embedding_encoder_depth = 2:4,
    dosers_width = c(64, 128, 256, 512), dosers_depth = 1:3,
    adversary_width = c(64, 128, 256), adversary_depth = 2:4, adversary_steps = 2:3,
    reg_adversary = log_uniform(1, 100), reg_adversary_cov = log_uniform(3, 50),
    penalty_adversary = log_uniform(0.05, 10),
    autoencoder_lr = log_uniform(1e-4, 1e-2), autoencoder_wd = log_uniform(1e-8, 1e-5),
    dosers_lr = log_uniform(1e-4, 1e-2), dosers_wd = log_uniform(1e-8, 1e-5),
    adversary_lr = log_uniform(5e-5, 1e-2), adversary_wd = log_uniform(1e-8, 1e-3),
    batch_size = c(32, 64, 128), step_size_lr = c(50, 100, 200)
  )
}

ranges_multicpa <- function() {
  ranges <- ranges_cpa()
  ranges$adversary_steps <- 2:4
  ranges$autoencoder_wd <- log_uniform(1e-8, 1e-5)
  c(list(doser_type = c("linear", "mlp")), ranges,
    list(recon_weight_pro = log_uniform(1e-2, 1e2), kl_weight = c(1, 2, 5, 10),
         kl_annealing_frac = c(0.2, 0.3, 0.4)))
}

# The section of ?cpa_settings that lists the ranges, when the help is written.
ranges_section <- function() {
  spaces <- list("`cpa()`, `scgen()`" = ranges_cpa(), "`parity = \"theislab\"`" = ranges_theislab(),
                 "`chemcpa()`" = ranges_chemcpa(), "`multicpa()`" = ranges_multicpa())
  names <- intersect(rlang::fn_fmls_names(cpa_settings), unlist(lapply(spaces, names)))
  span <- function(entry) {
    if (is.null(entry)) return("")
    if (is.character(entry)) return(name_list(entry, 12L))
    ends <- if (is_range(entry)) c(entry$lower, entry$upper) else range(entry)
    paste(number_text(ends), collapse = " to ")
  }
  rows <- vapply(names, function(name) {
    paste(c(paste0("`", name, "`"), vapply(spaces, function(space) span(space[[name]]), "")), collapse = " | ")
  }, "")
  c("@section Sensible ranges: Where the authors of the models searched. [default_space()] has these ranges, widened to",
    "hold the defaults, which are smaller networks; other settings were not searched.", "",
    paste("| setting |", paste(names(spaces), collapse = " | "), "|"),
    paste0("|", strrep(":---|", length(spaces) + 1L)), paste("|", rows, "|"))
}
