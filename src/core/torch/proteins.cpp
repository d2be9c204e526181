#include "proteins.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "heads.h"

namespace compert {
namespace {

constexpr double kEpsilon = 1e-8;
constexpr double kLeastMean = 1e-4, kLeastSecond = 1e-3;
constexpr double kFirstTheta = 5;
constexpr int kSplitRounds = 20;  // of the two means that start a mixture

Tensor to_positive(const Tensor& x) { return at::softplus(x, 1, 40); }

double inverse_softplus(double v) { return v > 30 ? v : std::log(std::expm1(std::max(v, 1e-6))); }

/// Two groups of sorted values around two means.
struct Split {
  double low, high, low_sd, share;  // share: of the low group
};
Split split_in_two(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const std::size_t n = v.size();
  double low = v[n / 4], high = v[n - 1 - n / 20];
  std::size_t cut = n;
  const auto mean = [&](std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t i = a; i < b; ++i) sum += v[i];
    return sum / static_cast<double>(b - a);
  };
  for (int round = 0; round < kSplitRounds && high > low; ++round) {
    cut = static_cast<std::size_t>(
        std::upper_bound(v.begin(), v.end(), (low + high) / 2) - v.begin());
    if (cut == 0 || cut == n) break;
    low = mean(0, cut);
    high = mean(cut, n);
  }
  if (cut == 0 || cut == n) {
    cut = n;
    low = high = mean(0, n);
  }
  double square = 0;
  for (std::size_t i = 0; i < cut; ++i) square += (v[i] - low) * (v[i] - low);
  return {low, high, std::sqrt(square / static_cast<double>(cut)),
          static_cast<double>(cut) / static_cast<double>(n)};
}

}  // namespace

DecodedProteins DecodedProteins::rows(int64_t begin, int64_t n) const {
  DecodedProteins out = *this;
  for (Tensor* t : {&out.mean, &out.second, &out.log_background, &out.log_background_sd,
                    &out.background, &out.foreground, &out.mixing, &out.expected_background,
                    &out.expected_foreground})
    if (t->defined()) *t = t->narrow(0, begin, n);
  return out;
}

DecodedProteins DecodedProteins::rows(const Tensor& index) const {
  if (!index.defined()) return *this;
  DecodedProteins out = *this;
  for (Tensor* t : {&out.mean, &out.second, &out.log_background, &out.log_background_sd,
                    &out.background, &out.foreground, &out.mixing, &out.expected_background,
                    &out.expected_foreground})
    if (t->defined()) *t = t->index_select(0, index);
  return out;
}

Tensor variance(const DecodedProteins& d, bool nb_formula) {
  if (!d.counts()) return d.second;
  if (!d.mixture() || nb_formula) return d.mean + d.mean.square() / d.second;
  const auto raw_second_moment = [&](const Tensor& mu) { return mu + mu.square() * (1 / d.second + 1); };
  const Tensor share = d.mixing.sigmoid();
  return share * raw_second_moment(d.expected_background) +
         (1 - share) * raw_second_moment(d.expected_foreground) - d.mean.square();
}

Tensor foreground_probability(const DecodedProteins& d) { return (-d.mixing).sigmoid(); }

Tensor denoised(const DecodedProteins& d) {
  return d.mixture() ? (-d.mixing).sigmoid() * d.expected_foreground : d.mean;
}

ProteinDecoder::ProteinDecoder(const Settings& s, int64_t n_proteins, bool shared,
                               ParameterStore& store, Initialiser& init, const MlpShape& like)
    : family_(s.protein_loss == "nb_mixture" ? ProteinFamily::kMixture
              : s.protein_loss == "nb"       ? ProteinFamily::kNegativeBinomial
                                             : ProteinFamily::kGaussian),
      shared_(shared),
      variational_(s.variational),
      reference_(s.parity != "none"),
      mean_background_(s.protein_background == "mean"),
      relu_(s.decoder_activation == "ReLU"),
      sigmoid_(s.decoder_activation == "sigm"),
      n_(n_proteins) {
  if (shared_) return;
  const auto decoder = [&](const std::string& name, int64_t outputs) {
    MlpShape shape = like;
    shape.sizes.back() = outputs;
    return std::make_unique<Mlp>(store, init, name, shape, Group::kAutoencoder);
  };
  if (family_ != ProteinFamily::kMixture) {
    decoder_ = decoder("protein_decoder", 2 * n_);
    if (counts() || reference_) return;
    centre_ = store.add_buffer("protein_centre", init.constant({n_}, 0));
    deviation_ = store.add_buffer("protein_deviation", init.constant({n_}, 1));
    return;
  }
  background_ = decoder("protein_back_decoder", variational_ ? 2 * n_ : n_);
  scale_ = decoder("protein_fore_scale_decoder", n_);
  mixing_ = decoder("protein_mixing_decoder", n_);
  dispersion_ = decoder("protein_dispersion_decoder", n_);
  if (!variational_) return;
  prior_mean_ = store.add("background_pro_alpha", init.normal({n_}), Group::kAutoencoder);
  prior_log_sd_ =
      store.add("background_pro_log_beta", init.normal({n_}).clamp(-10, 1), Group::kAutoencoder);
}

