// The first layer, as wide as the genes and fed with sparse cells. On a CPU its gradient goes
// straight into the flat gradient buffer; on a device a plain product of dense cells does the same.
#pragma once
#include "kernels.h"
#include "mlp.h"

namespace compert {

/// Fraction of stored values above which the first layer multiplies dense matrices.
constexpr double kDenseFrom = 0.35;
/// The same for wide layers whose products are of bfloat16, some five times as fast.
constexpr double kDenseFromReduced = 0.05;

/// Cells as they are kept beside the model: stored values at their places in the processor's memory, or a
/// dense tensor, cells x genes, on a device.
struct CellValues {
  const CellBatch* stored = nullptr;
  Tensor values;
  Tensor on_device;
  /// The dense tensor where the model is.
  Tensor dense() const;
};

/// cells x genes times the first weight; `dense`: on a CPU too as a dense product.
Tensor first_layer(const CellValues& x, const Mlp::Layer& layer, bool dense);

/// The values stored in a batch, in the given type.
Tensor stored_values(const CellBatch& x, at::ScalarType type);
/// The batch as a dense tensor, of the type of `values`.
Tensor dense_tensor(const CellBatch& x, const Tensor& values);
/// Total of every cell, cells x 1, of the type of `values`.
Tensor library_sizes(const CellBatch& x, const Tensor& values);

}  // namespace compert
