// The sweeps over large arrays against their formulas, written out plainly in long double, and the
// promise that a sweep gives the same bits when it is run again with the same number of threads.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif
#include "catch_compat.h"
#include "torch/kernels.h"

namespace {

using compert::CellBatch;
using Long = long double;

template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 2e-6 : 1e-12;

/// Counts (a few large, a few not whole, some stored zeros), about a third stored; cell 1 is empty.
CellBatch random_batch(std::size_t cells, std::size_t genes, std::mt19937_64& random) {
  std::uniform_real_distribution<double> uniform(0, 1);
  CellBatch x;
  x.n_genes = genes;
  for (std::size_t b = 0; b < cells; ++b) {
    for (std::size_t g = 0; g < genes && b != 1; ++g) {
      if (uniform(random) > 0.35) continue;
      const double kind = uniform(random);
      const double count = kind < 0.05   ? 0
                           : kind < 0.9  ? std::floor(1 + 8 * uniform(random))
                           : kind < 0.97 ? std::floor(2000 * uniform(random))
                                         : 5 * uniform(random);
      x.genes.push_back(static_cast<int32_t>(g));
      x.values.push_back(static_cast<float>(count));
    }
    x.offsets.push_back(static_cast<int64_t>(x.genes.size()));
  }
  return x;
}

template <class T>
std::vector<T> uniform_values(std::size_t n, double from, double to, std::mt19937_64& random) {
  std::uniform_real_distribution<double> draw(from, to);
  std::vector<T> out(n);
  for (T& v : out) v = static_cast<T>(draw(random));
  return out;
}

std::vector<Long> dense(const CellBatch& x) {
  std::vector<Long> out(x.n_cells() * x.n_genes);
  for (std::size_t b = 0; b < x.n_cells(); ++b)
    for (int64_t k = x.offsets[b]; k < x.offsets[b + 1]; ++k) {
      const auto at = static_cast<std::size_t>(k);
      out[b * x.n_genes + static_cast<std::size_t>(x.genes[at])] = x.values[at];
    }
  return out;
}

template <class T>
std::vector<T> stored_as(const CellBatch& x) {
  return {x.values.begin(), x.values.end()};
}

Long softplus(Long x) { return std::max(x, Long(0)) + std::log1p(std::exp(-std::abs(x))); }
Long sigmoid(Long x) { return 1 / (1 + std::exp(-x)); }

/// One element: its loss, derivatives by the two raw numbers, and the sums of the magnitudes of the
/// terms of these derivatives.
struct Element {
  Long loss, first, second, size_first, size_second;
};

Element gaussian_element(Long m, Long raw, Long x, bool relu) {
  const bool dead = relu && !(m > 0);
  const Long v = softplus(raw) + Long(1e-3), d = (dead ? 0 : m) - x, s = sigmoid(raw);
  return {(std::log(v) + d * d / v) / 2, dead ? 0 : d / v, (1 / v - d * d / (v * v)) / 2 * s,
          std::abs(d) / v, (1 / v + d * d / (v * v)) / 2 * s};
}

/// digamma(y + theta) - digamma(theta): a sum for whole y, else differences of lgamma.
Long digamma_difference(Long y, Long theta) {
  Long sum = 0;
  if (y == std::floor(y)) {
    for (Long k = 0; k < y; ++k) sum += 1 / (theta + k);
    return sum;
  }
  // Shifted upwards by n, where the first terms of Stirling's series are exact enough.
  const int n = 60;
  for (int k = 0; k < n; ++k) sum += 1 / (theta + k) - 1 / (theta + y + k);
  const auto large = [](Long z) {
    return std::log(z) - 1 / (2 * z) - 1 / (12 * z * z) + 1 / (120 * z * z * z * z);
  };
  return sum + large(y + theta + n) - large(theta + n);
}

Element nb_element(Long raw_mu, Long raw_theta, Long y) {
  const Long mu = softplus(raw_mu) + Long(1e-3), theta = softplus(raw_theta) + Long(1e-3);
  const Long e = Long(1e-8), total = theta + mu + e;
  const Long share = std::log(theta + e) - std::log(total), gammas = digamma_difference(y, theta);
  const Long value = theta * share + y * (std::log(mu + e) - std::log(total)) +
                     std::lgamma(y + theta) - std::lgamma(theta) - std::lgamma(y + 1);
  const Long d_mu = y / (mu + e) - (theta + y) / total;
  const Long d_theta = share + theta / (theta + e) - (theta + y) / total + gammas;
  const Long a = sigmoid(raw_mu), b = sigmoid(raw_theta);
  return {-value, -d_mu * a, -d_theta * b, (y / (mu + e) + (theta + y) / total) * a,
          (std::abs(share) + (mu + y) / total + gammas) * b};
}

template <class T, class Sweep, class Formula>
void check_likelihood(Sweep&& sweep, Formula&& formula, std::size_t cells, std::size_t genes,
                      unsigned seed) {
  std::mt19937_64 random(seed);
  const CellBatch x = random_batch(cells, genes, random);
  std::vector<T> raw = uniform_values<T>(2 * cells * genes, -30, 30, random);
  raw[0] = 0;
  raw[genes] = T(2e4);  // far outside
  const std::vector<T> before = raw;
  const double loss = sweep(raw.data(), x);
  const std::vector<Long> target = dense(x);
  const auto n = static_cast<Long>(cells * genes);
  Long expected = 0, sizes = 0;
  double worst = 0;
  for (std::size_t b = 0; b < cells; ++b)
    for (std::size_t g = 0; g < genes; ++g) {
      const std::size_t first = b * 2 * genes + g, second = first + genes;
      const Element e = formula(before[first], before[second], target[b * genes + g]);
      expected += e.loss / n;
      sizes += std::abs(e.loss) / n;
      const auto off = [&](T ours, Long value, Long size) {
        const Long distance = std::abs(ours * n - value);
        return distance == 0 ? 0.0 : static_cast<double>(distance / size);
      };
      worst = std::max({worst, off(raw[first], e.first, e.size_first),
                        off(raw[second], e.second, e.size_second)});
    }
  CHECK(worst < kTolerance<T>);
  CHECK(std::abs(static_cast<double>((loss - expected) / sizes)) < kTolerance<T>);
}

/// Runs `body` twice with each number of threads; it returns what it computed.
template <class Body>
void check_repeatable(Body&& body) {
#ifdef _OPENMP
  const int before = omp_get_max_threads();
  for (const int threads : {1, 2}) {
    omp_set_num_threads(threads);
    const auto first = body(), second = body();
    CHECK(std::memcmp(first.data(), second.data(), first.size() * sizeof(first[0])) == 0);
  }
  omp_set_num_threads(before);
#else
  CHECK(body() == body());
#endif
}

}  // namespace

