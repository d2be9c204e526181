#pragma once

namespace compert {

/// One value of a log-likelihood with its derivatives.
struct NbTerm {
  double log_prob, d_mu, d_theta;
};

/// log NB(y; mean mu, inverse dispersion theta) in the form that the references use, with e = 1e-8
/// added inside the logarithms (facebookresearch/CPA cpa/model.py NBLoss, scvi-tools
/// log_nb_positive):
/// theta (log(theta+e) - log(theta+mu+e)) + y (log(mu+e) - log(theta+mu+e))
///   + lgamma(y+theta) - lgamma(theta) - lgamma(y+1).
/// Differences of nearly equal terms are taken as one, so that nothing is lost at large theta (the
/// plain form is off by up to a hundred nats there in single precision). y, mu, theta >= 0;
/// anything else gives NaN.
NbTerm nb_log_prob(double y, double mu, double theta);

/// What a count adds to the log-likelihood of a zero, nb_log_prob(y) - nb_log_prob(0), at about the
/// cost of one logarithm for small counts. The arguments are not checked.
NbTerm nb_count_term(double y, double mu, double theta);

/// The form of CPA of 2021, chemCPA and MultiCPA (their NBLoss and NB): with t = theta + e,
/// lgamma(y+t) - lgamma(t) - lgamma(y+1) - (theta+y) log(1 + mu/t) + y (log(mu+e) - log t).
/// It differs from the above where theta is not much larger than e.
NbTerm nb_log_prob_2021(double y, double mu, double theta);

/// Variance of the negative binomial, mu + mu^2 / theta.
double nb_variance(double mu, double theta);

/// lgamma(y + theta) - lgamma(theta) and its derivative by theta, for y >= 0, theta > 0.
struct GammaRatio {
  double log_ratio, d_theta;
};
GammaRatio log_gamma_ratio(double y, double theta);
/// lgamma(y + 1); a table for whole y below 1,024.
double log_factorial(double y);

/// Gaussian negative log-likelihood without its constant, 0.5 (log v + (m - x)^2 / v), the variance
/// clamped at 1e-6 without effect on the gradient (torch.nn.GaussianNLLLoss).
struct GaussianTerm {
  double value, d_mean, d_variance;
};
GaussianTerm gaussian_nll(double x, double mean, double variance);

/// log(1 + exp(x)) without overflow.
double softplus(double x);
/// 1 / (1 + exp(-x)), the derivative of softplus.
double sigmoid(double x);

}  // namespace compert
