#include "compert/mixtures.h"

#include <algorithm>
#include <cmath>

#include "compert/likelihoods.h"

namespace compert {

ZinbTerm zinb_log_prob(double y, double mu, double theta, double logit) {
  const NbTerm nb = nb_log_prob(y, mu, theta);
  const double structural = sigmoid(logit);  // probability of the zero that is always there
  if (y > 0) return {nb.log_prob - logit - softplus(-logit), nb.d_mu, nb.d_theta, -structural};
  const double sampled = sigmoid(nb.log_prob - logit);  // of a zero being the NB's
  return {softplus(nb.log_prob - logit) - softplus(-logit), sampled * nb.d_mu, sampled * nb.d_theta,
          (1 - structural) - sampled};
}

double zinb_mean(double mu, double logit) { return sigmoid(-logit) * mu; }

NbMixtureTerm nb_mixture_log_prob(double y, double mu1, double mu2, double theta1, double theta2,
                                  double logit) {
  const NbTerm a = nb_log_prob(y, mu1, theta1), b = nb_log_prob(y, mu2, theta2);
  const double odds = a.log_prob - (b.log_prob - logit);
  const double first = sigmoid(odds), second = sigmoid(-odds);  // posterior of each source
  const double larger = std::max(a.log_prob, b.log_prob - logit);
  return {larger + std::log1p(std::exp(-std::abs(odds))) - softplus(-logit),
          first * a.d_mu,
          second * b.d_mu,
          first * a.d_theta,
          second * b.d_theta,
          sigmoid(-logit) - second};
}

}  // namespace compert
