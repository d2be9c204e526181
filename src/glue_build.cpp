// What the shared object was built with; compert_sitrep() prints it.
#include <Rcpp.h>

// [[Rcpp::export(rng = false)]]
Rcpp::List core_build_info() {
#if defined(__clang__)
  const char* compiler = "clang " __clang_version__;
#else
  const char* compiler = "g++ " __VERSION__;
#endif
#ifdef _OPENMP
  const bool openmp = true;
#else
  const bool openmp = false;
#endif
#ifdef COMPERT_HAVE_CUDA
  const bool cuda = true;
#else
  const bool cuda = false;
#endif
#ifdef COMPERT_HAVE_C10D
  const bool c10d = true;
#else
  const bool c10d = false;
#endif
#ifdef COMPERT_HAVE_RDKIT
  const bool rdkit = true;
#else
  const bool rdkit = false;
#endif
  return Rcpp::List::create(
      Rcpp::Named("compiler") = compiler,
      Rcpp::Named("cxx_standard") = static_cast<int>(__cplusplus / 100L % 100L),
      Rcpp::Named("openmp") = openmp, Rcpp::Named("cuda") = cuda, Rcpp::Named("c10d") = c10d,
      Rcpp::Named("rdkit") = rdkit);
}
