# Makes inst/extdata/rdkit2d_constants.csv, by which smiles_features() scales descriptors.
#
#   Rscript inst/scripts/make_rdkit2d_constants.R MOLECULES.csv TARGET.csv
#
# MOLECULES has a column `smiles`. The file in this package was made with RDKit 2022.09.3 from 643
# entries, 609 distinct molecules: the 188 drugs of sci-Plex 3 and its vehicle
# (embeddings/trapnell_drugs_smiles.csv in github.com/theislab/chemCPA at commit 43e830eb, MIT), the
# compounds of two L1000 plates (test data of github.com/cmap/cmapPy at commit d1652c32,
# BSD-3-Clause, and of github.com/Perturbation-Response-Prediction/PRnet at commit f19174bd,
# Apache-2.0), and the drugs of two plates in github.com/PMCC-BioinformaticsCore/macpie at commits
# a7a78d6e and 904d56a6 (MIT). The table holds no molecule.
# What happens here: entries are brought to canonical SMILES, salts as they are, and each distinct
# one counts once. `mean` and `sd` (with n - 1) are over those; `kept` is chemCPA's rule, sd > 0.01.

library(compert)

arguments <- commandArgs(trailingOnly = TRUE)
smiles <- utils::read.csv(arguments[1])$smiles
smiles <- unique(canonical_smiles(smiles[!is.na(smiles) & nzchar(smiles)]))
x <- smiles_features(smiles, normalise = FALSE)
sd <- apply(x, 2, stats::sd)
constants <- data.frame(descriptor = colnames(x), mean = signif(colMeans(x), 10),
                        sd = signif(sd, 10), kept = sd > 0.01)
utils::write.csv(constants, arguments[2], row.names = FALSE, quote = FALSE)
message(nrow(x), " molecules, ", sum(constants$kept), " of ", ncol(x), " descriptors kept")
