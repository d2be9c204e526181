// Agreement of the model with golden files fb_*.h5 (and the model part of metrics_fb*.h5): what
// facebookresearch/CPA 50e283a computes from the same parameters and batches, in both precisions.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "catch_compat.h"
#include "compert/inspect.h"
#include "compert/metrics.h"
#include "golden_file.h"

namespace {

using compert::NamedArrays;
using golden::File;
using golden::Tally;
using Json = nlohmann::json;

std::string ends(const std::string& s, const std::string& tail) {
  return s.size() >= tail.size() && s.compare(s.size() - tail.size(), tail.size(), tail) == 0 ? tail : "";
}

/// Settings and sizes of the reference's model in a file.
struct Reference {
  compert::Architecture architecture;
  compert::Settings settings;
};

Reference reference(const File& file, const std::string& precision) {
  Reference r;
  const Json hparams = Json::parse(file.attribute("hparams"));
  Json settings = {{"parity", "fb"}, {"precision", precision}, {"device", "cpu"}, {"threads", 1},
                   {"doser_type", file.attribute("doser_type")},
                   {"loss_ae", file.attribute("loss_ae")}};
  for (const auto& [key, value] : hparams.items()) settings[key] = value;
  if (hparams.contains("autoencoder_lr")) settings["embeddings_lr"] = hparams["autoencoder_lr"];
  if (file.has_attribute("decoder_activation"))
    settings["decoder_activation"] = file.attribute("decoder_activation");
  r.settings = compert::settings_from_json(settings.dump());
  r.architecture.n_genes = std::stoll(file.attribute("num_genes"));
  r.architecture.n_perturbations = std::stoll(file.attribute("num_drugs"));
  for (int k = 0; file.has("params/covariates_embeddings." + std::to_string(k) + ".weight"); ++k)
    r.architecture.covariate_levels.push_back(static_cast<int64_t>(
        file.read("params/covariates_embeddings." + std::to_string(k) + ".weight").rows()));
  return r;
}

/// Cells and their design, from dense arrays of the file.
struct Batch {
  golden::Array genes;
  compert::Design design;
  compert::DenseCells cells() const {
    return compert::DenseCells(genes.values.data(), genes.cols(), genes.rows());
  }
};

int32_t argmax(const golden::Array& one_hot, std::size_t row) {
  std::size_t best = 0;
  for (std::size_t j = 1; j < one_hot.cols(); ++j)
    if (one_hot.at(row, j) > one_hot.at(row, best)) best = j;
  return static_cast<int32_t>(best);
}

compert::Design design(const golden::Array& drugs, const std::vector<golden::Array>& covariates) {
  compert::Design d;
  d.n = drugs.rows();
  d.n_covariates = covariates.size();
  std::vector<std::vector<std::pair<int32_t, double>>> rows(d.n);
  for (std::size_t i = 0; i < d.n; ++i) {
    for (std::size_t j = 0; j < drugs.cols(); ++j)
      if (drugs.at(i, j) > 0) rows[i].emplace_back(static_cast<int32_t>(j), drugs.at(i, j));
    d.n_slots = std::max(d.n_slots, rows[i].size());
  }
  for (std::size_t i = 0; i < d.n; ++i) {
    for (std::size_t m = 0; m < d.n_slots; ++m) {
      const bool filled = m < rows[i].size();
      d.perturbation.push_back(filled ? rows[i][m].first : -1);
      d.dose.push_back(filled ? rows[i][m].second : 0);
    }
    for (const auto& c : covariates) d.covariate.push_back(argmax(c, i));
  }
  return d;
}

Batch batch(const File& file, const std::string& path, std::size_t n_covariates) {
  Batch b;
  b.genes = file.read(path + "/genes");
  std::vector<golden::Array> covariates;
  for (std::size_t k = 0; k < n_covariates; ++k)
    covariates.push_back(file.read(path + "/covariate_" + std::to_string(k)));
  b.design = design(file.read(path + "/drugs"), covariates);
  return b;
}

/// The file's parameters that our model has. A linear doser has none; the reference keeps two that
/// never move.
NamedArrays parameters(const File& file, const compert::Model& model) {
  const NamedArrays ours = model.values();
  NamedArrays out;
  for (const auto& name : file.children("params")) {
    if (ours.count(name) == 0) {
      REQUIRE((name == "dosers.beta" || name == "dosers.bias"));
      REQUIRE(model.settings().doser_type == "linear");
      continue;
    }
    const golden::Array a = file.read("params/" + name);
    out[name] = {std::vector<int64_t>(a.shape.begin(), a.shape.end()), a.values};
  }
  return out;
}

class Comparison {
 public:
  Comparison(const File& file, const std::string& precision, Tally& tally)
      : file_(file), at_("/" + precision + "/"), single_(precision == "f32"), tally_(tally),
        reference_(reference(file, single_ ? "float32" : "float64")) {
    for (const auto& name : Json::parse(file.attribute("null_gradient_parameters")))
      null_.insert(name.get<std::string>());
  }

