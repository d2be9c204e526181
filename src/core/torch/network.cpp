#include "network.h"

#include "product.h"
#include "shared_rows.h"

namespace compert {
Tensor Network::mixed(const Tensor& rows, const Batch& batch) const {
  if (!batch.partner.defined()) return rows;
  return rows * batch.share + rows.index_select(0, batch.partner) * (1 - batch.share);
}

Tensor Network::dose_response(const Slots& slots) const {
  if (differences_) return slots.dose * slots.filled;
  return doser_->respond(doser_->raw(slots, {embedder_->known(slots), false}), slots);
}

Network::Effect Network::effect(const Slots& slots, bool training) const {
  Effect out;
  if (differences_) {
    out.sum = differences_->effect(slots);
    return out;
  }
  const Tensor known = embedder_->known(slots);
  out.raw = doser_->raw(slots, {known, training});
  out.response = doser_->respond(out.raw, slots);
  if (one_hot_ && slots.dose.size(1) == architecture_.n_perturbations) {
    out.embedded = embedder_->table(training);
    out.sum = at::matmul(out.response, out.embedded);
  } else {
    out.embedded = embedder_->embed(known, slots, training);
    out.sum = (out.embedded * out.response.unsqueeze(2)).sum(1);
  }
  return out;
}

Tensor Network::perturbation_effect(const Batch& batch, bool training) const {
  return mixed(perturbation_effect(batch.slots, training), batch);
}

Tensor Network::continuous_effects(const Slots& values) const {
  if (continuous_ == nullptr) return Tensor();
  const Tensor response = continuous_doser_->respond(continuous_doser_->raw(values, {}), values);
  return response.unsqueeze(2) * continuous_->value;
}

Tensor Network::covariate_effect(const std::vector<Tensor>& levels, const Tensor& continuous,
                                 const Composition& composition) const {
  Tensor sum;
  for (std::size_t k = 0; k < levels.size(); ++k) {
    if (!composition.has_covariate(k)) continue;
    const Tensor part = covariates_[k]->value.index_select(0, levels[k]);
    sum = sum.defined() ? sum + part : part;
  }
  for (int64_t k = 0; continuous.defined() && k < continuous.size(1); ++k) {
    if (!composition.has_covariate(levels.size() + static_cast<std::size_t>(k))) continue;
    sum = sum.defined() ? sum + continuous.select(1, k) : continuous.select(1, k);
  }
  return sum.defined() ? sum : at::zeros({1, dim_}, options_);
}

Tensor Network::covariate_effect(const Batch& batch, const Composition& composition) const {
  const Tensor sum = covariate_effect(batch.covariates, continuous_effects(batch), composition);
  return sum.size(0) == batch.size() ? mixed(sum, batch) : sum;
}

Tensor Network::decoder_hidden(const Tensor& treated, bool training) const {
  return decoder_->before_last(treated, training);
}

Tensor Network::reconstruction(const Tensor& hidden, const Batch& batch, std::size_t call) const {
  if (batch.rna_rows.defined() && batch.rna_rows.numel() == 0) return Tensor();
  const auto measured = [&batch](const Tensor& t) {
    return t.defined() && batch.rna_rows.defined() ? t.index_select(0, batch.rna_rows) : t;
  };
  const HeadInput input{measured(batch.library), dispersion()};
  if (batch.group != nullptr) {
    const Tensor own = take_own_rows(hidden, *batch.group);
    // A process without rows takes part in the exchange of gradients all the same.
    const Tensor loss =
        own.size(0) == 0
            ? own.sum()
            : reconstruction_loss(own, decoder_->last(), batch.rna(), head_, input, scratch_[call]) *
                  (static_cast<double>(own.size(0)) / static_cast<double>(batch.size()));
    return sum_over(loss, *batch.group);
  }
  if (proteins_ && proteins_->shared())
    return composed_loss(decoder_raw(hidden), batch.rna(), head_, input);
  return reconstruction_loss(measured(hidden), decoder_->last(), batch.rna(), head_, input, scratch_[call]);
}

Tensor Network::columns_of(const Tensor& raw, bool genes) const {
  const int64_t all = raw.size(1) / 2, first = architecture_.n_genes, n = genes ? first : all - first,
                begin = genes ? 0 : first;
  return at::cat({raw.narrow(1, begin, n), raw.narrow(1, all + begin, n)}, 1);
}

Tensor Network::decoder_raw(const Tensor& hidden) const {
  const Tensor raw =
      linear(hidden, decoder_->last().weight->value, decoder_->last().bias->value);
  return proteins_ && proteins_->shared() ? columns_of(raw, true) : raw;
}

DecodedProteins Network::decode_proteins(const Tensor& treated, const Tensor& hidden,
                                         const Batch& batch, bool training, std::size_t call) const {
  if (proteins_->shared())
    return proteins_->from_raw(columns_of(
        linear(hidden, decoder_->last().weight->value, decoder_->last().bias->value), false));
  const std::size_t latents = experts() ? 3 : 1;
  Tensor draws;
  if (proteins_->draws_background()) {
    draws = noise(batch, latents + call, architecture_.n_proteins, training);
    // One draw per row of `treated`, which may hold the batch twice.
    if (draws.defined() && draws.size(0) != treated.size(0))
      draws = at::cat({draws, noise(batch, latents + 2, architecture_.n_proteins, training)});
  }
  return proteins_->decode(treated, training, draws);
}

Tensor Network::protein_loss(const DecodedProteins& decoded, const Batch& batch,
                             std::size_t call) const {
  if (parity_ == "multicpa" && experts() && decoded.mixture()) {
    // theislab/multicpa compares all cells with the proteins (and the dispersions) of one of them.
    const auto cell = static_cast<int64_t>(call);
    DecodedProteins slipped = decoded;
    slipped.second = decoded.second.narrow(0, cell, 1);
    return proteins_->loss(slipped, batch.proteins.narrow(0, cell, 1));
  }
  if (batch.protein_rows.defined() && batch.protein_rows.numel() == 0) return Tensor();
  if (!batch.protein_rows.defined()) return proteins_->loss(decoded, batch.proteins);
  return proteins_->loss(decoded.rows(batch.protein_rows),
                         batch.proteins.index_select(0, batch.protein_rows));
}

Tensor Network::composed_reconstruction(const Tensor& raw, const Batch& batch) const {
  return composed_loss(raw, batch.rna(), head_, {batch.library, dispersion()});
}

bool Network::recordable() const {
  return !differences_ && !embedder_->has_graphs();
}

std::vector<const Parameter*> Network::wide_parameters() const {
  std::vector<const Parameter*> out;
  for (const Mlp::Layer* layer : {&encoder_->first(), &decoder_->last()})
    for (const Parameter* p : {layer->weight, layer->bias}) out.push_back(p);
  if (dispersion_ != nullptr) out.push_back(dispersion_);
  return out;
}

std::vector<GaussianOutput> Network::gaussian_outputs() const {
  if (head_.counts() || head_.sigmoid_mean) return {};
  GaussianOutput genes{decoder_.get(), architecture_.n_genes, head_.spread, head_.relu_mean, {}, {}};
  if (!proteins_) return {genes};
  const std::optional<GaussianOutput> other = proteins_->gaussian_output();
  if (!other) return {};
  if (!proteins_->shared()) return {genes, *other};
  if (other->spread != genes.spread || other->relu != genes.relu) return {};
  genes.columns = architecture_.n_rows();
  return {genes};
}

Decoded Network::from_raw(const Tensor& raw, const Tensor& library) const {
  return decoded(raw, head_, {library, dispersion()});
}

Decoded Network::decode(const Tensor& treated, const Tensor& library) const {
  return decode(treated, decoder_hidden(treated, false), library);
}

Decoded Network::decode(const Tensor& treated, const Tensor& hidden, const Tensor& library) const {
  Decoded d = from_raw(decoder_raw(hidden), library);
  if (proteins_)
    d.proteins = std::make_shared<DecodedProteins>(decode_proteins(treated, hidden, {}, false));
  return d;
}

Tensor Network::expected(const Decoded& d, bool ignore_zeros) const {
  const Tensor genes = compert::expected(d, ignore_zeros);
  return d.proteins ? at::cat({genes, d.proteins->mean}, 1) : genes;
}

Tensor Network::variance(const Decoded& d, bool ignore_zeros) const {
  const Tensor genes = compert::variance(d, head_, ignore_zeros);
  return d.proteins ? at::cat({genes.expand_as(d.mean),
                               compert::variance(*d.proteins, proteins_->nb_formula())}, 1)
                    : genes;
}

}  // namespace compert
