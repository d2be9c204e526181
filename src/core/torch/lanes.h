// Independent pieces of a step side by side. What is too small to be shared by threads is left to one
// thread each, without barriers in between.
#pragma once
#include "../data/first_failure.h"
#include "product.h"

namespace compert {

/// body(k) for k in [0, n), each in one thread, and together where `side_by_side`. The first one is always in the
/// caller's thread, which HDF5 may serve alone: see hdf5_serves_threads(). What a thread carries goes with it:
/// gradients on or off, reduced products. An exception is thrown once all have ended.
template <class Body>
void in_lanes(std::size_t n, bool side_by_side, Body&& body) {
  if (!side_by_side || n < 2) {
    for (std::size_t k = 0; k < n; ++k) body(k);
    return;
  }
  const bool differentiated = at::GradMode::is_enabled(), reduced = ReducedProducts::on();
  FirstFailure failure;
  const auto lane = [&](std::size_t k) {
    failure.keep([&] {
      const at::AutoGradMode gradients(differentiated);
      const ReducedProducts products(reduced);
      body(k);
    });
  };
#pragma omp parallel
  {
#pragma omp master
    lane(0);
#pragma omp for schedule(dynamic)
    for (std::size_t k = 1; k < n; ++k) lane(k);
  }
  failure.rethrow();
}

}  // namespace compert
