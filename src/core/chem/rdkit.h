/// What the files of this folder share: molecules read with RDKit, and nothing of it let out.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compert/chem.h"
#include "compert/error.h"

#ifdef COMPERT_HAVE_RDKIT
#include <GraphMol/GraphMol.h>

#include <memory>
#endif

namespace compert {
namespace chem {

[[noreturn]] inline void refuse_without_rdkit() {
  throw Error("", "RDKit is needed to read SMILES", "It was not found when this package was built.",
              "Install RDKit (Debian: apt-get install librdkit-dev libboost-dev), then install "
              "the package again from its sources");
}

#ifdef COMPERT_HAVE_RDKIT

struct Reading {
  std::unique_ptr<RDKit::ROMol> molecule;  ///< empty when there is a problem
  std::string problem;
};

/// Never throws for what stands in `smiles`.
Reading read_smiles(const std::string& smiles);

/// Reads each entry and calls `use(row, molecule)`. An invalid entry, and whatever RDKit throws
/// from inside `use`, becomes an Error that names the entry.
void for_each_molecule(const std::vector<std::string>& smiles, const Pause& pause,
                       const std::function<void(std::size_t, const RDKit::ROMol&)>& use);

#endif

}  // namespace chem
}  // namespace compert
