// What the adversaries guess from the basal state, and how well.
#include "kernels.h"
#include "lanes.h"
#include "network.h"

namespace compert {
namespace {

using torch::autograd::variable_list;

/// Multiply-adds of a forward pass from which on threads are better shared than apart.
constexpr int64_t kLargeForOneThread = 32 << 20;

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
  static variable_list backward(torch::autograd::AutogradContext* ctx, variable_list grads) {
    return {ctx->saved_data["gradient"].toTensor() * grads[0], Tensor(), Tensor()};
  }
};

/// A value whose derivatives by `states` are known, one of `gradients` for each.
struct KnownDerivatives : public torch::autograd::Function<KnownDerivatives> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, at::TensorList, Tensor gradients,
                        Tensor value) {
    ctx->saved_data["gradients"] = gradients;
    return value;
  }
  static variable_list backward(torch::autograd::AutogradContext* ctx, variable_list grads) {
    variable_list out = (ctx->saved_data["gradients"].toTensor() * grads[0]).unbind();
    out.resize(out.size() + 2);
    return out;
  }
};

/// Binary cross entropy for a `target` of the logits' type, else the cross entropy of labels.
Tensor class_entropy(const Tensor& logits, const Tensor& target, const Tensor& weight) {
  const bool labels = target.scalar_type() == at::kLong;
  if (!logits.is_cpu())
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

Network::Guess Network::guess(std::size_t adversary, const Tensor& state, const Batch& batch,
                              bool with_penalty, bool training) const {
  const bool of_perturbations = adversary == 0;
  const Mlp* mlp = of_perturbations ? perturbation_adversary_.get()
                                    : covariate_adversaries_[adversary - 1].get();
  Guess out;
  if (mlp == nullptr) {
    out.logits = at::zeros({state.size(0), 1}, options_);
    out.loss = at::zeros({}, options_);
    if (with_penalty) out.penalty = out.loss;
    return out;
  }
  // theislab/chemCPA guesses covariates anew for the penalty, which moves the running statistics once
  // more.
  const bool anew = with_penalty && !of_perturbations && parity_ == "chemcpa";
  if (with_penalty && !anew) {
    const Mlp::Penalised penalised = mlp->forward_with_penalty(state);
    out.logits = penalised.output;
    out.penalty = penalised.penalty;
  } else {
    out.logits = mlp->forward(state, training);
    if (anew) out.penalty = mlp->forward_with_penalty(state).penalty;
  }
  if (of_perturbations && adversary_kind_ == "bce") {
    out.loss = class_entropy(out.logits, batch.present, Tensor());
    return out;
  }
  const Tensor weight = of_perturbations && condition_weight_ != nullptr && !chemcpa()
                            ? condition_weight_->value
                            : Tensor();
  const Tensor& label = of_perturbations ? batch.condition_class : batch.covariates[adversary - 1];
  out.loss = class_loss(out.logits, label, weight);
  if (!batch.partner.defined()) return out;
  // The loss of a mixed cell: its own share of one for its own label, the rest for the partner's, which
  // theislab/cpa loses for covariates.
  out.loss = out.loss * batch.share;
  if (of_perturbations || !theislab())
    out.loss = out.loss + class_loss(out.logits, label.index_select(0, batch.partner), weight) *
                              (1 - batch.share);
  return out;
}

bool Network::adversaries_apart(int64_t rows) const {
  return options_.device().is_cpu() &&
         perturbation_adversary_->multiply_adds() * rows < kLargeForOneThread;
}

AdversaryLoss Network::adversary_loss(const std::vector<Tensor>& states, const Batch& batch,
                                      bool with_penalty, bool training,
                                      AdversaryDerivatives derivatives) const {
  using Of = AdversaryDerivatives::Of;
  const Of of = at::GradMode::is_enabled() ? derivatives.of : Of::kAll;
  struct Lane {
    std::vector<Guess> guesses;  // by state
    Tensor loss, penalty;        // their means
    Tensor gradients;            // of the loss by the states
  };
  std::vector<Lane> lanes(1 + covariate_adversaries_.size());
  const auto mean = [](const std::vector<Guess>& guesses, Tensor Guess::*of_guess) {
    Tensor sum = guesses.front().*of_guess;
    for (std::size_t s = 1; s < guesses.size(); ++s) sum = sum + guesses[s].*of_guess;
    return guesses.size() > 1 ? sum / static_cast<double>(guesses.size()) : sum;
  };
  in_lanes(lanes.size(), adversaries_apart(states.front().size(0)), [&](std::size_t k) {
    Lane& lane = lanes[k];
    variable_list begin = states;
    if (of != Of::kAll)
      for (Tensor& state : begin) state = state.detach().set_requires_grad(of == Of::kStates);
    for (const Tensor& state : begin)
      lane.guesses.push_back(guess(k, state, batch, with_penalty, training));
    lane.loss = mean(lane.guesses, &Guess::loss);
    if (with_penalty) lane.penalty = mean(lane.guesses, &Guess::penalty);
    if (!lane.loss.requires_grad()) return;  // of a covariate with one level
    if (of == Of::kStates) {
      lane.gradients = at::stack(torch::autograd::grad({lane.loss}, begin));
      lane.loss = lane.loss.detach();
    } else if (of == Of::kParameters) {
      const Tensor total =
          with_penalty ? lane.loss + lane.penalty * derivatives.penalty_weight : lane.loss;
      torch::autograd::backward({total});
      lane.loss = lane.loss.detach();
      if (with_penalty) lane.penalty = lane.penalty.detach();
    }
  });
  // By this thread, one after the other: a backward pass adds up in the order in which a thread made the
  // nodes, so that sums would differ from run to run.
  for (Lane& lane : lanes)
    if (lane.gradients.defined())
      lane.loss = KnownDerivatives::apply(at::TensorList(states), lane.gradients, lane.loss);
  AdversaryLoss out;
  out.perturbations = lanes.front().loss;
  out.penalty_perturbations = lanes.front().penalty;
  out.logits = lanes.front().guesses.front().logits;
  out.covariates = at::zeros({}, options_);
  if (with_penalty) out.penalty_covariates = at::zeros({}, options_);
  for (std::size_t k = 1; k < lanes.size(); ++k) {
    out.each_covariate.push_back(lanes[k].loss);
    out.covariate_logits.push_back(lanes[k].guesses.front().logits);
    out.covariates = out.covariates + lanes[k].loss;
    if (with_penalty) out.penalty_covariates = out.penalty_covariates + lanes[k].penalty;
  }
  if (with_penalty)
    for (const Lane& lane : lanes)
      for (const Guess& g : lane.guesses) out.penalty_parts.push_back(g.penalty);
  return out;
}

}  // namespace compert
