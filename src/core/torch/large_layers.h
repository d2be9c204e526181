// The two layers as wide as the genes, where nearly all arithmetic is: the encoder's first (sparse
// input) and the decoder's last (joined with the likelihood). On a CPU their gradients go straight
// into the flat gradient buffers; elsewhere plain LibTorch operations do the same.
#pragma once
#include "kernels.h"
#include "mlp.h"

namespace compert {

/// Fraction of stored values above which the first layer multiplies dense matrices.
constexpr double kDenseFrom = 0.35;

/// cells x genes times the first weight. `dense`: as a dense product.
Tensor first_layer(const CellBatch& x, const Mlp::Layer& layer, bool dense);

enum class Likelihood { kGaussian, kNegativeBinomial };

/// Mean negative log-likelihood of `target` under the decoder's last hidden state.
Tensor reconstruction_loss(const Tensor& hidden, const Mlp::Layer& last, const CellBatch& target,
                           Likelihood likelihood, bool relu_mean, Tensor& scratch);

/// Means and variances (inverse dispersions for the negative binomial) from raw decoder output.
struct Decoded {
  Tensor mean, second;
};
Decoded decoded(const Tensor& raw, Likelihood likelihood, bool relu_mean);

/// The batch as a dense tensor of the given type and device.
Tensor dense_tensor(const CellBatch& x, const at::TensorOptions& options);

}  // namespace compert
