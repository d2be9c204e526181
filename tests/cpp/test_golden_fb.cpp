// Agreement of the model with golden files fb_*.h5 (and the model part of metrics_fb*.h5): what
// facebookresearch/CPA 50e283a computes from the same parameters and batches, in both precisions.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "catch_compat.h"
#include "golden_model.h"

namespace {

using golden::File;
using golden::Tally;
using Json = nlohmann::json;

class FbFormat final : public golden::Format {
 public:
  golden::Reference reference(const File& file, const std::string& precision) const override {
    golden::Reference r;
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
    r.architecture.covariate_levels = golden::covariate_levels(file);
    return r;
  }
  compert::Design design(const File& file, const std::string& path,
                         const std::vector<golden::Array>& covariates) const override {
    return golden::design_of_doses(file.read(path + "/drugs"), covariates);
  }
  /// A linear doser has no parameters; the reference keeps two that never move.
  std::string parameter(const File& file, const std::string& name) const override {
    const bool idle = file.attribute("doser_type") == "linear" &&
                      (name == "dosers.beta" || name == "dosers.bias");
    return idle ? "" : name;
  }
};

}  // namespace

TEST_CASE("the model agrees with facebookresearch/CPA", "[golden]") {
  golden::compare_models("fb_", FbFormat(), GENERATE("cpu", "privateuseone"));
}

TEST_CASE("predictions from controls agree with facebookresearch/CPA", "[golden]") {
  const auto files = golden::files("metrics_fb");
  REQUIRE(!files.empty());
  Tally tally;
  for (const auto& path : files) {
    const File file(path);
    const FbFormat format;
    const golden::Reference r = format.reference(file, "float64");
    compert::Model model(r.architecture, r.settings);
    model.set_values(golden::parameters(file, format, model));
    const auto categories = file.read_strings("inputs/categories"), of_cell = file.read_strings("inputs/pert_category");
    const golden::Array controls = file.read("inputs/genes_control");
    const compert::DenseCells cells(controls.values.data(), controls.cols(), controls.rows());
    std::vector<golden::Array> covariates;
    for (std::size_t k = 0; k < r.architecture.covariate_levels.size(); ++k)
      covariates.push_back(file.read("inputs/covariate_" + std::to_string(k)));
    const compert::Design all = golden::design_of_doses(file.read("inputs/drugs"), covariates);
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
