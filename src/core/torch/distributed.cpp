// A fit in a group of processes: joining it, what all must have in common, and its loss.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "../data/epoch.h"
#include "../data/random.h"
#include "impl.h"

namespace compert {
namespace {

using Json = nlohmann::ordered_json;

/// The first process alone reports.
class SharedProgress final : public Progress {
 public:
  SharedProgress(const ProcessGroup& group, Progress& own) : group_(group), own_(own) {}
  void on_epoch(const EpochRecord& record, int64_t last_epoch) override {
    if (group_.rank() == 0) own_.on_epoch(record, last_epoch);
  }
  bool should_stop() override { return own_.should_stop(); }

 private:
  const ProcessGroup& group_;
  Progress& own_;
};

/// FNV-1a
class Fingerprint {
 public:
  /// Of a vector of numbers or a text.
  template <class List>
  Fingerprint& add(const List& values) {
    for (const auto& v : values) add_bytes(v);
    add_bytes(values.size());
    return *this;
  }
  uint64_t value() const { return hash_; }

 private:
  template <class T>
  void add_bytes(const T& v) {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &v, sizeof v);
    for (const unsigned char b : bytes) hash_ = (hash_ ^ b) * 0x100000001b3ULL;
  }
  uint64_t hash_ = 0xcbf29ce484222325ULL;
};

/// Two sums over numbers that lie at places. Other numbers or another order change them; not more than
/// by rounding what another processor's logarithms round otherwise.
class Sketch {
 public:
  void add(std::size_t place, double value) {
    size_ += std::abs(value);
    sum_ += Random(place).uniform() * value;
  }
  template <class T>
  void add(const std::vector<T>& values) {
    for (const T& v : values) add(n_++, static_cast<double>(v));
  }
  Json sums() const { return Json::array({size_, sum_}); }

 private:
  double size_ = 0, sum_ = 0;
  std::size_t n_ = 0;
};

bool same_sketches(const Json& a, const Json& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double size = a[k - k % 2].get<double>();
    if (!(std::abs(a[k].get<double>() - b[k].get<double>()) <= 1e-5 * size)) return false;
  }
  return true;
}

// A name is that of R's argument, and where not all of it is compared, in what.
constexpr const char* kGenes = "x in the names of its genes or their order";
constexpr const char* kValues = "x in the values of its cells";
constexpr const char* kMolecules = "molecules in their features";
constexpr const char* kContinuous = "col_data in the values of continuous covariates";
constexpr const char* kDegs = "x in the differentially expressed genes of its conditions (reg_multi_task)";
constexpr const char* kOrder = "x in the order of its cells in an epoch";

uint64_t gene_names(const std::string& meta) {
  Fingerprint names;
  const Json all = Json::parse(meta, nullptr, false);
  const Json::json_pointer genes("/registry/genes");
  if (all.is_object() && all.contains(genes))
    for (const Json& name : all.at(genes)) names.add(name.get<std::string>());
  return names.value();
}

/// Of training cells from all over; of a file neighbours cost little more than one.
Json some_values(const CellSource& cells, const std::vector<int64_t>& train) {
  constexpr std::size_t kRuns = 8, kInRun = 8;
  const std::size_t n = std::min(train.size(), kRuns * kInRun);
  const std::size_t stride = std::max(train.size() / kRuns, kInRun);
  std::vector<int64_t> some;
  for (std::size_t k = 0; k < n; ++k) some.push_back(train[k / kInRun * stride + k % kInRun]);
  CellBatch read;
  cells.fetch(some.data(), some.size(), read);
  Json out = Json::array();
  for (std::size_t b = 0; b < read.n_cells(); ++b) {
    Sketch cell;
    for (auto k = static_cast<std::size_t>(read.offsets[b]);
         k < static_cast<std::size_t>(read.offsets[b + 1]); ++k)
      cell.add(static_cast<std::size_t>(read.genes[k]), static_cast<double>(read.values[k]));
    const Json sums = cell.sums();
    out.insert(out.end(), sums.begin(), sums.end());
  }
  return out;
}

Json molecules(const Architecture& a) {
  Sketch features;
  features.add(a.features);
  for (const MoleculeGraph& graph : a.graphs) {
    features.add(graph.atoms);
    features.add(graph.begin);
    features.add(graph.end);
    features.add(graph.bonds);
  }
  return features.sums();
}

