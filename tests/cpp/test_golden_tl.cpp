// Agreement of the model with golden files tl_*.h5: what theislab/cpa fbd7c02 (scvi-tools 0.20.3)
// computes from the same parameters, batches and recorded noise, in both precisions.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "catch_compat.h"
#include "compert/inspect.h"
#include "compert/metrics.h"
#include "golden_file.h"
#include "golden_tl.h"

namespace {

using compert::NamedArrays;
using golden::File;
using golden::Tally;
using Vector = std::vector<double>;
using Json = nlohmann::ordered_json;

std::string numbered(const std::string& before, int k) {
  char text[16];
  std::snprintf(text, sizeof text, "%03d", k);
  return before + text;
}

class Comparison {
 public:
  Comparison(const File& file, const std::string& precision, Tally& tally, const std::string& device)
      : file_(file), at_("/" + precision + "/"), single_(precision == "f32"), tally_(tally),
        names_(file) {
    for (const auto& name : Json::parse(file.attribute("null_gradient_parameters")))
      null_.insert(name.get<std::string>());
    settings_ = tl::settings(file, single_ ? "float32" : "float64");
    settings_.device = device;
    architecture_ = names_.architecture();
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
    compert::Model model(architecture_, settings_);
    NamedArrays values = model.values();
    names_.write(file_, "params", values);
    model.set_values(values);
    return model;
  }

  compert::Inspector::Recorded recorded(int k) const {
    compert::Inspector::Recorded recorded;
    if (file_.has("noise/eps_latent")) {
      const golden::Array all = file_.read("noise/eps_latent");
      const std::size_t size = all.size() / all.shape[0], first = static_cast<std::size_t>(k) * size;
      compert::Array& draws = recorded.noise.emplace_back();
      draws.shape.assign(all.shape.begin() + 1, all.shape.end());
      draws.values.assign(all.values.begin() + static_cast<std::ptrdiff_t>(first),
                          all.values.begin() + static_cast<std::ptrdiff_t>(first + size));
    }
    if (file_.has("noise/mixup_lambda") && mixing_) {
      recorded.mix_share = file_.read("noise/mixup_lambda").values[static_cast<std::size_t>(k)];
      const golden::Array partner = file_.read("noise/mixup_permutation");
      for (std::size_t i = 0; i < partner.cols(); ++i)
        recorded.partner.push_back(static_cast<int64_t>(partner.at(static_cast<std::size_t>(k), i)));
    }
    return recorded;
  }
  compert::Inspector inspect(compert::Model& model, int k) const {
    compert::Inspector inspector(model);
    inspector.replay(recorded(k));
    return inspector;
  }

  tl::Minibatch minibatch(int k) const {
    return tl::Minibatch(file_, numbered("minibatches/", k), names_.covariates());
  }
  std::string group(const std::string& name) const { return (single_ ? "f32 " : "f64 ") + name; }
  void check(const std::string& g, const std::string& path, const Vector& ours, double tolerance) {
    tally_.add(group(g), file_.stem() + at_ + path, ours, file_.read(at_ + path).values,
               with_own_deviation(path, tolerance));
  }
  /// The same for an array named as a parameter.
  void check_named(const std::string& g, const std::string& folder, const std::string& name,
                   const Vector& ours, double tolerance) {
    const std::string path = folder + "/" + name;
    tally_.add(group(g), file_.stem() + at_ + path, ours, names_.theirs(file_.read(at_ + path), name),
               with_own_deviation(path, tolerance));
  }
  double deviation(const std::string& name) const {
    const std::string key = "dev_f32_" + name;
    return file_.has_attribute(key) ? std::stod(file_.attribute(key)) : 0;
  }
  /// In single precision no nearer than the reference is to its own double precision.
  double with_own_deviation(const std::string& path, double tolerance) const {
    if (!single_ || !file_.has("f64/" + path)) return tolerance;
    return golden::single_tolerance(tolerance, file_.read("f32/" + path).values, file_.read("f64/" + path).values);
  }

