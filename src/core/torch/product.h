// Products of matrices. oneDNN makes those of single precision where the package was built with it:
// for the shapes of a training step it is up to twice as fast as OpenBLAS on two threads, and it
// knows processors that the OpenBLAS of a stable distribution takes for older ones.
#pragma once
#include <string>

#include "torch_util.h"

namespace compert {

/// a b + bias, rows x columns; a and b may be transposed views. `bias` has a value per column, or
/// is undefined. Not for autograd: see linear().
Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias = Tensor());
/// The same into `out`, whose rows are contiguous; with `add` onto what is there, and then without
/// bias.
void product_into(const Tensor& out, const Tensor& a, const Tensor& b,
                  const Tensor& bias = Tensor(), bool add = false);
/// a b for autograd, never reduced: for what is small, and where digits matter.
Tensor exact_product(const Tensor& a, const Tensor& b);
/// a b' of the first `rows` rows of a leaf, likewise; on a CPU their gradient is added where it is kept.
Tensor exact_product_of_leaf(const Tensor& a, const Tensor& leaf, int64_t rows);
/// x weight' + bias, of which autograd knows the derivatives.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// While one is alive, products of single precision in its thread round what they multiply to
/// bfloat16 (8 bits of mantissa), and still sum in single precision.
class ReducedProducts {
 public:
  explicit ReducedProducts(bool reduced);
  ~ReducedProducts();
  ReducedProducts(const ReducedProducts&) = delete;
  ReducedProducts& operator=(const ReducedProducts&) = delete;
  /// Whether this thread has one that reduces.
  static bool on();

 private:
  bool before_;
};

/// Version of oneDNN ("" without one), and why it cannot multiply bfloat16 ("" if it can).
struct ProductLibrary {
  std::string dnnl, no_bfloat16;
};
ProductLibrary product_library();

}  // namespace compert
