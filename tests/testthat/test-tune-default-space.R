spaces_of <- function() {
  list(cpa_settings(), cpa_settings(parity = "fb"), cpa_settings(parity = "theislab"), chemcpa_settings(),
       chemcpa_settings(parity = "chemcpa"), chemcpa_settings(parity = "chemcpa_v2"), multicpa_settings(),
       multicpa_settings(parity = "multicpa"), scgen_settings(), cpa_settings(reg_adversary = 1))
}

test_that("every trial of a default space has settings that go together, and its default is among them", {
  for (settings in spaces_of()) {
    space <- default_space(settings)
    expect_silent(check_search(space, settings, "halving", NULL))
    plan <- draw_trials(space, 60, 1)
    expect_silent(check_trials(plan, attr(settings, "given")))
    for (name in names(space)) {
      entry <- space[[name]]
      own <- settings[[name]]
      if (is_range(entry) && own <= 0) next # -1: as the other adversaries
      expect_true(if (is_range(entry)) own >= entry$lower && own <= entry$upper else own %in% entry, info = name)
    }
  }
})

test_that("a default space has what acts and is not fixed", {
  has <- function(names, settings) names %in% names(default_space(settings))
  adversary <- c("adversary_width", "adversary_lr", "reg_adversary", "penalty_adversary")
  expect_identical(has(adversary, cpa_settings()), rep(FALSE, 4))
  expect_identical(has(adversary, cpa_settings(reg_adversary = 1)), c(TRUE, TRUE, FALSE, TRUE))
  expect_identical(has(adversary, cpa_settings(parity = "fb")), rep(TRUE, 4))
  doser <- c("dosers_width", "dosers_depth", "dosers_lr")
  expect_identical(has(doser, cpa_settings()), c(FALSE, FALSE, TRUE))
  expect_identical(has(doser, cpa_settings(doser_type = "mlp")), rep(TRUE, 3))
  expect_identical(has(doser, multicpa_settings()), rep(TRUE, 3))
  expect_identical(has(doser, multicpa_settings(doser_type = "linear")), c(FALSE, FALSE, TRUE))
  expect_identical(has(doser, scgen_settings()), rep(FALSE, 3))
  expect_identical(has(c("step_size_lr", "dim"), cpa_settings(lr_schedule = "constant", dim = 4)), c(FALSE, FALSE))
  expect_true(has("mixup_alpha", cpa_settings(parity = "theislab")))
  expect_false(has("mixup_alpha", cpa_settings(parity = "theislab", reg_alignment = 1)))
  expect_true(all(has(c("recon_weight_pro", "kl_annealing_frac"), multicpa_settings())))
  expect_true(all(has(c("embedding_encoder_width", "embedding_encoder_depth"), chemcpa_settings())))
  expect_refused(default_space("chemcpa"), "must come from")
})

test_that("a space that was changed is checked again", {
  space <- default_space(cpa_settings(dim = 4))
  space$batch_size <- c(16, 32)
  space$autoencoder_lr <- NULL
  expect_identical(new_space(space), space)
  space$batch_size <- c(0, 32)
  expect_refused(small_search(space = space), "`batch_size` must be a whole number of at least 2")
})

test_that("ranges are the references', widened by the settings", {
  expect_identical(default_space(multicpa_settings(parity = "multicpa"))$recon_weight_pro, log_uniform(1e-2, 1e2))
  expect_identical(default_space(chemcpa_settings(parity = "chemcpa_v2"))$autoencoder_wd, log_uniform(1e-8, 1e-5))
  expect_identical(default_space(chemcpa_settings())$autoencoder_wd, log_uniform(1e-8, 1e-2))
  expect_equal(default_space(cpa_settings(parity = "fb"))$dim, c(128, 256, 512))
  expect_equal(default_space(cpa_settings())$dim, c(32, 128, 256, 512))
})

test_that("the ranges in ?cpa_settings are those of the spaces", {
  skip_without_source_tree()
  rd <- readLines(file.path(source_tree(), "man", "cpa_settings.Rd"))
  plain <- function(text) gsub("[[:space:]]+", " ", trimws(gsub("`|\\\\code\\{|\\}|\\\\cr$", "", text)))
  made <- grep("^[|] `", ranges_section(), value = TRUE)
  expect_gt(length(made), 30L)
  told <- plain(grep("^   \\\\code\\{", rd, value = TRUE))
  expect_identical(setdiff(plain(gsub("|", "\\tab", gsub("^[|] | [|]$", "", made), fixed = TRUE)), told), character())
  expect_identical(made[grep("`dim`", made)], "| `dim` | 128 to 512 | 32 to 256 | 32 to 64 | 128 to 512 |")
  # What default_space() widens.
  for (settings in list(cpa_settings(), chemcpa_settings(), multicpa_settings())) {
    expect_true(all(names(default_space(settings)) %in% sub("^[|] `([a-z_]+)`.*", "\\1", made)))
  }
})