  /// A bias before batch norm (its gradient is round-off), or the running mean that follows it.
  bool is_null(const std::string& name) const {
    if (null_.count(name) > 0) return true;
    const std::string tail = ".1.running_mean";
    if (name.size() < tail.size() || name.compare(name.size() - tail.size(), tail.size(), tail) != 0)
      return false;
    return null_.count(name.substr(0, name.size() - tail.size()) + ".0.bias") > 0;
  }

  /// The outputs of one pass under the reference's names.
  std::map<std::string, Vector> outputs(const NamedArrays& ours, const tl::Minibatch& batch) const {
    std::map<std::string, Vector> out;
    const auto copy = [&](const std::string& theirs, const std::string& name) {
      if (ours.count(name) > 0) out[theirs] = ours.at(name).values;
    };
    copy("latent_basal", "latent_basal");
    copy("drug_embedding_sum", "drug_embedding_sum");
    copy("z", "latent_treated");
    copy("scaled_doses", "slot_responses");
    copy("z_covs", "covariate_embedding_sum");
    copy("X_used", "input");
    copy("qz_loc", "latent_mean");
    copy("px/zi_logits", "zero_logits");
    copy("loss_reconstruction", "loss_reconstruction");
    out["loss_kl"] = ours.count("loss_kl") > 0 ? ours.at("loss_kl").values : Vector{0};
    if (ours.count("latent_variance") > 0) out["qz_scale"] = tl::square_roots(ours.at("latent_variance").values);
    if (ours.count("library") > 0) {
      for (const double l : ours.at("library").values) out["library"].push_back(std::log(l));
      copy("px/mu", "reconstruction_means");
      copy("px/theta", "reconstruction_variances");
    } else {
      copy("px/loc", "reconstruction_means");
      out["px/scale"] = tl::square_roots(ours.at("reconstruction_variances").values);
    }
    out["z_no_pert"] = ours.at("latent_basal").values;
    const Vector& covariates = ours.at("covariate_embedding_sum").values;
    for (std::size_t i = 0; i < covariates.size(); ++i) out["z_no_pert"][i] += covariates[i];
    const tl::BatchR2 r2 = tl::batch_r2(ours, batch);
    out["r2_mean"] = {r2.mean};
    out["r2_var"] = {r2.variance};
    return out;
  }

  void forward(const std::string& mode, bool training) {
    mixing_ = training;
    compert::Model model = fresh();
    const tl::Minibatch batch = minibatch(0);
    const NamedArrays arrays = inspect(model, 0).forward(batch.cells(), batch.design(), training);
    const auto ours = outputs(arrays, batch);
    mixing_ = true;
    const double tolerance = single_ ? 1e-5 : 1e-9;
    // Devices without the sweeps compute the loss from LibTorch's own operations.
    check("composed losses", mode + "/loss_reconstruction", arrays.at("loss_composed").values, tolerance);
    for (std::string name : file_.children(at_ + mode)) {
      if (name == "mixup_lambda") continue;  // recorded noise
      if (name == "buffers_after_one_forward") {
        const NamedArrays after = model.values();
        for (const auto& buffer : file_.children(at_ + mode + "/" + name))
          check_named("buffers", mode + "/" + name, buffer, names_.ours(after, buffer), tolerance);
        continue;
      }
      std::vector<std::string> parts = {name};
      if (name == "px") {
        parts.clear();
        for (const auto& part : file_.children(at_ + mode + "/px")) parts.push_back("px/" + part);
      }
      for (const auto& part : parts) {
        INFO("forward: " << part);
        REQUIRE(ours.count(part) == 1);
        check("forward " + mode, mode + "/" + part, ours.at(part), tolerance);
      }
    }
  }

  /// Under mixup, by the shares of own and partner's label.
  double perturbation_accuracy(const compert::Array& logits, const tl::Minibatch& batch, int k) const {
    const auto mix = recorded(k);
    const double own = tl::macro_accuracy(logits, batch.condition());
    if (mix.partner.empty()) return own;
    std::vector<int32_t> labels;
    for (const int64_t i : mix.partner) labels.push_back(batch.condition()[static_cast<std::size_t>(i)]);
    return mix.mix_share * own + (1 - mix.mix_share) * tl::macro_accuracy(logits, labels);
  }

