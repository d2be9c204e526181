#include "compert/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "../data/first_failure.h"
#include "compert/error.h"
#include "neighbours_detail.h"

namespace compert {
namespace {

using detail::Hit;
using detail::Visit;

// A tile of 64 points times 256 coordinates is 128 KiB of doubles: it stays in the L2 cache. Its
// points lie in groups of 8 with their coordinates interleaved, so that 8 sums run side by side.
constexpr std::size_t kRows = 32;
constexpr std::size_t kTile = 64;
constexpr std::size_t kLanes = 8;  // as add_squares() has it
constexpr std::size_t kDims = 256;
constexpr std::size_t kBlocksBetweenPauses = 4;  // per thread

#ifdef _OPENMP
std::size_t max_threads() { return static_cast<std::size_t>(omp_get_max_threads()); }
std::size_t this_thread() { return static_cast<std::size_t>(omp_get_thread_num()); }
#else
std::size_t max_threads() { return 1; }
std::size_t this_thread() { return 0; }
#endif

/// Searches for a block of rows at a time. Each thread has one, with all the memory it needs.
class Searcher {
 public:
  Searcher(const Points& points, std::size_t k)
      : points_(points),
        k_(k),
        panel_(std::min(kDims, points.dim) * kTile),
        squared_(kRows * kTile),
        hits_(kRows * k),
        found_(kRows) {}

  /// Calls visit(row, first, last) with the k hits of every row of the block, in no order.
  void search(std::size_t block, const Visit& visit) {
    const std::size_t begin = block * kRows, end = std::min(begin + kRows, points_.n);
    std::fill(found_.begin(), found_.end(), 0);
    for (std::size_t first = 0; first < points_.n; first += kTile) {
      measure(begin, end, first);
      const std::size_t width = std::min(kTile, points_.n - first);
      for (std::size_t row = begin; row < end; ++row) keep_nearest(row - begin, row, first, width);
    }
    for (std::size_t row = begin; row < end; ++row) {
      Hit* hits = hits_.data() + (row - begin) * k_;
      visit(row, hits, hits + k_);
    }
  }

 private:
  /// Squared distances of the rows to the tile's points. Differences are taken coordinate by
  /// coordinate: |x|^2 + |y|^2 - 2 x.y cancels for near points, and near points are what counts.
  void measure(std::size_t begin, std::size_t end, std::size_t first) {
    std::fill(squared_.begin(), squared_.end(), 0.0);
    for (std::size_t d0 = 0; d0 < points_.dim; d0 += kDims) {
      const std::size_t depth = std::min(kDims, points_.dim - d0);
      pack(first, d0, depth);
      for (std::size_t group = 0; group < kTile / kLanes; ++group) {
        const double* panel = panel_.data() + group * kLanes * depth;
        for (std::size_t row = begin; row < end; ++row) {
          add_squares(points_.values + row * points_.dim + d0, panel, depth,
                      squared_.data() + (row - begin) * kTile + group * kLanes);
        }
      }
    }
  }

  /// Beyond the last point the lanes hold that point again; their sums are not looked at.
  void pack(std::size_t first, std::size_t d0, std::size_t depth) {
    for (std::size_t t = 0; t < kTile; ++t) {
      const std::size_t point = std::min(first + t, points_.n - 1);
      const double* from = points_.values + point * points_.dim + d0;
      double* to = panel_.data() + t / kLanes * kLanes * depth + t % kLanes;
      for (std::size_t d = 0; d < depth; ++d) to[d * kLanes] = from[d];
    }
  }

