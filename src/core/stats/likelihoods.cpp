#include "compert/likelihoods.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace compert {
namespace {

constexpr double kEps = 1e-8;
constexpr double kStirlingFrom = 10;

/// Stirling's correction: lgamma(x) - [(x - 1/2) log x - x + log(2 pi)/2], for x >= 10.
double stirling(double x) {
  const double i = 1 / x, i2 = i * i;
  return i * (1.0 / 12 - i2 * (1.0 / 360 - i2 * (1.0 / 1260 - i2 * (1.0 / 1680 - i2 / 1188))));
}

/// digamma(x) - log x, for x >= 10.
double digamma_minus_log(double x) {
  const double i = 1 / x, i2 = i * i;
  return -i / 2 - i2 * (1.0 / 12 - i2 * (1.0 / 120 - i2 * (1.0 / 252 - i2 * (1.0 / 240 - i2 / 132))));
}

/// log of x (x+1) ... (x+n-1) and its derivative.
GammaRatio rising(double x, int n) {
  double log_product = 0, product = 1, reciprocals = 0;
  for (int k = 0; k < n; ++k) {
    product *= x + k;
    reciprocals += 1 / (x + k);
    if (product > 1e200 || product < 1e-200) {
      log_product += std::log(product);
      product = 1;
    }
  }
  return {log_product + std::log(product), reciprocals};
}

}  // namespace

GammaRatio log_gamma_ratio(double y, double theta) {
  if (y == 0) return {0, 0};
  if (y == std::floor(y) && y <= 24) return rising(theta, static_cast<int>(y));
  const int shift_b = std::max(0, static_cast<int>(std::ceil(kStirlingFrom - theta)));
  const double top = theta + y;
  const int shift_a = std::max(0, static_cast<int>(std::ceil(kStirlingFrom - top)));
  const GammaRatio low = rising(theta, shift_b), high = rising(top, shift_a);
  const double b = theta + shift_b, a = top + shift_a, d = y + (shift_a - shift_b);
  // (a - 1/2) log a - a - (b - 1/2) log b + b with a = b + d
  const double main = (b - 0.5) * std::log1p(d / b) + d * std::log(a) - d;
  const double log_ratio = main + stirling(a) - stirling(b) - high.log_ratio + low.log_ratio;
  const double digammas = std::log1p(d / b) + digamma_minus_log(a) - digamma_minus_log(b);
  return {log_ratio, digammas - high.d_theta + low.d_theta};
}

double log_factorial(double y) {
  static const std::array<double, 1024> table = [] {
    std::array<double, 1024> t{};
    long double sum = 0;
    for (std::size_t k = 1; k < t.size(); ++k) {
      sum += std::log(static_cast<long double>(k));
      t[k] = static_cast<double>(sum);
    }
    return t;
  }();
  if (y == std::floor(y) && y < 1024) return table[static_cast<std::size_t>(y)];
  return log_gamma_ratio(y, 1).log_ratio;
}

NbTerm nb_log_prob(double y, double mu, double theta) {
  if (!(y >= 0) || !(mu >= 0) || !(theta >= 0)) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan};
  }
  const double total = theta + mu + kEps;
  const double log_share = -std::log1p(mu / (theta + kEps));  // log(theta+e) - log(theta+mu+e)
  NbTerm out{theta * log_share, -theta / total,
             log_share + theta * mu / ((theta + kEps) * total)};
  if (y == 0) return out;
  const GammaRatio ratio = log_gamma_ratio(y, theta);
  out.log_prob += y * std::log((mu + kEps) / total) + ratio.log_ratio - log_factorial(y);
  out.d_mu += y * theta / ((mu + kEps) * total);
  out.d_theta += ratio.d_theta - y / total;
  return out;
}

GaussianTerm gaussian_nll(double x, double mean, double variance) {
  const double v = std::max(variance, 1e-6), d = mean - x;
  return {0.5 * (std::log(v) + d * d / v), d / v, 0.5 * (1 / v - d * d / (v * v))};
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

}  // namespace compert
