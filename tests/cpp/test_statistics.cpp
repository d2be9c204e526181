#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "catch_compat.h"
#include "compert/cells.h"
#include "compert/error.h"
#include "compert/statistics.h"

namespace {

using Vector = std::vector<double>;
const double kNaN = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

bool near(double a, double b, double tolerance = 1e-12) {
  return std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(b));
}

bool same(const Vector& a, const Vector& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](double s, double t) {
           return s == t || (std::isnan(s) && std::isnan(t));
         });
}

/// Compressed columns of a column-major genes x cells matrix.
struct Compressed {
  std::vector<double> values;
  std::vector<int32_t> genes;
  std::vector<int32_t> offsets{0};
  std::size_t n_genes;

  Compressed(const Vector& dense, std::size_t rows) : n_genes(rows) {
    for (std::size_t c = 0; c < dense.size() / rows; ++c) {
      for (std::size_t g = 0; g < rows; ++g) {
        if (dense[c * rows + g] == 0) continue;
        values.push_back(dense[c * rows + g]);
        genes.push_back(static_cast<int32_t>(g));
      }
      offsets.push_back(static_cast<int32_t>(values.size()));
    }
  }
  compert::SparseCells cells() const {
    return {values.data(), genes.data(), offsets.data(), n_genes, offsets.size() - 1};
  }
};

/// Small counts, about half of them zero; gene 0 is always zero.
Vector counts(std::size_t n_genes, std::size_t n_cells, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> draw(-6, 6);
  Vector x(n_genes * n_cells);
  for (std::size_t k = 0; k < x.size(); ++k) {
    x[k] = k % n_genes == 0 ? 0 : std::max(0, draw(random));
  }
  return x;
}

/// Mean and population variance of one gene over chosen cells, in two passes.
struct Plain {
  double mean = 0, variance = 0;
  Plain(const Vector& x, std::size_t n_genes, std::size_t gene, const std::vector<int64_t>& cells) {
    for (int64_t c : cells) mean += x[static_cast<std::size_t>(c) * n_genes + gene];
    mean /= static_cast<double>(cells.size());
    for (int64_t c : cells) {
      const double e = x[static_cast<std::size_t>(c) * n_genes + gene] - mean;
      variance += e * e;
    }
    variance /= static_cast<double>(cells.size());
  }
};

}  // namespace

TEST_CASE("group statistics equal the plain formula, sparse and dense", "[statistics]") {
  const std::size_t n_genes = 7, n_cells = 1300, n_groups = 4;  // several blocks per group
  const Vector x = counts(n_genes, n_cells, 1);
  std::vector<int32_t> group(n_cells);
  std::vector<std::vector<int64_t>> members(n_groups);
  for (std::size_t c = 0; c < n_cells; ++c) {
    group[c] = static_cast<int32_t>((c * 7) % 5) - 1;  // -1 .. 3; group 2 stays empty
    if (group[c] == 2) group[c] = 1;
    if (group[c] < 0) continue;
    members[static_cast<std::size_t>(group[c])].push_back(static_cast<int64_t>(c));
  }
  const Compressed compressed(x, n_genes);
  const compert::GroupStats sparse = compert::group_stats(compressed.cells(), group, n_groups);
  const compert::GroupStats dense =
      compert::group_stats(compert::DenseCells(x.data(), n_genes, n_cells), group, n_groups);

  CHECK(sparse.n == dense.n);
  CHECK(same(sparse.mean, dense.mean));
  CHECK(same(sparse.variance, dense.variance));
  int pauses = 0;
  compert::group_stats(compressed.cells(), group, n_groups, [&] { ++pauses; });
  CHECK(pauses >= 3);
  CHECK_THROWS_AS(compert::group_stats(compressed.cells(), group, n_groups, [] { throw std::runtime_error("stop"); }),
                  std::runtime_error);
  for (std::size_t k = 0; k < n_groups; ++k) {
    CHECK(sparse.n[k] == static_cast<int64_t>(members[k].size()));
    for (std::size_t g = 0; g < n_genes; ++g) {
      if (members[k].empty()) {
        CHECK(std::isnan(sparse.mean_of(k)[g]));
        CHECK(std::isnan(sparse.variance_of(k)[g]));
        continue;
      }
      const Plain plain(x, n_genes, g, members[k]);
      CHECK(near(sparse.mean_of(k)[g], plain.mean));
      CHECK(near(sparse.variance_of(k)[g], plain.variance));
    }
  }
  CHECK(sparse.mean_of(0)[0] == 0);
  CHECK(sparse.variance_of(0)[0] == 0);

  const compert::GroupStats chosen = compert::stats_of(compressed.cells(), members[3]);
  CHECK(near(chosen.mean[4], sparse.mean_of(3)[4]));
  CHECK(near(chosen.variance[4], sparse.variance_of(3)[4]));
}

