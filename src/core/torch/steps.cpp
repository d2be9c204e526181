// The two kinds of update, their alternation, and the warm-ups of their weights.
#include <algorithm>

#include "impl.h"

namespace compert {
namespace {

/// Share of a warm-up that is done, at most 1; without one, 1.
double warmed_up(double done, int64_t length) {
  return length > 0 ? std::min(1.0, done / static_cast<double>(length)) : 1;
}

}  // namespace

// theislab/cpa counts steps of optimisers (two or three per batch) where others count batches, and
// starts one epoch or step late.
bool Model::Impl::adversaries_started() const {
  const int64_t late = parity_theislab() ? 1 : 0;
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  if (settings.pretrain_steps > 0) return step >= settings.pretrain_steps + late;
  if (settings.pretrain_epochs > 0) return epochs_done >= settings.pretrain_epochs + late;
  return true;
}

Turn Model::Impl::turn() const {
  if (!uses_adversaries()) return Turn::kAutoencoder;
  // theislab/chemCPA turns the ratio round: the adversaries have one turn of adversary_steps. Since
  // 2025 it counts steps of optimisers, of which the autoencoder's turn has two.
  if (network.chemcpa()) {
    const int64_t step = settings.parity == "chemcpa" ? optimizer_steps : iteration;
    return step % std::max<int64_t>(1, settings.adversary_steps) == 0 ? Turn::kAdversaries
                                                                      : Turn::kAutoencoder;
  }
  if (!adversaries_started() || settings.adversary_steps == 0) return Turn::kBoth;
  const int64_t position = parity_theislab() ? batch_in_epoch : iteration;
  return position % settings.adversary_steps == 0 ? Turn::kAutoencoder : Turn::kAdversaries;
}

double Model::Impl::adversary_weight() const {
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  double done = 1;
  if (settings.adversary_warmup_steps > 0)
    done = warmed_up(static_cast<double>(step - settings.pretrain_steps),
                     settings.adversary_warmup_steps);
  else if (settings.adversary_warmup_epochs > 0)
    done = warmed_up(static_cast<double>(epochs_done - settings.pretrain_epochs),
                     settings.adversary_warmup_epochs);
  return settings.reg_adversary * done;
}

double Model::Impl::kl_weight() const {
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  if (settings.kl_warmup_steps > 0)
    return settings.kl_weight * warmed_up(static_cast<double>(step), settings.kl_warmup_steps);
  return settings.kl_weight *
         warmed_up(static_cast<double>(epochs_done), settings.kl_warmup_epochs);
}

double Model::Impl::mixup_alpha() const {
  // With pre-training the reference subtracts the epoch from itself: mixup stays off.
  const bool pretrained = settings.pretrain_steps > 0 || settings.pretrain_epochs > 0;
  if (parity_theislab() && pretrained && settings.mixup_warmup_epochs > 0) return 0;
  return settings.mixup_alpha *
         warmed_up(static_cast<double>(epochs_done), settings.mixup_warmup_epochs);
}

Model::Impl::Objective Model::Impl::autoencoder_objective(
    const Batch& batch, bool with_adversaries, double weight, const EffectMatching* matching,
    const EffectMatching::Draw& draw, StepLosses& losses) {
  const Encoded encoded = network.encode(batch, true);
  Objective out;
  out.basal = encoded.basal;
  const Tensor covariates = network.covariate_effect(batch);
  Tensor treated = encoded.basal, effect;
  if (network.differences() == nullptr) {
    effect = network.perturbation_effect(batch, true);
    treated = treated + effect + covariates;
  }
  Tensor hidden, difference;
  if (draw.any) {  // both decodings in one pass, so that they share the statistics of batch norm
    const Tensor other = encoded.basal + network.perturbation_effect(draw.slots, true) + covariates;
    const Tensor both = network.decoder_hidden(at::cat({treated, other}), true);
    hidden = both.narrow(0, 0, batch.size());
    difference = both.narrow(0, batch.size(), batch.size()) - hidden;
  } else {
    hidden = network.decoder_hidden(treated, true);
  }
  out.total = network.reconstruction(hidden, batch);
  losses.reconstruction = out.total.item<double>();
  const auto add = [&](const Tensor& term, double factor, double& loss) {
    loss = term.item<double>();
    out.total = out.total + term * factor;
  };
  if (settings.variational) {
    // The reference sums the likelihood over genes; ours is their mean, and so is this.
    const double per_gene =
        network.head().sum_genes ? 1 : 1 / static_cast<double>(architecture.n_genes);
    add(network.kl_loss(encoded), kl_weight() * per_gene, losses.kl);
  }
  if (with_adversaries) {
    out.adversaries = network.adversary_loss(encoded.basal, batch, false);
    losses.adv_perturbations = out.adversaries.perturbations.item<double>();
    losses.adv_covariates = out.adversaries.covariates.item<double>();
    const double of_covariates = settings.reg_adversary_cov < 0 || settings.reg_adversary == 0
                                     ? weight
                                     : weight * settings.reg_adversary_cov / settings.reg_adversary;
    out.total = out.total - out.adversaries.perturbations * weight -
                out.adversaries.covariates * of_covariates;
  }
  if (batch.degs.defined())
    add(network.deg_loss(effect, batch), settings.reg_multi_task, losses.degs);
  if (settings.reg_alignment > 0)
    add(network.alignment_loss(encoded.basal, batch), settings.reg_alignment, losses.alignment);
  if (draw.any)
    add(matching->loss(difference, draw), settings.reg_counterfactual, losses.counterfactual);
  return out;
}

Tensor Model::Impl::autoencoder_step(const Batch& batch, const EffectMatching* matching,
                                     const EffectMatching::Draw& draw, StepLosses& losses) {
  ParameterStore& store = network.store();
  store.adam(Group::kAutoencoder).zero_grad();
  store.adam(Group::kDosers).zero_grad();
  const bool with_adversaries = uses_adversaries() && adversaries_started();
  const Objective objective = autoencoder_objective(batch, with_adversaries, adversary_weight(),
                                                    matching, draw, losses);
  std::vector<Tensor> moved = store.leaves(Group::kAutoencoder);
  const auto& dosers = store.leaves(Group::kDosers);
  moved.insert(moved.end(), dosers.begin(), dosers.end());
  torch::autograd::backward({objective.total}, {}, c10::nullopt, false, moved);
  for (const Group g : {Group::kAutoencoder, Group::kDosers}) {
    losses.gradient_norm[g == Group::kDosers] = store.adam(g).clip(settings.clip_grad_norm);
    store.adam(g).update();
  }
  optimizer_steps += 2;
  return objective.basal.detach();
}

void Model::Impl::adversary_step(const Batch& batch, Tensor basal, StepLosses& losses) {
  ParameterStore& store = network.store();
  if (!basal.defined()) {
    // Only the encoder's output is needed. The references also run the decoder (which moves its
    // running statistics) and some let gradients reach the encoder, to throw them away.
    at::NoGradGuard no_grad;
    const Encoded encoded = network.encode(batch, true);
    basal = encoded.basal;
    if (settings.parity != "none") {
      const Tensor treated =
          basal + network.perturbation_effect(batch, true) + network.covariate_effect(batch);
      losses.reconstruction =
          network.reconstruction(network.decoder_hidden(treated, true), batch).item<double>();
      if (settings.variational) losses.kl = network.kl_loss(encoded).item<double>();
    }
  }
  basal.set_requires_grad(true);
  const AdversaryLoss a = network.adversary_loss(basal, batch, true);
  Adam& adam = store.adam(Group::kAdversaries);
  adam.zero_grad();
  const Tensor total =
      a.perturbations + a.covariates +
      (a.penalty_perturbations + a.penalty_covariates) * settings.penalty_adversary;
  torch::autograd::backward({total}, {}, c10::nullopt, false, store.leaves(Group::kAdversaries));
  if (!network.chemcpa()) adam.clip(settings.clip_grad_norm);
  adam.update();
  optimizer_steps += 1;
  losses.adv_perturbations = a.perturbations.item<double>();
  losses.adv_covariates = a.covariates.item<double>();
  losses.penalty_perturbations = a.penalty_perturbations.item<double>();
  losses.penalty_covariates = a.penalty_covariates.item<double>();
}

StepLosses Model::Impl::update(const Batch& batch, const EffectMatching* matching,
                               const EffectMatching::Draw& draw) {
  const Turn now = turn();
  reset_learning_rates();
  StepLosses losses;
  Tensor basal;
  if (now != Turn::kAdversaries) basal = autoencoder_step(batch, matching, draw, losses);
  if (now != Turn::kAutoencoder) adversary_step(batch, basal, losses);
  ++iteration;
  ++batch_in_epoch;
  return losses;
}

void Model::Impl::reset_learning_rates() {
  ParameterStore& store = network.store();
  double factor = 1;
  if (settings.lr_schedule == "step")
    for (int64_t k = 0; k < scheduler_steps / settings.step_size_lr; ++k) factor *= settings.lr_gamma;
  else if (settings.lr_schedule == "linear")
    factor = std::min(1.0, 1 - 2 * (run_share - 0.5) * 0.98);
  store.adam(Group::kAutoencoder).lr = settings.autoencoder_lr * factor;
  store.adam(Group::kAdversaries).lr = settings.adversary_lr * factor;
  store.adam(Group::kDosers).lr = settings.dosers_lr * factor;
  store.adam(Group::kAutoencoder).weight_decay = settings.autoencoder_wd;
  store.adam(Group::kAdversaries).weight_decay = settings.adversary_wd;
  store.adam(Group::kDosers).weight_decay = settings.dosers_wd;
}

void Model::Impl::step_schedulers() {
  ++scheduler_steps;
  reset_learning_rates();
}

}  // namespace compert
