test_that("every setting of the core is an argument, and nothing else is", {
  known <- core_settings_table()$name
  # `model` and `frozen` are set by the verbs.
  expect_setequal(setdiff(names(formals(cpa_settings)), c("...", "verbose")),
                  setdiff(known, c("model", "frozen")))
  expect_setequal(setdiff(names(cpa_settings()), "verbose"), known)
})

test_that("defaults are the core's, a seed is drawn later, values given stay", {
  settings <- cpa_settings(dim = 7, seed = 3, checkpoint = "~/fit.h5")
  expect_s3_class(settings, "compert_settings")
  expect_identical(settings$dim, 7L)
  expect_identical(settings$seed, 3L)
  expect_identical(settings[["checkpoint"]], path.expand("~/fit.h5"))
  expect_null(cpa_settings()$seed)
  expect_true("seed" %in% names(cpa_settings()))
  given <- jsonlite::fromJSON(core_settings("{}"))
  expect_identical(cpa_settings()[["autoencoder_lr"]], given$autoencoder_lr)
  expect_equal(cpa_settings(parity = "fb")$reg_adversary, 60)
})

test_that("numbers reach the core unrounded", {
  value <- 1 / 3 * 1e-3
  expect_match(settings_json(list(dosers_lr = value)), "0.00033333333333333332", fixed = TRUE)
  expect_identical(cpa_settings(dosers_lr = value)$dosers_lr, value)
  expect_identical(settings_json(list()), "{}")
  quoted <- settings_json(list(checkpoint = "a \"b\"\\c", seed = NULL))
  expect_identical(jsonlite::fromJSON(quoted), list(checkpoint = "a \"b\"\\c"))
})

test_that("unknown names and wrong values are refused, by name", {
  expect_refused(cpa_settings(adversary_reg = 60), "Did you mean \"reg_adversary\"")
  expect_refused(cpa_settings(reg_adversry = 60), "Did you mean \"reg_adversary\"")
  expect_refused(cpa_settings(60), "must be given by name")
  for (bad in list(-1, 0, 2.5, "ten", NA, c(1, 2), TRUE, list(3), Inf)) {
    expect_refused(cpa_settings(dim = bad), "`dim` must be")
  }
  for (bad in list(-1e-3, "fast", NaN, Inf)) {
    expect_refused(cpa_settings(autoencoder_lr = bad), "`autoencoder_lr` must be")
  }
  for (bad in list("relu", 3, NA_character_, c("sigm", "mlp"))) {
    expect_refused(cpa_settings(doser_type = bad), "`doser_type` must be")
  }
  expect_refused(cpa_settings(device = "gpu"), "`device` must be")
  expect_refused(cpa_settings(device = "cuda:99999999999999999999"), "`device` must be")
  expect_refused(cpa_settings(verbose = "yes"), "`verbose` must be")
  expect_refused(cpa_settings(batch_size = 1), "`batch_size` must be")
})

test_that("sizes that no memory holds are refused, and so is a network that alone is not to learn", {
  expect_refused(cpa_settings(dim = 1e10), "`dim` must be a whole number from 1 to 65536.*10000000000 was given")
  expect_refused(cpa_settings(autoencoder_depth = 1000), "`autoencoder_depth` must be a whole number from 1 to 256")
  expect_identical(cpa_settings(decoder_width = 65536)$decoder_width, 65536L)
  expect_refused(cpa_settings(autoencoder_lr = 0),
                 "`autoencoder_lr` must be above 0.*0 was given, and embeddings_lr is 0.03.*freeze = c")
  expect_equal(cpa_settings(autoencoder_lr = 0, embeddings_lr = 0)$autoencoder_lr, 0)
})

test_that("print shows every setting, marks the ones that were given and tells their default", {
  shown <- capture.output(print(cpa_settings(dim = 7, epochs = 0)))
  usual <- jsonlite::fromJSON(with(core_settings_table(), default[name == "dim"]))
  expect_match(shown, paste0("^[*] dim +7 \\(default ", usual, "\\) "), all = FALSE)
  expect_match(shown, "^[*] epochs +0 +passes", all = FALSE)
  expect_match(shown, "^  seed +drawn at the fit", all = FALSE)
  expect_match(capture.output(print(cpa_settings(checkpoint = "a.h5"))),
               "checkpoint +a.h5 \\(default none\\)", all = FALSE)
})

test_that("print leaves out what is no argument and what acts in another model", {
  names_of <- function(settings) {
    shown <- capture.output(print(settings))
    sub("^[* ] ([a-z_]+) .*", "\\1", grep("^[* ] [a-z_]+ ", shown, value = TRUE))
  }
  all <- setdiff(names(formals(cpa_settings)), "...")
  proteins <- c("fusion", "protein_loss", "protein_background", "recon_weight_pro")
  molecules <- c("molecule_width", "molecule_depth", "use_drugs_idx")
  expect_setequal(names_of(cpa_settings()), setdiff(all, c(proteins, molecules)))
  expect_setequal(names_of(multicpa_settings()), setdiff(all, molecules))
  expect_setequal(names_of(chemcpa_settings()), setdiff(all, proteins))
  # Given all the same, it is shown.
  expect_true("fusion" %in% names_of(cpa_settings(fusion = "poe")))
  expect_output(print(cpa_settings()), "Not shown, of other models: fusion, .*molecule_width")
})

