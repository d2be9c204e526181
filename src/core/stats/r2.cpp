#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "compert/error.h"
#include "compert/metrics.h"

namespace compert {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check_pair(std::size_t n_truth, std::size_t n_prediction) {
  if (n_truth != n_prediction) {
    throw Error("prediction", "must have one value per value of `truth`",
                std::to_string(n_prediction) + " predicted, " + std::to_string(n_truth) + " true.");
  }
  if (n_truth < 2) {
    throw Error("truth", "must have at least two values: r2 compares genes with each other",
                "It has " + std::to_string(n_truth) + ".");
  }
}

double mean_of(const double* x, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i];
  return sum / static_cast<double>(n);
}

bool all_finite(const double* x, std::size_t n) {
  return std::all_of(x, x + n, [](double v) { return std::isfinite(v); });
}

std::vector<double> pick(const std::vector<double>& x, const std::vector<int64_t>& index) {
  std::vector<double> out;
  out.reserve(index.size());
  for (int64_t g : index) {
    if (g < 0 || static_cast<std::size_t>(g) >= x.size()) {
      throw Error("degs", "must be indices of genes",
                  "gene " + std::to_string(g) + " of " + std::to_string(x.size()));
    }
    out.push_back(x[static_cast<std::size_t>(g)]);
  }
  return out;
}

}  // namespace

double r2(const double* truth, const double* prediction, std::size_t n, double flat) {
  if (!all_finite(truth, n) || !all_finite(prediction, n)) return kNaN;
  // Asked of the values themselves: the rounded mean of equal values need not equal them, and a
  // total of 1e-34 would turn the score of a constant truth into noise.
  const bool constant = std::all_of(truth, truth + n, [&](double v) { return v == truth[0]; });
  if (constant && flat <= 0) return std::equal(truth, truth + n, prediction) ? 1.0 : 0.0;
  const double centre = mean_of(truth, n);
  double residual = 0, total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double error = truth[i] - prediction[i];
    const double spread = truth[i] - centre;
    residual += error * error;
    total += spread * spread;
  }
  if (residual <= flat) return 1.0;
  if (total <= flat) return 0.0;
  return 1.0 - residual / total;
}

double r2(const std::vector<double>& truth, const std::vector<double>& prediction, double flat) {
  check_pair(truth.size(), prediction.size());
  return r2(truth.data(), prediction.data(), truth.size(), flat);
}

double pearson(const std::vector<double>& a, const std::vector<double>& b) {
  check_pair(a.size(), b.size());
  const double mean_a = mean_of(a.data(), a.size());
  const double mean_b = mean_of(b.data(), b.size());
  double aa = 0, bb = 0, ab = 0;
  bool a_varies = false, b_varies = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a;
    const double db = b[i] - mean_b;
    aa += da * da;
    bb += db * db;
    ab += da * db;
    a_varies = a_varies || a[i] != a[0];
    b_varies = b_varies || b[i] != b[0];
  }
  if (!a_varies || !b_varies) return kNaN;
  const double r = ab / (std::sqrt(aa) * std::sqrt(bb));
  return std::isnan(r) ? kNaN : std::max(-1.0, std::min(1.0, r));
}

double sign_agreement(const std::vector<double>& a, const std::vector<double>& b) {
  check_pair(a.size(), b.size());
  std::size_t same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // Signs, not the product: that underflows to 0 for small values.
    same += (a[i] > 0 && b[i] > 0) || (a[i] < 0 && b[i] < 0);
  }
  return static_cast<double>(same) / static_cast<double>(a.size());
}

std::vector<double> log_fold(const std::vector<double>& mean, const std::vector<double>& control,
                             double pseudo) {
  if (mean.size() != control.size()) {
    throw Error("control", "must have one value per gene",
                std::to_string(control.size()) + " values for " + std::to_string(mean.size()) +
                    " genes.");
  }
  const auto at_least_zero = [](double v) { return v < 0 ? 0.0 : v; };  // keeps NaN
  std::vector<double> out(mean.size());
  for (std::size_t g = 0; g < mean.size(); ++g) {
    out[g] = std::log2((at_least_zero(mean[g]) + pseudo) / (at_least_zero(control[g]) + pseudo));
  }
  return out;
}

R2Scores r2_scores(const std::vector<double>& true_mean, const std::vector<double>& true_variance,
                   const std::vector<double>& predicted_mean,
                   const std::vector<double>& predicted_variance, const std::vector<int64_t>& degs,
                   double flat) {
  R2Scores scores{r2(true_mean, predicted_mean, flat), kNaN,
                  r2(true_variance, predicted_variance, flat), kNaN};
  const std::vector<double> mean_degs = pick(true_mean, degs);
  if (degs.size() >= 2) {
    scores.mean_deg = r2(mean_degs, pick(predicted_mean, degs), flat);
    scores.variance_deg = r2(pick(true_variance, degs), pick(predicted_variance, degs), flat);
  }
  return scores;
}

double cell_r2(const Points& truth, const Points& prediction, const std::vector<int64_t>& genes,
               double flat) {
  if (truth.n != prediction.n || truth.dim != prediction.dim) {
    throw Error("prediction", "must have the cells and genes of `truth`",
                std::to_string(prediction.n) + " x " + std::to_string(prediction.dim) + " and " +
                    std::to_string(truth.n) + " x " + std::to_string(truth.dim) + ".");
  }
  if (genes.size() < 2 || truth.n == 0) return kNaN;
  const auto cell = [](const Points& x, std::size_t c) {
    return std::vector<double>(x.values + c * x.dim, x.values + (c + 1) * x.dim);
  };
  double sum = 0;
  for (std::size_t c = 0; c < truth.n; ++c) {
    sum += r2(pick(cell(truth, c), genes), pick(cell(prediction, c), genes), flat);
  }
  return sum / static_cast<double>(truth.n);
}

R2Scores average(const std::vector<R2Scores>& scores) {
  const auto over = [&](double R2Scores::*field) {
    double sum = 0;
    std::size_t n = 0;
    for (const R2Scores& one : scores) {
      if (std::isnan(one.*field)) continue;
      sum += one.*field;
      ++n;
    }
    return n == 0 ? kNaN : sum / static_cast<double>(n);
  };
  return {over(&R2Scores::mean), over(&R2Scores::mean_deg), over(&R2Scores::variance),
          over(&R2Scores::variance_deg)};
}

}  // namespace compert
