// Runs counterfactuals over source cells: every distinct cell is encoded once, block by block, and
// decoded under each condition that asks for it.
#pragma once
#include <algorithm>
#include <vector>

#include "first_layer.h"
#include "impl.h"

namespace compert {

constexpr int64_t kBlock = 512;  // cells decoded at a time

/// Latent states of cells under a condition, and the decoder's last hidden layer for them.
struct Latent {
  Tensor treated, hidden, library;
};

/// A block of source cells with what all conditions share.
struct Block {
  int64_t begin = 0, end = 0;  // positions among the distinct cells
  Batch batch;
  Tensor basal, library;
};

/// The cells of a block as they were measured, and as the model reconstructs them.
struct Reconstructed {
  Tensor expression, mean, variance;
};

/// Cells of one condition within one block.
struct Part {
  Tensor rows;                 // within the block
  std::vector<int64_t> place;  // in the condition's list of source cells
  bool whole = false;          // all rows of the block, in their order
  Tensor of(const Tensor& t) const { return whole || !t.defined() ? t : t.index_select(0, rows); }
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

  /// begin(block) for every block, then visit(condition, part, latent) for every condition with cells in
  /// it.
  template <class Begin, class Visit>
  void run(Begin&& begin, Visit&& visit) {
    const auto n = static_cast<int64_t>(distinct_.size());
    for (int64_t first = 0; first < n; first += kBlock) {
      Block block;
      block.begin = first;
      block.end = std::min<int64_t>(first + kBlock, n);
      encode(block);
      begin(block);
      for (std::size_t k = 0; k < source_.size(); ++k) {
        const Part part = cells_in(block, source_[k]);
        if (!part.place.empty()) visit(k, part, latent(k, block, part));
      }
    }
  }

  /// The cells of the block as they were measured, with all that the composition may leave out of the
  /// new condition.
  Latent own_latent(const Block& block) const {
    const Tensor treated = block.basal + network_.perturbation_effect(block.batch.slots) +
                           network_.covariate_effect(block.batch.covariates);
    return {treated, network_.decoder_hidden(treated, false), block.library};
  }

  Reconstructed reconstruct(const Block& block) const {
    const Latent own = own_latent(block);
    const Decoded decoded = network_.decode(own.treated, own.hidden, own.library);
    Reconstructed out;
    out.mean = network_.expected(decoded, decoding_.ignore_zeros);
    out.variance = network_.variance(decoded, decoding_.ignore_zeros);
    out.expression = dense_tensor(block.batch.target, block.batch.values, block.basal.device());
    if (block.batch.proteins.defined())
      out.expression = at::cat({out.expression, block.batch.proteins}, 1);
    // What was not measured differs from its reconstruction by nothing.
    const int64_t genes = network_.architecture().n_genes;
    const auto fill = [&](const Tensor& rows, int64_t begin, int64_t columns) {
      if (!rows.defined()) return;
      Tensor missing = at::ones({block.batch.size(), 1}, rows.options().dtype(at::kBool));
      missing.index_fill_(0, rows, 0);
      Tensor part = out.expression.narrow(1, begin, columns);
      part.copy_(at::where(missing, out.mean.narrow(1, begin, columns), part));
    };
    fill(block.batch.rna_rows, 0, genes);
    fill(block.batch.protein_rows, genes, network_.architecture().n_proteins);
    return out;
  }

 private:
  void encode(Block& block) const {
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
  }

  Part cells_in(const Block& block, const std::vector<int64_t>& list) const {
    Part part;
    std::vector<int64_t> rows;
    const auto first = distinct_.begin() + block.begin, last = distinct_.begin() + block.end;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i] < *first || list[i] > *(last - 1)) continue;
      rows.push_back(std::lower_bound(first, last, list[i]) - first);
      part.place.push_back(static_cast<int64_t>(i));
    }
    part.whole = static_cast<int64_t>(rows.size()) == block.end - block.begin &&
                 std::is_sorted(rows.begin(), rows.end()) &&
                 std::adjacent_find(rows.begin(), rows.end()) == rows.end();
    part.rows = at::tensor(rows, at::kLong).to(network_.options().device());
    return part;
  }

  Latent latent(std::size_t k, const Block& block, const Part& part) const {
    std::vector<Tensor> levels;
    for (std::size_t c = 0; c < target_.n_covariates; ++c) {
      const int32_t asked = target_.covariate[k * target_.n_covariates + c];
      levels.push_back(asked < 0 ? part.of(block.batch.covariates[c])
                                 : at::full({part.rows.size(0)}, asked, part.rows.options()));
    }
    const Tensor treated = part.of(block.basal) + effect_[static_cast<int64_t>(k)] +
                           network_.covariate_effect(levels, decoding_.composition);
    return {treated, network_.decoder_hidden(treated, false), part.of(block.library)};
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
