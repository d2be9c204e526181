// What a step of training reports, and its means over an epoch. Losses stay where the model is: a device
// is asked for them once per epoch.
#pragma once
#include <array>

#include "torch_util.h"

namespace compert {

/// Which networks a batch trains.
enum class Turn { kAutoencoder, kAdversaries, kBoth };

enum class Loss : std::size_t {
  kReconstruction,  // of genes, and of proteins with their weight
  kOfGenes,
  kOfProteins,
  kKl,
  kBackgroundKl,  // of the proteins' backgrounds
  kAlignment,
  kCounterfactual,
  kDegs,
  kAdvPerturbations,
  kAdvCovariates,
  kPenaltyPerturbations,
  kPenaltyCovariates,
};
constexpr std::size_t kLosses = 12;

/// Losses of one update: scalars, undefined where the step had nothing to compute them from.
struct StepLosses {
  std::array<Tensor, kLosses> all;
  Tensor gradient_norm[2];  // of autoencoder and dosers before clipping; undefined without it
  Tensor& operator[](Loss which) { return all[static_cast<std::size_t>(which)]; }
  double value(Loss which) const {
    const Tensor& t = all[static_cast<std::size_t>(which)];
    return t.defined() ? t.item<double>() : 0;
  }
};

/// Their sums over an epoch.
class LossSums {
 public:
  explicit LossSums(const at::TensorOptions& options);
  void reset();
  void add(const StepLosses& losses);
  std::array<double, kLosses> values() const;
  /// Names the first that is not finite; null: all are.
  static const char* not_finite(const std::array<double, kLosses>& values);

 private:
  Tensor sum_;   // of all losses, in the order of Loss
  Tensor none_;  // 0, in place of those that a step does not have
};

}  // namespace compert
