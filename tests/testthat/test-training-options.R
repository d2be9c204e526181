# Every option of training: it trains, one seed gives one fit, 2 + 2 epochs are 4, and a saved fit
# predicts the same. That the numbers are those of theislab/cpa is tested in tests/cpp.

adversaries <- function(...) list(reg_adversary = 1, ...)
options_of_training <- list(
  "nb" = list(loss_ae = "nb"),
  "zinb" = list(loss_ae = "zinb"),
  "variational" = list(variational = TRUE),
  "variational, warm-up by epochs" = list(variational = TRUE, kl_warmup_epochs = 3),
  "variational nb, warm-up by steps" = list(variational = TRUE, loss_ae = "nb",
                                            kl_warmup_steps = 7),
  "mixup" = list(mixup_alpha = 0.3, reg_alignment = 0, reg_counterfactual = 0),
  "mixup, warm-up, cce" = adversaries(mixup_alpha = 0.3, reg_alignment = 0, reg_counterfactual = 0,
                                      mixup_warmup_epochs = 3, adversary_loss = "cce"),
  "cce" = adversaries(adversary_loss = "cce"),
  "focal" = adversaries(adversary_loss = "focal"),
  "both steps in a batch" = adversaries(adversary_steps = 0),
  "five steps to a cycle" = adversaries(adversary_steps = 5),
  "pretraining by epochs" = adversaries(pretrain_epochs = 1, adversary_warmup_epochs = 2),
  "pretraining by steps" = adversaries(pretrain_steps = 3, adversary_warmup_steps = 9),
  "clipping" = list(clip_grad_norm = 0.1),
  "clipping, adversaries" = adversaries(clip_grad_norm = 1),
  "constant rate" = list(lr_schedule = "constant"),
  "falling rate" = list(lr_schedule = "step", step_size_lr = 1, lr_gamma = 0.5),
  "dropout" = list(encoder_dropout = 0.2, decoder_dropout = 0.1),
  "dropout of adversaries" = adversaries(adversary_dropout = 0.3),
  "layer norm" = adversaries(encoder_norm = "layer", decoder_norm = "layer",
                             adversary_norm = "layer"),
  "no norm" = adversaries(encoder_norm = "none", decoder_norm = "none", adversary_norm = "none"),
  "a decoder of its own" = list(decoder_width = 16, decoder_depth = 2),
  "no skip connection" = list(decoder_skip = FALSE),
  "even conditions" = list(balance = 1),
  "conditions half-way to even, adversaries" = adversaries(balance = 0.5),
  "matching without shrinkage" = list(counterfactual_shrinkage = FALSE),
  "theislab/cpa" = list(parity = "theislab", loss_ae = "nb"),
  "theislab/cpa, variational zinb" = list(parity = "theislab", loss_ae = "zinb", variational = TRUE,
                                          adversary_loss = "focal", mixup_alpha = 0.1)
)

# Every other cell. Nothing tests, so that the last weights are kept whenever a run ends.
without_tests <- local({
  cells <- small_cells()
  cells$col_data$part <- ifelse(cells$col_data$split == "ood", "ood", "train")
  half <- seq(1, ncol(cells$x), 2)
  list(x = cells$x[1:60, half], counts = cells$counts[1:60, half],
       col_data = cells$col_data[half, ])
})
stimulated <- condition(condition = "IFNb", cell_type = "B")

values_for <- function(option) {
  if (identical(option$loss_ae, "gauss") || is.null(option$loss_ae)) without_tests$x else
    without_tests$counts
}
train <- function(option, epochs = 4) {
  given <- list(epochs = epochs, dim = 8, autoencoder_width = 24, adversary_width = 16,
                batch_size = 32, checkpoint_freq = 1, threads = 1, device = "cpu", seed = 11,
                verbose = FALSE)
  cpa(values_for(option), "condition", control = "control", covariates = "cell_type",
      split = "part", col_data = without_tests$col_data,
      settings = do.call(cpa_settings, utils::modifyList(given, option)))
}
answer <- function(fit, option) {
  predict(fit, values_for(option), stimulated, col_data = without_tests$col_data)
}
first_fit <- local({
  made <- list()
  function(what) {
    if (is.null(made[[what]])) made[[what]] <<- train(options_of_training[[what]])
    made[[what]]
  }
})