  /// Losses of a step under the reference's names.
  std::map<std::string, double> losses(const NamedArrays& step, const NamedArrays& forward,
                                       const tl::Minibatch& batch, int k) const {
    std::map<std::string, double> out;
    const auto value = [](const NamedArrays& a, const std::string& name) {
      return a.count(name) > 0 ? a.at(name).values.at(0) : 0;
    };
    out["recon_loss"] = value(forward, "loss_reconstruction");
    out["KL"] = value(forward, "loss_kl");
    out["adv_perts"] = value(forward, "loss_adv_drugs");
    out["adv_loss"] = out["adv_perts"] + value(forward, "loss_adv_covariates");
    out["total"] = value(step, "total");
    out["penalty_perts"] = value(step, "penalty_adv_drugs");
    out["penalty_adv"] = out["penalty_perts"] + value(step, "penalty_adv_covariates");
    out["acc_perts"] = perturbation_accuracy(forward.at("adversary_drugs_logits"), batch, k);
    const auto names = names_.covariates();
    for (std::size_t c = 0; c < names.size(); ++c) {
      const std::string index = std::to_string(c);
      const compert::Array& logits = forward.at("adversary_covariate_" + index + "_logits");
      out["adv_" + names[c]] = value(forward, "loss_adv_covariate_" + index);
      // A covariate with one level has no classifier.
      out["acc_" + names[c]] =
          architecture_.covariate_levels[c] == 1 ? 0 : tl::accuracy(logits, batch.covariate(c));
      out["penalty_" + names[c]] =
          step.count("penalty_parts") > 0 ? step.at("penalty_parts").values.at(c + 1) : 0;
    }
    const tl::BatchR2 r2 = tl::batch_r2(forward, batch);
    out["r2_mean"] = r2.mean;
    out["r2_var"] = r2.variance;
    return out;
  }

  void step(const std::string& which) {
    compert::Model model = fresh(), twin = fresh();
    const tl::Minibatch batch = minibatch(0);
    compert::Inspector inspector = inspect(model, 0);
    const auto step = which == "generator" ? inspector.autoencoder_step(batch.cells(), batch.design())
                                           : inspector.adversary_step(batch.cells(), batch.design());
    const NamedArrays forward = inspect(twin, 0).forward(batch.cells(), batch.design(), true);
    auto ours = losses(step.losses, forward, batch, 0);
    if (settings_.adversary_steps == 0 && which == "generator") {  // both steps were made
      compert::Model third = fresh();
      const auto penalties =
          losses(inspect(third, 0).adversary_step(batch.cells(), batch.design()).losses, forward, batch, 0);
      for (auto& [name, value] : ours)
        if (name.rfind("penalty_", 0) == 0) value = penalties.at(name);
    }
    for (const auto& name : file_.children(at_ + which + "/losses")) {
      INFO("loss: " << name);
      REQUIRE(ours.count(name) == 1);
      check(which + " losses", which + "/losses/" + name, {ours[name]}, single_ ? 1e-5 : 1e-9);
    }
    for (const auto& name : file_.children(at_ + which + "/grads")) {
      if (is_null(name)) continue;
      INFO("gradient: " << name);
      check_named(which + " gradients", which + "/grads", name, names_.ours(step.gradients, name),
                  single_ ? std::max(5e-5, deviation(which)) : 1e-9);
    }
  }

