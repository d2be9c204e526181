#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/metrics.h"

namespace {

using Vector = std::vector<double>;
const double kNaN = std::numeric_limits<double>::quiet_NaN();

bool near(double a, double b, double tolerance = 1e-12) {
  return std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(b));
}

Vector normal(std::size_t n, unsigned seed, double shift = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> draw(shift, 1);
  Vector x(n);
  for (double& v : x) v = draw(random);
  return x;
}

compert::Points points(const Vector& values, std::size_t dim) {
  return {values.data(), values.size() / dim, dim};
}

double distance_squared(const compert::Points& x, std::size_t i, const compert::Points& y,
                        std::size_t j) {
  double sum = 0;
  for (std::size_t d = 0; d < x.dim; ++d) {
    const double e = x.values[i * x.dim + d] - y.values[j * y.dim + d];
    sum += e * e;
  }
  return sum;
}

/// Every pair one after the other, as the definitions say.
template <class F>
double mean_of_pairs(const compert::Points& x, const compert::Points& y, F f) {
  double sum = 0;
  for (std::size_t i = 0; i < x.n; ++i) {
    for (std::size_t j = 0; j < y.n; ++j) sum += f(distance_squared(x, i, y, j));
  }
  return sum / static_cast<double>(x.n * y.n);
}

}  // namespace

TEST_CASE("r2 is the coefficient of determination", "[metrics]") {
  // scikit-learn: r2_score([3, -0.5, 2, 7], [2.5, 0, 2, 8]) = 0.9486081370449679
  CHECK(near(compert::r2({3, -0.5, 2, 7}, {2.5, 0, 2, 8}), 0.9486081370449679));
  CHECK(near(compert::r2({2.5, 0, 2, 8}, {3, -0.5, 2, 7}), 1 - 1.5 / 35.1875));
  CHECK(compert::r2({1, 2, 3}, {1, 2, 3}) == 1);
  CHECK(near(compert::r2({1, 2, 3}, {3, 2, 1}), -3));
  CHECK(near(compert::r2({1, 2, 3}, {2, 2, 2}), 0));
}

TEST_CASE("r2 of a constant truth is 1 when it is met and 0 otherwise", "[metrics]") {
  CHECK(compert::r2({0.1, 0.1, 0.1}, {0.1, 0.1, 0.1}) == 1);
  CHECK(compert::r2({0.1, 0.1, 0.1}, {0.1, 0.1, 0.2}) == 0);
  CHECK(compert::r2({0, 0}, {0, 0}) == 1);
}

TEST_CASE("r2 may count small sums of squares as 0", "[metrics]") {
  const Vector truth = {1, 1.001, 0.999}, near_truth = {1.001, 1.001, 0.999};
  CHECK(near(compert::r2(truth, near_truth), 0.5, 1e-9));
  CHECK(compert::r2(truth, near_truth, 1e-4) == 1);
  CHECK(compert::r2(truth, {2, 1, 1}, 1e-4) == 0);
  CHECK(compert::r2({2, 2}, {2, 2}, 1e-4) == 1);
  CHECK(compert::r2({2, 2}, {3, 3}, 1e-4) == 0);
  CHECK(compert::r2({1, 2, 3}, {3, 2, 1}, 1e-4) == compert::r2({1, 2, 3}, {3, 2, 1}));
}

TEST_CASE("r2 cell by cell is the mean over cells", "[metrics]") {
  const Vector truth = {1, 2, 3, 7, 4, 4, 1, 0}, predicted = {1, 2, 4, 6, 3, 4, 2, 0};
  const compert::Points t = points(truth, 4), p = points(predicted, 4);
  const double first = compert::r2({1, 2, 3, 7}, {1, 2, 4, 6});
  const double second = compert::r2({4, 4, 1, 0}, {3, 4, 2, 0});
  CHECK(near(compert::cell_r2(t, p, {0, 1, 2, 3}), (first + second) / 2));
  CHECK(near(compert::cell_r2(t, p, {2, 3}),
             (compert::r2({3, 7}, {4, 6}) + compert::r2({1, 0}, {2, 0})) / 2));
  CHECK(std::isnan(compert::cell_r2(t, p, {1})));
  CHECK(std::isnan(compert::cell_r2(points({}, 4), points({}, 4), {0, 1})));
  CHECK_THROWS_AS(compert::cell_r2(t, points(predicted, 2), {0, 1}), compert::Error);
  CHECK_THROWS_AS(compert::cell_r2(t, p, {0, 4}), compert::Error);
}

