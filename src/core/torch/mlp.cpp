#include "mlp.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "product.h"

namespace compert {

Initialiser::Initialiser(int64_t seed, at::ScalarType type, Use use)
    : generator_(at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(seed))),
      type_(type),
      draws_(use == Use::kFit) {}

Tensor Initialiser::linear(at::IntArrayRef shape, int64_t fan_in) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  if (!draws_) return at::empty(shape, type_);
  // Drawn in single precision, so that both precisions start from the same numbers.
  return at::empty(shape, at::kFloat).uniform_(-bound, bound, generator_).to(type_);
}

Tensor Initialiser::normal(at::IntArrayRef shape) {
  if (!draws_) return at::empty(shape, type_);
  return at::empty(shape, at::kFloat).normal_(0, 1, generator_).to(type_);
}

Tensor Initialiser::constant(at::IntArrayRef shape, double value) const {
  return at::full(shape, value, at::TensorOptions().dtype(type_));
}

Norm norm_of(const std::string& name) {
  return name == "batch" ? Norm::kBatch : name == "layer" ? Norm::kLayer : Norm::kNone;
}

std::vector<int64_t> hidden_sizes(int64_t in, int64_t width, int64_t depth, int64_t out) {
  std::vector<int64_t> all(static_cast<std::size_t>(depth), width);
  all.insert(all.begin(), in);
  all.push_back(out);
  return all;
}

Mlp::Mlp(ParameterStore& store, Initialiser& init, const std::string& name, const MlpShape& shape,
         Group group, bool transpose_first, double lr_factor)
    : norm_(shape.norm),
      dropout_(shape.dropout),
      statistics_{shape.epsilon, shape.momentum} {
  const std::vector<int64_t>& sizes = shape.sizes;
  const std::size_t count = sizes.size() - 1;
  const bool ahead = shape.appended == Appended::kFirst, behind = shape.appended == Appended::kLast;
  skip_to_ = shape.skip ? count - (behind ? 2 : 1) : count;
  int64_t index = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int64_t in = sizes[i] + (i == skip_to_ ? sizes.front() : 0), out = sizes[i + 1];
    const bool last = i + 1 == count;
    const bool is_henc = ahead && i == 0, is_hdec = behind && last;
    const std::string linear = name + ".network." + (is_henc   ? "henc_linear"
                                                     : is_hdec ? "hdec_linear"
                                                               : std::to_string(index));
    const bool is_hdec_norm = behind && i + 2 == count;
    const double rate = is_henc || is_hdec ? lr_factor * shape.appended_lr_factor : lr_factor;
    const double norm_rate =
        is_henc || is_hdec_norm ? lr_factor * shape.appended_lr_factor : lr_factor;
    Layer layer{};
    layer.weight = store.add(linear + ".weight", init.linear({out, in}, in), group,
                             transpose_first && i == 0, rate);
    layer.bias = store.add(linear + ".bias", init.linear({out}, in), group, false, rate);
    if (!last && norm_ == Norm::kBatch) {
      const std::string norm = name + ".network." + (is_henc        ? "henc_bn"
                                                     : is_hdec_norm ? "hdec_bn"
                                                                    : std::to_string(index + 1));
      layer.scale = store.add(norm + ".weight", init.constant({out}, 1), group, false, norm_rate);
      layer.offset = store.add(norm + ".bias", init.constant({out}, 0), group, false, norm_rate);
      layer.mean = store.add_buffer(norm + ".running_mean", init.constant({out}, 0));
      layer.variance = store.add_buffer(norm + ".running_var", init.constant({out}, 1));
      layer.batches = store.add_buffer(norm + ".num_batches_tracked", at::zeros({}, at::kLong));
    }
    layers_.push_back(layer);
    if (!is_henc) index += 3;  // linear, normalisation, ReLU
  }
}

Tensor Mlp::hidden(Tensor x, const Layer& layer, bool training) const {
  if (norm_ == Norm::kBatch) {
    if (training) layer.batches->value.add_(1);
    x = at::batch_norm(x, layer.scale->value, layer.offset->value, layer.mean->value,
                       layer.variance->value, training, statistics_.momentum, statistics_.epsilon,
                       false);
  } else if (norm_ == Norm::kLayer) {
    x = layer_norm(x);
  }
  x = x.relu();
  return training && dropout_ > 0 ? x * slopes(x) : x;
}

Tensor Mlp::slopes(const Tensor& hidden) const {
  return noise_->dropout(hidden.sizes(), hidden.options(), dropout_);
}

// The gradient penalty differentiates twice, which product() of a processor does not know.
Tensor Mlp::linear_of(const Layer& layer, const Tensor& x) const {
  return x.is_cpu() && at::GradMode::is_enabled()
             ? at::linear(x, layer.weight->value, layer.bias->value)
             : linear(x, layer.weight->value, layer.bias->value);
}

Tensor Mlp::after_first(Tensor first, bool training) const {
  if (training && swept(first)) return pass(first, {true, false, false}).output;
  Tensor x = std::move(first);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i)
    x = linear_of(layers_[i + 1], hidden(x, layers_[i], training));
  return x;
}

Tensor Mlp::forward(const Tensor& x, bool training) const {
  if (training && swept(x)) return pass(x, {}).output;
  return after_first(linear_of(first(), x), training);
}

Tensor Mlp::before_last(const Tensor& x, bool training) const {
  if (training && swept(x)) return pass(x, {false, true, false}).output;
  Tensor h = x;
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i)
    h = hidden(linear_of(layers_[i], joined(i, h, x)), layers_[i], training);
  return joined(layers_.size() - 1, h, x);
}

}  // namespace compert