void ProteinDecoder::set_noise(Noise* noise) {
  for (Mlp* each : {decoder_.get(), background_.get(), scale_.get(), mixing_.get(), dispersion_.get()})
    if (each != nullptr) each->set_noise(noise);
}

Tensor ProteinDecoder::finish_means(const Tensor& raw) const {
  const Tensor first = relu_ ? raw.relu() : sigmoid_ ? raw.sigmoid() : raw;
  return counts() ? to_positive(first) + kLeastMean : first;
}

DecodedProteins ProteinDecoder::from_raw(const Tensor& raw) const {
  DecodedProteins d;
  d.family = family_;
  const auto [first, second] = halves(raw, 1);
  d.mean = finish_means(first);
  d.second = to_positive(second) + kLeastSecond;
  d.raw = {raw};
  if (deviation_ == nullptr) return d;
  d.mean = d.mean * deviation_->value + centre_->value;
  d.second = d.second * deviation_->value.square();
  return d;
}

std::optional<GaussianOutput> ProteinDecoder::gaussian_output() const {
  if (counts() || sigmoid_) return std::nullopt;
  GaussianOutput out{decoder_.get(), n_, Spread::kSoftplus, relu_, {}, {}};
  if (deviation_ != nullptr) {
    out.factor = deviation_->value;
    out.centre = centre_->value;
  }
  return out;
}

DecodedProteins ProteinDecoder::mixture(const Tensor& treated, bool training,
                                        const Tensor& noise) const {
  DecodedProteins d;
  d.family = family_;
  const Tensor background = background_->forward(treated, training),
               scale = scale_->forward(treated, training).relu();
  d.mixing = mixing_->forward(treated, training);
  const Tensor dispersion = dispersion_->forward(treated, training);
  d.raw = {background, scale, d.mixing, dispersion};
  d.second = to_positive(dispersion) + kLeastSecond;
  if (variational_) {
    std::tie(d.log_background, d.log_background_sd) = halves(background, 1);
    d.log_background_sd = d.log_background_sd.exp();
    d.expected_background =
        (mean_background_ ? d.log_background + d.log_background_sd.square() * 0.5 : d.log_background)
            .exp();
    d.background = noise.defined() ? (d.log_background + d.log_background_sd * noise).exp()
                                   : d.expected_background;
  } else {
    d.background = d.expected_background = to_positive(background) + kLeastMean;
  }
  const Tensor factor = scale + 1 + kEpsilon;
  d.foreground = factor * d.background;
  d.expected_foreground = factor * d.expected_background;
  // theislab/multicpa reports the mean of a drawn background.
  const Tensor share = d.mixing.sigmoid();
  d.mean = reference_ ? (1 - share) * d.foreground + share * d.background
                      : (1 - share) * d.expected_foreground + share * d.expected_background;
  return d;
}

DecodedProteins ProteinDecoder::decode(const Tensor& treated, bool training,
                                       const Tensor& noise) const {
  return family_ == ProteinFamily::kMixture ? mixture(treated, training, noise)
                                            : from_raw(decoder_->forward(treated, training));
}

Tensor ProteinDecoder::input(const Tensor& proteins) const {
  if (counts()) return reference_ ? proteins : proteins.log1p();
  return deviation_ == nullptr ? proteins : proteins / deviation_->value;
}

