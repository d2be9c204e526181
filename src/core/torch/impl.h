// What a Model is made of: the network and the state of its training.
#pragma once
#include <memory>
#include <optional>

#include "network.h"

namespace compert {

/// Scalars of one update. Penalties are 0 in autoencoder steps, as the reference reports them.
struct StepLosses {
  double reconstruction = 0, adv_perturbations = 0, adv_covariates = 0;
  double penalty_perturbations = 0, penalty_covariates = 0, alignment = 0;
};

struct Model::Impl {
  Impl(const Architecture& a, const Settings& s);

  Architecture architecture;
  Settings settings;
  Network network;

  // training state
  int64_t iteration = 0;        // updates so far; selects autoencoder or adversary step
  int64_t epochs_done = 0;
  int64_t scheduler_steps = 0;  // evaluations on the checkpoint grid
  int64_t trials = 0;           // of them, without a better score since the best
  double best_score = 0;
  int64_t best_epoch = 0;
  std::vector<EpochRecord> history;
  /// The last weights, when `network` holds those of the best score instead.
  std::optional<ParameterStore::Snapshot> last;

  bool parity_fb() const { return settings.parity == "fb"; }
  /// Without weight in the objective the adversaries are neither run nor trained.
  bool uses_adversaries() const { return settings.reg_adversary > 0 || parity_fb(); }
  bool adversaries_turn() const {
    return uses_adversaries() && iteration % settings.adversary_steps != 0;
  }

  /// The objective of the autoencoder's turn; `total` is what is differentiated.
  Tensor autoencoder_objective(const Batch& batch, StepLosses& losses,
                               AdversaryLoss* adversaries = nullptr);
  StepLosses autoencoder_step(const Batch& batch);
  StepLosses adversary_step(const Batch& batch);
  StepLosses update(const Batch& batch);
  void step_schedulers();
  void reset_learning_rates();

  FitResult fit(const CellSource& cells, const Design& design, const std::vector<int64_t>& train,
                const EvaluationPlan& plan, const std::string& meta, Progress& progress);
  ConditionSummary summarise(const CellSource& cells, const Design& own, const Design& target,
                             const std::vector<std::vector<int64_t>>& source,
                             bool with_difference) const;
  std::vector<uint8_t> state(const std::string& meta) const;
};

/// The device that a setting means; throws with the reason when it cannot be had.
at::Device pick_device(const std::string& setting);
/// Sets the threads of this thread's parallel regions; 0: OMP_NUM_THREADS or every core.
void use_threads(int64_t n);

}  // namespace compert
