// What the files of kernels share: threads, blocks of columns, and rows of a sparse batch.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "../data/first_failure.h"
#include "compert/cells.h"

namespace compert {

inline int sweep_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// Splits [0, n) into `parts` runs and calls body(part, begin, end) for each, in parallel.
template <class Body>
void in_parallel(int64_t n, int64_t parts, Body&& body) {
  parts = std::max<int64_t>(1, std::min(parts, n));
  if (parts == 1) return body(int64_t{0}, int64_t{0}, n);
  FirstFailure failure;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < parts; ++p)
    failure.keep([&] { body(p, n * p / parts, n * (p + 1) / parts); });
  failure.rethrow();
}

// Normalisation by column: columns are independent, and threads share them in blocks that stay in the
// first cache from pass to pass.
constexpr int64_t kColumnBlock = 64;

/// body(first column, number of columns), in parallel where the array is large.
template <class Body>
void by_columns(int64_t rows, int64_t width, Body&& body) {
  const int64_t blocks = (width + kColumnBlock - 1) / kColumnBlock;
  const int64_t parts = rows * width < 16384 ? 1 : std::min<int64_t>(sweep_threads(), blocks);
  in_parallel(blocks, parts, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) body(b * kColumnBlock, std::min(kColumnBlock, width - b * kColumnBlock));
  });
}

/// visit(at, j) for all places of a block; `at` is the place in the array, j the column in the block.
template <class Visit>
static inline __attribute__((always_inline)) void walk(int64_t rows, int64_t width, int64_t first,
                                                       int64_t n, Visit&& visit) {
  if (n == kColumnBlock) {  // the compiler unrolls a loop whose length it knows
    for (int64_t at = first; at < rows * width; at += width)
#pragma omp simd
      for (int64_t j = 0; j < kColumnBlock; ++j) visit(at + j, j);
  } else {
    for (int64_t at = first; at < rows * width; at += width)
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) visit(at + j, j);
  }
}

/// Writes the stored values of cell b to their genes in `row`; clear_row() takes them back to 0.
template <class T>
void expand_row(const CellBatch& x, const T* values, std::size_t b, std::vector<T>& row) {
  for (int64_t k = x.offsets[b]; k < x.offsets[b + 1]; ++k)
    row[static_cast<std::size_t>(x.genes[static_cast<std::size_t>(k)])] = values[k];
}

template <class T>
void clear_row(const CellBatch& x, std::size_t b, std::vector<T>& row) {
  for (int64_t k = x.offsets[b]; k < x.offsets[b + 1]; ++k)
    row[static_cast<std::size_t>(x.genes[static_cast<std::size_t>(k)])] = 0;
}

/// The sum in order, so that it does not depend on the threads.
inline double sum_rows(const std::vector<double>& rows) {
  double sum = 0;
  for (const double r : rows) sum += r;
  return sum;
}

}  // namespace compert
