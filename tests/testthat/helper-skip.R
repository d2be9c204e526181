# Every skip names what is missing. COMPERT_REQUIRE_ALL=1 turns skips into failures, for machines
# where everything is supposed to be there.

skip_without <- function(present, capability) {
  if (present) return(invisible())
  if (nzchar(Sys.getenv("COMPERT_REQUIRE_ALL"))) {
    testthat::fail(paste("needed here, because COMPERT_REQUIRE_ALL is set:", capability))
  }
  testthat::skip(paste("without", capability))
}

skip_without_package <- function(...) {
  for (package in c(...)) {
    skip_without(requireNamespace(package, quietly = TRUE), paste("the package", package))
  }
}

# A Python that has a module, or "".
python_with <- function(module) {
  for (python in c("/usr/bin/python3", Sys.which("python3"))) {
    answer <- suppressWarnings(system2(python, c("-c", shQuote(paste0("import ", module, "; print('there')"))),
                                       stdout = TRUE, stderr = FALSE))
    if (identical(utils::tail(answer, 1), "there")) return(python)
  }
  ""
}

# The root of the source tree, or "" where only the installed package is there.
source_tree <- function() {
  for (root in c(Sys.getenv("COMPERT_SOURCE"), "../..", "../../00_pkg_src/compert")) {
    if (nzchar(root) && dir.exists(file.path(root, "src", "core", "include"))) {
      return(normalizePath(root))
    }
  }
  ""
}

skip_without_source_tree <- function() skip_without(nzchar(source_tree()), "source tree")

# The files of numbers of a reference implementation, for tests that run them through the whole of R.
golden_files <- function(prefix, reference) {
  skip_without_source_tree()
  skip_without_package("rhdf5")
  folder <- Sys.getenv("COMPERT_GOLDEN", file.path(source_tree(), "tests", "cpp", "golden"))
  files <- list.files(folder, paste0("^", prefix, ".*[.]h5$"), full.names = TRUE)
  skip_without(length(files) > 0, paste("golden values of", reference))
  files
}

# Of its metrics, metrics_*.h5: names of conditions, and of the genes of each that are scored.
golden_degs <- function(read, genes) {
  label <- vapply(strsplit(read("categories"), "_", fixed = TRUE), function(w) {
    paste0(w[1], ", ", condition_label(list(w[2]), list(as.numeric(w[3]))))
  }, "")
  index <- read("de_gene_index") + 1
  rlang::set_names(lapply(seq_along(label), function(k) genes[index[, k]]), label)
}

h5 <- function(name) getExportedValue("rhdf5", name)
