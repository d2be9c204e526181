// Layers of predictions beside the same layers as LibTorch computes them.
#include <cmath>
#include <limits>

#include "torch/fixed_layers.h"
#include "torch/product.h"
#include "torch_tensors.h"

using at::Tensor;
using compert::FixedLayer;
using compert::FixedMlp;
using compert::Norm;

TEST_CASE("a fixed layer is a linear map for any number of rows", "[fixed]") {
  at::NoGradGuard no_grad;
  for (const auto type : {at::kFloat, at::kDouble})
    for (const int64_t in : {1, 16, 70})
      for (const int64_t out : {1, 3, 130}) {
        // Neither need be contiguous, and the layer keeps what it was made from.
        Tensor weight = drawn({in, out}, type, 1).t(), bias = drawn({2 * out}, type, 2).narrow(0, 1, out);
        const FixedLayer layer(weight, bias);
        const Tensor w = weight.to(at::kDouble).clone(), b = bias.to(at::kDouble).clone();
        const double tolerance = type == at::kFloat ? 2e-6 : 1e-14;
        for (const int64_t rows : {1, 2, 256, 37, 300, 37}) {
          CAPTURE(in, out, rows);
          const Tensor x = drawn({rows, in}, type, 3), expected = at::linear(x.to(at::kDouble), w, b);
          CHECK(distance(layer(x), expected) < tolerance);
          const Tensor wide = at::zeros({rows, out + 5}, type);
          layer.into(wide.narrow(1, 0, out), x);
          CHECK(distance(wide.narrow(1, 0, out), expected) < tolerance);
          CHECK(wide.narrow(1, out, 5).abs().max().item<double>() == 0);
          const Tensor columns = drawn({in, rows}, type, 4).t();
          CHECK(distance(layer(columns), at::linear(columns.to(at::kDouble), w, b)) < tolerance);
        }
        CHECK(layer(at::empty({0, in}, type)).size(0) == 0);
      }
}

TEST_CASE("a fixed network is the trained one", "[fixed]") {
  at::NoGradGuard no_grad;
  for (const Norm norm : {Norm::kBatch, Norm::kLayer, Norm::kNone})
    for (const bool skip : {false, true})
      for (const auto type : {at::kFloat, at::kDouble}) {
        CAPTURE(static_cast<int>(norm), skip);
        compert::ParameterStore store;
        compert::Initialiser init(3, type);
        const compert::Mlp mlp(store, init, "net", {{5, 20, 33, 4}, norm, 0.2, 1e-3, 0.1, skip},
                               compert::Group::kAutoencoder);
        store.pack(at::kCPU, compert::Use::kFit);
        uint64_t seed = 40;
        for (auto& p : store.parameters()) p.value.add_(drawn(p.value.sizes(), type, ++seed) * 0.2);
        for (const auto& [name, array] : store.values()) {
          if (name.find("running_var") != std::string::npos)
            store.set_values({{name, compert::to_array(drawn(array.shape, type, ++seed).abs() + 0.3)}}, false);
          if (name.find("running_mean") != std::string::npos)
            store.set_values({{name, compert::to_array(drawn(array.shape, type, ++seed))}}, false);
        }
        const FixedMlp fixed(mlp);
        const double tolerance = type == at::kFloat ? 5e-6 : 1e-13;
        for (const int64_t rows : {1, 40, 7}) {
          const Tensor x = drawn({rows, 5}, type, 5);
          CHECK(distance(fixed.before_last(x), mlp.before_last(x, false)) < tolerance);
        }
        Tensor bad = drawn({3, 5}, type, 6);
        bad[1][2] = std::numeric_limits<double>::quiet_NaN();
        const Tensor out = fixed.before_last(bad);
        CHECK(out[1].isnan().any().item<bool>());
        CHECK_FALSE(out[0].isnan().any().item<bool>());
      }
}