  void run() {
    forward("train", true);
    forward("eval", false);
    step("generator");
    step("adversary");
    updates();
  }

 private:
  compert::Model fresh() const {
    compert::Model model(reference_.architecture, reference_.settings);
    model.set_values(parameters(file_, model));
    return model;
  }
  Batch minibatch(int k) const {
    char name[16];
    std::snprintf(name, sizeof name, "%03d", k);
    return batch(file_, std::string("minibatches/") + name, reference_.architecture.covariate_levels.size());
  }
  std::string where(const std::string& what) const { return file_.stem() + at_ + what; }
  std::string group(const std::string& name) const { return (single_ ? "f32 " : "f64 ") + name; }
  void check(const std::string& g, const std::string& path, const compert::Array& ours, double tolerance) {
    tally_.add(group(g), where(path), ours.values, file_.read(at_ + path).values, tolerance);
  }
  double deviation(const std::string& name) const {
    const std::string key = "dev_f32_" + name;
    return file_.has_attribute(key) ? std::stod(file_.attribute(key)) : 0;
  }

  /// How far the reference in single precision is from itself in double precision: where large
  /// terms cancel in a gradient, that is all that single precision can give.
  double own_deviation(const std::string& path) const {
    return golden::relative_error(file_.read("f32/" + path).values, file_.read("f64/" + path).values);
  }

  /// A bias before batch norm (its gradient is round-off), or the running mean that follows it.
  bool is_null(const std::string& name) const {
    if (null_.count(name) > 0) return true;
    if (ends(name, ".running_mean").empty()) return false;
    const std::string norm = name.substr(0, name.size() - 13);
    const std::size_t dot = norm.rfind('.');
    const int index = std::stoi(norm.substr(dot + 1));
    return null_.count(norm.substr(0, dot + 1) + std::to_string(index - 1) + ".bias") > 0;
  }

  void forward(const std::string& mode, bool training) {
    compert::Model model = fresh();
    const Batch b = minibatch(0);
    compert::Inspector inspector(model);
    NamedArrays ours = inspector.forward(b.cells(), b.design, training);
    const double tolerance = single_ ? 1e-5 : 1e-9;
    // Devices without the sweeps compute the loss from LibTorch's own operations.
    tally_.add(group("composed losses"), where(mode), ours.at("loss_composed").values,
               ours.at("loss_reconstruction").values, tolerance);
    for (const auto& name : file_.children(at_ + mode)) {
      if (name == "buffers_after_one_forward") {
        // Our forward pass also runs the adversaries; encoder and decoder moved exactly once.
        const NamedArrays after = model.values();
        for (const auto& buffer : file_.children(at_ + mode + "/" + name))
          check("buffers", mode + "/" + name + "/" + buffer, after.at(buffer), tolerance);
        continue;
      }
      if (name == "one_drug_curves") {
        ours[name] = curves(model);
      }
      INFO("forward: " << name);
      REQUIRE(ours.count(name) == 1);
      check("forward " + mode, mode + "/" + name, ours.at(name), tolerance);
    }
  }

