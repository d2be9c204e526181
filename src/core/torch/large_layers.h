// The two layers as wide as the genes, where nearly all arithmetic is: the encoder's first (sparse
// input) and the decoder's last (joined with the likelihood). On a CPU their gradients go straight
// into the flat gradient buffers; elsewhere plain LibTorch operations do the same.
#pragma once
#include "kernels.h"
#include "mlp.h"

namespace compert {

/// Fraction of stored values above which the first layer multiplies dense matrices.
constexpr double kDenseFrom = 0.35;

/// cells x genes times the first weight; `values` are what is stored at the batch's places.
/// `dense`: as a dense product.
Tensor first_layer(const CellBatch& x, const Tensor& values, const Mlp::Layer& layer, bool dense);

enum class Likelihood { kGaussian, kNegativeBinomial };

/// Mean negative log-likelihood of `target` under the decoder's last hidden state.
Tensor reconstruction_loss(const Tensor& hidden, const Mlp::Layer& last, const CellBatch& target,
                           Likelihood likelihood, bool relu_mean, Tensor& scratch);

/// Means and variances (inverse dispersions for the negative binomial) from raw decoder output.
struct Decoded {
  Tensor mean, second;
};
Decoded decoded(const Tensor& raw, Likelihood likelihood, bool relu_mean);

/// The values stored in a batch, in the given type; `log` takes log(1 + value).
Tensor stored_values(const CellBatch& x, at::ScalarType type, bool log);
/// The batch as a dense tensor on the given device, of the type of `values`.
Tensor dense_tensor(const CellBatch& x, const Tensor& values, at::Device device);

}  // namespace compert
