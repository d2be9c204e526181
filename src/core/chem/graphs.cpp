#include "rdkit.h"

#ifdef COMPERT_HAVE_RDKIT
#include <GraphMol/RingInfo.h>

#include <algorithm>
#include <array>
#endif

namespace compert {

#ifndef COMPERT_HAVE_RDKIT

std::vector<MoleculeGraph> smiles_graphs(const std::vector<std::string>&, const Pause&) {
  chem::refuse_without_rdkit();
}

#else

namespace {

using RDKit::Atom;
using RDKit::Bond;

constexpr std::array<int, kAtomElements - 1> kElements = {6, 7, 8, 9, 15, 16, 17, 35, 53, 5, 14};

/// Sets place `which` of the next `width` places, counted from 0 and held within them.
void one_hot(std::vector<float>& out, int64_t which, int64_t width) {
  const std::size_t start = out.size();
  out.resize(start + static_cast<std::size_t>(width), 0.0F);
  out[start + static_cast<std::size_t>(std::clamp<int64_t>(which, 0, width - 1))] = 1;
}

void flag(std::vector<float>& out, bool value) { out.push_back(value ? 1.0F : 0.0F); }

int64_t hybridisation(const Atom& atom) {
  switch (atom.getHybridization()) {
    case Atom::SP:
      return 0;
    case Atom::SP2:
      return 1;
    case Atom::SP3:
      return 2;
    default:
      return 3;
  }
}

void add_atom(const Atom& atom, bool in_ring, std::vector<float>& out) {
  const auto element = std::find(kElements.begin(), kElements.end(), atom.getAtomicNum());
  one_hot(out, element - kElements.begin(), kAtomElements);
  one_hot(out, atom.getDegree(), kAtomDegrees);
  one_hot(out, atom.getFormalCharge() + kAtomCharges / 2, kAtomCharges);
  one_hot(out, hybridisation(atom), kAtomHybridisations);
  flag(out, atom.getIsAromatic());
  flag(out, in_ring);
  one_hot(out, atom.getTotalNumHs(), kAtomHydrogens);
}

void add_bond(const Bond& bond, bool in_ring, std::vector<float>& out) {
  for (const auto order : {Bond::SINGLE, Bond::DOUBLE, Bond::TRIPLE, Bond::AROMATIC}) {
    flag(out, bond.getBondType() == order);
  }
  flag(out, bond.getIsConjugated());
  flag(out, in_ring);
}

MoleculeGraph graph_of(const RDKit::ROMol& molecule) {
  MoleculeGraph graph;
  const RDKit::RingInfo* rings = molecule.getRingInfo();
  graph.n_atoms = molecule.getNumAtoms();
  for (const auto* atom : molecule.atoms()) {
    add_atom(*atom, rings->numAtomRings(atom->getIdx()) > 0, graph.atoms);
  }
  for (const auto* bond : molecule.bonds()) {
    graph.begin.push_back(static_cast<int>(bond->getBeginAtomIdx()));
    graph.end.push_back(static_cast<int>(bond->getEndAtomIdx()));
    add_bond(*bond, rings->numBondRings(bond->getIdx()) > 0, graph.bonds);
  }
  return graph;
}

}  // namespace

std::vector<MoleculeGraph> smiles_graphs(const std::vector<std::string>& smiles,
                                         const Pause& pause) {
  std::vector<MoleculeGraph> out(smiles.size());
  chem::for_each_molecule(smiles, pause, [&](std::size_t row, const RDKit::ROMol& molecule) {
    out[row] = graph_of(molecule);
  });
  return out;
}

#endif

}  // namespace compert
