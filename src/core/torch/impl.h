// What a Model is made of: the network and the state of its training.
#pragma once
#include <chrono>
#include <memory>
#include <optional>

#include "losses.h"
#include "matching.h"
#include "network.h"
#include "recording.h"

namespace compert {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What Model::fit() was given.
struct FitTask {
  const CellSource& cells;
  const Design& design;               // a row per cell
  const std::vector<int64_t>& train;  // cells
  const EvaluationPlan& plan;
  const std::string& meta;
  Progress& progress;
  const DegTargets& degs;
};

struct Model::Impl {
  Impl(const Architecture& a, const Settings& s, Use use = Use::kFit);

  Architecture architecture;
  Settings settings;
  Network network;

  // training state
  int64_t iteration = 0;        // batches so far
  int64_t optimizer_steps = 0;  // steps of all optimisers so far
  int64_t epochs_done = 0;
  int64_t scheduler_steps = 0;  // evaluations on the checkpoint grid, or theislab/cpa's epochs
  int64_t trials = 0;           // evaluations without a better score since the best
  double best_score = 0;
  int64_t best_epoch = 0;
  std::vector<EpochRecord> history;
  /// The last weights, when `network` holds those of the best score instead.
  std::optional<ParameterStore::Snapshot> last;
  /// Whether `network` holds the weights of `best_epoch`.
  bool weights_are_best = false;
  /// Whether the decoder's output is yet to be started at the means of the training cells.
  bool start_output = true;
  /// By gene, whether its output came with the weights of another model and so is started; empty: none did.
  std::vector<bool> kept_outputs;
  // within an epoch
  int64_t batch_in_epoch = 0;
  double run_share = 0;  // of the batches of this call of fit()
  int64_t last_epoch = 0;  // of this call of fit()
  /// The processes that a fit shares its work with, while it runs; null: one process does all.
  std::unique_ptr<ProcessGroup> group;

  /// History and counters of another model.
  void take_record(const Impl& of) {
    iteration = of.iteration;
    optimizer_steps = of.optimizer_steps;
    epochs_done = of.epochs_done;
    scheduler_steps = of.scheduler_steps;
    trials = of.trials;
    best_score = of.best_score;
    best_epoch = of.best_epoch;
    weights_are_best = of.weights_are_best;
    history = of.history;
    start_output = of.start_output;
    kept_outputs = of.kept_outputs;
  }

  bool parity_fb() const { return settings.parity == "fb"; }
  bool parity_theislab() const { return settings.parity == "theislab"; }
  /// Without weight in the objective the adversaries are neither run nor trained.
  bool uses_adversaries() const {
    return settings.reg_adversary > 0 || settings.reg_adversary_cov > 0 || settings.parity != "none";
  }
  Turn turn() const;
  bool adversaries_started() const;
  /// Share of the adversaries' weights that their warm-up has reached.
  double adversary_share() const;
  /// Weights of this batch, after their warm-ups.
  double adversary_weight() const { return settings.reg_adversary * adversary_share(); }
  double kl_weight() const;
  /// Share of the KL terms' weights that their annealing has reached.
  double kl_annealing() const;
  double mixup_alpha() const;

