#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/neighbours.h"

namespace {

using Vector = std::vector<double>;
using Labels = std::vector<int32_t>;

bool near(double a, double b, double tolerance = 1e-12) {
  return std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(b));
}

compert::Points points(const Vector& values, std::size_t dim) {
  return {values.data(), values.size() / dim, dim};
}

Vector normal(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> draw(0, 1);
  Vector x(n);
  for (double& v : x) v = draw(random);
  return x;
}

/// Whole numbers from 0 to 2: many points coincide, and most distances are tied.
Vector lattice(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  Vector x(n);
  for (double& v : x) v = static_cast<double>(random() % 3);
  return x;
}

Labels draw_labels(std::size_t n, unsigned kinds, unsigned seed) {
  std::mt19937 random(seed);
  Labels out(n);
  for (int32_t& label : out) label = static_cast<int32_t>(random() % kinds) * 7 - 3;
  return out;
}

/// Every distance from every point, sorted whole.
std::vector<std::vector<std::size_t>> sorted_neighbours(const compert::Points& x, std::size_t k) {
  std::vector<std::vector<std::size_t>> out(x.n);
  for (std::size_t i = 0; i < x.n; ++i) {
    std::vector<std::pair<double, std::size_t>> all;
    for (std::size_t j = 0; j < x.n; ++j) {
      if (j == i) continue;
      double sum = 0;
      for (std::size_t d = 0; d < x.dim; ++d) {
        const double e = x.values[i * x.dim + d] - x.values[j * x.dim + d];
        sum += e * e;
      }
      all.emplace_back(sum, j);
    }
    std::sort(all.begin(), all.end());
    for (std::size_t j = 0; j < std::min(k, all.size()); ++j) out[i].push_back(all[j].second);
  }
  return out;
}

double plain_purity(const compert::Points& x, const Labels& labels, std::size_t k) {
  const auto nearest = sorted_neighbours(x, k);
  std::map<int32_t, Vector> shares;
  for (std::size_t i = 0; i < x.n; ++i) {
    double same = 0;
    for (std::size_t j : nearest[i]) same += labels[j] == labels[i] ? 1 : 0;
    shares[labels[i]].push_back(same / static_cast<double>(nearest[i].size()));
  }
  double sum = 0;
  for (const auto& one : shares) {
    double part = 0;
    for (double share : one.second) part += share;
    sum += part / static_cast<double>(one.second.size());
  }
  return sum / static_cast<double>(shares.size());
}

double plain_entropy(const compert::Points& x, const Labels& labels, std::size_t k) {
  const auto nearest = sorted_neighbours(x, k);
  const std::set<int32_t> kinds(labels.begin(), labels.end());
  double sum = 0;
  for (std::size_t i = 0; i < x.n; ++i) {
    for (int32_t kind : kinds) {
      const auto hits = std::count_if(nearest[i].begin(), nearest[i].end(),
                                      [&](std::size_t j) { return labels[j] == kind; });
      const double p = static_cast<double>(hits) / static_cast<double>(nearest[i].size());
      if (p > 0) sum -= p * std::log(p) / std::log(static_cast<double>(kinds.size()));
    }
  }
  return sum / static_cast<double>(x.n);
}

/// Two clouds far from each other, one after the other.
Vector two_clouds(std::size_t n_each, std::size_t dim) {
  Vector x = normal(2 * n_each * dim, 5);
  for (std::size_t v = n_each * dim; v < x.size(); ++v) x[v] += 100;
  return x;
}

Labels halves(std::size_t n_each) {
  Labels labels(2 * n_each, 1);
  std::fill(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(n_each), 0);
  return labels;
}

}  // namespace

