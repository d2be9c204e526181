// Exceptions in parallel loops, which they must not leave.
#pragma once
#include <exception>
#include <mutex>

namespace compert {

/// Keeps the first exception of a loop, to be thrown once all of its threads have ended.
class FirstFailure {
 public:
  template <class Body>
  void keep(Body&& body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!first_) first_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

}  // namespace compert
