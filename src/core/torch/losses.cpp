#include "losses.h"

#include <cmath>

namespace compert {

// Sums are of double precision on a processor, as they always were; not every device has it.
LossSums::LossSums(const at::TensorOptions& options)
    : sum_(at::zeros({static_cast<int64_t>(kLosses)},
                     options.device().is_cpu() ? options.dtype(at::kDouble) : options)),
      none_(at::zeros({}, sum_.options())) {}

void LossSums::reset() { sum_.zero_(); }

void LossSums::add(const StepLosses& losses) {
  at::NoGradGuard no_grad;
  if (sum_.is_cpu()) {
    for (std::size_t k = 0; k < kLosses; ++k)
      sum_.data_ptr<double>()[k] += losses.value(static_cast<Loss>(k));
    return;
  }
  std::vector<Tensor> all;
  for (const Tensor& t : losses.all) all.push_back(t.defined() ? t.detach() : none_);
  sum_.add_(at::stack(all));
}

std::array<double, kLosses> LossSums::values() const {
  const Tensor here = sum_.to(at::kCPU, at::kDouble);
  std::array<double, kLosses> out;
  std::copy_n(here.data_ptr<double>(), kLosses, out.begin());
  return out;
}

const char* LossSums::not_finite(const std::array<double, kLosses>& values) {
  static constexpr std::array<const char*, kLosses> kNames = {
      "reconstruction loss",
      "reconstruction loss",
      "reconstruction loss",
      "KL term",
      "KL term of the proteins' background",
      "alignment loss",
      "counterfactual matching loss",
      "loss of the second task",
      "perturbation adversary's loss",
      "covariate adversaries' loss",
      "gradient penalty",
      "gradient penalty"};
  for (std::size_t k = 0; k < kLosses; ++k)
    if (!std::isfinite(values[k])) return kNames[k];
  return nullptr;
}

}  // namespace compert
