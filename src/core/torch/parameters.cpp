#include "parameters.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "upload.h"

namespace compert {
namespace {

std::string stacked_name(const std::string& name, int64_t index) {
  std::string out = name;
  return out.replace(out.find('*'), 1, std::to_string(index));
}

/// Every array that `t`, which belongs to `p`, is saved as.
void visit_parts(const ParameterStore::Visit& visit, const std::string& prefix, const Parameter& p,
                 const Tensor& t) {
  if (!p.is_stack()) return visit(prefix + p.name, to_array(t));
  for (int64_t i = 0; i < t.size(0); ++i) visit(prefix + stacked_name(p.name, i), to_array(t[i]));
}

ParameterStore::Visit into(NamedArrays& out) {
  return [&out](const std::string& name, Array&& array) { out[name] = std::move(array); };
}

}  // namespace

const char* group_name(Group group) {
  switch (group) {
    case Group::kAutoencoder: return "autoencoder";
    case Group::kAdversaries: return "adversaries";
    case Group::kDosers: return "dosers";
    case Group::kFixed: return "fixed";
  }
  return "";
}

void ParameterStore::freeze(const std::string& parts) {
  static const std::map<std::string, std::vector<std::string>> beginnings = {
      {"encoder", {"encoder."}},
      {"decoder", {"decoder.", "dispersion"}},
      {"perturbations", {"drug_embedding", "molecule_network."}},
      {"covariates", {"covariates_embeddings.", "continuous_"}},
      {"dosers", {"dosers."}}};
  std::istringstream list(parts);
  for (std::string part; std::getline(list, part, ',');)
    for (const auto& beginning : beginnings.at(part)) frozen_.push_back(beginning);
}

// The layers for other genes are new, and so are always trained.
bool ParameterStore::is_frozen(const std::string& name) const {
  if (name.find(".henc_") != std::string::npos || name.find(".hdec_") != std::string::npos) return false;
  return std::any_of(frozen_.begin(), frozen_.end(), [&name](const std::string& beginning) {
    return name.rfind(beginning, 0) == 0;
  });
}

Parameter* ParameterStore::add(std::string name, const Tensor& init, Group group, bool transposed,
                               double lr_factor) {
  if (is_frozen(name)) group = Group::kFixed;
  parameters_.push_back({std::move(name), init, group, transposed, lr_factor});
  return &parameters_.back();
}

Buffer* ParameterStore::add_buffer(std::string name, const Tensor& init) {
  buffers_.push_back({std::move(name), init});
  return &buffers_.back();
}

Tensor ParameterStore::view(const Tensor& flat, const Parameter& p) const {
  std::size_t index = 0;
  while (&parameters_[index] != &p) ++index;
  const Tensor part = flat.narrow(0, offsets_[index], p.value.numel());
  if (!p.transposed) return part.view(p.value.sizes());
  return part.view({p.value.size(1), p.value.size(0)}).t();
}

void ParameterStore::add_runs(const Parameter& p) {
  Adam& a = adam(p.group);
  const int64_t begin = a.runs.empty() ? 0 : a.runs.back().end, n = p.value.numel();
  offsets_.push_back(begin);
  if (p.idle == Idle::kMoves) {
    if (a.runs.empty() || a.runs.back().lr_factor != p.lr_factor || a.runs.back().network >= 0)
      a.runs.push_back({begin, begin, p.lr_factor, -1});
    a.runs.back().end += n;
    return;
  }
  const int64_t networks = p.value.size(0);
  for (int64_t j = 0; j < networks; ++j)
    a.runs.push_back({begin + j * n / networks, begin + (j + 1) * n / networks, p.lr_factor, j});
  a.idle = p.idle;
  a.network_steps.assign(static_cast<std::size_t>(networks), 0);
  a.moves.assign(static_cast<std::size_t>(networks), false);
}

void ParameterStore::pack(at::Device device, Use use) {
  for (const auto& p : parameters_) add_runs(p);
  if (parameters_.empty()) return;
  const auto options = parameters_.front().value.options().device(device).requires_grad(false);
  const auto value_type = parameters_.front().value.scalar_type();
  for (Adam& a : adams_) {
    const int64_t size = a.runs.empty() ? 0 : a.runs.back().end;
    a.value = at::zeros({size}, options);
    a.grad = at::zeros({size}, options);
    if (use == Use::kPredict) continue;
    a.exp_avg = at::zeros({size}, options);
    a.exp_avg_sq = at::zeros({size}, options);
    if (device.is_cpu()) continue;
    const auto of_scalars = [&](at::ScalarType type, auto of_run) {
      const Tensor all = at::empty({size}, type);
      for (const Adam::Run& run : a.runs) all.narrow(0, run.begin, run.end - run.begin).fill_(of_run(run));
      return all.to(device);
    };
    if (std::any_of(a.runs.begin(), a.runs.end(), [](const Adam::Run& r) { return r.lr_factor != 1; }))
      a.lr_factors = of_scalars(value_type, [](const Adam::Run& r) { return r.lr_factor; });
    if (!a.network_steps.empty())
      a.networks = of_scalars(at::kLong, [](const Adam::Run& r) { return r.network + 1; });
  }
  for (auto& p : parameters_) {
    const Adam& a = adam(p.group);
    Tensor leaf = view(a.value, p).detach();
    if (use == Use::kFit) leaf.copy_(p.value);
    leaf.set_requires_grad(true);
    leaf.mutable_grad() = view(a.grad, p).detach();
    leaves_[static_cast<std::size_t>(p.group)].push_back(leaf);
    p.value = leaf;
  }
  for (auto& b : buffers_) b.value = b.value.to(device);
}

void ParameterStore::each_value(const Visit& visit) const {
  for (const auto& p : parameters_) visit_parts(visit, "", p, p.value);
  for (const auto& b : buffers_) visit(b.name, to_array(b.value));
}

NamedArrays ParameterStore::values() const {
  NamedArrays out;
  each_value(into(out));
  return out;
}

NamedArrays ParameterStore::gradients() const {
  NamedArrays out;
  for (const auto& p : parameters_) visit_parts(into(out), "", p, view(adam(p.group).grad, p));
  return out;
}

void ParameterStore::set_values(const NamedArrays& arrays, bool complete) {
  at::NoGradGuard no_grad;
  const auto visit = [&](auto&& use) {  // use(array, target) of every array that is there
    std::size_t used = 0;
    const auto look_up = [&](const std::string& name, const Tensor& target) {
      const auto found = arrays.find(name);
      if (found == arrays.end() && complete) throw Error("weights", "must hold every parameter", name + " is missing");
      if (found == arrays.end()) return;
      use(*found, target);
      ++used;
    };
    for (const auto& p : parameters_) {
      if (!p.is_stack()) look_up(p.name, p.value.detach());
      for (int64_t i = 0; p.is_stack() && i < p.value.size(0); ++i)
        look_up(stacked_name(p.name, i), p.value.detach()[i]);
    }
    for (const auto& b : buffers_) look_up(b.name, b.value);
    return used;
  };
  // All are looked at before the first is changed.
  const std::size_t used = visit([](const auto& array, const Tensor& target) {
    const auto& [name, is] = array;
    if (target.sizes() != is.shape || target.numel() != static_cast<int64_t>(is.values.size()))
      throw Error("weights", "must have the shapes of the model", name + " differs");
  });
  if (used != arrays.size()) {
    const NamedArrays known = values();
    for (const auto& [name, array] : arrays)
      if (known.count(name) == 0)
        throw Error("weights", "must only hold parameters of the model", name + " is unknown");
  }
  visit([](const auto& array, const Tensor& target) { Tensor(target).copy_(to_tensor(array.second)); });
}

void ParameterStore::each_moment(Group group, const Visit& visit) const {
  const Adam& a = adam(group);
  for (const auto& p : parameters_) {
    if (p.group != group) continue;
    visit_parts(visit, "exp_avg/", p, view(a.exp_avg, p));
    visit_parts(visit, "exp_avg_sq/", p, view(a.exp_avg_sq, p));
  }
  if (!a.network_steps.empty())
    visit("network_steps", {{static_cast<int64_t>(a.network_steps.size())},
                            {a.network_steps.begin(), a.network_steps.end()}});
}

NamedArrays ParameterStore::adam_state(Group group) const {
  NamedArrays out;
  each_moment(group, into(out));
  out["step"] = {{}, {static_cast<double>(adam(group).step)}};
  out["lr"] = {{}, {adam(group).lr}};
  return out;
}

void ParameterStore::set_adam_state(Group group, const NamedArrays& arrays) {
  Adam& a = adam(group);
  a.step = static_cast<int64_t>(arrays.at("step").values.at(0));
  a.lr = arrays.at("lr").values.at(0);
  // Older files have none: there all moved in every step.
  const auto counted = arrays.find("network_steps");
  for (std::size_t j = 0; j < a.network_steps.size(); ++j)
    a.network_steps[j] =
        counted == arrays.end() ? a.step : static_cast<int64_t>(counted->second.values.at(j));
  for (const auto& p : parameters_) {
    if (p.group != group) continue;
    for (const bool second : {false, true}) {
      const std::string prefix = second ? "exp_avg_sq/" : "exp_avg/";
      Tensor target = view(second ? a.exp_avg_sq : a.exp_avg, p);
      if (!p.is_stack())
        target.copy_(to_tensor(arrays.at(prefix + p.name)));
      else
        for (int64_t i = 0; i < target.size(0); ++i)
          target[i].copy_(to_tensor(arrays.at(prefix + stacked_name(p.name, i))));
    }
  }
}

int64_t ParameterStore::n_parameters() const {
  int64_t n = 0;
  for (const auto& p : parameters_) n += p.value.numel();
  return n;
}

std::vector<Tensor> ParameterStore::weights() const {
  std::vector<Tensor> out;
  for (const auto& a : adams_)
    if (a.value.defined()) out.push_back(a.value);
  for (const auto& b : buffers_) out.push_back(b.value);
  return out;
}

bool ParameterStore::is_finite() const {
  at::NoGradGuard no_grad;
  std::vector<Tensor> sums;
  for (const Tensor& t : weights())
    if (t.is_floating_point()) sums.push_back(t.sum(at::kDouble));  // as large as no float
  return sums.empty() || std::isfinite(at::stack(sums).sum().item<double>());
}

ParameterStore::Snapshot ParameterStore::snapshot() const {
  Snapshot out;
  for (const Tensor& t : weights()) out.tensors.push_back(t.clone());
  return out;
}

void ParameterStore::restore(const Snapshot& snapshot) {
  at::NoGradGuard no_grad;
  std::size_t k = 0;
  for (Tensor& t : weights()) t.copy_(snapshot.tensors.at(k++));
}

void ParameterStore::begin_step(const std::vector<Group>& groups, const std::vector<bool>& ran) {
  for (const Group g : groups) adam(g).begin_step(ran);
  const Tensor& value = adam(Group::kAutoencoder).value;
  if (value.is_cpu()) return;
  std::vector<double> rates;
  std::vector<int64_t> begins;
  for (const Group g : kOptimised) {
    begins.push_back(static_cast<int64_t>(rates.size()));
    for (const double r : adam(g).rates()) rates.push_back(r);
  }
  begins.push_back(static_cast<int64_t>(rates.size()));
  Tensor there;
  Upload upload;
  upload.add(to_tensor({{static_cast<int64_t>(rates.size())}, rates}).to(value.scalar_type()), there);
  upload.send(value.device(), device_rates_);
  std::size_t k = 0;
  for (const Group g : kOptimised) {
    adam(g).device_rates = there.narrow(0, begins[k], begins[k + 1] - begins[k]).view({-1, 2});
    ++k;
  }
}

void ParameterStore::clear_moments() {
  for (auto& a : adams_) {
    if (!a.value.defined()) continue;
    a.exp_avg.zero_();
    a.exp_avg_sq.zero_();
    a.step = 0;
    std::fill(a.network_steps.begin(), a.network_steps.end(), 0);
  }
}

}  // namespace compert
