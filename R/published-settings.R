#' Settings that the authors of CPA published for a screen
#'
#' The settings of theislab/cpa's tutorials, to repeat them or to start from: `cpa_settings(parity = "theislab")`
#' with the values of the tutorial. They are what its authors found by a search on these data; on other data the
#' defaults of [cpa_settings()] are the first thing to try, and [tune_fit()] the second.
#'
#' | `of` | screen | cells x genes | held out |
#' |---|---|---|---|
#' | `"kang"` | blood cells under interferon-beta (Kang et al. 2018) | 13,576 x 5,000 | stimulated B cells |
#' | `"norman"` | one or two genes activated in K562 (Norman et al. 2019) | 111,122 x 5,044 | pairs of genes |
#' | `"combosciplex"` | drugs and pairs of drugs on A549 | 63,378 x 5,000 | pairs and drugs |
#'
#' All read raw counts (`loss = "nb"`). The published settings of theislab/chemCPA on sciplex3 are the defaults of
#' `chemcpa_settings(parity = "chemcpa")`.
#'
#' @param of `"kang"`, `"norman"` or `"combosciplex"`.
#' @param ... Settings to change, by the names of [cpa_settings()], such as `epochs` or `seed`.
#' @return Settings as of [cpa_settings()], with the tutorial's seed.
#' @section Errors: Unknown names, and all errors of [cpa_settings()].
#' @source `docs/tutorials/Kang.ipynb` and `Norman.ipynb` of theislab/cpa (commit fbd7c02), `combosciplex.ipynb` (commit
#'   1e6fcd6): `model_params` or `ae_hparams`, `trainer_params` and the call of `train()`.
#' @seealso [cpa_settings()], [tune_fit()]
#' @examples
#' published_settings("kang")
#' published_settings("norman", epochs = 100, seed = 1)
#' @export
published_settings <- function(of = c("kang", "norman", "combosciplex"), ...) {
  of <- check_choice(of, names(tutorial_settings()), "of")
  changes <- rlang::list2(...)
  theirs <- tutorial_settings()[[of]]
  verbose <- changes$verbose
  changes["verbose"] <- NULL
  model_settings("cpa", c(theirs[setdiff(names(theirs), names(changes))], changes), verbose)
}

tutorial_settings <- function() {
  shared <- list(parity = "theislab", loss_ae = "nb", encoder_norm = "batch", adversary_norm = "batch",
                 adversary_dropout = 0.3, adversary_loss = "cce", adversary_warmup_epochs = 50, epochs = 2000,
                 checkpoint_freq = 5)
  rates <- function(lr, wd) {
    list(autoencoder_lr = lr, embeddings_lr = lr, autoencoder_wd = wd, adversary_lr = lr, adversary_wd = wd,
         dosers_lr = lr, dosers_wd = wd)
  }
  kang <- list(
    dim = 64, doser_type = "linear", autoencoder_width = 128, autoencoder_depth = 2, decoder_width = 512,
    decoder_depth = 2, decoder_norm = "layer", encoder_dropout = 0, decoder_dropout = 0.1, seed = 6977,
    pretrain_epochs = 30, mixup_alpha = 0, mixup_warmup_epochs = 0, adversary_steps = 0, adversary_width = 64,
    adversary_depth = 3, reg_adversary = 20, penalty_adversary = 5, clip_grad_norm = 1, step_size_lr = 10,
    batch_size = 512, patience = 5
  )
  norman <- list(
    dim = 32, doser_type = "linear", autoencoder_width = 256, autoencoder_depth = 4, decoder_width = 256,
    decoder_depth = 2, decoder_norm = "none", encoder_dropout = 0.2, decoder_dropout = 0, seed = 8206,
    pretrain_epochs = 10, mixup_alpha = 0.1, mixup_warmup_epochs = 10, adversary_steps = 3, adversary_width = 128,
    adversary_depth = 2, reg_adversary = 10, penalty_adversary = 20, clip_grad_norm = 0, step_size_lr = 25,
    batch_size = 2048, patience = 5, autoencoder_lr = 1e-4, embeddings_lr = 1e-4,
    autoencoder_wd = 3.2170178270865573e-06,
    adversary_lr = 1e-4, adversary_wd = 7.051355554517135e-06
  )
  combosciplex <- list(
    dim = 128, doser_type = "logsigm", autoencoder_width = 512, autoencoder_depth = 3, decoder_width = 512,
    decoder_depth = 3, decoder_norm = "batch", encoder_dropout = 0.1, decoder_dropout = 0.1, seed = 434,
    pretrain_epochs = 30, mixup_alpha = 0.1, mixup_warmup_epochs = 3, adversary_steps = 2, adversary_width = 64,
    adversary_depth = 2, reg_adversary = 20, penalty_adversary = 20, clip_grad_norm = 0, step_size_lr = 45,
    batch_size = 128, patience = 10
  )
  list(kang = c(shared, kang, rates(3e-4, 4e-7)), norman = c(shared, norman),
       combosciplex = c(shared, combosciplex, rates(3e-4, 4e-7)))
}
