// Agreement with every golden file losses*.h5: likelihoods, divergences, classifier losses, dosers
// and positive maps, as the four reference implementations compute them from the inputs in the
// file.
#include <functional>
#include <iostream>
#include <map>

#include "catch_compat.h"
#include "compert/class_losses.h"
#include "compert/divergences.h"
#include "compert/inspect.h"
#include "compert/likelihoods.h"
#include "golden_losses.h"
#include "sweep_elements.h"

namespace {

using golden::Array;
using golden::File;
using golden::Tally;
using namespace golden_losses;

/// Value and derivatives in double precision, and through the sweep of training in single
/// precision for the variances that it can have. Each place is relative to the sum of its terms.
void check_gaussian(const File& file, Tally& tally) {
  Group group(file, "gaussian", tally);
  const Vector y = group.values("y"), m = group.values("mean"), v = group.values("var");
  Vector value, d_mean, d_variance, of_value, of_variance;
  std::vector<bool> reachable;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const compert::GaussianTerm t = compert::gaussian_nll(y[i], m[i], v[i]);
    const double clamped = std::max(v[i], 1e-6), square = (m[i] - y[i]) * (m[i] - y[i]) / clamped;
    value.push_back(t.value);
    d_mean.push_back(t.d_mean);
    d_variance.push_back(t.d_variance);
    of_value.push_back(std::abs(std::log(clamped)) + square);
    of_variance.push_back((1 + square) / clamped);
    reachable.push_back(v[i] > sweep::kReachable);
  }
  const Vector one(y.size(), 1);
  for (const auto& [precision, tolerance] : group.precisions()) {
    const auto add = [&, &p = precision, &within = tolerance](
                         const std::string& name, const Vector& ours, const Vector& scale) {
      group.add(p, name, worst_place(ours, group.result(p, name), scale), within);
    };
    add("gaussian_nll", value, one);
    add("gaussian_nll_dmean", d_mean, one);
    add("gaussian_nll_dvar", d_variance, of_variance);
    for (const std::string& name : group.names(precision)) {
      if (name.find("_from_") == std::string::npos) continue;  // these do not clamp the variance
      const Vector part(value.begin() + static_cast<std::ptrdiff_t>(number_after(name, "_from_")),
                        value.end());
      const bool is_mean = name.find("_mean_") != std::string::npos;
      group.each(precision, name, is_mean ? Vector{mean(part)} : part, tolerance);
    }
  }
  const auto pick = [&](const Vector& values) { return where(values, reachable); };
  const sweep::Elements e =
      sweep::elements<float>(sweep::Family::kGaussian, pick(y), pick(m), pick(v));
  group.add("f32 sweep", "value", worst_place(e.loss, pick(value), pick(of_value)), kSingle);
  group.add("f32 sweep", "d_mean", worst_place(e.d_first, pick(d_mean), pick(one)), kSingle);
  group.add("f32 sweep", "d_variance", worst_place(e.d_second, pick(d_variance), pick(of_variance)),
            kSingle);
  group.finish();
}

/// The plain log(exp(x) + 1) overflows; ours is finite there and equal to softplus everywhere.
void check_positive_maps(const File& file, Tally& tally) {
  Group group(file, "positive_maps", tally);
  const Vector x = group.values("x");
  Vector ours;
  for (const double v : x) ours.push_back(compert::softplus(v) + 1e-3);
  for (const auto& [precision, tolerance] : group.precisions()) {
    for (const std::string name : {"softplus_add_1em3", "exp_add1_log_add_1em3"}) {
      if (!group.has(precision, name)) continue;
      const Vector reference = group.result(precision, name);
      std::vector<bool> finite;
      for (const double v : reference) finite.push_back(std::isfinite(v));
      group.add(precision, name,
                golden::relative_error(where(ours, finite), where(reference, finite)), tolerance);
    }
  }
  // The sweep's variance, from its loss 0.5 log v at an observation that equals the mean.
  Vector variances;
  for (const double v : x) {
    float raw[2] = {0, static_cast<float>(v)};
    variances.push_back(std::exp(2 * compert::gaussian_sweep(raw, sweep::one_cell({0}), raw, false, compert::Spread::kSoftplus)));
  }
  group.add("f32 sweep", "variance", worst_place(variances, ours, Vector(x.size(), 0)), kSingle);
  group.finish();
}

