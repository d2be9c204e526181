// The gradient penalty of a network with batch norm, in sweeps: see mlp_pass.cpp for what they
// compute.
#include <algorithm>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

// Pointers are copied out of their structures, or the compiler would read them anew at every place.

/// scale * inverse of a block of columns.
template <class T>
COMPERT_INLINE void factors(const PenalisedLayer<T>& l, int64_t first, int64_t n, T* factor) {
  for (int64_t j = 0; j < n; ++j) factor[j] = l.scale[first + j] * l.inverse[first + j];
}

template <class T>
COMPERT_INLINE void back_block(const PenalisedLayer<T>& l, const PenaltyBack<T>& p, int64_t first,
                               int64_t n) {
  const T *x = l.normalised, *out = l.out, *gradient = p.gradient, kept = l.kept;
  T *back = p.back, *projected = p.projected, *scaled = p.scaled;
  T row[kColumnBlock] = {}, factor[kColumnBlock] = {}, centre[kColumnBlock] = {},
    shared[kColumnBlock] = {};
  double mean[kColumnBlock] = {}, along[kColumnBlock] = {};
  factors(l, first, n, factor);
  const auto add = [&](int64_t at, int64_t j, T g) {
    back[at] = g;
    mean[j] += g;
    along[j] += static_cast<double>(g) * x[at];
  };
  if (p.stride == 0) {
    std::copy(gradient + first, gradient + first + n, row);
    walk(l.rows, l.width, first, n,
         [&](int64_t at, int64_t j) { add(at, j, row[j] * (out[at] > 0 ? kept : T(0))); });
  } else {
    walk(l.rows, l.width, first, n,
         [&](int64_t at, int64_t j) { add(at, j, gradient[at] * (out[at] > 0 ? kept : T(0))); });
  }
  for (int64_t j = 0; j < n; ++j) {
    centre[j] = static_cast<T>(mean[j] / static_cast<double>(l.rows));
    p.shared[first + j] = shared[j] = static_cast<T>(along[j] / static_cast<double>(l.rows));
  }
  walk(l.rows, l.width, first, n, [&](int64_t at, int64_t j) {
    const T v = back[at] - centre[j] - x[at] * shared[j];
    projected[at] = v;
    scaled[at] = v * factor[j];
  });
}

template <class T>
COMPERT_INLINE void up_block(const PenalisedLayer<T>& l, const PenaltyUp<T>& p, int64_t first,
                             int64_t n) {
  const T *x = l.normalised, *out = l.out, *back = p.back, *projected = p.projected, kept = l.kept;
  T *r = p.r, *d_normalised = p.d_normalised;
  T factor[kColumnBlock] = {}, centre[kColumnBlock] = {}, along[kColumnBlock] = {},
    shared[kColumnBlock] = {};
  double sum[kColumnBlock] = {}, product[kColumnBlock] = {}, d_factor[kColumnBlock] = {};
  factors(l, first, n, factor);
  walk(l.rows, l.width, first, n, [&](int64_t at, int64_t j) {
    const double v = r[at];
    sum[j] += v;
    product[j] += v * x[at];
    d_factor[j] += v * projected[at];
  });
  for (int64_t j = 0; j < n; ++j) {
    centre[j] = static_cast<T>(sum[j] / static_cast<double>(l.rows));
    along[j] = static_cast<T>(product[j] / static_cast<double>(l.rows));
    shared[j] = p.shared[first + j];
    const auto d = static_cast<T>(d_factor[j]);
    p.d_inverse[first + j] = d * l.scale[first + j];
    if (p.d_scale != nullptr) p.d_scale[first + j] += d * l.inverse[first + j];
  }
  walk(l.rows, l.width, first, n, [&](int64_t at, int64_t j) {
    const T v = r[at];
    d_normalised[at] = -factor[j] * (v * shared[j] + back[at] * along[j]);
    r[at] = (v - centre[j] - x[at] * along[j]) * factor[j] * (out[at] > 0 ? kept : T(0));
  });
}

template <class T>
COMPERT_INLINE void down_block(const PenalisedLayer<T>& l, const PenaltyDown<T>& p, int64_t first,
                               int64_t n) {
  const T *x = l.normalised, *out = l.out, *d_out = p.d_out, kept = l.kept;
  T* d = p.d_normalised;
  T scale[kColumnBlock] = {}, centre[kColumnBlock] = {}, shared[kColumnBlock] = {},
    inverse[kColumnBlock] = {};
  double of_h[kColumnBlock] = {}, of_scale[kColumnBlock] = {}, mean[kColumnBlock] = {},
         along[kColumnBlock] = {};
  std::copy(l.scale + first, l.scale + first + n, scale);
  walk(l.rows, l.width, first, n, [&](int64_t at, int64_t j) {
    const T h = d_out[at] * (out[at] > 0 ? kept : T(0)), v = d[at] + h * scale[j];
    d[at] = v;
    of_h[j] += h;
    of_scale[j] += static_cast<double>(h) * x[at];
    mean[j] += v;
    along[j] += static_cast<double>(v) * x[at];
  });
  const double rows = static_cast<double>(l.rows);
  for (int64_t j = 0; j < n; ++j) {
    if (p.d_scale != nullptr) {
      p.d_scale[first + j] += static_cast<T>(of_scale[j]);
      p.d_offset[first + j] += static_cast<T>(of_h[j]);
    }
    inverse[j] = l.inverse[first + j];
    centre[j] = static_cast<T>(mean[j] / rows);
    // What the derivative of `inverse` adds lies along x too.
    const double of_inverse = static_cast<double>(p.d_inverse[first + j]) * inverse[j];
    shared[j] = static_cast<T>((along[j] + of_inverse) / rows);
  }
  walk(l.rows, l.width, first, n, [&](int64_t at, int64_t j) {
    d[at] = (d[at] - centre[j] - x[at] * shared[j]) * inverse[j];
  });
}

#define COMPERT_FOR(T, NAME, ARGUMENT)                                                  \
  COMPERT_CLONES void NAME##_block_of(const PenalisedLayer<T>& l, const ARGUMENT<T>& p, \
                                      int64_t first, int64_t n) {                       \
    NAME##_block<T>(l, p, first, n);                                                    \
  }
COMPERT_FOR(float, back, PenaltyBack)
COMPERT_FOR(double, back, PenaltyBack)
COMPERT_FOR(float, up, PenaltyUp)
COMPERT_FOR(double, up, PenaltyUp)
COMPERT_FOR(float, down, PenaltyDown)
COMPERT_FOR(double, down, PenaltyDown)
#undef COMPERT_FOR

}  // namespace

#define COMPERT_FOR(T, NAME, ARGUMENT)                                              \
  void penalty_##NAME(const PenalisedLayer<T>& l, const ARGUMENT<T>& p) {           \
    by_columns(l.rows, l.width,                                                     \
               [&](int64_t first, int64_t n) { NAME##_block_of(l, p, first, n); }); \
  }
COMPERT_FOR(float, back, PenaltyBack)
COMPERT_FOR(double, back, PenaltyBack)
COMPERT_FOR(float, up, PenaltyUp)
COMPERT_FOR(double, up, PenaltyUp)
COMPERT_FOR(float, down, PenaltyDown)
COMPERT_FOR(double, down, PenaltyDown)
#undef COMPERT_FOR

}  // namespace compert
