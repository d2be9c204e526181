// Moments of counterfactuals per condition.
//
// Where decoded means are linear in the decoder's last hidden layer h (mean = W h + b), their moments
// follow from those of h, so no cell's mean is decoded: with C the scatter matrix of h
//
//   mean = W mean(h) + b,   sum of squared deviations = diag(W C W')
//
// and by difference, for x + W d with d = h - h(own),
//
//   mean = mean(x) + W mean(d),   squares = S(x) + 2 rowsum(W * (x' d)) + diag(W C(d) W').
//
// Variances are no linear functions; they are decoded cell by cell and summed.
#include <cmath>

#include "counterfactuals.h"
#include "kernels.h"
#include "product.h"

namespace compert {
namespace {

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
  Tensor variance() const { return m2_.clamp_min(0) / std::max(n_, 1.0); }

 private:
  Tensor mean_, m2_;
  double n_ = 0;
};

struct Moments {
  explicit Moments(int64_t columns)
      : mean(columns), difference(columns), variance(at::zeros({columns}, at::kDouble)),
        own_variance(variance.clone()) {}
  ColumnMoments mean, difference;
  Tensor variance, own_variance;  // sums over cells
};

/// Adds a block's cells to the moments of conditions.
class Summaries {
 public:
  Summaries(const Network& network, const Decoding& decoding, const SummaryParts& parts)
      : network_(network), decoding_(decoding), parts_(parts) {}
  virtual ~Summaries() = default;
  virtual void begin(const Counterfactuals& all, const Block& block) = 0;
  virtual void add(Moments& to, const Part& part, const Latent& latent) = 0;

 protected:
  const Network& network_;
  const Decoding& decoding_;
  SummaryParts parts_;
};

/// Of every model: what was decoded cell by cell.
class DecodedSummaries final : public Summaries {
 public:
  using Summaries::Summaries;
  void begin(const Counterfactuals& all, const Block& block) override {
    if (!parts_.difference) return;
    own_ = all.reconstruct(block);
    own_variance_ = sum(own_.variance);
  }
  void add(Moments& to, const Part& part, const Latent& latent) override {
    const Decoded d = network_.decode(latent.treated, latent.hidden, latent.library);
    const Tensor mean = network_.expected(d, decoding_.ignore_zeros);
    to.mean.add(mean);
    to.variance.add_(sum(network_.variance(d, decoding_.ignore_zeros)));
    if (!parts_.difference) return;
    to.difference.add(mean, own_.expression, own_.mean, part.rows);
    to.own_variance.add_(part.whole ? own_variance_ : sum(part.of(own_.variance)));
  }

 private:
  static Tensor sum(const Tensor& rows) { return rows.sum(0, false, at::kDouble).to(at::kCPU); }
  Reconstructed own_;
  Tensor own_variance_;
};

/// Of models whose means are linear in the last hidden layer, on a processor.
class LinearSummaries final : public Summaries {
 public:
  LinearSummaries(const Network& network, const Decoding& decoding, const SummaryParts& parts)
      : Summaries(network, decoding, parts), genes_(network.architecture().n_genes) {
    const Tensor weight = network.output_layer().weight->value.detach(),
                 bias = network.output_layer().bias->value.detach();
    mean_weight_ = weight.narrow(0, 0, genes_);
    mean_bias_ = bias.narrow(0, 0, genes_);
    variance_weight_ = weight.narrow(0, genes_, genes_).t();
    variance_bias_ = bias.narrow(0, genes_, genes_);
    raw_ = at::empty({kRows, genes_}, weight.options());
  }

  void begin(const Counterfactuals& all, const Block& block) override {
    if (!parts_.difference) return;
    batch_ = &block.batch;
    own_ = all.own_latent(block).hidden;
    own_variance_ = variances(own_);
  }

  void add(Moments& to, const Part& part, const Latent& latent) override {
    const auto n = static_cast<double>(latent.hidden.size(0));
    const Tensor centre = latent.hidden.mean(0);
    to.mean.merge(n, at::addmv(mean_bias_, mean_weight_, centre),
                  parts_.spread ? squares(latent.hidden - centre)
                                                     : at::zeros_like(mean_bias_));
    to.variance.add_(variances(latent.hidden));
    if (parts_.difference) add_difference(to, part, latent, n);
  }

 private:
  static constexpr int64_t kRows = 256;  // decoded at a time: they stay in the cache

  void add_difference(Moments& to, const Part& part, const Latent& latent, double n) {
    const Tensor own = part.of(own_), d = latent.hidden - own, centre = d.mean(0), centred = d - centre;
    Tensor sum = at::zeros({genes_}, at::kDouble), square = at::zeros({genes_}, at::kDouble);
    Tensor crossed = at::zeros_like(mean_weight_, at::MemoryFormat::Contiguous);
    // Cells that are not of the part count for nothing.
    Tensor all = centred;
    if (!part.whole) {
      all = at::zeros_like(own_);
      all.index_add_(0, part.rows, centred);
    }
    by_type(centred, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      add_expression(part, batch_->values.data_ptr<T>(), sum.data_ptr<double>(),
                     square.data_ptr<double>());
      sparse_linear_grad(batch_->target, batch_->values.data_ptr<T>(), all.data_ptr<T>(),
                         crossed.data_ptr<T>(), centred.size(1));
    });
    const Tensor mean = sum / n + at::mv(mean_weight_, centre);
    const Tensor m2 = square - sum.square() / n + (mean_weight_ * crossed).sum(1) * 2 + squares(centred);
    to.difference.merge(n, mean, m2);
    to.own_variance.add_(part.whole ? own_variance_ : variances(own));
  }

