test_that("what a fit remembers survives JSON, vectors of one element included", {
  cells <- toy_cells(160)
  cells$one <- "only"
  cells$part <- rep(rep(c("train", "test"), each = 8), 10)
  for (covariates in list(NULL, "one", c("cell_type", "one"))) {
    screen <- toy_screen(cells = cells, split = "part", covariates = covariates, batch = "donor")
    registry <- new_registry(screen)
    plan <- new_plan(screen, registry)
    meta <- new_meta(screen, registry, cpa_settings(seed = 3), plan)
    back <- meta_from_json(meta_to_json(meta))
    expect_identical(back$registry[names(registry)], registry)
    expect_identical(back$keys, screen$keys)
    expect_equal(back$conditions, meta$conditions)
    expect_identical(back$n_cells, list(train = 80L, test = 80L, ood = 0L))
    expect_equal(back$degs, meta$degs)
    expect_length(back$degs$genes, length(plan$truth))
    expect_identical(back$settings$seed, 3L)
    kept <- back$registry
    expect_identical(encode_screen(kept, screen), encode_screen(registry, screen))
  }
})

test_that("a name may be \"NA\", or look like a number", {
  cells <- toy_cells(160)
  cells$part <- rep(rep(c("train", "test"), each = 8), 10)
  cells$one <- "NA"
  for (name in c("NA", "Inf", "1", "true")) {
    for (what in c("control", "A")) {
      renamed <- transform(cells, drug = gsub(what, name, drug))
      names(renamed)[names(renamed) == "one"] <- "NA"
      screen <- toy_screen(cells = renamed, split = "part", covariates = "NA",
                           control = if (what == "control") name else "control")
      registry <- new_registry(screen)
      meta <- new_meta(screen, registry, cpa_settings(seed = 3), new_plan(screen, registry))
      back <- meta_from_json(meta_to_json(meta))
      expect_identical(back$conditions, meta$conditions)
      expect_identical(back$registry$covariates, meta$registry$covariates)
      expect_identical(back$keys, meta$keys)
      expect_identical(back$degs, meta$degs)
    }
  }
})

test_that("the DEGs that a user gave survive, a lone gene called \"NA\" too", {
  screen <- toy_screen()
  screen$split <- rep("train", 60)
  screen$keys$degs <- list(A = "NA", "A+B" = c("g1", "g2"))
  meta <- new_meta(screen, new_registry(screen), cpa_settings(), NULL)
  expect_identical(meta_from_json(meta_to_json(meta))$keys, meta$keys)
})

test_that("a fit whose control and only level are called \"NA\" knows its cells again", {
  cells <- transform(toy_cells(160), drug = sub("control", "NA", drug), one = "NA")
  x <- toy_log(160)
  fit <- suppressWarnings(cpa(x, "drug", dose = "dose", covariates = c("cell_type", "one"), control = "NA",
                              col_data = cells, settings = quick_settings(1)))
  scores <- evaluate_r2(fit, x, col_data = cells, baselines = FALSE)
  expect_true(all(is.finite(scores$r2_mean)))
  more <- resume_fit(fit, x, 1, col_data = cells)
  expect_identical(max(more$history$epoch), 2L)
})

test_that("conditions that were seen are counted per split", {
  cells <- toy_cells()
  cells$part <- ifelse(cells$drug == "A+B", "ood", "train")
  screen <- toy_screen(cells = cells, split = "part")
  seen <- seen_conditions(screen)
  expect_identical(sum(seen$n_cells), 60L)
  expect_identical(seen$label[seen$split == "ood"], c("A@0.5+B@2", "A@0.5+B@2"))
  expect_identical(sum(seen$control), 2L)
  expect_identical(lengths(seen$covariates), c(cell_type = 8L))
})

test_that("a screen without scored conditions has no DEGs", {
  screen <- toy_screen()
  screen$split <- rep("train", 60)
  meta <- new_meta(screen, new_registry(screen), cpa_settings(), NULL)
  expect_identical(meta_from_json(meta_to_json(meta))$degs, list())
})