Json continuous(const Design& design) {
  Sketch values;
  values.add(design.continuous);
  return values.sums();
}

/// What must be the same in all processes.
Json in_common(const Model::Impl& model, const FitTask& task) {
  const auto& [cells, design, train, plan, meta, progress, degs] = task;
  Json out = Json::parse(settings_to_json(model.settings));
  for (const char* own : {"checkpoint", "device", "threads"}) out.erase(own);
  out["x"] = {cells.n_genes(), cells.n_cells()};
  out[kGenes] = gene_names(meta);
  out["col_data"] =
      Fingerprint().add(design.perturbation).add(design.dose).add(design.covariate).add(design.bin).value();
  Fingerprint split;
  split.add(train);
  for (const auto* lists : {&plan.truth, &plan.source, &plan.degs})
    for (const auto& list : *lists) split.add(list);
  out["split"] = split.value();
  out["fit"] = {model.epochs_done, model.iteration};
  out[kValues] = some_values(cells, train);
  out[kMolecules] = molecules(model.architecture);
  out[kContinuous] = continuous(design);
  Fingerprint second_task;
  second_task.add(degs.group);
  for (const auto& list : degs.genes) second_task.add(list);
  out[kDegs] = second_task.value();
  const Sampling sampling(train, design, model.architecture.batch_covariate, model.settings.balance);
  out[kOrder] =
      Fingerprint().add(epoch_order(cells, sampling, model.settings.seed, model.epochs_done + 1)).value();
  return out;
}

bool is_same(const std::string& name, const Json& a, const Json& b) {
  const bool sketched = name == kValues || name == kMolecules || name == kContinuous;
  return sketched ? same_sketches(a, b) : a == b;
}

/// Every process throws when one differs from the first.
void check_in_common(const ProcessGroup& group, const Json& here) {
  const Json first = Json::parse(group.broadcast(here.dump()));
  std::string different;
  for (const auto& [name, value] : here.items())
    if (different.empty() && !is_same(name, value, first.at(name))) different = name;
  const Tensor differs =
      group.gather(at::full({1}, different.empty() ? 0 : 1, at::kInt), group.size());
  if (differs.sum().item<int64_t>() == 0) return;
  const int64_t rank = differs.argmax().item<int64_t>();
  different = group.broadcast(different, rank);
  const std::string value =
      group.broadcast(group.rank() == rank ? here.at(different).dump() : "", rank);
  const std::size_t space = different.find(' ');
  const std::string argument = different.substr(0, space);
  const std::string in_what = space == std::string::npos ? "" : different.substr(space);
  const bool shown = in_what.empty() && argument != "col_data" && argument != "split";
  throw Error(argument, "must be the same in all processes of a group",
              "Rank " + std::to_string(rank) + " differs from rank 0" + in_what +
                  (shown ? ": " + value + ", not " + first.at(different).dump() : ""),
              argument == "seed"
                  ? "Give a seed: cpa_settings(seed = 1, ...). Each process draws its own otherwise"
              : different == kOrder
                  ? "Give all of them the cells alike, in memory (options(compert.in_memory = )) or in "
                    "equal copies of one file"
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

FitResult Model::Impl::fit_in_group(const FitTask& task) {
  check_threads(settings.threads);
  if (!settings.distributed) return fit(task);
  // Before joining, which waits longer than the group does for those that read slowly.
  const Json common = in_common(*this, task);
  group = ProcessGroup::join([&task] { return task.progress.should_stop(); });
  if (!group) return fit(task);
  struct Leave {
    std::unique_ptr<ProcessGroup>& group;
    ~Leave() { group.reset(); }
  } leave{group};
  try {
    check_in_common(*group, common);
    share_weights();
    for (const Group g : kOptimised) {
      Adam& adam = network.store().adam(g);
      group->broadcast(&adam.step, sizeof adam.step);
      if (!adam.network_steps.empty())
        group->broadcast(adam.network_steps.data(), adam.network_steps.size() * sizeof adam.step);
      if (!adam.value.defined()) continue;
      group->broadcast(adam.exp_avg);
      group->broadcast(adam.exp_avg_sq);
    }
    SharedProgress shared(*group, task.progress);
    FitResult out = fit({task.cells, task.design, task.train, task.plan, task.meta, shared, task.degs});
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
