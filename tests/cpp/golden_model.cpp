#include "golden_model.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "catch_compat.h"

namespace golden {
namespace {

using compert::NamedArrays;
using Json = nlohmann::json;

bool ends_in(const std::string& s, const std::string& tail) {
  return s.size() >= tail.size() && s.compare(s.size() - tail.size(), tail.size(), tail) == 0;
}

constexpr double kCancelled = 5e-6;  // some 40 roundings of single precision

std::string first_word(const std::string& name) { return name.substr(0, name.find('.')); }

std::string numbered(const std::string& before, int k) {
  char text[16];
  std::snprintf(text, sizeof text, "%03d", k);
  return before + text;
}

class Comparison {
 public:
  Comparison(const File& file, const std::string& precision, const Format& format, Tally& tally,
             const std::string& device)
      : file_(file), format_(format), at_("/" + precision + "/"), single_(precision == "f32"),
        tally_(tally), reference_(format.reference(file, single_ ? "float32" : "float64")) {
    for (const auto& name : Json::parse(file.attribute("null_gradient_parameters")))
      null_.insert(name.get<std::string>());
    reference_.settings.device = device;
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
    model.set_values(parameters(file_, format_, model));
    return model;
  }
  Minibatch minibatch(int k) const {
    return format_.minibatch(file_, numbered("minibatches/", k), reference_);
  }
  std::string where(const std::string& what) const { return file_.stem() + at_ + what; }
  std::string group(const std::string& name) const { return (single_ ? "f32 " : "f64 ") + name; }
  void check(const std::string& g, const std::string& path, const compert::Array& ours, double tolerance) {
    if (single_ && file_.has("f64/" + path))
      tolerance = single_tolerance(tolerance, file_.read("f32/" + path).values, file_.read("f64/" + path).values);
    tally_.add(group(g), where(path), ours.values, file_.read(at_ + path).values, tolerance);
  }
  double deviation(const std::string& name) const {
    const std::string key = "dev_f32_" + name;
    return file_.has_attribute(key) ? std::stod(file_.attribute(key)) : 0;
  }

  double largest(const std::string& path) const {
    double most = 0;
    for (const double v : file_.read(at_ + path).values) most = std::max(most, std::fabs(v));
    return most;
  }

  /// A bias before batch norm (its gradient is round-off), or the running mean that follows it.
  bool is_null(const std::string& name) const {
    if (null_.count(name) > 0) return true;
    if (!ends_in(name, ".running_mean")) return false;
    const std::string norm = name.substr(0, name.size() - 13);
    const std::size_t dot = norm.rfind('.');
    const std::string layer = norm.substr(dot + 1), network = norm.substr(0, dot + 1);
    if (layer == "henc_bn") return null_.count(network + "henc_linear.bias") > 0;
    if (layer != "hdec_bn") return null_.count(network + std::to_string(std::stoi(layer) - 1) + ".bias") > 0;
    int last = 0;  // of the numbered layers, behind which it stands
    while (file_.has("params/" + network + std::to_string(last + 3) + ".bias")) last += 3;
    return null_.count(network + std::to_string(last) + ".bias") > 0;
  }

  void forward(const std::string& mode, bool training) {
    compert::Model model = fresh();
    const Minibatch b = minibatch(0);
    compert::Inspector inspector(model);
    inspector.replay(format_.recorded(file_, -1, false));
    NamedArrays ours = inspector.forward(b.cells(), b.design, training);
    format_.complete(file_, ours);
    const double tolerance = single_ ? 1e-5 : 1e-9;
    if (!training) {
      inspector.replay(format_.recorded(file_, -1, true));
      for (const auto& [name, value] : inspector.forward(b.cells(), b.design, false))
        ours["use_latent_mean_" + name] = value;
    }
    // Devices without the sweeps compute the loss from LibTorch's own operations.
    if (ours.count("loss_composed") > 0) tally_.add(group("composed losses"), where(mode), ours.at("loss_composed").values,
               ours.at("loss_reconstruction").values, tolerance);
    for (const auto& name : file_.children(at_ + mode)) {
      if (name == "buffers_after_one_forward") {
        // Our forward pass also runs the adversaries; encoder and decoder moved exactly once.
        const NamedArrays after = model.values();
        for (const auto& buffer : file_.children(at_ + mode + "/" + name))
          check("buffers", mode + "/" + name + "/" + buffer, after.at(format_.parameter(file_, buffer)),
                tolerance);
        continue;
      }
      if (name == "one_drug_curves") {
        ours[name] = curves(model);
      }
      INFO("forward: " << name);
      const std::string key = format_.output(file_, name);
      REQUIRE(ours.count(key) == 1);
      check("forward " + mode, mode + "/" + name, ours.at(key), tolerance);
    }
  }