compert::Model doser_model(const std::string& type, const std::string& precision, const Array& beta,
                           const Array& bias) {
  compert::Architecture architecture;
  architecture.n_genes = 2;
  architecture.n_perturbations = static_cast<int64_t>(beta.size());
  compert::Settings settings;
  settings.doser_type = type;
  settings.precision = precision == "f64" ? "float64" : "float32";
  settings.device = "cpu";
  compert::Model model(architecture, settings);
  if (type == "sigm" || type == "logsigm") {
    const std::vector<int64_t> shape = {1, architecture.n_perturbations};
    compert::NamedArrays values = model.values();
    values["dosers.beta"] = {shape, beta.values};
    values["dosers.bias"] = {shape, bias.values};
    model.set_values(values);
  }
  return model;
}

/// Responses of all perturbations to the dose matrix with the gradients of their sum; of one
/// perturbation per row (`index`) to the first dose of the row; of one perturbation to its column.
void check_doser(const File& file, const std::string& type, Tally& tally) {
  const Group inputs(file, "dosers", tally);
  const Array x = inputs.input("x");
  Vector first_dose;
  for (std::size_t i = 0; i < x.rows(); ++i) first_dose.push_back(x.at(i, 0));
  std::vector<int32_t> index;
  for (const double j : inputs.values("index")) index.push_back(static_cast<int32_t>(j));
  Group group(file, "dosers/" + type, tally);
  for (const auto& [precision, tolerance] : group.precisions()) {
    compert::Model model = doser_model(type, precision, inputs.input("beta"), inputs.input("bias"));
    const std::vector<int64_t> shape(x.shape.begin(), x.shape.end());
    compert::NamedArrays ours = compert::Inspector(model).dose_response({shape, x.values});
    const double of_gradient = precision == "f64" ? kDouble : kSingleGradient;
    for (const std::string name : {"value", "chem_value", "multi_value"})
      group.largest(precision, name, ours["value"].values, tolerance);
    group.largest(precision, "dx", ours["dose"].values, of_gradient);
    group.largest(precision, "dbeta", ours["dosers.beta"].values, of_gradient);
    group.largest(precision, "dbias", ours["dosers.bias"].values, of_gradient);
    const Vector indexed = model.dose_response(index, first_dose);
    for (const std::string name : {"tl_index_value", "chem_index_value"})
      group.largest(precision, name, indexed, tolerance);
    for (const std::string& name : group.names(precision)) {
      if (name.find("one_drug_") != 0) continue;
      const auto drug = static_cast<std::size_t>(number_after(name, "one_drug_"));
      Vector column;
      for (std::size_t i = 0; i < x.rows(); ++i) column.push_back(x.at(i, drug));
      const std::vector<int32_t> same(x.rows(), static_cast<int32_t>(drug));
      group.largest(precision, name, model.dose_response(same, column), tolerance);
    }
  }
  group.finish();
}

void check_dosers(const File& file, Tally& tally) {
  for (const std::string& type : file.children("dosers"))
    if (file.is_group("dosers/" + type)) check_doser(file, type, tally);
}