  compert::Array curves(const compert::Model& model) const {
    const golden::Array grid = file_.read("inputs/dose_grid");
    compert::Array out{{model.architecture().n_perturbations, static_cast<int64_t>(grid.size())}, {}};
    for (int32_t j = 0; j < model.architecture().n_perturbations; ++j)
      for (const double h : model.dose_response(std::vector<int32_t>(grid.size(), j), grid.values))
        out.values.push_back(h);
    return out;
  }

  void step(const std::string& which) {
    compert::Model model = fresh();
    const Batch b = minibatch(0);
    compert::Inspector inspector(model);
    const auto ours = which == "generator" ? inspector.autoencoder_step(b.cells(), b.design)
                                           : inspector.adversary_step(b.cells(), b.design);
    for (const auto& name : file_.children(at_ + which + "/losses")) {
      INFO("loss: " << name);
      REQUIRE(ours.losses.count(name) == 1);
      check(which + " losses", which + "/losses/" + name, ours.losses.at(name), single_ ? 1e-5 : 1e-9);
    }
    for (const auto& name : file_.children(at_ + which + "/grads")) {
      if (is_null(name)) continue;
      INFO("gradient: " << name);
      REQUIRE(ours.gradients.count(name) == 1);
      check(which + " gradients", which + "/grads/" + name, ours.gradients.at(name),
            single_ ? std::max(5e-5, 10 * own_deviation(which + "/grads/" + name)) : 1e-9);
    }
  }

  void updates() {
    compert::Model model = fresh();
    compert::Inspector inspector(model);
    std::map<std::string, std::vector<double>> losses;
    int count = 0;
    while (file_.has("minibatches/" + [&] { char n[16]; std::snprintf(n, sizeof n, "%03d", count); return std::string(n); }() )) {
      const Batch b = minibatch(count);
      for (const auto& [name, value] : inspector.update(b.cells(), b.design))
        losses[name].push_back(value.values.at(0));
      ++count;
      char name[16];
      std::snprintf(name, sizeof name, "step_%03d", count);
      if (file_.has(at_ + "updates/" + name)) parameters_after(model, name);
      if (count == 10) {
        inspector.step_schedulers();
        if (file_.has(at_ + "updates/lr_after_scheduler"))
          tally_.add(group("learning rates"), where("lr"), inspector.learning_rates(),
                     file_.read(at_ + "updates/lr_after_scheduler").values, 1e-9);
      }
    }
    for (const auto& name : file_.children(at_ + "updates/losses")) {
      INFO("update loss: " << name);
      REQUIRE(losses.count(name) == 1);
      tally_.add(group("update losses"), where(name), losses[name],
                 file_.read(at_ + "updates/losses/" + name).values,
                 single_ ? std::max(1e-5, 10 * deviation("updates_losses")) : 1e-9);
    }
    for (const auto& name : file_.children(at_ + "adam_after_all")) moments(inspector, name);
    const Batch b = minibatch(0);
    NamedArrays after = inspector.forward(b.cells(), b.design, false);
    compert::Array both = after.at("reconstruction_means");
    interleave(both, after.at("reconstruction_variances"));
    // Running means lag behind the biases above: what is there is their round-off.
    if (file_.has(at_ + "updates/final_eval_reconstruction"))
      check("final evaluation", "updates/final_eval_reconstruction", both, single_ ? 5e-2 : 1e-6);
  }

