#' Situation report
#'
#' Everything about the installation that decides whether and how fast a fit runs: for your own
#' look, and to be pasted into a question.
#'
#' @return A list of class `compert_sitrep` with `versions` (compert, R, LibTorch, the file of
#'   HDF5, oneDNN and RDKit where they were built in, and the compiler), `libtorch` (paths of every LibTorch in
#'   this process), `blas` (`kind`, `path`, `slow`), `threads`, `devices` ([device_info()]),
#'   `built_with` (CUDA and its graphs, distributed training, oneDNN and whether it multiplies bfloat16 here, RDKit),
#'   `packages` (optional R packages and their
#'   versions, `NA` when absent) and `problems`, sentences on what should be changed.
#'   `print()` shows it.
#' @source After `arrow::arrow_info()` and the situation reports of other R packages with a native
#'   library.
#' @seealso [device_info()]; `INSTALL` in the sources for what to change
#' @examples
#' compert_sitrep()
#' @export
compert_sitrep <- function() {
  info <- with_core_errors(core_device_info())
  build <- core_build_info()
  libraries <- loaded_libraries()
  blas <- blas_in_use(libraries, info$parallel)
  torch <- grep("libtorch_cpu", libraries, value = TRUE)
  rdkit <- core_rdkit_version()
  report <- list(
    versions = c(
      compert = as.character(utils::packageVersion("compert")),
      R = paste(R.version$major, R.version$minor, sep = "."),
      LibTorch = info$libtorch, HDF5 = hdf5_version(libraries),
      if (nzchar(info$dnnl)) c(oneDNN = info$dnnl), if (nzchar(rdkit)) c(RDKit = rdkit),
      compiler = paste0(build$compiler, ", C++", build$cxx_standard)
    ),
    platform = R.version$platform,
    libtorch = torch, blas = blas, threads = as.integer(info$threads),
    cores = parallel_cores(), devices = device_info(),
    built_with = c(OpenMP = build$openmp, CUDA = build$cuda, `CUDA graphs` = build$cuda_graphs,
                   distributed = build$c10d,
                   oneDNN = nzchar(info$dnnl), bfloat16 = !nzchar(info$no_bfloat16),
                   RDKit = build$rdkit),
    packages = optional_packages()
  )
  report$problems <- sitrep_problems(report)
  structure(report, class = "compert_sitrep")
}

# The library's file names its version: libhdf5_serial.so.103.2.0.
hdf5_version <- function(libraries) {
  file <- grep("/libhdf5(_serial)?[.-]", libraries, value = TRUE)
  if (length(file)) basename(file[1L]) else "linked statically"
}

# Cores that this process may use.
parallel_cores <- function(status = "/proc/self/status") {
  allowed <- if (file.exists(status)) {
    grep("^Cpus_allowed_list:", readLines(status, warn = FALSE), value = TRUE)
  }
  if (length(allowed) == 0L) return(cores_online())
  ranges <- strsplit(strsplit(sub("^Cpus_allowed_list:\\s*", "", allowed), ",")[[1L]], "-")
  sum(vapply(ranges, function(r) {
    ends <- as.integer(r)
    ends[length(ends)] - ends[1L] + 1L
  }, 1L))
}

# Where there is no /proc.
cores_online <- function() {
  tryCatch(as.integer(processx::run("getconf", "_NPROCESSORS_ONLN")$stdout),
           error = function(cnd) NA_integer_)
}

optional_packages <- function() {
  names <- c("SingleCellExperiment", "SummarizedExperiment", "SeuratObject", "DelayedArray",
             "HDF5Array", "ggplot2", "uwot", "BiocParallel", "rmarkdown")
  vapply(names, function(name) {
    if (nzchar(system.file(package = name))) as.character(utils::packageVersion(name)) else
      NA_character_
  }, "")
}

sitrep_problems <- function(report) {
  problems <- c(
    if (report$blas$slow) paste0("The BLAS in use is slow (", report$blas$kind, "). ",
                                 report$blas$advice),
    if (length(report$libtorch) > 1L) {
      paste0("Two LibTorch libraries are in this process, which can crash it: ",
             paste(report$libtorch, collapse = ", "), ". Use compert in a session without the ",
             "other package that loads LibTorch.")
    },
    if (isTRUE(report$threads > report$cores)) {
      paste0("LibTorch uses ", report$threads, " threads on ", report$cores,
             " cores. Set `cpa_settings(threads = ", report$cores, ")`.")
    }
  )
  as.character(problems)
}

#' @export
print.compert_sitrep <- function(x, ...) {
  line <- function(name, value) cat(format(name, width = 14L), value, "\n", sep = "")
  cat("compert situation report\n")
  for (name in names(x$versions)) line(name, x$versions[[name]])
  line("platform", x$platform)
  for (path in x$libtorch) line("loaded from", path)
  line("BLAS", paste0(x$blas$kind, if (nzchar(x$blas$path)) paste0(" (", x$blas$path, ")")))
  line("threads", paste0(x$threads, " of ", x$cores, " cores"))
  for (k in seq_len(nrow(x$devices))) {
    why <- if (x$devices$available[k]) "available" else x$devices$reason[k]
    line(x$devices$device[k], why)
  }
  with <- names(x$built_with)[vapply(x$built_with, isTRUE, TRUE)]
  line("built with", if (length(with)) paste(with, collapse = ", ") else "none of the options")
  there <- !is.na(x$packages)
  line("packages", paste(paste(names(x$packages), x$packages)[there], collapse = ", "))
  if (any(!there)) line("not installed", paste(names(x$packages)[!there], collapse = ", "))
  if (length(x$problems) == 0L) {
    cat("\nNo problem found.\n")
  } else {
    cat("\n", paste0("! ", strwrap(x$problems, 96L, exdent = 2L), collapse = "\n"), "\n", sep = "")
  }
  invisible(x)
}
