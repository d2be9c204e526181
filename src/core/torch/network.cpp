#include "network.h"

namespace compert {
Tensor Network::mixed(const Tensor& rows, const Batch& batch) const {
  if (!batch.partner.defined()) return rows;
  return rows * batch.share + rows.index_select(0, batch.partner) * (1 - batch.share);
}

Encoded Network::encode(const Batch& batch, bool training) const {
  const Tensor out = encoder_->after_first(
      first_layer(batch.target, batch.input, encoder_->first(), dense_input_), training);
  if (!variational_) return {out, Tensor(), Tensor()};
  Encoded e;
  e.mean = out.narrow(1, 0, dim_);
  e.variance = at::softplus(out.narrow(1, dim_, dim_)) + 1e-4;
  Tensor noise = batch.noise;
  if (!noise.defined() && training)
    noise = at::empty({batch.size(), dim_}, at::kFloat).normal_(0, 1, noise_).to(options_);
  e.basal = noise.defined() ? e.mean + e.variance.sqrt() * noise : e.mean;
  return e;
}

Tensor Network::kl_loss(const Encoded& e) const {
  if (!variational_) return Tensor();
  return (e.variance + e.mean.square() - 1 - e.variance.log()).sum(1).mean() * 0.5;
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

Tensor Network::covariate_effect(const std::vector<Tensor>& levels,
                                 const Composition& composition) const {
  Tensor sum;
  for (std::size_t k = 0; k < levels.size(); ++k) {
    if (!composition.has_covariate(k)) continue;
    const Tensor part = covariates_[k]->value.index_select(0, levels[k]);
    sum = sum.defined() ? sum + part : part;
  }
  return sum.defined() ? sum : at::zeros({1, dim_}, options_);
}

Tensor Network::covariate_effect(const Batch& batch) const {
  return batch.covariates.empty() ? covariate_effect(batch.covariates)
                                  : mixed(covariate_effect(batch.covariates), batch);
}

Tensor Network::decoder_hidden(const Tensor& treated, bool training) const {
  return decoder_->before_last(treated, training);
}

Tensor Network::reconstruction(const Tensor& hidden, const Batch& batch) const {
  return reconstruction_loss(hidden, decoder_->last(), batch.target, batch.values, head_,
                             {batch.library, dispersion()}, scratch_);
}

Tensor Network::decoder_raw(const Tensor& hidden) const {
  return at::linear(hidden, decoder_->last().weight->value, decoder_->last().bias->value);
}

Tensor Network::composed_reconstruction(const Tensor& raw, const Batch& batch) const {
  return composed_loss(raw, batch.target, batch.values, head_, {batch.library, dispersion()});
}

Tensor Network::mean_weight() const {
  return decoder_->last().weight->value.narrow(0, 0, architecture_.n_genes);
}

Decoded Network::from_raw(const Tensor& raw, const Tensor& library) const {
  return decoded(raw, head_, {library, dispersion()});
}

Decoded Network::decode(const Tensor& treated, const Tensor& library) const {
  return from_raw(decoder_raw(decoder_hidden(treated, false)), library);
}

}  // namespace compert
