# Accuracies that are written down are those that were kept.

accuracy_kept <- function() {
  kept <- utils::read.csv(file.path(source_tree(), "inst", "bench", "results", "accuracy.csv"))
  kept <- kept[kept$loss == "gauss" & !grepl("(not additive)", kept$held_out, fixed = TRUE), ]
  # Folds count alike, however many conditions they hold.
  stats::aggregate(kept[c("r2_mean_deg", "r2_lfc_deg")], kept[c("data", "method", "held_out")], mean)
}

# The row of the table in `file` that begins with `label`, beside the averages over folds in `kept`.
expect_row_kept <- function(file, label, kept) {
  lines <- readLines(file.path(source_tree(), file), encoding = "UTF-8")
  line <- lines[startsWith(lines, paste0("| ", label))][1]
  cells <- trimws(strsplit(gsub("*", "", line, fixed = TRUE), "|", fixed = TRUE)[[1]])[3:8]
  of <- function(method, metric) mean(kept[[metric]][kept$method == method])
  averages <- c(vapply(c("model", "model_decoded", "control", "additive"), of, 0, metric = "r2_mean_deg"),
                vapply(c("model", "additive"), of, 0, metric = "r2_lfc_deg"))
  digits <- nchar(sub("^[^.]*[.]", "", cells))
  expect_true(all(abs(as.numeric(cells) - averages) <= 0.51 * 10^-digits), info = line)
}

test_that("the README's accuracies are those in inst/bench/results", {
  skip_without_source_tree()
  skip_without(dir.exists(file.path(source_tree(), "inst", "bench")), "source tree")
  rows <- c("Kang PBMC, IFN-beta: mean" = "kang_pbmc_ifnb", "Kang, two donors" = "kang_pbmc_donors",
            "Kang, 100 genes: B" = "kang_pbmc_100genes", "Norman K562, three pairs" = "norman_k562_crispra",
            "Papalexi THP-1" = "papalexi_thp1_crispr", "Rat liver, 1,500" = "rat_liver_acetaminophen",
            "L1000 A375 (wells)" = "l1000_a375_ht115", "Drug-seq MCF10A (wells)" = "drugseq_mcf10a",
            "Drug-seq, three ovarian" = "drugseq_ovarian", "CTCL patient" = "citeseq_pbmc_ctcl")
  kept <- accuracy_kept()
  for (label in names(rows)) expect_row_kept("README.md", label, kept[kept$data == rows[[label]], ])
})

test_that("those of single cell types are, too", {
  skip_without_source_tree()
  skip_without(dir.exists(file.path(source_tree(), "inst", "bench")), "source tree")
  types <- c("Kang PBMC, IFN-beta: B cells" = "B", "CD14+ monocytes" = "CD14+Mono", "CD4 T cells" = "CD4T",
             "CD8 T cells" = "CD8T", "dendritic cells" = "Dendritic", "FCGR3A+ monocytes" = "FCGR3A+Mono",
             "NK cells" = "NK")
  kept <- accuracy_kept()
  kept <- kept[kept$data == "kang_pbmc_ifnb", ]
  for (label in names(types)) {
    expect_row_kept("inst/bench/README.md", label, kept[kept$held_out == types[[label]], ])
  }
})
