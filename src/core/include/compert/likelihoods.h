#pragma once

namespace compert {

/// One value of a log-likelihood with its derivatives.
struct NbTerm {
  double log_prob, d_mu, d_theta;
};

/// log NB(y; mean mu, inverse dispersion theta) in the form that the references use, with 1e-8
/// added inside the logarithms:
/// theta (log(theta+e) - log(theta+mu+e)) + y (log(mu+e) - log(theta+mu+e))
///   + lgamma(y+theta) - lgamma(theta) - lgamma(y+1).
/// The gamma terms are taken as one difference, so that nothing is lost at large theta (the plain
/// form is off by up to a hundred nats there in single precision). y, mu, theta >= 0; anything else
/// gives NaN.
NbTerm nb_log_prob(double y, double mu, double theta);

/// lgamma(y + theta) - lgamma(theta) and its derivative by theta, for y >= 0, theta > 0.
struct GammaRatio {
  double log_ratio, d_theta;
};
GammaRatio log_gamma_ratio(double y, double theta);
/// lgamma(y + 1); a table for whole y below 1,024.
double log_factorial(double y);

/// Gaussian negative log-likelihood without its constant, 0.5 (log v + (m - x)^2 / v), the variance
/// clamped at 1e-6 without effect on the gradient.
struct GaussianTerm {
  double value, d_mean, d_variance;
};
GaussianTerm gaussian_nll(double x, double mean, double variance);

/// log(1 + exp(x)) without overflow.
double softplus(double x);

}  // namespace compert
