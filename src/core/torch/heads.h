// How the decoder's last hidden state becomes a distribution of expression, and its likelihood.
#pragma once
#include <memory>

#include "compert/cells.h"
#include "first_layer.h"
#include "kernels.h"
#include "mlp.h"

namespace compert {

/// The distribution that the decoder's output parametrises.
struct Head {
  enum class Family { kGaussian, kNegativeBinomial, kZinb } family = Family::kGaussian;
  /// Counts: mean = library size x softmax, one inverse dispersion per gene (scvi-tools). Otherwise
  /// mean and inverse dispersion per cell are softplus(raw) + 1e-3 (facebookresearch/CPA).
  bool library = false;
  Spread spread = Spread::kSoftplus;  ///< of the Gaussian
  bool relu_mean = false;     ///< Gaussian: mean max(raw, 0)
  bool sigmoid_mean = false;  ///< mean from sigmoid(raw) (theislab/multicpa)
  bool multicpa = false;      ///< the negative binomial has the form of theislab/multicpa
  /// Of a negative binomial without a library.
  double least_mean() const { return multicpa ? 1e-4 : 1e-3; }
  /// Whether one sweep computes value and gradient of the likelihood.
  bool swept() const { return !multicpa && !sigmoid_mean && !(counts() && relu_mean); }
  bool sum_genes = false;     ///< loss summed over genes (with its constant) instead of averaged

  bool counts() const { return family != Family::kGaussian; }
  bool zero_inflated() const { return family == Family::kZinb; }
  /// Outputs of the decoder per gene.
  int64_t outputs() const { return library && !zero_inflated() ? 1 : 2; }
};

/// The output layer of a decoder of Gaussian means and raw variances, `columns` each.
struct GaussianOutput {
  const Mlp* decoder;
  int64_t columns;
  Spread spread;
  bool relu;              // means max(raw, 0)
  Tensor factor, centre;  // stretch and move the distribution; undefined: nothing
};

/// What the head adds to the raw output, per batch.
struct HeadInput {
  Tensor library;     // cells x 1, total counts; undefined without a library
  Tensor dispersion;  // genes, log inverse dispersion; undefined where the decoder gives it
};

struct DecodedProteins;

/// The parameters of the distribution, cells x genes.
struct Decoded {
  Tensor mean;       // of the negative binomial where there is one
  Tensor second;     // variance, or inverse dispersion (broadcast over cells)
  Tensor zero_logit; // of structural zeros; undefined elsewhere
  std::shared_ptr<DecodedProteins> proteins;  // of the same cells; null without them
};
Decoded decoded(const Tensor& raw, const Head& head, const HeadInput& input);
/// Mean of the distribution; `ignore_zeros` leaves structural zeros out (theislab/cpa).
Tensor expected(const Decoded& d, bool ignore_zeros);
Tensor variance(const Decoded& d, const Head& head, bool ignore_zeros);

/// log NB as the references write it, and as theislab/multicpa does for genes and plain proteins.
Tensor log_nb(const Tensor& x, const Tensor& mu, const Tensor& theta);
Tensor log_nb_multicpa(const Tensor& x, const Tensor& mu, const Tensor& theta);

/// Negative log-likelihood of cells under the decoder's last hidden state. On a CPU the gradient of the
/// last weight goes straight into its flat buffer, and `scratch` is reused from step to step. `head` and
/// what is stored of `target` live as long as the step.
Tensor reconstruction_loss(const Tensor& hidden, const Mlp::Layer& last, const CellValues& target,
                           const Head& head, const HeadInput& input, Tensor& scratch);

/// The same from LibTorch's own operations, on any device; `raw` is the decoder's output.
Tensor composed_loss(const Tensor& raw, const CellValues& target, const Head& head,
                     const HeadInput& input);

}  // namespace compert
