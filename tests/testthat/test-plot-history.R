test_that("the history has a panel per kind of number, and marks the epoch that is kept", {
  skip_without_package("ggplot2")
  fit <- small_fit()
  p <- ggplot2::autoplot(fit)
  expect_s3_class(p, "ggplot")
  expect_identical(setdiff(levels(p$data$panel), c("Alignment of basal states", "Counterfactual loss")),
                   c("Reconstruction loss", "Adversary losses", "Test r2 of means",
                     "Test r2 of variances"))
  expect_identical(p$data$value[p$data$panel == "Reconstruction loss"],
                   fit$history$loss_reconstruction)
  best <- max(fit$history$epoch[fit$history$best])
  expect_match(p$labels$subtitle, paste("epoch", best))
  expect_identical(unique(ggplot2::autoplot(fit, type = "loss")$data$kind), "loss")
  expect_error(ggplot2::autoplot(fit, type = "r3"), "`type` must be")
  once <- small_fit(settings = quick_settings(1))
  expect_silent(ggplot2::ggplot_build(ggplot2::autoplot(once)))
  withr::local_pdf(NULL)
  expect_s3_class(plot(fit), "ggplot")
})

test_that("a plot is kept without the fit and the embedding that it was made of", {
  skip_without_package("ggplot2")
  fit <- small_fit()
  kept <- function(p) sort(ls(p$plot_env))
  expect_identical(kept(ggplot2::autoplot(fit)), c("best", "p", "restored", "table", "title"))
  expect_false("embedding" %in% kept(plot_embedding(perturbation_embedding(fit))))
})

test_that("a history without scores has losses only, without those that were off", {
  history <- data.frame(epoch = 1:2, loss_reconstruction = c(1, 0), r2_mean = NA_real_,
                        loss_adv_covariates = 0)
  expect_identical(unique(as.character(history_table(history, c("loss", "r2"))$panel)),
                   "Reconstruction loss")
})

test_that("proteins, divergences and counterfactuals are drawn too, and titles are the models' names", {
  skip_without_package("ggplot2")
  history <- data.frame(epoch = 1:2, loss_proteins = 2:1, loss_kl = 1:2, loss_kl_background = 1:2,
                        loss_counterfactual = 1, r2_mean_protein = 0.5, r2_var_protein = 0.4)
  table <- history_table(history, c("loss", "r2"))
  expect_identical(levels(table$panel), c("Protein reconstruction", "KL divergence", "KL, background",
                                          "Counterfactual loss", "Test r2 of means",
                                          "Test r2 of variances"))
  expect_identical(unique(as.character(table$series[table$kind == "r2"])), "proteins")
  expect_setequal(history_series()$series, names(history_colours()))
  fit <- small_fit()
  fit$meta$model <- "multicpa"
  expect_identical(ggplot2::autoplot(fit)$labels$title, "MultiCPA: training")
})

test_that("r2 of a fit without scored test cells is refused", {
  skip_without_package("ggplot2")
  fit <- small_fit()
  fit$history$r2_mean <- fit$history$r2_mean_deg <- fit$history$r2_var <- fit$history$r2_var_deg <- NA_real_
  expect_refused(ggplot2::autoplot(fit, type = "r2"), "There are none for \"r2\"")
})

test_that("which weights a fit keeps is said as it is", {
  skip_without_package("ggplot2")
  expect_identical(history_subtitle(3, TRUE, FALSE), "The fit keeps epoch 3 (dotted line)")
  expect_match(history_subtitle(3, FALSE, TRUE), "Best epoch 3 .*keeps the last.*decoded")
  expect_null(history_subtitle(numeric(), TRUE, FALSE))
  # The history scores the decoded expression, whatever the fit predicts.
  expect_match(ggplot2::autoplot(small_fit())$labels$subtitle, "Test r2 is that of the decoded expression")
  expect_no_match(ggplot2::autoplot(small_fit(), type = "loss")$labels$subtitle, "decoded")
  expect_true(cpa_settings()$restore_best)
  expect_true(cpa_settings(parity = "theislab")$restore_best)
  for (parity in c("fb", "chemcpa", "chemcpa_v2", "multicpa", "multicpa_fixed")) {
    make <- switch(sub("_.*", "", parity), fb = cpa_settings, chemcpa = chemcpa_settings, multicpa_settings)
    expect_false(make(parity = parity)$restore_best)
  }
})

test_that("epochs are whole numbers", {
  expect_identical(whole_breaks(c(0, 2)), c(0, 1, 2))
  expect_identical(whole_breaks(c(-0.05, 1.05)), c(0, 1))
  expect_identical(whole_breaks(c(0, 10)), c(0, 2, 4, 6, 8, 10))
  skip_without_package("ggplot2")
  built <- ggplot2::ggplot_build(ggplot2::autoplot(small_fit()))
  expect_identical(built$layout$panel_params[[1]]$x$get_labels(), c("0", "1", "2", "3"))
})

test_that("a single series has no legend", {
  skip_without_package("ggplot2")
  legend <- function(series) {
    table <- data.frame(epoch = rep(1:2, each = length(series)), value = 2, panel = factor("Reconstruction loss"),
                        kind = "loss", series = factor(series))
    drawn <- ggplot2::ggplotGrob(draw_history(table, integer(), TRUE, "CPA: training"))
    # Since ggplot2 3.5 there is one for every side of the picture.
    boxes <- drawn$grobs[startsWith(drawn$layout$name, "guide-box")]
    !all(vapply(boxes, inherits, NA, "zeroGrob"))
  }
  expect_false(legend("autoencoder"))
  expect_true(legend(c("perturbation", "covariates")))
})
