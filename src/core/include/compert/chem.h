#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "compert/arrays.h"
#include "compert/pause.h"

namespace compert {

/// Molecules as features, by RDKit. Where the package was built without RDKit every function here
/// but the first two throws an `Error` that says how to get it.

/// Was RDKit found when this was built?
bool has_rdkit();

/// RDKit's version as "2022.09.3"; empty without RDKit.
std::string rdkit_version();

/// Longer SMILES are refused: RDKit's time grows with the cube of the atoms, and nothing can
/// interrupt it within a molecule (1,000 atoms take seconds, 10,000 hours).
constexpr std::size_t kLongestSmiles = 2000;

/// What became of one SMILES: either `canonical` or `problem` is empty.
struct ParsedSmiles {
  std::string canonical;  ///< RDKit's canonical isomeric SMILES
  std::string problem;    ///< why it is no molecule, in one line without a full stop
};

/// Canonical SMILES, one result per entry. An entry is invalid when RDKit cannot read or sanitise
/// it, when it has no atoms or is too long, and when it holds anything but printable ASCII inside;
/// white space around it is ignored, and nothing may follow it (no names, no extensions). Nothing
/// is thrown for an invalid entry, and RDKit's own messages reach no stream.
///
/// `strip_salts` keeps the fragment with most heavy atoms, among equals the heaviest, and then the
/// one whose SMILES comes first; charges stay as they are. Hydrogen is no heavy atom.
std::vector<ParsedSmiles> canonical_smiles(const std::vector<std::string>& smiles,
                                           bool strip_salts = false,
                                           const Pause& pause = {});

/// Names of the columns of smiles_descriptors(), as in `rdkit.Chem.Descriptors.descList`.
std::vector<std::string> descriptor_names();

/// Two-dimensional descriptors, molecules x descriptor_names(). What is not finite, or what RDKit
/// cannot compute for a molecule (charges of atoms without parameters), is 0.
/// Throws `Error` for an invalid entry (also the next two functions); see canonical_smiles().
Array smiles_descriptors(const std::vector<std::string>& smiles, const Pause& pause = {});

/// Morgan fingerprints, folded to `n_bits` bits of 0 and 1: molecules x n_bits. Without chirality
/// and with bond orders, which is `GetMorganFingerprintAsBitVect(mol, radius, n_bits)` of Python.
/// Throws `Error` for a radius outside 0 to 20 and bits outside 1 to 2^20.
Array smiles_morgan(const std::vector<std::string>& smiles, int64_t radius = 2,
                    int64_t n_bits = 1024, const Pause& pause = {});

/// Widths of the blocks of a MoleculeGraph's features, in this order. All are one-hot or 0/1, and
/// a value beyond a block's range sets its last place.
constexpr int64_t kAtomElements = 12;       ///< C N O F P S Cl Br I B Si, other
constexpr int64_t kAtomDegrees = 6;         ///< bonds to heavy atoms: 0 to 5
constexpr int64_t kAtomCharges = 5;         ///< formal charge: -2 to 2
constexpr int64_t kAtomHybridisations = 4;  ///< sp, sp2, sp3, other
constexpr int64_t kAtomFlags = 2;           ///< aromatic, in a ring
constexpr int64_t kAtomHydrogens = 5;       ///< hydrogens, implicit ones too: 0 to 4
constexpr int64_t kAtomFeatures =
    kAtomElements + kAtomDegrees + kAtomCharges + kAtomHybridisations + kAtomFlags + kAtomHydrogens;
constexpr int64_t kBondOrders = 4;  ///< single, double, triple, aromatic; other orders set none
constexpr int64_t kBondFlags = 2;   ///< conjugated, in a ring
constexpr int64_t kBondFeatures = kBondOrders + kBondFlags;

/// A molecule for a message-passing network: atoms without hydrogens, each bond once.
struct MoleculeGraph {
  int64_t n_atoms = 0;
  std::vector<float> atoms;     ///< n_atoms x kAtomFeatures, row by row
  std::vector<int> begin, end;  ///< atoms of each bond, from 0
  std::vector<float> bonds;     ///< bonds x kBondFeatures, row by row
};

/// Graphs, one per entry; atoms in the order of the SMILES.
std::vector<MoleculeGraph> smiles_graphs(const std::vector<std::string>& smiles,
                                         const Pause& pause = {});

}  // namespace compert
