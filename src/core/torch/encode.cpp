// From cells to their basal states: one encoder, of genes or of both modalities, or one per modality
// whose normal distributions are multiplied.
#include "network.h"
#include "product.h"
#include "shared_rows.h"

namespace compert {

Tensor Network::noise(const Batch& batch, std::size_t call, int64_t columns, bool training) const {
  if (call < batch.noise.size()) return batch.noise[call];
  if (!training) return Tensor();
  return state_noise_.normal({batch.size(), columns}, options_);
}

Encoded Network::distribution(const Tensor& raw) const {
  Encoded e;
  e.raw = raw;
  const auto [mean, spread] = halves(raw, 1);
  e.mean = mean;
  e.variance = at::softplus(spread) + least_variance_;
  return e;
}

void Network::draw_state(Encoded& e, const Batch& batch, std::size_t call, bool training) const {
  const Tensor draws = noise(batch, call, dim_, training);
  e.basal = draws.defined() ? e.mean + e.variance.sqrt() * draws : e.mean;
}

Encoded Network::encode(const Batch& batch, bool training) const {
  if (experts()) return product_of_experts(batch, training);
  Tensor first = first_layer(proteins_ ? batch.input_of_both() : batch.rna_input(), encoder_->first(),
                             dense_input_);
  if (batch.group != nullptr) first = gather_rows(first, batch.size(), *batch.group);
  const Tensor raw = encoder_->after_first(first, training);
  if (!variational_) return {raw, Tensor(), Tensor(), raw, {}};
  Encoded e = distribution(raw);
  draw_state(e, batch, 0, training);
  return e;
}

// The prior N(0, 1) is an expert too: 1 / v = 1 / v_rna + 1 / v_protein + 1. A cell without one of the
// modalities has the product of the others, and its missing expert stands at the joint state, so that
// alignment and adversaries have a state of every cell.
Encoded Network::product_of_experts(const Batch& batch, bool training) const {
  Encoded joint;
  std::vector<Tensor> absent;  // per expert, cells x 1: true where it was not measured
  const auto add = [&](const Mlp& encoder, const Tensor& rows, auto&& first) {
    Encoded e;
    Tensor missing;
    // Batch norm needs two cells.
    const bool none = rows.defined() && rows.numel() < (training ? 2 : 1);
    if (none) {
      e.mean = at::zeros({batch.size(), dim_}, options_);
      e.variance = at::ones({batch.size(), dim_}, options_);
      missing = at::ones({batch.size(), 1}, options_.dtype(at::kBool));
    } else {
      e = distribution(encoder.after_first(first(), training));
    }
    if (!none && rows.defined()) {
      const Tensor zeros = at::zeros({batch.size(), dim_}, options_);
      e.mean = zeros.index_copy(0, rows, e.mean);
      e.variance = (zeros + 1).index_copy(0, rows, e.variance);
      missing = at::ones({batch.size(), 1}, options_.dtype(at::kBool));
      missing.index_fill_(0, rows, 0);
    }
    absent.push_back(missing);
    joint.experts.push_back(e);
  };
  add(*encoder_, batch.rna_rows, [&] {
    return first_layer(batch.rna_input(), encoder_->first(), dense_input_);
  });
  add(*protein_encoder_, batch.protein_rows, [&] {
    const Tensor& all = batch.protein_input;
    const Mlp::Layer& layer = protein_encoder_->first();
    return linear(batch.protein_rows.defined() ? all.index_select(0, batch.protein_rows) : all,
                  layer.weight->value, layer.bias->value);
  });
  Tensor precision = at::ones({1, 1}, options_), weighted;
  for (std::size_t k = 0; k < joint.experts.size(); ++k) {
    const Encoded& e = joint.experts[k];
    Tensor share = 1 / e.variance;
    if (absent[k].defined()) share = share.masked_fill(absent[k], 0);
    precision = precision + share;
    weighted = weighted.defined() ? weighted + share * e.mean : share * e.mean;
  }
  joint.variance = 1 / precision;
  joint.mean = joint.variance * weighted;
  for (std::size_t k = 0; k < joint.experts.size(); ++k) {
    Encoded& e = joint.experts[k];
    if (absent[k].defined()) {
      e.mean = at::where(absent[k], joint.mean, e.mean);
      e.variance = at::where(absent[k], joint.variance, e.variance);
    }
    draw_state(e, batch, k, training);
  }
  draw_state(joint, batch, joint.experts.size(), training);
  return joint;
}

Tensor Network::kl_loss(const Encoded& e) const {
  if (!variational_) return Tensor();
  const auto of = [](const Encoded& x) {
    return (x.variance + x.mean.square() - 1 - x.variance.log()).sum(1).mean() * 0.5;
  };
  Tensor sum = of(e);
  for (const Encoded& expert : e.experts) sum = sum + of(expert);
  return sum / (1 + static_cast<double>(e.experts.size()));
}

}  // namespace compert
