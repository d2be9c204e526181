#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "compert/error.h"
#include "settings_fields.h"

namespace compert {
namespace {

using Json = nlohmann::ordered_json;

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "\"" : ", \"") + w + "\"";
  return out;
}

std::string plain(double v) {
  std::ostringstream out;
  out << v;
  return out.str();
}

std::string allowed(const SettingField& f) {
  if (!f.choices.empty()) return "one of " + join(f.choices);
  if (std::holds_alternative<int64_t Settings::*>(f.member))
    return std::isfinite(f.most) ? "a whole number from " + plain(f.min) + " to " + plain(f.most)
                                 : "a whole number of at least " + plain(f.min);
  if (std::holds_alternative<double Settings::*>(f.member)) {
    if (std::isfinite(f.most)) return "a number from " + plain(f.min) + " to " + plain(f.most);
    return std::isfinite(f.below)
               ? "a number of at least " + plain(f.min) + " and below " + plain(f.below)
               : "a finite number of at least " + plain(f.min);
  }
  if (std::holds_alternative<bool Settings::*>(f.member)) return "true or false";
  return "a text";
}

[[noreturn]] void refuse(const SettingField& f, const Json& value) {
  throw Error(f.name, "must be " + allowed(f), value.dump() + " was given",
              "See cpa_settings() for every setting with its default");
}

void set(Settings& s, const SettingField& f, const Json& value) {
  if (const auto* member = std::get_if<int64_t Settings::*>(&f.member)) {
    if (!value.is_number()) refuse(f, value);
    const double v = value.get<double>();
    if (!std::isfinite(v) || v != std::floor(v) || v < f.min || v > std::min(f.most, 9e15)) refuse(f, value);
    s.**member = static_cast<int64_t>(v);
  } else if (const auto* number = std::get_if<double Settings::*>(&f.member)) {
    if (!value.is_number()) refuse(f, value);
    const double v = value.get<double>();
    if (!std::isfinite(v) || v < f.min || v >= f.below || v > f.most) refuse(f, value);
    s.**number = v;
  } else if (const auto* flag = std::get_if<bool Settings::*>(&f.member)) {
    if (!value.is_boolean()) refuse(f, value);
    s.**flag = value.get<bool>();
  } else {
    if (!value.is_string()) refuse(f, value);
    const auto v = value.get<std::string>();
    if (!f.choices.empty() && std::find(f.choices.begin(), f.choices.end(), v) == f.choices.end())
      refuse(f, value);
    s.*std::get<std::string Settings::*>(f.member) = v;
  }
}

Json get(const Settings& s, const SettingField& f) {
  return std::visit([&s](auto member) { return Json(s.*member); }, f.member);
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t up = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = up;
    }
  }
  return row.back();
}

[[noreturn]] void unknown(const std::string& name) {
  const auto nearest = std::min_element(
      setting_fields().begin(), setting_fields().end(), [&name](const SettingField& a, const SettingField& b) {
        return edit_distance(a.name, name) < edit_distance(b.name, name);
      });
  std::vector<std::string> names;
  for (const auto& f : setting_fields()) names.push_back(f.name);
  throw Error("settings", "must only name known hyperparameters",
              "\"" + name + "\" is unknown; did you mean \"" + nearest->name + "\"?",
              "Known are " + join(names));
}

bool is_multicpa(const Settings& s) { return s.parity.rfind("multicpa", 0) == 0; }

bool is_chemcpa(const Settings& s) { return s.parity.rfind("chemcpa", 0) == 0; }

void check_device(const std::string& device) {
  bool good = device == "auto" || device == "cpu" || device == "cuda" || device == "privateuseone";
  if (device.rfind("cuda:", 0) == 0 && device.size() > 5 && device.size() < 15)  // an index that is a number
    good = std::all_of(device.begin() + 5, device.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!good)
    throw Error("device", "must be \"auto\", \"cpu\", \"cuda\", \"cuda:<index>\" or \"privateuseone\"",
                "\"" + device + "\" was given");
}

