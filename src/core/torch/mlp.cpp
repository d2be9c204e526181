#include "mlp.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace compert {

Initialiser::Initialiser(int64_t seed, at::ScalarType type)
    : generator_(at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(seed))),
      type_(type) {}

Tensor Initialiser::linear(at::IntArrayRef shape, int64_t fan_in) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  // Drawn in single precision, so that both precisions start from the same numbers.
  return at::empty(shape, at::kFloat).uniform_(-bound, bound, generator_).to(type_);
}

Tensor Initialiser::normal(at::IntArrayRef shape) {
  return at::empty(shape, at::kFloat).normal_(0, 1, generator_).to(type_);
}

Tensor Initialiser::constant(at::IntArrayRef shape, double value) const {
  return at::full(shape, value, at::TensorOptions().dtype(type_));
}

Mlp::Mlp(ParameterStore& store, Initialiser& init, const std::string& name,
         const std::vector<int64_t>& sizes, Group group, bool transpose_first) {
  int64_t index = 0;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const int64_t in = sizes[i], out = sizes[i + 1];
    const bool last = i + 2 == sizes.size();
    const std::string linear = name + ".network." + std::to_string(index);
    Layer layer{};
    layer.weight = store.add(linear + ".weight", init.linear({out, in}, in), group,
                             transpose_first && i == 0);
    layer.bias = store.add(linear + ".bias", init.linear({out}, in), group);
    if (!last) {
      const std::string norm = name + ".network." + std::to_string(index + 1);
      layer.scale = store.add(norm + ".weight", init.constant({out}, 1), group);
      layer.offset = store.add(norm + ".bias", init.constant({out}, 0), group);
      layer.mean = store.add_buffer(norm + ".running_mean", init.constant({out}, 0));
      layer.variance = store.add_buffer(norm + ".running_var", init.constant({out}, 1));
      layer.batches = store.add_buffer(norm + ".num_batches_tracked", at::zeros({}, at::kLong));
    }
    layers_.push_back(layer);
    index += 3;  // linear, batch norm, ReLU
  }
}

Tensor Mlp::hidden(Tensor x, const Layer& layer, bool training) const {
  if (training) layer.batches->value.add_(1);
  x = at::batch_norm(x, layer.scale->value, layer.offset->value, layer.mean->value,
                     layer.variance->value, training, 0.1, 1e-5, false);
  return x.relu();
}

Tensor Mlp::after_first(Tensor first, bool training) const {
  Tensor x = std::move(first);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    x = hidden(x, layers_[i], training);
    x = at::linear(x, layers_[i + 1].weight->value, layers_[i + 1].bias->value);
  }
  return x;
}

Tensor Mlp::forward(const Tensor& x, bool training) const {
  return after_first(at::linear(x, first().weight->value, first().bias->value), training);
}

Tensor Mlp::before_last(const Tensor& x, bool training) const {
  Tensor h = x;
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    h = at::linear(h, layers_[i].weight->value, layers_[i].bias->value);
    h = hidden(h, layers_[i], training);
  }
  return h;
}

}  // namespace compert
