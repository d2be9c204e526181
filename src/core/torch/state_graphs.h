// Graphs of molecules in the file of a fit.
#pragma once
#include <vector>

#include "../io/hdf5.h"
#include "compert/chem.h"

namespace compert {

/// As four arrays, in the group `graphs`; nothing without graphs.
void write_graphs(hdf5::File& file, const std::vector<MoleculeGraph>& graphs);
std::vector<MoleculeGraph> read_graphs(const hdf5::File& file);

}  // namespace compert
