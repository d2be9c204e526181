// Products of matrices in every layout, and the networks whose derivatives are written out beside
// the same networks differentiated by autograd.
#include <cmath>
#include <limits>

#include "torch/dosers.h"
#include "torch/mlp.h"
#include "torch/product.h"
#include "torch_tensors.h"

namespace {

using at::Tensor;
using compert::Mlp;

/// A network, and the same one as plain operations on copies of its parameters.
struct Twin {
  compert::ParameterStore store;
  std::unique_ptr<Mlp> mlp;
  std::vector<Tensor> leaves;  // weight, bias, scale, offset by layer
  compert::MlpShape shape;

  Twin(compert::MlpShape given, bool first_by_gene = false) : shape(std::move(given)) {
    compert::Initialiser init(3, at::kDouble);
    mlp = std::make_unique<Mlp>(store, init, "net", shape, compert::Group::kAutoencoder,
                                first_by_gene);
    store.pack(at::kCPU, compert::Use::kFit);
    uint64_t seed = 40;
    for (auto& p : store.parameters()) {
      at::NoGradGuard no_grad;
      p.value.add_(drawn(p.value.sizes(), at::kDouble, ++seed) * 0.2);
      leaves.push_back(p.value.detach().clone().set_requires_grad(true));
    }
  }

  Tensor composed(const Tensor& x, bool after_first, bool before_last, compert::Noise* noise) const {
    const std::size_t hidden = shape.sizes.size() - 2;
    Tensor h = x;
    for (std::size_t i = 0; i <= hidden; ++i) {
      const Tensor* p = &leaves[4 * i];
      if (shape.skip && i == hidden) h = at::cat({h, x}, 1);
      if (i == hidden && before_last) return h;
      if (i > 0 || !after_first) h = at::linear(h, p[0], p[1]);
      if (i == hidden) break;
      const Tensor mean = h.mean(0), centred = h - mean;
      h = (centred / (centred.square().mean(0) + shape.epsilon).sqrt() * p[2] + p[3]).relu();
      if (shape.dropout > 0)
        h = h * noise->dropout(h.sizes(), h.options(), shape.dropout);
    }
    return h;
  }

  /// Largest distance of the derivatives of `store` from those of the copies.
  double gradient_distance() {
    double most = 0;
    std::size_t k = 0;
    for (auto& p : store.parameters()) {
      const Tensor& of_copy = leaves[k++].grad();
      // A bias before a batch norm changes nothing; autograd finds rounding errors there.
      const Tensor expected = of_copy.defined() ? of_copy : at::zeros_like(p.value);
      const double scale = std::max(1e-3, expected.abs().max().item<double>());
      most = std::max(most, ((p.value.grad() - expected).abs().max() / scale).item<double>());
    }
    return most;
  }
};

}  // namespace

TEST_CASE("products are products in every layout", "[products]") {
  for (const auto type : {at::kFloat, at::kDouble})
    for (const int64_t m : {1, 2, 37})
      for (const int64_t k : {1, 5, 64})
        for (const int64_t n : {1, 3, 70}) {
          const Tensor a = drawn({m, k}, type, 1), b = drawn({k, n}, type, 2),
                       bias = drawn({n}, type, 3);
          const Tensor by_columns_a = a.t().contiguous().t(), by_columns_b = b.t().contiguous().t();
          const Tensor wide = drawn({m, 2 * k + 1}, type, 4), part = wide.narrow(1, 1, k);
          const Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
          const double tolerance = type == at::kFloat ? 2e-6 : 1e-14;
          for (const Tensor& left : {a, by_columns_a})
            for (const Tensor& right : {b, by_columns_b}) {
              CHECK(distance(compert::product(left, right), exact) < tolerance);
              CHECK(distance(compert::product(left, right, bias), exact + bias) < tolerance);
              const Tensor onto = at::ones({m, n}, type);
              compert::product_into(onto, left, right, {}, true);
              CHECK(distance(onto, exact + 1) < tolerance);
              const Tensor around = at::zeros({m, n + 3}, type), within = around.narrow(1, 2, n);
              compert::product_into(within, left, right, bias);
              CHECK(distance(within, exact + bias) < tolerance);
              compert::product_into(within, left, right, {}, true);
              CHECK(distance(within, exact * 2 + bias) < tolerance);
              CHECK(around.narrow(1, 0, 2).abs().max().item<double>() == 0);
              CHECK(around.narrow(1, n + 2, 1).abs().max().item<double>() == 0);
            }
          CHECK(distance(compert::product(part, b),
                         at::mm(part.to(at::kDouble), b.to(at::kDouble))) < tolerance);
        }
  CHECK(compert::product(at::ones({0, 3}), at::ones({3, 2})).sizes() == at::IntArrayRef({0, 2}));
}

