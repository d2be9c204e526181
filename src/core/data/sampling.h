// Which cells an epoch takes.
#pragma once
#include <vector>

#include "compert/design.h"
#include "random.h"

namespace compert {

class Sampling {
 public:
  /// As many cells as `train`, which must outlive this, but a condition with n of them is expected to give a
  /// share of these that is proportional to n^(1 - balance): with 0 every cell comes once, with 1 all conditions
  /// have as many. Conditions are perturbations, doses and covariates; the covariate `batch` (-1: none) does not
  /// count.
  Sampling(const std::vector<int64_t>& train, const Design& design, int64_t batch, double balance);
  /// The cells of an epoch, in no order. Their number is that of the training cells. Those of a condition
  /// come all before one of them comes again.
  std::vector<int64_t> draw(Random& random) const;

 private:
  const std::vector<int64_t>& train_;
  // Where `balance` is not 0: per condition its cells, and how many an epoch is expected to take.
  std::vector<std::vector<int64_t>> cells_;
  std::vector<double> expected_;
};

}  // namespace compert
