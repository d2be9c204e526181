# Makes inst/extdata/kang_donors.h5ad from the cells of two donors of Kang et al. (2018).
#
#   Rscript inst/scripts/make_kang_donors.R SOURCE.h5ad TARGET.h5ad
#
# SOURCE is example_sce of data/example_sce.rda in github.com/HelenaLC/muscat at commit 017b290b
# (GPL-3), with these steps done before: the raw counts were kept as layer "counts"; X was made as
# log1p(counts / total * 10000), where total is the sum over the source's 1,267 genes; 106 of the
# 1,556 cells were left out; "stim" and "ctrl" became "IFNb" and "control".
# What happens here: 700 of the genes are kept, all 1,450 cells, and the columns that the examples
# use. Only the counts are stored, as X, with the cells' totals: kang_example(donors = TRUE) makes
# the log-normalised values again. The variance is that of the log-normalised values over all cells,
# without regard to condition or donor.

library(compert)

arguments <- commandArgs(trailingOnly = TRUE)
source_file <- arguments[1]
target_file <- arguments[2]
n_genes <- 700

cells <- read_h5ad(source_file, as = "list")
x <- cells$X
counts <- cells$layers$counts
variance <- Matrix::rowMeans(x^2) - Matrix::rowMeans(x)^2
ranked <- rownames(x)[order(-variance, rownames(x), method = "radix")]
kept <- rownames(x)[rownames(x) %in% ranked[seq_len(n_genes)]]

obs <- cells$obs[c("condition", "dose", "cell_type", "donor", "control")]
obs$total <- as.integer(round(Matrix::colSums(counts)))
stopifnot(all.equal(x@x, log1p(counts@x / rep(obs$total, diff(counts@p)) * 1e4),
                    tolerance = 1e-6))
write_h5ad(list(X = counts[kept, ], obs = obs), target_file)
message(length(kept), " genes, ", ncol(x), " cells, ", round(file.size(target_file) / 2^20, 2),
        " MB")
