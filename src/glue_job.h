/// Long computations outside R's thread. The worker touches no R object; R's thread waits in short
/// slices, asks for interrupts and hands queued progress to R.
#pragma once
#include <Rcpp.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <vector>

#ifndef _WIN32
#include <unistd.h>
#endif

#ifdef _OPENMP
#include <omp.h>
#endif

#include "compert/device.h"
#include "compert/error.h"
#include "compert/progress.h"

namespace compert_glue {

#ifndef _WIN32
inline const pid_t loaded_by = getpid();
#endif

/// A forked R process inherits LibTorch's thread pool without its threads: any parallel region
/// would wait for ever. Refuse instead.
inline void check_not_forked() {
#ifndef _WIN32
  if (getpid() != loaded_by && compert::device_info().threads > 1)
    throw compert::Error("", "compert can't compute in a forked process",
                         "This R process was forked from one that had loaded compert.",
                         "Use fresh processes: BiocParallel::SnowParam() or future::multisession");
#endif
}

/// What the worker sees: records go into a queue, the stop flag comes out.
class QueuedProgress final : public compert::Progress {
 public:
  void on_epoch(const compert::EpochRecord& record, int64_t last_epoch) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.emplace_back(record, last_epoch);
  }
  bool should_stop() override { return stop_.load(std::memory_order_relaxed); }
  void stop() { stop_.store(true, std::memory_order_relaxed); }
  std::vector<std::pair<compert::EpochRecord, int64_t>> drain() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(queue_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<compert::EpochRecord, int64_t>> queue_;
  std::atomic<bool> stop_{false};
};

/// Asks R whether Ctrl-C came: true. An error that is raised meanwhile, of a time limit that has passed
/// (setTimeLimit()), goes to `failed`.
inline bool interrupted(std::exception_ptr& failed) {
  Rcpp::Shield<SEXP> error(Rf_allocVector(VECSXP, 1));
  const auto check = [](void* out) {
    R_tryCatchError(
        [](void*) {
          R_CheckUserInterrupt();
          return R_NilValue;
        },
        nullptr, [](SEXP condition, void* to) { return SET_VECTOR_ELT(static_cast<SEXP>(to), 0, condition); }, out);
  };
  const bool came = R_ToplevelExec(check, static_cast<void*>(static_cast<SEXP>(error))) == FALSE;
  if (const SEXP condition = VECTOR_ELT(error, 0); condition != R_NilValue) {
    try {
      Rcpp::Function("stop")(condition);
    } catch (...) {
      failed = std::current_exception();
    }
  }
  return came;
}

/// Gives back the OpenMP threads that earlier calls on R's own thread have left waiting. The job has a
/// pool of its own; with more threads than cores in the two, libgomp puts waiting threads to sleep at
/// every barrier, which halves the speed of training.
inline void release_threads() {
#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 9
  omp_pause_resource_all(omp_pause_soft);
#endif
}

/// Shows an epoch on R's thread; false: Ctrl-C came meanwhile.
using Report = std::function<bool(const compert::EpochRecord&, int64_t)>;

/// Runs `work` on another thread until it ends; `report` gets each epoch. Ctrl-C asks the work to stop; an
/// error in `report` or of a time limit too, and is then thrown on.
template <class Result>
Result run_job(const std::function<Result(QueuedProgress&)>& work, const Report& report) {
  check_not_forked();
  release_threads();
  QueuedProgress progress;
  std::future<Result> job = std::async(std::launch::async, [&] { return work(progress); });
  std::exception_ptr failed;
  const auto hand_over = [&] {
    for (const auto& [record, last] : progress.drain()) {
      if (failed) continue;
      try {
        if (!report(record, last)) progress.stop();
      } catch (...) {
        failed = std::current_exception();
        progress.stop();
      }
    }
  };
  while (job.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (interrupted(failed) || failed) progress.stop();  // before any code of R, which would end with it
    hand_over();
  }
  hand_over();
  if (failed) {
    job.wait();
    std::rethrow_exception(failed);
  }
  return job.get();
}

}  // namespace compert_glue
