#include "held_signals.h"

#ifndef _WIN32
#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <iterator>

namespace compert {
namespace {

thread_local bool held = false;
thread_local sigset_t before;  // what was blocked then

constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

sigset_t with_handlers() {
  sigset_t out;
  sigemptyset(&out);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action;
    if (std::find(std::begin(kFaults), std::end(kFaults), signal) != std::end(kFaults) ||
        sigaction(signal, nullptr, &action) != 0)
      continue;
    const bool with_information = (action.sa_flags & SA_SIGINFO) != 0;
    if (with_information || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN))
      sigaddset(&out, signal);
  }
  return out;
}

#ifdef _OPENMP
bool in_region() { return omp_in_parallel() != 0; }
bool of_region() { return omp_get_thread_num() != 0; }  // and does nothing else
#else
bool in_region() { return false; }
bool of_region() { return false; }
#endif

}  // namespace

HeldSignals::HeldSignals() {
  if (held) return;
  outermost_ = held = true;
  const sigset_t signals = with_handlers();
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  if (in_region()) return;
  // Threads that wait for the next region; those that are started from now on inherit what is blocked.
#pragma omp parallel
  {
    held = true;
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  }
}

HeldSignals::~HeldSignals() {
  if (!outermost_ || of_region()) return;
  held = false;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AdmittedSignals::AdmittedSignals() {
  if (!held || of_region()) return;
  admits_ = true;
  held = false;
  pthread_sigmask(SIG_SETMASK, &before, &held_);
}

AdmittedSignals::~AdmittedSignals() {
  if (!admits_) return;
  held = true;
  pthread_sigmask(SIG_SETMASK, &held_, nullptr);
}

}  // namespace compert
#endif
