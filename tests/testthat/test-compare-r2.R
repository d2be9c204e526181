# What evaluate_r2() returns, with scores of our own: 3 cell types x 2 drugs x 2 doses.
scored <- function(shift = 0, rows = 1:12, preset = "compert", noise = 1) {
  one <- expand.grid(cell_type = c("A", "B", "C"), drug = c("D1", "D2"), dose = c(0.1, 1),
                     stringsAsFactors = FALSE)
  base <- 0.5 + sin(seq_len(12)) / 4
  method <- function(name, value) {
    table <- cbind(one, method = name, split = "ood", seen = "drug new", n_cells = 9L,
                   stringsAsFactors = FALSE)
    for (metric in metric_names) table[[metric]] <- value
    cbind(table, n_controls = 5L, note = NA_character_)[rows, ]
  }
  table <- rbind(method("model", base + shift + noise * cos(seq_len(12)) / 50),
                 method("control", base - 0.3), method("additive", base))
  structure(tibble::as_tibble(table), class = c("compert_r2", "tbl_df", "tbl", "data.frame"),
            preset = preset, words = paste("preset", preset), splits = "ood")
}

test_that("means, medians and paired tests are those of the shared conditions", {
  a <- scored(0.2)
  b <- scored(0.1, noise = -1)
  x <- compare_r2(good = a, poor = b)
  expect_s3_class(x, "compert_comparison")
  expect_identical(unique(x$group), c("0.1", "1", "all"))
  expect_identical(unique(x$model), c("good", "poor", "control"))
  expect_identical(unique(x$n_conditions), c(6L, 12L))
  own <- a[a$method == "model" & a$dose == 1, ]
  other <- b[b$method == "model" & b$dose == 1, ]
  row <- x[x$group == "1" & x$metric == "r2_mean_deg" & x$model == "poor", ]
  expect_equal(row$mean, mean(other$r2_mean_deg))
  expect_equal(row$median, median(other$r2_mean_deg))
  test <- stats::t.test(other$r2_mean_deg, own$r2_mean_deg, paired = TRUE)
  expect_equal(row$p_t, test$p.value)
  expect_equal(row$gain, unname(test$estimate))
  expect_equal(row$p_wilcoxon, stats::wilcox.test(other$r2_mean_deg, own$r2_mean_deg,
                                                  paired = TRUE)$p.value)
  expect_identical(row$better, sum(other$r2_mean_deg > own$r2_mean_deg))
  expect_identical(row$dose, 1)
  expect_identical(unique(x$dose[x$group == "all"]), NA_real_)
  reference <- x[x$model == "good", ]
  expect_true(all(is.na(reference$p_t)) && all(is.na(reference$gain)))
})

test_that("the order of rows in a table does not matter", {
  a <- scored(0.2)
  b <- scored(0.1)
  expect_equal(compare_r2(a = a, b = b[rev(seq_len(nrow(b))), ]), compare_r2(a = a, b = b))
  expect_equal(compare_r2(list(a = a, b = b)), compare_r2(a = a, b = b))
})

test_that("conditions that not all models have are dropped, and it is said", {
  holes <- scored(0.1, rows = 1:9)
  holes$r2_mean_deg[2] <- NA
  expect_message(x <- compare_r2(a = scored(), b = holes),
                 "4 of 12 conditions left out: .*b 4.*No r2_mean_deg: 1; leave it out of `metric`")
  expect_no_match(conditionMessage(expect_message(compare_r2(a = scored(), b = scored(rows = 1:9)))), "No r2")
  expect_identical(x$n_conditions[x$group == "all"][1], 8L)
  expect_match(capture.output(print(x))[1], "8 conditions .*\\(4 left out\\)")
  expect_silent(compare_r2(a = scored(), b = scored()))
  expect_refused(compare_r2(a = scored(rows = 1:2), b = scored(rows = 3:12)),
                 "share at least one condition.*None of 12")
  none <- scored()
  none$r2_mean_deg <- NA_real_
  expect_refused(compare_r2(m = none, o = none),
                 "share at least one.*No r2_mean_deg: \"m\", \"o\", \"control\"\\..*leave such `metric`")
})

test_that("groups are the user's own columns; one group is all", {
  x <- compare_r2(a = scored(), by = "cell_type")
  expect_identical(unique(x$group), c("A", "B", "C", "all"))
  expect_identical(unique(compare_r2(a = scored(), by = NULL)$group), "all")
  expect_identical(unique(compare_r2(a = scored(), by = "split")$group), "all")
  both <- compare_r2(a = scored(), by = c("dose", "cell_type"))
  expect_identical(unique(both$group)[1:3], c("0.1, A", "0.1, B", "0.1, C"))
  named <- scored()
  names(named)[3] <- "uM"
  expect_identical(unique(compare_r2(a = named)$uM), c(0.1, 1, NA))
})

test_that("a level may be called all, and a column as one of the comparison's", {
  plain <- compare_r2(a = scored(), by = "cell_type")
  named <- scored()
  named$cell_type[named$cell_type == "A"] <- "all"
  x <- compare_r2(a = named, by = "cell_type")
  expect_identical(unique(x$group), c("B", "C", "own_all", "all"))
  expect_identical(x$cell_type[x$group == "own_all"][1], "all")
  expect_identical(x$mean[x$group == "own_all"], plain$mean[plain$group == "A"])
  expect_identical(x$mean[x$group == "all"], plain$mean[plain$group == "all"])
  expect_identical(sum(x$n_conditions), sum(plain$n_conditions))
  for (name in c("model", "mean", "group")) {
    moved <- scored()
    names(moved)[1] <- name
    x <- compare_r2(a = moved, by = name)
    expect_identical(names(x)[1:3], c("group", paste0("own_", name), "metric"))
    expect_identical(x$mean, plain$mean)
  }
})

