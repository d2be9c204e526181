# What the writers of .h5ad files share: R's tables, arrays and lists as the core takes them.

# Writes parts (X, layers, obs, var, obsm, uns, raw; cells in columns of matrices) and warns of what
# was left out.
write_h5ad_parts <- function(parts, path, genes, cells, size, compression, call) {
  full <- check_new_path(path, call)
  deflate <- deflate_level(compression, call)
  packed <- pack_parts(parts, genes, cells, size, call)
  with_core_errors(core_write_h5ad(full, packed$contents, deflate), call, todo = todo_write)
  warn_not_written(path, packed$notes)
  invisible(path)
}

deflate_level <- function(compression, call) {
  c(gzip = 4L, none = 0L)[[check_choice(compression, c("gzip", "none"), "compression", call)]]
}

todo_write <- "Correct that part of the object and write it again."

warn_not_written <- function(path, notes) {
  warn_h5ad(paste0("Not everything was written to ", dQuote(path, FALSE), "."), notes)
}

check_new_path <- function(path, call) {
  check_string(path, "path", call = call)
  if (!dir.exists(dirname(path.expand(path)))) {
    abort_input("`path` must lie in a folder that exists.",
                paste0("There is no folder ", dQuote(dirname(path), FALSE), "."),
                "Create it: dir.create(dirname(path), recursive = TRUE).", call = call)
  }
  enc2native(path.expand(path))
}

# What the core writes of parts, and notes of what it does not.
pack_parts <- function(parts, genes, cells, size, call) {
  check_part_names(parts$layers, "layers", call)
  check_part_names(parts$obsm, "obsm", call)
  obs <- pack_table(parts$obs, cells %||% as.character(seq_len(size[2])), "obs")
  var <- pack_table(parts$var, genes %||% as.character(seq_len(size[1])), "var")
  obsm <- pack_obsm(parts$obsm, size[2], call)
  uns <- pack_uns(parts$uns, "")
  raw <- if (!is.null(parts$raw)) {
    pack_table(parts$raw$var, rownames(parts$raw$X) %||% frame_names(parts$raw$var) %||%
                 as.character(seq_len(nrow(parts$raw$X))), "raw/var")
  }
  list(contents = list(x = parts$X, layers = as.list(parts$layers), obs = obs$table, var = var$table,
                       obsm = obsm$items, uns = uns$items, raw_x = parts$raw$X, raw_var = raw$table),
       notes = c(parts$notes, obs$notes, var$notes, obsm$notes, uns$notes, raw$notes))
}

check_part_names <- function(matrices, part, call) {
  names <- rlang::names2(matrices)
  if (all(nzchar(names)) && !anyDuplicated(names)) return(invisible())
  abort_input(paste0("Matrices in `", part, "` must have names, each its own."),
              paste0("They are named ", paste(dQuote(names, FALSE), collapse = ", "), "."),
              paste0("Name them: ", part, " = list(first = ..., second = ...)."), call = call)
}

# A dgCMatrix or a double matrix; what is dense stays dense.
h5ad_values <- function(x, call) {
  if (!inherits(x, "DelayedMatrix")) return(as_columns(x, call))
  if (DelayedArray::is_sparse(x)) delayed_columns(x) else as_columns(as.matrix(x), call)
}

# Row names that someone gave, or NULL.
frame_names <- function(table) {
  if (is.data.frame(table) && .row_names_info(table) <= 0) return(NULL)
  rownames(table)
}

pack_table <- function(table, index, where) {
  notes <- character()
  columns <- list()
  given <- paste(colnames(table))  # NA as text
  unique_names <- make.unique(given)
  for (k in seq_along(given)) {
    name <- unique_names[k]
    column <- pack_column(table[[k]])
    if (is.null(column)) {
      notes[paste0(where, "/", name)] <- paste0("a column of class ", class(table[[k]])[1])
    } else {
      columns[[name]] <- column
      if (name != given[k]) {
        notes[paste0(where, "/", name)] <- paste0("another column ", dQuote(given[k], FALSE),
                                                  ", written under this name")
      }
    }
  }
  names(columns) <- as.character(names(columns))
  list(table = list(kind = "table", n = as.double(length(index)), index = as.character(index),
                    columns = columns), notes = notes)
}

# A vector that the core can write, or NULL.
pack_column <- function(x) {
  if (inherits(x, "Rle")) x <- S4Vectors::decode(x)
  if (inherits(x, "AsIs")) class(x) <- setdiff(class(x), "AsIs")
  if (inherits(x, c("Date", "POSIXt"))) x <- format(x)
  if (inherits(x, "difftime")) x <- as.double(x, units = "secs")
  if (is.factor(x)) {
    if (anyNA(levels(x))) x <- factor(as.character(x), setdiff(levels(x), NA))
    return(x)
  }
  if (!is.null(dim(x)) || !is.atomic(x) || is.complex(x) || is.raw(x)) return(NULL)
  if (is.object(x)) {
    if (inherits(x, "integer64")) return(NULL)
    x <- if (is.character(x)) as.character(x) else unclass(x)
  }
  attributes(x) <- NULL
  x
}

