#include <algorithm>
#include <cmath>
#include <string>

#include "compert/error.h"
#include "compert/metrics.h"

namespace compert {
namespace {

// A tile of 16 + 16 points times 512 coordinates is 128 KiB of doubles: it stays in the L2 cache.
constexpr std::size_t kTile = 16;
constexpr std::size_t kDims = 512;

void check_points(const Points& x, const Points& y) {
  if (x.n == 0 || y.n == 0) {
    throw Error(x.n == 0 ? "x" : "y", "must have at least one cell");
  }
  if (x.dim != y.dim || x.dim == 0) {
    throw Error("y", "must have the same genes as `x`, at least one",
                std::to_string(x.dim) + " genes in `x`, " + std::to_string(y.dim) + " in `y`.");
  }
}

/// Four running sums, so that the additions do not wait for each other.
double squared_distance(const double* a, const double* b, std::size_t n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  std::size_t d = 0;
  for (; d + 4 <= n; d += 4) {
    const double e0 = a[d] - b[d], e1 = a[d + 1] - b[d + 1];
    const double e2 = a[d + 2] - b[d + 2], e3 = a[d + 3] - b[d + 3];
    s0 += e0 * e0;
    s1 += e1 * e1;
    s2 += e2 * e2;
    s3 += e3 * e3;
  }
  for (; d < n; ++d) s0 += (a[d] - b[d]) * (a[d] - b[d]);
  return (s0 + s1) + (s2 + s3);
}

/// Squared distances of one tile of pairs, row-major kTile x kTile. Differences are taken
/// coordinate by coordinate: the faster |x|^2 + |y|^2 - 2 x.y cancels for near points, and the
/// smallest bandwidth (1e-6) would see that.
void tile_distances(const Points& x, std::size_t x0, std::size_t x1, const Points& y,
                    std::size_t y0, std::size_t y1, double* out) {
  std::fill(out, out + kTile * kTile, 0.0);
  for (std::size_t d0 = 0; d0 < x.dim; d0 += kDims) {
    const std::size_t width = std::min(kDims, x.dim - d0);
    for (std::size_t i = x0; i < x1; ++i) {
      for (std::size_t j = y0; j < y1; ++j) {
        out[(i - x0) * kTile + (j - y0)] +=
            squared_distance(x.values + i * x.dim + d0, y.values + j * y.dim + d0, width);
      }
    }
  }
}

/// Mean of f(squared distance) over all pairs of one point of `x` and one of `y`.
template <class F>
double mean_between(const Points& x, const Points& y, const Pause& pause, F f) {
  double tile[kTile * kTile];
  double sum = 0;
  for (std::size_t i = 0; i < x.n; i += kTile) {
    if (pause) pause();
    const std::size_t i1 = std::min(i + kTile, x.n);
    for (std::size_t j = 0; j < y.n; j += kTile) {
      const std::size_t j1 = std::min(j + kTile, y.n);
      tile_distances(x, i, i1, y, j, j1, tile);
      double part = 0;
      for (std::size_t a = 0; a < i1 - i; ++a) {
        for (std::size_t b = 0; b < j1 - j; ++b) part += f(tile[a * kTile + b]);
      }
      sum += part;
    }
  }
  return sum / (static_cast<double>(x.n) * static_cast<double>(y.n));
}

/// The same within one sample, self pairs included: half the pairs are computed.
template <class F>
double mean_within(const Points& x, const Pause& pause, F f) {
  double tile[kTile * kTile];
  double sum = 0;
  for (std::size_t i = 0; i < x.n; i += kTile) {
    if (pause) pause();
    const std::size_t i1 = std::min(i + kTile, x.n);
    for (std::size_t j = i; j < x.n; j += kTile) {
      const std::size_t j1 = std::min(j + kTile, x.n);
      tile_distances(x, i, i1, x, j, j1, tile);
      double part = 0;
      for (std::size_t a = 0; a < i1 - i; ++a) {
        for (std::size_t b = i == j ? a + 1 : 0; b < j1 - j; ++b) part += f(tile[a * kTile + b]);
      }
      sum += part;
    }
  }
  const double n = static_cast<double>(x.n);
  return (2 * sum + n * f(0.0)) / (n * n);
}

/// Area between the two empirical distribution functions of sorted samples.
double wasserstein_sorted(const std::vector<double>& x, const std::vector<double>& y) {
  const double step_x = 1.0 / static_cast<double>(x.size());
  const double step_y = 1.0 / static_cast<double>(y.size());
  double area = 0;
  double at = std::min(x[0], y[0]);
  std::size_t i = 0, j = 0;
  while (i < x.size() || j < y.size()) {
    const bool from_x = j == y.size() || (i < x.size() && x[i] <= y[j]);
    const double next = from_x ? x[i] : y[j];
    const double gap = std::fabs(static_cast<double>(i) * step_x - static_cast<double>(j) * step_y);
    area += gap * (next - at);
    at = next;
    (from_x ? i : j) += 1;
  }
  return area;
}

}  // namespace

const std::vector<double>& mmd_bandwidths() {
  static const std::vector<double> alphas = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1,
                                             5,    10,   15,   20,   25,   30,  35,
                                             100,  1e3,  1e4,  1e5,  1e6};
  return alphas;
}

double mixture_kernel(double squared, const std::vector<double>& alphas) {
  double sum = 0;
  for (double alpha : alphas) {
    const double exponent = squared / (2 * alpha);
    if (!(exponent > 745)) sum += std::exp(-exponent);  // exp(-746) is 0 in double precision
  }
  return sum;
}

double mmd(const Points& x, const Points& y, const std::vector<double>& alphas, const Pause& pause) {
  check_points(x, y);
  for (double alpha : alphas) {
    if (!(alpha > 0)) throw Error("alphas", "must be positive", std::to_string(alpha));
  }
  const auto kernel = [&](double squared) { return mixture_kernel(squared, alphas); };
  return mean_within(x, pause, kernel) + mean_within(y, pause, kernel) - 2 * mean_between(x, y, pause, kernel);
}

double energy_distance(const Points& x, const Points& y, const Pause& pause) {
  check_points(x, y);
  const auto norm = [](double squared) { return std::sqrt(squared); };
  return 2 * mean_between(x, y, pause, norm) - mean_within(x, pause, norm) - mean_within(y, pause, norm);
}

std::vector<double> wasserstein_by_gene(const Points& x, const Points& y, const Pause& pause) {
  check_points(x, y);
  std::vector<double> out(x.dim), a(x.n), b(y.n);
  for (std::size_t g = 0; g < x.dim; ++g) {
    if (pause) pause();
    bool defined = true;
    for (std::size_t i = 0; i < x.n; ++i) a[i] = x.values[i * x.dim + g];
    for (std::size_t j = 0; j < y.n; ++j) b[j] = y.values[j * y.dim + g];
    for (double v : a) defined = defined && std::isfinite(v);
    for (double v : b) defined = defined && std::isfinite(v);
    if (!defined) {  // NaN cannot be sorted
      out[g] = std::nan("");
      continue;
    }
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    out[g] = wasserstein_sorted(a, b);
  }
  return out;
}

double wasserstein(const Points& x, const Points& y, const Pause& pause) {
  const std::vector<double> by_gene = wasserstein_by_gene(x, y, pause);
  double sum = 0;
  for (double d : by_gene) sum += d;
  return sum / static_cast<double>(by_gene.size());
}

}  // namespace compert
