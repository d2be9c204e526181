#include "compert/settings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <variant>

#include "compert/error.h"

namespace compert {
namespace {

using Json = nlohmann::ordered_json;
using Member = std::variant<int64_t Settings::*, double Settings::*, std::string Settings::*>;

struct Field {
  std::string name;
  Member member;
  double min = -std::numeric_limits<double>::infinity();
  std::vector<std::string> choices{};
  std::string meaning{};
};

const std::vector<Field>& fields() {
  static const std::vector<Field> all = {
      {"loss_ae", &Settings::loss_ae, 0, {"gauss", "nb"},
       "likelihood: Gaussian on log-normalised values, or negative binomial on counts"},
      {"doser_type", &Settings::doser_type, 0, {"linear", "sigm", "logsigm", "mlp"},
       "dose-response curve of each perturbation"},
      {"decoder_activation", &Settings::decoder_activation, 0, {"linear", "ReLU"},
       "activation of the decoded means (Gaussian likelihood)"},
      {"dim", &Settings::dim, 1, {}, "width of the latent space"},
      {"autoencoder_width", &Settings::autoencoder_width, 1, {},
       "width of the hidden layers of encoder and decoder"},
      {"autoencoder_depth", &Settings::autoencoder_depth, 1, {},
       "hidden layers of encoder and of decoder"},
      {"dosers_width", &Settings::dosers_width, 1, {}, "width of the dosers (doser_type mlp)"},
      {"dosers_depth", &Settings::dosers_depth, 1, {}, "hidden layers of the dosers (mlp)"},
      {"adversary_width", &Settings::adversary_width, 1, {}, "width of the adversaries"},
      {"adversary_depth", &Settings::adversary_depth, 1, {}, "hidden layers of the adversaries"},
      {"reg_adversary", &Settings::reg_adversary, 0, {},
       "weight of the adversaries in the autoencoder's objective; 0 = none are trained"},
      {"penalty_adversary", &Settings::penalty_adversary, 0, {},
       "weight of the gradient penalty in the adversaries' objective"},
      {"reg_alignment", &Settings::reg_alignment, 0, {},
       "weight of the alignment of basal states: their dependence on the perturbation, given the "
       "covariates, as a share of energy distances; 0 = off"},
      {"autoencoder_lr", &Settings::autoencoder_lr, 0, {},
       "learning rate of encoder and decoder"},
      {"autoencoder_wd", &Settings::autoencoder_wd, 0, {},
       "weight decay of encoder, decoder and embeddings"},
      {"embeddings_lr", &Settings::embeddings_lr, 0, {},
       "learning rate of perturbation and covariate embeddings"},
      {"dosers_lr", &Settings::dosers_lr, 0, {}, "learning rate of the dosers"},
      {"dosers_wd", &Settings::dosers_wd, 0, {}, "weight decay of the dosers"},
      {"adversary_lr", &Settings::adversary_lr, 0, {}, "learning rate of the adversaries"},
      {"adversary_wd", &Settings::adversary_wd, 0, {}, "weight decay of the adversaries"},
      {"adversary_steps", &Settings::adversary_steps, 1, {},
       "length of the alternating cycle: one autoencoder step, then adversary_steps - 1 adversary "
       "steps (1: the adversaries are never trained)"},
      {"batch_size", &Settings::batch_size, 2, {}, "cells in a mini-batch"},
      {"step_size_lr", &Settings::step_size_lr, 1, {},
       "evaluations after which every learning rate falls to a tenth"},
      {"epochs", &Settings::epochs, 0, {},
       "passes over the training cells; 0 = chosen from their number"},
      {"max_minutes", &Settings::max_minutes, 0, {}, "time limit of training; 0 = none"},
      {"checkpoint_freq", &Settings::checkpoint_freq, 1, {},
       "epochs between evaluations of the test cells (and checkpoints)"},
      {"patience", &Settings::patience, 0, {},
       "evaluations without a better score after which training stops"},
      {"checkpoint", &Settings::checkpoint, 0, {},
       "file that keeps the fit at every evaluation; empty = none"},
      {"device", &Settings::device, 0, {}, "auto, cpu, cuda or cuda:<index>"},
      {"precision", &Settings::precision, 0, {"float32", "float64"}, "arithmetic"},
      {"threads", &Settings::threads, 0, {}, "threads; 0 = OMP_NUM_THREADS, or else every core"},
      {"seed", &Settings::seed, 0, {}, "initialisation, shuffling"},
      {"parity", &Settings::parity, 0, {"none", "fb"},
       "none = fixed behaviour; fb = facebookresearch/CPA, its defaults and its quirks"},
  };
  return all;
}

Settings defaults(const std::string& parity) {
  Settings s;
  s.parity = parity;
  if (parity == "fb") {  // facebookresearch/CPA 50e283a, cpa/model.py and cpa/train.py
    s.dim = 128;
    s.autoencoder_width = 128;
    s.autoencoder_depth = 3;
    s.dosers_width = 128;
    s.dosers_depth = 2;
    s.adversary_width = 64;
    s.adversary_depth = 2;
    s.reg_adversary = 60;
    s.penalty_adversary = 60;
    s.reg_alignment = 0;
    s.autoencoder_lr = 3e-4;
    s.autoencoder_wd = 4e-7;
    s.embeddings_lr = 3e-4;
    s.dosers_lr = 4e-3;
    s.dosers_wd = 1e-7;
    s.adversary_lr = 3e-4;
    s.adversary_wd = 4e-7;
    s.batch_size = 256;
    s.doser_type = "mlp";
    s.checkpoint_freq = 20;
    s.patience = 20;
    s.epochs = 2000;
    s.max_minutes = 300;
  }
  return s;
}

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

std::string allowed(const Field& f) {
  if (!f.choices.empty()) return "one of " + join(f.choices);
  if (std::holds_alternative<int64_t Settings::*>(f.member))
    return "a whole number of at least " + plain(f.min);
  if (std::holds_alternative<double Settings::*>(f.member))
    return "a finite number of at least " + plain(f.min);
  return "a text";
}

[[noreturn]] void refuse(const Field& f, const Json& value) {
  throw Error(f.name, "must be " + allowed(f), value.dump() + " was given",
              "See cpa_settings() for every setting with its default");
}

void set(Settings& s, const Field& f, const Json& value) {
  if (const auto* member = std::get_if<int64_t Settings::*>(&f.member)) {
    if (!value.is_number()) refuse(f, value);
    const double v = value.get<double>();
    if (!std::isfinite(v) || v != std::floor(v) || v < f.min || std::abs(v) > 9e15) refuse(f, value);
    s.**member = static_cast<int64_t>(v);
  } else if (const auto* number = std::get_if<double Settings::*>(&f.member)) {
    if (!value.is_number()) refuse(f, value);
    const double v = value.get<double>();
    if (!std::isfinite(v) || v < f.min) refuse(f, value);
    s.**number = v;
  } else {
    if (!value.is_string()) refuse(f, value);
    const auto v = value.get<std::string>();
    if (!f.choices.empty() && std::find(f.choices.begin(), f.choices.end(), v) == f.choices.end())
      refuse(f, value);
    s.*std::get<std::string Settings::*>(f.member) = v;
  }
}

Json get(const Settings& s, const Field& f) {
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
      fields().begin(), fields().end(), [&name](const Field& a, const Field& b) {
        return edit_distance(a.name, name) < edit_distance(b.name, name);
      });
  std::vector<std::string> names;
  for (const auto& f : fields()) names.push_back(f.name);
  throw Error("settings", "must only name known hyperparameters",
              "\"" + name + "\" is unknown; did you mean \"" + nearest->name + "\"?",
              "Known are " + join(names));
}

void check_device(const std::string& device) {
  bool good = device == "auto" || device == "cpu" || device == "cuda";
  if (device.rfind("cuda:", 0) == 0 && device.size() > 5)
    good = std::all_of(device.begin() + 5, device.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!good)
    throw Error("device", "must be \"auto\", \"cpu\", \"cuda\" or \"cuda:<index>\"",
                "\"" + device + "\" was given");
}

}  // namespace