void check_frozen(const std::string& frozen) {
  static const std::vector<std::string> known = {"encoder", "decoder", "perturbations", "covariates",
                                                 "dosers"};
  std::istringstream parts(frozen);
  for (std::string part; std::getline(parts, part, ',');)
    if (std::find(known.begin(), known.end(), part) == known.end())
      throw Error("frozen", "must only name parts of the network", "\"" + part + "\" is none",
                  "Parts are " + join(known));
}

/// Settings that contradict each other.
void check_together(const Settings& s) {
  check_frozen(s.frozen);
  if (is_chemcpa(s) && s.model != "chemcpa")
    throw Error("model", "must be \"chemcpa\" with parity \"" + s.parity + "\"",
                "\"" + s.model + "\" was given");
  if (is_chemcpa(s) && s.adversary_steps < 2)
    throw Error("adversary_steps", "must be at least 2 with parity \"" + s.parity + "\"",
                std::to_string(s.adversary_steps) + " was given",
                "There the adversaries have one step of adversary_steps, and the autoencoder has the others");
  if (s.autoencoder_lr == 0 && s.embeddings_lr > 0)
    throw Error("autoencoder_lr", "must be above 0, for the embeddings' rate is kept as a multiple of it",
                "0 was given, and embeddings_lr is " + plain(s.embeddings_lr),
                "To keep the network as it is use fine_tune(freeze = c(\"encoder\", \"decoder\"))");
  if (is_multicpa(s) && (s.model != "multicpa" || s.loss_ae == "zinb"))
    throw Error("parity", "must be \"none\" for this model",
                "theislab/multicpa has no model \"" + s.model + "\" with loss \"" + s.loss_ae + "\"");
  if (s.model == "multicpa" && s.parity != "none" && !is_multicpa(s))
    throw Error("parity", "must be \"none\", \"multicpa\" or \"multicpa_fixed\" for RNA and proteins",
                "\"" + s.parity + "\" was given");
  if (s.model == "multicpa" && s.fusion == "poe" && !s.variational)
    throw Error("variational", "must be TRUE with fusion \"poe\"",
                "experts are multiplied as distributions, and FALSE was given",
                "Leave variational out, or use fusion = \"concat\"");
  if (s.model == "multicpa" && s.reg_multi_task > 0)
    throw Error("reg_multi_task", "must be 0 for RNA and proteins", std::to_string(s.reg_multi_task));
  if (s.distributed && s.model == "multicpa")
    throw Error("distributed", "must be FALSE for RNA and proteins",
                "multicpa() is trained by one process only");
  if (s.decoder_activation == "sigm" && !is_multicpa(s))
    throw Error("decoder_activation", "must be \"linear\" or \"ReLU\" but for parity \"multicpa\"",
                "means would lie between 0 and 1");
  if (s.model == "scgen" && (s.parity != "none" || s.loss_ae != "gauss" || s.mixup_alpha > 0))
    throw Error("model", "must go with loss \"gauss\", no parity and no mixup if it is \"scgen\"",
                "loss_ae \"" + s.loss_ae + "\", parity \"" + s.parity + "\"");
  if (s.model == "scgen" && s.reg_counterfactual > 0)
    throw Error("reg_counterfactual", "must be 0 for scGen",
                plain(s.reg_counterfactual) + " was given, and its network knows no conditions to exchange");
  if (s.reg_multi_task > 0 && (s.mixup_alpha > 0 || s.model == "scgen"))
    throw Error("reg_multi_task", "must be 0 with mixup and for scGen",
                "a mixed cell has no condition of its own, and scGen no embeddings");
  if (is_chemcpa(s) && s.loss_ae != "gauss")
    throw Error("parity", "must be \"none\" for counts: theislab/chemCPA has the Gaussian loss only",
                "loss_ae \"" + s.loss_ae + "\"");
  if (s.reg_counterfactual > 0 && s.loss_ae != "gauss" && (s.parity == "fb" || is_multicpa(s)))
    throw Error("reg_counterfactual", "must be 0 for counts with parity \"" + s.parity + "\"",
                plain(s.reg_counterfactual) + " was given, and that decoder has no library size",
                "Use parity = \"none\"");
  const bool in_steps = s.pretrain_steps > 0, warms_in_steps = s.adversary_warmup_steps > 0;
  if (s.parity != "theislab" && (in_steps || s.pretrain_epochs > 0) && in_steps != warms_in_steps &&
      (warms_in_steps || s.adversary_warmup_epochs > 0))
    throw Error(warms_in_steps ? "adversary_warmup_steps" : "adversary_warmup_epochs",
                "must be counted as pre-training is, after which the warm-up begins",
                std::string("pre-training is in ") + (in_steps ? "steps" : "epochs"),
                std::string("Give adversary_warmup_") + (in_steps ? "steps" : "epochs"));
  if (s.mixup_alpha > 0 && (s.reg_alignment > 0 || s.reg_counterfactual > 0))
    throw Error("mixup_alpha", "must be 0 with reg_alignment or reg_counterfactual",
                "a mixed cell has no condition of its own",
                "Set reg_alignment = 0 and reg_counterfactual = 0 to train with mixup");
  if (s.mixup_alpha > 0 && s.adversary_loss == "bce" && s.parity == "none" &&
      (s.reg_adversary > 0 || s.reg_adversary_cov > 0))
    throw Error("adversary_loss", "must be \"cce\" or \"focal\" with mixup", "\"bce\" was given");
  if (s.parity == "fb" && (s.variational || s.loss_ae == "zinb"))
    throw Error("parity", "must be \"none\" or \"theislab\" for this model",
                "facebookresearch/CPA has neither a variational encoder nor the loss \"zinb\"");
}

