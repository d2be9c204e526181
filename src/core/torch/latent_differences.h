// Perturbations as differences of latent means (scGen, Lotfollahi et al. 2019,
// doi:10.1038/s41592-019-0494-8): nothing of them is trained, they are measured in the latent space
// of a variational autoencoder. Between the doses that were measured they are interpolated.
#pragma once
#include "compert/model.h"
#include "dosers.h"

namespace compert {

class LatentDifferences {
 public:
  LatentDifferences(const Architecture& architecture, ParameterStore& store, Initialiser& init,
                    int64_t dim);

  /// Sum of the differences of the slots, rows x dim. From dose 0 the difference grows in a straight
  /// line to that of the lowest dose, from dose to dose likewise, and stays beyond the highest. A
  /// perturbation without a measured dose has the mean of all the others at its dose.
  Tensor effect(const Slots& slots) const;

  /// Throws for training cells without controls, or without single perturbations, to measure differences of.
  void check(const Design& training) const;

  /// Measures them: `latent` of the training cells, cells x dim, and their design. Per dose the mean
  /// over sets of covariates of [mean of its cells - mean of their controls]; cells of combinations
  /// are left out, and sets without controls; where all sets of a perturbation are such, the controls of all
  /// covariates stand in.
  void measure(const Tensor& latent, const Design& design);

 private:
  /// Shares of the measured doses in perturbation `p` at dose `u`, added to `row` times `factor`.
  void add_shares(int32_t p, double u, double factor, double* row) const;

  int32_t control_;
  std::vector<std::vector<std::pair<double, int64_t>>> doses_;  // per perturbation, with their rows
  Buffer* vectors_;                                             // doses x dim
};

}  // namespace compert
