// Moments of counterfactuals per condition.
//
// With linear means (see output_moments.h) those of counterfactuals by difference, x + W d with
// d = h - h(own), follow likewise from the hidden layer h:
//
//   mean = mean(x) + W mean(d),   squares = S(x) + 2 rowsum(W * (x' d)) + diag(W C(d) W').
#include <cmath>

#include "counterfactuals.h"
#include "caller.h"
#include "kept_memory.h"
#include "kernels.h"
#include "output_moments.h"

namespace compert {
namespace {

/// What is not asked for has no columns.
struct Moments {
  Moments(int64_t columns, const SummaryParts& parts)
      : mean(columns),
        difference(parts.difference ? columns : 0),
        variance(at::zeros({parts.variance ? columns : 0}, at::kDouble)),
        own_variance(at::zeros({parts.variance && parts.difference ? columns : 0}, at::kDouble)) {}
  ColumnMoments mean, difference;
  Tensor variance, own_variance;  // sums over cells
};

/// Adds a block's cells to the moments of conditions: one thread at a time to those of a condition.
class Summaries {
 public:
  Summaries(const Network& network, const Decoding& decoding, const SummaryParts& parts)
      : network_(network), decoding_(decoding), parts_(parts) {}
  virtual ~Summaries() = default;
  virtual void begin(const Counterfactuals& all, const Block& block) = 0;
  /// `hidden`: the decoder's last hidden layer for these states.
  virtual void add(Moments& to, const Part& part, const Latent& latent, const Tensor& hidden) const = 0;
  /// How many arrays of cells x rows add() holds.
  virtual int64_t arrays() const = 0;

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
    if (parts_.variance) own_variance_ = sum(own_.variance);
  }
  void add(Moments& to, const Part& part, const Latent& latent, const Tensor& hidden) const override {
    const Decoded d = network_.decode(latent.treated, hidden, latent.library);
    const Tensor mean = network_.expected(d, decoding_.ignore_zeros);
    to.mean.add(mean);
    if (parts_.variance) to.variance.add_(sum(network_.variance(d, decoding_.ignore_zeros)));
    if (!parts_.difference) return;
    to.difference.add(mean, own_.expression, own_.mean, part.rows);
    if (parts_.variance) to.own_variance.add_(part.whole ? own_variance_ : sum(part.of(own_.variance)));
  }
  int64_t arrays() const override { return 8; }

 private:
  static Tensor sum(const Tensor& rows) { return rows.sum(0, false, at::kDouble).to(at::kCPU); }
  Reconstructed own_;
  Tensor own_variance_;
};

/// Of models all of whose outputs are Gaussian, on a processor.
class GaussianSummaries final : public Summaries {
 public:
  GaussianSummaries(const Network& network, const Decoding& decoding, const SummaryParts& parts)
      : Summaries(network, decoding, parts), genes_(network.architecture().n_genes) {
    for (const GaussianOutput& output : network.gaussian_outputs()) {
      outputs_.emplace_back(output);
      if (outputs_.size() > 1) further_.emplace_back(*output.decoder);
    }
  }

  /// By difference only of linear means of genes.
  static bool possible(const Network& network, const SummaryParts& parts) {
    const auto outputs = network.gaussian_outputs();
    return !outputs.empty() && network.options().device().is_cpu() &&
           (!parts.difference || network.linear_means());
  }

  void begin(const Counterfactuals& all, const Block& block) override {
    if (!parts_.difference) return;
    batch_ = &block.batch;
    own_ = all.hidden(all.own_latent(block));
    if (parts_.variance) own_variance_ = outputs_[0].variances(own_);
  }

  void add(Moments& to, const Part& part, const Latent& latent, const Tensor& hidden) const override {
    const auto n = static_cast<double>(hidden.size(0));
    std::vector<Tensor> mean, squares, variance;
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      const Tensor last = k == 0 ? hidden : further_[k - 1].before_last(latent.treated);
      const OutputMoments::Sums sums = outputs_[k].of(last, parts_.spread, parts_.variance);
      mean.push_back(sums.mean);
      squares.push_back(sums.squares);
      if (parts_.variance) variance.push_back(sums.variance);
    }
    to.mean.merge(n, at::cat(mean), at::cat(squares));
    if (parts_.variance) to.variance.add_(at::cat(variance));
    if (parts_.difference) add_difference(to, part, hidden, n);
  }
  int64_t arrays() const override { return 1; }

