// Signals and the products of oneDNN.
//
// Some of its kernels (jit_avx512_common_gemm_f32 and its like) let the stack pointer of their thread point into
// a workspace on the heap. A handler that runs in such a thread then writes its frame over what lies before the
// workspace: other matrices, or what malloc() knows of them.
#pragma once

#ifndef _WIN32
#include <signal.h>
#endif

namespace compert {

/// While one is alive no handler of a signal runs in this thread, nor in those of its parallel regions of as many
/// threads as are set (set them first): another thread of the process takes the signal, or it waits. Signals
/// without a handler act as ever, and so do those of faults. One within another does nothing.
class HeldSignals {
 public:
#ifdef _WIN32
  HeldSignals() {}
#else
  HeldSignals();
  ~HeldSignals();
#endif
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

#ifndef _WIN32
 private:
  bool outermost_ = false;
#endif
};

/// Lets in what HeldSignals keeps out of this thread, for a moment between products.
class AdmittedSignals {
 public:
#ifdef _WIN32
  AdmittedSignals() {}
#else
  AdmittedSignals();
  ~AdmittedSignals();
#endif
  AdmittedSignals(const AdmittedSignals&) = delete;
  AdmittedSignals& operator=(const AdmittedSignals&) = delete;

#ifndef _WIN32
 private:
  bool admits_ = false;
  sigset_t held_;
#endif
};

}  // namespace compert