test_that("each option of the model refuses what it can't be, with its own name", {
  rates <- c("encoder_dropout", "decoder_dropout", "adversary_dropout")
  for (name in rates) {
    for (bad in list(1, 1.5, -0.1, "half", NA, NaN, TRUE, c(0, 0.1))) {
      expect_refused(do.call(cpa_settings, stats::setNames(list(bad), name)),
                     paste0("`", name, "` must be"))
    }
    expect_identical(do.call(cpa_settings, stats::setNames(list(0.99), name))[[name]], 0.99)
  }
  for (name in c("encoder_norm", "decoder_norm", "adversary_norm", "adversary_loss", "lr_schedule",
                 "stopping_metric", "precision", "loss_ae", "parity")) {
    for (bad in list("instance", "", 1, TRUE, NA_character_)) {
      expect_refused(do.call(cpa_settings, stats::setNames(list(bad), name)),
                     paste0("`", name, "` must be one"))
    }
  }
  not_negative <- c("reg_adversary", "penalty_adversary", "reg_alignment", "reg_counterfactual",
                    "best_tolerance",
                    "mixup_alpha", "clip_grad_norm", "lr_gamma", "embeddings_lr", "autoencoder_wd",
                    "adversary_steps", "pretrain_epochs", "pretrain_steps",
                    "adversary_warmup_epochs", "adversary_warmup_steps", "kl_warmup_epochs",
                    "kl_warmup_steps", "mixup_warmup_epochs", "decoder_width", "decoder_depth",
                    "max_minutes")
  for (name in not_negative) {
    for (bad in list(-1, "some", Inf, NA)) {
      expect_refused(do.call(cpa_settings, stats::setNames(list(bad), name)),
                     paste0("`", name, "` must be"))
    }
  }
  for (name in c("balance", "kl_annealing_frac")) {
    for (bad in list(-0.01, 1.01, "condition", TRUE, NA, Inf)) {
      expect_refused(do.call(cpa_settings, stats::setNames(list(bad), name)), paste0("`", name, "` must be"))
    }
    expect_refused(do.call(cpa_settings, stats::setNames(list(2), name)),
                   paste0("`", name, "` must be a number from 0 to 1.*2 was given"))
    expect_identical(do.call(cpa_settings, stats::setNames(list(1), name))[[name]], 1)
  }
  for (name in c("pretrain_epochs", "kl_warmup_steps", "adversary_steps", "step_size_lr",
                 "counterfactual_targets")) {
    expect_refused(do.call(cpa_settings, stats::setNames(list(1.5), name)), "a whole number")
  }
  for (bad in list("yes", 1, NA, c(TRUE, FALSE))) {
    expect_refused(cpa_settings(variational = bad), "`variational` must be")
  }
})

test_that("settings that contradict each other are refused together", {
  alone <- list(reg_alignment = 0, reg_counterfactual = 0)
  with <- function(...) do.call(cpa_settings, utils::modifyList(alone, list(...)))
  expect_refused(cpa_settings(mixup_alpha = 0.2), "`mixup_alpha` must be 0 with reg_alignment")
  expect_refused(with(mixup_alpha = 0.2, reg_alignment = 1), "Set reg_alignment = 0")
  expect_refused(with(mixup_alpha = 0.2, reg_counterfactual = 1), "`mixup_alpha` must be 0")
  expect_identical(with(mixup_alpha = 0.2)$mixup_alpha, 0.2)
  expect_refused(with(mixup_alpha = 0.2, reg_adversary = 1), "\"cce\" or \"focal\" with mixup")
  expect_identical(with(mixup_alpha = 0.2, reg_adversary = 1, adversary_loss = "cce")$mixup_alpha,
                   0.2)
  expect_refused(cpa_settings(parity = "fb", variational = TRUE), "`parity` must be")
  expect_refused(cpa_settings(parity = "fb", loss_ae = "zinb"), "`parity` must be")
})

test_that("a setting that was given as an argument is told its place", {
  cells <- small_cells()
  fit <- function(...) cpa(cells$x, "condition", control = "control", col_data = cells$col_data, ...)
  expect_refused(fit(epochs = 5), "no argument `epochs`.*settings = cpa_settings\\(epochs = 5\\)")
  expect_refused(fit(dim = 4 + 4), "settings = cpa_settings\\(dim = ...\\)")
  expect_refused(cpa_settings(control = "a"), "no argument `control`.*It is an argument of `cpa\\(\\)`, `chemcpa")
  expect_refused(fit(epoch = 5), "Leave it out or correct its name")
  expect_refused(chemcpa(cells$x, seed = 5), "settings = chemcpa_settings\\(seed = 5\\)")
  expect_refused(predict(small_fit(), cells$x, epochs = 5), "Leave it out or correct its name")
  expect_refused(fit(settings = small_fit()), "found\\$best_settings: found\\$best is the fit")
  expect_refused(fit(settings = structure(list(), class = "compert_tuning")), "found\\$best_settings")
  expect_refused(fit(settings = 5), "Write settings = cpa_settings\\(epochs")
})

test_that("a parity has one rate for the network and its embeddings", {
  expect_equal(cpa_settings(parity = "fb", autoencoder_lr = 0.01)$embeddings_lr, 0.01)
  expect_equal(cpa_settings(parity = "fb", autoencoder_lr = 0.01, embeddings_lr = 0.02)$embeddings_lr, 0.02)
  expect_equal(cpa_settings(autoencoder_lr = 0.01)$embeddings_lr, cpa_settings()$embeddings_lr)
})
