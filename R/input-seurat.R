# Seurat objects, with version 4 assays (slots) and version 5 assays (layers, split ones included).
# What the installed SeuratObject can do is asked, not its version number.

#' @exportS3Method read_cells Seurat
read_cells.Seurat <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  check_package("SeuratObject", "to read a Seurat object", call = call)
  refuse_col_data(col_data, "x[[]]", call)
  assays <- SeuratObject::Assays(x)
  assay <- keys$assay %||% SeuratObject::DefaultAssay(x)
  assay <- choose_assay(assays, assay, NULL, character(), character(), "assay", call, keys$of_fit$arguments)
  object <- x[[assay]]
  layers <- seurat_layers(object)
  normalised <- seurat_normalised(object, layers)
  if (!normalised && is.null(keys$layer) && "counts" %in% layers$names) {
    layers$names <- setdiff(layers$names, "data")
  }
  layer <- choose_assay(layers$names, keys$layer, keys$loss, log_names = "data",
                        count_names = "counts", arg = "layer", of_fit = keys$of_fit$arguments, call = call)
  cells <- colnames(x)
  values <- as_columns(read_seurat_layer(object, layer, layers$all, cells, call), call)
  list(x = values, col_data = as.data.frame(x[[]])[cells, , drop = FALSE],
       container = "Seurat", assay = assay, layer = layer,
       log_hint = if (layer == "counts" && normalised) {
         "Use layer = \"data\"."
       } else {
         "Log-normalise: x <- Seurat::NormalizeData(x), then layer = \"data\"."
       },
       count_hint = if ("counts" %in% setdiff(layers$names, layer)) {
         "Use layer = \"counts\"."
       } else {
         counts_elsewhere(x, setdiff(assays, assay)) %||% "Put the raw counts into the assay's layer \"counts\"."
       })
}

# An integrated assay has no counts; that of the genes has.
counts_elsewhere <- function(x, others) {
  has <- function(name) "counts" %in% seurat_layers(x[[name]])$names && is.null(choose_place(name, list(proteins = "")))
  found <- Filter(has, others)
  if (length(found)) paste0("Use assay = ", dQuote(found[1L], FALSE), ".")
}

has_layers <- function(object) {
  "LayerData" %in% getNamespaceExports("SeuratObject") && !inherits(object, "Assay")
}

seurat_function <- function(name) getExportedValue("SeuratObject", name)

# Names of the layers that have values. `names` has "counts" once where the layer is split into
# "counts.1", "counts.2" (or "counts.donor1", ...).
seurat_layers <- function(object) {
  if (!has_layers(object)) {
    slots <- c("counts", "data", "scale.data")
    filled <- vapply(slots, function(s) length(seurat_slot(object, s)) > 0, NA)
    return(list(all = slots[filled], names = slots[filled]))
  }
  all <- seurat_function("Layers")(object)
  whole <- c("counts", "data", "scale.data")
  stems <- sub("[.].*$", "", setdiff(all, whole))
  list(all = all, names = unique(c(all, intersect(stems, whole))))
}

# Layers that samples have of one, which is read as a whole.
layer_pieces <- function(layers) grep("^(counts|data|scale[.]data)[.].", layers$all, value = TRUE)

seurat_slot <- function(object, slot) methods::slot(object, slot)

# In a version 4 assay "data" holds the raw counts until NormalizeData() was called.
seurat_normalised <- function(object, layers) {
  if (!"data" %in% layers$names) return(FALSE)
  if (has_layers(object)) return(TRUE)
  values <- as_columns(seurat_slot(object, "data"))
  !is.na(core_look_over(if (methods::is(values, "dgCMatrix")) values@x else values)$fraction)
}

# A layer as one matrix with the columns of the object.
read_seurat_layer <- function(object, layer, all, cells, call) {
  if (!has_layers(object)) {
    return(place_cells(seurat_slot(object, layer), cells, layer, colnames(object), call))
  }
  get_layer <- seurat_function("LayerData")
  parts <- if (layer %in% all) layer else all[startsWith(all, paste0(layer, "."))]
  joined <- join_layers(parts, function(part) get_layer(object, layer = part), rownames(object), call)
  place_cells(joined, cells, layer, colnames(object), call)
}

# Split layers are read one by one and put side by side; genes that one of them lacks are 0 there,
# as SeuratObject's JoinLayers() has it.
join_layers <- function(parts, get, genes, call) {
  blocks <- lapply(parts, get)
  if (length(blocks) == 1) genes <- rownames(blocks[[1]])
  bind_columns(lapply(blocks, function(b) fit_rows(as_sparse(as_columns(b, call)), genes)))
}

# The columns of a layer in the order of the object's cells. `own`: the cells of its assay.
place_cells <- function(values, cells, layer, own, call) {
  place <- match(cells, colnames(values))
  if (!anyNA(place)) {
    return(if (identical(place, seq_len(ncol(values)))) values else values[, place, drop = FALSE])
  }
  todo <- if (!all(cells %in% own)) {
    "Keep the cells that the assay has, x[, colnames(x[[assay]])], or choose an assay that has all."
  } else if (layer == "data") {
    "The assay has them: normalise all, x <- Seurat::NormalizeData(x), or choose another layer."
  } else {
    "The assay has them: choose another layer, or keep the cells that this one has."
  }
  abort_input(paste0("Layer ", dQuote(layer, FALSE), " must have every cell of the object."),
              paste0("It lacks ", dQuote(cells[is.na(place)][1], FALSE), and_more(sum(is.na(place))), "."),
              todo, call = call)
}
