// Used by configure: RDKit reads one SMILES.
#include <GraphMol/GraphMol.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <RDGeneral/versions.h>

#include <cstdio>
#include <memory>

int main() {
  const std::unique_ptr<RDKit::ROMol> molecule(RDKit::SmilesToMol("CC(=O)Oc1ccccc1C(=O)O"));
  if (!molecule || molecule->getNumAtoms() != 13) return 4;
  std::printf("%s\n", RDKit::rdkitVersion);
  return 0;
}
