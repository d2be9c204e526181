// The sweeps of counts with a library size: values against the likelihoods of one value, gradients
// against differences of the values.
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "catch_compat.h"
#include "compert/likelihoods.h"
#include "compert/mixtures.h"
#include "torch/kernels.h"

namespace {

using compert::CellBatch;
using Vector = std::vector<double>;

/// Counts of a few cells, also fractions (mixup) and a cell without any.
struct Case {
  std::size_t cells = 5, genes = 13;
  CellBatch x;
  Vector values, dense, library, theta, raw;
  bool zero_inflated;

  explicit Case(bool zinb) : zero_inflated(zinb) {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> uniform(-2, 2);
    x.n_genes = genes;
    dense.assign(cells * genes, 0);
    for (std::size_t b = 0; b < cells; ++b) {
      for (std::size_t g = b == 3 ? genes : 0; g < genes; ++g) {
        if (random() % 3 != 0) continue;
        const double count = static_cast<double>(random() % 7) + (b == 1 ? 0.25 : 1);
        x.genes.push_back(static_cast<int32_t>(g));
        x.values.push_back(static_cast<float>(count));
        values.push_back(count);
        dense[b * genes + g] = count;
      }
      x.offsets.push_back(static_cast<int64_t>(values.size()));
      double total = 0;
      for (std::size_t g = 0; g < genes; ++g) total += dense[b * genes + g];
      library.push_back(total);
    }
    for (std::size_t g = 0; g < genes; ++g) theta.push_back(std::exp(uniform(random)));
    for (std::size_t k = 0; k < cells * genes * (zinb ? 2 : 1); ++k) raw.push_back(uniform(random));
  }

  /// The loss, written out.
  double plain(const Vector& from, const Vector& dispersion) const {
    double sum = 0;
    for (std::size_t b = 0; b < cells; ++b) {
      const double* row = from.data() + b * genes * (zero_inflated ? 2 : 1);
      double total = 0;
      for (std::size_t g = 0; g < genes; ++g) total += std::exp(row[g]);
      for (std::size_t g = 0; g < genes; ++g) {
        const double y = dense[b * genes + g], mu = library[b] * std::exp(row[g]) / total;
        sum -= zero_inflated ? compert::zinb_log_prob(y, mu, dispersion[g], row[genes + g]).log_prob
                             : compert::nb_log_prob(y, mu, dispersion[g]).log_prob;
      }
    }
    return sum / static_cast<double>(cells * genes);
  }

  template <class T>
  double sweep(std::vector<T>& gradient, std::vector<T>& d_theta) const {
    gradient.assign(raw.begin(), raw.end());
    d_theta.assign(genes, 0);
    const std::vector<T> v(values.begin(), values.end()), l(library.begin(), library.end()),
        t(theta.begin(), theta.end());
    return zero_inflated ? compert::zinb_library_sweep(gradient.data(), x, v.data(), l.data(),
                                                       t.data(), d_theta.data())
                         : compert::nb_library_sweep(gradient.data(), x, v.data(), l.data(), t.data(),
                                                     d_theta.data());
  }
};

double slope(Vector at, std::size_t k, const std::function<double(const Vector&)>& f) {
  const double h = 1e-5, middle = at[k];
  at[k] = middle + h;
  const double up = f(at);
  at[k] = middle - h;
  return (up - f(at)) / (2 * h);
}

}  // namespace

TEMPLATE_TEST_CASE("library sweeps are their formulas", "[kernels]", float, double) {
  const double tolerance = std::is_same<TestType, float>::value ? 2e-6 : 1e-9;
  for (const bool zinb : {false, true}) {
    const Case c(zinb);
    std::vector<TestType> gradient, d_theta;
    const double loss = c.sweep(gradient, d_theta);
    CHECK(std::abs(loss - c.plain(c.raw, c.theta)) < tolerance * std::abs(loss));
    double worst = 0;
    for (std::size_t k = 0; k < c.raw.size(); ++k)
      worst = std::max(worst, std::abs(gradient[k] - slope(c.raw, k, [&](const Vector& raw) {
                                         return c.plain(raw, c.theta);
                                       })));
    for (std::size_t g = 0; g < c.genes; ++g)
      worst = std::max(worst, std::abs(d_theta[g] - slope(c.theta, g, [&](const Vector& theta) {
                                         return c.plain(c.raw, theta);
                                       })));
    CHECK(worst < tolerance);
  }
}

TEMPLATE_TEST_CASE("library sweeps keep what is not a number", "[kernels]", float, double) {
  for (const bool zinb : {false, true}) {
    Case c(zinb);
    c.raw[2] = std::nan("");
    std::vector<TestType> gradient, d_theta;
    CHECK(std::isnan(c.sweep(gradient, d_theta)));
  }
}
