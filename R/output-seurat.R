# Predictions as a Seurat object: one assay per kind of value, the first one active.

as_seurat <- function(values, about) {
  check_package("SeuratObject", "to return predictions as a Seurat object")
  # Version 5 sums up the counts of every new assay, and warns where there are none.
  before <- options(Seurat.object.assay.calcn = FALSE)
  on.exit(options(before))
  assays <- Map(function(value, name) {
    assay <- SeuratObject::CreateAssayObject(data = value)
    SeuratObject::Key(assay) <- paste0(name, "_")
    assay
  }, values, names(values))
  object <- SeuratObject::CreateSeuratObject(assays[[1L]], assay = names(assays)[1L],
                                             meta.data = as.data.frame(about))
  for (name in names(assays)[-1L]) {
    object[[name]] <- assays[[name]]
  }
  object
}