for (what in names(options_of_training)) {
  test_that(paste("training with", what), {
    option <- options_of_training[[what]]
    fit <- first_fit(what)
    expect_identical(nrow(fit$history), 4L)
    expect_true(all(is.finite(fit$history$loss_reconstruction)))
    predicted <- answer(fit, option)
    expect_true(all(is.finite(predicted)))
    # Two runs of one seed, the second in two parts.
    longer <- resume_fit(train(option, epochs = 2), values_for(option), 2,
                         col_data = without_tests$col_data)
    expect_identical(run_of(longer), run_of(fit))
    expect_identical(answer(longer, option), predicted)
    file <- withr::local_tempfile(fileext = ".h5")
    save_fit(fit, file)
    expect_identical(answer(load_fit(file), option), predicted)
  })
}

test_that("a rate that falls along a line is repeatable, and knows how long the run is", {
  option <- list(lr_schedule = "linear")
  fit <- train(option)
  expect_identical(run_of(train(option)), run_of(fit))
  expect_identical(answer(train(option), option), answer(fit, option))
  plain <- run_of(train(list()))$loss_reconstruction
  expect_identical(run_of(fit)$loss_reconstruction[1:2], plain[1:2])
  expect_false(identical(run_of(fit)$loss_reconstruction[4], plain[4]))
})

test_that("each option changes the fit", {
  made <- lapply(names(options_of_training), function(what) {
    fit <- first_fit(what)
    list(run_of(fit)$loss_reconstruction, as.vector(answer(fit, options_of_training[[what]])))
  })
  plain <- train(list())
  made <- c(list(list(run_of(plain)$loss_reconstruction, as.vector(answer(plain, list())))), made)
  same <- c("plain", names(options_of_training))[duplicated(made)]
  expect_identical(same, "constant rate") # 4 epochs are fewer than step_size_lr
})

test_that("a variational fit predicts from means: asking twice gives one answer", {
  option <- options_of_training[["variational"]]
  fit <- first_fit("variational")
  expect_true(all(is.finite(fit$history$loss_kl) & fit$history$loss_kl > 0))
  expect_identical(answer(fit, option), answer(fit, option))
  basal <- function() {
    cell_embedding(fit, without_tests$x, "basal", col_data = without_tests$col_data)
  }
  expect_identical(basal(), basal())
  expect_true(all(is.na(train(list())$history$loss_kl)))
})

test_that("dropout is off in predictions", {
  option <- options_of_training[["dropout"]]
  fit <- first_fit("dropout")
  expect_identical(answer(fit, option), answer(fit, option))
})

test_that("the adversaries' losses are there when they are trained", {
  expect_true(all(is.na(train(list())$history$loss_adv_perturbations)))
  for (what in c("cce", "focal", "both steps in a batch", "pretraining by epochs")) {
    fit <- first_fit(what)
    expect_true(all(is.finite(fit$history$loss_adv_perturbations)), info = what)
    expect_true(all(is.finite(fit$history$loss_adv_covariates)), info = what)
  }
})

test_that("before the warm-up the adversaries have no weight in the autoencoder's objective", {
  of <- function(weight) {
    train(list(reg_adversary = weight, adversary_steps = 0, pretrain_epochs = 4,
               adversary_warmup_epochs = 2))
  }
  expect_identical(run_of(of(1))$loss_reconstruction, run_of(of(50))$loss_reconstruction)
  expect_identical(answer(of(1), list()), answer(of(50), list()))
})

test_that("steps have priority over epochs", {
  by <- function(...) run_of(train(adversaries(pretrain_steps = 3, ...)))
  expect_identical(by(), by(pretrain_epochs = 3))
})

test_that("cpa_metric is recorded, and stops training where it is asked to", {
  fit <- small_fit(settings = quick_settings(4, stopping_metric = "cpa_metric"))
  expect_true(all(is.finite(fit$history$cpa_metric)))
  so_far <- cummax(fit$history$cpa_metric)
  expect_identical(fit$history$best, c(TRUE, diff(so_far) > 0))
  scores <- fit$history$cpa_metric - fit$history$r2_mean - fit$history$r2_var / 2
  # The purities of conditions and of cell types are added.
  expect_true(all(scores >= exp(-2) - 1e-6 & scores <= exp(2) + 1e-6))
  expect_true(all(is.na(small_fit()$history$cpa_metric)))
})

