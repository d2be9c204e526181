#include "training.h"

#include <algorithm>

#include "lanes.h"

namespace compert {

std::vector<std::size_t> batch_ends(std::size_t n, int64_t batch_size) {
  const auto size = static_cast<std::size_t>(batch_size);
  std::vector<std::size_t> ends;
  for (std::size_t end = size; end < n; end += size) ends.push_back(end);
  if (!ends.empty() && n - ends.back() == 1) ends.pop_back();
  ends.push_back(n);
  return ends;
}

Training::Training(Model::Impl& model, const FitTask& task, std::optional<ParameterStore::Snapshot> best)
    : model_(model),
      task_(task),
      best_(std::move(best)),
      recorder_(model.network.options().device()),
      ends_(batch_ends(task.train.size(), model.settings.batch_size)),
      first_epoch_(model.epochs_done),
      more_(model.epochs_to_train(task.design, task.train, task.plan.size() == 0)),
      validation_(model, task.plan, task.cells, task.design),
      sums_(model.network.options()),
      sampling_(task.train, task.design, model.architecture.batch_covariate, model.settings.balance),
      complete_(model.network.differences() == nullptr || first_epoch_ > 0),
      seconds_before_(model.history.empty() ? 0 : model.history.back().seconds) {
  const Settings& settings = model.settings;
  model.last_epoch = first_epoch_ + more_;
  result_.device = model.network.options().device().str();
  if (settings.reg_counterfactual > 0)
    matching_.emplace(model.network, task.cells, task.design, task.train, settings.counterfactual_targets,
                      settings.counterfactual_shrinkage);
  start_ = Clock::now();
  // Last of what is kept on a device: they take the room that is left.
  held_ = DeviceCells::hold(task.cells, task.train, model.network.options());
  batch_.held = held_.get();
  if (task.cells.block() > 1 && !held_)
    ahead_.emplace(task.cells, sampling_, static_cast<std::size_t>(settings.batch_size) + 1, settings.seed,
                   first_epoch_ + 1);
}

FitResult Training::run() {
  while (model_.epochs_done < model_.last_epoch && goes_on() && epoch()) close_epoch();
  // Weights that no evaluation saw have differences of earlier ones.
  const bool unmeasured = result_.stopped == Stopped::kInterrupt || result_.stopped == Stopped::kMinutes ||
                          result_.stopped == Stopped::kNotFinite;
  if (unmeasured && !model_.weights_are_best)
    may_read([&] { model_.measure_differences(task_.cells, task_.design, task_.train); });
  model_.go_to_best(best_);
  return std::move(result_);
}

bool Training::goes_on() {
  if (!stopped()) result_.stopped = model_.asked_to_stop(task_.progress, start_);
  return !stopped();
}

template <class Read>
void Training::may_read(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    if (model_.group || model_.epochs_done == first_epoch_ || !complete_) throw;
    result_.stopped = Stopped::kUnreadable;
    result_.message = error.what();
  }
}

bool Training::epoch() {
  model_.share_weights();
  const Before before{model_.network.store().snapshot(), model_.weights_are_best, model_.iteration,
                      model_.optimizer_steps};
  std::vector<int64_t> order;
  may_read([&] {
    if (ahead_ && model_.epochs_done > first_epoch_) ahead_->next_epoch();
    order = ahead_ ? ahead_->order()
                   : epoch_order(task_.cells, sampling_, model_.settings.seed, model_.epochs_done + 1);
  });
  steps_ = {};
  sums_.reset();
  model_.batch_in_epoch = 0;
  std::string broken;
  std::size_t begin = 0;
  for (std::size_t b = 0; b < ends_.size() && !stopped() && broken.empty(); begin = ends_[b++]) {
    if (b > 0 && !goes_on()) break;
    step(b, order.data() + begin, ends_[b] - begin);
    if (!stopped()) broken = broken_loss(b);
  }
  if (broken.empty()) broken = broken_weight();
  if (!broken.empty()) take_back(before, broken);
  else if (stopped()) result_.batches = model_.batch_in_epoch;
  return !stopped();
}

void Training::step(std::size_t b, const int64_t* which, std::size_t n) {
  Network& network = model_.network;
  Random random(batch_seed(model_.settings.seed, model_.epochs_done + 1, b));
  network.seed_noise(random.next());
  // Partners of a process' own cells are anywhere in the batch.
  const double alpha = model_.mixup_alpha();
  const Turn now = model_.turn();
  draw_.any = false;
  may_read([&] {
    in_lanes(matching_ && now != Turn::kAdversaries ? 2 : 1, true, [&](std::size_t lane) {
      if (lane == 1) matching_->draw(which, n, random, draw_);
      else network.read(ahead_ ? *ahead_ : task_.cells, which, n, task_.design.rows(which, n), batch_,
                        alpha > 0 ? nullptr : model_.group.get());
    });
  });
  if (stopped()) return;
  network.send(batch_);
  network.load_degs(task_.degs, which, n, batch_);
  if (alpha > 0)
    network.mix(batch_, random.symmetric_beta(alpha), random.permutation(batch_.size()), model_.group.get());
  model_.run_share = (static_cast<double>(model_.epochs_done - first_epoch_) +
                      static_cast<double>(b) / static_cast<double>(ends_.size())) /
                     static_cast<double>(more_);
  if (draw_.any) matching_->send(draw_);
  model_.update(batch_, matching_ ? &*matching_ : nullptr, draw_, sums_, recorder_);
  steps_.count(now);
  model_.weights_are_best = false;
}

