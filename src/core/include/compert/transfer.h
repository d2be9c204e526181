#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compert/model.h"

namespace compert {

/// What of a trained model corresponds to what of a new one. Every entry is an index into the trained
/// model, or -1 where it has no such thing.
struct Correspondence {
  /// Per gene of the new network (of its inner one, where it has layers for other genes).
  std::vector<int64_t> gene;
  /// Per gene of the new model, of the trained model's genes; empty: `gene`, or with layers for other genes
  /// in one of the two, none.
  std::vector<int64_t> own_gene;
  std::vector<int64_t> perturbation;           ///< per perturbation of the new model
  std::vector<int64_t> covariate;              ///< per covariate of the new model
  std::vector<std::vector<int64_t>> level;     ///< per covariate, per level
  std::vector<int64_t> continuous;             ///< per continuous covariate of the new model
};

/// What became of one parameter of the new model.
struct Transferred {
  std::string name;
  int64_t values = 0;  ///< how many it has
  int64_t kept = 0;    ///< how many of these are the trained model's
  bool frozen = false;
};

/// Takes the parameters and running statistics of `trained` over into `fresh`, which no step was made
/// with yet, by what they stand for. Adversaries start anew, as in theislab/chemCPA v2, and so does
/// whatever has no counterpart or another shape. Optimisers and counters are those of a new model;
/// its output is started at the means of the data only where nothing of it was kept.
///
/// Throws `Error` when the heads differ (counts and values do not share an output) or an index lies
/// outside the trained model.
std::vector<Transferred> transfer(const Model& trained, Model& fresh, const Correspondence& map);

/// The same fit, history and all, that knows further perturbations by their `features` (one row of
/// n_features each), or their graphs where it reads those. Predictions of the others stay the same
/// to the bit.
Model with_perturbations(const Model& trained, const std::vector<double>& features,
                         const std::vector<MoleculeGraph>& graphs = {});

/// The same fit, history and all, that knows `n` more levels of a covariate, each of which has the mean of the
/// vectors of the levels `mean_of`. All other predictions stay the same to the bit.
Model with_levels(const Model& trained, std::size_t covariate, int64_t n, const std::vector<int64_t>& mean_of);

}  // namespace compert
