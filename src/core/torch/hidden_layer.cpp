#include "hidden_layer.h"

#include "first_layer.h"
#include "kernels.h"

namespace compert {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct HiddenLayer : public Function<HiddenLayer> {
  static Tensor forward(AutogradContext* ctx, const Tensor& a, const Tensor& scale,
                        const Tensor& offset, const Mlp::Layer* layer,
                        const Mlp::Statistics* statistics, Tensor slope) {
    (void)offset;  // an input for its gradient; the layer has its value
    const HiddenPass pass = hidden_pass(a.contiguous(), *layer, *statistics, std::move(slope));
    ctx->saved_data["pass"] = std::vector<Tensor>{pass.normalised, pass.inverse, pass.slope};
    ctx->saved_data["scale"] = scale.detach();
    return pass.out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const std::vector<Tensor> pass = ctx->saved_data["pass"].toTensorVector();
    const Tensor scale = ctx->saved_data["scale"].toTensor(), d_out = grads[0].contiguous();
    Tensor d_in = at::empty_like(d_out), d_scale = at::empty_like(scale), d_offset = at::empty_like(scale);
    by_type(d_out, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      hidden_sweep_grad(d_out.data_ptr<T>(), pass[2].data_ptr<T>(), pass[0].data_ptr<T>(),
                        scale.data_ptr<T>(), pass[1].data_ptr<T>(), d_out.size(0), d_out.size(1),
                        d_in.data_ptr<T>(), d_scale.data_ptr<T>(), d_offset.data_ptr<T>());
    });
    return {d_in, d_scale, d_offset, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

HiddenPass hidden_pass(const Tensor& a, const Mlp::Layer& layer, const Mlp::Statistics& statistics,
                       Tensor slope) {
  const int64_t rows = a.size(0), width = a.size(1);
  HiddenPass pass{at::empty_like(a), at::empty_like(a), at::empty({width}, a.options()), std::move(slope)};
  std::vector<double> mean(static_cast<std::size_t>(width)), variance(mean.size());
  by_type(a, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    norm_sweep(a.data_ptr<T>(), rows, width, statistics.epsilon, pass.normalised.data_ptr<T>(),
               pass.inverse.data_ptr<T>(), mean.data(), variance.data());
    relu_sweep(pass.normalised.data_ptr<T>(), layer.scale->value.data_ptr<T>(),
               layer.offset->value.data_ptr<T>(), rows, width, pass.slope.data_ptr<T>(),
               pass.out.data_ptr<T>());
    // Of the running statistics the variance is the unbiased one.
    T *running = layer.mean->value.data_ptr<T>(), *spread = layer.variance->value.data_ptr<T>();
    const double m = statistics.momentum,
                 unbiased = static_cast<double>(rows) / static_cast<double>(rows - 1);
    for (int64_t j = 0; j < width; ++j) {
      const auto k = static_cast<std::size_t>(j);
      running[j] = static_cast<T>((1 - m) * running[j] + m * mean[k]);
      spread[j] = static_cast<T>((1 - m) * spread[j] + m * variance[k] * unbiased);
    }
  });
  layer.batches->value.add_(1);
  return pass;
}

Tensor hidden_layer(const Tensor& a, const Mlp::Layer& layer, const Mlp::Statistics& statistics,
                    Tensor slope) {
  return HiddenLayer::apply(a, layer.scale->value, layer.offset->value, &layer, &statistics,
                            std::move(slope));
}

}  // namespace compert
