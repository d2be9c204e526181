#include "golden_multi.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace golden {
namespace {

using Json = nlohmann::json;

bool is_total(const File& file) { return file.has("params/protein_mixing_decoder.network.0.weight"); }
bool is_poe(const File& file) { return file.has("params/rna_encoder.network.0.weight"); }
bool is_counts(const File& file) { return file.attribute("loss_ae") == "nb"; }

/// `name` with its beginning changed, where it begins so.
bool renamed(std::string& name, const std::string& from, const std::string& to) {
  if (name.rfind(from, 0) != 0) return false;
  name = to + name.substr(from.size());
  return true;
}

std::string folder(int k) {
  char text[24];
  std::snprintf(text, sizeof text, "noise/%03d", k);
  return text;
}

}  // namespace

Array beside(const Array& left, const Array& right) {
  Array out;
  out.shape = {left.rows(), left.cols() + right.cols()};
  for (std::size_t i = 0; i < left.rows(); ++i) {
    for (std::size_t j = 0; j < left.cols(); ++j) out.values.push_back(left.at(i, j));
    for (std::size_t j = 0; j < right.cols(); ++j) out.values.push_back(right.at(i, j));
  }
  return out;
}

Reference MultiFormat::reference(const File& file, const std::string& precision) const {
  Reference r;
  const bool as_is = file.attribute("labelled_fix") == "none";
  const std::string doser = file.attribute("doser_type");
  Json settings = {{"model", "multicpa"},
                   {"parity", as_is ? "multicpa" : "multicpa_fixed"},
                   {"precision", precision},
                   {"device", "cpu"},
                   {"threads", 1},
                   {"loss_ae", file.attribute("loss_ae")},
                   {"protein_loss", is_total(file) ? "nb_mixture" : file.attribute("loss_ae")},
                   {"fusion", is_poe(file) ? "poe" : "concat"},
                   {"variational", file.attribute("is_vae") == "1"},
                   {"doser_type", doser == "None" ? "linear" : doser},
                   {"decoder_activation", file.attribute("decoder_activation")}};
  const Json hparams = Json::parse(file.attribute("hparams"));
  for (const auto& [key, value] : hparams.items()) settings[key] = value;
  settings["embeddings_lr"] = hparams["autoencoder_lr"];
  r.settings = compert::settings_from_json(settings.dump());
  r.architecture.n_genes = std::stoll(file.attribute("num_genes"));
  r.architecture.n_proteins = std::stoll(file.attribute("num_proteins"));
  r.architecture.n_perturbations = std::stoll(file.attribute("num_drugs"));
  r.architecture.covariate_levels = {std::stoll(file.attribute("num_cell_types"))};
  return r;
}

compert::Design MultiFormat::design(const File& file, const std::string& path,
                                    const std::vector<Array>& covariates) const {
  return design_of_doses(file.read(path + "/drugs"), covariates);
}

Minibatch MultiFormat::minibatch(const File& file, const std::string& path, const Reference&) const {
  const std::string scale = is_counts(file) ? "/raw_" : "/";
  return {beside(file.read(path + scale + "genes"), file.read(path + scale + "proteins")),
          design(file, path, {file.read(path + "/cell_types")})};
}

compert::Inspector::Recorded MultiFormat::recorded(const File& file, int k, bool means) const {
  compert::Inspector::Recorded out;
  out.epoch = k < 0 ? 3 : k;
  out.epochs = 20;
  const std::string at = folder(k < 0 ? 0 : k);
  const std::size_t latents = is_poe(file) ? 3 : 1;
  for (std::size_t c = 0; file.has(at + "/eps_" + std::to_string(c)); ++c) {
    const Array draws = file.read(at + "/eps_" + std::to_string(c));
    compert::Array& one = out.noise.emplace_back();
    if (means && c < latents) continue;
    one = {std::vector<int64_t>(draws.shape.begin(), draws.shape.end()), draws.values};
  }
  return out;
}

bool MultiFormat::moved_by_round_off(const File& file, const std::string& name) const {
  if (is_poe(file) || file.attribute("is_vae") != "1") return false;
  const Json hparams = Json::parse(file.attribute("hparams"));
  const int last = 3 * hparams.at("autoencoder_depth").get<int>();
  return name == "encoder.network." + std::to_string(last) + ".bias" || name == "kl_loss" ||
         name == "kl_loss_latent";
}

std::string MultiFormat::parameter(const File&, const std::string& name) const {
  std::string out = name;
  for (const auto& [from, to] : {std::pair<const char*, const char*>{"rna_encoder.", "encoder."},
                                 {"rna_decoder.", "decoder."},
                                 {"cell_type_embeddings.", "covariates_embeddings.0."},
                                 {"adversary_cell_types.", "adversary_covariates.0."}})
    if (renamed(out, from, to)) break;
  return out;
}

std::string MultiFormat::output(const File&, const std::string& name) const {
  std::string out = name;
  for (const auto& [from, to] :
       {std::pair<const char*, const char*>{"rna_encoder_", "encoder_"},
        {"rna_decoder_", "decoder_"},
        {"cell_type_embedding", "covariate_embedding_sum"},
        {"loss_adv_cell_types", "loss_adv_covariates"},
        {"penalty_adv_cell_types", "penalty_adv_covariates"},
        {"kl_weight", "kl_annealing"}})
    if (renamed(out, from, to)) return out;
  return name == "kl_loss" ? "kl_loss_latent" : name;
}

}  // namespace golden