TEMPLATE_TEST_CASE("the Gaussian sweep is its formula", "[kernels]", float, double) {
  const bool relu = GENERATE(false, true);
  for (const std::size_t genes : {1, 7, 203})
    check_likelihood<TestType>(
        [&](TestType* raw, const CellBatch& x) { return compert::gaussian_sweep(raw, x, stored_as<TestType>(x).data(), relu, compert::Spread::kSoftplus); },
        [&](Long m, Long s, Long x) { return gaussian_element(m, s, x, relu); }, 9, genes, 1);
}

TEMPLATE_TEST_CASE("the negative binomial sweep is its formula", "[kernels]", float, double) {
  for (const std::size_t genes : {1, 7, 203})
    check_likelihood<TestType>(
        [](TestType* raw, const CellBatch& x) { return compert::nb_sweep(raw, x, stored_as<TestType>(x).data()); }, nb_element, 9,
        genes, 2);
}

TEMPLATE_TEST_CASE("sweeps at the edges: means of zero, not a number", "[kernels]", float, double) {
  CellBatch x;
  x.n_genes = 4;
  x.offsets.push_back(0);  // one cell without counts
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  for (const bool relu : {false, true}) {
    std::vector<TestType> raw = {0, TestType(-0.0), -1, 2, 0, 0, 0, 0};
    compert::gaussian_sweep(raw.data(), x, stored_as<TestType>(x).data(), relu, compert::Spread::kSoftplus);
    CHECK(raw[0] == 0);
    CHECK(raw[1] == 0);
    CHECK((raw[2] == 0) == relu);
    CHECK(raw[3] > 0);
    raw = {0, 0, 0, 0, 0, nan, 0, 0};
    CHECK(std::isnan(compert::gaussian_sweep(raw.data(), x, stored_as<TestType>(x).data(), relu, compert::Spread::kSoftplus)));
  }
  std::vector<TestType> raw = {0, 0, nan, 0, 0, 0, 0, 0};
  CHECK(std::isnan(compert::nb_sweep(raw.data(), x, stored_as<TestType>(x).data())));
}

