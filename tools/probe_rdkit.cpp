// Used by configure: RDKit reads a SMILES and computes what smiles_features() is made of.
#include <DataStructs/ExplicitBitVect.h>
#include <GraphMol/Descriptors/MolDescriptors.h>
#include <GraphMol/Fingerprints/MorganFingerprints.h>
#include <GraphMol/GraphMol.h>
#include <GraphMol/PartialCharges/GasteigerCharges.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <RDGeneral/versions.h>

#include <cstdio>
#include <memory>
#include <vector>

int main() {
  const std::unique_ptr<RDKit::ROMol> aspirin(RDKit::SmilesToMol("CC(=O)Oc1ccccc1C(=O)O"));
  if (!aspirin || aspirin->getNumAtoms() != 13) return 4;
  const double weight = RDKit::Descriptors::calcAMW(*aspirin);
  std::vector<double> charges(aspirin->getNumAtoms());
  RDKit::computeGasteigerCharges(*aspirin, charges);
  const std::unique_ptr<ExplicitBitVect> bits(
      RDKit::MorganFingerprints::getFingerprintAsBitVect(*aspirin, 2, 1024));
  if (weight < 180 || weight > 181 || charges[2] >= 0 || bits->getNumOnBits() < 10) return 5;
  std::printf("%s\n", RDKit::rdkitVersion);
  return 0;
}
