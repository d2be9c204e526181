// One call of Model::fit(): epochs of batches, their evaluation, early stopping.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../data/epoch.h"
#include "device_cells.h"
#include "epoch_steps.h"
#include "validation.h"

namespace compert {

/// Ends of the batches. A last batch of one cell joins the one before it: batch norm needs two.
std::vector<std::size_t> batch_ends(std::size_t n, int64_t batch_size);

class Training {
 public:
  /// Of a model that was started. `best`: the weights of its best score, where it has had one and they are known.
  Training(Model::Impl& model, const FitTask& task, std::optional<ParameterStore::Snapshot> best);
  FitResult run();

 private:
  /// What an epoch that breaks down is taken back to.
  struct Before {
    ParameterStore::Snapshot weights;
    bool weights_are_best;
    int64_t iteration, optimizer_steps;
  };

  bool stopped() const { return result_.stopped != Stopped::kEpochs; }
  /// Whether training goes on, after asking the user and the time limit.
  bool goes_on();
  /// Every batch once. Whether it became a whole epoch.
  bool epoch();
  /// The b-th batch of an epoch, of the n cells from `which`.
  void step(std::size_t b, const int64_t* which, std::size_t n);
  /// What is not finite after the b-th batch of an epoch, or after its last; empty: nothing.
  std::string broken_loss(std::size_t b) const;
  std::string broken_weight() const;
  void take_back(const Before& before, const std::string& why);
  /// Counts an epoch, scores it where that is due, and tells of it.
  void close_epoch();
  EpochRecord record();
  /// `on_grid`: the evaluation was due, so that patience and schedulers go by it.
  void evaluate(EpochRecord& record, bool on_grid);
  /// Keeps the weights of the best score, and counts how long there was no better one.
  void compare(EpochRecord& record, bool on_grid);
  /// A file that can't be read any more ends the fit, which keeps the epochs before.
  template <class Read>
  void may_read(Read&& read);

  Model::Impl& model_;
  const FitTask& task_;
  std::optional<ParameterStore::Snapshot> best_;
  Recorder recorder_;
  std::vector<std::size_t> ends_;  // of the batches
  int64_t first_epoch_, more_;     // epochs before, and in this call
  Validation validation_;
  std::optional<EffectMatching> matching_;
  std::unique_ptr<DeviceCells> held_;
  LossSums sums_;
  Sampling sampling_;
  std::optional<ReadAhead> ahead_;
  /// Without differences there is nothing to keep of a model that has them in place of embeddings.
  bool complete_;
  double seconds_before_, spent_before_ = 0;
  Clock::time_point start_;
  FitResult result_;
  EpochSteps steps_;  // of the epoch
  Batch batch_;
  EffectMatching::Draw draw_;
};

}  // namespace compert