TEMPLATE_TEST_CASE("dropout drops its share, by a seed", "[kernels]", float, double) {
  constexpr int64_t n = 200000;  // shared by threads
  for (const double probability : {0.1, 0.5}) {
    std::vector<TestType> a(n), b(n), part(1000);
    compert::dropout_sweep(7, probability, n, a.data());
    compert::dropout_sweep(uint64_t{7} << 32, probability, n, b.data());
    compert::dropout_sweep(7, probability, 1000, part.data());
    CHECK(std::equal(part.begin(), part.end(), a.begin()));
    double dropped[2] = {}, both = 0, neighbours = 0, others = 0;
    for (std::size_t k = 0; k < n; ++k) {
      others += a[k] != 0 && a[k] != static_cast<TestType>(1 / (1 - probability));
      dropped[0] += a[k] == 0;
      dropped[1] += b[k] == 0;
      both += a[k] == 0 && b[k] == 0;
      if (k > 0) neighbours += a[k] == 0 && a[k - 1] == 0;
    }
    CHECK(others == 0);
    // Within four standard deviations: seeds and places are independent.
    const auto near = [](double count, double p) {
      return std::abs(count - p * n) < 4 * std::sqrt(n * p * (1 - p));
    };
    CHECK(near(dropped[0], probability));
    CHECK(near(dropped[1], probability));
    CHECK(near(both, probability * probability));
    CHECK(near(neighbours, probability * probability));
  }
}

TEMPLATE_TEST_CASE("sparse layers are dense layers", "[kernels]", float, double) {
  std::mt19937_64 random(3);
  // The larger ones are shared by threads; 80 columns are more than one slice.
  for (const auto& [cells, genes, width] : std::vector<std::array<std::size_t, 3>>{
           {11, 57, 1}, {11, 57, 16}, {11, 57, 45}, {203, 61, 1}, {203, 61, 80}, {1, 3000, 64}}) {
    CAPTURE(cells, genes, width);
    const CellBatch x = random_batch(cells, genes, random);
    const auto values = stored_as<TestType>(x);
    const auto w = uniform_values<TestType>(genes * width, -1, 1, random);
    const auto bias = uniform_values<TestType>(width, -1, 1, random);
    const auto upstream = uniform_values<TestType>(cells * width, -1, 1, random);
    std::vector<TestType> out(cells * width), gradient(genes * width, TestType(0.5)),
        full(cells * genes, TestType(7));
    const auto columns = static_cast<int64_t>(width);
    compert::sparse_linear(x, values.data(), w.data(), bias.data(), out.data(), columns);
    compert::sparse_linear_grad(x, values.data(), upstream.data(), gradient.data(), columns);
    compert::to_dense(x, values.data(), full.data());
    const std::vector<Long> target = dense(x);
    CHECK(std::equal(full.begin(), full.end(), target.begin()));
    double worst = 0;
    for (std::size_t k = 0; k < width; ++k) {
      for (std::size_t b = 0; b < cells; ++b) {
        Long sum = bias[k], size = std::abs(sum);
        for (std::size_t g = 0; g < genes; ++g) {
          sum += target[b * genes + g] * w[g * width + k];
          size += std::abs(target[b * genes + g] * w[g * width + k]);
        }
        worst = std::max(worst, static_cast<double>(std::abs(out[b * width + k] - sum) / size));
      }
      for (std::size_t g = 0; g < genes; ++g) {
        Long sum = Long(0.5), size = sum;
        for (std::size_t b = 0; b < cells; ++b) {
          sum += target[b * genes + g] * upstream[b * width + k];
          size += std::abs(target[b * genes + g] * upstream[b * width + k]);
        }
        worst =
            std::max(worst, static_cast<double>(std::abs(gradient[g * width + k] - sum) / size));
      }
    }
    CHECK(worst < kTolerance<TestType>);
  }
}

