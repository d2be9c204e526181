#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "compert/error.h"
#include "compert/neighbours.h"
#include "neighbours_detail.h"

namespace compert {
namespace {

using detail::Hit;

void check_labels(const Points& points, const std::vector<int32_t>& labels) {
  if (labels.size() == points.n) return;
  throw Error(
      "labels", "must have one value per point",
      std::to_string(labels.size()) + " values for " + std::to_string(points.n) + " points.");
}

std::vector<int32_t> distinct(std::vector<int32_t> labels) {
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

/// Share of the hits whose point has label `own`.
double share_of(int32_t own, const std::vector<int32_t>& labels, const Hit* first,
                const Hit* last) {
  const auto same =
      std::count_if(first, last, [&](const Hit& hit) { return labels[hit.second] == own; });
  return static_cast<double>(same) / static_cast<double>(last - first);
}

/// Natural entropy of the labels of the hits, which come out ordered by label.
double entropy_of(const std::vector<int32_t>& labels, Hit* first, Hit* last) {
  const auto label = [&](const Hit& hit) { return labels[hit.second]; };
  std::sort(first, last, [&](const Hit& a, const Hit& b) { return label(a) < label(b); });
  const double total = static_cast<double>(last - first);
  double sum = 0;
  for (const Hit* run = first; run != last;) {
    const Hit* next = std::find_if(run, static_cast<const Hit*>(last),
                                   [&](const Hit& hit) { return label(hit) != label(*run); });
    const double p = static_cast<double>(next - run) / total;
    sum -= p * std::log(p);
    run = next;
  }
  return sum;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

/// Mean of the means of `pools` draws of `size` values with replacement. The numbers are the same
/// with every standard library, which those of std::uniform_int_distribution are not.
double mean_of_pools(const std::vector<double>& values, int64_t pools, int64_t size,
                     uint64_t seed) {
  std::mt19937_64 random(seed);
  const uint64_t n = values.size();
  const uint64_t limit = random.max() - random.max() % n;  // a multiple of n: all equally likely
  double total = 0;
  for (int64_t pool = 0; pool < pools; ++pool) {
    double sum = 0;
    for (int64_t draw = 0; draw < size; ++draw) {
      uint64_t number = random();
      while (number >= limit) number = random();
      sum += values[static_cast<std::size_t>(number % n)];
    }
    total += sum / static_cast<double>(size);
  }
  return total / static_cast<double>(pools);
}

}  // namespace

Purity knn_purity(const Points& points, const std::vector<int32_t>& labels, int64_t k,
                  const Pause& pause) {
  detail::check_search(points, k);
  check_labels(points, labels);
  std::vector<double> share(points.n);
  detail::visit_neighbours(points, detail::cut_k(k, points), pause,
                           [&](std::size_t row, Hit* first, Hit* last) {
                             share[row] = share_of(labels[row], labels, first, last);
                           });
  Purity out;
  out.labels = distinct(labels);
  out.by_label.assign(out.labels.size(), 0.0);
  std::vector<double> n(out.labels.size());
  for (std::size_t c = 0; c < points.n; ++c) {
    const auto at = std::lower_bound(out.labels.begin(), out.labels.end(), labels[c]);
    const std::size_t label = static_cast<std::size_t>(at - out.labels.begin());
    out.by_label[label] += share[c];
    n[label] += 1;
  }
  for (std::size_t label = 0; label < n.size(); ++label) out.by_label[label] /= n[label];
  out.mean = mean_of(out.by_label);
  return out;
}

double batch_mixing_entropy(const Points& points, const std::vector<int32_t>& labels, int64_t k,
                            int64_t pools, int64_t cells_per_pool, uint64_t seed,
                            const Pause& pause) {
  detail::check_search(points, k);
  check_labels(points, labels);
  if (pools < 1) throw Error("pools", "must be at least 1");
  if (cells_per_pool < 1) throw Error("cells_per_pool", "must be at least 1");
  const std::size_t n_labels = distinct(labels).size();
  if (n_labels < 2) throw Error("labels", "must hold at least two different values");
  std::vector<double> entropy(points.n);
  const double base = std::log(static_cast<double>(n_labels));
  detail::visit_neighbours(points, detail::cut_k(k, points), pause,
                           [&](std::size_t row, Hit* first, Hit* last) {
                             entropy[row] = std::min(1.0, entropy_of(labels, first, last) / base);
                           });
  return pools == 1 ? mean_of(entropy) : mean_of_pools(entropy, pools, cells_per_pool, seed);
}

}  // namespace compert
