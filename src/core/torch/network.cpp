#include "network.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace compert {
namespace {

std::vector<int64_t> sizes(int64_t in, int64_t width, int64_t depth, int64_t out) {
  std::vector<int64_t> all(static_cast<std::size_t>(depth), width);
  all.insert(all.begin(), in);
  all.push_back(out);
  return all;
}

/// mean over cells and dimensions of (d sum(logits) / d basal)^2
Tensor gradient_penalty(const Tensor& logits, const Tensor& basal) {
  return torch::autograd::grad({logits.sum()}, {basal}, {}, true, true)[0].square().mean();
}

/// Numbers the strata and conditions of a batch in order of appearance.
void label_groups(const Design& rows, Batch& out) {
  std::map<std::vector<int32_t>, int64_t> strata;
  std::map<std::pair<int64_t, std::vector<std::pair<int32_t, double>>>, int64_t> conditions;
  out.stratum.clear();
  out.condition.clear();
  for (std::size_t i = 0; i < rows.n; ++i) {
    const auto c = rows.covariate.begin() + static_cast<std::ptrdiff_t>(i * rows.n_covariates);
    const std::vector<int32_t> levels(c, c + static_cast<std::ptrdiff_t>(rows.n_covariates));
    const int64_t stratum =
        strata.emplace(levels, static_cast<int64_t>(strata.size())).first->second;
    std::vector<std::pair<int32_t, double>> parts;
    for (std::size_t m = i * rows.n_slots; m < (i + 1) * rows.n_slots; ++m)
      if (rows.perturbation[m] >= 0) parts.emplace_back(rows.perturbation[m], rows.dose[m]);
    std::sort(parts.begin(), parts.end());
    out.stratum.push_back(stratum);
    out.condition.push_back(
        conditions.emplace(std::make_pair(stratum, parts), static_cast<int64_t>(conditions.size()))
            .first->second);
  }
}

}  // namespace

Network::Network(const Architecture& a, const Settings& s, at::Device device)
    : architecture_(a),
      likelihood_(s.loss_ae == "nb" ? Likelihood::kNegativeBinomial : Likelihood::kGaussian),
      relu_mean_(s.decoder_activation == "ReLU"),
      options_(at::TensorOptions()
                   .dtype(s.precision == "float64" ? at::kDouble : at::kFloat)
                   .device(device)) {
  Initialiser init(s.seed, s.precision == "float64" ? at::kDouble : at::kFloat);
  // The order of creation fixes which random numbers each part gets: do not change it.
  encoder_ = std::make_unique<Mlp>(store_, init, "encoder",
                                   sizes(a.n_genes, s.autoencoder_width, s.autoencoder_depth, s.dim),
                                   Group::kAutoencoder, true);
  decoder_ = std::make_unique<Mlp>(
      store_, init, "decoder",
      sizes(s.dim, s.autoencoder_width, s.autoencoder_depth, 2 * a.n_genes), Group::kAutoencoder);
  perturbation_adversary_ = std::make_unique<Mlp>(
      store_, init, "adversary_drugs",
      sizes(s.dim, s.adversary_width, s.adversary_depth, a.n_perturbations), Group::kAdversaries);
  doser_ = Doser::make(s.doser_type, store_, init, a.n_perturbations, s.dosers_width,
                       s.dosers_depth);
  // Small embeddings start every condition close to the basal state; the reference draws N(0, 1).
  const double spread = s.parity == "fb" ? 1 : 0.1;
  perturbations_ = store_.add("drug_embeddings.weight",
                              init.normal({a.n_perturbations, s.dim}) * spread,
                              Group::kAutoencoder, false, s.embeddings_lr / s.autoencoder_lr);
  for (std::size_t k = 0; k < a.covariate_levels.size(); ++k) {
    const std::string index = std::to_string(k);
    const int64_t levels = a.covariate_levels[k];
    covariate_adversaries_.push_back(std::make_unique<Mlp>(
        store_, init, "adversary_covariates." + index,
        sizes(s.dim, s.adversary_width, s.adversary_depth, levels), Group::kAdversaries));
    covariates_.push_back(store_.add("covariates_embeddings." + index + ".weight",
                                     init.normal({levels, s.dim}) * spread, Group::kAutoencoder, false,
                                     s.embeddings_lr / s.autoencoder_lr));
  }
  store_.pack(device);
}

void Network::load(const CellSource& cells, const int64_t* which, std::size_t n,
                   const Design& rows, Batch& out) const {
  if (cells.n_genes() != static_cast<std::size_t>(architecture_.n_genes))
    throw Error("x", "must have the genes of the model",
                std::to_string(cells.n_genes()) + " given, the model has " +
                    std::to_string(architecture_.n_genes));
  cells.fetch(which, n, out.target);
  out.input = stored_values(out.target, c10::typeMetaToScalarType(options_.dtype()),
                            likelihood_ == Likelihood::kNegativeBinomial);
  load_design(rows, out);
}

