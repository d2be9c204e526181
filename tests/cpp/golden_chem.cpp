#include "golden_chem.h"

#include <map>
#include <nlohmann/json.hpp>

namespace golden {
namespace {

using Json = nlohmann::json;

/// An attribute, or what the reference's default is.
std::string said(const File& file, const std::string& name, const std::string& otherwise) {
  return file.has_attribute(name) ? file.attribute(name) : otherwise;
}

bool by_index(const File& file) { return said(file, "use_drugs_idx", "1") == "1"; }

/// In its CPA mode the reference has a table of embeddings and no encoder.
bool has_features(const File& file) {
  return file.has("params/drug_embedding_encoder.network.0.weight");
}

compert::Model model_of(const File& file) {
  const ChemFormat format;
  const Reference r = format.reference(file, "float64");
  compert::Model model(r.architecture, r.settings);
  model.set_values(parameters(file, format, model));
  return model;
}

}  // namespace

Reference ChemFormat::reference(const File& file, const std::string& precision) const {
  Reference r;
  const std::string doser = file.attribute("doser_type");
  Json settings = {{"parity", "chemcpa"}, {"precision", precision}, {"device", "cpu"}, {"threads", 1},
                   {"doser_type", doser == "None" ? "linear" : doser},
                   {"use_drugs_idx", by_index(file)},
                   {"reg_adversary_cov", 1},
                   {"decoder_activation", said(file, "decoder_activation", "linear")}};
  const Json hparams = Json::parse(file.attribute("hparams"));
  for (const auto& [key, value] : hparams.items()) settings[key] = value;
  settings["embeddings_lr"] = hparams["autoencoder_lr"];
  r.settings = compert::settings_from_json(settings.dump());
  r.architecture.n_genes = std::stoll(file.attribute("num_genes"));
  if (const int64_t appended = std::stoll(said(file, "append_layer_width", "0")); appended > 0) {
    r.architecture.n_genes_inner =
        static_cast<int64_t>(file.read("params/encoder.network.henc_linear.bias").size());
    r.architecture.n_genes = appended;
  }
  r.architecture.n_perturbations = std::stoll(file.attribute("num_drugs"));
  r.architecture.covariate_levels = covariate_levels(file);
  if (has_features(file)) {
    const Array table = file.read("params/drug_embeddings.weight");
    r.architecture.n_features = static_cast<int64_t>(table.cols());
    r.architecture.features = table.values;
  }
  return r;
}

compert::Design ChemFormat::design(const File& file, const std::string& path,
                       const std::vector<Array>& covariates) const {
  if (file.has(path + "/drugs")) return design_of_doses(file.read(path + "/drugs"), covariates);
  const Array drugs = file.read(path + "/drugs_idx"), doses = file.read(path + "/dosages");
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
    for (const auto& c : covariates) d.covariate.push_back(argmax(c, i));
  }
  return d;
}

std::string ChemFormat::parameter(const File& file, const std::string& name) const {
  if (name == "drug_embeddings.weight" && has_features(file)) return "perturbation_features";
  const bool idle = file.attribute("doser_type") == "None" && name.rfind("dosers.", 0) == 0;
  return idle ? "" : name;
}

std::string ChemFormat::output(const File&, const std::string& name) const {
  static const std::map<std::string, std::string> names = {
      {"adversary_covariates_loss", "loss_adv_covariates"},
      {"adversary_drugs_loss", "loss_adv_drugs"},
      {"reconstruction_loss", "loss_reconstruction"},
      {"grad_norm_autoencoder_dosers", "gradient_norms"},
      {"clip_norms_autoencoder_dosers", "gradient_norms"}};
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

void ChemFormat::complete(const File& file, compert::NamedArrays& forward) const {
  const bool bounded_later = file.attribute("doser_type") == "amortized";
  const compert::Array doses = forward.at(bounded_later ? "slot_raw" : "slot_responses"),
                       embeddings = forward.at("slot_embeddings");
  if (!by_index(file)) {
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

ChemModel::ChemModel(const File& file) : model_(model_of(file)) {}

Prediction ChemModel::predict(const std::vector<double>& cells, std::size_t drug, double dose,
                              std::size_t cell_type) const {
  const auto genes = static_cast<std::size_t>(model_.architecture().n_genes);
  const std::size_t n = cells.size() / genes;
  compert::Design own, target;
  own.n = n;
  own.n_covariates = 1;
  own.perturbation.assign(n, 0);
  own.dose.assign(n, 1);
  own.covariate.assign(n, 0);
  target.n = target.n_covariates = 1;
  target.perturbation = {static_cast<int32_t>(drug)};
  target.dose = {dose};
  target.covariate = {static_cast<int32_t>(cell_type)};
  std::vector<std::vector<int64_t>> source(1);
  for (std::size_t i = 0; i < n; ++i) source[0].push_back(static_cast<int64_t>(i));
  Prediction out{std::vector<double>(cells.size()), std::vector<double>(cells.size())};
  model_.predict_cells(compert::DenseCells(cells.data(), genes, n), own, target, source, {},
                       out.mean.data(), out.variance.data());
  return out;
}

}  // namespace golden
