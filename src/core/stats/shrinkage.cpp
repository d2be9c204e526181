#include <algorithm>
#include <cmath>
#include <string>

#include "compert/error.h"
#include "compert/statistics.h"

namespace compert {
namespace {

/// One gene in one stratum: the mean of its cells, the variance within groups, and that of the groups' true
/// means, by the method of moments.
struct Pooled {
  double cells = 0, sum = 0, squares = 0, freedom = 0, excess = 0, groups = 0;
  void add(double n, double mean, double variance) {
    cells += n;
    sum += n * mean;
    squares += n * variance;
    freedom += n - 1;
  }
  double centre() const { return sum / cells; }
  /// What sampling alone gives the squared distance of a mean of n cells from the centre.
  double error(double n) const { return squares / freedom * std::max(0.0, 1 / n - 1 / cells); }
  void compare(double n, double mean) {
    excess += (mean - centre()) * (mean - centre()) - error(n);
    ++groups;
  }
  double shrunken(double n, double mean) const {
    const double between = std::max(0.0, excess / groups), total = between + error(n);
    return total > 0 ? centre() + between / total * (mean - centre()) : mean;
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
  const auto each = [&](std::size_t gene, auto&& visit) {
    for (std::size_t g = 0; g < groups.n_groups; ++g)
      if (groups.n[g] > 0 && !std::isnan(groups.mean_of(g)[gene]))
        visit(pooled[static_cast<std::size_t>(stratum[g])], static_cast<double>(groups.n[g]),
              g * groups.n_genes + gene);
  };
  for (std::size_t gene = 0; gene < groups.n_genes; ++gene) {
    std::fill(pooled.begin(), pooled.end(), Pooled());
    each(gene, [&](Pooled& all, double n, std::size_t at) {
      all.add(n, groups.mean[at], groups.variance[at]);
    });
    each(gene, [&](Pooled& all, double n, std::size_t at) { all.compare(n, groups.mean[at]); });
    each(gene, [&](const Pooled& all, double n, std::size_t at) {
      if (all.freedom > 0) out[at] = all.shrunken(n, groups.mean[at]);
    });
  }
  return out;
}

}  // namespace compert
