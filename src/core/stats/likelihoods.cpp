#include "compert/likelihoods.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace compert {
namespace {

constexpr double kEps = 1e-8;
constexpr double kStirlingFrom = 10;
constexpr int kProductTo = 24;  // counts up to here are products of as many factors

/// Stirling's correction: lgamma(x) - [(x - 1/2) log x - x + log(2 pi)/2], for x >= 10.
double stirling(double x) {
  const double i = 1 / x, i2 = i * i;
  return i * (1.0 / 12 - i2 * (1.0 / 360 - i2 * (1.0 / 1260 - i2 * (1.0 / 1680 - i2 / 1188))));
}

/// digamma(x) - log x, for x >= 10.
double digamma_minus_log(double x) {
  const double i = 1 / x, i2 = i * i;
  return -i / 2 -
         i2 * (1.0 / 12 - i2 * (1.0 / 120 - i2 * (1.0 / 252 - i2 * (1.0 / 240 - i2 / 132))));
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

const std::array<double, kProductTo + 1>& reciprocals() {
  static const auto table = [] {
    std::array<double, kProductTo + 1> t{};
    for (int k = 1; k <= kProductTo; ++k) t[static_cast<std::size_t>(k)] = 1.0 / k;
    return t;
  }();
  return table;
}

/// log(1 + r) - r / (1 + r) for r >= 0, with u = r / (1 + r): u^2/2 + u^3/3 + ...
double log1p_minus_share(double r) {
  const double u = r / (1 + r);
  if (u > 0.03) return std::log1p(r) - u;
  double sum = 0;
  for (int k = 12; k >= 2; --k) sum = sum * u + 1.0 / k;
  return sum * u * u;
}

bool is_valid(double y, double mu, double theta) { return y >= 0 && mu >= 0 && theta >= 0; }

NbTerm not_a_number() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {nan, nan, nan};
}

}  // namespace

GammaRatio log_gamma_ratio(double y, double theta) {
  if (y == 0) return {0, 0};
  if (y <= kProductTo && y == std::floor(y)) return rising(theta, static_cast<int>(y));
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

NbTerm nb_count_term(double y, double mu, double theta) {
  const double m = mu + kEps, total = theta + m, share = m / total;
  const double d_mu = y * theta / (m * total);
  if (y <= kProductTo && y == std::floor(y)) {
    // p = product over k < y of (theta + k) share / (k + 1), and
    // d = p * sum over k of (m - k) / (theta + k), which is total * (its logarithm's derivative).
    const auto& inverse = reciprocals();
    double p = 1, d = 0;
    for (int k = 0; k < static_cast<int>(y); ++k) {
      const double c = share * inverse[static_cast<std::size_t>(k) + 1], factor = (theta + k) * c;
      d = d * factor + p * c * (m - k);
      p *= factor;
    }
    if (p > 1e-280 && p < 1e280) return {std::log(p), d_mu, d / (p * total)};
  }
  const GammaRatio ratio = log_gamma_ratio(y, theta);
  return {y * std::log(share) + ratio.log_ratio - log_factorial(y), d_mu,
          ratio.d_theta - y / total};
}

NbTerm nb_log_prob(double y, double mu, double theta) {
  if (!is_valid(y, mu, theta)) return not_a_number();
  const double t = theta + kEps, total = t + mu, r = mu / t;
  NbTerm out{-theta * std::log1p(r), -theta / total,
             -log1p_minus_share(r) - kEps / t * (mu / total)};
  if (y == 0) return out;
  const NbTerm count = nb_count_term(y, mu, theta);
  return {out.log_prob + count.log_prob, out.d_mu + count.d_mu, out.d_theta + count.d_theta};
}

NbTerm nb_log_prob_2021(double y, double mu, double theta) {
  if (!is_valid(y, mu, theta)) return not_a_number();
  const double t = theta + kEps, m = mu + kEps, total = t + mu, r = mu / t;
  const double log_total = std::log1p(r);  // log(t + mu) - log t
  NbTerm out{-(theta + y) * log_total, -(theta + y) / total,
             -log1p_minus_share(r) - kEps / t * (mu / total)};
  if (y == 0) return out;
  const GammaRatio ratio = log_gamma_ratio(y, t);
  out.log_prob += y * std::log(m / t) + ratio.log_ratio - log_factorial(y);
  out.d_mu += y / m;
  out.d_theta += ratio.d_theta - y / total;
  return out;
}

double nb_variance(double mu, double theta) { return mu + mu * mu / theta; }

GaussianTerm gaussian_nll(double x, double mean, double variance) {
  const double v = std::max(variance, 1e-6), d = mean - x;
  return {0.5 * (std::log(v) + d * d / v), d / v, 0.5 * (1 / v - d * d / (v * v))};
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double sigmoid(double x) {
  const double t = std::exp(-std::abs(x));
  return (x > 0 ? 1 : t) / (1 + t);
}

}  // namespace compert
