# Makes inst/extdata/drugseq_mcf10a.h5ad and drugseq_molecules.csv: a real screen of 27 drugs at three
# doses with their structures, small enough to ship.
#
#   Rscript inst/scripts/make_drugseq_example.R FOLDER
#
# FOLDER holds drugseq_mcf10a.h5ad, drug_annotations.csv and drug_rdkit_features.csv.gz: wells of the
# plate PMMSq033 of PMCC-BioinformaticsCore/macpie (MIT; see extdata/README.md), names and SMILES of
# its drugs, and RDKit's 2-D descriptors of 609 drug molecules.
#
# The descriptors are z-scores over all 609 molecules; those with a standard deviation of at most 0.01
# are left out (theislab/chemCPA's rule), values beyond 10 are cut.
folder <- commandArgs(trailingOnly = TRUE)
stopifnot(length(folder) == 1, dir.exists(folder))
out <- file.path("inst", "extdata")

drugs <- read.csv(file.path(folder, "drug_annotations.csv"), encoding = "UTF-8")
drugs <- drugs[drugs$dataset == "drugseq_mcf10a", ]
all <- read.csv(gzfile(file.path(folder, "drug_rdkit_features.csv.gz")), check.names = FALSE)
values <- as.matrix(all[, setdiff(names(all), c("smiles_rdkit", "morgan_r2_1024_on_bits"))])
values[!is.finite(values)] <- 0
spread <- apply(values, 2, sd)
values <- scale(values[, spread > 0.01])
values <- round(pmin(pmax(values, -10), 10), 4)
described <- values[match(drugs$smiles_rdkit, all$smiles_rdkit), ]
stopifnot(!anyNA(described))
table <- data.frame(drug = drugs$drug_name, smiles = drugs$smiles_rdkit, moa = drugs$moa, described,
                    check.names = FALSE)
write.csv(table[order(table$drug, method = "radix"), ], file.path(out, "drugseq_molecules.csv"),
          row.names = FALSE, na = "")
file.copy(file.path(folder, "drugseq_mcf10a.h5ad"), out, overwrite = TRUE, copy.mode = FALSE)
