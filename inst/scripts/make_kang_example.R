# Makes inst/extdata/kang_pbmc.h5ad from the log-normalised cells of Kang et al. (2018).
#
#   Rscript inst/scripts/make_kang_example.R SOURCE.h5ad TARGET.h5ad
#
# SOURCE is data/valid.h5ad of github.com/theislab/scgen at commit dd7e178f (2018-11-25; the file
# was removed later), with these steps done before: the raw counts were recovered from X (expm1(X)
# of a cell is a whole multiple of its smallest value) and kept as layer "counts"; X was made anew
# as log1p(counts / total * 10000), where total counts all genes of the original; "stimulated" was
# renamed "IFNb"; columns dose, control and split were added.
# What happens here: 2,000 of the 6,998 genes are kept, all 1,975 cells, and the columns of the
# cells' table that the examples use. The variance is taken over all cells without regard to
# condition or split.

library(compert)

arguments <- commandArgs(trailingOnly = TRUE)
source_file <- arguments[1]
target_file <- arguments[2]
n_genes <- 2000

# Genes that answer to type I interferon, from the general literature: kept whatever their variance.
interferon <- c(
  "ADAR", "APOBEC3A", "B2M", "BATF2", "BST2", "CASP1", "CCL2", "CCL3", "CCL4", "CCL7", "CCL8",
  "CD38", "CD69", "CMPK2", "CXCL10", "CXCL11", "CXCL9", "DDX58", "DDX60", "DDX60L", "EIF2AK2",
  "EPSTI1", "GBP1", "GBP2", "GBP4", "GBP5", "HERC5", "HERC6", "HLA-A", "HLA-B", "HLA-C", "HLA-E",
  "IDO1", "IFI16", "IFI27", "IFI35", "IFI44", "IFI44L", "IFI6", "IFIH1", "IFIT1", "IFIT2", "IFIT3",
  "IFIT5", "IFITM1", "IFITM2", "IFITM3", "IRF1", "IRF7", "IRF8", "IRF9", "ISG15", "ISG20", "LAMP3",
  "LAP3", "LGALS3BP", "LY6E", "MOV10", "MX1", "MX2", "NMI", "NUB1", "OAS1", "OAS2", "OAS3", "OASL",
  "PARP12", "PARP14", "PARP9", "PLSCR1", "PML", "PSMB10", "PSMB8", "PSMB9", "RSAD2", "RTP4",
  "SAMD9", "SAMD9L", "SOCS1", "SP100", "SP110", "SP140", "STAT1", "STAT2", "TAP1", "TAP2",
  "TNFSF10", "TNFSF13B", "TRAFD1", "TRIM14", "TRIM22", "TRIM25", "TRIM5", "UBE2L6", "USP18",
  "WARS", "XAF1"
)

cells <- read_h5ad(source_file, as = "list")
x <- cells$X
mean_of <- Matrix::rowMeans(x)
variance <- Matrix::rowMeans(x^2) - mean_of^2
listed <- intersect(interferon, rownames(x))
ranked <- rownames(x)[order(-variance, rownames(x), method = "radix")]
kept <- c(listed, setdiff(ranked, listed))[seq_len(n_genes)]
kept <- rownames(x)[rownames(x) %in% kept]

small <- list(
  X = x[kept, ],
  layers = list(counts = cells$layers$counts[kept, ]),
  obs = cells$obs[c("condition", "dose", "cell_type", "control", "split")],
  var = data.frame(row.names = kept, interferon = kept %in% listed)
)
write_h5ad(small, target_file)
message(length(listed), " interferon genes, ", length(kept), " genes, ", ncol(x), " cells, ",
        round(file.size(target_file) / 2^20, 2), " MB")