  static void interleave(compert::Array& means, const compert::Array& variances) {
    const auto rows = static_cast<std::size_t>(means.shape[0]), genes = static_cast<std::size_t>(means.shape[1]);
    std::vector<double> both;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t g = 0; g < genes; ++g) both.push_back(means.values[i * genes + g]);
      for (std::size_t g = 0; g < genes; ++g) both.push_back(variances.values[i * genes + g]);
    }
    means.values = both;
  }

  void parameters_after(const compert::Model& model, const std::string& step) {
    const NamedArrays ours = model.values();
    const double tolerance = single_ ? std::max(1e-5, 10 * deviation("updates_" + step)) : 1e-9;
    for (const auto& name : file_.children(at_ + "updates/" + step)) {
      const std::string path = "updates/" + step + "/" + name;
      if (ours.count(name) == 0) {  // the linear doser's idle parameters
        tally_.add(group("parameters"), where(path), file_.read("params/" + name).values,
                   file_.read(at_ + path).values, tolerance);
        continue;
      }
      if (is_null(name)) {
        if (!single_) check("null-gradient parameters", path, ours.at(name), 1e-5);
        continue;
      }
      check("parameters", path, ours.at(name), tolerance);
    }
  }

  void moments(const compert::Inspector& inspector, const std::string& optimizer) {
    const NamedArrays ours = inspector.adam_state(optimizer);
    for (const std::string kind : {"exp_avg", "exp_avg_sq"}) {
      const std::string folder = "adam_after_all/" + optimizer + "/" + kind;
      for (const auto& name : file_.children(at_ + folder)) {
        if (is_null(name) || ours.count(kind + "/" + name) == 0) continue;
        check("moments", folder + "/" + name, ours.at(kind + "/" + name), 1e-9);
      }
    }
  }

  const File& file_;
  std::string at_;
  bool single_;
  Tally& tally_;
  Reference reference_;
  std::set<std::string> null_;
};

}  // namespace

TEST_CASE("the model agrees with facebookresearch/CPA", "[golden]") {
  const auto files = golden::files("fb_");
  INFO("directory " << golden::directory());
  REQUIRE(!files.empty());
  Tally tally;
  for (const auto& path : files) {
    const File file(path);
    for (const std::string precision : {"f64", "f32"})
      if (file.is_group(precision)) Comparison(file, precision, tally).run();
  }
  std::cout << "fb_*.h5: " << files.size() << " files\n" << tally.table() << std::endl;
  CHECK(tally.count() > 100 * files.size());
  CHECK(tally.failures() == 0);
}

TEST_CASE("predictions from controls agree with facebookresearch/CPA", "[golden]") {
  const auto files = golden::files("metrics_fb");
  REQUIRE(!files.empty());
  Tally tally;
  for (const auto& path : files) {
    const File file(path);
    const Reference r = reference(file, "float64");
    compert::Model model(r.architecture, r.settings);
    model.set_values(parameters(file, model));
    const auto categories = file.read_strings("inputs/categories"), of_cell = file.read_strings("inputs/pert_category");
    const golden::Array controls = file.read("inputs/genes_control");
    const compert::DenseCells cells(controls.values.data(), controls.cols(), controls.rows());
    std::vector<golden::Array> covariates;
    for (std::size_t k = 0; k < r.architecture.covariate_levels.size(); ++k)
      covariates.push_back(file.read("inputs/covariate_" + std::to_string(k)));
    const compert::Design all = design(file.read("inputs/drugs"), covariates);
    std::vector<int64_t> first, every;
    for (const auto& c : categories)
      first.push_back(std::find(of_cell.begin(), of_cell.end(), c) - of_cell.begin());
    for (std::size_t i = 0; i < controls.rows(); ++i) every.push_back(static_cast<int64_t>(i));
    compert::Design own = all.rows(std::vector<int64_t>(controls.rows(), 0).data(), controls.rows());
    const auto summary = model.summarise(cells, own, all.rows(first.data(), first.size()),
                                         std::vector<std::vector<int64_t>>(first.size(), every));
    const auto genes = static_cast<std::ptrdiff_t>(controls.cols());
    for (std::size_t k = 0; k < categories.size(); ++k) {
      const std::string folder = "f64/prediction_mean_over_controls/" + categories[k];
      const auto at = static_cast<std::ptrdiff_t>(k) * genes;
      tally.add("means", folder, {summary.mean.begin() + at, summary.mean.begin() + at + genes},
                file.read(folder + "/mean").values, 1e-9);
      tally.add("variances", folder, {summary.variance.begin() + at, summary.variance.begin() + at + genes},
                file.read(folder + "/variance").values, 1e-9);
    }
  }
  std::cout << "metrics_fb*.h5, predictions\n" << tally.table() << std::endl;
  CHECK(tally.failures() == 0);
}
