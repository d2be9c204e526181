#include "descriptors.h"

#ifdef COMPERT_HAVE_RDKIT
#include <GraphMol/Descriptors/MolDescriptors.h>
#include <GraphMol/Fingerprints/MorganFingerprints.h>
#include <GraphMol/PartialCharges/GasteigerCharges.h>
#include <GraphMol/PeriodicTable.h>

#include <algorithm>
#include <cmath>
#endif

namespace compert {

#ifndef COMPERT_HAVE_RDKIT

std::vector<std::string> descriptor_names() { chem::refuse_without_rdkit(); }
Array smiles_descriptors(const std::vector<std::string>&, const Pause&) {
  chem::refuse_without_rdkit();
}
Array smiles_morgan(const std::vector<std::string>&, int64_t, int64_t, const Pause&) {
  chem::refuse_without_rdkit();
}

#else

namespace {

using RDKit::ROMol;
using Values = std::vector<double>;
namespace rd = RDKit::Descriptors;

/// Descriptors that are computed together.
struct Block {
  std::vector<std::string> names;
  std::function<Values(const ROMol&)> compute;
};

Block one(const std::string& name, std::function<double(const ROMol&)> compute) {
  return {{name}, [compute](const ROMol& m) { return Values{compute(m)}; }};
}

Block numbered(const std::string& stem, int n, std::function<Values(const ROMol&)> compute) {
  Block block{{}, std::move(compute)};
  for (int k = 1; k <= n; ++k) block.names.push_back(stem + std::to_string(k));
  return block;
}

double valence_electrons(const ROMol& m) {
  double sum = 0;
  for (const auto* atom : m.atoms()) {
    sum += RDKit::PeriodicTable::getTable()->getNouterElecs(atom->getAtomicNum()) -
           atom->getFormalCharge() + static_cast<double>(atom->getTotalNumHs());
  }
  return sum;
}

double radical_electrons(const ROMol& m) {
  double sum = 0;
  for (const auto* atom : m.atoms()) sum += atom->getNumRadicalElectrons();
  return sum;
}

/// Greatest and least Gasteiger charge, and the same of their magnitudes.
Values partial_charges(const ROMol& m) {
  Values charges(m.getNumAtoms());
  RDKit::computeGasteigerCharges(m, charges);
  for (const double charge : charges) {
    if (!std::isfinite(charge)) return Values(4, 0.0);
  }
  const auto ends = std::minmax_element(charges.begin(), charges.end());
  const double low = *ends.first, high = *ends.second;
  return {high, low, std::max(std::fabs(high), std::fabs(low)),
          std::min(std::fabs(high), std::fabs(low))};
}

/// Distinct Morgan environments per heavy atom.
double morgan_density(const ROMol& m, unsigned radius) {
  const std::unique_ptr<RDKit::SparseIntVect<std::uint32_t> > print(
      RDKit::MorganFingerprints::getFingerprint(m, radius));
  return static_cast<double>(print->getNonzeroElements().size()) / m.getNumHeavyAtoms();
}

// With fewer arguments than the library's functions have, so that all have the same type.
#define COMPERT_OF(name, call) one(name, [](const ROMol& m) { return double(call); })

std::vector<Block> make_blocks() {
  return {
      COMPERT_OF("MolWt", rd::calcAMW(m)),
      COMPERT_OF("HeavyAtomMolWt", rd::calcAMW(m, true)),
      COMPERT_OF("ExactMolWt", rd::calcExactMW(m)),
      COMPERT_OF("NumValenceElectrons", valence_electrons(m)),
      COMPERT_OF("NumRadicalElectrons", radical_electrons(m)),
      {{"MaxPartialCharge", "MinPartialCharge", "MaxAbsPartialCharge", "MinAbsPartialCharge"},
       partial_charges},
      COMPERT_OF("FpDensityMorgan1", morgan_density(m, 1)),
      COMPERT_OF("FpDensityMorgan2", morgan_density(m, 2)),
      COMPERT_OF("FpDensityMorgan3", morgan_density(m, 3)),
      {{"MaxEStateIndex", "MinEStateIndex", "MaxAbsEStateIndex", "MinAbsEStateIndex"},
       chem::estate_extremes},
      COMPERT_OF("BalabanJ", chem::balaban_j(m)),
      COMPERT_OF("Chi0", chem::chi0(m)),
      COMPERT_OF("Chi1", chem::chi1(m)),
      COMPERT_OF("Chi0n", rd::calcChi0n(m)),
      COMPERT_OF("Chi0v", rd::calcChi0v(m)),
      COMPERT_OF("Chi1n", rd::calcChi1n(m)),
      COMPERT_OF("Chi1v", rd::calcChi1v(m)),
      COMPERT_OF("Chi2n", rd::calcChi2n(m)),
      COMPERT_OF("Chi2v", rd::calcChi2v(m)),
      COMPERT_OF("Chi3n", rd::calcChi3n(m)),
      COMPERT_OF("Chi3v", rd::calcChi3v(m)),
      COMPERT_OF("Chi4n", rd::calcChi4n(m)),
      COMPERT_OF("Chi4v", rd::calcChi4v(m)),
      COMPERT_OF("HallKierAlpha", rd::calcHallKierAlpha(m)),
      COMPERT_OF("Kappa1", rd::calcKappa1(m)),
      COMPERT_OF("Kappa2", rd::calcKappa2(m)),
      COMPERT_OF("Kappa3", rd::calcKappa3(m)),
      COMPERT_OF("LabuteASA", rd::calcLabuteASA(m)),
      numbered("PEOE_VSA", 14, [](const ROMol& m) { return rd::calcPEOE_VSA(m); }),
      numbered("SMR_VSA", 10, [](const ROMol& m) { return rd::calcSMR_VSA(m); }),
      numbered("SlogP_VSA", 12, [](const ROMol& m) { return rd::calcSlogP_VSA(m); }),
      COMPERT_OF("TPSA", rd::calcTPSA(m)),
      numbered("EState_VSA", chem::kEStateVsa, chem::estate_vsa),
      numbered("VSA_EState", chem::kVsaEState, chem::vsa_estate),
      COMPERT_OF("FractionCSP3", rd::calcFractionCSP3(m)),
      COMPERT_OF("HeavyAtomCount", m.getNumHeavyAtoms()),
      COMPERT_OF("NHOHCount", rd::calcLipinskiHBD(m)),
      COMPERT_OF("NOCount", rd::calcLipinskiHBA(m)),
      COMPERT_OF("NumAliphaticCarbocycles", rd::calcNumAliphaticCarbocycles(m)),
      COMPERT_OF("NumAliphaticHeterocycles", rd::calcNumAliphaticHeterocycles(m)),
      COMPERT_OF("NumAliphaticRings", rd::calcNumAliphaticRings(m)),
      COMPERT_OF("NumAromaticCarbocycles", rd::calcNumAromaticCarbocycles(m)),
      COMPERT_OF("NumAromaticHeterocycles", rd::calcNumAromaticHeterocycles(m)),
      COMPERT_OF("NumAromaticRings", rd::calcNumAromaticRings(m)),
      COMPERT_OF("NumHAcceptors", rd::calcNumHBA(m)),
      COMPERT_OF("NumHDonors", rd::calcNumHBD(m)),
      COMPERT_OF("NumHeteroatoms", rd::calcNumHeteroatoms(m)),
      COMPERT_OF("NumRotatableBonds", rd::calcNumRotatableBonds(m)),
      COMPERT_OF("NumSaturatedCarbocycles", rd::calcNumSaturatedCarbocycles(m)),
      COMPERT_OF("NumSaturatedHeterocycles", rd::calcNumSaturatedHeterocycles(m)),
      COMPERT_OF("NumSaturatedRings", rd::calcNumSaturatedRings(m)),
      COMPERT_OF("RingCount", rd::calcNumRings(m)),
      COMPERT_OF("MolLogP", rd::calcClogP(m)),
      COMPERT_OF("MolMR", rd::calcMR(m)),
  };
}

#undef COMPERT_OF

const std::vector<Block>& blocks() {
  static const std::vector<Block> all = make_blocks();
  return all;
}

/// A block that fails leaves its zeros: the other descriptors of the molecule still stand.
void fill(const Block& block, const ROMol& molecule, double* out) {
  try {
    const Values values = block.compute(molecule);
    const std::size_t n = std::min(values.size(), block.names.size());
    for (std::size_t k = 0; k < n; ++k) out[k] = std::isfinite(values[k]) ? values[k] : 0.0;
  } catch (...) {
  }
}

}  // namespace

std::vector<std::string> descriptor_names() {
  std::vector<std::string> out;
  for (const Block& block : blocks()) {
    out.insert(out.end(), block.names.begin(), block.names.end());
  }
  return out;
}

Array smiles_descriptors(const std::vector<std::string>& smiles, const Pause& pause) {
  const std::size_t width = descriptor_names().size();
  Array out{{static_cast<int64_t>(smiles.size()), static_cast<int64_t>(width)},
            Values(smiles.size() * width, 0.0)};
  chem::for_each_molecule(smiles, pause, [&](std::size_t row, const ROMol& molecule) {
    double* at = out.values.data() + row * width;
    for (const Block& block : blocks()) {
      fill(block, molecule, at);
      at += block.names.size();
    }
  });
  return out;
}

Array smiles_morgan(const std::vector<std::string>& smiles, int64_t radius, int64_t n_bits,
                    const Pause& pause) {
  const auto check = [](const char* name, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return;
    throw Error(name, "must be from " + std::to_string(least) + " to " + std::to_string(most),
                "It is " + std::to_string(value) + ".");
  };
  check("radius", radius, 0, 20);
  check("n_bits", n_bits, 1, int64_t{1} << 20);
  const std::size_t width = static_cast<std::size_t>(n_bits);
  Array out{{static_cast<int64_t>(smiles.size()), n_bits}, Values(smiles.size() * width, 0.0)};
  chem::for_each_molecule(smiles, pause, [&](std::size_t row, const ROMol& molecule) {
    const std::unique_ptr<ExplicitBitVect> print(RDKit::MorganFingerprints::getFingerprintAsBitVect(
        molecule, static_cast<unsigned>(radius), static_cast<unsigned>(n_bits)));
    std::vector<int> on;
    print->getOnBits(on);
    for (const int bit : on) out.values[row * width + static_cast<std::size_t>(bit)] = 1;
  });
  return out;
}

#endif

}  // namespace compert
