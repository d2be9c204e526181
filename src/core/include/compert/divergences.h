/// Gaussian posteriors of variational autoencoders, one dimension at a time.
#pragma once
#include <cstdint>
#include <vector>

namespace compert {

struct Gaussian {
  double mean, log_variance;
};

struct KlTerm {
  double value;
  Gaussian d_first, d_second;  ///< derivatives by mean and log-variance of each side
};
/// KL(first || second) = 0.5 (lv2 - lv1 + (exp(lv1) + (m1 - m2)^2) / exp(lv2) - 1)
/// (MultiCPA KLDGaussians; Kingma and Welling 2014, appendix B). The references sum it over
/// dimensions and average over cells.
KlTerm kl_divergence(const Gaussian& first, const Gaussian& second);
/// The same against N(0, 1), with the derivative by that side left at 0 (MultiCPA KLD).
KlTerm kl_to_standard(const Gaussian& posterior);

struct ExpertProduct {
  Gaussian joint;
  /// Per expert, joint variance / its variance: the derivative of the joint mean by the expert's
  /// mean, and of the joint log-variance by the expert's log-variance.
  std::vector<double> weight;
};
/// Product of Gaussian experts and a prior expert N(0, 1): 1/v = 1 + sum 1/v_k,
/// m = v sum m_k / v_k (Wu and Goodman 2018; MultiCPA). Without experts, the prior.
ExpertProduct product_of_experts(const std::vector<Gaussian>& experts);

/// Weight of the KL terms in an epoch, counted from 0: 1 without annealing (fraction 0), else
/// min(1, epoch / (max_epochs fraction)) (MultiCPA kl_annealing_frac).
double kl_annealing(int64_t epoch, int64_t max_epochs, double fraction);

}  // namespace compert
