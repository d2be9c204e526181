// Waiting for what may never end.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace compert {

/// What a thread that attempts something and the one that waits for it tell each other.
class Attempt {
 public:
  /// What is waited for, and what is wrong where it takes too long.
  void now(const std::string& awaited, const std::string& trouble) {
    const std::lock_guard<std::mutex> lock(mutex_);
    awaited_ = awaited;
    trouble_ = trouble;
  }
  std::string awaited() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return awaited_;
  }
  std::string trouble() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return trouble_;
  }
  std::atomic<bool> given_up{false};

 private:
  mutable std::mutex mutex_;
  std::string awaited_, trouble_;
};

/// The result of `body`, from a thread of its own, or what it throws. `give_up` is asked again and again
/// and throws to end the waiting; the thread is left behind then, so `body` must own all that it uses.
template <class Body>
auto attempt(Body body, const std::function<void(const Attempt&)>& give_up) {
  const auto shared = std::make_shared<Attempt>();
  std::packaged_task<decltype(body(*shared))()> task(
      [shared, body = std::move(body)] { return body(*shared); });
  auto result = task.get_future();
  std::thread(std::move(task)).detach();
  while (result.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    try {
      give_up(*shared);
    } catch (...) {
      shared->given_up = true;
      throw;
    }
  }
  return result.get();
}

}  // namespace compert
