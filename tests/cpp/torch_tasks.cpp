// Tasks that threads share, and what they compute in predictions.
#include <ATen/Parallel.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "compert/device.h"
#include "torch/caller.h"
#include "torch/fixed_layers.h"
#include "torch/product.h"
#include "torch/tasks.h"
#include "torch_tensors.h"

namespace {

/// As many threads as the test asks for; those of before afterwards.
class Threads {
 public:
  explicit Threads(int64_t n) : before_(at::get_num_threads()) { compert::set_threads(n); }
  ~Threads() { compert::set_threads(before_); }

 private:
  int64_t before_;
};

}  // namespace

TEST_CASE("tasks are each done once, by threads of their own where there are enough", "[tasks]") {
  const Threads threads(3);
  for (const bool may_share : {false, true})
    for (const int64_t n : {0, 1, 5, 6, 100}) {
      CAPTURE(may_share, n);
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(n));
      std::atomic<int> alone{0}, with_gradients{0};
      compert::share_tasks(n, may_share, [&](int64_t i) {
        ++done[static_cast<std::size_t>(i)];
        alone += at::get_num_threads() == 1;
        with_gradients += at::GradMode::is_enabled();
      });
      for (const auto& times : done) CHECK(times == 1);
#ifdef _OPENMP
      const bool shared = may_share && n >= 6;
      CHECK(alone == (shared ? n : 0));
      CHECK(with_gradients == (shared ? 0 : n));
#endif
      CHECK(at::get_num_threads() == 3);
    }
}

TEST_CASE("a computation on the caller's thread leaves its number of threads as it was", "[tasks]") {
  const Threads threads(2);
  const compert::Pause none;
  {
    const compert::Caller caller(1, none);
    CHECK(at::get_num_threads() == 1);
    CHECK_FALSE(at::GradMode::is_enabled());
    caller.ask();
  }
  CHECK(at::get_num_threads() == 2);
  CHECK(at::GradMode::is_enabled());
  const char* before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before == nullptr ? "" : before;
  setenv("OMP_NUM_THREADS", "3", 1);
  {
    const compert::Caller caller(0, none);  // what the environment says, whatever was set
    CHECK(at::get_num_threads() == 3);
  }
  before == nullptr ? unsetenv("OMP_NUM_THREADS") : setenv("OMP_NUM_THREADS", kept.c_str(), 1);
  CHECK(at::get_num_threads() == 2);
}

TEST_CASE("an exception of a shared task comes once all have ended", "[tasks]") {
  const Threads threads(2);
  std::atomic<int> done{0};
  CHECK_THROWS_AS(compert::share_tasks(20, true,
                                       [&](int64_t i) {
                                         ++done;
                                         if (i == 3) throw std::runtime_error("task 3");
                                       }),
                  std::runtime_error);
  CHECK(done == 20);
  CHECK(at::get_num_threads() == 2);
}

TEST_CASE("threads multiply by one layer at the same time", "[tasks]") {
  at::NoGradGuard no_grad;
  const auto weight = drawn({130, 70}, at::kFloat, 1), bias = drawn({130}, at::kFloat, 2);
  const compert::FixedLayer layer(weight, bias);
  std::vector<at::Tensor> x, fixed(40), plain(40);
  for (uint64_t i = 0; i < 40; ++i)
    x.push_back(drawn({static_cast<int64_t>(i % 3) * 100 + 40, 70}, at::kFloat, i + 3));
  // What is prepared for three threads, for one of them alone and for two must not be mixed up.
  for (const int64_t n : {3, 1, 2, 3}) {
    const Threads threads(n);
    for (const bool may_share : {true, false}) {
      compert::share_tasks(40, may_share, [&](int64_t i) {
        const auto k = static_cast<std::size_t>(i);
        fixed[k] = layer(x[k]);
        plain[k] = compert::product(x[k], weight.t(), bias);
      });
      for (std::size_t k = 0; k < x.size(); ++k) {
        CAPTURE(n, may_share, k);
        const at::Tensor expected =
            at::linear(x[k].to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
        CHECK(distance(fixed[k], expected) < 3e-6);
        CHECK(distance(plain[k], expected) < 3e-6);
      }
    }
  }
}
