// A fit in a group of processes: joining it, what all must have in common, and its loss.
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "impl.h"

namespace compert {
namespace {

using Json = nlohmann::ordered_json;

/// Ctrl-C of any process stops all; the first one alone reports.
class SharedProgress final : public Progress {
 public:
  SharedProgress(const ProcessGroup& group, Progress& own) : group_(group), own_(own) {}
  void on_epoch(const EpochRecord& record, int64_t last_epoch) override {
    if (group_.rank() == 0) own_.on_epoch(record, last_epoch);
  }
  bool should_stop() override { return group_.any(own_.should_stop()); }

 private:
  const ProcessGroup& group_;
  Progress& own_;
};

/// FNV-1a
class Fingerprint {
 public:
  template <class T>
  Fingerprint& add(const std::vector<T>& values) {
    for (const T& v : values) {
      unsigned char bytes[sizeof(T)];
      std::memcpy(bytes, &v, sizeof v);
      for (const unsigned char b : bytes) hash_ = (hash_ ^ b) * 0x100000001b3ULL;
    }
    return *this;
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325ULL;
};

/// What must be the same in all processes, by the names of R's arguments.
Json in_common(const Model::Impl& model, const CellSource& cells, const Design& design,
               const std::vector<int64_t>& train, const EvaluationPlan& plan) {
  Json out = Json::parse(settings_to_json(model.settings));
  for (const char* own : {"checkpoint", "device", "threads"}) out.erase(own);
  out["x"] = {cells.n_genes(), cells.n_cells()};
  out["col_data"] =
      Fingerprint().add(design.perturbation).add(design.dose).add(design.covariate).value();
  Fingerprint split;
  split.add(train);
  for (const auto* lists : {&plan.truth, &plan.source, &plan.degs})
    for (const auto& list : *lists) split.add(list);
  out["split"] = split.value();
  out["fit"] = {model.epochs_done, model.iteration};
  return out;
}

/// Every process throws when one differs from the first.
void check_in_common(const ProcessGroup& group, const Json& here) {
  const Json first = Json::parse(group.broadcast(here.dump()));
  std::string argument;
  for (const auto& [name, value] : here.items())
    if (argument.empty() && value != first.at(name)) argument = name;
  const Tensor differs =
      group.gather(at::full({1}, argument.empty() ? 0 : 1, at::kInt), group.size());
  if (differs.sum().item<int64_t>() == 0) return;
  const int64_t rank = differs.argmax().item<int64_t>();
  argument = group.broadcast(argument, rank);
  const std::string value =
      group.broadcast(group.rank() == rank ? here.at(argument).dump() : "", rank);
  const bool shown = argument != "col_data" && argument != "split";
  throw Error(argument, "must be the same in all processes of a group",
              "Rank " + std::to_string(rank) + " differs from rank 0" +
                  (shown ? ": " + value + ", not " + first.at(argument).dump() : ""),
              argument == "seed"
                  ? "Give a seed: cpa_settings(seed = 1, ...). Each process draws its own otherwise"
                  : "Run the same script on the same cells in all of them");
}

bool is_there(const std::string& file) { return std::ifstream(file).good(); }

}  // namespace

Error Model::Impl::lost_process() const {
  const std::string& file = settings.checkpoint;
  return Error("distributed", "must keep all processes of the group to the end of the fit",
               "One was lost in epoch " + std::to_string(epochs_done + 1) + " (noticed by rank " +
                   std::to_string(group->rank()) + " of " + std::to_string(group->size()) +
                   "): " + group->lost(),
               file.empty() ? "Set cpa_settings(checkpoint = ) to be able to go on after this"
               : is_there(file)
                   ? "The last checkpoint is kept. Start all processes again and go on from it: "
                     "resume_fit(load_fit(\"" + file + "\"), ..., distributed = TRUE)"
                   : "There was no checkpoint yet in " + file + ": start all processes again");
}

FitResult Model::Impl::fit_in_group(const CellSource& cells, const Design& design,
                                    const std::vector<int64_t>& train, const EvaluationPlan& plan,
                                    const std::string& meta, Progress& progress,
                                    const DegTargets& degs) {
  if (settings.distributed) group = ProcessGroup::join([&progress] { return progress.should_stop(); });
  if (!group) return fit(cells, design, train, plan, meta, progress, degs);
  struct Leave {
    std::unique_ptr<ProcessGroup>& group;
    ~Leave() { group.reset(); }
  } leave{group};
  try {
    check_in_common(*group, in_common(*this, cells, design, train, plan));
    share_weights();
    for (const Group g : kOptimised) {
      Adam& adam = network.store().adam(g);
      group->broadcast(&adam.step, sizeof adam.step);
      if (!adam.value.defined()) continue;
      group->broadcast(adam.exp_avg);
      group->broadcast(adam.exp_avg_sq);
    }
    SharedProgress shared(*group, progress);
    FitResult out = fit(cells, design, train, plan, meta, shared, degs);
    group->wait_for_all();
    return out;
  } catch (const std::exception&) {
    if (!group->lost().empty()) throw lost_process();
    throw;
  }
}

void Model::Impl::share_weights() {
  if (!group) return;
  at::NoGradGuard no_grad;
  for (const Tensor& t : network.store().weights()) group->broadcast(t);
}

void Model::Impl::share(EpochRecord& record) const {
  if (group) group->broadcast(&record, sizeof record);
}

void Model::Impl::sum_gradients() {
  if (!group) return;
  for (const Parameter* p : network.wide_parameters()) {
    if (p->group == Group::kFixed) continue;
    const Tensor gradient = p->value.grad();
    group->sum(p->transposed ? gradient.t() : gradient);
  }
}

}  // namespace compert
