// How many epochs, whose turn it is, the warm-ups of the objective's weights, and learning rates.
#include <algorithm>
#include <cmath>

#include "../data/row_groups.h"
#include "impl.h"
#include "training.h"

namespace compert {
namespace {

constexpr int64_t kAutomaticSteps = 1500;  // autoencoder steps that `epochs = 0` aims at
constexpr int64_t kMostEpochs = 2000, kFewestEpochs = 20;
constexpr int64_t kBlindEpochs = 60, kBlindPerCell = 10;  // without test cells

/// Share of a warm-up that is done, at most 1; without one, 1.
double warmed_up(double done, int64_t length) {
  return length > 0 ? std::min(1.0, done / static_cast<double>(length)) : 1;
}

}  // namespace

int64_t Model::Impl::epochs_to_train(const Design& design, const std::vector<int64_t>& train, bool blind) const {
  if (settings.epochs > 0) return settings.epochs;
  if (parity_theislab())  // scvi-tools' heuristic, of all cells
    return std::clamp<int64_t>(std::llround(20000.0 / static_cast<double>(design.n) * 400), 1, 400);
  const auto in_epoch = static_cast<int64_t>(batch_ends(train.size(), settings.batch_size).size());
  // A cycle longer than all batches of the most epochs makes no more of them, and no number too large to count.
  // Of theislab/chemCPA's cycle the autoencoder has all steps but one: half of them, or more.
  const int64_t cycle = !uses_adversaries() ? 1
                        : network.chemcpa() ? 2
                                            : std::clamp<int64_t>(settings.adversary_steps, 1, kMostEpochs * in_epoch);
  const int64_t epochs = std::clamp(kAutomaticSteps * cycle / in_epoch, kFewestEpochs, kMostEpochs);
  if (!blind || settings.parity != "none") return epochs;
  const auto conditions = static_cast<int64_t>(row_groups(design.rows(train.data(), train.size())).first.size());
  return std::min(epochs, std::max(kBlindEpochs,
                                   kBlindPerCell * static_cast<int64_t>(train.size()) / conditions));
}

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

double Model::Impl::adversary_share() const {
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  double done = 1;
  if (settings.adversary_warmup_steps > 0)
    done = warmed_up(static_cast<double>(step - settings.pretrain_steps),
                     settings.adversary_warmup_steps);
  else if (settings.adversary_warmup_epochs > 0)
    done = warmed_up(static_cast<double>(epochs_done - settings.pretrain_epochs),
                     settings.adversary_warmup_epochs);
  // Before its pre-training ends theislab/cpa computes a weight below 0, which it has no use for.
  return parity_theislab() ? done : std::max(0.0, done);
}

double Model::Impl::kl_annealing() const {
  if (settings.kl_annealing_frac <= 0) return 1;
  const double length = settings.kl_annealing_frac * static_cast<double>(last_epoch);
  return length > 0 ? std::min(1.0, static_cast<double>(epochs_done) / length) : 1;
}

double Model::Impl::kl_weight() const {
  if (settings.kl_annealing_frac > 0) return settings.kl_weight * kl_annealing();
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  if (settings.kl_warmup_steps > 0)
    return settings.kl_weight * warmed_up(static_cast<double>(step), settings.kl_warmup_steps);
  return settings.kl_weight *
         warmed_up(static_cast<double>(epochs_done), settings.kl_warmup_epochs);
}

double Model::Impl::mixup_alpha() const {
  // With pre-training in epochs the reference subtracts the epoch from itself: mixup stays off.
  if (parity_theislab() && settings.pretrain_epochs > 0 && settings.mixup_warmup_epochs > 0) return 0;
  return settings.mixup_alpha *
         warmed_up(static_cast<double>(epochs_done), settings.mixup_warmup_epochs);
}

// These references count epochs from 0: two of them evaluate after the very first, one does not.
bool Model::Impl::is_on_grid(int64_t epochs) const {
  const bool v2 = settings.parity == "chemcpa_v2";
  const int64_t counted = epochs - (parity_fb() || network.multicpa() || v2 ? 1 : 0);
  return counted % settings.checkpoint_freq == 0 && (counted > 0 || !v2);
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
