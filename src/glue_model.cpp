#include <Rcpp.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "compert/model.h"
#include "compert/model_file.h"
#include "compert/stored_cells.h"
#include "glue_convert.h"
#include "glue_design.h"
#include "glue_job.h"

using compert_glue::cell_source;
using Rcpp::IntegerMatrix;
using Rcpp::List;
using Rcpp::NumericMatrix;
using Rcpp::RawVector;

namespace {

compert::EvaluationPlan plan_of(SEXP plan) {
  compert::EvaluationPlan out;
  if (Rf_isNull(plan)) return out;
  const List list(plan);
  out.truth = compert_glue::cell_lists(list["truth"]);
  out.source = compert_glue::cell_lists(list["source"]);
  out.degs = compert_glue::cell_lists(list["degs"]);
  out.target = compert_glue::design_of(list["target"]);
  const Rcpp::IntegerVector cells(list["cells"]);
  out.cells.assign(cells.begin(), cells.end());
  return out;
}

const char* name_of(compert::Stopped stopped) {
  switch (stopped) {
    case compert::Stopped::kEpochs: return "epochs";
    case compert::Stopped::kPatience: return "patience";
    case compert::Stopped::kMinutes: return "max_minutes";
    case compert::Stopped::kInterrupt: return "interrupt";
    case compert::Stopped::kNotFinite: return "nan";
    case compert::Stopped::kUnreadable: return "unreadable";
  }
  return "";
}

double validation_score(const compert::EpochRecord& r) {
  return std::isnan(r.r2_mean_deg) ? r.r2_mean : (r.r2_mean + r.r2_mean_deg) / 2;
}

/// Threads of a fit read files, and write checkpoints.
void check_files(const compert::CellSource& cells, const compert::Settings& run) {
  if (cells.block() == 1 && run.checkpoint.empty()) return;
  if (!compert::hdf5_serves_threads())
    throw compert::Error("x", "must be in memory, and `checkpoint` be left out, where HDF5 is locked",
                         "A call of another package (rhdf5, HDF5Array) failed in this session and left it so",
                         "Restart R; or set options(compert.in_memory = Inf), and write no checkpoint");
}

}  // namespace

// [[Rcpp::export(rng = false)]]
std::string core_settings(const std::string& json) {
  return compert::settings_to_json(compert::settings_from_json(json));
}

// [[Rcpp::export(rng = false)]]
void core_check_values(const std::string& json) { compert::check_values(json); }

// [[Rcpp::export(rng = false)]]
Rcpp::DataFrame core_settings_table(const std::string& parity = "none",
                                    const std::string& model = "cpa") {
  std::vector<std::string> name, type, value, allowed, meaning;
  Rcpp::LogicalVector fixed;
  for (const auto& row : compert::settings_table(parity, model)) {
    name.push_back(row.name);
    type.push_back(row.type);
    value.push_back(row.default_value);
    allowed.push_back(row.allowed);
    meaning.push_back(row.meaning);
    fixed.push_back(row.fixed);
  }
  return Rcpp::DataFrame::create(
      Rcpp::Named("name") = name, Rcpp::Named("type") = type, Rcpp::Named("default") = value,
      Rcpp::Named("allowed") = allowed, Rcpp::Named("meaning") = meaning,
      Rcpp::Named("fixed") = fixed, Rcpp::Named("stringsAsFactors") = false);
}