/// Each value by itself.
Settings read_settings(const std::string& json) {
  const Json given = Json::parse(json, nullptr, false);
  if (!given.is_object()) throw Error("settings", "must be a JSON object", json.substr(0, 80));
  Settings s = default_settings("none");  // also says which entries choose the defaults
  const auto find = [](const std::string& name) {
    return std::find_if(setting_fields().begin(), setting_fields().end(),
                        [&name](const SettingField& f) { return f.name == name; });
  };
  for (const char* name : {"parity", "model"})
    if (given.contains(name)) set(s, *find(name), given[name]);
  s = default_settings(s.parity, s.model);
  for (const auto& [name, value] : given.items()) {
    const auto f = find(name);
    if (f == setting_fields().end()) unknown(name);
    set(s, *f, value);
  }
  // The references have one rate for the network and its embeddings.
  if (s.parity != "none" && given.contains("autoencoder_lr") && !given.contains("embeddings_lr"))
    s.embeddings_lr = s.autoencoder_lr;
  check_device(s.device);
  return s;
}

}  // namespace

Settings settings_from_json(const std::string& json) {
  Settings s = read_settings(json);
  check_together(s);
  return s;
}

void check_values(const std::string& json) { read_settings(json); }

std::string settings_to_json(const Settings& settings) {
  Json out = Json::object();
  for (const auto& f : setting_fields()) out[f.name] = get(settings, f);
  return out.dump();
}

std::vector<SettingInfo> settings_table(const std::string& parity, const std::string& model) {
  const Settings s = default_settings(parity, model);
  std::vector<SettingInfo> out;
  for (const auto& f : setting_fields()) {
    const char* type = std::holds_alternative<int64_t Settings::*>(f.member)  ? "integer"
                       : std::holds_alternative<double Settings::*>(f.member) ? "number"
                       : std::holds_alternative<bool Settings::*>(f.member)   ? "logical"
                                                                              : "text";
    out.push_back({f.name, type, get(s, f).dump(), allowed(f), f.meaning, is_fixed(f)});
  }
  return out;
}

}  // namespace compert
