#include "compert/divergences.h"

#include <algorithm>
#include <cmath>

#include "compert/error.h"

namespace compert {

KlTerm kl_divergence(const Gaussian& first, const Gaussian& second) {
  const double ratio = std::exp(first.log_variance - second.log_variance);
  const double difference = first.mean - second.mean, precision = std::exp(-second.log_variance);
  const double scaled = difference * precision, square = difference * scaled;
  return {0.5 * (second.log_variance - first.log_variance + ratio + square - 1),
          {scaled, 0.5 * (ratio - 1)},
          {-scaled, 0.5 * (1 - ratio - square)}};
}

KlTerm kl_to_standard(const Gaussian& posterior) {
  KlTerm out = kl_divergence(posterior, {0, 0});
  out.d_second = {0, 0};
  return out;
}

ExpertProduct product_of_experts(const std::vector<Gaussian>& experts) {
  double precision = 1, weighted = 0;
  for (const Gaussian& e : experts) {
    precision += std::exp(-e.log_variance);
    weighted += e.mean * std::exp(-e.log_variance);
  }
  ExpertProduct out{{weighted / precision, -std::log(precision)}, {}};
  for (const Gaussian& e : experts) out.weight.push_back(std::exp(-e.log_variance) / precision);
  return out;
}

double kl_annealing(int64_t epoch, int64_t max_epochs, double fraction) {
  if (fraction == 0) return 1;
  if (!(fraction > 0))
    throw Error("kl_annealing_frac", "must be 0 or larger", std::to_string(fraction));
  const double length = static_cast<double>(max_epochs) * fraction;
  return length > 0 ? std::min(1.0, static_cast<double>(epoch) / length) : 1;
}

}  // namespace compert