/// Sums over dimensions, means over cells.
void check_kl(const File& file, Tally& tally) {
  Group group(file, "kl", tally);
  const Array mu1 = group.input("mu1");
  const Vector lv1 = group.values("logvar1"), mu2 = group.values("mu2"),
               lv2 = group.values("logvar2");
  const auto cells = static_cast<double>(mu1.rows());
  double standard = 0, between = 0;
  std::map<std::string, Vector> ours;
  for (std::size_t i = 0; i < mu1.size(); ++i) {
    const compert::Gaussian first{mu1.values[i], lv1[i]}, second{mu2[i], lv2[i]};
    const compert::KlTerm s = compert::kl_to_standard(first);
    const compert::KlTerm b = compert::kl_divergence(first, second);
    const compert::ExpertProduct joint = compert::product_of_experts({first, second});
    standard += s.value / cells;
    between += b.value / cells;
    ours["KLD_dmu"].push_back(s.d_first.mean / cells);
    ours["KLD_dlogvar"].push_back(s.d_first.log_variance / cells);
    ours["KLDGaussians_dmu1"].push_back(b.d_first.mean / cells);
    ours["KLDGaussians_dlogvar1"].push_back(b.d_first.log_variance / cells);
    ours["KLDGaussians_dmu2"].push_back(b.d_second.mean / cells);
    ours["KLDGaussians_dlogvar2"].push_back(b.d_second.log_variance / cells);
    ours["poe_mu"].push_back(joint.joint.mean);
    ours["poe_logvar"].push_back(joint.joint.log_variance);
  }
  ours["KLD"] = {standard};
  ours["KLDGaussians"] = {between};
  for (const auto& [precision, tolerance] : group.precisions())
    for (const auto& [name, values] : ours) group.each(precision, name, values, tolerance);
  group.finish();
}

void check_kl_annealing(const File& file, Tally& tally) {
  Group group(file, "kl_annealing", tally);
  const Array in = group.input("epoch_maxepoch_frac");
  Vector ours;
  for (std::size_t i = 0; i < in.rows(); ++i)
    ours.push_back(compert::kl_annealing(static_cast<int64_t>(in.at(i, 0)),
                                         static_cast<int64_t>(in.at(i, 1)), in.at(i, 2)));
  group.add("f64", "alpha", worst_place(ours, group.values("alpha"), Vector(ours.size(), 0)),
            kDouble);
}

void check_focal(const File& file, Tally& tally) {
  using compert::focal_loss;
  using compert::Reduction;
  Group group(file, "focal", tally);
  const Vector logits = group.values("logits"), alpha = group.values("alpha");
  std::vector<int64_t> labels;
  for (const double c : group.values("labels")) labels.push_back(static_cast<int64_t>(c));
  const compert::ClassLoss plain = focal_loss(logits, labels, {}, 2, Reduction::kMean);
  const std::map<std::string, Vector> ours = {
      {"focal", {plain.value}},
      {"focal_grad", plain.gradient},
      {"focal_weighted", {focal_loss(logits, labels, alpha, 2, Reduction::kMean).value}},
      {"focal_weighted_gamma_half_sum",
       {focal_loss(logits, labels, alpha, 0.5, Reduction::kSum).value}},
      {"cross_entropy_weighted",
       {focal_loss(logits, labels, alpha, 0, Reduction::kWeightedMean).value}}};
  for (const auto& [precision, tolerance] : group.precisions())
    for (const auto& [name, values] : ours) group.each(precision, name, values, tolerance);
  group.finish();
}

using Check = void (*)(const File&, Tally&);
const std::map<std::string, Check>& checks() {
  static const std::map<std::string, Check> all = {{"dosers", check_dosers},
                                                   {"focal", check_focal},
                                                   {"gaussian", check_gaussian},
                                                   {"kl", check_kl},
                                                   {"kl_annealing", check_kl_annealing},
                                                   {"nb_grid", check_nb_grid},
                                                   {"nb_invalid", check_nb_invalid},
                                                   {"nb_matrix", check_nb_matrix},
                                                   {"nb_mixture", check_nb_mixture},
                                                   {"positive_maps", check_positive_maps},
                                                   {"zinb_grid", check_zinb_grid}};
  return all;
}

}  // namespace

TEST_CASE("losses and dosers agree with every golden file losses*.h5", "[golden][losses]") {
  const std::vector<std::string> paths = golden::files("losses");
  INFO("directory: " << golden::directory());
  REQUIRE_FALSE(paths.empty());
  Tally tally;
  for (const std::string& path : paths) {
    const File file(path);
    REQUIRE_FALSE(file.children("/").empty());
    for (const std::string& group : file.children("/")) {
      INFO("group of " << file.stem() << ", must have a check: " << group);
      const auto check = checks().find(group);
      CHECK(check != checks().end());
      if (check != checks().end()) check->second(file, tally);
    }
  }
  std::cout << "losses, " << paths.size() << " golden file(s)\n" << tally.table() << std::flush;
  CHECK(tally.failures() == 0);
}
