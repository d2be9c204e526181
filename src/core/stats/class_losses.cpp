#include "compert/class_losses.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "compert/error.h"

namespace compert {
namespace {

/// -(1 - p)^gamma log p of one cell, and its derivative by log p.
struct FocalTerm {
  double value, d_log_p;
};
FocalTerm focal_term(double log_p, double gamma) {
  if (gamma == 0) return {-log_p, -1};
  const double miss = -std::expm1(log_p), power = std::pow(miss, gamma);
  const double ratio = miss > 0 ? log_p / miss : -1;  // its limit as p goes to 1
  return {-power * log_p, power * (gamma * std::exp(log_p) * ratio - 1)};
}

void check_sizes(const std::vector<double>& logits, const std::vector<int64_t>& labels,
                 const std::vector<double>& class_weight, std::size_t classes) {
  if (labels.empty()) throw Error("labels", "must have at least one cell");
  if (classes == 0 || classes * labels.size() != logits.size())
    throw Error(
        "logits", "must be cells x classes",
        std::to_string(logits.size()) + " values for " + std::to_string(labels.size()) + " cells");
  if (!class_weight.empty() && class_weight.size() != classes)
    throw Error("class_weight", "must have one entry per class",
                std::to_string(class_weight.size()) + " for " + std::to_string(classes));
  for (const int64_t c : labels)
    if (c < 0 || static_cast<std::size_t>(c) >= classes)
      throw Error("labels", "must be below the number of classes", std::to_string(c));
}

}  // namespace

ClassLoss focal_loss(const std::vector<double>& logits, const std::vector<int64_t>& labels,
                     const std::vector<double>& class_weight, double gamma, Reduction reduction) {
  const std::size_t cells = labels.size(), classes = cells == 0 ? 0 : logits.size() / cells;
  check_sizes(logits, labels, class_weight, classes);
  ClassLoss out;
  out.gradient.resize(logits.size());
  double weights = 0;
  for (std::size_t i = 0; i < cells; ++i) {
    const double* row = logits.data() + i * classes;
    const auto label = static_cast<std::size_t>(labels[i]);
    const double weight = class_weight.empty() ? 1 : class_weight[label];
    const double largest = *std::max_element(row, row + classes);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) sum += std::exp(row[c] - largest);
    const double log_sum = largest + std::log(sum);
    const FocalTerm term = focal_term(row[label] - log_sum, gamma);
    out.value += weight * term.value;
    weights += weight;
    for (std::size_t c = 0; c < classes; ++c)
      out.gradient[i * classes + c] =
          weight * term.d_log_p * ((c == label ? 1 : 0) - std::exp(row[c] - log_sum));
  }
  const double divisor = reduction == Reduction::kSum    ? 1
                         : reduction == Reduction::kMean ? static_cast<double>(cells)
                                                         : weights;
  out.value /= divisor;
  for (double& g : out.gradient) g /= divisor;
  return out;
}

}  // namespace compert
