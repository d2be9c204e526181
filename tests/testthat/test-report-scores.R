# Two conditions, one of which training saw.
two_scores <- function(model = c(0.9, 0.5), additive = c(0.5, 0.8), seen = c("drug new to covariate", "condition")) {
  one <- expand.grid(method = c("model", "control", "additive"), cell_type = c("B", "NK"), stringsAsFactors = FALSE)
  table <- tibble::tibble(cell_type = one$cell_type, drug = "IFNb", dose = 1, method = one$method,
                          split = rep(c("ood", "test"), each = 3), seen = rep(seen, each = 3), n_cells = 10L)
  for (name in metric_names) table[[name]] <- as.vector(rbind(model, -3, additive))
  structure(table, class = c("compert_r2", class(table)))
}

test_that("the result is that of unseen conditions, whoever is ahead", {
  expect_match(report_result(two_scores()), fixed = TRUE, paste(
    "The scored condition that training did not see: r2 of the means over the DEGs is **0.90**, that of the best",
    "baseline (additive) **0.50**. The model is better."))
  expect_match(report_result(two_scores(additive = c(0.95, 0))), "**The baseline is better**", fixed = TRUE)
  expect_match(report_result(two_scores(additive = c(0.91, 0))), "The two are level")
  expect_match(report_result(two_scores(additive = c(NA, 0))), "best baseline (control) **-3.00**", fixed = TRUE)
  both <- report_result(two_scores(seen = c("condition", "condition")))
  expect_match(both, "2 scored conditions of which training saw other cells .* \\*\\*0.70\\*\\* on average.*ahead in 1 of 2")
  unseen <- report_result(two_scores(additive = c(0.5, NA), seen = c("drug new", "drug new")))
  expect_match(unseen, "ahead in 1 of 1 (1 more cannot be scored by every baseline)", fixed = TRUE)
  alone <- two_scores()
  expect_match(report_result(alone[alone$method == "model", ]), "**0.90**; no baseline has a score", fixed = TRUE)
})

test_that("averages and rankings have the scores of their rows", {
  averages <- report_averages(two_scores())
  expect_identical(averages$split, rep(c("ood", "test"), each = 3))
  expect_identical(averages$r2_mean_deg, c(0.9, -3, 0.5, 0.5, -3, 0.8))
  expect_identical(unique(averages$seen), c("the perturbation elsewhere", "the condition (other cells)"))
  shown <- averages_table(averages, metric_names)
  expect_named(shown, c("Split", "Training saw", "Method", "Conditions", unname(r2_words()[metric_names])))
  expect_identical(shown$Split, c("ood", "", "", "test", "", ""))
  expect_identical(shown$Method[2], "control (no effect)")
  ranking <- report_ranking(two_scores(seen = c("drug new", "drug new"), model = c(0.1, 0.5)))
  expect_identical(ranking$cell_type, c("NK", "B"))
  expect_identical(ranking$.additive, c(0.8, 0.5))
  shown <- ranking_table(ranking)
  expect_named(shown, c("cell_type", "drug", "Split", "Cells", "Model", "control (no effect)", "additive",
                        "Model: effects", "Model: Pearson r"))
  expect_identical(ranking_table(ranking, dosed = TRUE)$dose, c("1", "1"))
  expect_match(baseline_text(ranking), "^$")
  expect_match(baseline_text(two_scores()), "^`control` .*`additive` .*beat them")
  expect_no_match(baseline_text(two_scores()), "ceiling")
  expect_identical(own_words(data.frame(a = "x", dose = c(0.1, 10)), FALSE)$dose, c("0.1", "10"))
  expect_named(own_words(data.frame(a = "x", dose = 1), FALSE), "a")
  many <- ranking[rep(1:2, 30), ]
  expect_identical(nrow(ranking_table(many)), 20L)
  expect_identical(nrow(conditions_to_draw(ranking)), 2L)
  many$cell_type <- as.character(seq_len(60))
  expect_identical(conditions_to_draw(many)$cell_type, c("1", "30", "60"))
})

test_that("the ceiling stands in tables, and is no baseline to beat", {
  scores <- two_scores()
  scores$method[scores$method == "control"] <- "ceiling"
  for (name in metric_names) scores[[name]][scores$method == "ceiling"] <- 0.99
  expect_match(report_result(scores), "best baseline (additive)", fixed = TRUE)
  expect_identical(report_ranking(scores)$.ceiling, 0.99)
  expect_true("ceiling (half of the cells)" %in% averages_table(report_averages(scores), metric_names)$Method)
  expect_match(baseline_text(scores), "here[.] `ceiling` is a random half")
})
