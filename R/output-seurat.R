# Predictions as a Seurat object: one assay per kind of value, the first one active.

as_seurat <- function(values, about, fit, proteins = NULL) {
  check_package("SeuratObject", "to return predictions as a Seurat object")
  # Version 5 sums up the counts of every new assay, and warns where there are none.
  before <- options(Seurat.object.assay.calcn = FALSE)
  on.exit(options(before))
  # The first kind of the proteins' values has their own name, "ADT"; another is "ADT_variance".
  if (!is.null(proteins)) {
    place <- make.names(protein_place(fit))
    names(proteins) <- c(place, paste0(place, "_", names(proteins)[-1L]))[seq_along(proteins)]
    values <- c(values, proteins)
  }
  assays <- Map(function(value, name) {
    assay <- SeuratObject::CreateAssayObject(data = value)
    SeuratObject::Key(assay) <- paste0(lower_case(gsub("[^A-Za-z0-9]", "", name)), "_")
    assay
  }, values, names(values))
  object <- SeuratObject::CreateSeuratObject(assays[[1L]], assay = names(assays)[1L],
                                             meta.data = as.data.frame(about))
  for (name in names(assays)[-1L]) {
    object[[name]] <- assays[[name]]
  }
  SeuratObject::Idents(object) <- "cpa_condition"
  SeuratObject::Misc(object, "cpa") <- output_notes(fit)
  object
}
