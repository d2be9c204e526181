// One small network per perturbation, all in one sweep: threads share the networks.
#include <algorithm>
#include <vector>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

/// out = in weight' + bias, for `n` rows; with `relu` what is below 0 is 0.
template <class T>
COMPERT_INLINE void layer_forward(const typename SmallNetworks<T>::Layer& l, int64_t network,
                                  const T* in, T* out, int64_t n, bool relu) {
  const T *weight = l.weight + network * l.out * l.in, *bias = l.bias + network * l.out;
  for (int64_t o = 0; o < l.out; ++o) {
    const T* w = weight + o * l.in;
    for (int64_t r = 0; r < n; ++r) {
      const T* x = in + r * l.in;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < l.in; ++i) sum += w[i] * x[i];
      sum += bias[o];
      // What is not a number stays so.
      out[r * l.out + o] = relu && sum < 0 ? T(0) : sum;
    }
  }
}

/// Adds the derivatives of weight and bias, and writes that of `in` unless null.
template <class T>
COMPERT_INLINE void layer_backward(const typename SmallNetworks<T>::Layer& l, int64_t network,
                                   const T* in, const T* d_out, T* d_in, int64_t n) {
  const T* weight = l.weight + network * l.out * l.in;
  if (d_in != nullptr) std::fill(d_in, d_in + n * l.in, T(0));
  for (int64_t o = 0; o < l.out; ++o) {
    for (int64_t r = 0; r < n; ++r) {
      const T d = d_out[r * l.out + o], *x = in + r * l.in;
      if (l.d_weight != nullptr) {
        T* w = l.d_weight + (network * l.out + o) * l.in;
#pragma omp simd
        for (int64_t i = 0; i < l.in; ++i) w[i] += d * x[i];
        l.d_bias[network * l.out + o] += d;
      }
      if (d_in == nullptr) continue;
      const T* w = weight + o * l.in;
      T* to = d_in + r * l.in;
#pragma omp simd
      for (int64_t i = 0; i < l.in; ++i) to[i] += d * w[i];
    }
  }
}

template <class T>
COMPERT_INLINE void forward(const SmallNetworks<T>& s, int64_t network) {
  const int64_t n = s.count[network];
  const T* in = s.doses + network * s.n_doses;
  for (int64_t k = 0; k < s.n_layers; ++k) {
    T* out = s.layers[k].values + network * s.n_doses * s.layers[k].out;
    layer_forward<T>(s.layers[k], network, in, out, n, k + 1 < s.n_layers);
    in = out;
  }
}

/// `spare` holds two rows x widest layer.
template <class T>
COMPERT_INLINE void backward(const SmallNetworks<T>& s, const T* d_out, int64_t network, T* spare,
                             int64_t widest) {
  const int64_t n = s.count[network];
  const T* d = d_out + network * s.n_doses;
  for (int64_t k = s.n_layers; k-- > 0;) {
    const auto& l = s.layers[k];
    const T* in =
        k > 0 ? s.layers[k - 1].values + network * s.n_doses * l.in : s.doses + network * s.n_doses;
    T* d_in = k > 0 ? spare + (k % 2) * s.n_doses * widest : nullptr;
    layer_backward<T>(l, network, in, d, d_in, n);
    for (int64_t i = 0; k > 0 && i < n * l.in; ++i) d_in[i] = in[i] > 0 ? d_in[i] : T(0);
    d = d_in;
  }
}

#define COMPERT_FOR(T)                                                                        \
  COMPERT_CLONES void forward_of(const SmallNetworks<T>& s, int64_t network) {                \
    forward<T>(s, network);                                                                   \
  }                                                                                           \
  COMPERT_CLONES void backward_of(const SmallNetworks<T>& s, const T* d_out, int64_t network, \
                                  T* spare, int64_t widest) {                                 \
    backward<T>(s, d_out, network, spare, widest);                                            \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
void grad(const SmallNetworks<T>& s, const T* d_out) {
  int64_t widest = 1;
  for (int64_t k = 0; k < s.n_layers; ++k) widest = std::max(widest, s.layers[k].out);
  in_parallel(s.n_networks, sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    std::vector<T> spare(static_cast<std::size_t>(2 * s.n_doses * widest));
    for (int64_t j = begin; j < end; ++j)
      if (s.count[j] > 0) backward_of(s, d_out, j, spare.data(), widest);
  });
}

}  // namespace

#define COMPERT_FOR(T)                                                                    \
  void small_networks(const SmallNetworks<T>& s) {                                        \
    in_parallel(s.n_networks, sweep_threads(), [&](int64_t, int64_t begin, int64_t end) { \
      for (int64_t j = begin; j < end; ++j)                                               \
        if (s.count[j] > 0) forward_of(s, j);                                             \
    });                                                                                   \
  }                                                                                       \
  void small_networks_grad(const SmallNetworks<T>& s, const T* d_out) { grad<T>(s, d_out); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
