#pragma once
#include <cstdint>

namespace compert {

/// The matrix products of a linear layer, of `rows` cells from `in` to `out` units.
enum class LayerProduct {
  kForward,  ///< output = input weight' + bias
  kWeights,  ///< gradient of the weight, added to what is there
  kInputs    ///< gradient of the input
};

/// Seconds that one takes here in single precision on `threads`, by the library that training uses: the
/// fastest of some repetitions, for lower bounds.
double layer_product_seconds(LayerProduct kind, int64_t rows, int64_t in, int64_t out,
                             int64_t threads);
/// Bytes per second that a sweep over arrays larger than the caches reads and writes, likewise.
double memory_rate(int64_t threads);

}  // namespace compert
