toy_seurat <- function(...) {
  skip_without_package("SeuratObject")
  SeuratObject::CreateSeuratObject(as_sparse(toy_counts()), meta.data = toy_cells(), ...)
}

with_data <- function(x) {
  log <- as_sparse(toy_log())
  if (has_layers(x[["RNA"]])) {
    SeuratObject::LayerData(x, layer = "data") <- log
    return(x)
  }
  SeuratObject::SetAssayData(x, slot = "data", new.data = log)
}

test_that("normalised values are taken by default, counts for nb", {
  x <- with_data(toy_seurat())
  screen <- as_screen(x, toy_keys())
  expect_identical(screen[c("container", "assay", "layer", "scale", "loss")],
                   list(container = "Seurat", assay = "RNA", layer = "data", scale = "log",
                        loss = "gauss"))
  expect_identical(as.matrix(screen$x), toy_log())
  counts <- as_screen(x, toy_keys(loss = "nb"))
  expect_identical(counts$layer, "counts")
  expect_identical(as.matrix(counts$x), toy_counts())
  expect_identical(screen$col_data$drug, toy_cells()$drug)
})

test_that("an object that was not normalised has counts, wherever they lie", {
  screen <- as_screen(toy_seurat(), toy_keys())
  expect_identical(screen[c("layer", "scale", "loss")],
                   list(layer = "counts", scale = "counts", loss = "nb"))
  expect_refused(as_screen(toy_seurat(), toy_keys(loss = "gauss")),
                 "raw counts.*Seurat::NormalizeData")
})

test_that("assay and layer are chosen by name; wrong names list what is there", {
  x <- with_data(toy_seurat())
  expect_identical(as_screen(x, toy_keys(assay = "RNA", layer = "counts"))$layer, "counts")
  expect_refused(as_screen(x, toy_keys(assay = "ADT")), "no assay \"ADT\".*\"RNA\"")
  expect_refused(as_screen(x, toy_keys(layer = "scale.data")), "no layer \"scale.data\"")
  expect_refused(as_screen(x, toy_keys(), toy_cells()), "`col_data` must be left out")
  expect_refused(as_screen(x, toy_keys(layer = "counts", loss = "gauss")),
                 "Use layer = \"data\"")
  expect_refused(as_screen(x, toy_keys(layer = "data", loss = "nb")), "log-normalised.*Use layer = \"counts\"")
  expect_refused(as_screen(suppressWarnings(small_seurat()), new_keys("condition", control = "control", loss = "nb")),
                 "log-normalised.*Put the raw counts into the assay's layer \"counts\"")
  joined <- SeuratObject::CreateAssayObject(data = toy_log())
  SeuratObject::Key(joined) <- "joined_"
  x[["joined"]] <- joined
  expect_refused(as_screen(x, toy_keys(assay = "joined", loss = "nb")), "log-normalised.*Use assay = \"RNA\"")
})

test_that("layers in pieces are put side by side in the object's order, missing genes are 0", {
  counts <- as_sparse(toy_counts())
  cells <- colnames(counts)
  pieces <- list("counts.b" = counts[-3, 31:60], "counts.a" = counts[12:1, 1:30])
  get <- function(name) pieces[[name]]
  joined <- join_layers(names(pieces), get, rownames(counts), NULL)
  expected <- toy_counts()
  expected[3, 31:60] <- 0
  expect_identical(as.matrix(place_cells(joined, cells, "counts", cells, NULL)), expected)
  one <- join_layers("counts.a", get, rownames(counts), NULL)
  lacks <- function(layer) paste0("Layer \"", layer, "\" must have every cell.*\"cell31\" \\(and 29 more cells\\).*")
  expect_refused(place_cells(one, cells, "counts", cells[1:30], NULL),
                 paste0(lacks("counts"), "Keep the cells that the assay has.*an assay that has all"))
  expect_refused(place_cells(one, cells, "counts", cells, NULL), paste0(lacks("counts"), "choose another layer"))
  expect_refused(place_cells(one, cells, "data", cells, NULL), paste0(lacks("data"), "Seurat::NormalizeData"))
})

test_that("a version 4 assay of fewer cells than the object is refused", {
  skip_without_package("SeuratObject")
  object <- SeuratObject::CreateAssayObject(as_sparse(toy_counts())[, 30:1])
  cells <- colnames(toy_counts())
  expect_refused(read_seurat_layer(object, "counts", "counts", cells, NULL),
                 "Layer \"counts\" must have every cell.*\"cell31\".*Keep the cells that the assay has")
  expect_identical(as.matrix(read_seurat_layer(object, "counts", "counts", cells[1:30], NULL)), toy_counts()[, 1:30])
})

test_that("split layers of a version 5 assay equal the joined ones", {
  skip_without_package("SeuratObject")
  version5 <- "CreateAssay5Object" %in% getNamespaceExports("SeuratObject")
  skip_if_not(version5, "assays with layers (SeuratObject 5)")
  counts <- as_sparse(toy_counts())
  whole <- toy_seurat()
  parts <- whole
  parts[["RNA"]] <- split(whole[["RNA"]], f = toy_cells()$donor)
  expect_setequal(SeuratObject::Layers(parts[["RNA"]]), c("counts.d1", "counts.d2"))
  one <- as_screen(parts, toy_keys())
  expect_identical(one$layer, "counts")
  expect_identical(one$x, as_screen(whole, toy_keys())$x)
  expect_identical(as.matrix(one$x), toy_counts())
  old <- SeuratObject::CreateSeuratObject(SeuratObject::CreateAssayObject(counts),
                                          meta.data = toy_cells())
  expect_identical(as.matrix(as_screen(old, toy_keys())$x), toy_counts())
})