TEST_CASE("reduced products round what they multiply, and nothing else", "[products]") {
  if (!compert::product_library().no_bfloat16.empty()) {
    WARN("skipped: " + compert::product_library().no_bfloat16);
    return;
  }
  const Tensor a = drawn({40, 130}, at::kFloat, 1), b = drawn({130, 50}, at::kFloat, 2);
  const auto rounded = [](const Tensor& t) { return t.to(at::kBFloat16).to(at::kDouble); };
  const Tensor exact = at::mm(rounded(a), rounded(b));
  {
    const compert::ReducedProducts reduced(true);
    for (const Tensor& left : {a, a.t().contiguous().t()})
      for (const Tensor& right : {b, b.t().contiguous().t()})
        CHECK(distance(compert::product(left, right), exact) < 1e-5);
    const Tensor wide = drawn({40, 300}, at::kFloat, 5), part = wide.narrow(1, 7, 130);
    CHECK(distance(compert::product(part, b), at::mm(rounded(part), rounded(b))) < 1e-5);
    // Double precision stays as it is.
    CHECK(distance(compert::product(a.to(at::kDouble), b.to(at::kDouble)),
                   at::mm(a.to(at::kDouble), b.to(at::kDouble))) < 1e-14);
    const Tensor bad = a.clone();
    bad[0][0] = std::numeric_limits<float>::quiet_NaN();
    bad[1][0] = std::numeric_limits<float>::infinity();
    const Tensor out = compert::product(bad, b);
    CHECK(std::isnan(out[0][0].item<float>()));
    CHECK(std::isinf(out[1][0].item<float>()));
  }
  CHECK(distance(compert::product(a, b), at::mm(a.to(at::kDouble), b.to(at::kDouble))) < 1e-5);
}

TEST_CASE("linear() has the derivatives of a linear map", "[products]") {
  const Tensor x = drawn({9, 4}, at::kDouble, 1).set_requires_grad(true),
               w = drawn({3, 4}, at::kDouble, 2).set_requires_grad(true),
               b = drawn({3}, at::kDouble, 3).set_requires_grad(true),
               u = drawn({9, 3}, at::kDouble, 4);
  const auto mine = torch::autograd::grad({(compert::linear(x, w, b) * u).sum()}, {x, w, b});
  const auto theirs = torch::autograd::grad({(at::linear(x, w, b) * u).sum()}, {x, w, b});
  for (std::size_t i = 0; i < 3; ++i) CHECK(distance(mine[i], theirs[i]) < 1e-14);
}

TEST_CASE("a pass has the values and derivatives of the composed network", "[passes]") {
  for (const bool skip : {false, true})
    for (const double dropout : {0.0, 0.3})
      for (const int64_t width : {7, 130}) {
        CAPTURE(skip, dropout, width);
        Twin twin({{5, width, width, 3}, compert::Norm::kBatch, dropout, 1e-5, 0.1, skip});
        compert::Noise noise(9);
        compert::Noise again(9);
        twin.mlp->set_noise(&noise);
        for (const int span : {0, 1, 2}) {  // whole, before the last map, after the first one
          if (skip && span != 1) continue;  // decoders alone read their input twice
          CAPTURE(span);
          const int64_t in = span == 2 ? width : 5, out = span == 1 ? width + (skip ? 5 : 0) : 3;
          const Tensor x = drawn({20, in}, at::kDouble, 5).set_requires_grad(true),
                       y = x.detach().clone().set_requires_grad(true),
                       u = drawn({20, out}, at::kDouble, 6);
          const Tensor mine = span == 0   ? twin.mlp->forward(x, true)
                              : span == 1 ? twin.mlp->before_last(x, true)
                                          : twin.mlp->after_first(x, true);
          const Tensor composed = twin.composed(y, span == 2, span == 1, &again);
          CHECK(distance(mine, composed) < 1e-12);
          twin.store.adam(compert::Group::kAutoencoder).zero_grad();
          for (Tensor& leaf : twin.leaves) leaf.mutable_grad() = Tensor();
          (mine * u).sum().backward();
          (composed * u).sum().backward();
          CHECK(distance(x.grad(), y.grad()) < 1e-11);
          CHECK(twin.gradient_distance() < 1e-9);
        }
      }
}

