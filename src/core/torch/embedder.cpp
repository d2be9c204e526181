#include "embedder.h"

#include <map>

namespace compert {

int64_t Embedder::n_inputs(const Architecture& a, const Settings& s) {
  return a.n_features > 0 ? a.n_features : s.dim;
}

Embedder::Embedder(const Architecture& a, const Settings& s, ParameterStore& store,
                   Initialiser& init, double spread, at::Device device)
    : n_(a.n_perturbations),
      slot_by_slot_(s.embedding_encoder_norm == "batch" && s.use_drugs_idx),
      options_(at::TensorOptions().dtype(init.type()).device(device)) {
  const int64_t n = a.n_perturbations;
  const double lr_factor = embeddings_factor(s);
  const bool some_free = a.n_features == 0 || a.n_without_features() > 0;
  // theislab/chemCPA has its table in no optimiser since 2025.
  if (some_free)
    free_ = store.add("drug_embeddings.weight", init.normal({n, s.dim}) * spread,
                      s.parity == "chemcpa" ? Group::kFixed : Group::kAutoencoder, false, lr_factor);
  if (a.n_features == 0) return;
  // A model that is read from a file gets the values from there.
  const auto buffer = [&](const std::string& name, int64_t columns, const std::vector<double>& values) {
    return store.add_buffer(name, values.empty()
                                      ? init.constant({n, columns}, 0)
                                      : to_tensor({{n, columns}, values}).to(init.type()));
  };
  if (a.graphs.empty()) {
    features_ = buffer("perturbation_features", a.n_features, a.features);
  } else {
    graphs_ = a.graphs;
    network_ = std::make_unique<MoleculeNetwork>(store, init, s.molecule_width, s.molecule_depth,
                                                 Group::kAutoencoder);
  }
  if (some_free)
    has_features_ = buffer("perturbation_has_features", 1,
                    {a.has_features.begin(), a.has_features.end()});
  // theislab/cpa registers its map in no optimiser either: the projection stays random.
  encoder_ = std::make_unique<Mlp>(
      store, init, "drug_embedding_encoder",
      MlpShape{hidden_sizes(a.n_features, s.embedding_encoder_width, s.embedding_encoder_depth, s.dim),
               norm_of(s.embedding_encoder_norm)},
      s.parity == "theislab" ? Group::kFixed : Group::kAutoencoder, false, lr_factor);
}

Tensor Embedder::known_of(const Tensor& codes) const {
  if (!network_) return (features_ != nullptr ? features_->value : free_->value).index_select(0, codes);
  // The network runs over each distinct molecule once.
  const Tensor asked = codes.to(at::kCPU).contiguous(), place = at::empty_like(asked);
  std::map<int64_t, int64_t> places;
  std::vector<int64_t> which;
  for (int64_t i = 0; i < asked.numel(); ++i) {
    const auto found = places.emplace(asked.data_ptr<int64_t>()[i], static_cast<int64_t>(which.size()));
    if (found.second) which.push_back(found.first->first);
    place.data_ptr<int64_t>()[i] = found.first->second;
  }
  return network_->vectors(pack(graphs_, which, options_)).index_select(0, place.to(codes.device()));
}

Tensor Embedder::known(const Slots& slots) const {
  const Tensor all = known_of(slots.perturbation.reshape({-1}));
  return all.view({slots.dose.size(0), slots.dose.size(1), all.size(1)});
}

/// `known`: rows x features, `codes` their perturbations.
Tensor Embedder::encoded(const Tensor& known, const Tensor& codes, bool training) const {
  if (!encoder_) return known;
  const Tensor computed = encoder_->forward(known, training);
  if (has_features_ == nullptr) return computed;
  const Tensor has = has_features_->value.index_select(0, codes);
  return computed * has + free_->value.index_select(0, codes) * (1 - has);
}

Tensor Embedder::embed(const Tensor& known, const Slots& slots, bool training) const {
  if (!slot_by_slot_) {
    const Tensor all = encoded(known.flatten(0, 1), slots.perturbation.reshape({-1}), training);
    return all.view({known.size(0), known.size(1), all.size(1)});
  }
  std::vector<Tensor> parts;
  for (int64_t k = 0; k < known.size(1); ++k)
    parts.push_back(encoded(known.select(1, k), slots.perturbation.select(1, k), training));
  return at::stack(parts, 1);
}

Tensor Embedder::table(bool training) const {
  const Tensor codes = at::arange(n_, at::TensorOptions(at::kLong).device(options_.device()));
  return encoded(known_of(codes), codes, training);
}

}  // namespace compert
