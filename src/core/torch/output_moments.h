// Moments over cells of what Gaussian outputs give, from the layer that they read.
//
// Where means are linear in that layer h (mean = W h + b), their moments follow from those of h, so no
// cell's mean is decoded: with C the scatter matrix of h
//
//   mean = W mean(h) + b,   sum of squared deviations = diag(W C W').
//
// Means with a ReLU, and variances, are decoded cell by cell, some cells at a time, and summed.
#pragma once
#include <algorithm>

#include "fixed_layers.h"
#include "heads.h"
#include "kernels.h"
#include "product.h"

namespace compert {

/// Mean and variance of the columns of blocks of rows, merged pairwise in double precision.
class ColumnMoments {
 public:
  explicit ColumnMoments(int64_t columns)
      : mean_(at::zeros({columns}, at::kDouble)), m2_(mean_.clone()) {}
  /// Of plus[which] + rows - minus[which]; of `rows` where the others are undefined.
  void add(const Tensor& rows, const Tensor& plus = {}, const Tensor& minus = {},
           const Tensor& which = {}) {
    const auto on_host = [](const Tensor& t) {
      return t.defined() ? t.to(at::kCPU).contiguous() : t;
    };
    const Tensor values = on_host(rows), above = on_host(plus), below = on_host(minus), at = on_host(which);
    Tensor mean = at::empty_like(mean_), m2 = at::empty_like(mean_);
    by_type(values, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      Shifted<T> x{values.data_ptr<T>(), values.size(0), values.size(1)};
      if (above.defined()) {
        x.plus = above.data_ptr<T>();
        x.minus = below.data_ptr<T>();
        x.which = at.data_ptr<int64_t>();
      }
      column_moments(x, mean.data_ptr<double>(), m2.data_ptr<double>());
    });
    merge(static_cast<double>(values.size(0)), mean, m2);
  }
  /// `count` rows of this mean and these squared deviations from it.
  void merge(double count, const Tensor& mean, const Tensor& m2) {
    const Tensor delta = mean.to(at::kDouble) - mean_;
    const double total = n_ + count;
    m2_.add_(m2.to(at::kDouble) + delta.square() * (n_ * count / total));
    mean_.add_(delta * (count / total));
    n_ = total;
  }
  const Tensor& mean() const { return mean_; }
  /// Sum of squared deviations from the mean.
  const Tensor& squares() const { return m2_; }
  Tensor variance() const { return m2_.clamp_min(0) / std::max(n_, 1.0); }

 private:
  Tensor mean_, m2_;
  double n_ = 0;
};

/// On a processor, by any number of threads at the same time.
class OutputMoments {
 public:
  /// Per column: the mean of the decoded means, their squared deviations, the sum of the variances.
  struct Sums {
    Tensor mean, squares, variance;
  };

  explicit OutputMoments(const GaussianOutput& output)
      : output_(output),
        weight_(output.decoder->last().weight->value.detach().narrow(0, 0, output.columns)),
        bias_(output.decoder->last().bias->value.detach().narrow(0, 0, output.columns)),
        raw_variance_(
            output.decoder->last().weight->value.detach().narrow(0, output.columns, output.columns),
            output.decoder->last().bias->value.detach().narrow(0, output.columns, output.columns)) {
    if (output.relu) raw_mean_ = std::make_unique<FixedLayer>(weight_, bias_);
  }

  /// Of the rows of a hidden layer. Without `spread` nobody reads the squared deviations: linear means
  /// leave them at 0. Without `variance` its sum is not there.
  Sums of(const Tensor& hidden, bool spread, bool variance) const {
    Sums out{{}, {}, variance ? variances(hidden) : Tensor()};
    if (output_.relu) {
      ColumnMoments all(output_.columns);
      by_rows(hidden, *raw_mean_, [&](Tensor& raw) { all.add(raw.relu_()); });
      out.mean = all.mean();
      out.squares = all.squares();
    } else {
      const Tensor centre = hidden.mean(0);
      out.mean = at::addmv(bias_, weight_, centre);
      out.squares = spread ? squares(hidden - centre) : at::zeros_like(bias_);
    }
    if (!output_.factor.defined()) return out;
    out.mean = out.mean * output_.factor + output_.centre;
    out.squares = out.squares * output_.factor.square();
    return out;
  }

  /// Sums of the decoded variances.
  Tensor variances(const Tensor& hidden) const {
    Tensor sums = at::zeros({output_.columns}, at::kDouble);
    by_rows(hidden, raw_variance_, [&](Tensor& raw) {
      by_type(raw, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        add_variances(raw.data_ptr<T>(), raw.size(0), output_.columns, output_.spread,
                      sums.data_ptr<double>());
      });
    });
    return output_.factor.defined() ? sums * output_.factor.square() : sums;
  }

  /// diag(W C W') of centred hidden layers.
  Tensor squares(const Tensor& centred) const {
    // Of few rows W is multiplied with these sooner than with their scatter.
    if (centred.size(0) < centred.size(1)) return product(centred, weight_.t()).square_().sum(0);
    const Tensor scatter = product(centred.t(), centred);
    return (product(weight_, scatter) * weight_).sum(1);
  }

  /// Of linear means.
  const Tensor& weight() const { return weight_; }

 private:
  static constexpr int64_t kRows = 256;  // decoded at a time: they stay in the cache

  template <class Use>
  void by_rows(const Tensor& hidden, const FixedLayer& layer, Use&& use) const {
    const Tensor all = at::empty({std::min(kRows, hidden.size(0)), output_.columns}, weight_.options());
    for (int64_t begin = 0; begin < hidden.size(0); begin += kRows) {
      const int64_t n = std::min(kRows, hidden.size(0) - begin);
      Tensor raw = all.narrow(0, 0, n);
      layer.into(raw, hidden.narrow(0, begin, n));
      use(raw);
    }
  }

  GaussianOutput output_;
  Tensor weight_, bias_;
  FixedLayer raw_variance_;
  std::unique_ptr<FixedLayer> raw_mean_;  // with a ReLU
};

}  // namespace compert
