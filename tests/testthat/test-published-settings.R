# The settings of tutorials against what their notebooks say, in the words of theislab/cpa.

notebooks <- list(
  kang = list(
    n_latent = 64, recon_loss = "nb", doser_type = "linear", n_hidden_encoder = 128, n_layers_encoder = 2,
    n_hidden_decoder = 512, n_layers_decoder = 2, dropout_rate_encoder = 0, dropout_rate_decoder = 0.1,
    variational = FALSE, seed = 6977, n_epochs_pretrain_ae = 30, n_epochs_adv_warmup = 50, n_epochs_mixup_warmup = 0,
    mixup_alpha = 0, n_hidden_adv = 64, n_layers_adv = 3, dropout_rate_adv = 0.3, reg_adv = 20, pen_adv = 5,
    lr = 3e-4, wd = 4e-7, adv_lr = 3e-4, adv_wd = 4e-7, adv_loss = "cce", doser_lr = 3e-4, doser_wd = 4e-7,
    step_size_lr = 10, max_epochs = 2000, batch_size = 512, early_stopping_patience = 5, check_val_every_n_epoch = 5
  ),
  norman = list(
    n_latent = 32, recon_loss = "nb", doser_type = "linear", n_hidden_encoder = 256, n_layers_encoder = 4,
    n_hidden_decoder = 256, n_layers_decoder = 2, dropout_rate_encoder = 0.2, dropout_rate_decoder = 0,
    variational = FALSE, seed = 8206, n_epochs_adv_warmup = 50, n_epochs_mixup_warmup = 10, n_epochs_pretrain_ae = 10,
    mixup_alpha = 0.1, lr = 1e-4, wd = 3.2170178270865573e-06, adv_steps = 3, reg_adv = 10, pen_adv = 20, adv_lr = 1e-4,
    adv_wd = 7.051355554517135e-06, n_layers_adv = 2, n_hidden_adv = 128, dropout_rate_adv = 0.3, step_size_lr = 25,
    adv_loss = "cce", max_epochs = 2000, batch_size = 2048, early_stopping_patience = 5, check_val_every_n_epoch = 5
  ),
  combosciplex = list(
    n_latent = 128, recon_loss = "nb", doser_type = "logsigm", n_hidden_encoder = 512, n_layers_encoder = 3,
    n_hidden_decoder = 512, n_layers_decoder = 3, dropout_rate_encoder = 0.1, dropout_rate_decoder = 0.1,
    variational = FALSE, seed = 434, n_epochs_pretrain_ae = 30, n_epochs_adv_warmup = 50, n_epochs_mixup_warmup = 3,
    mixup_alpha = 0.1, adv_steps = 2, n_hidden_adv = 64, n_layers_adv = 2, dropout_rate_adv = 0.3, reg_adv = 20,
    pen_adv = 20, lr = 3e-4, wd = 4e-7, adv_lr = 3e-4, adv_wd = 4e-7, adv_loss = "cce", doser_lr = 3e-4,
    doser_wd = 4e-7, step_size_lr = 45, max_epochs = 2000, batch_size = 128, early_stopping_patience = 10,
    check_val_every_n_epoch = 5
  )
)

test_that("settings are those of the notebooks", {
  ours <- theislab_settings()
  for (of in names(notebooks)) {
    settings <- published_settings(of)
    theirs <- notebooks[[of]]
    expect_true(all(names(theirs) %in% names(ours)))
    for (name in names(theirs)) expect_equal(settings[[ours[[name]]]], theirs[[name]], info = paste(of, name))
    expect_identical(settings$embeddings_lr, settings$autoencoder_lr)  # one optimiser there
    expect_identical(settings$parity, "theislab")
  }
  # What has another form there: None, and pairs of switches.
  of <- function(name) vapply(names(notebooks), function(n) format(published_settings(n)[[name]]), "")
  expect_identical(unname(of("adversary_steps")), c("0", "3", "2"))
  expect_identical(unname(of("clip_grad_norm")), c("1", "0", "0"))
  expect_identical(unname(of("encoder_norm")), rep("batch", 3))
  expect_identical(unname(of("adversary_norm")), rep("batch", 3))
  expect_identical(unname(of("decoder_norm")), c("layer", "none", "batch"))
  # The tutorial has the default.
  default <- cpa_settings(parity = "theislab")
  expect_identical(published_settings("norman")[c("dosers_lr", "dosers_wd")], default[c("dosers_lr", "dosers_wd")])
})

test_that("they may be changed, and fit", {
  settings <- published_settings("norman", epochs = 1, seed = 2, verbose = FALSE, autoencoder_width = 16,
                                 adversary_width = 8, threads = 1, device = "cpu")
  expect_identical(settings$seed, 2L)
  expect_false(settings$verbose)
  fit <- small_fit(loss = "nb", settings = settings)
  expect_identical(fit$meta$settings$parity, "theislab")
  expect_identical(nrow(fit$history), 1L)
})

test_that("unknown names are refused", {
  expect_refused(published_settings("sciplex"), "`of` must be one of \"kang\", \"norman\", \"combosciplex\"")
  expect_refused(published_settings("kang", n_latent = 3), "theislab/cpa's `n_latent` is `dim` here")
  expect_refused(published_settings("kang", 3), "must be given by name")
  expect_refused(published_settings("kang", epochs = 1, epochs = 2), "each once.*\"epochs\" is there twice")
})