void Network::start_output_at(const std::vector<double>& mean,
                              const std::vector<double>& variance) {
  at::NoGradGuard no_grad;
  const auto inverse_softplus = [](double v) { return v > 30 ? v : std::log(std::expm1(v)); };
  const auto genes = static_cast<std::size_t>(architecture_.n_genes);
  std::vector<double> bias(2 * genes);
  for (std::size_t g = 0; g < genes; ++g) {
    if (likelihood_ == Likelihood::kGaussian) {
      bias[g] = mean[g];
      bias[genes + g] = inverse_softplus(std::max(variance[g], 1e-2));
    } else {  // variance = mu + mu^2 / theta
      const double over = std::max(variance[g] - mean[g], 1e-2 * mean[g] * mean[g] + 1e-6);
      bias[g] = inverse_softplus(std::max(mean[g], 1e-3));
      bias[genes + g] = inverse_softplus(std::clamp(mean[g] * mean[g] / over, 1e-2, 1e2));
    }
  }
  decoder_->last().bias->value.copy_(to_tensor({{2 * architecture_.n_genes}, bias}));
}

void Network::load_design(const Design& rows, Batch& out) const {
  const auto n = static_cast<int64_t>(rows.n), slots = static_cast<int64_t>(rows.n_slots);
  const int64_t count = architecture_.n_perturbations;
  Tensor code = at::zeros({n, slots}, at::kLong), dose = at::zeros({n, slots}, at::kDouble),
         filled = at::zeros({n, slots}, at::kDouble), present = at::zeros({n, count}, at::kFloat);
  int64_t* codes = code.data_ptr<int64_t>();
  double *doses = dose.data_ptr<double>(), *mask = filled.data_ptr<double>();
  float* presence = present.data_ptr<float>();
  for (int64_t k = 0; k < n * slots; ++k) {
    const int32_t p = rows.perturbation[static_cast<std::size_t>(k)];
    if (p < 0) continue;
    codes[k] = p;
    doses[k] = rows.dose[static_cast<std::size_t>(k)];
    mask[k] = 1;
    if (doses[k] > 0) presence[(k / slots) * count + p] = 1;
  }
  out.slots = {code.to(options_.device()), dose.to(options_), filled.to(options_)};
  out.present = present.to(options_);
  out.covariates.clear();
  for (std::size_t c = 0; c < rows.n_covariates; ++c) {
    Tensor level = at::empty({n}, at::kLong);
    for (int64_t i = 0; i < n; ++i)
      level.data_ptr<int64_t>()[i] =
          rows.covariate[static_cast<std::size_t>(i) * rows.n_covariates + c];
    out.covariates.push_back(level.to(options_.device()));
  }
  label_groups(rows, out);
}

Tensor Network::encode(const Batch& batch, bool training) const {
  return encoder_->after_first(first_layer(batch.target, batch.input, encoder_->first(),
                                           dense_input_),
                               training);
}

Tensor Network::perturbation_effect(const Slots& slots) const {
  const Tensor response = doser_->respond(slots);
  const Tensor embedded = perturbations_->value.index_select(0, slots.perturbation.reshape({-1}))
                              .view({slots.dose.size(0), slots.dose.size(1), -1});
  return (embedded * response.unsqueeze(2)).sum(1);
}

Tensor Network::covariate_effect(const std::vector<Tensor>& levels, int64_t without) const {
  Tensor sum;
  for (std::size_t k = 0; k < levels.size(); ++k) {
    if (static_cast<int64_t>(k) == without) continue;
    const Tensor part = covariates_[k]->value.index_select(0, levels[k]);
    sum = sum.defined() ? sum + part : part;
  }
  return sum.defined() ? sum : at::zeros({1, perturbations_->value.size(1)}, options_);
}

Tensor Network::decoder_hidden(const Tensor& treated, bool training) const {
  return decoder_->before_last(treated, training);
}

Tensor Network::reconstruction(const Tensor& hidden, const Batch& batch) const {
  return reconstruction_loss(hidden, decoder_->last(), batch.target, likelihood_, relu_mean_,
                             scratch_);
}

Tensor Network::decoder_raw(const Tensor& hidden) const {
  return at::linear(hidden, decoder_->last().weight->value, decoder_->last().bias->value);
}

Decoded Network::decode(const Tensor& treated) const {
  return decoded(decoder_raw(decoder_hidden(treated, false)), likelihood_, relu_mean_);
}

AdversaryLoss Network::adversary_loss(const Tensor& basal, const Batch& batch,
                                      bool with_penalty) const {
  AdversaryLoss out;
  const Tensor zero = at::zeros({}, options_);
  const Tensor logits = perturbation_adversary_->forward(basal, true);
  out.perturbations = at::binary_cross_entropy_with_logits(logits, batch.present);
  out.covariates = zero;
  if (with_penalty) {
    out.penalty_perturbations = gradient_penalty(logits, basal);
    out.penalty_parts.push_back(out.penalty_perturbations);
    out.penalty_covariates = zero;
  }
  for (std::size_t k = 0; k < covariate_adversaries_.size(); ++k) {
    const Tensor guess = covariate_adversaries_[k]->forward(basal, true);
    out.each_covariate.push_back(at::cross_entropy_loss(guess, batch.covariates[k]));
    out.covariates = out.covariates + out.each_covariate.back();
    if (with_penalty) {
      out.penalty_parts.push_back(gradient_penalty(guess, basal));
      out.penalty_covariates = out.penalty_covariates + out.penalty_parts.back();
    }
  }
  return out;
}

}  // namespace compert