  void updates() {
    compert::Model model = fresh();
    std::map<std::string, Vector> history;
    int64_t steps_before = 0;
    int count = 0;
    for (; file_.has(numbered("minibatches/", count)); ++count) {
      const tl::Minibatch batch = minibatch(count);
      // Losses that an update does not report come from a copy of the model as it is before.
      compert::Model first = compert::Model::from_state(model.state("")),
                     second = compert::Model::from_state(model.state(""));
      NamedArrays step = inspect(second, count).adversary_step(batch.cells(), batch.design()).losses;
      const NamedArrays forward = inspect(first, count).forward(batch.cells(), batch.design(), true);
      compert::Inspector inspector = inspect(model, count);
      history["adv_lambda"].push_back(inspector.adversary_weight());
      history["global_step_before"].push_back(static_cast<double>(steps_before));
      const NamedArrays update = inspector.update(batch.cells(), batch.design());
      steps_before = static_cast<int64_t>(update.at("optimizer_steps").values[0]);
      if (update.at("penalty_adv_drugs").values[0] == 0) step.clear();  // a step without penalties
      for (const auto& [name, value] : losses(step, forward, batch, count)) history[name].push_back(value);
      history["recon_loss"].back() = update.at("loss_reconstruction").values[0];
      if (file_.has("noise/eps_latent")) history["KL"].back() = update.at("loss_kl").values[0];
      const std::string after = numbered("step_", count + 1);
      if (file_.has(at_ + "updates/" + after)) parameters_after(model, after);
      if (count + 1 == 10) {
        inspector.step_schedulers();
        const Vector lr = inspector.learning_rates();  // autoencoder, adversaries, dosers
        check("learning rates", "updates/lr_after_scheduler", {lr[0], lr[2], lr[1]}, 1e-9);
      }
    }
    for (const auto& name : file_.children(at_ + "updates/losses")) {
      INFO("update loss: " << name);
      REQUIRE(history.count(name) == 1);
      const double tolerance = single_ ? std::max(1e-5, 10 * deviation("updates_losses")) : 1e-9;
      check("update losses", "updates/losses/" + name, history[name], tolerance);
    }
    compert::Inspector inspector(model);
    for (const auto& name : file_.children(at_ + "adam_after_all")) moments(inspector, name);
  }

  void parameters_after(const compert::Model& model, const std::string& step) {
    const NamedArrays ours = model.values();
    const double tolerance = single_ ? std::max(1e-5, 10 * deviation("updates_" + step)) : 1e-9;
    for (const auto& name : file_.children(at_ + "updates/" + step)) {
      const std::string folder = "updates/" + step;
      // What the reference keeps and never uses stays as it was.
      const Vector values =
          names_.idle(name) ? file_.read("params/" + name).values : names_.ours(ours, name);
      if (!is_null(name))
        check_named("parameters", folder, name, values, tolerance);
      else if (!single_)
        check_named("null-gradient parameters", folder, name, values, 1e-5);
    }
  }

  void moments(const compert::Inspector& inspector, const std::string& optimizer) {
    const NamedArrays ours = inspector.adam_state(optimizer);
    for (const std::string kind : {"exp_avg", "exp_avg_sq"}) {
      const std::string folder = "adam_after_all/" + optimizer + "/" + kind;
      NamedArrays of_kind;
      for (const auto& [name, value] : ours)
        if (name.rfind(kind + "/", 0) == 0) of_kind[name.substr(kind.size() + 1)] = value;
      for (const auto& name : file_.children(at_ + folder)) {
        if (is_null(name) || names_.idle(name)) continue;
        check_named("moments", folder, name, names_.ours(of_kind, name), 1e-9);
      }
    }
  }

  const File& file_;
  std::string at_;
  bool single_, mixing_ = true;
  Tally& tally_;
  tl::Names names_;
  compert::Settings settings_;
  compert::Architecture architecture_;
  std::set<std::string> null_;
};

}  // namespace

TEST_CASE("the model agrees with theislab/cpa", "[golden]") {
  const auto files = golden::files("tl_");
  INFO("directory " << golden::directory());
  REQUIRE(!files.empty());
  const std::string device = GENERATE("cpu", "privateuseone");
  Tally tally;
  for (const auto& path : files) {
    const File file(path);
    for (const std::string precision : {"f64", "f32"})
      if (file.is_group(precision)) Comparison(file, precision, tally, device).run();
  }
  std::cout << "tl_*.h5, " << device << ": " << files.size() << " files\n" << tally.table() << std::endl;
  CHECK(tally.count() > 100 * files.size());
  CHECK(tally.failures() == 0);
}