std::string Training::broken_loss(std::size_t b) const {
  // Asking a device, or other processes, would be waiting for them.
  const bool at_once = model_.network.options().device().is_cpu() && !model_.group;
  if (!at_once && b + 1 < ends_.size()) return "";
  const char* loss = LossSums::not_finite(sums_.values());
  if (!(model_.group ? model_.group->any(loss != nullptr) : loss != nullptr)) return "";
  return (loss != nullptr ? "the " + std::string(loss) : "a loss of another process") + " is not finite in epoch " +
         std::to_string(model_.epochs_done + 1) + (at_once ? ", batch " + std::to_string(b + 1) : "");
}

/// What the last step did no loss has seen.
std::string Training::broken_weight() const {
  const bool broken = !model_.network.store().is_finite();
  if (!(model_.group ? model_.group->any(broken) : broken)) return "";
  return "a weight is not finite after the last batch in epoch " + std::to_string(model_.epochs_done + 1);
}

void Training::take_back(const Before& before, const std::string& why) {
  model_.network.store().restore(before.weights);
  model_.network.store().clear_moments();
  model_.weights_are_best = before.weights_are_best;
  model_.iteration = before.iteration;
  model_.optimizer_steps = before.optimizer_steps;
  result_.stopped = Stopped::kNotFinite;
  result_.message = why;
}

void Training::close_epoch() {
  EpochRecord record = this->record();
  const Model::Impl& m = model_;
  // A time limit leaves the best of the epochs that were scored: the last whole one is to be among them.
  const double spent = record.seconds - seconds_before_;
  const bool ending = m.epochs_done == m.last_epoch || m.is_late(spent + 2 * (spent - spent_before_));
  spent_before_ = spent;
  const bool on_grid = m.is_on_grid(m.epochs_done), due = on_grid || ending;
  // theislab/cpa steps its schedulers every step_size_lr epochs, and each of these steps counts as
  // one of step_size_lr: the rate falls every step_size_lr^2 epochs.
  // Both versions of theislab/chemCPA step theirs at the end of every epoch.
  if (m.network.chemcpa() ||
      (m.parity_theislab() && m.epochs_done > 2 && (m.epochs_done - 1) % m.settings.step_size_lr == 0))
    model_.step_schedulers();
  if (due) evaluate(record, on_grid);
  model_.history.push_back(record);
  if (due) {
    const bool written = model_.write_checkpoint(best_, task_.meta);
    result_.unwritten = written ? 0 : result_.unwritten > 0 ? result_.unwritten : m.epochs_done;
  }
  task_.progress.on_epoch(record, m.last_epoch);
}

EpochRecord Training::record() {
  EpochRecord record;
  record.epoch = ++model_.epochs_done;
  steps_.write(model_, sums_.values(), record);
  record.seconds = seconds_before_ + seconds_since(start_);
  model_.share(record);
  return record;
}

void Training::evaluate(EpochRecord& record, bool on_grid) {
  const bool scored = task_.plan.size() > 0;
  may_read([&] {
    model_.measure_differences(task_.cells, task_.design, task_.train);
    complete_ = true;
    if (scored) validation_.score(record);
  });
  if (scored && !stopped()) compare(record, on_grid);
  if (on_grid && !model_.parity_theislab() && !model_.network.chemcpa()) model_.step_schedulers();
}

void Training::compare(EpochRecord& record, bool on_grid) {
  Model::Impl& m = model_;
  m.share(record);
  const double score = stopping_score(record, m.settings.stopping_metric);
  const double tolerance = m.settings.best_tolerance * score_noise(m.history, m.settings.stopping_metric);
  record.best = m.best_epoch == 0 || score > m.best_score - tolerance;
  if (record.best) {
    m.best_score = m.best_epoch == 0 ? score : std::max(score, m.best_score);
    m.best_epoch = m.epochs_done;
    best_ = m.network.store().snapshot();
  }
  m.weights_are_best = record.best;
  if (!on_grid) return;
  m.trials = record.best ? 0 : m.trials + 1;
  // Lightning, which trains theislab/cpa, stops with the last one that it has patience for.
  if (!record.best && m.trials > m.settings.patience - (m.parity_theislab() ? 1 : 0))
    result_.stopped = Stopped::kPatience;
}

}  // namespace compert
