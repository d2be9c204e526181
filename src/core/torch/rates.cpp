// What this machine can do at most, for comparison with what training reaches.
#include "compert/rates.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "held_signals.h"
#include "impl.h"
#include "kernels.h"
#include "product.h"

namespace compert {
namespace {

constexpr int kFewest = 5;            // repetitions
constexpr double kLeastTime = 0.015;  // seconds, of all repetitions together

template <class Body>
double fastest(Body&& body) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  body();  // prepares
  double best = std::numeric_limits<double>::infinity(), sum = 0;
  for (int k = 0; k < kFewest || sum < kLeastTime; ++k) {
    const auto begin = Clock::now();
    body();
    const double took = seconds(Clock::now() - begin);
    best = std::min(best, took);
    sum += took;
  }
  return best;
}

}  // namespace

double layer_product_seconds(LayerProduct kind, int64_t rows, int64_t in, int64_t out,
                             int64_t threads) {
  if (rows < 1 || in < 1 || out < 1)
    throw Error("rows", "must be at least 1, as must the units",
                std::to_string(rows) + ", " + std::to_string(in) + ", " + std::to_string(out));
  return translate([&] {
    at::NoGradGuard no_grad;
    use_threads(threads);
    const HeldSignals held_signals;
    const Tensor input = at::rand({rows, in}), weight = at::rand({out, in}),
                 output = at::rand({rows, out}), bias = at::rand({out});
    return fastest([&] {
      if (kind == LayerProduct::kForward)
        product_into(output, input, weight.t(), bias);
      else if (kind == LayerProduct::kWeights)
        product_into(weight, output.t(), input, {}, true);
      else
        product_into(input, output, weight);
    });
  });
}

double memory_rate(int64_t threads) {
  return translate([&] {
    use_threads(threads);
    constexpr int64_t n = 8 << 20;
    // Adam's sweep reads four arrays and writes four.
    const Tensor value = at::ones({n}), grad = at::ones({n}), m = at::ones({n}), v = at::ones({n});
    const AdamStep step{1e-3, 0, 0.9, 0.999, 1, 1e-8};
    const double seconds = fastest([&] {
      adam_sweep(value.data_ptr<float>(), grad.data_ptr<float>(), m.data_ptr<float>(),
                 v.data_ptr<float>(), n, step);
    });
    return 8.0 * sizeof(float) * n / seconds;
  });
}

}  // namespace compert
