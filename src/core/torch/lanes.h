// Independent pieces of a step side by side. What is too small to be shared by threads is left to one
// thread each, without barriers in between.
#pragma once
#include "../data/first_failure.h"
#include "product.h"

namespace compert {

/// body(k) for k in [0, n), each in one thread, and together where `side_by_side`. What a thread carries
/// goes with it: gradients on or off, reduced products. An exception is thrown once all have ended.
template <class Body>
void in_lanes(std::size_t n, bool side_by_side, Body&& body) {
  if (!side_by_side || n < 2) {
    for (std::size_t k = 0; k < n; ++k) body(k);
    return;
  }
  const bool differentiated = at::GradMode::is_enabled(), reduced = ReducedProducts::on();
  FirstFailure failure;
#pragma omp parallel for schedule(dynamic)
  for (std::size_t k = 0; k < n; ++k) {
    failure.keep([&] {
      const at::AutoGradMode gradients(differentiated);
      const ReducedProducts products(reduced);
      body(k);
    });
  }
  failure.rethrow();
}

}  // namespace compert