TEMPLATE_TEST_CASE("the Adam sweep is its formula", "[kernels]", float, double) {
  std::mt19937_64 random(4);
  const compert::AdamStep s{3e-3, 1e-2, 0.9, 0.999, std::sqrt(1 - std::pow(0.999, 5)), 1e-8};
  for (const std::size_t n : {5, 30011}) {
    auto value = uniform_values<TestType>(n, -2, 2, random);
    auto m = uniform_values<TestType>(n, -1, 1, random);
    auto v = uniform_values<TestType>(n, 0, 1, random);
    auto gradient = uniform_values<TestType>(n, -1, 1, random);
    gradient[0] = m[0] = v[0] = value[0] = 0;  // nothing moves: no 0 / 0
    const auto value0 = value, m0 = m, v0 = v, gradient0 = gradient;
    compert::adam_sweep(value.data(), gradient.data(), m.data(), v.data(), static_cast<int64_t>(n),
                        s);
    CHECK(value[0] == 0);
    double worst = 0;
    for (std::size_t k = 0; k < n; ++k) {
      const Long g = gradient0[k] + s.weight_decay * Long(value0[k]);
      const Long mean = s.beta1 * Long(m0[k]) + (1 - s.beta1) * g;
      const Long square = s.beta2 * Long(v0[k]) + (1 - s.beta2) * g * g;
      const Long step = s.step_size * mean / (std::sqrt(square) / s.sqrt_bias2 + s.epsilon);
      worst = std::max({worst, static_cast<double>(std::abs(m[k] - mean)),
                        static_cast<double>(std::abs(v[k] - square)),
                        static_cast<double>(std::abs(value[k] - (value0[k] - step)))});
    }
    CHECK(worst < kTolerance<TestType> / 4);  // all are of the order of 1
    CHECK(gradient == std::vector<TestType>(n, 0));
  }
}

TEMPLATE_TEST_CASE("sweeps repeat to the bit", "[kernels]", float, double) {
  std::mt19937_64 random(5);
  const std::size_t cells = 33, genes = 700, width = 48;
  const CellBatch x = random_batch(cells, genes, random);
  const auto raw = uniform_values<TestType>(2 * cells * genes, -6, 6, random);
  const auto values = stored_as<TestType>(x);
  const auto w = uniform_values<TestType>(genes * width, -1, 1, random);
  const auto many = uniform_values<TestType>(4 * 40000, 0.1, 1, random);
  const auto likelihood = [&](auto&& sweep) {
    return [&, sweep] {
      std::vector<TestType> out = raw;
      const double loss = sweep(out.data());
      out.push_back(static_cast<TestType>(loss));
      return out;
    };
  };
  check_repeatable(likelihood([&](TestType* p) { return compert::gaussian_sweep(p, x, values.data(), false, compert::Spread::kSoftplus); }));
  check_repeatable(likelihood([&](TestType* p) { return compert::nb_sweep(p, x, values.data()); }));
  check_repeatable([&] {
    std::vector<TestType> out(cells * width);
    compert::sparse_linear(x, values.data(), w.data(), w.data(), out.data(), width);
    return out;
  });
  check_repeatable([&] {
    std::vector<TestType> out(genes * width);
    compert::sparse_linear_grad(x, values.data(), w.data(), out.data(), width);
    return out;
  });
  check_repeatable([&] {
    std::vector<TestType> all = many;
    TestType* p = all.data();
    compert::adam_sweep(p, p + 40000, p + 80000, p + 120000, 40000,
                        {1e-3, 1e-6, 0.9, 0.999, 0.1, 1e-8});
    return all;
  });
}
