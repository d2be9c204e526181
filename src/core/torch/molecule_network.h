// A network over the molecular graph, trained with the model: atoms exchange messages along bonds
// (Gilmer et al. 2017, arXiv:1704.01212, in the form of GINE, Hu et al. 2020, arXiv:1905.12265).
//
//   h_v <- W_0 x_v
//   h_v <- h_v + relu(W_t (h_v + sum over bonds uv of relu(h_u + B_t e_uv)))     t = 1 .. depth
//   vector = W (mean over atoms of relu(h_v), log(1 + number of atoms))
#pragma once
#include <memory>
#include <vector>

#include "compert/chem.h"
#include "mlp.h"

namespace compert {

/// Graphs side by side: every bond in both directions.
struct PackedGraphs {
  Tensor atoms;                // atoms x kAtomFeatures
  Tensor source, target;       // bonds, places of atoms
  Tensor bonds;                // bonds x kBondFeatures
  Tensor molecule;             // atoms, the molecule of each
  Tensor size;                 // molecules x 1, atoms of each, at least 1
};
/// `which`: the graphs to pack, in that order.
PackedGraphs pack(const std::vector<MoleculeGraph>& graphs, const std::vector<int64_t>& which,
                  const at::TensorOptions& options);

class MoleculeNetwork {
 public:
  MoleculeNetwork(ParameterStore& store, Initialiser& init, int64_t width, int64_t depth, Group group);
  /// States of the atoms after the last message, atoms x width.
  Tensor atoms(const PackedGraphs& graphs) const;
  /// One vector per molecule, molecules x width.
  Tensor vectors(const PackedGraphs& graphs) const { return read_out(atoms(graphs), graphs); }
  Tensor read_out(const Tensor& atoms, const PackedGraphs& graphs) const;
  /// Beginning of the names of its parameters.
  static const char* prefix() { return "molecule_network."; }

 private:
  struct Linear {
    Parameter *weight, *bias;
    Tensor operator()(const Tensor& x) const { return at::linear(x, weight->value, bias->value); }
  };
  struct Step {
    Linear bond, atom;
  };
  Linear first_, last_;
  std::vector<Step> steps_;
};

}  // namespace compert
