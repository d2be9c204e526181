// Self-supervised training of the network over molecular graphs.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "compert/molecules.h"
#include "held_signals.h"
#include "impl.h"
#include "molecule_network.h"
#include "../data/random.h"

namespace compert {
namespace {

struct Linear {
  Parameter *weight, *bias;
  Linear(ParameterStore& store, Initialiser& init, const std::string& name, int64_t in, int64_t out)
      : weight(store.add(name + ".weight", init.linear({out, in}, in), Group::kAutoencoder)),
        bias(store.add(name + ".bias", init.linear({out}, in), Group::kAutoencoder)) {}
  Tensor operator()(const Tensor& x) const { return at::linear(x, weight->value, bias->value); }
};

/// Places of about that share of the atoms, at least one.
Tensor hidden_atoms(int64_t n, double share, Random& random) {
  std::vector<int64_t> all = random.permutation(n);
  const auto count = std::max<int64_t>(1, std::llround(share * static_cast<double>(n)));
  all.resize(static_cast<std::size_t>(std::min(count, n)));
  return at::tensor(all, at::kLong);
}

void check(const std::vector<MoleculeGraph>& graphs, const Array& descriptors,
           const MoleculePretraining& how) {
  if (graphs.size() < 2)
    throw Error("smiles", "must hold at least two molecules", std::to_string(graphs.size()) + " given",
                "Give all molecules that you have; no expression is needed for them");
  if (!descriptors.values.empty() &&
      (descriptors.shape.size() != 2 || descriptors.shape[0] != static_cast<int64_t>(graphs.size())))
    throw Error("descriptors", "must have one row per molecule");
  if (how.width < 1 || how.depth < 1 || how.epochs < 1 || how.batch_size < 2)
    throw Error("epochs", "must be at least 1, as must width and depth, and batches have two molecules");
}

}  // namespace

PretrainedMolecules pretrain_molecules(const std::vector<MoleculeGraph>& graphs,
                                       const Array& descriptors, const MoleculePretraining& how,
                                       Progress& progress) {
  check(graphs, descriptors, how);
  return translate([&] {
    check_threads(how.threads);
    use_threads(how.threads);
    const HeldSignals held_signals;
    ParameterStore store;
    Initialiser init(how.seed, at::kFloat);
    const MoleculeNetwork network(store, init, how.width, how.depth, Group::kAutoencoder);
    const Linear element(store, init, "element", how.width, kAtomElements);
    const bool described = !descriptors.values.empty();
    const Linear read(store, init, "descriptors", how.width, described ? descriptors.shape[1] : 1);
    store.pack(at::kCPU, Use::kFit);
    Adam& adam = store.adam(Group::kAutoencoder);
    adam.lr = how.lr;
    adam.weight_decay = how.wd;
    const Tensor truth = described ? to_tensor(descriptors).to(at::kFloat) : Tensor();
    PretrainedMolecules out;
    for (int64_t epoch = 1; epoch <= how.epochs && !progress.should_stop(); ++epoch) {
      Random random(static_cast<uint64_t>(how.seed) * 0x100000001b3ULL + static_cast<uint64_t>(epoch));
      std::vector<int64_t> order = random.permutation(static_cast<int64_t>(graphs.size()));
      double atoms_sum = 0, descriptors_sum = 0, batches = 0;
      for (std::size_t begin = 0; begin + 1 < order.size(); begin += static_cast<std::size_t>(how.batch_size)) {
        const std::size_t end = std::min(order.size(), begin + static_cast<std::size_t>(how.batch_size));
        const std::vector<int64_t> which(order.begin() + static_cast<std::ptrdiff_t>(begin),
                                         order.begin() + static_cast<std::ptrdiff_t>(end));
        PackedGraphs packed = pack(graphs, which, at::TensorOptions(at::kFloat));
        const Tensor hidden = hidden_atoms(packed.atoms.size(0), how.masked, random);
        const Tensor label =
            packed.atoms.narrow(1, 0, kAtomElements).index_select(0, hidden).argmax(1);
        packed.atoms.index_fill_(0, hidden, 0);
        adam.zero_grad();
        const Tensor states = network.atoms(packed);
        Tensor total = at::cross_entropy_loss(element(states.index_select(0, hidden)), label);
        atoms_sum += total.item<double>();
        if (described) {
          const Tensor guess = read(network.read_out(states, packed));
          const Tensor loss =
              (guess - truth.index_select(0, at::tensor(which, at::kLong))).square().mean();
          descriptors_sum += loss.item<double>();
          total = total + loss;
        }
        torch::autograd::backward({total}, {}, {}, false, store.leaves(Group::kAutoencoder));
        store.begin_step({Group::kAutoencoder});
        adam.update();
        ++batches;
      }
      out.loss_atoms.push_back(atoms_sum / batches);
      out.loss_descriptors.push_back(described ? descriptors_sum / batches : 0);
      EpochRecord record;
      record.epoch = epoch;
      record.loss_reconstruction = (atoms_sum + descriptors_sum) / batches;
      progress.on_epoch(record, how.epochs);
      const bool loss = std::isfinite(record.loss_reconstruction);
      if (!loss || !store.is_finite())
        throw Error("lr", "must be a learning rate that the network bears",
                    (loss ? "A weight is not finite after epoch " : "The loss is not finite in epoch ") +
                        std::to_string(epoch),
                    "Try a tenth of it");
    }
    for (const auto& [name, array] : store.values())
      if (name.rfind(MoleculeNetwork::prefix(), 0) == 0) out.weights[name] = array;
    return out;
  });
}

}  // namespace compert
