#include <algorithm>
#include <cmath>
#include <string>

#include "compert/error.h"
#include "compert/statistics.h"

namespace compert {
namespace {

/// Of one gene in one stratum.
struct Pooled {
  double cells = 0, sum = 0, squares = 0, freedom = 0;
  void add(double n, double mean, double variance) {
    cells += n;
    sum += n * mean;
    squares += n * variance;
    freedom += n - 1;
  }
};

}  // namespace

std::vector<double> shrunken_means(const GroupStats& groups, const std::vector<int32_t>& stratum) {
  if (stratum.size() != groups.n_groups ||
      std::any_of(stratum.begin(), stratum.end(), [](int32_t s) { return s < 0; }))
    throw Error("stratum", "must hold one code from 0 on per group",
                std::to_string(stratum.size()) + " codes for " + std::to_string(groups.n_groups) +
                    " groups");
  std::vector<double> out = groups.mean;
  const auto strata =
      static_cast<std::size_t>(stratum.empty() ? 0 : *std::max_element(stratum.begin(), stratum.end()) + 1);
  std::vector<Pooled> pooled(strata);
  for (std::size_t gene = 0; gene < groups.n_genes; ++gene) {
    std::fill(pooled.begin(), pooled.end(), Pooled());
    for (std::size_t g = 0; g < groups.n_groups; ++g)
      if (groups.n[g] > 0 && !std::isnan(groups.mean_of(g)[gene]))
        pooled[static_cast<std::size_t>(stratum[g])].add(static_cast<double>(groups.n[g]),
                                                         groups.mean_of(g)[gene],
                                                         groups.variance_of(g)[gene]);
    for (std::size_t g = 0; g < groups.n_groups; ++g) {
      const Pooled& all = pooled[static_cast<std::size_t>(stratum[g])];
      double& mean = out[g * groups.n_genes + gene];
      if (std::isnan(mean) || !(all.freedom > 0)) continue;
      const double centre = all.sum / all.cells, d = mean - centre,
                   v = all.squares / all.freedom *
                       std::max(0.0, 1 / static_cast<double>(groups.n[g]) - 1 / all.cells);
      mean = d * d > v ? centre + (1 - v / (d * d)) * d : centre;
    }
  }
  return out;
}

}  // namespace compert
