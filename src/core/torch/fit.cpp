// What comes before the first epoch of a fit, and what ends it.
#include "compert/statistics.h"
#include "held_signals.h"
#include "kept_memory.h"
#include "training.h"

namespace compert {
namespace {

constexpr std::size_t kMeasuredAtATime = 1024;  // cells
constexpr std::size_t kMeasuredForStart = 5000;

/// Throws where the parts do not fit each other or the model.
void check_task(const Model::Impl& model, const FitTask& task) {
  const Architecture& a = model.architecture;
  const auto& [cells, design, train, plan, meta, progress, degs] = task;
  if (train.size() < 2)
    throw Error("train", "must hold at least two cells", std::to_string(train.size()) + " given");
  if (design.n != cells.n_cells())
    throw Error("design", "must have one row per cell",
                std::to_string(design.n) + " rows, " + std::to_string(cells.n_cells()) + " cells");
  design.check(a.n_perturbations, a.covariate_levels, a.n_continuous, false);
  const bool guessed = model.settings.adversary_loss != "bce";
  if (guessed && design.condition.size() != design.n)
    throw Error("design", "must have the class of every row's condition for adversaries that guess it",
                std::to_string(design.condition.size()) + " classes for " + std::to_string(design.n) + " rows");
  for (const int64_t cell : train) {
    if (cell < 0 || cell >= static_cast<int64_t>(design.n))
      throw Error("train", "must hold indices of cells", std::to_string(cell) + " of " + std::to_string(design.n));
    const int64_t condition = guessed ? design.condition[static_cast<std::size_t>(cell)] : 0;
    if (guessed && (condition < 0 || condition >= a.n_conditions()))
      throw Error("design", "must use classes of conditions of the model",
                  std::to_string(condition) + " of " + std::to_string(a.n_conditions()));
  }
  Validation::check(plan, a);
  if (model.settings.reg_multi_task > 0 && degs.group.size() != cells.n_cells())
    throw Error("reg_multi_task", "must come with the differentially expressed genes of every cell",
                std::to_string(degs.group.size()) + " given for " + std::to_string(cells.n_cells()) + " cells");
  if (model.network.differences() != nullptr)
    model.network.differences()->check(design.rows(train.data(), train.size()));
}

}  // namespace

bool Model::Impl::is_late(double seconds) const {
  return settings.max_minutes > 0 && seconds > 60 * settings.max_minutes;
}

Stopped Model::Impl::asked_to_stop(Progress& progress, Clock::time_point start) const {
  Stopped here = Stopped::kEpochs;
  if (progress.should_stop()) here = Stopped::kInterrupt;
  else if (is_late(seconds_since(start))) here = Stopped::kMinutes;
  return group ? static_cast<Stopped>(group->largest(static_cast<int64_t>(here))) : here;
}

void Model::Impl::measure_differences(const CellSource& cells, const Design& design,
                                      const std::vector<int64_t>& train) {
  if (network.differences() == nullptr) return;
  at::NoGradGuard no_grad;
  std::vector<Tensor> latent;
  Batch batch;
  for (std::size_t begin = 0; begin < train.size(); begin += kMeasuredAtATime) {
    const std::size_t n = std::min(kMeasuredAtATime, train.size() - begin);
    const int64_t* which = train.data() + begin;
    network.load(cells, which, n, design.rows(which, n), batch);
    latent.push_back(network.encode(batch, false).basal);
  }
  network.differences()->measure(at::cat(latent), design.rows(train.data(), train.size()));
}

/// Proteins of training cells that have them, cells x proteins, of at most so many cells.
Tensor Model::Impl::some_proteins(const CellSource& cells, const Design& design,
                                  const std::vector<int64_t>& train) const {
  const std::vector<int64_t> which = measured_in(train, design, kProteins);
  const std::size_t step = which.size() / kMeasuredForStart + 1;
  std::vector<int64_t> some;
  for (std::size_t i = 0; i < which.size(); i += step) some.push_back(which[i]);
  if (some.empty())
    throw Error("proteins", "must be measured in some training cells", "No training cell has any",
                "Put cells with proteins into the training split");
  Batch batch;
  network.load(cells, some.data(), some.size(), design.rows(some.data(), some.size()), batch);
  return batch.proteins;
}

void Model::Impl::start(const CellSource& cells, const Design& design,
                        const std::vector<int64_t>& train) {
  const bool outputs = start_output && settings.parity == "none";
  // What cells are brought to is one of the cells at hand, also where the weights come from others.
  if (outputs || (epochs_done == 0 && network.head().library)) {
    const GroupStats s = stats_of(cells, measured_in(train, design, kRna));
    network.set_mean_library(s.mean);
    if (outputs) network.start_output_at(s.mean, s.variance, kept_outputs);
  }
  if (outputs && network.proteins() != nullptr)
    network.proteins()->start_at(some_proteins(cells, design, train));
  start_output = false;
  kept_outputs.clear();
}

FitResult Model::Impl::fit(const FitTask& task) {
  check_task(*this, task);
  const KeptMemory kept_memory(true);
  use_threads(settings.threads);
  const HeldSignals held_signals;
  const bool cheap = settings.precision == "bf16-mixed" && settings.autoencoder_width >= 256;
  network.set_dense_input(task.cells.density() > (cheap ? kDenseFromReduced : kDenseFrom));
  // A fit that goes on mostly has the weights of its best score, and those that it stopped with.
  std::optional<ParameterStore::Snapshot> best;
  if (weights_are_best) best = network.store().snapshot();
  go_to_last();
  start(task.cells, task.design, task.train);
  return Training(*this, task, std::move(best)).run();
}

}  // namespace compert
