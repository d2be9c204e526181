// Tasks that threads share as a whole: they wait for each other once per loop, not once per product. It
// is faster, and much faster where other programs use the machine too: then every wait may cost a time
// slice of the scheduler.
#pragma once
#include <ATen/Parallel.h>

#include <cstdint>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "../data/first_failure.h"
#include "torch_util.h"

namespace compert {

/// body(i) for i in [0, n). Each by one thread that computes alone, in any order and without gradients,
/// where there are enough of them for all threads; else one after another, each by all threads.
template <class Body>
void share_tasks(int64_t n, bool may_share, Body&& body) {
#ifdef _OPENMP
  const int threads = at::get_num_threads();
  if (may_share && threads > 1 && n >= 2 * threads && omp_in_parallel() == 0) {
    FirstFailure failure;
#pragma omp parallel num_threads(threads)
    {
      // LibTorch sets a thread's number when it is first asked; what follows must be the last word.
      at::get_num_threads();
      omp_set_num_threads(1);
      const at::NoGradGuard no_grad;
#pragma omp for schedule(dynamic)
      for (int64_t i = 0; i < n; ++i) failure.keep([&] { body(i); });
    }
    failure.rethrow();
    return;
  }
#endif
  for (int64_t i = 0; i < n; ++i) body(i);
}

}  // namespace compert