  compert::Array curves(const compert::Model& model) const {
    const Array grid = file_.read("inputs/dose_grid");
    compert::Array out{{model.architecture().n_perturbations, static_cast<int64_t>(grid.size())}, {}};
    for (int32_t j = 0; j < model.architecture().n_perturbations; ++j)
      for (const double h : model.dose_response(std::vector<int32_t>(grid.size(), j), grid.values))
        out.values.push_back(h);
    return out;
  }

  void step(const std::string& which) {
    compert::Model model = fresh();
    const Minibatch b = minibatch(0);
    compert::Inspector inspector(model);
    inspector.replay(format_.recorded(file_, -1, false));
    const auto ours = which == "generator" ? inspector.autoencoder_step(b.cells(), b.design)
                                           : inspector.adversary_step(b.cells(), b.design);
    for (const auto& name : file_.children(at_ + which + "/losses")) {
      INFO("loss: " << name);
      const std::string key = format_.output(file_, name);
      REQUIRE(ours.losses.count(key) == 1);
      check(which + " losses", which + "/losses/" + name, ours.losses.at(key), single_ ? 1e-5 : 1e-9);
    }
    // A gradient that is small beside others of its network is what is left where terms cancel.
    std::map<std::string, double> network;
    for (const auto& name : file_.children(at_ + which + "/grads")) {
      double& most = network[first_word(name)];
      most = std::max(most, largest(which + "/grads/" + name));
    }
    for (const auto& name : file_.children(at_ + which + "/grads")) {
      if (is_null(name)) continue;
      INFO("gradient: " << name);
      const std::string key = format_.parameter(file_, name);
      REQUIRE(ours.gradients.count(key) == 1);
      const double own = largest(which + "/grads/" + name);
      check(which + " gradients", which + "/grads/" + name, ours.gradients.at(key),
            single_ ? std::max({5e-5, deviation(which), own > 0 ? kCancelled * network[first_word(name)] / own : 0})
                    : 1e-9);
    }
  }

  void updates() {
    compert::Model model = fresh();
    compert::Inspector inspector(model);
    format_.prepare(inspector);
    std::map<std::string, std::vector<double>> losses;
    int count = 0;
    double steps_before = 0;
    for (; file_.has(numbered("minibatches/", count));) {
      const Minibatch b = minibatch(count);
      losses["global_step_before"].push_back(steps_before);
      inspector.replay(format_.recorded(file_, count, false));
      for (const auto& [name, value] : inspector.update(b.cells(), b.design)) {
        if (name == "optimizer_steps") steps_before = value.values[0];
        if (name == "gradient_norms" && value.values[0] == 0) continue;  // an adversary's turn
        losses[name].insert(losses[name].end(), value.values.begin(), value.values.end());
      }
      ++count;
      const std::string name = numbered("step_", count);
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
      const std::string key = format_.output(file_, name);
      REQUIRE(losses.count(key) == 1);
      tally_.add(group("update losses"), where(name), losses[key],
                 file_.read(at_ + "updates/losses/" + name).values,
                 !single_                                     ? 1e-9
                 : format_.moved_by_round_off(file_, name) ? 1e-2
                                                           : std::max(1e-5, 10 * deviation("updates_losses")));
    }
    for (const auto& name : file_.children(at_ + "adam_after_all")) moments(inspector, name);
    if (!file_.has(at_ + "updates/final_eval_reconstruction")) return;
    const Minibatch b = minibatch(0);
    NamedArrays after = inspector.forward(b.cells(), b.design, false);
    compert::Array both = after.at("reconstruction_means");
    interleave(both, after.at("reconstruction_variances"));
    // Running means lag behind the biases above: what is there is their round-off.
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
      const std::string key = format_.parameter(file_, name);
      if (key.empty()) {  // it stays as it was
        tally_.add(group("parameters"), where(path), file_.read("params/" + name).values,
                   file_.read(at_ + path).values, tolerance);
        continue;
      }
      if (is_null(name)) {
        if (!single_) check("null-gradient parameters", path, ours.at(key), 1e-5);
        continue;
      }
      if (single_ && format_.moved_by_round_off(file_, name)) continue;
      check("parameters", path, ours.at(key),
            single_ ? std::max(tolerance, 10 * conditioning(step, key)) : tolerance);
    }
  }

