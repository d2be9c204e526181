#include "compert/inspect.h"

#include "inspect_batch.h"

namespace compert {
namespace {

Array scalar(double v) { return {{}, {v}}; }

NamedArrays named(const AdversaryLoss& a) {
  NamedArrays out;
  out["loss_adv_drugs"] = to_array(a.perturbations);
  out["loss_adv_covariates"] = to_array(a.covariates);
  for (std::size_t k = 0; k < a.each_covariate.size(); ++k)
    out["loss_adv_covariate_" + std::to_string(k)] = to_array(a.each_covariate[k]);
  out["adversary_drugs_logits"] = to_array(a.logits);
  for (std::size_t k = 0; k < a.covariate_logits.size(); ++k)
    out["adversary_covariate_" + std::to_string(k) + "_logits"] = to_array(a.covariate_logits[k]);
  return out;
}

NamedArrays named(const StepLosses& l, double annealing) {
  return {{"loss_reconstruction", scalar(l.value(Loss::kReconstruction))},
          {"loss_reconstruction_genes", scalar(l.value(Loss::kOfGenes))},
          {"loss_reconstruction_proteins", scalar(l.value(Loss::kOfProteins))},
          {"loss_kl", scalar(l.value(Loss::kKl))},
          // as theislab/multicpa reports them
          {"kl_annealing", scalar(annealing)},
          {"kl_loss_latent", scalar(l.value(Loss::kKl) * annealing)},
          {"kl_loss_proteins_back", scalar(l.value(Loss::kBackgroundKl) * annealing)}};
}

void zero_all(ParameterStore& store) {
  for (const Group g : {Group::kAutoencoder, Group::kAdversaries, Group::kDosers, Group::kFixed})
    store.adam(g).zero_grad();
}

}  // namespace

void Inspector::replay(Recorded recorded) {
  recorded_ = std::move(recorded);
  if (recorded_.epochs == 0) return;
  model_.impl_->epochs_done = recorded_.epoch;
  model_.impl_->last_epoch = recorded_.epochs;
}

NamedArrays Inspector::forward(const CellSource& cells, const Design& design, bool training) {
  if (model_.impl_->network.proteins() != nullptr) return forward_of_both(cells, design, training);
  return translate([&] {
    at::NoGradGuard no_grad;
    Network& network = model_.impl_->network;
    const Batch batch = whole_batch(network, cells, design, recorded_);
    NamedArrays out;
    const Encoded encoded = network.encode(batch, training);
    const Tensor& basal = encoded.basal;
    // Once only: in training every pass moves the running statistics.
    const Network::Effect effect = network.effect(batch.slots, training);
    const Tensor covariates = network.covariate_effect(batch);
    const Tensor treated = basal + network.mixed(effect.sum, batch) + covariates;
    out["input"] = to_array(batch.genes());
    out["latent_basal"] = to_array(basal);
    if (encoded.mean.defined()) {
      out["latent_mean"] = to_array(encoded.mean);
      out["latent_variance"] = to_array(encoded.variance);
      out["loss_kl"] = to_array(network.kl_loss(encoded));
    }
    if (network.differences() != nullptr)
      throw Error("model", "must not be \"scgen\": no reference step is known of it");
    const Network::Effect every = network.effect(every_perturbation(design, network));
    out["doser_raw"] = to_array(every.raw);
    out["scaled_doses"] = to_array(every.response);
    out["slot_raw"] = to_array(effect.raw);
    out["slot_responses"] = to_array(effect.response);
    out["slot_embeddings"] = to_array(effect.embedded);
    out["drug_embedding_sum"] = to_array(effect.sum);
    for (std::size_t k = 0; k < batch.covariates.size(); ++k)
      out["covariate_embedding_" + std::to_string(k)] = to_array(
          network.covariate_tables()[k]->value.index_select(0, batch.covariates[k]));
    out["covariate_embedding_sum"] = to_array(covariates.expand_as(treated));
    out["latent_treated"] = to_array(treated);
    const Tensor hidden = network.decoder_hidden(treated, training);
    const Tensor raw = network.decoder_raw(hidden);
    const Decoded d = network.from_raw(raw, batch.library);
    const Head& head = network.head();
    // The reference's decoder ends with its activation, so its raw output has the ReLU applied.
    const int64_t genes = raw.size(1) / head.outputs();
    out["decoder_raw"] =
        to_array(head.relu_mean
                     ? at::cat({raw.narrow(1, 0, genes).relu(), raw.narrow(1, genes, genes)}, 1)
                     : raw);
    out["reconstruction_means"] = to_array(d.mean);
    out["reconstruction_variances"] = to_array(d.second.expand_as(d.mean));
    if (d.zero_logit.defined()) out["zero_logits"] = to_array(d.zero_logit);
    if (batch.library.defined()) out["library"] = to_array(batch.library);
    out["loss_reconstruction"] = to_array(network.reconstruction(hidden, batch));
    out["loss_composed"] = to_array(network.composed_reconstruction(raw, batch));
    for (auto& [name, value] : named(network.adversary_loss({basal}, batch, false, training)))
      out[name] = value;
    return out;
  });
}

NamedArrays Inspector::dose_response(const Array& dose) {
  return translate([&] {
    const Network& network = model_.impl_->network;
    zero_all(model_.impl_->network.store());
    Slots slots = every_dose(to_tensor(dose), network);
    const Tensor u = slots.dose.requires_grad_(true);
    const Tensor value = network.dose_response(slots);
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
    const Batch batch = whole_batch(impl.network, cells, design, recorded_);
    zero_all(impl.network.store());
    StepLosses losses;
    const auto objective =
        impl.autoencoder_objective(batch, true, 1, nullptr, {}, losses);
    const Tensor& total = objective.total;
    torch::autograd::backward({total});
    Step out;
    out.losses = named(objective.adversaries);
    for (auto& [name, value] : named(losses, impl.kl_annealing())) out.losses[name] = value;
    out.losses["penalty_adv_drugs"] = out.losses["penalty_adv_covariates"] = scalar(0);
    out.losses["total"] = to_array(total);
    const auto norm = [&](Group g) {
      const Tensor& grad = impl.network.store().adam(g).grad;
      return grad.numel() > 0 ? grad.norm().item<double>() : 0;
    };
    out.losses["gradient_norms"] = {{2}, {norm(Group::kAutoencoder), norm(Group::kDosers)}};
    out.gradients = impl.network.store().gradients();
    return out;
  });
}

Inspector::Step Inspector::adversary_step(const CellSource& cells, const Design& design) {
  return translate([&] {
    Model::Impl& impl = *model_.impl_;
    const Batch batch = whole_batch(impl.network, cells, design, recorded_);
    zero_all(impl.network.store());
    // facebookresearch/CPA lets gradients reach the encoder, to throw them away; theislab/cpa does not.
    StepLosses losses;
    std::vector<Tensor> states =
        impl.autoencoder_objective(batch, false, 0, nullptr, {}, losses).states;
    if (impl.parity_theislab()) states = {states[0].detach().requires_grad_(true)};
    const AdversaryLoss a = impl.network.adversary_loss(states, batch, true);
    const Tensor total = a.perturbations + a.covariates +
                         (a.penalty_perturbations + a.penalty_covariates) *
                             impl.settings.penalty_adversary;
    torch::autograd::backward({total});
    Step out;
    out.losses = named(a);
    for (auto& [name, value] : named(losses, impl.kl_annealing())) out.losses[name] = value;
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
    const double annealing = impl.kl_annealing();
    const StepLosses l = impl.update(whole_batch(impl.network, cells, design, recorded_));
    NamedArrays out = named(l, annealing);
    out["loss_adv_drugs"] = scalar(l.value(Loss::kAdvPerturbations));
    out["loss_adv_covariates"] = scalar(l.value(Loss::kAdvCovariates));
    out["penalty_adv_drugs"] = scalar(l.value(Loss::kPenaltyPerturbations));
    out["penalty_adv_covariates"] = scalar(l.value(Loss::kPenaltyCovariates));
    const auto norm = [](const Tensor& t) { return t.defined() ? t.item<double>() : 0; };
    out["gradient_norms"] = {{2}, {norm(l.gradient_norm[0]), norm(l.gradient_norm[1])}};
    out["optimizer_steps"] = scalar(static_cast<double>(impl.optimizer_steps));
    return out;
  });
}

double Inspector::adversary_weight() const { return model_.impl_->adversary_weight(); }

void Inspector::step_schedulers() { model_.impl_->step_schedulers(); }

std::vector<double> Inspector::learning_rates() const {
  const ParameterStore& store = model_.impl_->network.store();
  return {store.adam(Group::kAutoencoder).lr, store.adam(Group::kAdversaries).lr,
          store.adam(Group::kDosers).lr};
}

void Inspector::keep_zero_gradients() {
  Adam& dosers = model_.impl_->network.store().adam(Group::kDosers);
  if (dosers.idle == Idle::kRests) dosers.idle = Idle::kRestsUntilRun;
}

NamedArrays Inspector::adam_state(const std::string& group) const {
  for (const Group g : kOptimised)
    if (group == group_name(g)) return model_.impl_->network.store().adam_state(g);
  throw Error("group", "must be \"autoencoder\", \"adversaries\" or \"dosers\"", group);
}

}  // namespace compert