 private:
  void add_difference(Moments& to, const Part& part, const Tensor& hidden, double n) const {
    const Tensor own = part.of(own_), d = hidden - own, centre = d.mean(0);
    Tensor sum = at::zeros({genes_}, at::kDouble), square = at::zeros({genes_}, at::kDouble);
    by_type(d, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      add_expression(part, batch_->values.data_ptr<T>(), sum.data_ptr<double>(), square.data_ptr<double>());
    });
    const Tensor& weight = outputs_[0].weight();
    const Tensor mean = sum / n + at::mv(weight, centre);
    if (!parts_.variance) return to.difference.merge(n, mean, at::zeros_like(mean));
    const Tensor centred = d - centre;
    Tensor crossed = at::zeros_like(weight, at::MemoryFormat::Contiguous);
    // Cells that are not of the part count for nothing.
    Tensor all = centred;
    if (!part.whole) {
      all = at::zeros_like(own_);
      all.index_add_(0, part.rows, centred);
    }
    by_type(centred, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      sparse_linear_grad(batch_->target, batch_->values.data_ptr<T>(), all.data_ptr<T>(),
                         crossed.data_ptr<T>(), centred.size(1));
    });
    const Tensor m2 =
        square - sum.square() / n + (weight * crossed).sum(1) * 2 + outputs_[0].squares(centred);
    to.difference.merge(n, mean, m2);
    to.own_variance.add_(part.whole ? own_variance_ : outputs_[0].variances(own));
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

  int64_t genes_;
  std::vector<OutputMoments> outputs_;  // of genes, then of proteins with a decoder of their own
  std::vector<FixedMlp> further_;       // decoders of the outputs after the first
  const Batch* batch_ = nullptr;  // of the block, as the two below
  Tensor own_, own_variance_;
};

/// Conditions x columns.
std::vector<double> rows_of(const std::vector<Tensor>& all) {
  std::vector<double> out;
  for (const Tensor& t : all) {
    if (out.empty()) out.reserve(all.size() * static_cast<std::size_t>(t.numel()));
    const Tensor c = t.contiguous();
    out.insert(out.end(), c.data_ptr<double>(), c.data_ptr<double>() + c.numel());
  }
  return out;
}

}  // namespace

ConditionSummary Model::Impl::summarise(const CellSource& cells, const Design& own,
                                        const Design& target,
                                        const std::vector<std::vector<int64_t>>& source,
                                        const SummaryParts& parts, const Decoding& decoding,
                                        const Pause& pause) const {
  at::NoGradGuard no_grad;
  ConditionSummary out;
  std::vector<Moments> moments;
  for (std::size_t k = 0; k < source.size(); ++k) {
    if (source[k].empty())
      throw Error("source", "must hold at least one cell per condition",
                  "condition " + std::to_string(k + 1) + " has none");
    out.n.push_back(static_cast<int64_t>(source[k].size()));
    moments.emplace_back(architecture.n_rows(), parts);
  }
  std::unique_ptr<Summaries> summaries;
  if (GaussianSummaries::possible(network, parts))
    summaries = std::make_unique<GaussianSummaries>(network, decoding, parts);
  else
    summaries = std::make_unique<DecodedSummaries>(network, decoding, parts);
  Counterfactuals all(network, cells, own, target, source, decoding);
  all.run(Order::kAny, summaries->arrays(), pause,
          [&](const Block& block) { summaries->begin(all, block); },
          [&](std::size_t k, const Part& part, const Latent& latent) {
            summaries->add(moments[k], part, latent, all.hidden(latent));
          });
  const auto collect = [&](bool asked, auto&& of) {
    std::vector<Tensor> rows;
    for (std::size_t k = 0; asked && k < moments.size(); ++k)
      rows.push_back(of(moments[k], static_cast<double>(out.n[k])));
    return rows_of(rows);
  };
  const bool by_difference = parts.difference && parts.variance;
  out.mean = collect(true, [](const Moments& m, double) { return m.mean.mean(); });
  out.variance = collect(parts.variance, [](const Moments& m, double n) { return m.variance / n; });
  out.variance_of_means = collect(parts.spread, [](const Moments& m, double) { return m.mean.variance(); });
  out.mean_difference =
      collect(parts.difference, [](const Moments& m, double) { return m.difference.mean(); });
  out.variance_difference =
      collect(by_difference, [](const Moments& m, double) { return m.difference.variance(); });
  out.variance_shift = collect(
      by_difference, [](const Moments& m, double n) { return (m.variance - m.own_variance) / n; });
  return out;
}

ConditionSummary Model::summarise(const CellSource& cells, const Design& own, const Design& target,
                                  const std::vector<std::vector<int64_t>>& source,
                                  const Decoding& decoding, const SummaryParts& parts,
                                  const Pause& pause) const {
  return translate([&] {
    const KeptMemory kept_memory(false);
    const Caller caller(impl_->settings.threads, pause);
    return impl_->summarise(cells, own, target, source, parts, decoding, [&] { caller.ask(); });
  });
}

}  // namespace compert