  /// How far the parameters after these updates move, in double precision, when the initial ones are
  /// rounded once at single precision's relative size: where Adam divides a gradient of round-off by
  /// its own size, that is all that single precision can give.
  double conditioning(const std::string& step, const std::string& key) {
    if (conditioning_.empty()) {
      const Reference exact = format_.reference(file_, "float64");
      compert::Model straight(exact.architecture, exact.settings), rounded(exact.architecture, exact.settings);
      NamedArrays values = parameters(file_, format_, straight);
      straight.set_values(values);
      unsigned sign = 1;
      for (auto& [name, array] : values)
        for (double& v : array.values) v *= 1 + ((sign = sign * 1664525U + 1013904223U) >> 31 ? 1 : -1) * 6e-8;
      rounded.set_values(values);
      for (int k = 0; file_.has(numbered("minibatches/", k)); ++k) {
        const Minibatch b = minibatch(k);
        for (compert::Model* model : {&straight, &rounded}) {
          compert::Inspector inspector(*model);
          format_.prepare(inspector);
          inspector.replay(format_.recorded(file_, k, false));
          inspector.update(b.cells(), b.design);
          if (k + 1 == 10) inspector.step_schedulers();
        }
        const std::string name = numbered("step_", k + 1);
        if (!file_.has(at_ + "updates/" + name)) continue;
        const NamedArrays a = straight.values(), c = rounded.values();
        for (const auto& [parameter, array] : a)
          conditioning_[name][parameter] = relative_error(c.at(parameter).values, array.values);
      }
    }
    return conditioning_.at(step).at(key);
  }

  void moments(const compert::Inspector& inspector, const std::string& optimizer) {
    const NamedArrays ours = inspector.adam_state(optimizer);
    for (const std::string kind : {"exp_avg", "exp_avg_sq"}) {
      const std::string folder = "adam_after_all/" + optimizer + "/" + kind;
      for (const auto& name : file_.children(at_ + folder)) {
        const std::string key = format_.parameter(file_, name);
        if (is_null(name) || key.empty()) continue;
        check("moments", folder + "/" + name, ours.at(kind + "/" + key), 1e-9);
      }
    }
  }

  const File& file_;
  const Format& format_;
  std::string at_;
  bool single_;
  Tally& tally_;
  Reference reference_;
  std::set<std::string> null_;
  std::map<std::string, std::map<std::string, double>> conditioning_;  // by step and parameter
};

}  // namespace

Minibatch Format::minibatch(const File& file, const std::string& path,
                            const Reference& reference) const {
  std::vector<Array> covariates;
  for (std::size_t c = 0; c < reference.architecture.covariate_levels.size(); ++c)
    covariates.push_back(file.read(path + "/covariate_" + std::to_string(c)));
  return {file.read(path + "/genes"), design(file, path, covariates)};
}

std::string Format::parameter(const File&, const std::string& name) const { return name; }
std::string Format::output(const File&, const std::string& name) const { return name; }

int32_t argmax(const Array& one_hot, std::size_t row) {
  std::size_t best = 0;
  for (std::size_t j = 1; j < one_hot.cols(); ++j)
    if (one_hot.at(row, j) > one_hot.at(row, best)) best = j;
  return static_cast<int32_t>(best);
}

compert::Design design_of_doses(const Array& drugs, const std::vector<Array>& covariates) {
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

std::vector<int64_t> covariate_levels(const File& file) {
  std::vector<int64_t> out;
  const auto name = [](std::size_t k) {
    return "params/covariates_embeddings." + std::to_string(k) + ".weight";
  };
  while (file.has(name(out.size())))
    out.push_back(static_cast<int64_t>(file.read(name(out.size())).rows()));
  return out;
}

NamedArrays parameters(const File& file, const Format& format, const compert::Model& model) {
  const NamedArrays ours = model.values();
  NamedArrays out;
  for (const auto& name : file.children("params")) {
    const std::string key = format.parameter(file, name);
    if (key.empty()) continue;
    INFO(name);
    REQUIRE(ours.count(key) == 1);
    const Array a = file.read("params/" + name);
    out[key] = {std::vector<int64_t>(a.shape.begin(), a.shape.end()), a.values};
  }
  return out;
}

void compare_model(const File& file, const std::string& precision, const Format& format, Tally& tally,
                   const std::string& device) {
  Comparison(file, precision, format, tally, device).run();
}

void compare_models(const std::string& prefix, const Format& format, const std::string& device) {
  const auto paths = files(prefix);
  INFO("directory " << directory());
  REQUIRE(!paths.empty());
  Tally tally;
  for (const auto& path : paths) {
    const File file(path);
    for (const std::string precision : {"f64", "f32"})
      if (file.is_group(precision)) compare_model(file, precision, format, tally, device);
  }
  std::cout << prefix << "*.h5, " << device << ": " << paths.size() << " files\n" << tally.table() << std::endl;
  CHECK(tally.count() > 100 * paths.size());
  CHECK(tally.failures() == 0);
}

}  // namespace golden
