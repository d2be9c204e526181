#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "compert/error.h"
#include "compert/statistics.h"

namespace compert {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check_group(const GroupStats& stats, int64_t group) {
  if (group < 0 || static_cast<std::size_t>(group) >= stats.n_groups) {
    throw Error("reference", "must be a group index, or -1 for none",
                std::to_string(group) + " of " + std::to_string(stats.n_groups) + " groups");
  }
}

}  // namespace

bool comparable(const GroupStats& stats, std::size_t group, int64_t reference) {
  check_group(stats, static_cast<int64_t>(group));
  if (reference == -1 || static_cast<std::size_t>(reference) == group) return false;
  check_group(stats, reference);
  return stats.n[group] >= 2 && stats.n[static_cast<std::size_t>(reference)] >= 2;
}

WelchTest welch_test(const GroupStats& stats, std::size_t group, std::size_t reference) {
  check_group(stats, static_cast<int64_t>(group));
  check_group(stats, static_cast<int64_t>(reference));
  WelchTest test;
  test.t.assign(stats.n_genes, 0.0);
  test.df.assign(stats.n_genes, kNaN);
  const double n1 = static_cast<double>(stats.n[group]);
  const double n0 = static_cast<double>(stats.n[reference]);
  if (n1 < 2 || n0 < 2) return test;
  const double* mean1 = stats.mean_of(group);
  const double* mean0 = stats.mean_of(reference);
  const double* variance1 = stats.variance_of(group);
  const double* variance0 = stats.variance_of(reference);
  for (std::size_t g = 0; g < stats.n_genes; ++g) {
    // Squared standard errors: the population variance over n - 1 is the unbiased one over n.
    const double e1 = variance1[g] / (n1 - 1);
    const double e0 = variance0[g] / (n0 - 1);
    const double t = (mean1[g] - mean0[g]) / std::sqrt(e1 + e0);
    if (std::isnan(t)) continue;
    test.t[g] = t;
    test.df[g] = (e1 + e0) * (e1 + e0) / (e1 * e1 / (n1 - 1) + e0 * e0 / (n0 - 1));
  }
  return test;
}

std::vector<int64_t> rank_by_magnitude(const std::vector<double>& scores, std::size_t n_top) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto size_of = [&](int64_t g) {
    const double magnitude = std::fabs(scores[static_cast<std::size_t>(g)]);
    return std::isnan(magnitude) ? -1.0 : magnitude;
  };
  const auto before = [&](int64_t a, int64_t b) {
    const double size_a = size_of(a), size_b = size_of(b);
    return size_a != size_b ? size_a > size_b : a < b;  // a total order: any sort gives one result
  };
  const std::size_t kept = std::min(n_top, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    before);
  order.resize(kept);
  return order;
}

std::vector<std::vector<int64_t>> rank_degs(const GroupStats& stats,
                                            const std::vector<int64_t>& reference,
                                            std::size_t n_top) {
  if (reference.size() != stats.n_groups) {
    throw Error("reference", "must have one value per group",
                std::to_string(reference.size()) + " values for " +
                    std::to_string(stats.n_groups) + " groups.");
  }
  std::vector<std::vector<int64_t>> ranked(stats.n_groups);
  for (std::size_t k = 0; k < stats.n_groups; ++k) {
    if (!comparable(stats, k, reference[k])) continue;
    const WelchTest test = welch_test(stats, k, static_cast<std::size_t>(reference[k]));
    ranked[k] = rank_by_magnitude(test.t, n_top);
  }
  return ranked;
}

std::vector<double> adjust_p_values(const std::vector<double>& p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!std::isnan(p[i])) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return p[a] != p[b] ? p[a] > p[b] : a < b;
  });
  std::vector<double> adjusted(p.size(), kNaN);
  const double m = static_cast<double>(order.size());
  double smallest = 1;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const double rank = m - static_cast<double>(k);
    smallest = std::min(smallest, p[order[k]] * m / rank);
    adjusted[order[k]] = smallest;
  }
  return adjusted;
}

}  // namespace compert
