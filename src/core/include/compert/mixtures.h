/// Likelihoods of counts that come from one of two sources, with the probability of a source given
/// as a logit. The negative binomials are those of nb_log_prob().
#pragma once

namespace compert {

struct ZinbTerm {
  double log_prob, d_mu, d_theta, d_logit;
};
/// Zero-inflated negative binomial: zero with probability sigmoid(logit), else NB(mu, theta)
/// (scvi-tools log_zinb_positive, used by theislab/cpa):
/// y = 0: softplus(log NB(0) - logit) - softplus(-logit);
/// y > 0: -logit - softplus(-logit) + log NB(y).
ZinbTerm zinb_log_prob(double y, double mu, double theta, double logit);
/// Mean of the zero-inflated negative binomial, (1 - sigmoid(logit)) mu.
double zinb_mean(double mu, double logit);

struct NbMixtureTerm {
  double log_prob, d_mu1, d_mu2, d_theta1, d_theta2, d_logit;
};
/// NB(mu1, theta1) with probability sigmoid(logit), else NB(mu2, theta2) (scvi-tools
/// log_mixture_nb; MultiCPA's protein likelihood, background and foreground with one theta):
/// log(exp(log NB1) + exp(log NB2 - logit)) - softplus(-logit).
NbMixtureTerm nb_mixture_log_prob(double y, double mu1, double mu2, double theta1, double theta2,
                                  double logit);

}  // namespace compert