TEST_CASE("the gradient penalty has the derivatives of autograd", "[passes]") {
  for (const double dropout : {0.0, 0.3})
    for (const std::vector<int64_t>& sizes :
         {std::vector<int64_t>{5, 6, 3}, {5, 70, 9, 2}, {4, 8, 8, 8, 1}}) {
      CAPTURE(dropout, sizes);
      Twin twin({sizes, compert::Norm::kBatch, dropout, 1e-5, 0.1, false});
      compert::Noise noise(9);
      compert::Noise again(9);
      twin.mlp->set_noise(&noise);
      const Tensor x = drawn({20, sizes.front()}, at::kDouble, 5).set_requires_grad(true),
                   y = x.detach().clone().set_requires_grad(true),
                   u = drawn({20, sizes.back()}, at::kDouble, 6);
      const Mlp::Penalised mine = twin.mlp->forward_with_penalty(x);
      const Tensor composed = twin.composed(y, false, false, &again);
      const Tensor penalty =
          torch::autograd::grad({composed.sum()}, {y}, {}, true, true)[0].square().mean();
      CHECK(distance(mine.output, composed) < 1e-12);
      CHECK(distance(mine.penalty, penalty) < 1e-11);
      twin.store.adam(compert::Group::kAutoencoder).zero_grad();
      ((mine.output * u).sum() + 3 * mine.penalty).backward();
      ((composed * u).sum() + 3 * penalty).backward();
      CHECK(distance(x.grad(), y.grad()) < 1e-10);
      CHECK(twin.gradient_distance() < 1e-8);
    }
}

TEST_CASE("dosers of a network each respond to their own doses alone", "[passes]") {
  compert::Settings s;
  s.doser_type = "mlp";
  s.dosers_width = 21;
  s.dosers_depth = 2;
  compert::ParameterStore store;
  compert::Initialiser init(5, at::kDouble);
  const auto doser = compert::Doser::make(s, store, init, 4, 3);
  store.pack(at::kCPU, compert::Use::kFit);
  std::vector<Tensor> leaves;
  for (auto& p : store.parameters())
    leaves.push_back(p.value.detach().clone().set_requires_grad(true));
  // Perturbation 1 is in no cell; 2 has three doses, one of them twice.
  const Tensor code = at::tensor(std::vector<int64_t>{0, 2, 2, 3, 2, 2}, at::kLong).view({6, 1}),
               dose =
                   at::tensor(std::vector<double>{1, .5, 1, .1, .5, 0}, at::kDouble).view({6, 1}),
               filled = at::ones({6, 1}, at::kDouble), u = drawn({6, 1}, at::kDouble, 2);
  compert::Slots slots{code, dose, filled, {}};
  doser->prepare(slots);
  const Tensor raw = doser->raw(slots, {Tensor(), true});
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < 6; ++i) {
    const int64_t j = code[i].item<int64_t>();
    Tensor h = dose[i].view({1, 1});
    for (std::size_t k = 0; k < leaves.size(); k += 2) {
      h = at::linear(h, leaves[k][j], leaves[k + 1][j]);
      if (k + 2 < leaves.size()) h = h.relu();
    }
    rows.push_back(h);
  }
  const Tensor composed = at::cat(rows);
  CHECK(distance(raw, composed) < 1e-13);
  (raw * u).sum().backward();
  (composed * u).sum().backward();
  std::size_t k = 0;
  for (auto& p : store.parameters()) {
    CHECK(distance(p.value.grad(), leaves[k].grad()) < 1e-12);
    CHECK(p.value.grad()[1].abs().max().item<double>() == 0);
    ++k;
  }
}