TEST_CASE("neighbours are those of a whole sort, also among ties", "[neighbours]") {
  // Below, at and beyond a tile of 64, a block of 32 rows and a run of 256 coordinates.
  for (const std::size_t n : {2, 3, 31, 32, 33, 64, 65, 300}) {
    for (const std::size_t dim : {1, 2, 5, 256, 259}) {
      for (const bool tied : {false, true}) {
        const Vector x = tied ? lattice(n * dim, 1) : normal(n * dim, 2);
        const auto truth = sorted_neighbours(points(x, dim), n);
        for (const std::size_t k : {std::size_t{1}, std::size_t{7}, n - 1, n + 10}) {
          const std::size_t width = std::min(k, n - 1);
          const auto found = compert::nearest_neighbours(points(x, dim), static_cast<int64_t>(k));
          REQUIRE(found.size() == n * width);
          std::size_t wrong = 0;
          for (std::size_t i = 0; i < n; ++i) {
            const auto row = found.begin() + static_cast<std::ptrdiff_t>(i * width);
            wrong +=
                std::equal(row, row + static_cast<std::ptrdiff_t>(width), truth[i].begin()) ? 0 : 1;
          }
          INFO("n " << n << ", dim " << dim << ", k " << k << ", tied " << tied);
          CHECK(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("points that coincide are neighbours of each other, never of themselves",
          "[neighbours]") {
  const Vector x(4 * 3, 2.5);
  CHECK(compert::nearest_neighbours(points(x, 3), 2) ==
        std::vector<std::size_t>{1, 2, 0, 2, 0, 1, 0, 1});
  // Each of a pair of twins has the other label. Were the first hit left out, a twin would count
  // itself: 0.5 for two of the four.
  const Vector twins = {0, 0, 10, 10};
  CHECK(compert::knn_purity(points(twins, 1), {0, 1, 0, 1}, 1).mean == 0);
}

TEST_CASE("near points far from the origin keep their order", "[neighbours]") {
  const Vector x = {1e8, 1e8 + 0.3, 1e8 + 0.5, 1e8 + 1.5};
  CHECK(compert::nearest_neighbours(points(x, 1), 1) == std::vector<std::size_t>{1, 2, 1, 2});
}

TEST_CASE("purity equals the plain formula", "[neighbours]") {
  for (const std::size_t n : {5, 40, 230}) {
    for (const bool tied : {false, true}) {
      const Vector x = tied ? lattice(n * 4, 3) : normal(n * 4, 4);
      const Labels labels = draw_labels(n, 3, 9);
      for (const std::size_t k : {1, 6, 30, 1000}) {
        const double ours = compert::knn_purity(points(x, 4), labels, static_cast<int64_t>(k)).mean;
        CHECK(near(ours, plain_purity(points(x, 4), labels, k)));
      }
    }
  }
}

TEST_CASE("purity is 1 for labels that lie apart, and their frequency where they are mixed",
          "[neighbours]") {
  const Vector apart = two_clouds(50, 3);
  CHECK(compert::knn_purity(points(apart, 3), halves(50), 20).mean == 1);
  const Vector mixed = normal(2000 * 2, 6);
  Labels labels(2000, 4);
  for (std::size_t c = 0; c < labels.size(); c += 5) labels[c] = -2;
  const compert::Purity purity = compert::knn_purity(points(mixed, 2), labels, 30);
  CHECK(purity.labels == Labels{-2, 4});
  REQUIRE(purity.by_label.size() == 2);
  CHECK(near(purity.by_label[0], 0.2, 0.02));
  CHECK(near(purity.by_label[1], 0.8, 0.02));
  CHECK(near(purity.mean, (purity.by_label[0] + purity.by_label[1]) / 2));
  CHECK(compert::knn_purity(points(mixed, 2), Labels(2000, 8), 30).mean == 1);
}

TEST_CASE("labels count the same, however many points they have", "[neighbours]") {
  // Points 0, 1, 2 with label 0 and 10 with label 1, whose nearest is another's: (1 + 0) / 2.
  const Vector x = {0, 1, 2, 10};
  const compert::Purity purity = compert::knn_purity(points(x, 1), {0, 0, 0, 1}, 1);
  CHECK(purity.by_label == Vector{1, 0});
  CHECK(purity.mean == 0.5);
}

TEST_CASE("entropy of mixing equals the plain formula", "[neighbours]") {
  for (const std::size_t n : {5, 40, 230}) {
    for (const bool tied : {false, true}) {
      const Vector x = tied ? lattice(n * 4, 7) : normal(n * 4, 8);
      const Labels labels = draw_labels(n, 3, 9);
      for (const std::size_t k : {1, 6, 50, 1000}) {
        const double ours =
            compert::batch_mixing_entropy(points(x, 4), labels, static_cast<int64_t>(k), 1, 1, 0);
        CHECK(near(ours, plain_entropy(points(x, 4), labels, k)));
      }
    }
  }
}

TEST_CASE("entropy of mixing is 0 for labels that lie apart, and counts those around a point",
          "[neighbours]") {
  const Vector apart = two_clouds(50, 3);
  CHECK(compert::batch_mixing_entropy(points(apart, 3), halves(50), 20, 50, 100, 0) == 0);
  // Around each corner of a triangle lie the two other labels, one point each.
  const Vector corners = {0, 0, 1, 0, 0.5, std::sqrt(0.75)};
  CHECK(near(compert::batch_mixing_entropy(points(corners, 2), {0, 1, 2}, 2, 1, 1, 0),
             std::log(2) / std::log(3)));
  // All in one place: four of each label around a 0, five to three around a 1.
  const Vector same(9, 1.0);
  const double p = 3.0 / 8.0;
  const double uneven = -(p * std::log2(p) + (1 - p) * std::log2(1 - p));
  CHECK(
      near(compert::batch_mixing_entropy(points(same, 1), {0, 1, 0, 1, 0, 1, 0, 1, 0}, 8, 1, 1, 0),
           (5 + 4 * uneven) / 9));
}

TEST_CASE("pools follow their seed and tend to the mean over all points", "[neighbours]") {
  const Vector x = normal(400 * 2, 10);
  const Labels labels = draw_labels(400, 2, 11);
  const auto score = [&](int64_t pools, int64_t cells, uint64_t seed) {
    return compert::batch_mixing_entropy(points(x, 2), labels, 10, pools, cells, seed);
  };
  CHECK(score(50, 100, 1) == score(50, 100, 1));
  CHECK(score(50, 100, 1) != score(50, 100, 2));
  CHECK(score(1, 100, 1) == score(1, 3, 2));
  CHECK(near(score(50, 100, 1), score(1, 1, 0), 0.02));
  CHECK(near(score(2000, 1000, 1), score(1, 1, 0), 0.001));
}

TEST_CASE("the number of threads changes no result", "[neighbours]") {
#ifdef _OPENMP
  const Vector x = lattice(700 * 5, 12);
  const Labels labels = draw_labels(700, 4, 13);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const auto one = compert::nearest_neighbours(points(x, 5), 15);
  const double purity = compert::knn_purity(points(x, 5), labels, 15).mean;
  const double entropy = compert::batch_mixing_entropy(points(x, 5), labels, 15, 5, 9, 1);
  for (const int threads : {2, 3, 40}) {
    omp_set_num_threads(threads);
    CHECK(compert::nearest_neighbours(points(x, 5), 15) == one);
    CHECK(compert::knn_purity(points(x, 5), labels, 15).mean == purity);
    CHECK(compert::batch_mixing_entropy(points(x, 5), labels, 15, 5, 9, 1) == entropy);
  }
  omp_set_num_threads(before);
#endif
}

TEST_CASE("a pause may end the search", "[neighbours]") {
  const Vector x = normal(3000, 14);
  int pauses = 0;
  compert::nearest_neighbours(points(x, 1), 3, [&] { ++pauses; });
  CHECK(pauses > 0);
  CHECK_THROWS_AS(
      compert::nearest_neighbours(points(x, 1), 3, [] { throw std::runtime_error("stop"); }),
      std::runtime_error);
}

TEST_CASE("questions without an answer are refused", "[neighbours]") {
  const Vector x = {0, 1, 2, 3};
  const Labels labels = {0, 0, 1, 1};
  const auto refused = [](const auto& ask) {
    try {
      ask();
    } catch (const compert::Error& e) {
      return e.argument() + " " + e.must();
    }
    return std::string();
  };
  CHECK(refused([&] { compert::nearest_neighbours(points(x, 1), 0); }) == "k must be at least 1");
  CHECK(refused([&] { compert::knn_purity(points(x, 1), labels, -4); }) == "k must be at least 1");
  CHECK(refused([&] { compert::knn_purity(points(x, 4), {0}, 1); }) ==
        "points must be two or more");
  CHECK(refused([&] {
          compert::nearest_neighbours({x.data(), 4, 0}, 1);
        }) == "points must have at least one coordinate");
  CHECK(refused([&] { compert::knn_purity(points(x, 2), labels, 1); }) ==
        "labels must have one value per point");
  const auto mixing = [&](const Labels& of, int64_t k, int64_t pools, int64_t cells) {
    return refused([&] { compert::batch_mixing_entropy(points(x, 1), of, k, pools, cells, 0); });
  };
  CHECK(mixing(labels, 0, 1, 1) == "k must be at least 1");
  CHECK(mixing(labels, 1, 0, 1) == "pools must be at least 1");
  CHECK(mixing(labels, 1, 2, 0) == "cells_per_pool must be at least 1");
  CHECK(mixing({0, 1}, 1, 1, 1) == "labels must have one value per point");
  CHECK(mixing({5, 5, 5, 5}, 1, 1, 1) == "labels must hold at least two different values");
  CHECK(mixing(labels, 1, 1, 1).empty());
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const Vector spoilt = {0, 1, bad, 3};
    CHECK(refused([&] { compert::nearest_neighbours(points(spoilt, 2), 1); }) ==
          "points must have finite coordinates");
    CHECK_THROWS_WITH(compert::nearest_neighbours(points(spoilt, 2), 1),
                      ContainsSubstring("Coordinate 1 of point 2"));
  }
}
