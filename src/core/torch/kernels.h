// The sweeps over large arrays that decide the speed on a CPU. No torch in here: plain pointers,
// float and double, OpenMP over rows. All are deterministic for a given number of threads.
#pragma once
#include <cstdint>

#include "compert/cells.h"

namespace compert {

struct AdamStep {
  double step_size, weight_decay, beta1, beta2, sqrt_bias2, epsilon;
};
/// Leaves the gradient at 0 for the next step.
void adam_sweep(float* value, float* grad, float* m, float* v, int64_t n, const AdamStep& s);
void adam_sweep(double* value, double* grad, double* m, double* v, int64_t n, const AdamStep& s);

/// Sets n values to 0.
void zero_sweep(float* value, int64_t n);
void zero_sweep(double* value, int64_t n);

/// Values rounded to bfloat16, the nearest and of two the even one: `rows` of `width` values that begin
/// `leading` apart, to rows without gaps.
void round_sweep(const float* values, int64_t rows, int64_t width, int64_t leading, uint16_t* out);

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

/// A hidden layer while training: every column of `in` (rows x width) brought to mean 0 and variance 1,
/// normalised = (in - mean) * inverse with inverse = 1 / sqrt(variance + epsilon), and then
/// out = keep * max(scale * normalised + offset, 0); `keep` are the factors of dropout, or null.
template <class T>
struct HiddenLayer {
  const T* in;
  int64_t rows, width;
  double epsilon;
  const T *scale, *offset, *keep;
  T *normalised, *inverse, *out;
  double *mean, *variance;
};
void hidden_sweep(const HiddenLayer<float>& h);
void hidden_sweep(const HiddenLayer<double>& h);
/// Its derivatives: from that of `out` to that of `in`, and onto those of scale and offset unless null.
/// `kept` is the factor of dropout of what it keeps, or 1. `d_in` may be `d_out`.
template <class T>
struct HiddenGradient {
  const T *d_out, *out, *normalised, *scale, *inverse;
  int64_t rows, width;
  T kept;
  T *d_in, *d_scale, *d_offset;
};
void hidden_sweep_grad(const HiddenGradient<float>& h);
void hidden_sweep_grad(const HiddenGradient<double>& h);
/// Factors of dropout: 0 with this `probability`, else 1 / (1 - probability). The seed decides all, whatever
/// the threads.
void dropout_sweep(uint64_t seed, double probability, int64_t n, float* out);
void dropout_sweep(uint64_t seed, double probability, int64_t n, double* out);
/// out[j] += the sum of column j of rows x width values.
void add_column_sums(const float* values, int64_t rows, int64_t width, float* out);
void add_column_sums(const double* values, int64_t rows, int64_t width, double* out);

/// The gradient penalty of a network, layer by layer (the names are those of mlp_pass.cpp): what every
/// sweep reads of a hidden layer.
template <class T>
struct PenalisedLayer {
  const T *out, *normalised, *scale, *inverse;
  int64_t rows, width;
  T kept;
};
/// back = gradient * M, projected = P(back), scaled = projected * k, shared = mean(back * x). Rows of
/// `gradient` are `stride` apart: 0 where all are the same.
template <class T>
struct PenaltyBack {
  const T* gradient;
  int64_t stride;
  T *back, *projected, *scaled, *shared;
};
void penalty_back(const PenalisedLayer<float>& layer, const PenaltyBack<float>& p);
void penalty_back(const PenalisedLayer<double>& layer, const PenaltyBack<double>& p);
/// Its derivatives: `r` (that of `scaled`, from above) becomes that of `gradient`; that of the normalised
/// values is written, that of `inverse`, and that of scale added to unless null.
template <class T>
struct PenaltyUp {
  T* r;
  const T *back, *projected, *shared;
  T *d_normalised, *d_inverse, *d_scale;
};
void penalty_up(const PenalisedLayer<float>& layer, const PenaltyUp<float>& p);
void penalty_up(const PenalisedLayer<double>& layer, const PenaltyUp<double>& p);
/// As hidden_sweep_grad(), with those derivatives: `d_normalised` becomes that of the layer's input.
template <class T>
struct PenaltyDown {
  const T* d_out;
  T* d_normalised;
  const T* d_inverse;
  T *d_scale, *d_offset;
};
void penalty_down(const PenalisedLayer<float>& layer, const PenaltyDown<float>& p);
void penalty_down(const PenalisedLayer<double>& layer, const PenaltyDown<double>& p);

/// Losses of the adversaries, and their derivatives: the binary cross entropy of `n` logits, their mean, and
/// the cross entropy of rows x classes, the mean of the rows by the weights of their classes (null: all 1).
double bce_sweep(const float* logits, const float* target, int64_t n, float* gradient);
double bce_sweep(const double* logits, const double* target, int64_t n, double* gradient);
double cross_entropy_sweep(const float* logits, const int64_t* label, const float* weight, int64_t rows,
                           int64_t classes, float* gradient);
double cross_entropy_sweep(const double* logits, const int64_t* label, const double* weight,
                           int64_t rows, int64_t classes, double* gradient);

/// Pairs of n cells in the same stratum: of two conditions, or within one. Cells with a stratum of their
/// own are in none.
template <class T>
struct CellPairs {
  int64_t n;
  const int32_t *stratum, *condition;  // per cell
  const T *between, *within;           // weights of its pairs, per cell
  const T* squares;                    // squared lengths of the cells' states
};
/// sum of weights and distances of all pairs / the same of those of two conditions; distance =
/// sqrt(|a - b|^2 + 1e-6). `products` (n x n) are the states' inner products; they become weights A with
/// derivative of state i = sum over j of A_ij (state i - state j).
double alignment_sweep(const CellPairs<float>& pairs, float* products);
double alignment_sweep(const CellPairs<double>& pairs, double* products);

/// The sum of n squares.
double square_sum(const float* value, int64_t n);
double square_sum(const double* value, int64_t n);

/// Small networks side by side, each on some doses of its own: layers from 1 through hidden ones with
/// ReLU to 1. A layer's weight is networks x out x in, its bias networks x out.
template <class T>
struct SmallNetworks {
  struct Layer {
    int64_t in, out;
    const T *weight, *bias;
    T *d_weight, *d_bias;  // derivatives are added there; null for none
    T* values;             // networks x doses x out: what the layer gives, after ReLU but for the last
  };
  const Layer* layers;
  int64_t n_layers, n_networks, n_doses;
  const T* doses;          // networks x doses
  const int64_t* count;    // doses of every network, the first ones of its row
};
void small_networks(const SmallNetworks<float>& s);
void small_networks(const SmallNetworks<double>& s);
/// The derivatives, from those of the last layer's values (networks x doses).
void small_networks_grad(const SmallNetworks<float>& s, const float* d_out);
void small_networks_grad(const SmallNetworks<double>& s, const double* d_out);

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
/// below). `d_bias` (2 genes, unless null) becomes the gradient's sum over cells.
double gaussian_sweep(float* raw, const CellBatch& x, const float* values, bool relu_mean,
                      Spread spread, float* d_bias = nullptr);
double gaussian_sweep(double* raw, const CellBatch& x, const double* values, bool relu_mean,
                      Spread spread, double* d_bias = nullptr);

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
