// Runs counterfactuals over source cells: every distinct cell is encoded once, block by block, and
// decoded under each condition that asks for it.
#pragma once
#include <algorithm>
#include <vector>

#include "first_layer.h"
#include "impl.h"
#include "kernels.h"

namespace compert {

constexpr int64_t kBlock = 512;  // cells decoded at a time

/// Mean and variance of the columns of blocks of rows, merged pairwise in double precision.
class ColumnMoments {
 public:
  explicit ColumnMoments(int64_t columns)
      : mean_(at::zeros({columns}, at::kDouble)), m2_(mean_.clone()) {}
  void add(const Tensor& rows) { add_shifted(rows, Tensor(), Tensor(), Tensor()); }
  /// Of plus[which] + rows - minus[which].
  void add_shifted(const Tensor& rows, const Tensor& plus, const Tensor& minus, const Tensor& which) {
    const auto on_host = [](const Tensor& t) {
      return t.defined() ? t.to(at::kCPU).contiguous() : t;
    };
    const Tensor values = on_host(rows), above = on_host(plus), below = on_host(minus), at = on_host(which);
    const auto count = static_cast<double>(values.size(0));
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
    const Tensor delta = mean - mean_;
    const double total = n_ + count;
    m2_.add_(m2 + delta.square() * (n_ * count / total));
    mean_.add_(delta * (count / total));
    n_ = total;
  }
  void write_mean(double* out) const { copy(mean_, out); }
  void write_variance(double* out) const { copy(m2_ / std::max(n_, 1.0), out); }

 private:
  static void copy(const Tensor& t, double* out) {
    const Tensor c = t.contiguous();
    std::copy(c.data_ptr<double>(), c.data_ptr<double>() + c.numel(), out);
  }
  Tensor mean_, m2_;
  double n_ = 0;
};

/// A block of source cells with what all conditions share.
struct Block {
  int64_t begin = 0, end = 0;  // positions among the distinct cells
  Batch batch;
  Tensor basal, library;
  Tensor expression, own_mean, own_variance;  // only for counterfactuals by difference
};

/// Cells of one condition within one block.
struct Part {
  Tensor rows;                // within the block
  std::vector<int64_t> place;  // in the condition's list of source cells
};

/// Runs over the distinct source cells block by block, and within a block over the conditions.
class Counterfactuals {
 public:
  Counterfactuals(const Network& network, const CellSource& cells, const Design& own,
                  const Design& target, const std::vector<std::vector<int64_t>>& source,
                  const Decoding& decoding, at::Generator* draws = nullptr)
      : network_(network),
        cells_(cells),
        own_(own),
        target_(target),
        source_(source),
        decoding_(decoding),
        draws_(draws) {
    const Architecture& a = network.architecture();
    own.check(a.n_perturbations, a.covariate_levels, false);
    target.check(a.n_perturbations, a.covariate_levels, true);
    if (target.n != source.size())
      throw Error("source", "must have one entry per condition");
    if (own.n != cells.n_cells()) throw Error("design", "must have one row per cell");
    for (const auto& list : source)
      for (const int64_t cell : list) {
        if (cell < 0 || static_cast<std::size_t>(cell) >= cells.n_cells())
          throw Error("source", "must hold indices of cells", std::to_string(cell));
        distinct_.push_back(cell);
      }
    std::sort(distinct_.begin(), distinct_.end());
    distinct_.erase(std::unique(distinct_.begin(), distinct_.end()), distinct_.end());
    network.load_design(target, target_batch_);
    effect_ = network.perturbation_effect(target_batch_.slots);
  }

  /// visit(condition, block, part, decoded) for every condition with cells in the block.
  template <class Visit>
  void run(bool with_difference, Visit&& visit) {
    for (int64_t begin = 0; begin < static_cast<int64_t>(distinct_.size()); begin += kBlock) {
      Block block;
      block.begin = begin;
      block.end = std::min<int64_t>(begin + kBlock, static_cast<int64_t>(distinct_.size()));
      encode(block, with_difference);
      for (std::size_t k = 0; k < source_.size(); ++k) {
        const Part part = cells_in(block, source_[k]);
        if (!part.place.empty()) visit(k, block, part, decode(k, block, part));
      }
    }
  }