// [[Rcpp::export(rng = false)]]
List core_fit(SEXP x, const List& design, const Rcpp::IntegerVector& train, SEXP plan,
              const std::string& settings, const std::string& meta, SEXP state, SEXP progress) {
  const auto cells = cell_source(x);
  const compert::Design rows = compert_glue::design_of(design);
  const compert::EvaluationPlan scored = plan_of(plan);
  const std::vector<int64_t> training(train.begin(), train.end());
  const compert::Settings run = compert::settings_from_json(settings);
  const compert::DegTargets degs = compert_glue::deg_targets_of(design);
  const std::vector<uint8_t> before =
      Rf_isNull(state) ? std::vector<uint8_t>() : compert_glue::bytes(RawVector(state));
  const compert::Architecture sizes =
      before.empty() ? compert_glue::architecture_of(design, cells->n_genes()) : compert::Architecture();
  compert_glue::check_not_forked();
  check_files(*cells, run);
  // States are files of HDF5's in memory, which this thread alone reads and writes: see check_files().
  std::optional<compert::Model> model;
  if (!before.empty()) model.emplace(compert::Model::from_state(before, run));
  const std::function<compert::FitResult(compert_glue::QueuedProgress&)> work =
      [&](compert_glue::QueuedProgress& queue) {
        if (!model) model.emplace(sizes, run);
        return model->fit(*cells, rows, training, scored, meta, queue, degs);
      };
  const auto start = std::chrono::steady_clock::now();
  int64_t first_epoch = -1;
  const auto report = [&](const compert::EpochRecord& r, int64_t last) {
    if (Rf_isNull(progress)) return true;
    if (first_epoch < 0) first_epoch = r.epoch - 1;
    const double spent =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double each = spent / static_cast<double>(r.epoch - first_epoch);
    Rcpp::Function tell(progress);
    return Rcpp::as<bool>(tell(List::create(
        Rcpp::Named("epoch") = static_cast<double>(r.epoch),
        Rcpp::Named("epochs") = static_cast<double>(last),
        Rcpp::Named("loss_reconstruction") = r.loss_reconstruction,
        Rcpp::Named("loss_adv_perturbations") = r.loss_adv_perturbations,
        Rcpp::Named("loss_adv_covariates") = r.loss_adv_covariates,
        Rcpp::Named("r2") = std::isnan(validation_score(r)) ? NA_REAL : validation_score(r),
        Rcpp::Named("seconds") = r.seconds,
        Rcpp::Named("seconds_left") = each * static_cast<double>(last - r.epoch))));
  };
  const auto result = compert_glue::run_job<compert::FitResult>(work, report);
  return List::create(Rcpp::Named("state") = compert_glue::raw(model->state(meta)),
                      Rcpp::Named("stopped") = name_of(result.stopped),
                      Rcpp::Named("epochs") = static_cast<double>(model->epochs_done()),
                      Rcpp::Named("batches") = static_cast<double>(result.batches),
                      Rcpp::Named("message") = result.message,
                      Rcpp::Named("device") = result.device,
                      Rcpp::Named("unwritten") = static_cast<double>(result.unwritten));
}

/// How many epochs a new model for `design` would be trained at most; `scored`: with a plan of evaluations.
// [[Rcpp::export(rng = false)]]
double core_epochs(const List& design, double n_rows, const Rcpp::IntegerVector& train, bool scored,
                   const std::string& settings) {
  const compert::Model model(compert_glue::architecture_of(design, static_cast<std::size_t>(n_rows)),
                             compert::settings_from_json(settings));
  const std::vector<int64_t> cells(train.begin(), train.end());
  return static_cast<double>(model.epochs_to_train(compert_glue::design_of(design), cells, scored));
}

// [[Rcpp::export(rng = false)]]
std::string core_state_meta(const RawVector& state) { return compert::state_meta(compert_glue::bytes(state)); }

/// The same state with another description.
// [[Rcpp::export(rng = false)]]
RawVector core_state_with_meta(const RawVector& state, const std::string& meta) {
  return compert_glue::raw(compert::Model::from_state(compert_glue::bytes(state)).state(meta));
}

// [[Rcpp::export(rng = false)]]
List core_state_info(const RawVector& state) {
  const compert::StateInfo info = compert::state_info(compert_glue::bytes(state));
  return List::create(Rcpp::Named("n_parameters") = static_cast<double>(info.n_parameters),
                      Rcpp::Named("best_epoch") = static_cast<double>(info.best_epoch),
                      Rcpp::Named("epochs_done") = static_cast<double>(info.epochs_done),
                      Rcpp::Named("settings") = info.settings);
}

// [[Rcpp::export(rng = false)]]
List core_state_history(const RawVector& state) {
  const auto history = compert::state_history(compert_glue::bytes(state));
  List out;
  for (const compert::EpochColumn& column : compert::epoch_columns()) {
    Rcpp::NumericVector values(static_cast<R_xlen_t>(history.size()));
    std::transform(history.begin(), history.end(), values.begin(), [&](const compert::EpochRecord& r) {
      const double value = column.get(r);
      return std::isnan(value) ? NA_REAL : value;
    });
    if (column.name == "epoch") out.push_back(Rcpp::IntegerVector(values), column.name);
    else if (column.name == "best") out.push_back(Rcpp::LogicalVector(values), column.name);
    else out.push_back(values, column.name);
  }
  return out;
}

// [[Rcpp::export(rng = false)]]
List core_device_info() {
  const compert::DeviceInfo info = compert::device_info();
  return List::create(Rcpp::Named("libtorch") = info.libtorch,
                      Rcpp::Named("cuda_built") = info.cuda_built,
                      Rcpp::Named("cuda_devices") = info.cuda_devices,
                      Rcpp::Named("cuda_reason") = info.cuda_reason,
                      Rcpp::Named("threads") = static_cast<int>(info.threads),
                      Rcpp::Named("parallel") = info.parallel, Rcpp::Named("dnnl") = info.dnnl,
                      Rcpp::Named("no_bfloat16") = info.no_bfloat16);
}

// [[Rcpp::export(rng = false)]]
void core_set_threads(int n) { compert::set_threads(n); }

/// An error where this process cannot compute.
// [[Rcpp::export(rng = false)]]
void core_check_process() { compert_glue::check_not_forked(); }
