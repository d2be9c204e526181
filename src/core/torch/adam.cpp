#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels.h"
#include "parameters.h"

namespace compert {

static constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

void Adam::begin_step(const std::vector<bool>& ran) {
  if (grad.numel() == 0) return;
  ++step;
  for (std::size_t j = 0; j < network_steps.size(); ++j) {
    moves[j] = ran.at(j) || (idle == Idle::kRestsUntilRun && network_steps[j] > 0);
    if (moves[j]) ++network_steps[j];
  }
}

std::vector<double> Adam::rates() const {
  std::vector<double> out;
  const auto add = [&](bool moved, int64_t steps) {
    const auto t = static_cast<double>(std::max<int64_t>(1, steps));
    out.push_back(moved ? lr / (1 - std::pow(kBeta1, t)) : 0);
    out.push_back(moved ? 1 / std::sqrt(1 - std::pow(kBeta2, t)) : 0);
  };
  add(true, step);
  for (std::size_t j = 0; j < network_steps.size(); ++j) add(moves[j], network_steps[j]);
  return out;
}

void Adam::update_on_device() {
  at::NoGradGuard no_grad;
  const Tensor rates = networks.defined() ? device_rates.index_select(0, networks) : device_rates[0];
  const Tensor rate = rates.select(-1, 0), root = rates.select(-1, 1);
  const Tensor decayed = weight_decay != 0 ? grad.add(value, weight_decay) : grad;
  const auto move = [&](Tensor& moment, auto moved) {
    const Tensor before = networks.defined() ? moment.clone() : Tensor();
    moved(moment);
    if (networks.defined()) moment.copy_(at::where(root > 0, moment, before));
  };
  move(exp_avg, [&](Tensor& m) { m.lerp_(decayed, 1 - kBeta1); });
  move(exp_avg_sq, [&](Tensor& v) { v.mul_(kBeta2).addcmul_(decayed, decayed, 1 - kBeta2); });
  const Tensor ratio = exp_avg / exp_avg_sq.sqrt().mul_(root).add_(kEpsilon);
  value.addcmul_(lr_factors.defined() ? ratio.mul_(lr_factors) : ratio, rate, -1);
}

void Adam::update() {
  if (!value.defined() || value.numel() == 0) return;
  if (!value.is_cpu()) return update_on_device();
  for (const Run& run : runs) {
    const auto network = static_cast<std::size_t>(std::max<int64_t>(0, run.network));
    if (run.network >= 0 && !moves[network]) continue;  // it did not run: its gradients are 0
    const auto t = static_cast<double>(run.network >= 0 ? network_steps[network] : step);
    const AdamStep s{lr * run.lr_factor / (1 - std::pow(kBeta1, t)), weight_decay, kBeta1, kBeta2,
                     std::sqrt(1 - std::pow(kBeta2, t)), kEpsilon};
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
