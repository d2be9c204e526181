# Accuracies are said in one place, the README, and are those that were kept.

accuracy_kept <- function() {
  kept <- utils::read.csv(file.path(source_tree(), "inst", "bench", "results", "accuracy.csv"))
  kept <- kept[kept$loss == "gauss" & !grepl("(not additive)", kept$held_out, fixed = TRUE), ]
  # Folds count alike, however many conditions they hold.
  fold <- stats::aggregate(kept[c("r2_mean_deg", "r2_lfc_deg")], kept[c("data", "method", "held_out")], mean)
  function(data, method, metric) mean(fold[[metric]][fold$data == data & fold$method == method])
}

test_that("the README's accuracies are those in inst/bench/results", {
  skip_without_source_tree()
  skip_without(dir.exists(file.path(source_tree(), "inst", "bench")), "source tree")
  rows <- c("mean of the seven" = "kang_pbmc_ifnb", "Kang, two donors" = "kang_pbmc_donors",
            "Kang, 100 genes: B" = "kang_pbmc_100genes", "Norman K562, three pairs" = "norman_k562_crispra",
            "Papalexi THP-1" = "papalexi_thp1_crispr", "Rat liver, 1,500" = "rat_liver_acetaminophen",
            "L1000 A375 (wells)" = "l1000_a375_ht115", "Drug-seq MCF10A (wells)" = "drugseq_mcf10a",
            "Drug-seq, three ovarian" = "drugseq_ovarian", "CTCL patient" = "citeseq_pbmc_ctcl")
  lines <- readLines(file.path(source_tree(), "README.md"), encoding = "UTF-8")
  of <- accuracy_kept()
  for (label in names(rows)) {
    line <- lines[startsWith(lines, paste0("| ", label))][1]
    cells <- trimws(strsplit(gsub("*", "", line, fixed = TRUE), "|", fixed = TRUE)[[1]])[3:8]
    kept <- c(vapply(c("model", "model_decoded", "control", "additive"), of, 0, data = rows[[label]],
                     metric = "r2_mean_deg"),
              vapply(c("model", "additive"), of, 0, data = rows[[label]], metric = "r2_lfc_deg"))
    digits <- nchar(sub("^[^.]*[.]", "", cells))
    expect_true(all(abs(as.numeric(cells) - kept) <= 0.51 * 10^-digits), info = line)
  }
})