test_that("reference, baselines and metrics are chosen", {
  x <- compare_r2(a = scored(), b = scored(0.1), reference = "control",
                  baselines = c("control", "additive"), metric = "r2_lfc_deg")
  expect_identical(unique(x$metric), "r2_lfc_deg")
  expect_identical(unique(x$model), c("a", "b", "control", "additive"))
  expect_true(all(is.na(x$p_t[x$model == "control"])))
  expect_identical(unique(compare_r2(a = scored(), baselines = NULL)$model), "a")
  # Without any spread of differences there is no test.
  expect_true(is.na(x$p_t[x$model == "additive"][1]))
})

test_that("every baseline of the first table may be compared with", {
  a <- scored()
  average <- a[a$method == "additive", ]
  average$method <- "mean"
  x <- compare_r2(a = rbind(a, average), b = scored(0.1), baselines = c("mean", "additive"))
  expect_identical(unique(x$model), c("a", "b", "mean", "additive"))
  expect_equal(x$mean[x$model == "mean"], x$mean[x$model == "additive"])
  expect_refused(compare_r2(a = a, baselines = c("control", "mean")),
                 "none of \"mean\".*evaluate_r2\\(..., baselines = c\\(\"control\", \"mean\"\\)\\)")
})

test_that("doses of combinations stand in the order of their numbers", {
  a <- scored()
  a$dose <- rep(c("10", "0.5+2+3", "3", "1+10", "1", "0.5", "1e+05", "0.5+10", "1", "3", "10", "0.5"), 3)
  expect_identical(unique(compare_r2(a = a)$group),
                   c("0.5", "0.5+2+3", "0.5+10", "1", "1+10", "3", "10", "1e+05", "all"))
})

test_that("tables of different measurements are noticed", {
  other <- scored()
  other$r2_mean[other$method == "control"] <- 0.1
  expect_warning(compare_r2(a = scored(), b = other), "not made from the same.*for b")
  control <- other$method == "control"
  other <- scored()
  other$r2_mean_deg[control][2] <- 0.1
  attr(other, "words") <- "10 DEGs"
  flat <- function(expr) gsub("\\s+", " ", conditionMessage(expect_warning(expr)))
  said <- flat(compare_r2(a = scored(), same = scored(), b = other))
  expect_match(said, "differently for b \\(r2_mean_deg\\)\\. x a: preset compert x b: 10 DEGs")
  expect_warning(compare_r2(a = scored(), b = other, metric = "r2_mean"), NA)
  attr(other, "words") <- NULL
  expect_no_match(flat(compare_r2(a = scored(), b = other)), "NULL|preset")
  other$r2_mean_deg[control][2] <- NA
  expect_match(flat(compare_r2(a = scored(), b = other)), "differently for b \\(r2_mean_deg\\)")
  expect_warning(compare_r2(a = scored(), b = scored()[!control, ]), NA)
})

test_that("wrong tables and words are refused", {
  expect_refused(compare_r2(scored()), "must have the name of its model")
  expect_refused(compare_r2(a = scored(), a = scored()), "no two the same")
  expect_refused(compare_r2(), "There is no table")
  expect_refused(compare_r2(a = 1), "made by `evaluate_r2\\(\\)`")
  expect_refused(compare_r2(control = scored()), "names of baselines")
  expect_refused(compare_r2(a = scored(), b = scored(preset = "fb")), "of one preset")
  expect_refused(compare_r2(a = scored(), by = "day"), "`by` must be some of")
  expect_refused(compare_r2(a = scored(), metric = "r2"), "`metric` must be some of")
  expect_refused(compare_r2(a = scored(), baselines = "linear"), "`baselines` must be some of")
  expect_refused(compare_r2(a = scored(), reference = "b"), "`reference` must be one of")
  moved <- scored()
  names(moved)[1] <- "line"
  expect_refused(compare_r2(a = scored(), b = moved), "by the same columns.*\"line\"")
})

test_that("scores of fits are compared", {
  cells <- small_cells()
  long <- evaluate_r2(small_fit(), cells$x, col_data = cells$col_data, seed = 1)
  short <- evaluate_r2(small_fit(settings = quick_settings(1)), cells$x, col_data = cells$col_data,
                       seed = 1)
  x <- compare_r2(long = long, short = short, baselines = c("control", "additive"))
  expect_identical(unique(x$group), "all")
  expect_identical(unique(x$n_conditions), sum(long$method == "model"))
  expect_equal(x$mean[x$model == "long" & x$metric == "r2_mean"],
               mean(long$r2_mean[long$method == "model"]))
})

test_that("the print and the picture give doses their unit, and count baselines apart", {
  with_unit <- function(shift) structure(scored(shift), dose_unit = "uM")
  x <- compare_r2(good = with_unit(0.2), poor = with_unit(0.1), baselines = "control")
  lines <- capture.output(print(x))
  expect_match(lines[1], "^r2 of 2 models and 1 baseline on 12 conditions")
  expect_true(any(grepl("^dose \\(uM\\) 0.1 \\(6 conditions\\)$", lines)))
  expect_identical(comparison_axis(x), "dose (uM)")
  expect_null(attr(tidy(x), "unit"))
  both <- compare_r2(a = with_unit(0), b = scored(), by = c("dose", "cell_type"), baselines = character())
  expect_identical(comparison_axis(both), "dose, cell_type")
  single <- capture.output(print(compare_r2(a = scored(rows = 1:2), b = scored(rows = 1:2), by = "cell_type")))
  expect_true("cell_type A (1 condition)" %in% single)
})
