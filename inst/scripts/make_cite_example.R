# Makes inst/extdata/citeseq.h5ad: Rscript inst/scripts/make_cite_example.R SOURCE.h5ad, where SOURCE has
# the cells of both samples of CiteFuse's ECCITE-seq data (see inst/extdata/README.md): layer "counts",
# X = log1p(counts / total x 10,000), obsm "protein_counts", uns "protein_names".
suppressPackageStartupMessages({
  library(compert)
  library(SingleCellExperiment)
})
source <- commandArgs(trailingOnly = TRUE)[1]
parts <- suppressWarnings(read_h5ad(source, as = "list"))
spread <- apply(as.matrix(parts$X), 1, var)
genes <- sort(order(-spread)[1:400])
obs <- parts$obs[c("condition", "dose", "cell_type", "control", "qc_singlet", "n_counts_panel")]
proteins <- parts$obsm$protein_counts
dimnames(proteins) <- list(NULL, parts$uns$protein_names)
out <- SingleCellExperiment(list(X = parts$X[genes, ], counts = parts$layers$counts[genes, ]),
                            colData = DataFrame(obs))
reducedDim(out, "protein_counts") <- proteins
metadata(out)$protein_names <- parts$uns$protein_names
write_h5ad(out, file.path("inst", "extdata", "citeseq.h5ad"))
