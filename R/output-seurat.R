# Predictions as a Seurat object: one assay per kind of value, the first one active.

as_seurat <- function(values, about) {
  check_package("SeuratObject", "to return predictions as a Seurat object")
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
