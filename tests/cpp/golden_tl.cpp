#include "golden_tl.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "compert/metrics.h"

namespace tl {
namespace {

using Json = nlohmann::ordered_json;

Json hparams(const golden::File& file) { return Json::parse(file.attribute("hparams")); }

bool starts(const std::string& s, const std::string& head) { return s.rfind(head, 0) == 0; }

std::string norm(const Json& h, const std::string& part) {
  if (h.at("use_batch_norm_" + part).get<bool>()) return "batch";
  return h.at("use_layer_norm_" + part).get<bool>() ? "layer" : "none";
}

}  // namespace

compert::Settings settings(const golden::File& file, const std::string& precision) {
  const Json h = hparams(file);
  const auto number = [&h](const std::string& name) {
    return h.contains(name) && !h[name].is_null() ? h[name].get<double>() : 0;
  };
  Json s = {{"parity", "theislab"}, {"precision", precision}, {"device", "cpu"}, {"threads", 1}};
  s["loss_ae"] = h["recon_loss"];
  s["doser_type"] = h["doser_type"];
  s["dim"] = h["n_latent"];
  s["autoencoder_width"] = h["n_hidden_encoder"];
  s["autoencoder_depth"] = h["n_layers_encoder"];
  s["decoder_width"] = h["n_hidden_decoder"];
  s["decoder_depth"] = h["n_layers_decoder"];
  s["encoder_norm"] = norm(h, "encoder");
  s["decoder_norm"] = norm(h, "decoder");
  s["adversary_norm"] = norm(h, "adv");
  s["encoder_dropout"] = number("dropout_rate_encoder");
  s["decoder_dropout"] = number("dropout_rate_decoder");
  s["adversary_dropout"] = number("dropout_rate_adv");
  s["variational"] = h["variational"];
  s["adversary_width"] = h["n_hidden_adv"];
  s["adversary_depth"] = h["n_layers_adv"];
  s["adversary_loss"] = h["adv_loss"];
  s["reg_adversary"] = number("reg_adv");
  s["penalty_adversary"] = number("pen_adv");
  s["adversary_steps"] = number("adv_steps");
  s["autoencoder_lr"] = s["embeddings_lr"] = number("lr");
  s["autoencoder_wd"] = number("wd");
  s["dosers_lr"] = number("doser_lr");
  s["dosers_wd"] = number("doser_wd");
  s["adversary_lr"] = number("adv_lr");
  s["adversary_wd"] = number("adv_wd");
  s["step_size_lr"] = number("step_size_lr");
  s["clip_grad_norm"] = h["do_clip_grad"].get<bool>() ? number("gradient_clip_value") : 0;
  s["pretrain_steps"] = number("n_steps_pretrain_ae");
  s["adversary_warmup_steps"] = number("n_steps_adv_warmup");
  return compert::settings_from_json(s.dump());
}

Names::Names(const golden::File& file) : file_(file) {
  const Json h = hparams(file);
  for (const auto& [name, levels] : h["covars_encoder"].items()) {
    covariates_.push_back(name);
    levels_.push_back(levels.get<int64_t>());
  }
  dim_ = h["n_latent"].get<std::size_t>();
  genes_ = h["n_genes"].get<std::size_t>();
  encoder_layers_ = h["n_layers_encoder"];
  decoder_layers_ = h["n_layers_decoder"];
  adversary_layers_ = h["n_layers_adv"];
  perturbations_ = h["n_perts"].get<int64_t>() - 1;
  loss_ = h["recon_loss"];
  doser_ = h["doser_type"];
}

compert::Architecture Names::architecture() const {
  compert::Architecture a;
  a.n_genes = static_cast<int64_t>(genes_);
  a.n_perturbations = perturbations_;
  a.covariate_levels = levels_;
  const std::string map = "params/module.pert_network.pert_transformation.weight";
  if (file_.has(map)) a.n_features = static_cast<int64_t>(file_.read(map).cols());
  const bool focal = file_.has("params/adv_loss_drugs.nll_loss.weight");
  a.condition_weight =
      file_.read(focal ? "params/adv_loss_drugs.nll_loss.weight" : "params/adv_loss_drugs.weight").values;
  return a;
}

bool Names::idle(const std::string& name) const {
  if (starts(name, "adv_loss_drugs") || starts(name, "module.decoder.px_r_decoder")) return true;
  if (starts(name, "module.decoder.px_dropout_decoder")) return loss_ != "zinb";
  return starts(name, "module.pert_network.dosers.") && doser_ == "linear";
}

Names::Place Names::place(const std::string& name) const {
  const std::string leaf = name.substr(name.rfind('.') + 1);
  // "<part>Layer <i>.<0 linear, 1 norm>.<leaf>"
  const auto layer = [&](const std::string& part, const std::string& ours) -> Place {
    const std::string rest = name.substr(part.size() + 6);
    const int64_t i = std::stoll(rest.substr(0, rest.find('.')));
    const bool linear = rest[rest.find('.') + 1] == '0';
    return {ours + ".network." + std::to_string(3 * i + (linear ? 0 : 1)) + "." + leaf};
  };
  const auto last = [&](const std::string& ours, int64_t layers, std::size_t first_row) -> Place {
    std::size_t cols = 1;
    if (leaf == "weight") cols = file_.read("params/" + name).cols();
    return {ours + ".network." + std::to_string(3 * layers) + "." + leaf, 0, first_row * cols};
  };
  const auto classifier = [&](const std::string& part, const std::string& ours) -> Place {
    const std::string hidden = part + ".classifier.0.fc_layers.";
    return starts(name, hidden) ? layer(hidden, ours) : last(ours, adversary_layers_, 0);
  };
  if (name == "module.px_r") return {"dispersion"};
  if (starts(name, "adv_loss_drugs")) return {"adversary_condition_weight"};
  if (name == "module.pert_network.pert_embedding.weight") {
    const bool features = file_.has("params/module.pert_network.pert_transformation.weight");
    return {features ? "perturbation_features" : "drug_embeddings.weight",
            file_.read("params/" + name).cols()};
  }
  if (starts(name, "module.pert_network.pert_transformation.")) return {"drug_embedding_encoder.network.0." + leaf};
  if (starts(name, "module.pert_network.dosers.")) return {"dosers." + leaf, 1};
  for (std::size_t k = 0; k < covariates_.size(); ++k) {
    const std::string index = std::to_string(k);
    if (starts(name, "module.covars_embeddings." + covariates_[k] + "."))
      return {"covariates_embeddings." + index + ".weight"};
    if (starts(name, "covars_classifiers." + covariates_[k] + "."))
      return classifier("covars_classifiers." + covariates_[k], "adversary_covariates." + index);
  }
  if (starts(name, "perturbation_classifier.")) return classifier("perturbation_classifier", "adversary_drugs");
  for (const std::string part : {"module.encoder.network.fc_layers.", "module.encoder.encoder.fc_layers."})
    if (starts(name, part)) return layer(part, "encoder");
  if (starts(name, "module.encoder.z.") || starts(name, "module.encoder.mean_encoder."))
    return last("encoder", encoder_layers_, 0);
  if (starts(name, "module.encoder.var_encoder.")) return last("encoder", encoder_layers_, dim_);
  for (const std::string part : {"module.decoder.px_decoder.fc_layers.", "module.decoder.encoder.fc_layers."})
    if (starts(name, part)) return layer(part, "decoder");
  if (starts(name, "module.decoder.px_scale_decoder.0.") || starts(name, "module.decoder.mean_encoder."))
    return last("decoder", decoder_layers_, 0);
  if (starts(name, "module.decoder.px_dropout_decoder.") || starts(name, "module.decoder.var_encoder."))
    return last("decoder", decoder_layers_, genes_);
  throw std::runtime_error("no place for " + name);
}

void Names::write(const golden::File& file, const std::string& folder,
                  compert::NamedArrays& ours) const {
  for (const auto& name : file.children(folder)) {
    if (idle(name) && !starts(name, "adv_loss_drugs")) continue;
    const Place p = place(name);
    const golden::Array theirs = file.read(folder + "/" + name);
    if (ours.count(p.ours) == 0) throw std::runtime_error("our model has no " + p.ours);
    auto& values = ours.at(p.ours).values;
    if (p.offset + theirs.size() - p.padding > values.size())
      throw std::runtime_error(name + " does not fit into " + p.ours);
    std::copy(theirs.values.begin() + static_cast<std::ptrdiff_t>(p.padding), theirs.values.end(),
              values.begin() + static_cast<std::ptrdiff_t>(p.offset));
  }
}

std::vector<double> Names::ours(const compert::NamedArrays& arrays, const std::string& name) const {
  const Place p = place(name);
  const std::size_t n = file_.read("params/" + name).size() - p.padding;
  const auto first = arrays.at(p.ours).values.begin() + static_cast<std::ptrdiff_t>(p.offset);
  return {first, first + static_cast<std::ptrdiff_t>(n)};
}

std::vector<double> Names::theirs(const golden::Array& array, const std::string& name) const {
  const std::size_t padding = idle(name) ? 0 : place(name).padding;
  return {array.values.begin() + static_cast<std::ptrdiff_t>(padding), array.values.end()};
}

Minibatch::Minibatch(const golden::File& file, const std::string& path,
                     const std::vector<std::string>& covariates)
    : x_(file.read(path + "/X")) {
  const golden::Array perts = file.read(path + "/perts"), doses = file.read(path + "/perts_doses"),
                      condition = file.read(path + "/condition"), category = file.read(path + "/CPA_cat");
  design_.n = x_.rows();
  design_.n_slots = perts.cols();
  design_.n_covariates = covariates.size();
  std::vector<golden::Array> levels;
  for (const auto& name : covariates) levels.push_back(file.read(path + "/" + name));
  for (std::size_t i = 0; i < design_.n; ++i) {
    for (std::size_t m = 0; m < design_.n_slots; ++m) {
      design_.perturbation.push_back(static_cast<int32_t>(perts.at(i, m)) - 1);
      design_.dose.push_back(perts.at(i, m) > 0 ? doses.at(i, m) : 0);
    }
    for (const auto& level : levels) design_.covariate.push_back(static_cast<int32_t>(level.at(i, 0)));
    design_.condition.push_back(static_cast<int32_t>(condition.at(i, 0)));
    category_.push_back(static_cast<int32_t>(category.at(i, 0)));
  }
}

std::vector<int32_t> Minibatch::covariate(std::size_t k) const {
  std::vector<int32_t> out;
  for (std::size_t i = 0; i < design_.n; ++i)
    out.push_back(design_.covariate[i * design_.n_covariates + k]);
  return out;
}

BatchR2 batch_r2(const compert::NamedArrays& forward, const Minibatch& batch) {
  const bool counts = forward.count("library") > 0;
  const auto& x = forward.at("input").values;
  const auto& mean = forward.at("reconstruction_means").values;
  const auto& variance = forward.at("reconstruction_variances").values;
  const std::size_t n = batch.category().size(), genes = x.size() / n;
  std::map<int32_t, std::vector<std::size_t>> categories;
  for (std::size_t i = 0; i < n; ++i) categories[batch.category()[i]].push_back(i);
  const auto scale = [counts](double v) { return counts ? std::log1p(v) : v; };
  const auto zero = [](double v) { return std::isnan(v) ? 0 : v; };
  BatchR2 out;
  for (const auto& [category, cells] : categories) {
    std::vector<double> m(genes), p(genes), s(genes), q(genes);
    const auto size = static_cast<double>(cells.size());
    for (std::size_t g = 0; g < genes; ++g) {
      for (const std::size_t i : cells) {
        m[g] += scale(x[i * genes + g]) / size;
        p[g] += scale(mean[i * genes + g]) / size;
      }
      for (const std::size_t i : cells) {
        const double a = scale(x[i * genes + g]) - m[g], b = scale(mean[i * genes + g]) - p[g];
        s[g] += a * a / (size - 1);
        q[g] += counts ? b * b / (size - 1) : variance[i * genes + g] / size;
      }
    }
    out.mean += zero(compert::r2(m, p)) / static_cast<double>(categories.size());
    out.variance += zero(compert::r2(s, q)) / static_cast<double>(categories.size());
  }
  return out;
}

namespace {

std::vector<int32_t> guesses(const compert::Array& logits) {
  const auto classes = static_cast<std::ptrdiff_t>(logits.shape[1]);
  std::vector<int32_t> out;
  for (auto row = logits.values.begin(); row != logits.values.end(); row += classes)
    out.push_back(static_cast<int32_t>(std::max_element(row, row + classes) - row));
  return out;
}

}  // namespace

double accuracy(const compert::Array& logits, const std::vector<int32_t>& labels) {
  const auto guess = guesses(logits);
  double right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += guess[i] == labels[i];
  return right / static_cast<double>(labels.size());
}

double macro_accuracy(const compert::Array& logits, const std::vector<int32_t>& labels) {
  const auto guess = guesses(logits);
  std::set<int32_t> classes(labels.begin(), labels.end());
  classes.insert(guess.begin(), guess.end());
  double sum = 0;
  for (const int32_t c : classes) {
    double there = 0, right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      there += labels[i] == c;
      right += labels[i] == c && guess[i] == c;
    }
    sum += there > 0 ? right / there : 0;
  }
  return sum / static_cast<double>(classes.size());
}

std::vector<double> square_roots(std::vector<double> values) {
  for (double& v : values) v = std::sqrt(v);
  return values;
}

}  // namespace tl
