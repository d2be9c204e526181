#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "compert/pause.h"

namespace compert {

/// Coefficient of determination over genes, 1 - sum (t - p)^2 / sum (t - mean t)^2. Not symmetric,
/// not bounded below. A constant truth scores 1 when the prediction equals it and 0 otherwise
/// (as scikit-learn's r2_score). NaN or infinite input gives NaN.
/// Sums of squares up to `flat` count as 0: errors that small score 1, else a truth that varies
/// so little scores 0. torchmetrics' r2_score does so with kTorchmetricsFlat.
/// Throws `Error` for fewer than two values or for different lengths.
double r2(const double* truth, const double* prediction, std::size_t n, double flat = 0);
double r2(const std::vector<double>& truth, const std::vector<double>& prediction, double flat = 0);

constexpr double kTorchmetricsFlat = 1e-4;

/// Pearson correlation; NaN when either side is constant. Throws like r2().
double pearson(const std::vector<double>& a, const std::vector<double>& b);

/// Share of places where both values have the same sign and neither is 0. Throws like r2().
double sign_agreement(const std::vector<double>& a, const std::vector<double>& b);

/// log2((mean + pseudo) / (control + pseudo)) per gene. Negative means count as 0: a model with a
/// Gaussian head predicts such means, and their logarithm would be NaN, as in `evaluate_logfold_r2` of chemCPA.
std::vector<double> log_fold(const std::vector<double>& mean, const std::vector<double>& control,
                             double pseudo = 1e-5);

/// The four scores of one condition: over all genes and over its DE genes, of the means and of the
/// variances. A score that is undefined (fewer than two DE genes) is NaN.
struct R2Scores {
  double mean, mean_deg, variance, variance_deg;
};

/// Scores of one condition from its statistics per gene. `degs` are 0-based gene indices.
R2Scores r2_scores(const std::vector<double>& true_mean, const std::vector<double>& true_variance,
                   const std::vector<double>& predicted_mean,
                   const std::vector<double>& predicted_variance, const std::vector<int64_t>& degs,
                   double flat = 0);

/// Unweighted mean of each score over conditions, NaN values left out; NaN where none is left.
R2Scores average(const std::vector<R2Scores>& scores);

/// A view of `n` points with `dim` coordinates each, one point after the other (a genes x cells
/// matrix of R as it lies in memory, one point per cell).
struct Points {
  const double* values = nullptr;
  std::size_t n = 0;
  std::size_t dim = 0;
};

/// Mean over cells of r2() of each cell's own values, over `genes` (0-based). NaN without cells and
/// for fewer than two genes. Throws `Error` unless both sides have the same cells and genes.
/// `evaluate_r2_sc` of theislab/chemCPA, `chemCPA/train.py`.
double cell_r2(const Points& truth, const Points& prediction, const std::vector<int64_t>& genes,
               double flat = 0);

/// Bandwidths of the mixture kernel of facebookresearch/CPA (`helper.py`, mmd_loss_calc).
const std::vector<double>& mmd_bandwidths();

/// Sum over `alphas` of exp(-squared / (2 alpha)).
double mixture_kernel(double squared, const std::vector<double>& alphas);

/// Squared maximum mean discrepancy, biased V-statistic: mean k(x, x) + mean k(y, y)
/// - 2 mean k(x, y), where k is the *sum* of Gaussian kernels of all `alphas`. Distances are taken
/// tile by tile; no n x n matrix is ever held.
/// Throws `Error` when a side is empty or the dimensions differ (also the next two).
double mmd(const Points& x, const Points& y, const std::vector<double>& alphas = mmd_bandwidths(),
           const Pause& pause = {});

/// Energy distance 2 mean |x - y| - mean |x - x'| - mean |y - y'| with Euclidean norms, means over
/// all pairs (V-statistic: never negative, and 0 for equal samples).
double energy_distance(const Points& x, const Points& y, const Pause& pause = {});

/// Wasserstein-1 distance of the two empirical distributions of each coordinate.
std::vector<double> wasserstein_by_gene(const Points& x, const Points& y, const Pause& pause = {});
/// Mean of wasserstein_by_gene().
double wasserstein(const Points& x, const Points& y, const Pause& pause = {});

}  // namespace compert
