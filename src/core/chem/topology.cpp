#include "descriptors.h"

#ifdef COMPERT_HAVE_RDKIT

#include <GraphMol/Descriptors/MolSurf.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/PeriodicTable.h>

#include <algorithm>
#include <cmath>

namespace compert {
namespace chem {

namespace {

using RDKit::ROMol;
using Values = std::vector<double>;

/// Of the outer shell of an element.
int principal_quantum_number(int element) {
  int n = 1;
  for (const int last : {2, 10, 18, 36, 54, 86}) n += element > last;
  return n;
}

/// What an atom is by itself, before the others act on it; 0 for one without neighbours.
double intrinsic_state(const RDKit::Atom& atom) {
  if (atom.getDegree() == 0) return 0;
  const double shell = 2.0 / principal_quantum_number(atom.getAtomicNum());
  const double valence = RDKit::PeriodicTable::getTable()->getNouterElecs(atom.getAtomicNum()) -
                         static_cast<double>(atom.getTotalNumHs());
  return (shell * shell * valence + 1) / atom.getDegree();
}

/// Index of each atom: its intrinsic state, and the differences to all others it is connected to,
/// over the square of the number of atoms on the way.
Values estate_indices(const ROMol& molecule) {
  constexpr double kUnconnected = 1e6;
  const std::size_t n = molecule.getNumAtoms();
  Values intrinsic(n);
  for (const auto* atom : molecule.atoms()) intrinsic[atom->getIdx()] = intrinsic_state(*atom);
  const double* distance = RDKit::MolOps::getDistanceMat(molecule);
  Values out = intrinsic;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double atoms = distance[i * n + j] + 1;
      if (i != j && atoms < kUnconnected) {
        out[i] += (intrinsic[i] - intrinsic[j]) / (atoms * atoms);
      }
    }
  }
  return out;
}

Values surface_areas(const ROMol& molecule) {
  Values out(molecule.getNumAtoms());
  double hydrogens = 0;
  RDKit::Descriptors::getLabuteAtomContribs(molecule, out, hydrogens);
  return out;
}

/// Sums of `summed` over the ranges of `by` that `edges` bound; an edge belongs to the range above.
Values binned(const Values& by, const Values& summed, const Values& edges) {
  Values out(edges.size() + 1, 0.0);
  for (std::size_t k = 0; k < by.size(); ++k) {
    const auto range = std::upper_bound(edges.begin(), edges.end(), by[k]) - edges.begin();
    out[static_cast<std::size_t>(range)] += summed[k];
  }
  return out;
}

}  // namespace

std::vector<double> estate_extremes(const ROMol& molecule) {
  const Values index = estate_indices(molecule);
  Values size;
  for (const double value : index) size.push_back(std::fabs(value));
  const auto signed_ends = std::minmax_element(index.begin(), index.end());
  const auto ends = std::minmax_element(size.begin(), size.end());
  return {*signed_ends.second, *signed_ends.first, *ends.second, *ends.first};
}

// The ranges are those of rdkit/Chem/EState/EState_VSA.py.
std::vector<double> estate_vsa(const ROMol& molecule) {
  return binned(estate_indices(molecule), surface_areas(molecule),
                {-0.39, 0.29, 0.717, 1.165, 1.54, 1.807, 2.05, 4.69, 9.17, 15.0});
}

std::vector<double> vsa_estate(const ROMol& molecule) {
  return binned(surface_areas(molecule), estate_indices(molecule),
                {4.78, 5.00, 5.41, 5.74, 6.00, 6.07, 6.45, 7.00, 11.0});
}

double balaban_j(const ROMol& molecule) {
  const std::size_t n = molecule.getNumAtoms();
  const double* distance = RDKit::MolOps::getDistanceMat(molecule, true, false, true);
  Values total(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) total[i] += distance[i * n + j];
  }
  double sum = 0;
  for (const auto* bond : molecule.bonds()) {
    sum += 1 / std::sqrt(total[bond->getBeginAtomIdx()] * total[bond->getEndAtomIdx()]);
  }
  const double bonds = molecule.getNumBonds();
  const double cycles = bonds - static_cast<double>(n) + 1;
  return cycles + 1 == 0 ? 0 : bonds / (cycles + 1) * sum;
}

double chi0(const ROMol& molecule) {
  double sum = 0;
  for (const auto* atom : molecule.atoms()) {
    if (atom->getDegree() > 0) sum += 1 / std::sqrt(atom->getDegree());
  }
  return sum;
}

double chi1(const ROMol& molecule) {
  double sum = 0;
  for (const auto* bond : molecule.bonds()) {
    sum += 1 / std::sqrt(bond->getBeginAtom()->getDegree() * bond->getEndAtom()->getDegree());
  }
  return sum;
}

}  // namespace chem
}  // namespace compert

#endif
