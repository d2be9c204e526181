// Runs counterfactuals over source cells: every distinct cell is encoded once, block by block, and
// decoded under each condition that asks for it. Cells of a block are asked for by the same conditions.
#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "first_layer.h"
#include "fixed_layers.h"
#include "impl.h"
#include "tasks.h"

namespace compert {

constexpr int64_t kBlock = 512;  // cells decoded at a time; twice as many where no cell need be
constexpr int64_t kShared = int64_t{1} << 30;  // bytes of blocks that are decoded at the same time
constexpr int64_t kBetweenPauses = 256;  // conditions

/// In which order conditions of a block may be visited.
enum class Order { kGiven, kAny };

/// Latent states of cells under a condition.
struct Latent {
  Tensor treated, library;
};

/// A block of source cells with what all conditions share.
struct Block {
  int64_t begin = 0, end = 0;  // positions among the distinct cells
  Batch batch;
  Tensor basal, library;
  Tensor continuous;  // see Network::continuous_effects()
};

/// The cells of a block as they were measured, and as the model reconstructs them.
struct Reconstructed {
  Tensor expression, mean, variance;
};

/// Cells of one condition within one block.
struct Part {
  Tensor rows;                 // within the block
  std::vector<int64_t> place;  // in the condition's list of source cells
  bool whole = false;          // all rows of the block, each once
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
        decoding_(decoding),
        draws_(draws),
        decoder_(network.decoder()),
        most_(network.linear_means() ? 2 * kBlock : kBlock) {
    const Architecture& a = network.architecture();
    own.check(a.n_perturbations, a.covariate_levels, a.n_continuous, false);
    target.check(a.n_perturbations, a.covariate_levels, a.n_continuous, true);
    if (target.n != source.size())
      throw Error("source", "must have one entry per condition");
    if (own.n != cells.n_cells()) throw Error("design", "must have one row per cell");
    arrange(source);
    network.load_effects(target, target_batch_);
    effect_ = network.perturbation_effect(target_batch_.slots);
    if (!decoding.composition.perturbation) effect_ = at::zeros_like(effect_);
    continuous_ = network.continuous_effects(target_batch_);
  }

  /// begin(block) for every block, then visit(condition, part, latent) for every condition with cells in
  /// it: in order, or also at the same time where each of them holds `arrays` values per cell and row of
  /// the expression and all threads' together are no more than kShared bytes. pause() comes in between.
  template <class Begin, class Visit>
  void run(Order order, int64_t arrays, const Pause& pause, Begin&& begin, Visit&& visit) {
    const int64_t held = at::get_num_threads() * most_ * arrays * network_.architecture().n_rows() *
                         static_cast<int64_t>(effect_.element_size());
    const bool may_share = order == Order::kAny && effect_.is_cpu() && held <= kShared;
    for (const Group& group : groups_) {
      const int64_t n = group.end - group.begin, blocks = (n + most_ - 1) / most_;
      for (int64_t b = 0; b < blocks; ++b) {
        Block block;
        block.begin = group.begin + n * b / blocks;
        block.end = group.begin + n * (b + 1) / blocks;
        encode(block);
        begin(block);
        const auto conditions = static_cast<int64_t>(group.conditions.size());
        for (int64_t first = 0; first < conditions; first += kBetweenPauses) {
          share_tasks(std::min(kBetweenPauses, conditions - first), may_share, [&](int64_t i) {
            const std::size_t k = group.conditions[static_cast<std::size_t>(first + i)];
            const Part part = cells_in(block, asked_[k]);
            if (!part.place.empty()) visit(k, part, latent(k, block, part));
          });
          if (pause) pause();
        }
      }
    }
  }

  /// The cells of the block as they were measured, with all that the composition may leave out of the
  /// new condition.
  Latent own_latent(const Block& block) const {
    const Tensor treated = block.basal + network_.perturbation_effect(block.batch.slots) +
                           network_.covariate_effect(block.batch);
    return {treated, block.library};
  }

  /// The decoder's last hidden layer for these states.
  Tensor hidden(const Latent& latent) const { return decoder_.before_last(latent.treated); }

  Reconstructed reconstruct(const Block& block) const {
    const Latent own = own_latent(block);
    const Decoded decoded = network_.decode(own.treated, hidden(own), own.library);
    Reconstructed out;
    out.mean = network_.expected(decoded, decoding_.ignore_zeros);
    out.variance = network_.variance(decoded, decoding_.ignore_zeros);
    out.expression = block.batch.genes();
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
      // Nor does what was not measured have noise that could be taken away.
      out.variance.narrow(1, begin, columns).masked_fill_(missing, 0);
    };
    fill(block.batch.rna_rows, 0, genes);
    fill(block.batch.protein_rows, genes, network_.architecture().n_proteins);
    return out;
  }