  /// Eight sums with names of their own: compilers keep these in registers, and an array not.
  static void add_squares(const double* x, const double* panel, std::size_t depth, double* sums) {
    double s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    double s4 = sums[4], s5 = sums[5], s6 = sums[6], s7 = sums[7];
    for (std::size_t d = 0; d < depth; ++d, panel += kLanes) {
      const double at = x[d];
      const double e0 = panel[0] - at, e1 = panel[1] - at, e2 = panel[2] - at, e3 = panel[3] - at;
      const double e4 = panel[4] - at, e5 = panel[5] - at, e6 = panel[6] - at, e7 = panel[7] - at;
      s0 += e0 * e0;
      s1 += e1 * e1;
      s2 += e2 * e2;
      s3 += e3 * e3;
      s4 += e4 * e4;
      s5 += e5 * e5;
      s6 += e6 * e6;
      s7 += e7 * e7;
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
    sums[4] = s4, sums[5] = s5, sums[6] = s6, sums[7] = s7;
  }

  /// The k smallest so far form a heap with the largest of them in front.
  void keep_nearest(std::size_t slot, std::size_t row, std::size_t first, std::size_t width) {
    const double* squared = squared_.data() + slot * kTile;
    Hit* heap = hits_.data() + slot * k_;
    std::size_t found = found_[slot];
    double worst = found < k_ ? std::numeric_limits<double>::infinity() : heap[0].first;
    for (std::size_t t = 0; t < width; ++t) {
      if (squared[t] > worst || first + t == row) continue;
      const Hit hit(squared[t], first + t);
      if (found < k_) {
        heap[found++] = hit;
        if (found < k_) continue;
        std::make_heap(heap, heap + k_);
      } else if (hit < heap[0]) {
        std::pop_heap(heap, heap + k_);
        heap[k_ - 1] = hit;
        std::push_heap(heap, heap + k_);
      }
      worst = heap[0].first;
    }
    found_[slot] = found;
  }

  const Points& points_;
  std::size_t k_;
  std::vector<double> panel_, squared_;
  std::vector<Hit> hits_;
  std::vector<std::size_t> found_;
};

}  // namespace

namespace detail {

void check_search(const Points& points, int64_t k) {
  if (k < 1) throw Error("k", "must be at least 1", "It is " + std::to_string(k) + ".");
  if (points.n < 2) {
    throw Error("points", "must be two or more", "There are " + std::to_string(points.n) + ".");
  }
  if (points.dim == 0) throw Error("points", "must have at least one coordinate");
  for (std::size_t v = 0; v < points.n * points.dim; ++v) {
    if (std::isfinite(points.values[v])) continue;
    throw Error("points", "must have finite coordinates",
                "Coordinate " + std::to_string(v % points.dim + 1) + " of point " +
                    std::to_string(v / points.dim + 1) + " is not finite.",
                "Leave such points out");
  }
}

std::size_t cut_k(int64_t k, const Points& points) {
  return static_cast<std::size_t>(std::min<uint64_t>(static_cast<uint64_t>(k), points.n - 1));
}

void visit_neighbours(const Points& points, std::size_t k, const Pause& pause, const Visit& visit) {
  const std::size_t n_blocks = (points.n + kRows - 1) / kRows;
  const int threads = static_cast<int>(std::min(n_blocks, max_threads()));
  std::vector<Searcher> searchers(static_cast<std::size_t>(threads), Searcher(points, k));
  const std::size_t step = searchers.size() * kBlocksBetweenPauses;
  for (std::size_t from = 0; from < n_blocks; from += step) {
    const int64_t to = static_cast<int64_t>(std::min(from + step, n_blocks));
    FirstFailure failure;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t block = static_cast<int64_t>(from); block < to; ++block)
      failure.keep([&] { searchers[this_thread()].search(static_cast<std::size_t>(block), visit); });
    failure.rethrow();
    if (pause) pause();
  }
}

}  // namespace detail

std::vector<std::size_t> nearest_neighbours(const Points& points, int64_t k, const Pause& pause) {
  detail::check_search(points, k);
  const std::size_t n_hits = detail::cut_k(k, points);
  std::vector<std::size_t> out(points.n * n_hits);
  detail::visit_neighbours(points, n_hits, pause, [&](std::size_t row, Hit* first, Hit* last) {
    std::sort(first, last);
    std::size_t* to = out.data() + row * n_hits;
    for (const Hit* hit = first; hit != last; ++hit) *to++ = hit->second;
  });
  return out;
}

}  // namespace compert
