// Dose-response curves h_j(u) of the perturbations. All give 0 at dose 0.
#pragma once
#include <memory>

#include "mlp.h"

namespace compert {

/// Slots of a batch: which perturbation (0 where the slot is empty) at which dose (0 where empty).
struct Slots {
  Tensor perturbation;  // rows x slots, int64
  Tensor dose;          // rows x slots
  Tensor filled;        // rows x slots, 1 or 0
};

class Doser {
 public:
  virtual ~Doser() = default;
  /// Response of every slot, rows x slots; empty slots give 0.
  virtual Tensor respond(const Slots& slots) const = 0;
  /// The response before the sigmoid and the mask (the reference's `doser_raw`).
  virtual Tensor raw(const Slots& slots) const = 0;
  static std::unique_ptr<Doser> make(const std::string& type, ParameterStore& store,
                                     Initialiser& init, int64_t n_perturbations, int64_t width,
                                     int64_t depth);
};

}  // namespace compert
