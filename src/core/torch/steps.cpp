// The two kinds of update, and their alternation.
#include "impl.h"

namespace compert {

Tensor Model::Impl::autoencoder_objective(const Batch& batch, StepLosses& losses,
                                          AdversaryLoss* adversaries) {
  const Tensor basal = network.encode(batch, true);
  const Tensor treated =
      basal + network.perturbation_effect(batch.slots) + network.covariate_effect(batch.covariates);
  const Tensor reconstruction =
      network.reconstruction(network.decoder_hidden(treated, true), batch);
  losses.reconstruction = reconstruction.item<double>();
  Tensor total = reconstruction;
  if (uses_adversaries()) {
    const AdversaryLoss adversary = network.adversary_loss(basal, batch, false);
    losses.adv_perturbations = adversary.perturbations.item<double>();
    losses.adv_covariates = adversary.covariates.item<double>();
    total = total - (adversary.perturbations + adversary.covariates) * settings.reg_adversary;
    if (adversaries != nullptr) *adversaries = adversary;
  }
  if (settings.reg_alignment > 0) {
    const Tensor alignment = network.alignment_loss(basal, batch);
    losses.alignment = alignment.item<double>();
    total = total + alignment * settings.reg_alignment;
  }
  return total;
}

StepLosses Model::Impl::autoencoder_step(const Batch& batch) {
  ParameterStore& store = network.store();
  store.adam(Group::kAutoencoder).zero_grad();
  store.adam(Group::kDosers).zero_grad();
  StepLosses losses;
  const Tensor total = autoencoder_objective(batch, losses);
  std::vector<Tensor> moved = store.leaves(Group::kAutoencoder);
  const auto& dosers = store.leaves(Group::kDosers);
  moved.insert(moved.end(), dosers.begin(), dosers.end());
  torch::autograd::backward({total}, {}, c10::nullopt, false, moved);
  store.adam(Group::kAutoencoder).update();
  store.adam(Group::kDosers).update();
  return losses;
}

StepLosses Model::Impl::adversary_step(const Batch& batch) {
  ParameterStore& store = network.store();
  StepLosses losses;
  Tensor basal;
  {
    // Only the encoder's output is needed. The reference also runs the decoder (which moves its
    // running statistics) and lets gradients reach the encoder, to throw them away.
    at::NoGradGuard no_grad;
    basal = network.encode(batch, true);
    if (parity_fb()) {
      const Tensor treated = basal + network.perturbation_effect(batch.slots) +
                             network.covariate_effect(batch.covariates);
      losses.reconstruction =
          network.reconstruction(network.decoder_hidden(treated, true), batch).item<double>();
    }
  }
  basal.set_requires_grad(true);
  const AdversaryLoss a = network.adversary_loss(basal, batch, true);
  store.adam(Group::kAdversaries).zero_grad();
  const Tensor total =
      a.perturbations + a.covariates +
      (a.penalty_perturbations + a.penalty_covariates) * settings.penalty_adversary;
  torch::autograd::backward({total}, {}, c10::nullopt, false, store.leaves(Group::kAdversaries));
  store.adam(Group::kAdversaries).update();
  losses.adv_perturbations = a.perturbations.item<double>();
  losses.adv_covariates = a.covariates.item<double>();
  losses.penalty_perturbations = a.penalty_perturbations.item<double>();
  losses.penalty_covariates = a.penalty_covariates.item<double>();
  return losses;
}

StepLosses Model::Impl::update(const Batch& batch) {
  const bool adversaries = adversaries_turn();
  ++iteration;
  return adversaries ? adversary_step(batch) : autoencoder_step(batch);
}

void Model::Impl::reset_learning_rates() {
  ParameterStore& store = network.store();
  double factor = 1;
  for (int64_t k = 0; k < scheduler_steps / settings.step_size_lr; ++k) factor *= 0.1;
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
