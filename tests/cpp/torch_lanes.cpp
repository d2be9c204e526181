// Pieces of a step side by side: what goes with them, and what comes back.
#include <ATen/Parallel.h>

#include <thread>

#include "torch/kernels_detail.h"
#include "torch/lanes.h"

#undef CHECK  // glog's, which LibTorch may bring
#include "catch_compat.h"

TEST_CASE("lanes carry what their thread carries, and their errors come out", "[lanes]") {
  for (const bool side_by_side : {false, true}) {
    std::vector<int> differentiated(5), reduced(5);
    const auto look = [&](std::size_t k) {
      differentiated[k] = at::GradMode::is_enabled();
      reduced[k] = compert::ReducedProducts::on();
    };
    {
      const at::NoGradGuard no_grad;
      const compert::ReducedProducts products(true);
      compert::in_lanes(5, side_by_side, look);
    }
    CHECK(differentiated == std::vector<int>(5, 0));
    CHECK(reduced == std::vector<int>(5, 1));
    compert::in_lanes(5, side_by_side, look);
    CHECK(differentiated == std::vector<int>(5, 1));
    CHECK(reduced == std::vector<int>(5, 0));
    CHECK_THROWS_AS(compert::in_lanes(3, side_by_side,
                                      [](std::size_t k) {
                                        if (k == 1) throw compert::Error("x", "must not be 1");
                                      }),
                    compert::Error);
  }
}

TEST_CASE("the first lane is the caller's", "[lanes]") {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  int elsewhere = 0;
  std::vector<int> done(3);
  for (int i = 0; i < 300; ++i)
    compert::in_lanes(done.size(), true, [&, caller = std::this_thread::get_id()](std::size_t k) {
      ++done[k];
      if (k == 0) elsewhere += std::this_thread::get_id() != caller;
    });
  at::set_num_threads(before);
  CHECK(elsewhere == 0);
  CHECK(done == std::vector<int>(3, 300));
}

TEST_CASE("errors in sweeps come out", "[lanes]") {
  for (const int64_t parts : {1, 4})
    CHECK_THROWS_AS(compert::in_parallel(8, parts,
                                         [](int64_t, int64_t, int64_t end) {
                                           if (end == 8) throw compert::Error("x", "must not end");
                                         }),
                    compert::Error);
}

TEST_CASE("every lane may differentiate", "[lanes]") {
  std::vector<at::Tensor> leaves;
  for (int64_t k = 0; k < 4; ++k)
    leaves.push_back(at::full({3}, static_cast<double>(k), at::kDouble).set_requires_grad(true));
  compert::in_lanes(leaves.size(), true, [&](std::size_t k) {
    torch::autograd::backward({leaves[k].square().sum()});
  });
  for (const at::Tensor& leaf : leaves) CHECK(at::equal(leaf.grad(), leaf.detach() * 2));
}