  /// Sums of the expression of the part's cells and of its squares.
  template <class T>
  void add_expression(const Part& part, const T* values, double* sum, double* square) const {
    const CellBatch& x = batch_->target;
    const int64_t* rows = part.rows.data_ptr<int64_t>();
    for (int64_t i = 0; i < part.rows.size(0); ++i) {
      const auto row = static_cast<std::size_t>(rows[i]);
      for (int64_t k = x.offsets[row]; k < x.offsets[row + 1]; ++k) {
        const auto gene = x.genes[static_cast<std::size_t>(k)];
        const auto value = static_cast<double>(values[k]);
        sum[gene] += value;
        square[gene] += value * value;
      }
    }
  }

  /// diag(W C W') of centred hidden layers.
  Tensor squares(const Tensor& centred) const {
    const Tensor scatter = product(centred.t(), centred);
    return (product(mean_weight_, scatter) * mean_weight_).sum(1);
  }

  Tensor variances(const Tensor& hidden) {
    Tensor sums = at::zeros({genes_}, at::kDouble);
    for (int64_t begin = 0; begin < hidden.size(0); begin += kRows) {
      const int64_t n = std::min(kRows, hidden.size(0) - begin);
      Tensor raw = raw_.narrow(0, 0, n);
      product_into(raw, hidden.narrow(0, begin, n), variance_weight_, variance_bias_);
      by_type(raw, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        add_variances(raw.data_ptr<T>(), n, genes_, network_.head().spread, sums.data_ptr<double>());
      });
    }
    return sums;
  }

  int64_t genes_;
  Tensor mean_weight_, mean_bias_, variance_weight_, variance_bias_, raw_;
  const Batch* batch_ = nullptr;  // of the block, as the two below
  Tensor own_, own_variance_;
};

/// Conditions x columns.
std::vector<double> rows_of(const std::vector<Tensor>& all) {
  std::vector<double> out;
  for (const Tensor& t : all) {
    const Tensor c = t.contiguous();
    out.insert(out.end(), c.data_ptr<double>(), c.data_ptr<double>() + c.numel());
  }
  return out;
}

}  // namespace

ConditionSummary Model::Impl::summarise(const CellSource& cells, const Design& own,
                                        const Design& target,
                                        const std::vector<std::vector<int64_t>>& source,
                                        const SummaryParts& parts, const Decoding& decoding) const {
  at::NoGradGuard no_grad;
  ConditionSummary out;
  std::vector<Moments> moments;
  for (std::size_t k = 0; k < source.size(); ++k) {
    if (source[k].empty())
      throw Error("source", "must hold at least one cell per condition",
                  "condition " + std::to_string(k + 1) + " has none");
    out.n.push_back(static_cast<int64_t>(source[k].size()));
    moments.emplace_back(architecture.n_rows());
  }
  std::unique_ptr<Summaries> summaries;
  if (network.linear_means() && !network.options().device().is_cuda())
    summaries = std::make_unique<LinearSummaries>(network, decoding, parts);
  else
    summaries = std::make_unique<DecodedSummaries>(network, decoding, parts);
  Counterfactuals all(network, cells, own, target, source, decoding);
  all.run([&](const Block& block) { summaries->begin(all, block); },
          [&](std::size_t k, const Part& part, const Latent& latent) {
            summaries->add(moments[k], part, latent);
          });
  const auto collect = [&](bool asked, auto&& of) {
    std::vector<Tensor> rows;
    for (std::size_t k = 0; asked && k < moments.size(); ++k)
      rows.push_back(of(moments[k], static_cast<double>(out.n[k])));
    return rows_of(rows);
  };
  out.mean = collect(true, [](const Moments& m, double) { return m.mean.mean(); });
  out.variance = collect(true, [](const Moments& m, double n) { return m.variance / n; });
  out.variance_of_means = collect(parts.spread, [](const Moments& m, double) { return m.mean.variance(); });
  out.mean_difference =
      collect(parts.difference, [](const Moments& m, double) { return m.difference.mean(); });
  out.variance_difference =
      collect(parts.difference, [](const Moments& m, double) { return m.difference.variance(); });
  out.variance_shift = collect(
      parts.difference, [](const Moments& m, double n) { return (m.variance - m.own_variance) / n; });
  return out;
}

ConditionSummary Model::summarise(const CellSource& cells, const Design& own, const Design& target,
                                  const std::vector<std::vector<int64_t>>& source,
                                  const Decoding& decoding, const SummaryParts& parts) const {
  return translate([&] {
    use_threads(impl_->settings.threads);
    return impl_->summarise(cells, own, target, source, parts, decoding);
  });
}

}  // namespace compert
