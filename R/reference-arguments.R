# What the references call the arguments and settings of this package, for errors and for the table of
# vignette("features").

# theirs = ours, for theislab/cpa. Names in brackets and fixed values are no arguments there.
theislab_settings <- function() {
  c(
    n_latent = "dim", recon_loss = "loss_ae", doser_type = "doser_type",
    n_hidden_encoder = "autoencoder_width", n_layers_encoder = "autoencoder_depth",
    n_hidden_decoder = "decoder_width", n_layers_decoder = "decoder_depth",
    n_hidden_doser = "dosers_width", n_layers_doser = "dosers_depth",
    "use_batch_norm_encoder, use_layer_norm_encoder" = "encoder_norm",
    "use_batch_norm_decoder, use_layer_norm_decoder" = "decoder_norm",
    dropout_rate_encoder = "encoder_dropout", dropout_rate_decoder = "decoder_dropout",
    variational = "variational", seed = "seed",
    n_hidden_adv = "adversary_width", n_layers_adv = "adversary_depth",
    "use_batch_norm_adv, use_layer_norm_adv" = "adversary_norm",
    dropout_rate_adv = "adversary_dropout", adv_loss = "adversary_loss",
    adv_steps = "adversary_steps", reg_adv = "reg_adversary", pen_adv = "penalty_adversary",
    n_epochs_pretrain_ae = "pretrain_epochs", n_steps_pretrain_ae = "pretrain_steps",
    n_epochs_adv_warmup = "adversary_warmup_epochs", n_steps_adv_warmup = "adversary_warmup_steps",
    n_epochs_kl_warmup = "kl_warmup_epochs", n_steps_kl_warmup = "kl_warmup_steps",
    mixup_alpha = "mixup_alpha", n_epochs_mixup_warmup = "mixup_warmup_epochs",
    lr = "autoencoder_lr", wd = "autoencoder_wd", "lr (embeddings)" = "embeddings_lr",
    doser_lr = "dosers_lr", doser_wd = "dosers_wd", adv_lr = "adversary_lr", adv_wd = "adversary_wd",
    step_size_lr = "step_size_lr", "0.9, fixed" = "lr_gamma",
    "do_clip_grad, gradient_clip_value" = "clip_grad_norm",
    max_epochs = "epochs", batch_size = "batch_size", check_val_every_n_epoch = "checkpoint_freq",
    early_stopping_patience = "patience", "cpa_metric, fixed" = "stopping_metric",
    use_gpu = "device", save_path = "checkpoint"
  )
}

# The arguments that say what is in the data, by who has them.
reference_arguments <- function() {
  list(
    "theislab/cpa" = c(adata = "x", perturbation_key = "perturbation", control_group = "control",
                       dosage_key = "dose", categorical_covariate_keys = "covariates",
                       batch_key = "batch", split_key = "split", smiles_key = "molecules",
                       deg_uns_key = "degs", deg_uns_cat_key = "degs", is_count_data = "loss"),
    "facebookresearch/CPA" = c(dose_key = "dose", covariate_keys = "covariates"),
    "theislab/chemCPA" = c(degs_key = "degs"),
    Seurat = c(slot = "layer")
  )
}

# A reference's argument of this name: list(of = the reference, ours), or NULL.
reference_argument <- function(name) {
  settings <- theislab_settings()
  settings <- settings[!grepl("fixed|\\(", names(settings))]
  each <- strsplit(names(settings), ", ", fixed = TRUE)
  known <- reference_arguments()
  known[["theislab/cpa"]] <- c(known[["theislab/cpa"]],
                               stats::setNames(rep(settings, lengths(each)), unlist(each)))
  for (of in names(known)) {
    if (name %in% names(known[[of]])) return(list(of = of, ours = known[[of]][[name]]))
  }
  NULL
}

# "theislab/cpa's `n_latent` is `dim` here.", where the verb has it, or its settings do. What says where the
# data have something is so only in verbs that read a screen: elsewhere `split` is which splits to score.
reference_advice <- function(name, valid, settings) {
  found <- reference_argument(name)
  if (is.null(found)) return(NULL)
  ours <- found$ours
  if (ours %in% names_of_screen() && !all(c("control", "perturbation") %in% valid)) {
    if (!any(c("fit", "object") %in% valid)) return(NULL)
    return(paste0(found$of, "'s `", name, "` tells what the data have, which a fit knows. Leave it out."))
  }
  if (ours == "x" && !"x" %in% valid) ours <- "newdata"
  is_here <- paste0(found$of, "'s `", name, "` is `", ours, "` here")
  if (ours %in% valid) return(paste0(is_here, "."))
  advice <- setting_advice(ours, quote(value()), settings)
  if (!is.null(advice)) paste0(is_here, ". ", advice)
}

# How to write a setting that was given as an argument of its own, where a verb takes `settings`: the
# default there is a call to the function that makes them.
setting_advice <- function(name, value, settings) {
  known <- setdiff(rlang::fn_fmls_names(cpa_settings), "...")
  if (!is.call(settings) || !name %in% known) return(NULL)
  value <- if (rlang::is_syntactic_literal(value)) rlang::as_label(value) else "..."
  paste0("It is a setting: write settings = ", rlang::as_label(settings[[1]]), "(", name, " = ", value, ").")
}

names_of_screen <- function() c("perturbation", "control", "dose", "covariates", "batch", "split")

# What a setting of an unknown name may be called. `arguments`: those of a verb that takes settings in `...`.
setting_named <- function(name, known, arguments = NULL) {
  if (name == "settings") return("Give settings one by one, by name, such as epochs = 100. ")
  if (name == "loss") return("The likelihood is `loss_ae` among settings. ")
  verbs <- argument_of_verbs(name)
  if (!is.null(verbs)) return(paste0(verbs, " "))
  known <- c(known, arguments)
  advice <- reference_advice(name, known, NULL)
  if (is.null(advice)) did_you_mean(name, known) else paste0(advice, " ")
}

# Which verbs that fit have an argument of this name, or NULL.
argument_of_verbs <- function(name) {
  verbs <- Filter(function(model) name %in% names(formals(model_verb(model))), model_names())
  if (length(verbs)) paste0("It is an argument of ", paste0("`", verbs, "()`", collapse = ", "), ".")
}
