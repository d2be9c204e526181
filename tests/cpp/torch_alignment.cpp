// The alignment of basal states in one sweep beside the same formula differentiated by autograd.
#include "torch/alignment.h"
#include "torch/product.h"
#include "torch_tensors.h"

namespace {

using at::Tensor;

Tensor states(int64_t n, at::ScalarType type) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(7 + n));
  Tensor x = at::empty({n, 5}, at::kDouble).normal_(1, 1, generator).to(type);
  x[2] = x[1];  // two cells in the same place
  return x.set_requires_grad(true);
}

}  // namespace

TEST_CASE("alignment in one sweep is its formula", "[alignment]") {
  for (const auto type : {at::kDouble, at::kFloat})
    for (const int64_t n : {9, 40, 700}) {  // the last is shared by threads
      std::vector<int64_t> stratum, condition;
      for (int64_t i = 0; i < n; ++i) {
        stratum.push_back(i % 7 < 5 ? 0 : 1);
        condition.push_back(10 * stratum.back() + (i / 7) % 3);
      }
      condition[4] = 99;  // alone
      const auto pairs = compert::alignment_pairs(stratum, condition, type);
      const Tensor a = states(n, type), b = states(n, type);
      const Tensor swept = compert::alignment_loss(a, pairs),
                   composed = compert::alignment_loss(b, pairs, false);
      CHECK(composed.item<double>() != 0);
      const double tolerance = type == at::kDouble ? 1e-9 : 1e-4;
      CHECK(distance(swept, composed) < tolerance);
      torch::autograd::backward({swept * 3});
      torch::autograd::backward({composed * 3});
      CHECK(b.grad().abs().max().item<double>() > 0);
      CHECK(distance(a.grad(), b.grad()) < tolerance);
    }
  const Tensor x = states(6, at::kDouble);
  CHECK(compert::alignment_loss(x, compert::alignment_pairs({0, 0, 0, 1, 1, 1}, {0, 0, 0, 1, 1, 1}, at::kDouble)).item<double>() == 0);
}

TEST_CASE("a cell that comes again in a batch makes no pairs", "[alignment]") {
  const std::vector<int64_t> stratum = {0, 0, 0, 0, 0, 1, 1, 1, 1}, condition = {0, 0, 0, 1, 1, 2, 2, 3, 3};
  const auto loss_of = [&](const Tensor& basal, const std::vector<int64_t>& rows, bool apart) {
    std::vector<int64_t> s, c;
    for (const int64_t r : rows) {
      s.push_back(stratum[static_cast<std::size_t>(r)]);
      c.push_back(condition[static_cast<std::size_t>(r)]);
    }
    if (apart) compert::set_repeats_apart(rows.data(), c);
    const Tensor at_rows = basal.index_select(0, at::tensor(rows, at::kLong));
    return compert::alignment_loss(at_rows, compert::alignment_pairs(s, c, at::kDouble), false).item<double>();
  };
  const Tensor basal = states(9, at::kDouble).detach();
  const std::vector<int64_t> once = {0, 1, 2, 3, 4, 5, 6, 7, 8}, again = {0, 1, 1, 2, 3, 4, 1, 5, 6, 8, 7, 8};
  const double expected = loss_of(basal, once, false);
  CHECK(loss_of(basal, once, true) == Approx(expected).epsilon(1e-12));
  CHECK(loss_of(basal, again, true) == Approx(expected).epsilon(1e-12));
  CHECK(std::abs(loss_of(basal, again, false) - expected) > 1e-3);
}

TEST_CASE("a product with a part of a leaf adds its gradient to the leaf's", "[alignment]") {
  for (const bool moves : {true, false}) {
    Tensor leaf = at::rand({6, 4}, at::kDouble).set_requires_grad(moves);
    leaf.mutable_grad() = at::ones({6, 4}, at::kDouble);
    const Tensor a = at::rand({3, 4}, at::kDouble).set_requires_grad(true),
                 weight = at::rand({3, 5}, at::kDouble);
    const Tensor out = compert::exact_product_of_leaf(a, leaf, 5);
    CHECK(distance(out, at::mm(a, leaf.narrow(0, 0, 5).t())) < 1e-12);
    torch::autograd::backward({(out * weight).sum()});
    CHECK(distance(a.grad(), at::mm(weight, leaf.narrow(0, 0, 5))) < 1e-12);
    Tensor expected = at::ones({6, 4}, at::kDouble);
    if (moves) expected.narrow(0, 0, 5).add_(at::mm(weight.t(), a.detach()));
    CHECK(distance(leaf.grad(), expected) < 1e-12);
  }
}
