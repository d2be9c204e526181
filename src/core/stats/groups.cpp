#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "compert/error.h"
#include "compert/statistics.h"

namespace compert {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kBlocksOnDisk = 16;     // of the source, read together
constexpr std::size_t kMostHeld = 64u << 20;  // bytes of moments of several groups
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Running mean and sum of squared deviations of the stored values of every gene (Welford).
/// One group at a time, so that the three arrays stay in the cache whatever the number of groups.
class Moments {
 public:
  explicit Moments(std::size_t n_genes) : n_(n_genes), mean_(n_genes), squares_(n_genes) {}

  void clear() {
    std::fill(n_.begin(), n_.end(), 0);
    std::fill(mean_.begin(), mean_.end(), 0.0);
    std::fill(squares_.begin(), squares_.end(), 0.0);
  }

  /// Cells first to last - 1 of a batch.
  void add(const CellBatch& batch, std::size_t first, std::size_t last) {
    for (auto k = static_cast<std::size_t>(batch.offsets[first]);
         k < static_cast<std::size_t>(batch.offsets[last]); ++k) {
      const std::size_t g = static_cast<std::size_t>(batch.genes[k]);
      const double value = batch.values[k];
      const double delta = value - mean_[g];
      mean_[g] += delta / ++n_[g];
      squares_[g] += delta * (value - mean_[g]);
    }
  }

  /// Joins the `n_cells - n` values that were not stored: all 0, so with mean 0 and no spread
  /// (pairwise formula of Chan, Golub and LeVeque).
  void finish(std::size_t n_cells, double* mean, double* variance) const {
    const double total = static_cast<double>(n_cells);
    for (std::size_t g = 0; g < n_.size(); ++g) {
      const double stored = n_[g];
      const double share = stored / total;
      mean[g] = mean_[g] * share;
      variance[g] = (squares_[g] + mean_[g] * mean_[g] * share * (total - stored)) / total;
    }
  }

 private:
  std::vector<int32_t> n_;
  std::vector<double> mean_, squares_;
};

std::size_t block_of(const CellSource& cells) {
  return cells.block() == 1 ? kBlock : kBlocksOnDisk * cells.block();
}

/// Statistics of the `n` cells of one group into one row of the result.
void fill_group(const CellSource& cells, const int64_t* chosen, std::size_t n, Moments& moments,
                CellBatch& batch, double* mean, double* variance, const Pause& pause = {}) {
  const std::size_t n_genes = cells.n_genes();
  if (n == 0) {
    std::fill(mean, mean + n_genes, kNaN);
    std::fill(variance, variance + n_genes, kNaN);
    return;
  }
  moments.clear();
  const std::size_t block = block_of(cells);
  for (std::size_t first = 0; first < n; first += block) {
    cells.fetch(chosen + first, std::min(block, n - first), batch);
    moments.add(batch, 0, batch.n_cells());
    if (pause) pause();
  }
  moments.finish(n, mean, variance);
}

/// The same of all groups, reading a source on disk from its beginning to its end: once for as many
/// groups as there is room for.
void fill_in_file_order(const CellSource& cells, const std::vector<int32_t>& group,
                        GroupStats& stats, const Pause& pause) {
  const std::size_t n_genes = stats.n_genes;
  const std::size_t held = std::max<std::size_t>(1, kMostHeld / (20 * std::max<std::size_t>(1, n_genes)));
  CellBatch batch;
  for (std::size_t begin = 0; begin < stats.n_groups; begin += held) {
    const std::size_t end = std::min(begin + held, stats.n_groups);
    std::vector<Moments> moments(end - begin, Moments(n_genes));
    std::vector<int64_t> chosen;
    for (std::size_t c = 0; c < group.size(); ++c) {
      const bool wanted = group[c] >= static_cast<int32_t>(begin) && group[c] < static_cast<int32_t>(end);
      if (wanted) chosen.push_back(static_cast<int64_t>(c));
      if (chosen.empty() || (chosen.size() < block_of(cells) && c + 1 < group.size())) continue;
      cells.fetch(chosen.data(), chosen.size(), batch);
      for (std::size_t b = 0; b < chosen.size(); ++b) {
        const int32_t code = group[static_cast<std::size_t>(chosen[b])];
        moments[static_cast<std::size_t>(code) - begin].add(batch, b, b + 1);
      }
      chosen.clear();
      if (pause) pause();
    }
    for (std::size_t k = begin; k < end; ++k) {
      double *mean = stats.mean.data() + k * n_genes, *variance = stats.variance.data() + k * n_genes;
      if (stats.n[k] > 0)
        moments[k - begin].finish(static_cast<std::size_t>(stats.n[k]), mean, variance);
      else
        fill_group(cells, nullptr, 0, moments[k - begin], batch, mean, variance);
    }
  }
}

GroupStats empty_stats(std::size_t n_groups, std::size_t n_genes) {
  GroupStats stats;
  stats.n_groups = n_groups;
  stats.n_genes = n_genes;
  stats.n.assign(n_groups, 0);
  stats.mean.resize(n_groups * n_genes);
  stats.variance.resize(n_groups * n_genes);
  return stats;
}

}  // namespace

GroupStats group_stats(const CellSource& cells, const std::vector<int32_t>& group,
                       std::size_t n_groups, const Pause& pause) {
  if (group.size() != cells.n_cells()) {
    throw Error("group", "must have one code per cell",
                std::to_string(group.size()) + " codes for " + std::to_string(cells.n_cells()) +
                    " cells.");
  }
  GroupStats stats = empty_stats(n_groups, cells.n_genes());
  for (int32_t code : group) {
    if (code < -1 || (code >= 0 && static_cast<std::size_t>(code) >= n_groups)) {
      throw Error("group", "must be codes from 0 to " + std::to_string(n_groups) + " - 1, or -1",
                  "There is a code " + std::to_string(code) + ".");
    }
    if (code >= 0) ++stats.n[static_cast<std::size_t>(code)];
  }
  if (cells.block() > 1) {
    fill_in_file_order(cells, group, stats, pause);
    return stats;
  }
  // Counting sort: the cells of a group in their own order, one group after the other.
  std::vector<int64_t> start(n_groups + 1, 0);
  std::partial_sum(stats.n.begin(), stats.n.end(), start.begin() + 1);
  std::vector<int64_t> order(static_cast<std::size_t>(start[n_groups]));
  std::vector<int64_t> next(start.begin(), start.end() - 1);
  for (std::size_t c = 0; c < group.size(); ++c) {
    if (group[c] < 0) continue;
    order[static_cast<std::size_t>(next[static_cast<std::size_t>(group[c])]++)] =
        static_cast<int64_t>(c);
  }
  Moments moments(stats.n_genes);
  CellBatch batch;
  for (std::size_t k = 0; k < n_groups; ++k) {
    fill_group(cells, order.data() + start[k], static_cast<std::size_t>(stats.n[k]), moments, batch,
               stats.mean.data() + k * stats.n_genes, stats.variance.data() + k * stats.n_genes, pause);
  }
  return stats;
}

GroupStats stats_of(const CellSource& cells, const std::vector<int64_t>& chosen) {
  GroupStats stats = empty_stats(1, cells.n_genes());
  stats.n[0] = static_cast<int64_t>(chosen.size());
  Moments moments(stats.n_genes);
  CellBatch batch;
  fill_group(cells, chosen.data(), chosen.size(), moments, batch, stats.mean.data(),
             stats.variance.data());
  return stats;
}

}  // namespace compert
