// One batch of everything, with recorded randomness: what the Inspector looks at.
#pragma once
#include <numeric>

#include "compert/inspect.h"
#include "impl.h"

namespace compert {

inline Batch whole_batch(const Network& network, const CellSource& cells, const Design& design,
                  const Inspector::Recorded& recorded) {
  std::vector<int64_t> all(cells.n_cells());
  std::iota(all.begin(), all.end(), 0);
  Batch batch;
  network.load(cells, all.data(), all.size(), design, batch);
  if (!recorded.partner.empty()) {
    network.mix(batch, recorded.mix_share, recorded.partner);
    network.prepare(batch);
  }
  for (const Array& draws : recorded.noise)
    batch.noise.push_back(draws.values.empty() ? Tensor() : to_tensor(draws).to(network.options()));
  return batch;
}

/// Slots as facebookresearch/CPA has them: one per perturbation, in order, absent ones at dose 0.
inline Slots every_perturbation(const Design& design, const Network& network) {
  Design full = design.one_hot(network.architecture().n_perturbations);
  full.n_covariates = 0;
  full.covariate.clear();
  full.condition.clear();
  Batch batch;
  network.load_design(full, batch);
  return batch.slots;
}

/// The doses of all perturbations, rows x perturbations, on the model's device.
inline Slots every_dose(const Tensor& dose, const Network& network) {
  Slots host{at::arange(dose.size(1), at::kLong).expand_as(dose).contiguous(),
             dose.to(network.options().device(at::kCPU)), {}, {}};
  host.filled = at::ones_like(host.dose);
  Slots out;
  network.send(host, out);
  return out;
}

}  // namespace compert