 private:
  void encode(Block& block, bool with_difference) const {
    const int64_t* which = distinct_.data() + block.begin;
    const auto n = static_cast<std::size_t>(block.end - block.begin);
    network_.load(cells_, which, n, own_.rows(which, n), block.batch);
    if (draws_ != nullptr)  // else the posterior mean
      block.batch.noise.assign(
          network_.experts() ? 3 : 1,
          at::empty({static_cast<int64_t>(n), network_.dim()}, at::kFloat)
              .normal_(0, 1, *draws_)
              .to(network_.options()));
    block.basal = network_.encode(block.batch, false).basal;
    block.library = block.batch.library;
    if (decoding_.common_library && block.library.defined())
      block.library = network_.mean_library().expand_as(block.library);
    if (!with_difference) return;
    block.expression = dense_tensor(block.batch.target, block.batch.values, block.basal.device());
    if (block.batch.proteins.defined())
      block.expression = at::cat({block.expression, block.batch.proteins}, 1);
    const Tensor effect = network_.perturbation_effect(block.batch.slots);
    // The cell as it was measured, with all that the composition may leave out of the new condition.
    const Decoded own = network_.decode(
        block.basal + effect + network_.covariate_effect(block.batch.covariates), block.library);
    block.own_mean = network_.expected(own, decoding_.ignore_zeros);
    block.own_variance = network_.variance(own, decoding_.ignore_zeros);
    // What was not measured differs from its reconstruction by nothing.
    const int64_t genes = network_.architecture().n_genes;
    const auto fill = [&](const Tensor& rows, int64_t begin, int64_t columns) {
      if (!rows.defined()) return;
      Tensor missing = at::ones({block.batch.size(), 1}, rows.options().dtype(at::kBool));
      missing.index_fill_(0, rows, 0);
      Tensor part = block.expression.narrow(1, begin, columns);
      part.copy_(at::where(missing, block.own_mean.narrow(1, begin, columns), part));
    };
    fill(block.batch.rna_rows, 0, genes);
    fill(block.batch.protein_rows, genes, network_.architecture().n_proteins);
  }

  Part cells_in(const Block& block, const std::vector<int64_t>& list) const {
    Part part;
    std::vector<int64_t> rows;
    const int64_t low = distinct_[static_cast<std::size_t>(block.begin)],
                  high = distinct_[static_cast<std::size_t>(block.end - 1)];
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i] < low || list[i] > high) continue;
      const auto found = std::lower_bound(distinct_.begin() + block.begin,
                                          distinct_.begin() + block.end, list[i]);
      rows.push_back(found - distinct_.begin() - block.begin);
      part.place.push_back(static_cast<int64_t>(i));
    }
    part.rows = at::tensor(rows, at::kLong).to(network_.options().device());
    return part;
  }

  Decoded decode(std::size_t k, const Block& block, const Part& part) const {
    std::vector<Tensor> levels;
    for (std::size_t c = 0; c < target_.n_covariates; ++c) {
      const int32_t asked = target_.covariate[k * target_.n_covariates + c];
      levels.push_back(asked < 0 ? block.batch.covariates[c].index_select(0, part.rows)
                                 : at::full({part.rows.size(0)}, asked, part.rows.options()));
    }
    const Tensor treated = block.basal.index_select(0, part.rows) +
                           effect_[static_cast<int64_t>(k)] +
                           network_.covariate_effect(levels, decoding_.composition);
    return network_.decode(treated, block.library.defined()
                                        ? block.library.index_select(0, part.rows)
                                        : block.library);
  }

  const Network& network_;
  const CellSource& cells_;
  const Design& own_;
  const Design& target_;
  const std::vector<std::vector<int64_t>>& source_;
  const Decoding& decoding_;
  at::Generator* draws_;  // of basal states of a variational encoder; null: their means
  std::vector<int64_t> distinct_;
  Batch target_batch_;
  Tensor effect_;
};

}  // namespace compert