  /// The objective of the autoencoder's turn; `total` is what is differentiated.
  struct Objective {
    Tensor total;
    std::vector<Tensor> states;  // see Encoded::states()
    AdversaryLoss adversaries;
  };
  /// `share`: of the adversaries' weights.
  Objective autoencoder_objective(const Batch& batch, bool with_adversaries, double share,
                                  const EffectMatching* matching, const EffectMatching::Draw& draw,
                                  StepLosses& losses, AdversaryDerivatives derivatives = {});
  /// One step, or two in Turn::kBoth, of a batch that was read; by a recording where there is one.
  void update(Batch& batch, const EffectMatching* matching, const EffectMatching::Draw& draw, LossSums& sums,
              Recorder& recorder);
  /// The same of a batch that is prepared.
  StepLosses update(const Batch& batch);
  /// Measures what a model without perturbation embeddings has in their place.
  void measure_differences(const CellSource& cells, const Design& design,
                           const std::vector<int64_t>& train);
  /// Starts a new fit: the depth that cells are brought to, and the outputs at the cells' means.
  void start(const CellSource& cells, const Design& design, const std::vector<int64_t>& train);
  /// Whether the evaluation, and what hangs on it, is due after so many epochs.
  bool is_on_grid(int64_t epochs) const;
  Tensor some_proteins(const CellSource& cells, const Design& design,
                       const std::vector<int64_t>& train) const;
  /// Puts the weights of the best score into `network`, where they are wanted and not there; the others become
  /// `last`, which go_to_last() puts back. Whether it did.
  bool go_to_best(const std::optional<ParameterStore::Snapshot>& best);
  void go_to_last();
  /// Where the settings name a file and this is the first process of its group, for which the others wait. False
  /// where it could not be written.
  bool write_checkpoint(const std::optional<ParameterStore::Snapshot>& best, const std::string& meta);
  /// Of a call of fit(): the user's number, or one that the cells tell. `blind`: there are no test cells to stop at.
  /// Then the passes over few cells of a condition must be few, or their noise is learned.
  int64_t epochs_to_train(const Design& design, const std::vector<int64_t>& train, bool blind) const;
  void step_schedulers();
  void reset_learning_rates();
  /// Whether so many seconds are more than the time limit.
  bool is_late(double seconds) const;
  /// By Ctrl-C or the time limit, in all processes of a group when in one; kEpochs: training goes on.
  Stopped asked_to_stop(Progress& progress, Clock::time_point start) const;

  FitResult fit(const FitTask& task);
  /// The same, in a group of processes where `settings.distributed` says so (distributed.cpp).
  FitResult fit_in_group(const FitTask& task);
  // Of a group of processes; nothing happens without one.
  /// Everybody has the first process' weights: other processors round otherwise.
  void share_weights();
  /// Everybody decides by the first process' times and scores.
  void share(EpochRecord& record) const;
  ConditionSummary summarise(const CellSource& cells, const Design& own, const Design& target,
                             const std::vector<std::vector<int64_t>>& source,
                             const SummaryParts& parts, const Decoding& decoding,
                             const Pause& pause = {}) const;
  std::vector<uint8_t> state(const std::string& meta) const;
  static std::unique_ptr<Impl> read_state(const std::vector<uint8_t>& image, Use use,
                                          const Settings* run = nullptr);
  /// Throws for one that was read for predictions only.
  void check_trainable() const;

 private:
  /// What the decoders make of the latent states of a batch.
  struct Decodings {
    Tensor genes, proteins, kl_background;  // losses; undefined where there is nothing to compare
    Tensor difference, protein_difference;  // of a draw's other conditions from the own ones
  };
  Decodings decode_states(const Encoded& encoded, const Tensor& added, const Tensor& added_other,
                          const Batch& batch) const;
  std::vector<Tensor> autoencoder_step(const Batch& batch, const EffectMatching* matching,
                                       const EffectMatching::Draw& draw, StepLosses& losses);
  void adversary_step(const Batch& batch, std::vector<Tensor> states, StepLosses& losses);
  /// What this turn's optimisers do to the weights; begin_step() and end_step() count.
  StepLosses step(Turn turn, const Batch& batch, const EffectMatching* matching,
                  const EffectMatching::Draw& draw);
  void begin_step(Turn turn, const Batch& batch, const EffectMatching::Draw& draw);
  void end_step(Turn turn);
  WorkKey key_of(Turn turn, const Batch& batch, const EffectMatching::Draw& draw) const;
  /// Completes the gradients of what every process of a group saw its own rows of only.
  void sum_gradients();
  Error lost_process() const;
};

/// The device that a setting means; throws with the reason when it cannot be had.
at::Device pick_device(const std::string& setting);
/// Sets the threads of this thread's parallel regions; 0: OMP_NUM_THREADS or every core. More than this machine can
/// serve, as of a fit that was made on a larger one: every core.
void use_threads(int64_t n);
/// An error for more threads than training can have on this machine.
void check_threads(int64_t n);

}  // namespace compert
