// The ratio of distances that aligns basal states, and its derivatives.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

struct Sums {
  double all = 0, between = 0;
};

/// Of cell i with others: its weights, and who is who.
template <class T>
struct Own {
  const int32_t *strata, *conditions;
  int32_t stratum, condition;
  T between, within;
  Own(const CellPairs<T>& p, int64_t i)
      : strata(p.stratum), conditions(p.condition), stratum(p.stratum[i]), condition(p.condition[i]),
        between(p.between[i]), within(p.within[i]) {}
  /// Weight of the pair with cell j among those of two conditions; 0 for others.
  T apart(int64_t j) const {
    return strata[j] == stratum && conditions[j] != condition ? between : T(0);
  }
  T together(int64_t j) const { return conditions[j] == condition ? within : T(0); }
};

/// Products of cell i become distances.
template <class T>
COMPERT_INLINE Sums distances(const CellPairs<T>& p, int64_t i, T* row) {
  const Own<T> own(p, i);
  const T square_of_own = p.squares[i];
#pragma omp simd
  for (int64_t j = 0; j < p.n; ++j) {
    const T square = square_of_own + p.squares[j] - 2 * row[j];
    row[j] = sqrt_of(T(0.5) * (square + std::abs(square)) + T(1e-6));
  }
  row[i] = 0;  // no pair
  T within = 0, between = 0;
#pragma omp simd reduction(+ : within, between)
  for (int64_t j = 0; j < p.n; ++j) {
    within += own.together(j) * row[j];
    between += own.apart(j) * row[j];
  }
  return {static_cast<double>(within) + static_cast<double>(between), static_cast<double>(between)};
}

/// Distances become the weights of derivatives.
template <class T>
COMPERT_INLINE void derivatives(const CellPairs<T>& p, int64_t i, T* row, T of_all, T of_between) {
  const Own<T> own(p, i);
  row[i] = 1;
#pragma omp simd
  for (int64_t j = 0; j < p.n; ++j)
    row[j] = (of_all * own.together(j) + (of_all + of_between) * own.apart(j)) / row[j];
  row[i] = 0;
}

#define COMPERT_FOR(T)                                                                           \
  COMPERT_CLONES Sums distances_of(const CellPairs<T>& p, int64_t i, T* row) {                   \
    return distances<T>(p, i, row);                                                              \
  }                                                                                              \
  COMPERT_CLONES void derivatives_of(const CellPairs<T>& p, int64_t i, T* row, T all, T apart) { \
    derivatives<T>(p, i, row, all, apart);                                                       \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
double alignment(const CellPairs<T>& p, T* products) {
  const int64_t parts = p.n * p.n < 100000 ? 1 : sweep_threads();
  std::vector<Sums> sums(static_cast<std::size_t>(p.n));
  const auto for_all = [&](auto&& body) {
    in_parallel(p.n, parts, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i, products + i * p.n);
    });
  };
  for_all([&](int64_t i, T* row) { sums[static_cast<std::size_t>(i)] = distances_of(p, i, row); });
  Sums total;
  for (const Sums& s : sums) {
    total.all += s.all;
    total.between += s.between;
  }
  // Every pair counts twice: from both of its cells.
  const double of_all = 2 / total.between, of_between = -of_all * total.all / total.between;
  for_all([&](int64_t i, T* row) {
    derivatives_of(p, i, row, static_cast<T>(of_all), static_cast<T>(of_between));
  });
  return total.all / total.between;
}

}  // namespace

double alignment_sweep(const CellPairs<float>& pairs, float* products) {
  return alignment<float>(pairs, products);
}
double alignment_sweep(const CellPairs<double>& pairs, double* products) {
  return alignment<double>(pairs, products);
}

}  // namespace compert