Tensor ProteinDecoder::loss(const DecodedProteins& d, const Tensor& y) const {
  if (family_ == ProteinFamily::kGaussian)
    return (d.second.log() + (d.mean - y).square() / d.second).mean() * 0.5;
  if (family_ == ProteinFamily::kNegativeBinomial) return -log_nb_multicpa(y, d.mean, d.second).mean();
  const Tensor both = at::logsumexp(at::stack({log_nb(y, d.background, d.second),
                                               log_nb(y, d.foreground, d.second) - d.mixing}),
                                    at::IntArrayRef{0});
  return -(both - at::softplus(-d.mixing)).mean();
}

Tensor ProteinDecoder::background_kl(const DecodedProteins& d) const {
  if (prior_mean_ == nullptr) return Tensor();
  const Tensor prior = prior_log_sd_->value * 2;  // logarithm of a variance
  // theislab/multicpa takes the standard deviation for the logarithm of the variance.
  const Tensor posterior =
      reference_ ? d.log_background_sd : d.log_background_sd.log() * 2;
  const Tensor kl = prior - posterior - 1 +
                    (posterior.exp() + (d.log_background - prior_mean_->value).square()) / prior.exp();
  return kl.sum(1).mean() * 0.5;
}

void ProteinDecoder::start_at(const Tensor& observed) {
  at::NoGradGuard no_grad;
  const Tensor y = observed.to(at::kCPU, at::kDouble).contiguous();
  if (y.size(0) < 2 || shared_) return;
  const auto set = [](const Mlp& mlp, const std::vector<double>& bias) {
    mlp.last().bias->value.copy_(to_tensor({{static_cast<int64_t>(bias.size())}, bias}));
  };
  if (family_ != ProteinFamily::kMixture) {
    const auto moments = at::var_mean(y, at::IntArrayRef{0}, false, false);
    const std::vector<double> variance = to_array(std::get<0>(moments)).values,
                              mean = to_array(std::get<1>(moments)).values;
    std::vector<double> bias(static_cast<std::size_t>(2 * n_)), deviation;
    for (std::size_t p = 0; p < mean.size(); ++p) {
      const double over = std::max(variance[p] - mean[p], 1e-2 * mean[p] * mean[p] + 1e-6);
      bias[p] = counts() ? inverse_softplus(mean[p]) : 0;
      bias[p + mean.size()] =
          inverse_softplus(counts() ? std::clamp(mean[p] * mean[p] / over, 1e-2, 1e2) : 1);
      deviation.push_back(variance[p] > 0 ? std::sqrt(variance[p]) : 1);
    }
    if (deviation_ != nullptr) {
      centre_->value.copy_(to_tensor({{n_}, mean}));
      deviation_->value.copy_(to_tensor({{n_}, deviation}));
    }
    return set(*decoder_, bias);
  }
  const auto n = static_cast<std::size_t>(n_);
  std::vector<double> background(variational_ ? 2 * n : n), scale(n), mixing(n), dispersion(n),
      prior_mean(n), prior_log_sd(n);
  for (std::size_t p = 0; p < n; ++p) {
    const std::vector<double> logs = to_array(y.select(1, static_cast<int64_t>(p)).log1p()).values;
    const Split s = split_in_two(logs);
    const double sd = std::clamp(s.low_sd, 0.1, 2.0);
    prior_mean[p] = std::log(std::max(std::expm1(s.low), 0.1));
    prior_log_sd[p] = std::log(sd);
    background[p] = variational_ ? prior_mean[p] : inverse_softplus(std::exp(prior_mean[p]));
    if (variational_) background[p + n] = std::log(sd / 2);
    scale[p] = std::max(std::expm1(s.high) / std::exp(prior_mean[p]) - 1, 0.1);
    mixing[p] = std::log(std::clamp(s.share, 0.05, 0.95) / (1 - std::clamp(s.share, 0.05, 0.95)));
    dispersion[p] = inverse_softplus(kFirstTheta);
  }
  set(*background_, background);
  set(*scale_, scale);
  set(*mixing_, mixing);
  set(*dispersion_, dispersion);
  if (!variational_) return;
  prior_mean_->value.copy_(to_tensor({{n_}, prior_mean}));
  prior_log_sd_->value.copy_(to_tensor({{n_}, prior_log_sd}));
}

}  // namespace compert
