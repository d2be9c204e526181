#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "compert/cells.h"
#include "compert/pause.h"

namespace compert {

/// Mean and population variance (division by n) of every gene in every group.
/// Row-major: gene g of group k is at `k * n_genes + g`. An empty group has NaN everywhere.
struct GroupStats {
  std::size_t n_groups = 0;
  std::size_t n_genes = 0;
  std::vector<int64_t> n;
  std::vector<double> mean;
  std::vector<double> variance;

  const double* mean_of(std::size_t group) const { return mean.data() + group * n_genes; }
  const double* variance_of(std::size_t group) const { return variance.data() + group * n_genes; }
};

/// One sweep over the cells, in blocks, over stored values only; zeros enter in closed form.
/// Sums are updated around the running mean in double precision, so large means do not swamp
/// small variances. A NaN in a gene makes that gene NaN in that group.
/// `group` has one code per cell in -1 .. n_groups-1; cells of -1 are left out.
/// Throws `Error` for a code outside that range or a wrong length. `pause` is called between blocks.
GroupStats group_stats(const CellSource& cells, const std::vector<int32_t>& group,
                       std::size_t n_groups, const Pause& pause = {});

/// The same for chosen cells taken as one group.
GroupStats stats_of(const CellSource& cells, const std::vector<int64_t>& chosen);

/// Means of groups, shrunk towards the mean of all cells of their stratum: of the distance b / (b + e) is left,
/// with e the variance that sampling gives it (from the variance within the stratum's groups) and b the
/// variance between their true means, per gene, by the method of moments (empirical Bayes; Efron and Morris
/// 1975, doi:10.1080/01621459.1975.10479864). Groups x genes; a group's NaN stays NaN and counts for nothing;
/// where no group of a stratum has two cells, e is unknown and the means stay. `stratum` has one code from 0
/// on per group; throws `Error` for anything else.
std::vector<double> shrunken_means(const GroupStats& groups, const std::vector<int32_t>& stratum);

/// Welch's t of every gene, with Welch-Satterthwaite degrees of freedom.
struct WelchTest {
  std::vector<double> t;
  std::vector<double> df;
};

/// t = (mean_1 - mean_0) / sqrt(s1^2 / n1 + s0^2 / n0) with unbiased s^2, of `group` against
/// `reference`. An undefined t (no variance and equal means, NaN in the data) is 0 with df NaN;
/// without variance but with different means it is infinite. A group of fewer than two cells has
/// no variance: every t is then 0 and every df NaN.
WelchTest welch_test(const GroupStats& stats, std::size_t group, std::size_t reference);

/// Indices of the `n_top` largest |score|, descending. Ties keep the order of the indices (the
/// lower index first), NaN comes last. All indices when there are fewer than `n_top`.
std::vector<int64_t> rank_by_magnitude(const std::vector<double>& scores, std::size_t n_top);

/// DE genes of every group against its reference group: rank_by_magnitude() of Welch's t.
/// `reference[k]` is a group index, or -1 for none. A group without reference, with itself as
/// reference, or where either side has fewer than two cells, gets an empty list.
std::vector<std::vector<int64_t>> rank_degs(const GroupStats& stats,
                                            const std::vector<int64_t>& reference,
                                            std::size_t n_top);

/// True when welch_test() of this pair has a meaning (see rank_degs()).
bool comparable(const GroupStats& stats, std::size_t group, int64_t reference);

/// Benjamini-Hochberg adjusted p-values, in the order given; NaN stays NaN and is not counted.
std::vector<double> adjust_p_values(const std::vector<double>& p);

}  // namespace compert
