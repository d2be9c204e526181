/// Golden files of theislab/multicpa.
#pragma once
#include "golden_model.h"

namespace golden {

/// RNA and proteins in one matrix, the one covariate as cell types, recorded draws.
class MultiFormat final : public Format {
 public:
  Reference reference(const File& file, const std::string& precision) const override;
  compert::Design design(const File& file, const std::string& path,
                         const std::vector<Array>& covariates) const override;
  Minibatch minibatch(const File& file, const std::string& path,
                      const Reference& reference) const override;
  compert::Inspector::Recorded recorded(const File& file, int k, bool means) const override;
  /// Concatenated and variational: a shift of all means of the latent state is taken back by the batch
  /// norm of every decoder and adversary, and only the KL term, whose weight is 0 in the first epoch,
  /// sees the bias behind them.
  bool moved_by_round_off(const File& file, const std::string& name) const override;
  std::string parameter(const File& file, const std::string& name) const override;
  std::string output(const File& file, const std::string& name) const override;
};

/// Columns of two arrays of the same rows side by side.
Array beside(const Array& left, const Array& right);

}  // namespace golden
