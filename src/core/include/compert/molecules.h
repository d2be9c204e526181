#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compert/arrays.h"
#include "compert/chem.h"
#include "compert/progress.h"

namespace compert {

/// How a message-passing network over molecular graphs is trained on molecules alone.
struct MoleculePretraining {
  int64_t width = 64, depth = 3;  ///< of the network, see `molecule_width` and `molecule_depth`
  int64_t epochs = 100, batch_size = 64;
  double lr = 1e-3, wd = 1e-6;
  double masked = 0.15;           ///< share of atoms whose features are hidden
  int64_t seed = 0, threads = 0;
};

struct PretrainedMolecules {
  NamedArrays weights;                      ///< of the network, under its names in a model
  std::vector<double> loss_atoms, loss_descriptors;  ///< per epoch
};

/// Self-supervised training: the network has to tell the element of atoms that are hidden from it
/// (cross entropy; Hu et al. 2020, arXiv:1905.12265) and, from a molecule's vector by one linear map,
/// its descriptors (squared error). `descriptors`: molecules x any number, on a common scale; may be
/// empty. `progress` gets each epoch, its reconstruction loss being the sum of both.
PretrainedMolecules pretrain_molecules(const std::vector<MoleculeGraph>& graphs,
                                       const Array& descriptors, const MoleculePretraining& how,
                                       Progress& progress);

/// What a TorchScript file's module gives for `features` (molecules x any number, single precision):
/// molecules x any number. Throws `Error` when it cannot be read, or gives something else.
Array apply_molecule_model(const std::string& path, const Array& features);

}  // namespace compert