test_that("cpa_metric is of all test cells, labelled by perturbation and by covariate", {
  cells <- small_cells()
  fit <- small_fit(settings = quick_settings(4, stopping_metric = "cpa_metric", restore_best = FALSE))
  test <- cells$col_data$split == "test"
  x <- cells$x[, test]
  about <- cells$col_data[test, ]
  purity <- function(space) {
    z <- cell_embedding(fit, x, space, col_data = about)
    knn_purity(z, about$condition) + knn_purity(z, about$cell_type)
  }
  again <- reconstruct(fit, x, col_data = about)
  r2 <- function(truth, guess) 1 - sum((truth - guess)^2) / sum((truth - mean(truth))^2)
  variance <- reconstruct(fit, x, col_data = about, type = "variance")
  scores <- vapply(split(seq_len(ncol(x)), paste(about$condition, about$cell_type)), function(i) {
    truth <- as.matrix(x[, i])
    c(r2(rowMeans(truth), rowMeans(again[, i])),
      r2(apply(truth, 1, var), rowMeans(variance[, i])))
  }, c(0, 0))
  expected <- mean(scores[1, ]) + mean(scores[2, ]) / 2 + exp(purity("treated") - purity("basal"))
  expect_equal(fit$history$cpa_metric[4], expected, tolerance = 1e-4)
})

test_that("the second task guesses DEGs, and is off without weight", {
  fit <- small_fit(settings = quick_settings(epochs = 6, reg_multi_task = 1))
  loss <- fit$history$loss_degs
  expect_true(all(is.finite(loss)))
  expect_lt(loss[6], loss[1])
  expect_true(all(is.na(small_fit()$history$loss_degs)))
  longer <- resume_fit(fit, small_cells()$x, epochs = 1, col_data = small_cells()$col_data,
                       verbose = FALSE)
  expect_true(is.finite(longer$history$loss_degs[7]))
  expect_refused(resume_fit(fit, small_cells()$x, epochs = 1, reg_multi_task = 0,
                            col_data = small_cells()$col_data), "reg_multi_task")
  targets <- local({
    cells <- small_cells()
    screen <- as_screen(cells$x, new_keys("condition", covariates = "cell_type",
                                          control = "control", split = "split"), cells$col_data)
    deg_targets(screen)
  })
  expect_length(targets$group, ncol(small_cells()$x))
  expect_true(all(lengths(targets$genes) == 50))
  expect_identical(sort(unique(targets$group)), c(-1L, seq_along(targets$genes) - 1L))
})

test_that("a later score within the noise of the best one counts as best", {
  cells <- small_cells()
  scored <- function(tolerance) {
    fit <- cpa(cells$x, "condition", control = "control", covariates = "cell_type", split = "split",
               col_data = cells$col_data,
               settings = cpa_settings(epochs = 25, dim = 8, autoencoder_width = 24, batch_size = 32,
                                       autoencoder_lr = 0.02,
                                       checkpoint_freq = 1, patience = 100, threads = 1,
                                       device = "cpu", seed = 3, verbose = FALSE,
                                       best_tolerance = tolerance))
    list(score = (fit$history$r2_mean + fit$history$r2_mean_deg) / 2, best = fit$history$best > 0)
  }
  # The rule again, in R: of the changes before, the median, as a standard deviation.
  expected <- function(score, tolerance) {
    vapply(seq_along(score), function(i) {
      if (i == 1L) return(TRUE)
      change <- sort(abs(diff(score[seq_len(i - 1L)])))
      noise <- if (length(change) < 3L) 0 else change[length(change) %/% 2L + 1L] / 0.954
      score[i] > max(score[seq_len(i - 1L)]) - tolerance * noise
    }, TRUE)
  }
  plain <- scored(0)
  wide <- scored(2)
  expect_identical(plain$best, expected(plain$score, 0))
  expect_identical(wide$best, expected(wide$score, 2))
  expect_identical(plain$score, wide$score)
  expect_gt(sum(wide$best), sum(plain$best))
})