TEST_CASE("r2 of something that is no number is NaN", "[metrics]") {
  CHECK(std::isnan(compert::r2({1, kNaN, 3}, {1, 2, 3})));
  CHECK(std::isnan(compert::r2({1, 2, 3}, {1, 2, kNaN})));
  CHECK(std::isnan(compert::r2({kNaN, kNaN}, {1, 2})));
  CHECK(std::isnan(compert::r2({1, 2}, {1, std::numeric_limits<double>::infinity()})));
}

TEST_CASE("metrics over genes refuse fewer than two and unequal lengths", "[metrics]") {
  CHECK_THROWS_AS(compert::r2({1}, {1}), compert::Error);
  CHECK_THROWS_AS(compert::r2({}, {}), compert::Error);
  CHECK_THROWS_AS(compert::r2({1, 2}, {1, 2, 3}), compert::Error);
  CHECK_THROWS_AS(compert::pearson({1}, {1}), compert::Error);
  CHECK_THROWS_AS(compert::sign_agreement({1, 2}, {1}), compert::Error);
  CHECK_THROWS_AS(compert::log_fold({1, 2}, {1}), compert::Error);
}

TEST_CASE("Pearson correlation", "[metrics]") {
  // R: cor(c(1, 2, 3, 5), c(2, 1, 4, 3))
  CHECK(near(compert::pearson({1, 2, 3, 5}, {2, 1, 4, 3}), 0.5291502622129181));
  CHECK(near(compert::pearson({1, 2, 3}, {-2, -4, -6}), -1));
  CHECK(std::isnan(compert::pearson({0.1, 0.1, 0.1}, {1, 2, 3})));
  CHECK(std::isnan(compert::pearson({1, 2, 3}, {0.1, 0.1, 0.1})));
  CHECK(std::isnan(compert::pearson({1, 2, kNaN}, {1, 2, 3})));
  // A shift that is large beside the spread must not swamp it.
  CHECK(near(compert::pearson({1e9 + 1, 1e9 + 2, 1e9 + 3}, {1, 2, 3}), 1));
}

TEST_CASE("sign agreement counts places, zero agrees with nothing", "[metrics]") {
  CHECK(compert::sign_agreement({1, -1, 2, 0}, {3, -2, -1, 0}) == 0.5);
  CHECK(compert::sign_agreement({1e-300, -1e-300}, {1e-300, -1e-300}) == 1);
}

TEST_CASE("log folds of negative means are those of 0", "[metrics]") {
  const Vector control = {1, 0, 2}, truth = {2, 1, 1};
  const Vector fold = compert::log_fold(truth, control);
  CHECK(near(fold[0], std::log2(2.00001 / 1.00001)));
  CHECK(near(fold[1], std::log2(1.00001 / 0.00001)));
  CHECK(compert::log_fold({2, 1, -0.5}, control) == compert::log_fold({2, 1, 0}, control));
}

TEST_CASE("the four scores of a condition", "[metrics]") {
  const Vector m = {1, 2, 3, 7}, v = {1, 1, 2, 5}, pm = {1, 2, 4, 6}, pv = {1, 2, 2, 2};
  const compert::R2Scores s = compert::r2_scores(m, v, pm, pv, {3, 1});
  CHECK(s.mean == compert::r2(m, pm));
  CHECK(s.variance == compert::r2(v, pv));
  CHECK(s.mean_deg == compert::r2({7, 2}, {6, 2}));
  CHECK(s.variance_deg == compert::r2({5, 1}, {2, 2}));
  const compert::R2Scores alone = compert::r2_scores(m, v, pm, pv, {3});
  CHECK(std::isnan(alone.mean_deg));
  CHECK(std::isnan(alone.variance_deg));
  CHECK_THROWS_AS(compert::r2_scores(m, v, pm, pv, {4, 1}), compert::Error);
  CHECK_THROWS_AS(compert::r2_scores(m, v, pm, pv, {-1}), compert::Error);

  const compert::R2Scores both = compert::average({s, alone});
  CHECK(near(both.mean, s.mean));
  CHECK(both.mean_deg == s.mean_deg);
  CHECK(std::isnan(compert::average({}).mean));
}

