// The two kinds of update, their alternation, and the warm-ups of their weights.
#include <algorithm>

#include "alignment.h"
#include "impl.h"
#include "product.h"

namespace compert {
namespace {

/// Share of a warm-up that is done, at most 1; without one, 1.
double warmed_up(double done, int64_t length) {
  return length > 0 ? std::min(1.0, done / static_cast<double>(length)) : 1;
}

}  // namespace

// theislab/cpa counts steps of optimisers (two or three per batch) where others count batches, and
// starts one epoch or step late.
bool Model::Impl::adversaries_started() const {
  const int64_t late = parity_theislab() ? 1 : 0;
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  if (settings.pretrain_steps > 0) return step >= settings.pretrain_steps + late;
  if (settings.pretrain_epochs > 0) return epochs_done >= settings.pretrain_epochs + late;
  return true;
}

Turn Model::Impl::turn() const {
  if (!uses_adversaries()) return Turn::kAutoencoder;
  // theislab/chemCPA turns the ratio round: the adversaries have one turn of adversary_steps. Since
  // 2025 it counts steps of optimisers, of which the autoencoder's turn has two.
  if (network.chemcpa()) {
    const int64_t step = settings.parity == "chemcpa" ? optimizer_steps : iteration;
    return step % std::max<int64_t>(1, settings.adversary_steps) == 0 ? Turn::kAdversaries
                                                                      : Turn::kAutoencoder;
  }
  if (!adversaries_started() || settings.adversary_steps == 0) return Turn::kBoth;
  const int64_t position = parity_theislab() ? batch_in_epoch : iteration;
  return position % settings.adversary_steps == 0 ? Turn::kAutoencoder : Turn::kAdversaries;
}

double Model::Impl::adversary_weight() const {
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  double done = 1;
  if (settings.adversary_warmup_steps > 0)
    done = warmed_up(static_cast<double>(step - settings.pretrain_steps),
                     settings.adversary_warmup_steps);
  else if (settings.adversary_warmup_epochs > 0)
    done = warmed_up(static_cast<double>(epochs_done - settings.pretrain_epochs),
                     settings.adversary_warmup_epochs);
  return settings.reg_adversary * done;
}

double Model::Impl::kl_annealing() const {
  if (settings.kl_annealing_frac <= 0) return 1;
  const double length = settings.kl_annealing_frac * static_cast<double>(last_epoch);
  return length > 0 ? std::min(1.0, static_cast<double>(epochs_done) / length) : 1;
}

double Model::Impl::kl_weight() const {
  if (settings.kl_annealing_frac > 0) return settings.kl_weight * kl_annealing();
  const int64_t step = parity_theislab() ? optimizer_steps : iteration;
  if (settings.kl_warmup_steps > 0)
    return settings.kl_weight * warmed_up(static_cast<double>(step), settings.kl_warmup_steps);
  return settings.kl_weight *
         warmed_up(static_cast<double>(epochs_done), settings.kl_warmup_epochs);
}

double Model::Impl::mixup_alpha() const {
  // With pre-training the reference subtracts the epoch from itself: mixup stays off.
  const bool pretrained = settings.pretrain_steps > 0 || settings.pretrain_epochs > 0;
  if (parity_theislab() && pretrained && settings.mixup_warmup_epochs > 0) return 0;
  return settings.mixup_alpha *
         warmed_up(static_cast<double>(epochs_done), settings.mixup_warmup_epochs);
}

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
  const auto own = [n](const Tensor& t) { return t.narrow(0, 0, n); };
  const auto shift = [n](const Tensor& t) { return t.narrow(0, n, n) - t.narrow(0, 0, n); };
  const Tensor hidden = network.decoder_hidden(states, true);
  add_genes(own(hidden), 0);
  if (added_other.defined()) out.difference = shift(hidden);
  if (network.proteins() != nullptr) {
    const DecodedProteins d = network.decode_proteins(states, hidden, batch, true, call);
    add_proteins(added_other.defined() ? d.rows(0, n) : d, call);
    if (added_other.defined()) out.protein_difference = shift(effect_scale(d));
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
    const Batch& batch, bool with_adversaries, double weight, const EffectMatching* matching,
    const EffectMatching::Draw& draw, StepLosses& losses, AdversaryDerivatives derivatives) {
  const Encoded encoded = network.encode(batch, true);
  Objective out;
  out.states = encoded.states();
  Tensor added, added_other, effect;
  if (network.differences() == nullptr) {
    const Tensor covariates = network.covariate_effect(batch);
    effect = network.perturbation_effect(batch, true);
    added = effect + covariates;
    if (draw.any) added_other = network.perturbation_effect(draw.under.slots, true) + covariates;
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
    const double of_covariates = settings.reg_adversary_cov < 0 || settings.reg_adversary == 0
                                     ? weight
                                     : weight * settings.reg_adversary_cov / settings.reg_adversary;
    out.total = out.total - out.adversaries.perturbations * weight -
                out.adversaries.covariates * of_covariates;
  }
  // The second task belongs to the autoencoder's turn; the adversaries' only looks at the losses.
  if (batch.degs.defined() && at::GradMode::is_enabled())
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
  const Objective objective = autoencoder_objective(batch, with_adversaries, adversary_weight(),
                                                    matching, draw, losses,
                                                    {AdversaryDerivatives::Of::kStates});
  std::vector<Tensor> moved = store.leaves(Group::kAutoencoder);
  const auto& dosers = store.leaves(Group::kDosers);
  moved.insert(moved.end(), dosers.begin(), dosers.end());
  torch::autograd::backward({objective.total}, {}, c10::nullopt, false, moved);
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

StepLosses Model::Impl::update(const Batch& batch, const EffectMatching* matching,
                               const EffectMatching::Draw& draw) {
  const ReducedProducts reduced(settings.precision == "bf16-mixed");
  const Turn now = turn();
  reset_learning_rates();
  std::vector<Group> groups;
  if (now != Turn::kAdversaries) groups = {Group::kAutoencoder, Group::kDosers};
  if (now != Turn::kAutoencoder) groups.push_back(Group::kAdversaries);
  network.store().begin_step(groups);
  StepLosses losses;
  std::vector<Tensor> states;
  if (now != Turn::kAdversaries) states = autoencoder_step(batch, matching, draw, losses);
  if (now != Turn::kAutoencoder) adversary_step(batch, states, losses);
  optimizer_steps += static_cast<int64_t>(groups.size());
  ++iteration;
  ++batch_in_epoch;
  return losses;
}

void Model::Impl::reset_learning_rates() {
  ParameterStore& store = network.store();
  double factor = 1;
  if (settings.lr_schedule == "step")
    for (int64_t k = 0; k < scheduler_steps / settings.step_size_lr; ++k) factor *= settings.lr_gamma;
  else if (settings.lr_schedule == "linear")
    factor = std::min(1.0, 1 - 2 * (run_share - 0.5) * 0.98);
  store.adam(Group::kAutoencoder).lr = settings.autoencoder_lr * factor;
  store.adam(Group::kAdversaries).lr = settings.adversary_lr * factor;
  store.adam(Group::kDosers).lr = settings.dosers_lr * factor;
  store.adam(Group::kAutoencoder).weight_decay = settings.autoencoder_wd;
  store.adam(Group::kAdversaries).weight_decay = settings.adversary_wd;
  store.adam(Group::kDosers).weight_decay = settings.dosers_wd;
}

void Model::Impl::step_schedulers() {
  ++scheduler_steps;
  reset_learning_rates();
}

}  // namespace compert