Settings settings_from_json(const std::string& json) {
  const Json given = Json::parse(json, nullptr, false);
  if (!given.is_object()) throw Error("settings", "must be a JSON object", json.substr(0, 80));
  Settings s = defaults("none");
  const auto find = [](const std::string& name) {
    return std::find_if(fields().begin(), fields().end(),
                        [&name](const Field& f) { return f.name == name; });
  };
  if (given.contains("parity")) {
    set(s, *find("parity"), given["parity"]);
    s = defaults(s.parity);
  }
  for (const auto& [name, value] : given.items()) {
    const auto f = find(name);
    if (f == fields().end()) unknown(name);
    set(s, *f, value);
  }
  check_device(s.device);
  return s;
}

std::string settings_to_json(const Settings& settings) {
  Json out = Json::object();
  for (const auto& f : fields()) out[f.name] = get(settings, f);
  return out.dump();
}

std::vector<SettingInfo> settings_table(const std::string& parity) {
  const Settings s = defaults(parity);
  std::vector<SettingInfo> out;
  for (const auto& f : fields()) {
    const char* type = std::holds_alternative<int64_t Settings::*>(f.member)  ? "integer"
                       : std::holds_alternative<double Settings::*>(f.member) ? "number"
                                                                              : "text";
    out.push_back({f.name, type, get(s, f).dump(), allowed(f), f.meaning});
  }
  return out;
}

}  // namespace compert
