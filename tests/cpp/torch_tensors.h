// Tensors of tests: drawn, and compared.
#pragma once
#include <ATen/CPUGeneratorImpl.h>

#include "torch/torch_util.h"

#undef CHECK  // glog's, which LibTorch may bring
#include "catch_compat.h"

/// The largest difference, as a share of the largest value of `b`.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  if (a.numel() == 0) return 0;
  const at::Tensor x = a.detach().to(at::kDouble), y = b.detach().to(at::kDouble);
  return ((x - y).abs().max() / y.abs().max().clamp_min(1e-12)).item<double>();
}

inline at::Tensor drawn(at::IntArrayRef shape, at::ScalarType type, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::empty(shape, at::kDouble).normal_(0, 1, generator).to(type);
}
