// The loop over epochs: batches, evaluation, early stopping, checkpoints.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "compert/metrics.h"
#include "compert/statistics.h"
#include "impl.h"

namespace compert {
namespace {

constexpr int64_t kAutomaticSteps = 1500;  // autoencoder steps that `epochs = 0` aims at
constexpr int64_t kMostEpochs = 2000, kFewestEpochs = 20;

/// Small, portable random numbers (splitmix64), so that a seed means the same batches everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t n) {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (z ^ (z >> 31)) % n;
  }

 private:
  uint64_t state_;
};

/// The order of one epoch depends on seed and epoch alone: a resumed fit sees the same batches.
std::vector<int64_t> shuffled(std::vector<int64_t> order, int64_t seed, int64_t epoch) {
  Random random(static_cast<uint64_t>(seed) * 0x100000001b3ULL + static_cast<uint64_t>(epoch));
  for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[random.below(k)]);
  return order;
}

/// Ends of the batches. A last batch of one cell joins the one before it: batch norm needs two.
std::vector<std::size_t> batch_ends(std::size_t n, std::size_t size) {
  std::vector<std::size_t> ends;
  for (std::size_t end = size; end < n; end += size) ends.push_back(end);
  if (!ends.empty() && n - ends.back() == 1) ends.pop_back();
  ends.push_back(n);
  return ends;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Truth of the plan's conditions, computed once per fit.
class Validation {
 public:
  Validation(const EvaluationPlan& plan, const CellSource& cells, const Design& own)
      : plan_(plan), cells_(cells), own_(own) {
    for (const auto& truth : plan.truth) truth_.push_back(stats_of(cells, truth));
  }

  /// Fills the scores of the record: means over conditions of the r2 of means and of variances.
  void score(const Model::Impl& model, EpochRecord& record) const {
    const ConditionSummary s = model.summarise(cells_, own_, plan_.target, plan_.source, false);
    const auto genes = static_cast<std::ptrdiff_t>(cells_.n_genes());
    std::vector<R2Scores> scores;
    for (std::size_t k = 0; k < plan_.size(); ++k) {
      const auto at = static_cast<std::ptrdiff_t>(k) * genes;
      scores.push_back(r2_scores(truth_[k].mean, truth_[k].variance,
                                 {s.mean.begin() + at, s.mean.begin() + at + genes},
                                 {s.variance.begin() + at, s.variance.begin() + at + genes},
                                 plan_.degs[k]));
    }
    const R2Scores mean = average(scores);
    record.r2_mean = mean.mean;
    record.r2_mean_deg = mean.mean_deg;
    record.r2_var = mean.variance;
    record.r2_var_deg = mean.variance_deg;
  }

 private:
  const EvaluationPlan& plan_;
  const CellSource& cells_;
  const Design& own_;
  std::vector<GroupStats> truth_;
};

/// What early stopping maximises: the reference's mean of all four scores, by default the mean of
/// those of the means (variances of few cells are noisy and unbounded below).
double stopping_score(const EpochRecord& r, bool parity_fb) {
  double sum = 0;
  int n = 0;
  const auto add = [&](double v) {
    if (std::isnan(v)) return;
    sum += v;
    ++n;
  };
  add(r.r2_mean);
  add(r.r2_mean_deg);
  if (parity_fb) {
    add(r.r2_var);
    add(r.r2_var_deg);
  }
  return n > 0 ? sum / n : -1;
}

void write_atomically(const std::string& path, const std::vector<uint8_t>& bytes) {
  const std::string temporary = path + ".part";
  {
    std::ofstream out(temporary, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    out.flush();
    if (!out)
      throw Error("checkpoint", "must be a file that can be written", path,
                  "Choose a path in a folder that exists and has space");
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0)
    throw Error("checkpoint", "must be a file that can be replaced", path);
}

const char* not_finite(const StepLosses& l) {
  if (!std::isfinite(l.reconstruction)) return "reconstruction loss";
  if (!std::isfinite(l.adv_perturbations)) return "perturbation adversary's loss";
  if (!std::isfinite(l.adv_covariates)) return "covariate adversaries' loss";
  if (!std::isfinite(l.penalty_perturbations + l.penalty_covariates)) return "gradient penalty";
  if (!std::isfinite(l.alignment)) return "alignment loss";
  return nullptr;
}

/// Means over the steps of an epoch. By default the reconstruction loss is averaged over the steps
/// that compute it, and penalties likewise; the reference divides all by the number of steps.
class EpochMeans {
 public:
  EpochMeans(bool parity_fb, bool adversaries) : parity_(parity_fb), adversaries_(adversaries) {}
  void add(const StepLosses& l, bool adversaries_turn) {
    sum_.reconstruction += l.reconstruction;
    sum_.adv_perturbations += l.adv_perturbations;
    sum_.adv_covariates += l.adv_covariates;
    sum_.penalty_perturbations += l.penalty_perturbations;
    sum_.penalty_covariates += l.penalty_covariates;
    sum_.alignment += l.alignment;
    ++(adversaries_turn ? adversary_ : autoencoder_);
  }
  void write(EpochRecord& r) const {
    const double all = static_cast<double>(adversary_ + autoencoder_);
    const double own = parity_ ? all : std::max<double>(1, static_cast<double>(autoencoder_));
    const double adv = parity_ ? all : std::max<double>(1, static_cast<double>(adversary_));
    r.loss_reconstruction = sum_.reconstruction / own;
    r.loss_alignment = sum_.alignment / own;
    if (!adversaries_) return;  // theirs stay NaN: there was nothing to measure
    r.loss_adv_perturbations = sum_.adv_perturbations / all;
    r.loss_adv_covariates = sum_.adv_covariates / all;
    r.penalty_adv_perturbations = sum_.penalty_perturbations / adv;
    r.penalty_adv_covariates = sum_.penalty_covariates / adv;
  }

 private:
  bool parity_, adversaries_;
  StepLosses sum_;
  int64_t autoencoder_ = 0, adversary_ = 0;
};

int64_t automatic_epochs(std::size_t batches, int64_t cycle) {
  const int64_t epochs = kAutomaticSteps * cycle / static_cast<int64_t>(batches);
  return std::clamp(epochs, kFewestEpochs, kMostEpochs);
}

}  // namespace

FitResult Model::Impl::fit(const CellSource& cells, const Design& design,
                           const std::vector<int64_t>& train, const EvaluationPlan& plan,
                           const std::string& meta, Progress& progress) {
  if (train.size() < 2)
    throw Error("train", "must hold at least two cells", std::to_string(train.size()) + " given");
  if (design.n != cells.n_cells())
    throw Error("design", "must have one row per cell",
                std::to_string(design.n) + " rows, " + std::to_string(cells.n_cells()) + " cells");
  design.check(architecture.n_perturbations, architecture.covariate_levels, false);
  use_threads(settings.threads);
  network.set_dense_input(cells.density() > kDenseFrom);
  if (last) {
    network.store().restore(*last);
    last.reset();
  }
  if (iteration == 0 && !parity_fb()) {
    const GroupStats s = stats_of(cells, train);
    network.start_output_at(s.mean, s.variance);
  }
  const auto ends = batch_ends(train.size(), static_cast<std::size_t>(settings.batch_size));
  const int64_t more = settings.epochs > 0
                           ? settings.epochs
                           : automatic_epochs(ends.size(),
                                              uses_adversaries() ? settings.adversary_steps : 1);
  const int64_t last_epoch = epochs_done + more;
  const Validation validation(plan, cells, design);
  const double seconds_before = history.empty() ? 0 : history.back().seconds;
  const auto start = std::chrono::steady_clock::now();
  std::optional<ParameterStore::Snapshot> best;
  // Best weights of an earlier call are gone; a better score must be reached anew.
  if (epochs_done > 0) best_epoch = 0, best_score = 0;
  FitResult result;
  Batch batch;
  while (epochs_done < last_epoch) {
    const auto order = shuffled(train, settings.seed, epochs_done + 1);
    const auto epoch_start = network.store().snapshot();
    EpochMeans means(parity_fb(), uses_adversaries());
    std::size_t begin = 0;
    for (std::size_t b = 0; b < ends.size(); begin = ends[b++]) {
      if (progress.should_stop()) {
        result.stopped = Stopped::kInterrupt;
        break;
      }
      const std::size_t n = ends[b] - begin;
      network.load(cells, order.data() + begin, n, design.rows(order.data() + begin, n), batch);
      const bool adversaries = adversaries_turn();
      const StepLosses losses = update(batch);
      if (const char* term = not_finite(losses)) {
        network.store().restore(epoch_start);
        network.store().clear_moments();
        result = {Stopped::kNotFinite, "the " + std::string(term) + " is not finite in epoch " +
                                           std::to_string(epochs_done + 1) + ", batch " +
                                           std::to_string(b + 1)};
        break;
      }
      means.add(losses, adversaries);
    }
    if (result.stopped != Stopped::kEpochs) break;
    ++epochs_done;
    EpochRecord record;
    record.epoch = epochs_done;
    means.write(record);
    record.seconds = seconds_before + seconds_since(start);
    if (settings.max_minutes > 0 && seconds_since(start) > 60 * settings.max_minutes)
      result.stopped = Stopped::kMinutes;
    const bool ending = epochs_done == last_epoch || result.stopped == Stopped::kMinutes;
    // The reference counts epochs from 0 and so evaluates after the very first.
    const bool on_grid = (epochs_done - (parity_fb() ? 1 : 0)) % settings.checkpoint_freq == 0;
    if (on_grid || ending) {
      if (plan.size() > 0) {
        validation.score(*this, record);
        const double score = stopping_score(record, parity_fb());
        record.best = best_epoch == 0 || score > best_score;
        if (record.best) {
          best_score = score;
          best_epoch = epochs_done;
          best = network.store().snapshot();
        }
        if (on_grid) trials = record.best ? 0 : trials + 1;
        if (on_grid && trials > settings.patience) result.stopped = Stopped::kPatience;
      }
      if (on_grid) step_schedulers();
    }
    history.push_back(record);
    if ((on_grid || ending) && !settings.checkpoint.empty())
      write_atomically(settings.checkpoint, state(meta));
    progress.on_epoch(record, last_epoch);
    if (result.stopped != Stopped::kEpochs) break;
  }
  if (best && best_epoch != epochs_done) {
    last = network.store().snapshot();
    network.store().restore(*best);
  }
  return result;
}

}  // namespace compert
