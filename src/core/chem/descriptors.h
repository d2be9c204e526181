/// Descriptors that RDKit has in Python only, from their definitions.
#pragma once
#include <vector>

#include "rdkit.h"

#ifdef COMPERT_HAVE_RDKIT

namespace compert {
namespace chem {

constexpr int kEStateVsa = 11;
constexpr int kVsaEState = 10;

/// Greatest and least electrotopological index (Kier and Hall 1990) of an atom, and of their
/// magnitudes.
std::vector<double> estate_extremes(const RDKit::ROMol& molecule);

/// Labute's surface areas, summed over atoms by ranges of their electrotopological index.
std::vector<double> estate_vsa(const RDKit::ROMol& molecule);

/// Electrotopological indices, summed over atoms by ranges of their surface area.
std::vector<double> vsa_estate(const RDKit::ROMol& molecule);

/// Balaban's index J, with bonds as long as one over their order.
double balaban_j(const RDKit::ROMol& molecule);

/// Connectivity indices (Kier and Hall) from plain degrees.
double chi0(const RDKit::ROMol& molecule);
double chi1(const RDKit::ROMol& molecule);

}  // namespace chem
}  // namespace compert

#endif