TEST_CASE("MMD and energy distance agree with their definitions across tiles", "[metrics]") {
  const std::size_t dim = GENERATE(1, 3, 20, 517);
  const Vector a = normal(37 * dim, 1), b = normal(18 * dim, 2, 0.5);
  const compert::Points x = points(a, dim), y = points(b, dim);
  const auto kernel = [](double squared) {
    return compert::mixture_kernel(squared, compert::mmd_bandwidths());
  };
  const auto norm = [](double squared) { return std::sqrt(squared); };
  const double mmd = mean_of_pairs(x, x, kernel) + mean_of_pairs(y, y, kernel) -
                     2 * mean_of_pairs(x, y, kernel);
  const double energy =
      2 * mean_of_pairs(x, y, norm) - mean_of_pairs(x, x, norm) - mean_of_pairs(y, y, norm);
  CHECK(near(compert::mmd(x, y), mmd));
  CHECK(near(compert::energy_distance(x, y), energy, 1e-11));
  CHECK(compert::mmd(x, y) > 0);
  CHECK(compert::energy_distance(x, y) > 0);
  CHECK(near(compert::mmd(y, x), mmd));
  CHECK(near(compert::mmd(x, x), 0));
  CHECK(near(compert::energy_distance(x, x), 0));
}

TEST_CASE("the mixture kernel is a sum of nineteen Gaussians", "[metrics]") {
  CHECK(compert::mmd_bandwidths().size() == 19);
  CHECK(compert::mixture_kernel(0, compert::mmd_bandwidths()) == 19);
  CHECK(near(compert::mixture_kernel(3, {0.5, 2}), std::exp(-3.0) + std::exp(-0.75)));
  CHECK(compert::mixture_kernel(1e300, {1e-6}) == 0);
  CHECK(std::isnan(compert::mixture_kernel(kNaN, {1})));
}

TEST_CASE("Wasserstein distance per gene", "[metrics]") {
  // scipy: wasserstein_distance([0, 1, 3], [5, 6, 8]) = 5; ([0, 1], [0, 1, 1, 3]) = 0.75
  const Vector a = {0, 0, 1, 1, 3, 4}, b = {5, 0, 6, 1, 8, 4};
  const Vector by_gene = compert::wasserstein_by_gene(points(a, 2), points(b, 2));
  CHECK(near(by_gene[0], 5));
  CHECK(near(by_gene[1], 0));
  CHECK(near(compert::wasserstein(points(a, 2), points(b, 2)), 2.5));
  const Vector c = {0, 1}, d = {0, 1, 1, 3};
  CHECK(near(compert::wasserstein(points(c, 1), points(d, 1)), 0.75));
  const Vector same = normal(50, 3);
  Vector shifted = same;
  for (double& v : shifted) v += 2;
  CHECK(near(compert::wasserstein(points(same, 1), points(shifted, 1)), 2));
  CHECK(std::isnan(compert::wasserstein(points({1, kNaN}, 1), points(c, 1))));
}

TEST_CASE("distances refuse empty samples and unequal genes", "[metrics]") {
  const Vector a = {1, 2, 3, 4};
  const compert::Points two = points(a, 2), one = points(a, 1), none{nullptr, 0, 2};
  CHECK_THROWS_AS(compert::mmd(two, one), compert::Error);
  CHECK_THROWS_AS(compert::mmd(two, none), compert::Error);
  CHECK_THROWS_AS(compert::mmd(two, two, {0.0}), compert::Error);
  CHECK_THROWS_AS(compert::energy_distance(none, two), compert::Error);
  CHECK_THROWS_AS(compert::wasserstein(one, two), compert::Error);
}

TEST_CASE("a pause may end a distance", "[metrics]") {
  const Vector a = normal(300, 1), b = normal(300, 2);
  const compert::Points x = points(a, 3), y = points(b, 3);
  int left = 0;
  const auto pause = [&] {
    if (--left == 0) throw std::runtime_error("stop");
  };
  const auto stops = [&](const std::function<double()>& distance) {
    left = 3;
    CHECK_THROWS_WITH(distance(), "stop");
  };
  stops([&] { return compert::mmd(x, y, compert::mmd_bandwidths(), pause); });
  stops([&] { return compert::energy_distance(x, y, pause); });
  stops([&] { return compert::wasserstein(x, y, pause); });
}
