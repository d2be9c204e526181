# The real screens and what is held out of each: one entry per file of the data folder.
#
# `folds(col_data)` gives logical vectors, one per fit, that mark the held-out cells; a fold is named
# after what it holds out. `min_cells`: fewest cells of a scored condition (wells of bulk screens
# come one by one). `skip`: cells that are left out altogether.

perturbed <- function(cells, condition) as.character(cells$condition) == condition

# Every type in turn, under one condition.
each_type <- function(cells, condition, column = "cell_type", fewest = 5) {
  here <- perturbed(cells, condition)
  types <- sort(unique(as.character(cells[[column]][here])))
  folds <- lapply(types, function(type) here & as.character(cells[[column]]) == type)
  names(folds) <- types
  folds[vapply(folds, sum, 0) >= fewest]
}

# Every k-th of the distinct pairs of perturbation and `column` (sorted), k = 1 .. n_folds in turn,
# of those pairs that `keep` marks.
spread_pairs <- function(cells, column, keep, n_folds) {
  pair <- paste(cells$condition, cells[[column]], sep = " / ")
  pairs <- sort(unique(pair[keep]))
  folds <- lapply(seq_len(n_folds), function(k) {
    keep & pair %in% pairs[seq_along(pairs) %% n_folds == k %% n_folds]
  })
  rlang::set_names(folds, paste("part", seq_len(n_folds)))
}

held_out_screens <- list(
  kang_pbmc_ifnb = list(
    title = "Kang PBMC, each cell type held out under IFN-beta",
    covariates = "cell_type", folds = function(cells) each_type(cells, "IFNb")
  ),
  kang_pbmc_donors = list(
    title = "Kang PBMC of two donors (batch), each cell type held out under IFN-beta",
    covariates = "cell_type", batch = "donor", folds = function(cells) each_type(cells, "IFNb")
  ),
  kang_pbmc_100genes = list(
    title = "Kang PBMC, 100 genes, three donors (batch), B and CD14+ cells held out under IFN-beta",
    covariates = "cell_type", batch = "donor",
    folds = function(cells) {
      folds <- each_type(cells, "IFNb")
      folds[grepl("^B |^B$|^CD14", names(folds))]
    }
  ),
  norman_k562_crispra = list(
    title = "Norman K562, four doubles held out",
    folds = function(cells) list(doubles = as.character(cells$split) == "ood")
  ),
  papalexi_thp1_crispr = list(
    title = "Papalexi THP-1, four knockouts held out in one replicate", covariates = "replicate",
    folds = function(cells) {
      second <- sort(unique(as.character(cells$replicate)))[2]
      list("replicate 2" = cells$condition %in% c("IFNGR1", "STAT2", "BRD4", "IRF1") &
             as.character(cells$replicate) == second)
    }
  ),
  citeseq_pbmc_ctcl = list(
    title = "CTCL patient against healthy donor (a disease contrast), B cells and monocytes held out",
    covariates = "cell_type",
    folds = function(cells) {
      folds <- each_type(cells, "CTCL")
      folds[intersect(c("B", "Mono"), names(folds))]
    }
  ),
  rat_liver_acetaminophen = list(
    title = "Rat liver, acetaminophen (bulk), the 1,500 mg/kg group held out at each time",
    covariates = "time_h", min_cells = 2, wells = TRUE,
    folds = function(cells) {
      high <- cells$dose_original_mg_kg == 1500
      times <- sort(unique(cells$time_h))
      rlang::set_names(lapply(times, function(t) high & cells$time_h == t), paste(times, "h"))
    }
  ),
  drugseq_mcf10a = list(
    title = "Drug-seq MCF10A (wells), the middle dose of every drug held out, in three parts",
    min_cells = 2, wells = TRUE,
    folds = function(cells) spread_pairs(cells, "dose", cells$dose == 1, 3)
  ),
  drugseq_ovarian = list(
    title = "Drug-seq of three ovarian lines (wells), a third of the pairs of drug and line in turn",
    covariates = "cell_type", min_cells = 1, wells = TRUE,
    folds = function(cells) {
      lines <- tapply(as.character(cells$cell_type), as.character(cells$condition),
                      function(t) length(unique(t)))
      several <- names(lines)[lines > 1]
      spread_pairs(cells, "cell_type",
                   cells$condition %in% setdiff(several, "control"), 3)
    }
  ),
  l1000_a375_ht115 = list(
    title = "L1000 A375 (wells), the 3.33 uM wells of a third of the compounds in turn",
    min_cells = 1, wells = TRUE,
    skip = function(cells) as.character(cells$cell_type) != "A375",
    folds = function(cells) {
      middle <- abs(cells$dose - 3.33) < 0.02 & cells$condition != "control"
      spread_pairs(cells, "dose", middle, 3)
    }
  )
)
