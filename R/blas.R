# Which BLAS this process multiplies matrices with, where oneDNN does not. LibTorch of Debian and R share
# libblas.so.3, and which library that is decides the speed of a build without oneDNN.

# list(kind, path, slow, advice, better). `libraries`: paths of the shared objects in this process;
# `openblas`: which processor OpenBLAS takes this one for, and the nearest that it could; `dnnl`: whether
# oneDNN, which knows the processor, multiplies instead. `better`: what the variable OPENBLAS_CORETYPE
# should say, "" where nothing is to be mended.
blas_in_use <- function(libraries = loaded_libraries(), parallel = "", openblas = core_openblas(),
                        dnnl = nzchar(core_device_info()$dnnl)) {
  path <- grep("(libblas|libopenblas|libmkl|libblis|libatlas|libRblas|Accelerate|vecLib)",
               libraries, value = TRUE)
  kind <- blas_kind(path, parallel)
  better <- if (startsWith(kind, "OpenBLAS") && !dnnl) better_core(openblas) else ""
  slow <- kind %in% c("reference", "OpenBLAS (pthread)") || nzchar(better)
  advice <- if (nzchar(better)) core_advice(openblas) else switch(kind,
    reference = "The reference BLAS is some 20 times slower than OpenBLAS.",
    `OpenBLAS (pthread)` = paste0("Its threads fight LibTorch's: training is about 3 times slower ",
                                  "than with the OpenMP build."),
    ""
  )
  list(kind = kind, path = if (length(path)) path[1L] else "", slow = slow,
       advice = if (nzchar(better)) advice else if (slow) paste(advice, blas_remedy()),
       better = better)
}

# An OpenBLAS that is older than the processor takes it for one of 2004.
better_core <- function(openblas) {
  oldest <- c("Prescott", "Core2", "Katmai", "Coppermine", "Northwood", "Banias", "generic")
  if (openblas[["core"]] %in% oldest) openblas[["nearest"]] else ""
}

core_advice <- function(openblas) {
  paste0("It does not know this processor and takes it for ", openblas[["core"]],
         ", which makes training some 3 times slower. Start R with OPENBLAS_CORETYPE=",
         openblas[["nearest"]], " in the environment (it is read before R's own start-up files): ",
         "`OPENBLAS_CORETYPE=", openblas[["nearest"]], " R`. Or install a newer OpenBLAS.")
}

blas_remedy <- function() {
  paste0("On Debian: apt-get install libopenblas0-openmp, and choose it with ",
         "`update-alternatives --config libblas.so.3-x86_64-linux-gnu` (tools/setup does both). ",
         "With the pthread build OPENBLAS_NUM_THREADS=1 helps as well.")
}

# A LibTorch with its own MKL multiplies with that, whatever R uses.
blas_kind <- function(path, parallel = "") {
  own <- grepl("mkl_get_max_threads|Math Kernel Library", parallel)
  if (own || any(grepl("libmkl", path))) return("MKL")
  if (any(grepl("openblas-openmp|openblaso", path))) return("OpenBLAS (OpenMP)")
  if (any(grepl("openblas-pthread|openblasp", path))) return("OpenBLAS (pthread)")
  if (any(grepl("openblas-serial", path))) return("OpenBLAS (one thread)")
  if (any(grepl("openblas", path))) return("OpenBLAS")
  if (any(grepl("libblis", path))) return("BLIS")
  if (any(grepl("libatlas|atlas/", path))) return("ATLAS")
  if (any(grepl("Accelerate|vecLib", path))) return("Accelerate")
  if (any(grepl("libRblas", path))) return("R's own")
  if (any(grepl("/blas/libblas|libblas[.]so", path))) return("reference")
  "unknown"
}

# Shared objects of this process (Linux: the memory map; elsewhere what R can tell).
loaded_libraries <- function(maps = "/proc/self/maps") {
  if (!file.exists(maps)) {
    return(unname(c(extSoftVersion()[["BLAS"]], La_library())))
  }
  paths <- sub("^\\S+\\s+\\S+\\s+\\S+\\s+\\S+\\s+\\S+\\s*", "", readLines(maps, warn = FALSE))
  unique(paths[startsWith(paths, "/") & grepl("[.]so", paths)])
}

blas_state <- new.env(parent = emptyenv())

# Called by the first fit of a session: one warning when the BLAS is a slow one.
warn_slow_blas <- function(call = rlang::caller_env()) {
  if (isTRUE(blas_state$said)) return(invisible())
  blas_state$said <- TRUE
  blas <- blas_in_use(parallel = core_device_info()$parallel)
  if (!blas$slow) return(invisible())
  cli::cli_warn(c(
    paste0("Training will be slow: the BLAS in use is ", blas$kind, "."),
    i = escape_braces(blas$advice)
  ), call = call, class = "compert_slow_blas")
}
