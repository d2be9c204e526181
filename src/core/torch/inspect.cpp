#include "compert/inspect.h"

#include <numeric>

#include "impl.h"

namespace compert {
namespace {

Array scalar(double v) { return {{}, {v}}; }

Batch whole_batch(const Network& network, const CellSource& cells, const Design& design) {
  std::vector<int64_t> all(cells.n_cells());
  std::iota(all.begin(), all.end(), 0);
  Batch batch;
  network.load(cells, all.data(), all.size(), design, batch);
  return batch;
}

/// Slots as the reference has them: one per perturbation, in order, absent ones at dose 0.
Slots every_perturbation(const Design& design, int64_t n_perturbations, const Network& network) {
  Design full;
  full.n = design.n;
  full.n_slots = static_cast<std::size_t>(n_perturbations);
  full.perturbation.resize(full.n * full.n_slots);
  full.dose.assign(full.n * full.n_slots, 0);
  for (std::size_t i = 0; i < full.n; ++i) {
    for (std::size_t j = 0; j < full.n_slots; ++j)
      full.perturbation[i * full.n_slots + j] = static_cast<int32_t>(j);
    for (std::size_t m = 0; m < design.n_slots; ++m) {
      const int32_t p = design.perturbation[i * design.n_slots + m];
      if (p >= 0)
        full.dose[i * full.n_slots + static_cast<std::size_t>(p)] = design.dose[i * design.n_slots + m];
    }
  }
  Batch batch;
  network.load_design(full, batch);
  return batch.slots;
}

NamedArrays named(const AdversaryLoss& a) {
  NamedArrays out;
  out["loss_adv_drugs"] = to_array(a.perturbations);
  out["loss_adv_covariates"] = to_array(a.covariates);
  for (std::size_t k = 0; k < a.each_covariate.size(); ++k)
    out["loss_adv_covariate_" + std::to_string(k)] = to_array(a.each_covariate[k]);
  return out;
}

void zero_all(ParameterStore& store) {
  for (const Group g : {Group::kAutoencoder, Group::kAdversaries, Group::kDosers})
    store.adam(g).zero_grad();
}

}  // namespace

NamedArrays Inspector::forward(const CellSource& cells, const Design& design, bool training) {
  return translate([&] {
    at::NoGradGuard no_grad;
    Network& network = model_.impl_->network;
    const Batch batch = whole_batch(network, cells, design);
    NamedArrays out;
    const Tensor basal = network.encode(batch, training);
    const Slots slots = every_perturbation(design, network.architecture().n_perturbations, network);
    const Tensor effect = network.perturbation_effect(batch.slots);
    Tensor treated = basal + effect;
    out["latent_basal"] = to_array(basal);
    out["doser_raw"] = to_array(network.doser().raw(slots));
    out["scaled_doses"] = to_array(network.doser().respond(slots));
    out["drug_embedding_sum"] = to_array(effect);
    for (std::size_t k = 0; k < batch.covariates.size(); ++k) {
      const Tensor part =
          network.covariate_tables()[k]->value.index_select(0, batch.covariates[k]);
      out["covariate_embedding_" + std::to_string(k)] = to_array(part);
      treated = treated + part;
    }
    out["latent_treated"] = to_array(treated);
    const Tensor hidden = network.decoder_hidden(treated, training);
    const Tensor raw = network.decoder_raw(hidden);
    const Decoded d = decoded(raw, network.likelihood(),
                              model_.impl_->settings.decoder_activation == "ReLU");
    // The reference's decoder ends with its activation, so its raw output has the ReLU applied.
    const int64_t genes = raw.size(1) / 2;
    out["decoder_raw"] = to_array(
        model_.impl_->settings.decoder_activation == "ReLU"
            ? at::cat({raw.narrow(1, 0, genes).relu(), raw.narrow(1, genes, genes)}, 1)
            : raw);
    out["reconstruction_means"] = to_array(d.mean);
    out["reconstruction_variances"] = to_array(d.second);
    out["loss_reconstruction"] = to_array(network.reconstruction(hidden, batch));
    if (training) {
      out["adversary_drugs_logits"] =
          to_array(network.perturbation_adversary().forward(basal, true));
      for (std::size_t k = 0; k < batch.covariates.size(); ++k)
        out["adversary_covariate_" + std::to_string(k) + "_logits"] =
            to_array(network.covariate_adversaries()[k]->forward(basal, true));
    }
    return out;
  });
}

NamedArrays Inspector::dose_response(const Array& dose) {
  return translate([&] {
    const Network& network = model_.impl_->network;
    zero_all(model_.impl_->network.store());
    const Tensor u = to_tensor(dose).to(network.options()).requires_grad_(true);
    const Tensor codes = at::arange(u.size(1), at::kLong).to(u.device()).expand_as(u);
    const Tensor value = network.doser().respond({codes, u, at::ones_like(u)});
    torch::autograd::backward({value.sum()});
    NamedArrays out = network.store().gradients();
    out["value"] = to_array(value);
    if (u.grad().defined()) out["dose"] = to_array(u.grad());  // the mlp doser gives none
    return out;
  });
}

Inspector::Step Inspector::autoencoder_step(const CellSource& cells, const Design& design) {
  return translate([&] {
    Model::Impl& impl = *model_.impl_;
    const Batch batch = whole_batch(impl.network, cells, design);
    zero_all(impl.network.store());
    StepLosses losses;
    AdversaryLoss adversaries;
    const Tensor total = impl.autoencoder_objective(batch, losses, &adversaries);
    torch::autograd::backward({total});
    Step out;
    out.losses = named(adversaries);
    out.losses["loss_reconstruction"] = scalar(losses.reconstruction);
    out.losses["penalty_adv_drugs"] = out.losses["penalty_adv_covariates"] = scalar(0);
    out.losses["total"] = to_array(total);
    out.gradients = impl.network.store().gradients();
    return out;
  });
}

Inspector::Step Inspector::adversary_step(const CellSource& cells, const Design& design) {
  return translate([&] {
    Model::Impl& impl = *model_.impl_;
    const Batch batch = whole_batch(impl.network, cells, design);
    zero_all(impl.network.store());
    const Tensor basal = impl.network.encode(batch, true);
    const AdversaryLoss a = impl.network.adversary_loss(basal, batch, true);
    const Tensor total = a.perturbations + a.covariates +
                         (a.penalty_perturbations + a.penalty_covariates) *
                             impl.settings.penalty_adversary;
    torch::autograd::backward({total});
    Step out;
    out.losses = named(a);
    out.losses["loss_reconstruction"] = to_array(impl.network.reconstruction(
        impl.network.decoder_hidden(basal + impl.network.perturbation_effect(batch.slots) +
                                        impl.network.covariate_effect(batch.covariates),
                                    true),
        batch));
    out.losses["penalty_adv_drugs"] = to_array(a.penalty_perturbations);
    out.losses["penalty_adv_covariates"] = to_array(a.penalty_covariates);
    out.losses["penalty_parts"] = to_array(at::stack(a.penalty_parts));
    out.losses["total"] = to_array(total);
    out.gradients = impl.network.store().gradients();
    return out;
  });
}

NamedArrays Inspector::update(const CellSource& cells, const Design& design) {
  return translate([&] {
    Model::Impl& impl = *model_.impl_;
    const StepLosses l = impl.update(whole_batch(impl.network, cells, design));
    NamedArrays out;
    out["loss_reconstruction"] = scalar(l.reconstruction);
    out["loss_adv_drugs"] = scalar(l.adv_perturbations);
    out["loss_adv_covariates"] = scalar(l.adv_covariates);
    out["penalty_adv_drugs"] = scalar(l.penalty_perturbations);
    out["penalty_adv_covariates"] = scalar(l.penalty_covariates);
    return out;
  });
}

void Inspector::step_schedulers() { model_.impl_->step_schedulers(); }

std::vector<double> Inspector::learning_rates() const {
  const ParameterStore& store = model_.impl_->network.store();
  return {store.adam(Group::kAutoencoder).lr, store.adam(Group::kAdversaries).lr,
          store.adam(Group::kDosers).lr};
}

NamedArrays Inspector::adam_state(const std::string& group) const {
  for (const Group g : {Group::kAutoencoder, Group::kAdversaries, Group::kDosers})
    if (group == group_name(g)) return model_.impl_->network.store().adam_state(g);
  throw Error("group", "must be \"autoencoder\", \"adversaries\" or \"dosers\"", group);
}

}  // namespace compert
