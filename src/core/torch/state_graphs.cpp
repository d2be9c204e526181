#include "state_graphs.h"

#include <cmath>

#include "compert/error.h"

namespace compert {

using hdf5::File;

void write_graphs(File& file, const std::vector<MoleculeGraph>& graphs) {
  if (graphs.empty()) return;
  std::vector<double> sizes, ends;
  std::vector<float> atoms, bonds;
  for (const auto& g : graphs) {
    sizes.push_back(static_cast<double>(g.n_atoms));
    sizes.push_back(static_cast<double>(g.begin.size()));
    atoms.insert(atoms.end(), g.atoms.begin(), g.atoms.end());
    bonds.insert(bonds.end(), g.bonds.begin(), g.bonds.end());
    for (std::size_t b = 0; b < g.begin.size(); ++b) {
      ends.push_back(g.begin[b]);
      ends.push_back(g.end[b]);
    }
  }
  file.create_group("graphs");
  file.write("graphs/sizes", sizes.data(), {graphs.size(), 2});
  file.write("graphs/atoms", atoms.data(), {atoms.size() / kAtomFeatures, kAtomFeatures});
  file.write("graphs/ends", ends.data(), {ends.size() / 2, 2});
  file.write("graphs/bonds", bonds.data(), {bonds.size() / kBondFeatures, kBondFeatures});
}

std::vector<MoleculeGraph> read_graphs(const File& file) {
  std::vector<MoleculeGraph> out;
  if (!file.exists("graphs")) return out;
  const auto sizes = file.read<double>("graphs/sizes"), ends = file.read<double>("graphs/ends");
  const auto atoms = file.read<float>("graphs/atoms"), bonds = file.read<float>("graphs/bonds");
  auto atom = atoms.begin(), bond = bonds.begin();
  auto end = ends.begin();
  const auto check = [](bool whole) {
    if (!whole)
      throw Error("file", "must be a whole fit saved by compert",
                  "Its graphs of molecules have other sizes than it says", "Is it truncated?");
  };
  const auto left = [](auto begin, const auto& of) { return static_cast<double>(of.end() - begin); };
  const auto is_size = [](double n) { return n >= 0 && n == std::floor(n); };
  check(sizes.size() % 2 == 0);
  for (std::size_t k = 0; k < sizes.size(); k += 2) {
    check(is_size(sizes[k]) && sizes[k] * kAtomFeatures <= left(atom, atoms) && is_size(sizes[k + 1]) &&
          sizes[k + 1] * 2 <= left(end, ends) && sizes[k + 1] * kBondFeatures <= left(bond, bonds));
    MoleculeGraph g;
    g.n_atoms = static_cast<int64_t>(sizes[k]);
    g.atoms.assign(atom, atom + g.n_atoms * kAtomFeatures);
    atom += g.n_atoms * kAtomFeatures;
    for (auto b = static_cast<int64_t>(sizes[k + 1]); b > 0; --b) {
      for (std::vector<int>* side : {&g.begin, &g.end}) {
        check(*end >= 0 && *end < sizes[k]);
        side->push_back(static_cast<int>(*end++));
      }
      g.bonds.insert(g.bonds.end(), bond, bond + kBondFeatures);
      bond += kBondFeatures;
    }
    out.push_back(std::move(g));
  }
  check(atom == atoms.end() && end == ends.end() && bond == bonds.end());
  return out;
}

}  // namespace compert
