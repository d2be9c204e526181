// What the adversaries guess from the basal state, and how well.
#include "kernels.h"
#include "network.h"

namespace compert {
namespace {

/// A loss of logits whose sweep gives its derivatives as well: the binary cross entropy of `target`, or the
/// cross entropy of labels (int64) with a weight per class, or an empty one.
struct SweptLoss : public torch::autograd::Function<SweptLoss> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& given, const Tensor& target,
                        const Tensor& weight) {
    const Tensor logits = given.contiguous();
    const Tensor gradient = at::empty_like(logits);
    double loss = 0;
    by_type(logits, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      loss = target.scalar_type() == at::kLong
                 ? cross_entropy_sweep(logits.data_ptr<T>(), target.data_ptr<int64_t>(),
                                       weight.numel() > 0 ? weight.data_ptr<T>() : nullptr,
                                       logits.size(0), logits.size(1), gradient.data_ptr<T>())
                 : bce_sweep(logits.data_ptr<T>(), target.data_ptr<T>(), logits.numel(),
                             gradient.data_ptr<T>());
    });
    ctx->saved_data["gradient"] = gradient;
    return at::full({}, loss, logits.options());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    return {ctx->saved_data["gradient"].toTensor() * grads[0], Tensor(), Tensor()};
  }
};

/// Binary cross entropy for a `target` of the logits' type, else the cross entropy of labels.
Tensor class_entropy(const Tensor& logits, const Tensor& target, const Tensor& weight) {
  const bool labels = target.scalar_type() == at::kLong;
  if (logits.is_cuda())
    return labels ? at::cross_entropy_loss(logits, target, weight)
                  : at::binary_cross_entropy_with_logits(logits, target);
  return SweptLoss::apply(logits, target.contiguous(),
                          weight.defined() ? weight : at::empty({0}, logits.options()));
}

}  // namespace

Tensor Network::class_loss(const Tensor& logits, const Tensor& labels, const Tensor& weight) const {
  if (adversary_kind_ != "focal") return class_entropy(logits, labels, weight);
  // focal loss with exponent 2 (Lin et al. 2017)
  const Tensor log_p = at::log_softmax(logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1);
  const Tensor loss = (1 - log_p.exp()).square() * log_p;
  return (weight.defined() ? loss * weight.index_select(0, labels) : loss).mean().neg();
}

AdversaryLoss Network::adversary_loss(const std::vector<Tensor>& states, const Batch& batch,
                                      bool with_penalty, bool training) const {
  AdversaryLoss out = guess_from(states.front(), batch, with_penalty, training);
  if (states.size() == 1) return out;
  std::vector<AdversaryLoss> all{out};
  for (std::size_t k = 1; k < states.size(); ++k)
    all.push_back(guess_from(states[k], batch, with_penalty, training));
  const auto mean = [&](auto&& of) {
    Tensor sum = of(all.front());
    for (std::size_t k = 1; k < all.size(); ++k) sum = sum + of(all[k]);
    return sum / static_cast<double>(all.size());
  };
  out.perturbations = mean([](const AdversaryLoss& a) { return a.perturbations; });
  out.covariates = mean([](const AdversaryLoss& a) { return a.covariates; });
  for (std::size_t c = 0; c < out.each_covariate.size(); ++c)
    out.each_covariate[c] = mean([c](const AdversaryLoss& a) { return a.each_covariate[c]; });
  if (!with_penalty) return out;
  out.penalty_perturbations = mean([](const AdversaryLoss& a) { return a.penalty_perturbations; });
  out.penalty_covariates = mean([](const AdversaryLoss& a) { return a.penalty_covariates; });
  out.penalty_parts.clear();
  for (std::size_t part = 0; part < all.front().penalty_parts.size(); ++part)
    for (const AdversaryLoss& a : all) out.penalty_parts.push_back(a.penalty_parts[part]);
  return out;
}

AdversaryLoss Network::guess_from(const Tensor& basal, const Batch& batch, bool with_penalty,
                                  bool training) const {
  AdversaryLoss out;
  const bool mixing = batch.partner.defined();
  // The loss of a mixed cell: its own share of one for its own label, the rest for the partner's.
  const auto shared = [&](auto&& loss, const Tensor& label, bool drop_partner) {
    const Tensor own = loss(label);
    if (!mixing) return own;
    if (drop_partner) return own * batch.share;
    return own * batch.share + loss(label.index_select(0, batch.partner)) * (1 - batch.share);
  };
  const auto guess_of = [&](const Mlp& adversary, bool penalised) {
    if (penalised) return adversary.forward_with_penalty(basal);
    return Mlp::Penalised{adversary.forward(basal, training), Tensor()};
  };
  const Mlp::Penalised of_perturbations = guess_of(*perturbation_adversary_, with_penalty);
  out.logits = of_perturbations.output;
  const Tensor weight =
      condition_weight_ != nullptr && !chemcpa() ? condition_weight_->value : Tensor();
  out.perturbations =
      adversary_kind_ == "bce"
          ? class_entropy(out.logits, batch.present, Tensor())
          : shared([&](const Tensor& label) { return class_loss(out.logits, label, weight); },
                   batch.condition_class, false);
  out.covariates = at::zeros({}, options_);
  if (with_penalty) {
    out.penalty_perturbations = of_perturbations.penalty;
    out.penalty_parts.push_back(out.penalty_perturbations);
    out.penalty_covariates = at::zeros({}, options_);
  }
  for (std::size_t k = 0; k < covariate_adversaries_.size(); ++k) {
    if (!covariate_adversaries_[k]) {
      out.each_covariate.push_back(at::zeros({}, options_));
      out.covariate_logits.push_back(at::zeros({basal.size(0), 1}, options_));
      if (with_penalty) out.penalty_parts.push_back(at::zeros({}, options_));
      continue;
    }
    // theislab/chemCPA guesses anew for the penalty, which moves the running statistics once more.
    const bool anew = with_penalty && parity_ == "chemcpa";
    const Mlp::Penalised of_covariate = guess_of(*covariate_adversaries_[k], with_penalty && !anew);
    const Tensor& guess = of_covariate.output;
    out.covariate_logits.push_back(guess);
    // theislab/cpa loses the partner's term here
    out.each_covariate.push_back(
        shared([&](const Tensor& label) { return class_loss(guess, label, Tensor()); },
               batch.covariates[k], theislab()));
    out.covariates = out.covariates + out.each_covariate.back();
    if (with_penalty) {
      out.penalty_parts.push_back(anew ? guess_of(*covariate_adversaries_[k], true).penalty
                                       : of_covariate.penalty);
      out.penalty_covariates = out.penalty_covariates + out.penalty_parts.back();
    }
  }
  return out;
}

}  // namespace compert
