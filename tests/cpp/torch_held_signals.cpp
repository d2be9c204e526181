// Handlers of signals and the threads of a computation.
#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <cstdint>

#include "torch/held_signals.h"
#include "torch/product.h"
#include "torch_tensors.h"

using compert::HeldSignals;

namespace {

/// A handler of a signal while one is alive.
class Handler {
 public:
  Handler(int signal, void (*handler)(int)) : signal_(signal) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, &before_);
  }
  ~Handler() { sigaction(signal_, &before_, nullptr); }

 private:
  int signal_;
  struct sigaction before_;
};

std::atomic<int> handled{0}, elsewhere{0};

void count(int) { ++handled; }

bool blocked(int signal) {
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, nullptr, &now);
  return sigismember(&now, signal) == 1;
}

/// Where this thread's stack is, as far as a frame of it has told.
thread_local std::uintptr_t stack = 0;

/// Counts frames of the handler that lie nowhere near the stack.
void look_at_frame(int) {
  char here = 0;
  const auto at = reinterpret_cast<std::uintptr_t>(&here);
  constexpr std::uintptr_t kNear = std::uintptr_t{64} << 20;
  ++handled;
  if (stack != 0 && (at > stack ? at - stack : stack - at) > kNear) ++elsewhere;
}

}  // namespace

TEST_CASE("signals that have a handler wait, in all threads of a computation", "[signals]") {
  const Handler handler(SIGUSR1, count);
  handled = 0;
  {
    const HeldSignals outer;
    { const HeldSignals inner; }
    raise(SIGUSR1);
    CHECK(handled == 0);
    std::atomic<int> open{0}, ended{0};
#pragma omp parallel
    {
      if (!blocked(SIGUSR1)) ++open;
      if (blocked(SIGVTALRM) || blocked(SIGSEGV)) ++ended;  // without one, and a fault
    }
    CHECK(open == 0);
    CHECK(ended == 0);
  }
  CHECK(handled == 1);
  CHECK_FALSE(blocked(SIGUSR1));
}

TEST_CASE("signals are let in for a moment", "[signals]") {
  const Handler handler(SIGUSR1, count);
  handled = 0;
  {
    const HeldSignals held;
    raise(SIGUSR1);
    {
      const compert::AdmittedSignals admitted;
      CHECK(handled == 1);
      { const HeldSignals within; }
      CHECK_FALSE(blocked(SIGUSR1));
    }
    CHECK(blocked(SIGUSR1));
    raise(SIGUSR1);
    CHECK(handled == 1);
  }
  CHECK(handled == 2);
  const compert::AdmittedSignals nothing;
  CHECK_FALSE(blocked(SIGUSR1));
}

TEST_CASE("threads that wait for work hold handlers that came later", "[signals]") {
  { const HeldSignals held; }
  const Handler handler(SIGUSR2, count);
  const HeldSignals held;
  std::atomic<int> open{0};
#pragma omp parallel
  if (!blocked(SIGUSR2)) ++open;
  CHECK(open == 0);
}

TEST_CASE("one thread of a region leaves the region as it came", "[signals]") {
  const Handler handler(SIGUSR1, count);
#pragma omp parallel num_threads(2)
  { const HeldSignals held; }
  CHECK_FALSE(blocked(SIGUSR1));
}

// oneDNN's kernels use the stack pointer for other things.
TEST_CASE("no handler runs within a product", "[signals]") {
  const auto tell_stack = [] {
    char here = 0;
    stack = reinterpret_cast<std::uintptr_t>(&here);
  };
  tell_stack();
#pragma omp parallel
  tell_stack();
  const at::Tensor a = at::rand({256, 400}), b = at::rand({256, 300}), weight = at::zeros({400, 300});
  const Handler handler(SIGPROF, look_at_frame);
  handled = elsewhere = 0;
  const itimerval often = {{0, 500}, {0, 500}}, never = {};
  setitimer(ITIMER_PROF, &often, nullptr);
  while (handled < 50) {
    compert::product_into(weight, a.t(), b, {}, true);
    compert::product(b, weight.t());
  }
  setitimer(ITIMER_PROF, &never, nullptr);
  CHECK(elsewhere == 0);
}
#endif
