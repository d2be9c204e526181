// Agreement of the model with golden files chem_*.h5: what theislab/chemCPA 43e830e computes from the
// same parameters and batches, in both precisions.
#include <nlohmann/json.hpp>

#include "catch_compat.h"
#include "golden_model.h"

namespace {

using golden::File;
using Json = nlohmann::json;

class ChemFormat final : public golden::Format {
 public:
  golden::Reference reference(const File& file, const std::string& precision) const override {
    golden::Reference r;
    const std::string doser = file.attribute("doser_type");
    Json settings = {{"parity", "chemcpa"}, {"precision", precision}, {"device", "cpu"}, {"threads", 1},
                     {"doser_type", doser == "None" ? "linear" : doser},
                     {"use_drugs_idx", file.attribute("use_drugs_idx") == "1"},
                     {"decoder_activation", file.attribute("decoder_activation")}};
    const Json hparams = Json::parse(file.attribute("hparams"));
    for (const auto& [key, value] : hparams.items()) settings[key] = value;
    settings["embeddings_lr"] = hparams["autoencoder_lr"];
    r.settings = compert::settings_from_json(settings.dump());
    r.architecture.n_genes = std::stoll(file.attribute("num_genes"));
    if (const int64_t appended = std::stoll(file.attribute("append_layer_width")); appended > 0) {
      r.architecture.n_genes_inner =
          static_cast<int64_t>(file.read("params/encoder.network.henc_linear.bias").size());
      r.architecture.n_genes = appended;
    }
    r.architecture.n_perturbations = std::stoll(file.attribute("num_drugs"));
    r.architecture.covariate_levels = golden::covariate_levels(file);
    if (has_features(file)) {
      const golden::Array table = file.read("params/drug_embeddings.weight");
      r.architecture.n_features = static_cast<int64_t>(table.cols());
      r.architecture.features = table.values;
    }
    return r;
  }

  compert::Design design(const File& file, const std::string& path,
                         const std::vector<golden::Array>& covariates) const override {
    if (file.has(path + "/drugs")) return golden::design_of_doses(file.read(path + "/drugs"), covariates);
    const golden::Array drugs = file.read(path + "/drugs_idx"), doses = file.read(path + "/dosages");
    compert::Design d;
    d.n = drugs.rows();
    d.n_slots = drugs.cols();
    d.n_covariates = covariates.size();
    for (std::size_t i = 0; i < d.n; ++i) {
      for (std::size_t m = 0; m < d.n_slots; ++m) {
        const bool padding = drugs.at(i, m) == 0 && doses.at(i, m) == 0;
        d.perturbation.push_back(padding ? -1 : static_cast<int32_t>(drugs.at(i, m)));
        d.dose.push_back(doses.at(i, m));
      }
      for (const auto& c : covariates) d.covariate.push_back(golden::argmax(c, i));
    }
    return d;
  }

  std::string parameter(const File& file, const std::string& name) const override {
    if (name == "drug_embeddings.weight" && has_features(file)) return "perturbation_features";
    const bool idle = file.attribute("doser_type") == "None" && name.rfind("dosers.", 0) == 0;
    return idle ? "" : name;
  }

  std::string output(const File&, const std::string& name) const override {
    static const std::map<std::string, std::string> names = {
        {"adversary_covariates_loss", "loss_adv_covariates"},
        {"adversary_drugs_loss", "loss_adv_drugs"},
        {"reconstruction_loss", "loss_reconstruction"},
        {"grad_norm_autoencoder_dosers", "gradient_norms"},
        {"clip_norms_autoencoder_dosers", "gradient_norms"}};
    const auto found = names.find(name);
    return found == names.end() ? name : found->second;
  }

  void complete(const File& file, compert::NamedArrays& forward) const override {
    const bool bounded_later = file.attribute("doser_type") == "amortized";
    const compert::Array doses = forward.at(bounded_later ? "slot_raw" : "slot_responses"),
                         embeddings = forward.at("slot_embeddings");
    if (file.attribute("use_drugs_idx") != "1") {
      forward["doser_output_call_0"] = doses;
      forward["encoded_drug_embedding_call_0"] = embeddings;
      return;
    }
    const auto n = doses.shape[0], slots = doses.shape[1], dim = embeddings.shape[2];
    for (int64_t m = 0; m < slots; ++m) {
      compert::Array dose{{n}, {}}, embedding{{n, dim}, {}};
      for (int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<std::ptrdiff_t>(i * slots + m);
        dose.values.push_back(*(doses.values.begin() + at));
        embedding.values.insert(embedding.values.end(), embeddings.values.begin() + at * dim,
                                embeddings.values.begin() + (at + 1) * dim);
      }
      forward["doser_output_call_" + std::to_string(m)] = dose;
      forward["encoded_drug_embedding_call_" + std::to_string(m)] = embedding;
    }
  }

 private:
  /// In its CPA mode the reference has a table of embeddings and no encoder.
  static bool has_features(const File& file) {
    return file.has("params/drug_embedding_encoder.network.0.weight");
  }
};

}  // namespace

TEST_CASE("the model agrees with theislab/chemCPA", "[golden]") {
  golden::compare_models("chem_", ChemFormat());
}
