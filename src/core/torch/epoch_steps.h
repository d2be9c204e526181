// How many steps of an epoch were whose, and what its losses are.
#pragma once
#include <array>

#include "impl.h"

namespace compert {

/// Means over the steps of an epoch. Every loss is averaged over the steps that compute it, and NaN where none
/// did; facebookresearch/CPA divides all by the number of steps. The references look at the autoencoder's losses
/// in the adversaries' steps too.
struct EpochSteps {
  int64_t all = 0, autoencoder = 0, adversary = 0;
  void count(Turn turn) {
    ++all;
    if (turn != Turn::kAdversaries) ++autoencoder;
    if (turn != Turn::kAutoencoder) ++adversary;
  }
  void write(const Model::Impl& model, const std::array<double, kLosses>& sums, EpochRecord& r) const {
    const auto mean = [&](Loss loss, int64_t steps) {
      return sums[static_cast<std::size_t>(loss)] / static_cast<double>(model.parity_fb() ? all : steps);
    };
    const int64_t looked = model.settings.parity == "none" ? autoencoder : all;
    r.loss_reconstruction = mean(Loss::kReconstruction, looked);
    r.loss_alignment = mean(Loss::kAlignment, looked);
    r.loss_counterfactual = mean(Loss::kCounterfactual, autoencoder);
    if (model.settings.reg_multi_task > 0) r.loss_degs = mean(Loss::kDegs, looked);
    if (model.settings.variational) r.loss_kl = mean(Loss::kKl, looked);
    if (const ProteinDecoder* proteins = model.network.proteins(); proteins != nullptr) {
      r.loss_proteins = mean(Loss::kOfProteins, looked);
      if (proteins->draws_background()) r.loss_kl_background = mean(Loss::kBackgroundKl, looked);
    }
    if (!model.uses_adversaries()) return;  // theirs stay NaN: there was nothing to measure
    r.loss_adv_perturbations = mean(Loss::kAdvPerturbations, all);
    r.loss_adv_covariates = mean(Loss::kAdvCovariates, all);
    r.penalty_adv_perturbations = mean(Loss::kPenaltyPerturbations, adversary);
    r.penalty_adv_covariates = mean(Loss::kPenaltyCovariates, adversary);
  }
};

}  // namespace compert
