// The two kinds of update.
#include "alignment.h"
#include "impl.h"
#include "product.h"

namespace compert {

/// Where a cell's mean stands for effects: the logarithm of counts, or the value itself.
static Tensor effect_scale(const DecodedProteins& d) { return d.counts() ? d.mean.log1p() : d.mean; }

Model::Impl::Decodings Model::Impl::decode_states(const Encoded& encoded, const Tensor& added,
                                                  const Tensor& added_other,
                                                  const Batch& batch) const {
  Decodings out;
  const auto n = batch.size();
  const auto treated = [&](const Tensor& state) { return added.defined() ? state + added : state; };
  std::vector<Tensor> genes, proteins, backgrounds;
  const auto add_genes = [&](const Tensor& hidden, std::size_t call) {
    if (const Tensor loss = network.reconstruction(hidden, batch, call); loss.defined())
      genes.push_back(loss);
  };
  const auto add_proteins = [&](const DecodedProteins& d, std::size_t call) {
    if (const Tensor loss = network.protein_loss(d, batch, call); loss.defined())
      proteins.push_back(loss);
    if (const Tensor kl = network.proteins()->background_kl(d); kl.defined())
      backgrounds.push_back(kl);
  };
  // Each expert decodes its own modality; the joint state both.
  if (network.experts()) {
    const Tensor rna = treated(encoded.experts[0].basal);
    add_genes(network.decoder_hidden(rna, true), 1);
    add_proteins(network.decode_proteins(treated(encoded.experts[1].basal), {}, batch, true, 0), 0);
  }
  const std::size_t call = network.experts() ? 1 : 0;
  Tensor states = treated(encoded.basal);
  // With other conditions both decodings in one pass, so that they share the statistics of batch norm.
  if (added_other.defined()) states = at::cat({states, encoded.basal + added_other});
  const Tensor hidden = network.decoder_hidden(states, true);
  if (added_other.defined()) {
    const auto [own, other] = halves(hidden, 0);
    add_genes(own, 0);
    out.difference = other - own;
  } else {
    add_genes(hidden, 0);
  }
  if (network.proteins() != nullptr) {
    const DecodedProteins d = network.decode_proteins(states, hidden, batch, true, call);
    add_proteins(added_other.defined() ? d.rows(0, n) : d, call);
    if (added_other.defined()) {
      const auto [own, other] = halves(effect_scale(d), 0);
      out.protein_difference = other - own;
    }
  }
  const auto mean = [](const std::vector<Tensor>& all) {
    Tensor sum;
    for (const Tensor& t : all) sum = sum.defined() ? sum + t : t;
    return all.size() > 1 ? sum / static_cast<double>(all.size()) : sum;
  };
  out.genes = mean(genes);
  out.proteins = mean(proteins);
  out.kl_background = mean(backgrounds);
  return out;
}

Model::Impl::Objective Model::Impl::autoencoder_objective(
    const Batch& batch, bool with_adversaries, double share, const EffectMatching* matching,
    const EffectMatching::Draw& draw, StepLosses& losses, AdversaryDerivatives derivatives) {
  const Encoded encoded = network.encode(batch, true);
  Objective out;
  out.states = encoded.states();
  Tensor added, added_other, effect;
  if (network.differences() == nullptr) {
    const Tensor covariates = network.covariate_effect(batch);
    effect = network.perturbation_effect(batch, true);
    added = effect + covariates;
    if (draw.any) {
      const Tensor others = network.continuous_effects(draw.continuous);
      added_other = network.perturbation_effect(draw.slots, true) +
                    (others.defined() ? network.covariate_effect(batch.covariates, others) : covariates);
    }
  }
  const Decodings decoded = decode_states(encoded, added, added_other, batch);
  out.total = decoded.genes.defined() ? decoded.genes : at::zeros({}, network.options());
  losses[Loss::kOfGenes] = out.total.detach();
  const auto add = [&](const Tensor& term, double factor, Loss loss) {
    losses[loss] = term.detach();
    out.total = out.total + term * factor;
  };
  if (decoded.proteins.defined()) add(decoded.proteins, settings.recon_weight_pro, Loss::kOfProteins);
  losses[Loss::kReconstruction] = out.total.detach();
  if (settings.variational) {
    // The reference sums the likelihood over genes; ours is their mean, and so is this.
    const double per_gene =
        network.head().sum_genes || network.multicpa() ? 1 : 1 / static_cast<double>(architecture.n_genes);
    add(network.kl_loss(encoded), kl_weight() * per_gene, Loss::kKl);
    if (decoded.kl_background.defined())
      add(decoded.kl_background, kl_weight() * per_gene, Loss::kBackgroundKl);
  }
  if (with_adversaries) {
    out.adversaries = network.adversary_loss(out.states, batch, false, true, derivatives);
    losses[Loss::kAdvPerturbations] = out.adversaries.perturbations.detach();
    losses[Loss::kAdvCovariates] = out.adversaries.covariates.detach();
    const double of_covariates =
        settings.reg_adversary_cov < 0 ? settings.reg_adversary : settings.reg_adversary_cov;
    out.total = out.total - out.adversaries.perturbations * (settings.reg_adversary * share) -
                out.adversaries.covariates * (of_covariates * share);
  }
  if (batch.degs.defined())
    add(network.deg_loss(effect, batch), settings.reg_multi_task, Loss::kDegs);
  if (settings.reg_alignment > 0) {
    Tensor sum;
    for (const Tensor& state : out.states) {
      const Tensor one = alignment_loss(state, batch.pairs);
      sum = sum.defined() ? sum + one : one;
    }
    add(sum / static_cast<double>(out.states.size()), settings.reg_alignment, Loss::kAlignment);
  }
  if (draw.any)
    add(matching->loss(decoded.difference, decoded.protein_difference, draw, batch.group),
        settings.reg_counterfactual, Loss::kCounterfactual);
  return out;
}

std::vector<Tensor> Model::Impl::autoencoder_step(const Batch& batch,
                                                  const EffectMatching* matching,
                                                  const EffectMatching::Draw& draw,
                                                  StepLosses& losses) {
  ParameterStore& store = network.store();
  store.adam(Group::kAutoencoder).zero_grad();
  store.adam(Group::kDosers).zero_grad();
  const bool with_adversaries = uses_adversaries() && adversaries_started();
  const Objective objective = autoencoder_objective(batch, with_adversaries, adversary_share(),
                                                    matching, draw, losses,
                                                    {AdversaryDerivatives::Of::kStates});
  std::vector<Tensor> moved = store.leaves(Group::kAutoencoder);
  const auto& dosers = store.leaves(Group::kDosers);
  moved.insert(moved.end(), dosers.begin(), dosers.end());
  torch::autograd::backward({objective.total}, {}, {}, false, moved);
  sum_gradients();
  for (const Group g : {Group::kAutoencoder, Group::kDosers}) {
    losses.gradient_norm[g == Group::kDosers] = store.adam(g).clip(settings.clip_grad_norm);
    store.adam(g).update();
  }
  std::vector<Tensor> states;
  for (const Tensor& state : objective.states) states.push_back(state.detach());
  return states;
}

void Model::Impl::adversary_step(const Batch& batch, std::vector<Tensor> states,
                                 StepLosses& losses) {
  ParameterStore& store = network.store();
  if (states.empty()) {
    // Only the encoder's output is needed. The references also run the decoder (which moves its
    // running statistics) and some let gradients reach the encoder, to throw them away.
    at::NoGradGuard no_grad;
    if (settings.parity != "none")
      states = autoencoder_objective(batch, false, 0, nullptr, {}, losses).states;
    else
      states = network.encode(batch, true).states();
  }
  Adam& adam = store.adam(Group::kAdversaries);
  adam.zero_grad();
  const AdversaryLoss a =
      network.adversary_loss(states, batch, true, true,
                             {AdversaryDerivatives::Of::kParameters, settings.penalty_adversary});
  if (!network.chemcpa()) adam.clip(settings.clip_grad_norm);
  adam.update();
  losses[Loss::kAdvPerturbations] = a.perturbations.detach();
  losses[Loss::kAdvCovariates] = a.covariates.detach();
  losses[Loss::kPenaltyPerturbations] = a.penalty_perturbations.detach();
  losses[Loss::kPenaltyCovariates] = a.penalty_covariates.detach();
}

static std::vector<Group> groups_of(Turn turn) {
  std::vector<Group> out;
  if (turn != Turn::kAdversaries) out = {Group::kAutoencoder, Group::kDosers};
  if (turn != Turn::kAutoencoder) out.push_back(Group::kAdversaries);
  return out;
}

void Model::Impl::begin_step(Turn turn, const Batch& batch, const EffectMatching::Draw& draw) {
  reset_learning_rates();
  std::vector<bool> ran(network.store().adam(Group::kDosers).network_steps.size());
  const auto add = [&ran](const Slots& slots) {
    for (std::size_t j = 0; j < ran.size(); ++j) ran[j] = ran[j] || slots.grid.count.at(j) > 0;
  };
  add(batch.slots);
  if (draw.any) add(draw.slots);
  network.store().begin_step(groups_of(turn), ran);
}

void Model::Impl::end_step(Turn turn) {
  optimizer_steps += static_cast<int64_t>(groups_of(turn).size());
  ++iteration;
  ++batch_in_epoch;
}

StepLosses Model::Impl::step(Turn turn, const Batch& batch, const EffectMatching* matching,
                             const EffectMatching::Draw& draw) {
  const ReducedProducts reduced(settings.precision == "bf16-mixed");
  StepLosses losses;
  std::vector<Tensor> states;
  if (turn != Turn::kAdversaries) states = autoencoder_step(batch, matching, draw, losses);
  if (turn != Turn::kAutoencoder) adversary_step(batch, states, losses);
  return losses;
}

StepLosses Model::Impl::update(const Batch& batch) {
  const Turn now = turn();
  begin_step(now, batch, {});
  StepLosses losses = step(now, batch, nullptr, {});
  end_step(now);
  return losses;
}

void Model::Impl::update(Batch& batch, const EffectMatching* matching, const EffectMatching::Draw& draw,
                         LossSums& sums, Recorder& recorder) {
  const Turn now = turn();
  begin_step(now, batch, draw);
  const auto work = [&] {
    network.prepare(batch);
    sums.add(step(now, batch, matching, draw));
  };
  if (recorder.records() && network.recordable() && !group)
    recorder.run(key_of(now, batch, draw), work);
  else
    work();
  end_step(now);
}

WorkKey Model::Impl::key_of(Turn turn, const Batch& batch, const EffectMatching::Draw& draw) const {
  WorkKey key;
  const auto add_slots = [&key](const Slots& s) {
    for (const Tensor& t : {s.perturbation, s.dose, s.filled, s.grid.doses, s.grid.where}) key.add(t);
  };
  add_slots(batch.slots);
  add_slots(batch.continuous);
  for (const Tensor& t : batch.covariates) key.add(t);
  for (const Tensor& t : {batch.present, batch.condition_class, batch.pairs.stratum, batch.pairs.condition,
                          batch.pairs.between, batch.pairs.within, batch.rna_rows, batch.protein_rows,
                          batch.partner, batch.degs,
                          batch.held != nullptr && !batch.partner.defined() ? batch.held_rows : batch.on_device})
    key.add(t);
  if (draw.any) {
    add_slots(draw.slots);
    add_slots(draw.continuous);
    for (const Tensor& t : {draw.average, draw.target, draw.own, draw.mixture, draw.size}) key.add(t);
  }
  for (const double v :
       {static_cast<double>(turn), static_cast<double>(batch.pairs.any), static_cast<double>(draw.any),
        batch.share, static_cast<double>(adversaries_started()), adversary_share(), kl_weight()})
    key.add(v);
  return key;
}

}  // namespace compert
