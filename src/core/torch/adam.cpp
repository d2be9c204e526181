#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels.h"
#include "parameters.h"

namespace compert {

static constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

std::array<double, 2> Adam::rates() const {
  const auto t = static_cast<double>(std::max<int64_t>(1, step));
  return {lr / (1 - std::pow(kBeta1, t)), 1 / std::sqrt(1 - std::pow(kBeta2, t))};
}

void Adam::update_on_device() {
  at::NoGradGuard no_grad;
  const Tensor decayed = weight_decay != 0 ? grad.add(value, weight_decay) : grad;
  exp_avg.lerp_(decayed, 1 - kBeta1);
  exp_avg_sq.mul_(kBeta2).addcmul_(decayed, decayed, 1 - kBeta2);
  const Tensor ratio = exp_avg / exp_avg_sq.sqrt().mul_(device_rates[1]).add_(kEpsilon);
  value.addcmul_(lr_factors.defined() ? ratio.mul_(lr_factors) : ratio, device_rates[0], -1);
}

void Adam::update() {
  if (!value.defined() || value.numel() == 0) return;
  if (!value.is_cpu()) return update_on_device();
  const double bias1 = 1 - std::pow(kBeta1, static_cast<double>(step));
  const double bias2 = 1 - std::pow(kBeta2, static_cast<double>(step));
  for (const Run& run : runs) {
    const AdamStep s{lr * run.lr_factor / bias1, weight_decay,       kBeta1, kBeta2,
                     std::sqrt(bias2),           kEpsilon};
    const int64_t n = run.end - run.begin;
    by_type(value, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      adam_sweep(value.data_ptr<T>() + run.begin, grad.data_ptr<T>() + run.begin,
                 exp_avg.data_ptr<T>() + run.begin, exp_avg_sq.data_ptr<T>() + run.begin, n, s);
    });
  }
  zeroed_ = true;
}

void Adam::zero_grad() {
  if (!grad.defined() || std::exchange(zeroed_, false)) return;
  if (!grad.is_cpu()) {
    grad.zero_();
    return;
  }
  by_type(grad, [&](auto* type) {
    zero_sweep(grad.data_ptr<std::remove_pointer_t<decltype(type)>>(), grad.numel());
  });
}

Tensor Adam::clip(double most) {
  if (most <= 0 || !grad.defined() || grad.numel() == 0) return Tensor();
  if (!grad.is_cpu()) {
    const Tensor norm = grad.norm();
    grad.mul_((most / (norm + 1e-6)).clamp_max(1));
    return norm;
  }
  double norm = 0;
  by_type(grad, [&](auto* type) {
    norm = std::sqrt(square_sum(grad.data_ptr<std::remove_pointer_t<decltype(type)>>(), grad.numel()));
  });
  if (norm + 1e-6 > most) grad.mul_(most / (norm + 1e-6));  // torch.nn.utils.clip_grad_norm_
  return at::full({}, norm, grad.options().dtype(at::kDouble));
}

}  // namespace compert