pack_obsm <- function(arrays, n, call) {
  items <- list()
  notes <- character()
  for (name in names(arrays)) {
    value <- arrays[[name]]
    if (is.null(nrow(value)) || nrow(value) != n) {
      abort_input("Arrays of cells (`obsm`, reductions) must have one row per cell.",
                  paste0(dQuote(name, FALSE), " has ", nrow(value) %||% "no", " rows; there are ",
                         n, " cells."), "Keep cells in rows there.", call = call)
    }
    if (is.data.frame(value) || inherits(value, "DataFrame")) {
      packed <- pack_table(value, rep("", n), paste0("obsm/", name))
      items[[name]] <- packed$table
      notes <- c(notes, packed$notes)
      next
    }
    if (is.matrix(value) && !is.numeric(value) && !is.logical(value)) {
      notes[paste0("obsm/", name)] <- paste("an array of type", typeof(value))
      next
    }
    if (inherits(value, "LinearEmbeddingMatrix")) {
      value <- SingleCellExperiment::sampleFactors(value)
    }
    items[[name]] <- list(kind = "matrix", value = t_values(value, call))
  }
  list(items = items, notes = notes)
}

t_values <- function(x, call) {
  values <- h5ad_values(x, call)
  if (methods::is(values, "dgCMatrix")) Matrix::t(values) else t(values)
}

# Nested lists as paths.
pack_uns <- function(x, prefix) {
  items <- list()
  notes <- character()
  keys <- rlang::names2(x)
  for (k in seq_along(x)) {
    path <- paste0(prefix, keys[k])
    where <- paste0("uns/", path)
    value <- x[[k]]
    if (keys[k] %in% c("", ".", "..", keys[-k]) || grepl("/", keys[k], fixed = TRUE)) {
      notes[where] <- "names of uns must be there once, have no \"/\" and not be \".\" or \"..\""
    } else if (is.list(value) && !is.object(value)) {
      inner <- pack_uns(value, paste0(path, "/"))
      items <- c(items, inner$items)
      notes <- c(notes, inner$notes)
    } else {
      item <- pack_uns_value(value, where)
      if (is.null(item$item)) {
        notes[where] <- paste0("a value of class ", class(value)[1])
      } else {
        items[[path]] <- item$item
      }
      notes <- c(notes, item$notes)
    }
  }
  list(items = items, notes = notes)
}

pack_uns_value <- function(value, where) {
  if (is.data.frame(value) || inherits(value, "DataFrame")) {
    index <- rownames(value) %||% as.character(seq_len(nrow(value)))
    packed <- pack_table(value, index, where)
    return(list(item = packed$table, notes = packed$notes))
  }
  if (methods::is(value, "dgCMatrix")) {
    return(list(item = list(kind = "matrix", value = Matrix::t(value))))
  }
  shape <- dim(value)
  if (length(shape) > 1 && is.atomic(value)) value <- as.vector(aperm(value))
  value <- if (!is.null(value)) pack_column(value)
  if (is.null(value)) return(list())
  if (is.null(shape)) {
    shape <- if (length(value) == 1 && !is.na(value) && !is.factor(value)) integer() else
      length(value)
  }
  # Truth values and text with holes are stored as vectors.
  list(item = list(kind = "values", value = value, shape = as.integer(shape)))
}

# The layers of a Seurat assay that have its genes, and which of them becomes X.
seurat_matrices <- function(object, layer, cells, genes, call) {
  layers <- seurat_layers(object)
  normalised <- seurat_normalised(object, layers)
  names <- layers$names
  if (!normalised && is.null(layer) && "counts" %in% names) names <- setdiff(names, "data")
  top <- choose_assay(names, layer, NULL, "data", "counts", "layer", call)
  names <- setdiff(names, setdiff(layer_pieces(layers), top))
  matrices <- list()
  notes <- character()
  for (name in names) {
    values <- h5ad_values(read_seurat_layer(object, name, layers$all, cells, call), call)
    if (!setequal(rownames(values), genes)) {
      notes[name] <- paste0("a layer of ", nrow(values), " of the ", length(genes), " genes")
    } else {
      matrices[[name]] <- values[match(genes, rownames(values)), , drop = FALSE]
    }
  }
  if (is.null(matrices[[top]])) {
    abort_input("`layer` must name a layer that has every gene of the assay.",
                paste0(dQuote(top, FALSE), " has not."), "Choose another layer.", call = call)
  }
  list(matrices = matrices, top = top, notes = notes)
}

seurat_reductions <- function(x, cells, names = SeuratObject::Reductions(x)) {
  arrays <- list()
  notes <- character()
  for (name in names) {
    values <- SeuratObject::Embeddings(x[[name]])
    if (all(cells %in% rownames(values))) {
      arrays[[paste0("X_", name)]] <- values[cells, , drop = FALSE]
    } else {
      notes[name] <- "a reduction that lacks cells"
    }
  }
  list(arrays = arrays, notes = notes)
}
