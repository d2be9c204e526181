// The sweeps over large arrays that decide the speed on a CPU. No torch in here: plain pointers,
// float and double, OpenMP over rows. All are deterministic for a given number of threads.
#pragma once
#include <cstdint>

#include "compert/cells.h"

namespace compert {

struct AdamStep {
  double step_size, weight_decay, beta1, beta2, sqrt_bias2, epsilon;
};
void adam_sweep(float* value, const float* grad, float* m, float* v, int64_t n, const AdamStep& s);
void adam_sweep(double* value, const double* grad, double* m, double* v, int64_t n,
                const AdamStep& s);

/// out[b, :] = bias + sum over stored genes of x[b, g] * weight[g, :]; weight is genes x width. The
/// batch gives the places, `values` what is stored there.
void sparse_linear(const CellBatch& x, const float* values, const float* weight, const float* bias,
                   float* out, int64_t width);
void sparse_linear(const CellBatch& x, const double* values, const double* weight,
                   const double* bias, double* out, int64_t width);
/// grad_weight[g, :] += x[b, g] * grad_out[b, :], the gradient of the above.
void sparse_linear_grad(const CellBatch& x, const float* values, const float* grad_out,
                        float* grad_weight, int64_t width);
void sparse_linear_grad(const CellBatch& x, const double* values, const double* grad_out,
                        double* grad_weight, int64_t width);

/// Every column of a (rows x width) brought to mean 0 and variance 1: out = (a - mean) * inverse with
/// inverse = 1 / sqrt(variance + epsilon).
void norm_sweep(const float* a, int64_t rows, int64_t width, double epsilon, float* out,
                float* inverse, double* mean, double* variance);
void norm_sweep(const double* a, int64_t rows, int64_t width, double epsilon, double* out,
                double* inverse, double* mean, double* variance);
/// out = slope * max(scale * x + offset, 0); `slope` (factors of dropout, or ones) becomes 0 where out is.
void relu_sweep(const float* x, const float* scale, const float* offset, int64_t rows, int64_t width,
                float* slope, float* out);
void relu_sweep(const double* x, const double* scale, const double* offset, int64_t rows,
                int64_t width, double* slope, double* out);
/// The derivatives of both together: `d_out` of relu_sweep()'s output to `d_in` of norm_sweep()'s input,
/// and of scale and offset.
void hidden_sweep_grad(const float* d_out, const float* slope, const float* x, const float* scale,
                       const float* inverse, int64_t rows, int64_t width, float* d_in, float* d_scale,
                       float* d_offset);
void hidden_sweep_grad(const double* d_out, const double* slope, const double* x, const double* scale,
                       const double* inverse, int64_t rows, int64_t width, double* d_in,
                       double* d_scale, double* d_offset);
/// out = r - mean(r) - x * shared with shared = mean(r * x), by column: for normalised x the derivative
/// of the normalisation, but for a factor.
void norm_projection(const float* r, const float* x, int64_t rows, int64_t width, float* out,
                     float* shared);
void norm_projection(const double* r, const double* x, int64_t rows, int64_t width, double* out,
                     double* shared);

/// rows x columns values; with `plus`, row r is plus[which[r]] + values[r] - minus[which[r]].
template <class T>
struct Shifted {
  const T* values;
  int64_t rows, columns;
  const T *plus = nullptr, *minus = nullptr;
  const int64_t* which = nullptr;
};
/// Per column the mean and the sum of squared deviations from it.
void column_moments(const Shifted<float>& x, double* mean, double* squares);
void column_moments(const Shifted<double>& x, double* mean, double* squares);

/// Writes the batch as a dense cells x genes array.
void to_dense(const CellBatch& x, const float* values, float* out);
void to_dense(const CellBatch& x, const double* values, double* out);

/// Variance of a Gaussian head: softplus(raw) + 1e-3 (facebookresearch/CPA), exp(raw) + 1e-4
/// (theislab/cpa), or softplus(raw), which the loss takes as at least 1e-6 while its gradient goes on
/// (theislab/chemCPA).
enum class Spread { kSoftplus, kExp, kClampedSoftplus };

/// From the raw output of a Gaussian head, rows x 2 genes, its means (with `relu_mean` those below 0 are
/// 0) and variances, rows x genes each.
void gaussian_outputs(const float* raw, int64_t rows, int64_t genes, bool relu_mean, Spread spread,
                      float* mean, float* variance);
void gaussian_outputs(const double* raw, int64_t rows, int64_t genes, bool relu_mean, Spread spread,
                      double* mean, double* variance);
/// sums[g] += the sum over rows of the variances alone, whose raw values are rows x genes.
void add_variances(const float* raw, int64_t rows, int64_t genes, Spread spread, double* sums);
void add_variances(const double* raw, int64_t rows, int64_t genes, Spread spread, double* sums);

/// Gaussian negative log-likelihood, mean over cells and genes, constant dropped:
/// 0.5 * (log v + (m - x)^2 / v). `raw` is cells x 2 genes, [mean | raw variance]. On return `raw` holds
/// the gradient.
/// With `relu_mean` the mean is max(raw, 0). `values` are what is stored at the batch's places (also
/// below).
double gaussian_sweep(float* raw, const CellBatch& x, const float* values, bool relu_mean,
                      Spread spread);
double gaussian_sweep(double* raw, const CellBatch& x, const double* values, bool relu_mean,
                      Spread spread);

/// Negative binomial negative log-likelihood, mean over cells and genes, with mean and inverse
/// dispersion both softplus(raw) + 1e-3. On return `raw` holds the gradient.
double nb_sweep(float* raw, const CellBatch& x, const float* values);
double nb_sweep(double* raw, const CellBatch& x, const double* values);

/// The same with means library[cell] * softmax(raw) and one inverse dispersion `theta` per gene;
/// `d_theta` gets its gradient. `raw` is cells x genes.
double nb_library_sweep(float* raw, const CellBatch& x, const float* values, const float* library,
                        const float* theta, float* d_theta);
double nb_library_sweep(double* raw, const CellBatch& x, const double* values,
                        const double* library, const double* theta, double* d_theta);
/// The same, zero-inflated: `raw` is cells x 2 genes, [softmax logits | logits of structural zeros].
double zinb_library_sweep(float* raw, const CellBatch& x, const float* values, const float* library,
                          const float* theta, float* d_theta);
double zinb_library_sweep(double* raw, const CellBatch& x, const double* values,
                          const double* library, const double* theta, double* d_theta);

}  // namespace compert