TEST_CASE("a small variance survives beside a large mean", "[statistics]") {
  // 2^20 + {0, 1/8}: exact in single precision. A sum of squares would lose the variance.
  const std::size_t n = 4096;
  Vector x(n);
  for (std::size_t c = 0; c < n; ++c) x[c] = 1048576 + (c % 2 == 0 ? 0.0 : 0.125);
  const compert::GroupStats s =
      compert::group_stats(compert::DenseCells(x.data(), 1, n), std::vector<int32_t>(n, 0), 1);
  CHECK(near(s.mean[0], 1048576.0625));
  CHECK(near(s.variance[0] / 0.00390625, 1, 1e-9));
  const Vector level(100, 0.1);
  const compert::GroupStats flat =
      compert::group_stats(compert::DenseCells(level.data(), 1, 100), std::vector<int32_t>(100), 1);
  CHECK(flat.variance[0] == 0);
}

TEST_CASE("a NaN spoils its gene in its group and nothing else", "[statistics]") {
  Vector x = counts(3, 6, 2);
  x[1 * 3 + 1] = kNaN;
  const std::vector<int32_t> group = {0, 0, 0, 1, 1, 1};
  const compert::GroupStats s =
      compert::group_stats(compert::DenseCells(x.data(), 3, 6), group, 2);
  CHECK(std::isnan(s.mean_of(0)[1]));
  CHECK(std::isnan(s.variance_of(0)[1]));
  CHECK(std::isfinite(s.mean_of(0)[2]));
  CHECK(std::isfinite(s.mean_of(1)[1]));
  const compert::WelchTest test = compert::welch_test(s, 0, 1);
  CHECK(test.t[1] == 0);
  CHECK(std::isnan(test.df[1]));
}

TEST_CASE("group codes are checked", "[statistics]") {
  const Vector x = counts(3, 4, 3);
  const compert::DenseCells cells(x.data(), 3, 4);
  CHECK_THROWS_AS(compert::group_stats(cells, {0, 0, 0}, 1), compert::Error);
  CHECK_THROWS_AS(compert::group_stats(cells, {0, 0, 0, 1}, 1), compert::Error);
  CHECK_THROWS_AS(compert::group_stats(cells, {0, 0, 0, -2}, 1), compert::Error);
  CHECK_THROWS_AS(compert::stats_of(cells, {4}), compert::Error);
}

TEST_CASE("Welch's t and its degrees of freedom", "[statistics]") {
  // R: t.test(c(1, 2, 4, 0), c(3, 5, 9, 0, 4))
  const Vector x = {1, 2, 4, 0, 3, 5, 9, 0, 4};
  const std::vector<int32_t> group = {1, 1, 1, 1, 0, 0, 0, 0, 0};
  const compert::GroupStats s = compert::group_stats(compert::DenseCells(x.data(), 1, 9), group, 2);
  const compert::WelchTest test = compert::welch_test(s, 1, 0);
  CHECK(near(test.t[0], -1.446399276973235));
  CHECK(near(test.df[0], 6.2264147672987189, 1e-9));
  CHECK(near(compert::welch_test(s, 0, 1).t[0], -test.t[0]));
}

TEST_CASE("undefined t is 0, a difference without spread is infinite", "[statistics]") {
  // genes: all zero | equal constants | different constants, down
  const Vector x = {0, 2, 1, 0, 2, 1, 0, 2, 3, 0, 2, 3};
  const compert::GroupStats s =
      compert::group_stats(compert::DenseCells(x.data(), 3, 4), {1, 1, 0, 0}, 2);
  const compert::WelchTest test = compert::welch_test(s, 1, 0);
  CHECK(same(test.t, {0, 0, -kInf}));
  CHECK(same(test.df, {kNaN, kNaN, kNaN}));
  CHECK(compert::rank_by_magnitude(test.t, 3) == std::vector<int64_t>{2, 0, 1});
}

TEST_CASE("a group of one cell has no variance and no DE genes", "[statistics]") {
  const Vector x = counts(4, 7, 4);
  const compert::GroupStats s =
      compert::group_stats(compert::DenseCells(x.data(), 4, 7), {0, 0, 0, 1, 1, 1, 2}, 4);
  const compert::WelchTest test = compert::welch_test(s, 2, 0);
  CHECK(same(test.t, Vector(4, 0.0)));
  CHECK(same(compert::welch_test(s, 0, 2).t, Vector(4, 0.0)));
  const auto ranked = compert::rank_degs(s, {0, 0, 0, 0}, 2);
  CHECK(ranked[0].empty());  // its own reference
  CHECK(ranked[1].size() == 2);
  CHECK(ranked[2].empty());
  CHECK(ranked[3].empty());  // no cell at all
  CHECK(compert::rank_degs(s, {-1, 2, -1, -1}, 2)[1].empty());
  CHECK_THROWS_AS(compert::rank_degs(s, {0, 0, 0, 4}, 2), compert::Error);
  CHECK_THROWS_AS(compert::rank_degs(s, {0, 0, 0}, 2), compert::Error);
  CHECK_THROWS_AS(compert::welch_test(s, 4, 0), compert::Error);
}

