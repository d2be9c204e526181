// Dose-response curves h_j(u) of the perturbations. All give 0 at dose 0, but for those of parities
// that do otherwise.
#pragma once
#include <memory>

#include "compert/settings.h"
#include "mlp.h"

namespace compert {

/// Distinct doses per perturbation.
struct DoseGrid {
  Tensor doses;                // perturbations x doses, padded with 0
  Tensor where;                // per slot, its place in the grid
  std::vector<int64_t> count;  // doses of every perturbation
};

/// Slots of a batch: which perturbation (0 where the slot is empty) at which dose (0 where empty).
struct Slots {
  Tensor perturbation;  // rows x slots, int64
  Tensor dose;          // rows x slots
  Tensor filled;        // rows x slots, 1 or 0
  DoseGrid grid;        // empty for dosers that do not read it
};

/// What a response may depend on beside the slots.
struct DoserContext {
  Tensor known;           // of the slots' perturbations, rows x slots x features
  bool training = false;  // batch norm: statistics of the batch
};

class Doser {
 public:
  virtual ~Doser() = default;
  /// What is best found in the processor's memory, of slots that are there: completes them.
  virtual void prepare(Slots&) const {}
  /// What the curve's parameters give for every slot, rows x slots, before sigmoid and mask (the
  /// reference's `doser_raw`).
  virtual Tensor raw(const Slots& slots, const DoserContext& context) const = 0;
  /// The response that this means; empty slots give 0.
  virtual Tensor respond(const Tensor& raw, const Slots& slots) const = 0;
  /// `n_inputs`: columns of the context's inputs.
  static std::unique_ptr<Doser> make(const Settings& settings, ParameterStore& store,
                                     Initialiser& init, int64_t n_perturbations, int64_t n_inputs);
  /// Of continuous covariates, whose values have any sign and respond at 0 as elsewhere.
  static std::unique_ptr<Doser> make_continuous(const Settings& settings, ParameterStore& store,
                                                Initialiser& init, int64_t n);
};

}  // namespace compert
