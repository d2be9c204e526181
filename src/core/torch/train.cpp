// The loop over epochs: batches, evaluation, early stopping.
#include <algorithm>
#include <chrono>

#include "../data/epoch.h"
#include "compert/statistics.h"
#include "epoch_steps.h"
#include "held_signals.h"
#include "kept_memory.h"
#include "lanes.h"
#include "validation.h"

namespace compert {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMeasuredAtATime = 1024;  // cells
constexpr std::size_t kMeasuredForStart = 5000;

/// Ends of the batches. A last batch of one cell joins the one before it: batch norm needs two.
std::vector<std::size_t> batch_ends(std::size_t n, std::size_t size) {
  std::vector<std::size_t> ends;
  for (std::size_t end = size; end < n; end += size) ends.push_back(end);
  if (!ends.empty() && n - ends.back() == 1) ends.pop_back();
  ends.push_back(n);
  return ends;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
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

FitResult Model::Impl::fit(const CellSource& cells, const Design& design,
                           const std::vector<int64_t>& train, const EvaluationPlan& plan,
                           const std::string& meta, Progress& progress, const DegTargets& degs) {
  if (train.size() < 2)
    throw Error("train", "must hold at least two cells", std::to_string(train.size()) + " given");
  if (design.n != cells.n_cells())
    throw Error("design", "must have one row per cell",
                std::to_string(design.n) + " rows, " + std::to_string(cells.n_cells()) + " cells");
  design.check(architecture.n_perturbations, architecture.covariate_levels, architecture.n_continuous, false);
  const bool guessed = settings.adversary_loss != "bce";
  if (guessed && design.condition.size() != design.n)
    throw Error("design", "must have the class of every row's condition for adversaries that guess it",
                std::to_string(design.condition.size()) + " classes for " + std::to_string(design.n) + " rows");
  for (const int64_t cell : train) {
    if (cell < 0 || cell >= static_cast<int64_t>(design.n))
      throw Error("train", "must hold indices of cells", std::to_string(cell) + " of " + std::to_string(design.n));
    const int64_t condition = guessed ? design.condition[static_cast<std::size_t>(cell)] : 0;
    if (guessed && (condition < 0 || condition >= architecture.n_conditions()))
      throw Error("design", "must use classes of conditions of the model",
                  std::to_string(condition) + " of " + std::to_string(architecture.n_conditions()));
  }
  Validation::check(plan, architecture);
  if (settings.reg_multi_task > 0 && degs.group.size() != cells.n_cells())
    throw Error("reg_multi_task", "must come with the differentially expressed genes of every cell",
                std::to_string(degs.group.size()) + " given for " + std::to_string(cells.n_cells()) +
                    " cells");
  if (network.differences() != nullptr)
    network.differences()->check(design.rows(train.data(), train.size()));
  const KeptMemory kept_memory(true);
  use_threads(settings.threads);
  const HeldSignals held_signals;
  Recorder recorder(network.options().device());
  const bool cheap = settings.precision == "bf16-mixed" && settings.autoencoder_width >= 256;
  network.set_dense_input(cells.density() > (cheap ? kDenseFromReduced : kDenseFrom));
  // A fit that goes on mostly has the weights of its best score, and those that it stopped with.
  std::optional<ParameterStore::Snapshot> best;
  if (weights_are_best) best = network.store().snapshot();
  go_to_last();
  start(cells, design, train);
  const auto ends = batch_ends(train.size(), static_cast<std::size_t>(settings.batch_size));
  const int64_t more =
      settings.epochs > 0 ? settings.epochs
                          : automatic_epochs(design.rows(train.data(), train.size()), design.n, ends.size(),
                                             plan.size() == 0);
  const int64_t first_epoch = epochs_done;
  last_epoch = epochs_done + more;
  const Validation validation(*this, plan, cells, design);
  std::optional<EffectMatching> matching;
  if (settings.reg_counterfactual > 0)
    matching.emplace(network, cells, design, train, settings.counterfactual_targets,
                     settings.counterfactual_shrinkage);
  const double seconds_before = history.empty() ? 0 : history.back().seconds;
  double spent_before = 0;
  const auto start = Clock::now();
  FitResult result;
  result.device = network.options().device().str();
  Batch batch;
  EffectMatching::Draw draw;
  const auto held = DeviceCells::hold(cells, train, network.options());
  batch.held = held.get();
  LossSums sums(network.options());
  const Sampling sampling(train, design, architecture.batch_covariate, settings.balance);
  std::optional<ReadAhead> ahead;
  if (cells.block() > 1 && !held)
    ahead.emplace(cells, sampling, static_cast<std::size_t>(settings.batch_size) + 1, settings.seed,
                  epochs_done + 1);
  const CellSource& source = ahead ? *ahead : cells;
  // A file that can't be read any more ends the fit, which keeps the epochs before. Without differences there
  // is nothing to keep of a model that has them in place of embeddings.
  bool complete = network.differences() == nullptr || first_epoch > 0;
  const auto may_read = [&](auto&& read) {
    try {
      read();
    } catch (const Error& error) {
      if (group || epochs_done == first_epoch || !complete) throw;
      result.stopped = Stopped::kUnreadable;
      result.message = error.what();
    }
  };
  while (epochs_done < last_epoch) {
    result.stopped = asked_to_stop(progress, start);
    if (result.stopped != Stopped::kEpochs) break;
    share_weights();
    const auto epoch_start = network.store().snapshot();
    const bool best_at_start = weights_are_best;
    const int64_t iteration_at_start = iteration, steps_at_start = optimizer_steps;
    std::vector<int64_t> order;
    may_read([&] {
      if (ahead && epochs_done > first_epoch) ahead->next_epoch();
      order = ahead ? ahead->order() : epoch_order(cells, sampling, settings.seed, epochs_done + 1);
    });
    const auto go_back = [&](std::string why) {
      network.store().restore(epoch_start);
      weights_are_best = best_at_start;
      iteration = iteration_at_start;
      optimizer_steps = steps_at_start;
      network.store().clear_moments();
      result.stopped = Stopped::kNotFinite;
      result.message = std::move(why) + " in epoch " + std::to_string(epochs_done + 1);
    };
    EpochSteps steps;
    sums.reset();
    std::size_t begin = 0;
    batch_in_epoch = 0;
    for (std::size_t b = 0; b < ends.size() && result.stopped == Stopped::kEpochs; begin = ends[b++]) {
      if (b > 0) result.stopped = asked_to_stop(progress, start);
      if (result.stopped != Stopped::kEpochs) break;
      const std::size_t n = ends[b] - begin;
      const int64_t* which = order.data() + begin;
      Random random(batch_seed(settings.seed, epochs_done + 1, b));
      network.seed_noise(random.next());
      // Partners of a process' own cells are anywhere in the batch.
      const double alpha = mixup_alpha();
      const Turn now = turn();
      draw.any = false;
      may_read([&] {
        in_lanes(matching && now != Turn::kAdversaries ? 2 : 1, true, [&](std::size_t lane) {
          if (lane == 1) matching->draw(which, n, random, draw);
          else network.read(source, which, n, design.rows(which, n), batch,
                            alpha > 0 ? nullptr : group.get());
        });
      });
      if (result.stopped != Stopped::kEpochs) break;
      network.send(batch);
      network.load_degs(degs, which, n, batch);
      if (alpha > 0)
        network.mix(batch, random.symmetric_beta(alpha), random.permutation(batch.size()), group.get());
      run_share = (static_cast<double>(epochs_done - first_epoch) +
                   static_cast<double>(b) / static_cast<double>(ends.size())) /
                  static_cast<double>(more);
      if (draw.any) matching->send(draw);
      update(batch, matching ? &*matching : nullptr, draw, sums, recorder);
      steps.count(now);
      weights_are_best = false;
      // Asking a device, or other processes, would be waiting for them.
      const bool at_once = network.options().device().is_cpu() && !group;
      if (!at_once && b + 1 < ends.size()) continue;
      const char* loss = LossSums::not_finite(sums.values());
      if (!(group ? group->any(loss != nullptr) : loss != nullptr)) continue;
      go_back((loss != nullptr ? "the " + std::string(loss) : "a loss of another process") + " is not finite");
      if (at_once) result.message += ", batch " + std::to_string(b + 1);
      break;
    }
    // What the last step did no loss has seen.
    if (result.stopped != Stopped::kNotFinite) {
      const bool broken = !network.store().is_finite();
      if (group ? group->any(broken) : broken) go_back("a weight is not finite after the last batch");
      else if (result.stopped != Stopped::kEpochs) result.batches = batch_in_epoch;
    }
    if (result.stopped != Stopped::kEpochs) break;
    ++epochs_done;
    EpochRecord record;
    record.epoch = epochs_done;
    steps.write(*this, sums.values(), record);
    record.seconds = seconds_before + seconds_since(start);
    share(record);
    const double spent = record.seconds - seconds_before;
    // A time limit leaves the best of the epochs that were scored: the last whole one is to be among them.
    const bool ending = epochs_done == last_epoch || is_late(spent + 2 * (spent - spent_before));
    spent_before = spent;
    const bool on_grid = is_on_grid(epochs_done);
    // theislab/cpa steps its schedulers every step_size_lr epochs, and each of these steps counts as
    // one of step_size_lr: the rate falls every step_size_lr^2 epochs.
    // Both versions of theislab/chemCPA step theirs at the end of every epoch.
    if (network.chemcpa()) step_schedulers();
    if (parity_theislab() && epochs_done > 2 && (epochs_done - 1) % settings.step_size_lr == 0)
      step_schedulers();
    if (on_grid || ending) {
      may_read([&] {
        measure_differences(cells, design, train);
        complete = true;
        if (plan.size() > 0) validation.score(record);
      });
      if (plan.size() > 0 && result.stopped != Stopped::kUnreadable) {
        share(record);
        const double score = stopping_score(record, settings.stopping_metric);
        const double tolerance =
            settings.best_tolerance * score_noise(history, settings.stopping_metric);
        record.best = best_epoch == 0 || score > best_score - tolerance;
        if (record.best) {
          best_score = best_epoch == 0 ? score : std::max(score, best_score);
          best_epoch = epochs_done;
          best = network.store().snapshot();
        }
        weights_are_best = record.best;
        if (on_grid) trials = record.best ? 0 : trials + 1;
        // Lightning, which trains theislab/cpa, stops with the last one that it has patience for.
        if (on_grid && !record.best && trials > settings.patience - (parity_theislab() ? 1 : 0))
          result.stopped = Stopped::kPatience;
      }
      if (on_grid && !parity_theislab() && !network.chemcpa()) step_schedulers();
    }
    history.push_back(record);
    if (on_grid || ending) {
      const bool written = write_checkpoint(best, meta);
      result.unwritten = written ? 0 : result.unwritten > 0 ? result.unwritten : epochs_done;
    }
    progress.on_epoch(record, last_epoch);
    if (result.stopped != Stopped::kEpochs) break;
  }
  // Weights that no evaluation saw have differences of earlier ones.
  const bool unmeasured = result.stopped == Stopped::kInterrupt || result.stopped == Stopped::kMinutes ||
                          result.stopped == Stopped::kNotFinite;
  if (unmeasured && !weights_are_best) may_read([&] { measure_differences(cells, design, train); });
  go_to_best(best);
  return result;
}

}  // namespace compert
