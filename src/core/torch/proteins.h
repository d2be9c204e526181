// The second modality: surface proteins beside the genes of the same cells (MultiCPA; the mixture of
// background and foreground is totalVI's, Gayoso et al. 2021).
//
//   log b ~ N(alpha, beta^2)             background of a cell and protein
//   f = b * (1 + max(raw, 0))            foreground, never below it
//   y ~ sigmoid(pi) NB(b, theta) + (1 - sigmoid(pi)) NB(f, theta)
//
// with alpha, log beta, raw, pi and theta from one decoder each, and a learned prior of log b per
// protein. The other likelihoods have one decoder of means and second parameters, as genes have.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "compert/model.h"
#include "heads.h"
#include "mlp.h"

namespace compert {

enum class ProteinFamily { kMixture, kNegativeBinomial, kGaussian };

/// The distribution of proteins, cells x proteins.
struct DecodedProteins {
  ProteinFamily family = ProteinFamily::kGaussian;
  Tensor mean;    // of the distribution; of a mixture at the background's median (or mean)
  Tensor second;  // variance, or inverse dispersion
  // of a mixture only
  Tensor log_background, log_background_sd;    // alpha, beta
  Tensor background, foreground, mixing;       // b (drawn in training), f, and the logit pi
  Tensor expected_background, expected_foreground;  // the same without a draw
  std::vector<Tensor> raw;  // what each decoder gave
  bool mixture() const { return family == ProteinFamily::kMixture; }
  bool counts() const { return family != ProteinFamily::kGaussian; }
  DecodedProteins rows(int64_t begin, int64_t n) const;
  DecodedProteins rows(const Tensor& index) const;
};

/// Variance of each protein in each cell; `nb_formula`: that of a mixture as mean + mean^2 / theta
/// (theislab/multicpa), which leaves out what lies between the components.
Tensor variance(const DecodedProteins& d, bool nb_formula);
/// Probability that what was measured is no background.
Tensor foreground_probability(const DecodedProteins& d);
/// Mean without the background that is not the cell's own: (1 - sigmoid(pi)) f.
Tensor denoised(const DecodedProteins& d);

class ProteinDecoder {
 public:
  /// `shared`: the decoder of genes gives the raw output, and this class has no network.
  ProteinDecoder(const Settings& settings, int64_t n_proteins, bool shared, ParameterStore& store,
                 Initialiser& init, const MlpShape& like);

  DecodedProteins decode(const Tensor& treated, bool training, const Tensor& noise) const;
  /// From the raw output of a decoder of means and second parameters.
  DecodedProteins from_raw(const Tensor& raw) const;
  /// Their output layer where it is Gaussian, with means linear but for a ReLU; without a decoder where
  /// they share that of genes.
  std::optional<GaussianOutput> gaussian_output() const;
  /// Mean negative log-likelihood over cells and proteins.
  Tensor loss(const DecodedProteins& d, const Tensor& observed) const;
  /// Mean over cells of KL(q(log b) || prior), summed over proteins; undefined where there is none.
  Tensor background_kl(const DecodedProteins& d) const;
  /// As an encoder reads them: counts as log(1 + count), other values in units of their deviation.
  Tensor input(const Tensor& proteins) const;
  /// Starts the outputs at what training cells show; `observed` is cells x proteins.
  void start_at(const Tensor& observed);

  /// Where dropout masks come from while training.
  void set_noise(Noise* noise);

  bool shared() const { return shared_; }
  bool counts() const { return family_ != ProteinFamily::kGaussian; }
  bool draws_background() const { return family_ == ProteinFamily::kMixture && variational_; }
  bool nb_formula() const { return reference_; }

 private:
  Tensor finish_means(const Tensor& raw) const;
  DecodedProteins mixture(const Tensor& treated, bool training, const Tensor& noise) const;

  ProteinFamily family_;
  bool shared_, variational_, reference_, mean_background_, relu_, sigmoid_;
  int64_t n_;
  std::unique_ptr<Mlp> decoder_, background_, scale_, mixing_, dispersion_;
  Parameter *prior_mean_ = nullptr, *prior_log_sd_ = nullptr;
  Buffer *centre_ = nullptr, *deviation_ = nullptr;  // of Gaussian proteins; null with a parity
};

}  // namespace compert
