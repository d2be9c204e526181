// What the shared object was built with and what it multiplies with; compert_sitrep() prints it.
#include <Rcpp.h>

#include <string>

#include "compert/rates.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace {

// The processor that an OpenBLAS in this process has kernels for; empty without one.
std::string openblas_core() {
#ifndef _WIN32
  using Name = const char* (*)();
  if (const auto name = reinterpret_cast<Name>(dlsym(RTLD_DEFAULT, "openblas_get_corename")))
    return name();
#endif
  return "";
}

// The best of OpenBLAS's processors whose instructions this one has, among those that OpenBLAS 0.3.10
// and later know; empty where that is not known.
std::string nearest_core() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512bf16")) return "Cooperlake";
  if (__builtin_cpu_supports("avx512vl")) return "SkylakeX";
  if (__builtin_cpu_supports("avx2")) return "Haswell";
#endif
  return "";
}

}  // namespace

// [[Rcpp::export(rng = false)]]
Rcpp::CharacterVector core_openblas() {
  return Rcpp::CharacterVector::create(Rcpp::Named("core") = openblas_core(),
                                       Rcpp::Named("nearest") = nearest_core());
}

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
#ifdef COMPERT_HAVE_CUDA_GRAPHS
  const bool graphs = true;
#else
  const bool graphs = false;
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
      Rcpp::Named("openmp") = openmp, Rcpp::Named("cuda") = cuda,
      Rcpp::Named("cuda_graphs") = graphs, Rcpp::Named("c10d") = c10d,
      Rcpp::Named("rdkit") = rdkit);
}

// Seconds of products of layers, one for each row of (kind, rows, in, out); kinds: 0 forward, 1 gradient of
// the weight, 2 of the input. For tools/bench floor.
// [[Rcpp::export(rng = false)]]
Rcpp::NumericVector core_product_seconds(const Rcpp::IntegerMatrix& products, int threads) {
  Rcpp::NumericVector out(products.nrow());
  for (int i = 0; i < products.nrow(); ++i)
    out[i] = compert::layer_product_seconds(static_cast<compert::LayerProduct>(products(i, 0)),
                                            products(i, 1), products(i, 2), products(i, 3), threads);
  return out;
}

// Bytes per second.
// [[Rcpp::export(rng = false)]]
double core_memory_rate(int threads) { return compert::memory_rate(threads); }
