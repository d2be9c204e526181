/// Losses of classifiers with several classes.
#pragma once
#include <cstdint>
#include <vector>

namespace compert {

enum class Reduction {
  kMean,         ///< sum over cells / number of cells
  kSum,          ///< sum over cells
  kWeightedMean  ///< sum over cells / sum of the weights of their classes
};

struct ClassLoss {
  double value = 0;
  std::vector<double> gradient;  ///< by the logits, cells x classes
};

/// Focal loss -w_c (1 - p_c)^gamma log p_c with p = softmax(logits) and c the cell's class (Lin et
/// al. 2017; theislab/cpa focal adversaries). gamma = 0 is the cross entropy, with kWeightedMean as
/// torch.nn.CrossEntropyLoss. `logits` is cells x classes; `class_weight` one per class, or empty
/// for 1. Throws `Error` on labels or sizes that do not fit.
ClassLoss focal_loss(const std::vector<double>& logits, const std::vector<int64_t>& labels,
                     const std::vector<double>& class_weight, double gamma, Reduction reduction);

}  // namespace compert