TEST_CASE("ranking: by magnitude, ties in order of index, NaN last", "[statistics]") {
  const Vector scores = {1, -3, kNaN, 3, 0, -1, kInf, 0};
  CHECK(compert::rank_by_magnitude(scores, 100) == std::vector<int64_t>{6, 1, 3, 0, 5, 4, 7, 2});
  CHECK(compert::rank_by_magnitude(scores, 2) == std::vector<int64_t>{6, 1});
  CHECK(compert::rank_by_magnitude(scores, 3) == std::vector<int64_t>{6, 1, 3});
  CHECK(compert::rank_by_magnitude(scores, 0).empty());
  const std::vector<int64_t> tied = compert::rank_by_magnitude(Vector(500, 2.0), 200);
  for (std::size_t k = 0; k < tied.size(); ++k) CHECK(tied[k] == static_cast<int64_t>(k));
}

TEST_CASE("planted genes are found first", "[statistics]") {
  const std::size_t n_genes = 200, n_cells = 240;
  std::mt19937 random(5);
  std::poisson_distribution<int> draw(1.0);
  Vector x(n_genes * n_cells);
  for (double& v : x) v = draw(random);
  std::vector<int32_t> group(n_cells);
  for (std::size_t c = 0; c < n_cells; ++c) {
    group[c] = static_cast<int32_t>(c % 3);
    if (group[c] == 1) x[c * n_genes + 17] += 4;
    if (group[c] == 2) {
      x[c * n_genes + 150] += 3;
      x[c * n_genes + 3] += 6;
    }
  }
  const Compressed compressed(x, n_genes);
  const auto ranked = compert::rank_degs(
      compert::group_stats(compressed.cells(), group, 3), {-1, 0, 0}, 5);
  CHECK(ranked[1][0] == 17);
  CHECK(ranked[2][0] == 3);
  CHECK(ranked[2][1] == 150);
}

TEST_CASE("Benjamini-Hochberg", "[statistics]") {
  // R: p.adjust(c(0.01, 0.04, 0.03, NA, 0.5), "BH")
  const Vector adjusted = compert::adjust_p_values({0.01, 0.04, 0.03, kNaN, 0.5});
  const Vector expected = {0.04, 0.16 / 3, 0.16 / 3, kNaN, 0.5};
  for (std::size_t k = 0; k < expected.size(); ++k) {
    CHECK((std::isnan(expected[k]) ? std::isnan(adjusted[k]) : near(adjusted[k], expected[k])));
  }
  CHECK(compert::adjust_p_values({}).empty());
  CHECK(compert::adjust_p_values({1, 1}) == Vector{1, 1});
}

TEST_CASE("means of few cells are shrunk towards those of their stratum", "[statistics]") {
  compert::GroupStats s;
  s.n_groups = 5;
  s.n_genes = 2;
  s.n = {2, 2, 3, 2, 0};
  // By hand: centre 2, variance within (2 * 1 + 2 * 1) / 2 = 2, error of a mean 2 * (1/2 - 1/4) = 1/2, variance
  // between (2 * 4 - 2 * 1/2) / 2 = 7/2.
  s.mean = {0, 0, 4, 1, 7, 9, kNaN, 3, kNaN, kNaN};
  s.variance = {1, 1, 1, 1, 0.5, 0.5, kNaN, 0, kNaN, kNaN};
  const Vector shrunk = compert::shrunken_means(s, {0, 0, 1, 0, 0});
  CHECK(near(shrunk[0], 2 - 2 * 3.5 / 4));
  CHECK(near(shrunk[2], 2 + 2 * 3.5 / 4));
  CHECK(shrunk[4] == 7);  // alone in its stratum
  CHECK(shrunk[5] == 9);
  CHECK(std::isnan(shrunk[6]));
  CHECK(std::isnan(shrunk[8]));
  // The second gene has three groups: centre 4/3, error 4/3 * (1/2 - 1/6) = 4/9, between 10/9.
  CHECK(near(shrunk[1], 4.0 / 3 - 5.0 / 7 * 4 / 3));
  CHECK(near(shrunk[3], 4.0 / 3 - 5.0 / 7 * 1 / 3));
  CHECK(near(shrunk[7], 4.0 / 3 + 5.0 / 7 * 5 / 3));
  // Differences within the error are taken for nothing.
  s.mean[0] = 1.9;
  s.mean[2] = 2.1;
  CHECK(near(compert::shrunken_means(s, {0, 0, 1, 0, 0})[0], 2));
  // Cells that are alone say nothing about their error.
  s.n.assign(5, 1);
  CHECK(compert::shrunken_means(s, {0, 0, 0, 0, 0})[2] == 2.1);
  CHECK_THROWS_AS(compert::shrunken_means(s, {0, 0}), compert::Error);
  CHECK_THROWS_AS(compert::shrunken_means(s, {0, 0, 0, 0, -1}), compert::Error);
}
