// How a network is put together from an architecture and settings.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "network.h"

namespace compert {
namespace {

constexpr double kNewLayersRate = 10;
constexpr double kFirstZeroLogit = -3;  // few structural zeros to begin with

bool is_multicpa(const Settings& s) { return s.parity.rfind("multicpa", 0) == 0; }

Head head_of(const Settings& s) {
  Head head;
  head.family = s.loss_ae == "nb"     ? Head::Family::kNegativeBinomial
                : s.loss_ae == "zinb" ? Head::Family::kZinb
                                      : Head::Family::kGaussian;
  head.library = head.counts() && s.parity != "fb" && !is_multicpa(s);
  head.sum_genes = s.parity == "theislab";
  head.spread = s.parity == "theislab"             ? Spread::kExp
                : s.parity.rfind("chemcpa", 0) == 0 ? Spread::kClampedSoftplus
                                                    : Spread::kSoftplus;
  head.relu_mean = s.decoder_activation == "ReLU";
  head.sigmoid_mean = s.decoder_activation == "sigm";
  head.multicpa = is_multicpa(s);
  return head;
}

MlpShape shape(const Settings& s, std::vector<int64_t> sizes, const std::string& norm,
               double dropout) {
  MlpShape out;
  out.sizes = std::move(sizes);
  out.norm = norm_of(norm);
  out.dropout = dropout;
  if (s.parity == "theislab") {
    out.epsilon = 1e-3;
    out.momentum = 0.01;
  }
  return out;
}

}  // namespace

Network::Network(const Architecture& a, const Settings& s, at::Device device, Use use)
    : architecture_(a),
      head_(head_of(s)),
      adversary_kind_(s.adversary_loss),
      parity_(s.parity),
      variational_(s.variational),
      one_hot_(s.parity == "chemcpa" && !s.use_drugs_idx),
      least_variance_(is_multicpa(s) ? 1e-3 : 1e-4),
      dim_(s.dim),
      options_(at::TensorOptions()
                   .dtype(s.precision == "float64" ? at::kDouble : at::kFloat)
                   .device(device)) {
  store_.freeze(s.frozen);
  const int64_t inner = a.n_genes_inner > 0 ? a.n_genes_inner : a.n_genes;
  Initialiser init(s.seed, s.precision == "float64" ? at::kDouble : at::kFloat, use);
  const auto adversary = [&](const std::string& name, int64_t classes) {
    return std::make_unique<Mlp>(
        store_, init, name,
        shape(s, hidden_sizes(s.dim, s.adversary_width, s.adversary_depth, classes), s.adversary_norm,
              s.adversary_dropout),
        Group::kAdversaries);
  };
  const int64_t decoder_width = s.decoder_width > 0 ? s.decoder_width : s.autoencoder_width,
                decoder_depth = s.decoder_depth > 0 ? s.decoder_depth : s.autoencoder_depth;
  // scvi-tools' decoder of counts has no dropout, whatever is asked for.
  const double decoder_dropout = theislab() && head_.counts() ? 0 : s.decoder_dropout;
  const bool poe = a.n_proteins > 0 && s.fusion == "poe";
  // theislab/multicpa's plain model decodes both modalities at once.
  const bool shared = a.n_proteins > 0 && multicpa() && !poe && s.protein_loss != "nb_mixture";
  // The order of creation fixes which random numbers each part gets: do not change it.
  MlpShape enc = shape(s, hidden_sizes(inner + (poe ? 0 : a.n_proteins), s.autoencoder_width, s.autoencoder_depth,
                                       variational_ ? 2 * s.dim : s.dim),
                       s.encoder_norm, s.encoder_dropout),
           dec = shape(s, hidden_sizes(s.dim, decoder_width, decoder_depth,
                                       head_.outputs() * (inner + (shared ? a.n_proteins : 0))),
                       s.decoder_norm, decoder_dropout);
  if (a.n_genes_inner > 0) {
    enc.sizes.insert(enc.sizes.begin(), a.n_genes);
    enc.appended = Appended::kFirst;
    dec.sizes.push_back(head_.outputs() * a.n_genes);
    dec.appended = Appended::kLast;
    // They are new beside a trained network, which is fine-tuned slowly.
    if (s.parity == "none") enc.appended_lr_factor = dec.appended_lr_factor = kNewLayersRate;
  }
  encoder_ = std::make_unique<Mlp>(store_, init, "encoder", enc, Group::kAutoencoder, true);
  MlpShape genes = dec;
  // On the scale of a softmax additive effects did worse than free ones.
  genes.skip = s.decoder_skip && !head_.counts();
  decoder_ = std::make_unique<Mlp>(store_, init, "decoder", genes, Group::kAutoencoder);
  perturbation_adversary_ = adversary(
      "adversary_drugs", adversary_kind_ == "bce" ? a.n_perturbations : a.n_conditions());
  if (s.model == "scgen")
    differences_ = std::make_unique<LatentDifferences>(a, store_, init, s.dim);
  else
    doser_ = Doser::make(s, store_, init, a.n_perturbations, Embedder::n_inputs(a, s));
  // Small embeddings start every condition close to the basal state; the references draw N(0, 1).
  const double spread = differences_ ? 0 : s.parity == "none" ? 0.1 : 1;
  if (!differences_) embedder_ = std::make_unique<Embedder>(a, s, store_, init, spread, device);
  for (std::size_t k = 0; k < a.covariate_levels.size(); ++k) {
    const std::string index = std::to_string(k);
    const int64_t levels = a.covariate_levels[k];
    // There is nothing to guess of one level, and two of the references guess it all the same.
    const bool guessed = levels > 1 || s.parity == "fb" || chemcpa() || multicpa();
    covariate_adversaries_.push_back(guessed ? adversary("adversary_covariates." + index, levels) : nullptr);
    covariates_.push_back(store_.add("covariates_embeddings." + index + ".weight",
                                     init.normal({levels, s.dim}) * spread, Group::kAutoencoder, false,
                                     embeddings_factor(s)));
  }
  if (head_.library) {
    dispersion_ = store_.add("dispersion", init.normal({a.n_genes}), Group::kAutoencoder);
    mean_library_ = store_.add_buffer("mean_library", init.constant({1, 1}, 1));
  }
  if (adversary_kind_ != "bce")
    condition_weight_ = store_.add_buffer(
        "adversary_condition_weight",
        to_tensor({{a.n_conditions()}, a.condition_weight}).to(options_.device(at::kCPU)));
  if (s.reg_multi_task > 0) {
    deg_predictor_ = std::make_unique<Mlp>(
        store_, init, "degs_predictor", shape(s, {2 * s.dim, 2 * s.dim, a.n_genes}, "batch", 0),
        Group::kAutoencoder);
  }
  if (a.n_continuous > 0) {
    continuous_ = store_.add("continuous_embeddings.weight", init.normal({a.n_continuous, s.dim}) * spread,
                             Group::kAutoencoder, false, embeddings_factor(s));
    continuous_doser_ = Doser::make_continuous(s, store_, init, a.n_continuous);
  }
  if (poe) {
    MlpShape second = enc;
    second.sizes.front() = a.n_proteins;
    protein_encoder_ =
        std::make_unique<Mlp>(store_, init, "protein_encoder", second, Group::kAutoencoder);
    protein_encoder_->set_noise(&mask_noise_);
  }
  if (a.n_proteins > 0) {
    proteins_ = std::make_unique<ProteinDecoder>(s, a.n_proteins, shared, store_, init, dec);
    proteins_->set_noise(&mask_noise_);
  }
  store_.pack(device, use);
  encoder_->set_noise(&mask_noise_);
  decoder_->set_noise(&mask_noise_);
  for (std::size_t k = 0; k <= covariate_adversaries_.size(); ++k)
    adversary_noise_.emplace_back();
  perturbation_adversary_->set_noise(&adversary_noise_[0]);
  for (std::size_t k = 0; k < covariate_adversaries_.size(); ++k)
    if (covariate_adversaries_[k]) covariate_adversaries_[k]->set_noise(&adversary_noise_[k + 1]);
  seed_noise(static_cast<uint64_t>(s.seed));
}

void Network::seed_noise(uint64_t seed) {
  state_noise_.seed(seed);
  const auto next = [&seed] { return seed = seed * 0x5851f42d4c957f2dULL + 1; };
  for (Noise& each : adversary_noise_) each.seed(next());
  mask_noise_.seed(next());
}

void Network::set_mean_library(const std::vector<double>& mean) {
  if (!head_.library) return;
  mean_library_->value.fill_(std::accumulate(mean.begin(), mean.begin() + architecture_.n_genes, 0.0));
}

void Network::start_output_at(const std::vector<double>& mean, const std::vector<double>& variance,
                              const std::vector<bool>& kept) {
  at::NoGradGuard no_grad;
  const auto inverse_softplus = [](double v) { return v > 30 ? v : std::log(std::expm1(v)); };
  const auto genes = static_cast<std::size_t>(architecture_.n_genes);
  const auto outputs = static_cast<std::size_t>(head_.outputs());
  std::vector<double> bias(outputs * genes), log_theta(genes);
  for (std::size_t g = 0; g < genes; ++g) {
    // of the negative binomial: variance = mu + mu^2 / theta
    const double over = std::max(variance[g] - mean[g], 1e-2 * mean[g] * mean[g] + 1e-6);
    const double theta = std::clamp(mean[g] * mean[g] / over, 1e-2, 1e2);
    log_theta[g] = std::log(theta);
    if (!head_.counts()) {
      bias[g] = mean[g];
      const double v = std::max(variance[g], 1e-2);
      bias[genes + g] = head_.spread == Spread::kExp ? std::log(v) : inverse_softplus(v);
    } else if (head_.library) {
      bias[g] = std::log(std::max(mean[g], 1e-4));
      if (head_.zero_inflated()) bias[genes + g] = kFirstZeroLogit;
    } else {
      bias[g] = inverse_softplus(std::max(mean[g], 1e-3));
      bias[genes + g] = inverse_softplus(theta);
    }
  }
  const Tensor keep = at::zeros({architecture_.n_genes}, at::kBool);
  for (std::size_t g = 0; g < kept.size(); ++g) keep.data_ptr<bool>()[g] = kept[g];
  // Shares of a total come from a softmax: new genes on the level of those that are kept.
  if (const Tensor rows = keep.nonzero().squeeze(1); head_.library && rows.numel() > 0) {
    const Tensor now = decoder_->last().bias->value.to(at::kCPU).to(at::kDouble),
                 first = to_tensor({{static_cast<int64_t>(bias.size())}, bias});
    const double level = (now - first).index_select(0, rows).mean().item<double>();
    for (std::size_t g = 0; g < genes; ++g) bias[g] += level;
  }
  const auto start = [this](const Tensor& value, const std::vector<double>& at, const Tensor& kept_rows) {
    const Tensor first = to_tensor({{static_cast<int64_t>(at.size())}, at}).to(options_);
    Tensor(value).copy_(at::where(kept_rows.to(options_.device()), value, first));
  };
  start(decoder_->last().bias->value, bias, keep.repeat(static_cast<int64_t>(outputs)));
  if (head_.library) start(dispersion_->value, log_theta, keep);
}

}  // namespace compert
