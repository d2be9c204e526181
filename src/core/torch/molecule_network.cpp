#include "molecule_network.h"

#include <algorithm>

namespace compert {

PackedGraphs pack(const std::vector<MoleculeGraph>& graphs, const std::vector<int64_t>& which,
                  const at::TensorOptions& options) {
  std::vector<float> atoms, bonds, size;
  std::vector<int64_t> source, target, molecule;
  int64_t first = 0;
  for (std::size_t k = 0; k < which.size(); ++k) {
    const MoleculeGraph& g = graphs[static_cast<std::size_t>(which[k])];
    atoms.insert(atoms.end(), g.atoms.begin(), g.atoms.end());
    molecule.insert(molecule.end(), static_cast<std::size_t>(g.n_atoms), static_cast<int64_t>(k));
    size.push_back(static_cast<float>(std::max<int64_t>(1, g.n_atoms)));
    for (std::size_t b = 0; b < g.begin.size(); ++b) {
      const auto row = g.bonds.begin() + static_cast<std::ptrdiff_t>(b) * kBondFeatures;
      for (const bool back : {false, true}) {
        source.push_back(first + (back ? g.end[b] : g.begin[b]));
        target.push_back(first + (back ? g.begin[b] : g.end[b]));
        bonds.insert(bonds.end(), row, row + kBondFeatures);
      }
    }
    first += g.n_atoms;
  }
  const auto floats = [&](const std::vector<float>& v, int64_t columns) {
    return at::tensor(v, at::kFloat).view({-1, columns}).to(options);
  };
  const auto codes = [&](const std::vector<int64_t>& v) {
    return at::tensor(v, at::kLong).to(options.device());
  };
  return {floats(atoms, kAtomFeatures), codes(source),   codes(target),
          floats(bonds, kBondFeatures), codes(molecule), floats(size, 1)};
}

MoleculeNetwork::MoleculeNetwork(ParameterStore& store, Initialiser& init, int64_t width,
                                 int64_t depth, Group group) {
  const auto linear = [&](const std::string& name, int64_t in, int64_t out) {
    const std::string whole = prefix() + name;
    return Linear{store.add(whole + ".weight", init.linear({out, in}, in), group),
                  store.add(whole + ".bias", init.linear({out}, in), group)};
  };
  first_ = linear("first", kAtomFeatures, width);
  for (int64_t t = 0; t < depth; ++t) {
    const std::string step = "step." + std::to_string(t);
    const Linear bond = linear(step + ".bond", kBondFeatures, width);
    steps_.push_back({bond, linear(step + ".atom", width, width)});
  }
  last_ = linear("last", width + 1, width);
}

Tensor MoleculeNetwork::atoms(const PackedGraphs& g) const {
  Tensor h = first_(g.atoms);
  for (const Step& step : steps_) {
    const Tensor message = (h.index_select(0, g.source) + step.bond(g.bonds)).relu();
    const Tensor heard = at::zeros_like(h).index_add(0, g.target, message);
    h = h + step.atom(h + heard).relu();
  }
  return h;
}

Tensor MoleculeNetwork::read_out(const Tensor& atoms, const PackedGraphs& g) const {
  const Tensor sum =
      at::zeros({g.size.size(0), atoms.size(1)}, atoms.options().requires_grad(false))
          .index_add(0, g.molecule, atoms.relu());
  return last_(at::cat({sum / g.size, g.size.log1p()}, 1));
}

}  // namespace compert
