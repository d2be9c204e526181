#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "compert/metrics.h"
#include "compert/pause.h"

namespace compert {

/// The `k` nearest other points of every point, by Euclidean distance, exact: n x k, row by row,
/// nearest first. `k` counts as n - 1 where it is larger. A point is never its own neighbour, also
/// where others lie in the same place. Among equal distances the point of lower number is nearer.
///
/// Distances are taken in double precision, tile by tile, and each row keeps its k best: no n x n
/// matrix is ever held. Rows are spread over OpenMP's threads; their number changes no result.
/// Throws `Error` for k < 1, fewer than two points, no coordinates, and values that are not finite
/// (also the next two functions).
std::vector<std::size_t> nearest_neighbours(const Points& points, int64_t k,
                                            const Pause& pause = {});

/// What knn_purity() gives.
struct Purity {
  double mean = 0;               ///< over labels, each counting the same
  std::vector<double> by_label;  ///< mean over the label's points, in ascending order of labels
  std::vector<int32_t> labels;   ///< the distinct labels, ascending
};

/// Share of a point's `k` nearest others that have its own label, averaged over the points of each
/// label, then over labels: 1 where labels lie apart, about 1 / (number of labels) where they are
/// mixed. Labels are any numbers, one per point.
/// `knn_purity` of theislab/cpa, `cpa/_metrics.py`. That takes the first hit for the point itself,
/// which it need not be where points coincide; here the point itself is left out. It does not run
/// where k > n - 1; its callers cut k as it is cut here.
/// Throws `Error` also when there is not one label per point.
Purity knn_purity(const Points& points, const std::vector<int32_t>& labels, int64_t k,
                  const Pause& pause = {});

/// Entropy of the labels among a point's `k` nearest others, with the number of distinct labels as
/// base of the logarithm, averaged over points: 0 where labels lie apart, 1 where each is as
/// frequent as every other around every point.
/// The average is that of `pools` averages, each over `cells_per_pool` points drawn with
/// replacement; `seed` rules the draws. One pool means no draws: every point counts once, and
/// neither `cells_per_pool` nor `seed` matters (so in the reference). That is also what the
/// average over many pools tends to.
/// `entropy_batch_mixing` of theislab/cpa, `cpa/_metrics.py`; points that coincide and large k as
/// in knn_purity().
/// Throws `Error` also when there is not one label per point, for fewer than two distinct labels,
/// and for `pools` or `cells_per_pool` < 1.
double batch_mixing_entropy(const Points& points, const std::vector<int32_t>& labels, int64_t k,
                            int64_t pools, int64_t cells_per_pool, uint64_t seed,
                            const Pause& pause = {});

}  // namespace compert