 private:
  /// A cell, as a position in distinct_, and where the condition's list has it.
  struct Asked {
    int64_t position, place;
  };
  /// Cells that the same conditions ask for.
  struct Group {
    int64_t begin = 0, end = 0;  // in distinct_
    std::vector<std::size_t> conditions;
  };

  void arrange(const std::vector<std::vector<int64_t>>& source) {
    std::vector<int64_t> sorted;
    for (const auto& list : source) sorted.insert(sorted.end(), list.begin(), list.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    if (!sorted.empty() &&
        (sorted.front() < 0 || static_cast<std::size_t>(sorted.back()) >= cells_.n_cells()))
      throw Error("source", "must hold indices of cells",
                  std::to_string(sorted.front() < 0 ? sorted.front() : sorted.back()));
    const auto index = [&sorted](int64_t cell) {
      return static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), cell) - sorted.begin());
    };
    // What conditions ask for a cell, as one number. Should two sets have the same number, a condition
    // merely finds a block that is not all its own.
    std::vector<uint64_t> askers(sorted.size(), 0);
    std::vector<std::size_t> latest(sorted.size(), source.size());
    for (std::size_t k = 0; k < source.size(); ++k)
      for (const int64_t cell : source[k]) {
        const std::size_t i = index(cell);
        if (latest[i] != k) askers[i] = (askers[i] + k + 1) * 0x9e3779b97f4a7c15u;
        latest[i] = k;
      }
    std::map<uint64_t, std::size_t> number;
    std::vector<std::size_t> group_of;
    for (const uint64_t key : askers) {
      const std::size_t g = number.emplace(key, number.size()).first->second;
      group_of.push_back(g);
      if (g == groups_.size()) groups_.emplace_back();
      ++groups_[g].end;
    }
    for (std::size_t g = 1; g < groups_.size(); ++g) {
      groups_[g].begin = groups_[g - 1].end;
      groups_[g].end += groups_[g].begin;
    }
    std::vector<int64_t> next, position;
    for (const Group& group : groups_) next.push_back(group.begin);
    distinct_.resize(sorted.size());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      position.push_back(next[group_of[i]]++);
      distinct_[static_cast<std::size_t>(position[i])] = sorted[i];
    }
    for (std::size_t k = 0; k < source.size(); ++k) {
      std::vector<Asked> asked;
      for (std::size_t i = 0; i < source[k].size(); ++i) {
        const std::size_t cell = index(source[k][i]);
        asked.push_back({position[cell], static_cast<int64_t>(i)});
        auto& conditions = groups_[group_of[cell]].conditions;
        if (conditions.empty() || conditions.back() != k) conditions.push_back(k);
      }
      std::stable_sort(asked.begin(), asked.end(),
                       [](const Asked& a, const Asked& b) { return a.position < b.position; });
      asked_.push_back(std::move(asked));
    }
  }

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
    block.continuous = network_.continuous_effects(block.batch);
    block.library = block.batch.library;
    if (decoding_.common_library && block.library.defined())
      block.library = network_.mean_library().expand_as(block.library);
  }

  Part cells_in(const Block& block, const std::vector<Asked>& asked) const {
    Part part;
    std::vector<int64_t> rows;
    auto next = std::lower_bound(asked.begin(), asked.end(), block.begin,
                                 [](const Asked& a, int64_t position) { return a.position < position; });
    for (; next != asked.end() && next->position < block.end; ++next) {
      rows.push_back(next->position - block.begin);
      part.place.push_back(next->place);
    }
    part.whole = static_cast<int64_t>(rows.size()) == block.end - block.begin;
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
                           network_.covariate_effect(levels, continuous(k, part.of(block.continuous)),
                                                     decoding_.composition);
    return {treated, part.of(block.library)};
  }

  /// `own`: what the values of the source cells add; those that the condition names replace them.
  Tensor continuous(std::size_t k, const Tensor& own) const {
    Tensor out = own;
    for (std::size_t v = 0; v < target_.n_continuous; ++v) {
      if (std::isnan(target_.continuous[k * target_.n_continuous + v])) continue;
      if (out.is_same(own)) out = own.clone();
      out.select(1, static_cast<int64_t>(v)).copy_(continuous_[static_cast<int64_t>(k)][static_cast<int64_t>(v)]);
    }
    return out;
  }

  const Network& network_;
  const CellSource& cells_;
  const Design& own_;
  const Design& target_;
  const Decoding& decoding_;
  at::Generator* draws_;  // of basal states of a variational encoder; null: their means
  FixedMlp decoder_;
  int64_t most_;          // cells of a block
  std::vector<int64_t> distinct_;  // cells, group by group
  std::vector<Group> groups_;
  std::vector<std::vector<Asked>> asked_;  // per condition, by position
  Batch target_batch_;
  Tensor effect_, continuous_;  // of the conditions
};

}  // namespace compert
