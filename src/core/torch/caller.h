// Computations on the caller's own thread: R's.
#pragma once
#include <ATen/Parallel.h>

#include "compert/device.h"
#include "compert/pause.h"
#include "held_signals.h"
#include "impl.h"

namespace compert {

/// While it lives, the thread computes without gradients, by as many threads as are asked for (0: every core),
/// and no handler of a signal runs in it. Then all is as it was: others count on the number of threads too.
class Caller {
 public:
  Caller(int64_t threads, const Pause& pause) : threads_(threads), pause_(pause) {}

  /// Signals may come now, and `pause` is called.
  void ask() const {
    if (!pause_) return;
    const AdmittedSignals admitted;
    pause_();
  }

 private:
  struct Threads {
    explicit Threads(int64_t n) { use_threads(n); }
    ~Threads() { set_threads(before_); }
    const int64_t before_ = at::get_num_threads();
  };

  const at::NoGradGuard no_grad_;
  const Threads threads_;
  const HeldSignals held_signals_;
  const Pause& pause_;
};

}  // namespace compert
