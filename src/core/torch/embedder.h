// Embeddings of perturbations: a free table, or computed from what is known of them (features of a
// molecule, or its graph), or both, where only some of the perturbations have features.
#pragma once
#include <memory>

#include "compert/model.h"
#include "dosers.h"
#include "molecule_network.h"

namespace compert {

/// Of the embeddings' learning rate, in the autoencoder's.
inline double embeddings_factor(const Settings& s) {
  return s.embeddings_lr == s.autoencoder_lr ? 1 : s.embeddings_lr / s.autoencoder_lr;
}

class Embedder {
 public:
  /// `spread`: standard deviation of the free embeddings at the start.
  Embedder(const Architecture& architecture, const Settings& settings, ParameterStore& store,
           Initialiser& init, double spread, at::Device device);

  bool has_graphs() const { return network_ != nullptr; }
  /// What is known of the slots' perturbations, rows x slots x features: what encoder and dosers read.
  Tensor known(const Slots& slots) const;
  /// Embeddings of the slots' perturbations, rows x slots x dim, from what known() gave.
  Tensor embed(const Tensor& known, const Slots& slots, bool training) const;
  /// Embeddings of all perturbations, perturbations x dim.
  Tensor table(bool training) const;
  /// Columns of known().
  static int64_t n_inputs(const Architecture& architecture, const Settings& settings);

 private:
  /// What is known of some perturbations, codes x features.
  Tensor known_of(const Tensor& codes) const;
  Tensor encoded(const Tensor& known, const Tensor& codes, bool training) const;

  Parameter* free_ = nullptr;
  Buffer* features_ = nullptr;
  Buffer* has_features_ = nullptr;  // perturbations x 1; null where all have some
  std::vector<MoleculeGraph> graphs_;        // instead of features
  std::unique_ptr<MoleculeNetwork> network_;  // that reads them
  std::unique_ptr<Mlp> encoder_;
  int64_t n_;
  bool slot_by_slot_;  // theislab/chemCPA: batch norm sees the rows of one slot
  at::TensorOptions options_;
};

}  // namespace compert
