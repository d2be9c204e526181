// Counterfactual mean matching: swapping a cell's perturbation must change its decoded mean as the
// means of the training conditions differ.
//
// Each cell i of a batch is decoded a second time under another training condition t(i) of its
// covariates (a condition has its bin of the continuous covariates too, at whose mean it is decoded). For
// the cells k that get the same condition t within the same covariates s,
//
//   e_k = mean over i in k of [ decoded(i, t) - decoded(i, own) ]
//         - ( mu[s, t] - mean over i in k of mu[s, own(i)] )
//   loss = sum_k w_k n_k mean_genes( weight * e_k^2 ) / sum_k w_k n_k
//
// with mu the means of the training cells of a condition and weight the inverse of a gene's
// variance. Means of few cells are noise: they are shrunk, and w_k = 1 / (1 + 100 / n) for a difference
// whose conditions have n cells (as a harmonic mean). That can be turned off. A first-moment case of
// matching counterfactual and observed distributions (compare the MMD of trVAE, Lotfollahi et al. 2020,
// doi:10.1093/bioinformatics/btaa800, and counterfactual matching of TARNet, Shalit et al. 2017).
// For counts mu is the logarithm of the mean of cells brought to one library size, decoded() the
// logit, and e_k loses its weighted mean over genes, which the softmax does not see.
#pragma once
#include <vector>

#include "network.h"
#include "../data/random.h"

namespace compert {

class EffectMatching {
 public:
  /// What was observed of a draw's groups.
  struct Truth {
    Tensor genes, known;  // groups x genes: observed difference; groups x 1: 1 where it was measured
    Tensor proteins, proteins_known;  // the same of proteins; undefined without them
  };
  /// Targets of one batch.
  struct Draw {
    Slots slots, continuous;  // per cell, the other condition
    Tensor average;   // groups x cells: rows average over the group's cells
    Tensor target, own, mixture;  // groups; the cells' own groups; groups x those: their shares
    Tensor size;      // groups x 1: cells, times what their differences weigh
    bool any = false;
    Truth truth;         // on a processor; a device finds it with the loss
    Tensor memory;       // the device's, of these
    Upload upload;
  };

  /// `targets`: conditions drawn per stratum. `shrinkage`: see shrunken_means(), and differences weigh by
  /// the cells that they come from.
  EffectMatching(const Network& network, const CellSource& cells, const Design& design,
                 const std::vector<int64_t>& train, int64_t targets, bool shrinkage);
  void draw(const int64_t* which, std::size_t n, Random& random, Draw& out) const;
  /// Takes a draw to the device, where it is not there yet.
  void send(Draw& draw) const { draw.upload.send(network_.options().device(), draw.memory); }
  /// `difference`: last hidden states under the other condition minus those under the own one.
  /// `protein_difference`: of decoded proteins' means (counts as log(1 + mean)).
  /// `group`: processes that all compute this and sum the gradients of the output weight; or null.
  Tensor loss(const Tensor& difference, const Tensor& protein_difference, const Draw& draw,
              const ProcessGroup* group) const;

 private:
  const Network& network_;
  int64_t targets_;
  bool shrinkage_;
  std::vector<int32_t> group_;                   // per cell: its stratum and condition; -1: none
  std::vector<int32_t> stratum_of_;              // per group
  std::vector<std::vector<int32_t>> in_stratum_; // groups of each stratum
  Design conditions_;  // one row per group; continuous covariates have their means
  std::vector<double> inverse_size_;             // per group: one over its training cells
  Truth truth_of(const Draw& draw) const;
  /// Of one modality: groups x rows; rows; groups x 1, 1 where no cell of the group has it.
  struct Observed {
    Tensor mean, weight, unknown;
  };
  Observed observe(const CellSource& cells, const Design& design, const std::vector<int64_t>& train,
                   uint8_t modality) const;
  Observed genes_, proteins_;
};

/// Cells brought to one total of their first `n_genes` rows, `goal`; other rows stay as they are.
class NormalisedCells final : public CellSource {
 public:
  NormalisedCells(const CellSource& cells, double goal, int64_t n_genes)
      : cells_(cells), goal_(goal), n_genes_(static_cast<int32_t>(n_genes)) {}
  std::size_t n_cells() const override { return cells_.n_cells(); }
  std::size_t n_genes() const override { return cells_.n_genes(); }
  double density() const override { return cells_.density(); }
  std::size_t block() const override { return cells_.block(); }
  void fetch(const int64_t* cells, std::size_t n, CellBatch& out) const override;

 private:
  const CellSource& cells_;
  double goal_;
  int32_t n_genes_;
};

/// The cells of a list in which a modality (kRna, kProteins) was measured.
std::vector<int64_t> measured_in(const std::vector<int64_t>& cells, const Design& design,
                                 uint8_t modality);

}  // namespace compert
