// The processes that train one model together. c10d's headers, which cost many seconds of compiling,
// stay in group.cpp.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "torch_util.h"

namespace compert {

/// All processes call all but the plain questions, in the same order. Each call throws `Error` when
/// another process is lost or does not answer in time; `lost()` then tells why.
class ProcessGroup {
 public:
  /// The group that the environment names as torchrun and SLURM do (place.h), once all of it is
  /// there; null when it has one process. `stop` ends the waiting.
  static std::unique_ptr<ProcessGroup> join(const std::function<bool()>& stop);
  ~ProcessGroup();

  int64_t rank() const;
  int64_t size() const;
  const std::string& lost() const;

  /// The rows [begin, end) of n that are one process' share; shares follow each other.
  struct Rows {
    int64_t begin, end;
    int64_t count() const { return end - begin; }
  };
  Rows rows(int64_t n, int64_t rank) const;
  Rows own_rows(int64_t n) const { return rows(n, rank()); }

  /// Replaces a contiguous tensor by its sum over the processes, which is equal to the bit in all.
  void sum(Tensor t) const;
  /// The n rows of which every process gives its share.
  Tensor gather(const Tensor& own, int64_t n) const;
  /// Replaces a contiguous tensor by that of one process.
  void broadcast(Tensor t, int64_t from = 0) const;
  void broadcast(void* data, std::size_t bytes, int64_t from = 0) const;
  std::string broadcast(std::string text, int64_t from = 0) const;
  /// Of the numbers that the processes give.
  int64_t largest(int64_t here) const;
  /// Whether it is true in any process.
  bool any(bool here) const { return largest(here ? 1 : 0) > 0; }
  void wait_for_all() const;
  /// Runs `body` in the first process, on a thread of its own; the others wait for as long as it takes.
  void in_first(const std::function<void()>& body) const;

 private:
  struct Impl;
  explicit ProcessGroup(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace compert
