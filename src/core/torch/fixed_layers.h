// Layers whose parameters do not change while they are used, as in predictions: weights laid out for
// many products, and what batch norm does in between folded into them. Not for autograd.
#pragma once
#include <memory>
#include <vector>

#include "mlp.h"

namespace compert {

/// x weight' + bias, by any number of threads at the same time.
class FixedLayer {
 public:
  /// `weight`: outputs x inputs.
  FixedLayer(const Tensor& weight, const Tensor& bias);
  ~FixedLayer();
  FixedLayer(FixedLayer&&) noexcept;
  /// Of the rows of `x` into `out`, both with contiguous rows.
  void into(const Tensor& out, const Tensor& x) const;
  Tensor operator()(const Tensor& x) const;

 private:
  Tensor weight_, bias_;
  struct Packed;  // oneDNN's; null without it, and for what it does not multiply
  std::unique_ptr<Packed> packed_;
};

/// The hidden layers of an Mlp with the statistics of batch norm that training left.
class FixedMlp {
 public:
  explicit FixedMlp(const Mlp& mlp);
  /// What the last linear map reads, as Mlp::before_last().
  Tensor before_last(const Tensor& x) const;

 private:
  const Mlp& mlp_;
  std::vector<FixedLayer> layers_;
};

}  // namespace compert
