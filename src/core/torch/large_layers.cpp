#include "large_layers.h"

#include <algorithm>
#include <cmath>

namespace compert {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// Calls body(float*) or body(double*) with a typed null pointer, by the tensor's type.
template <class Body>
void by_type(const Tensor& t, Body&& body) {
  if (t.scalar_type() == at::kFloat)
    body(static_cast<float*>(nullptr));
  else
    body(static_cast<double*>(nullptr));
}

struct SparseFirstLayer : public Function<SparseFirstLayer> {
  // `weight` and `bias` are leaves; the batch lives as long as the training step.
  static Tensor forward(AutogradContext* ctx, const Tensor& weight, const Tensor& bias,
                        const CellBatch* x, Tensor values, Tensor weight_grad) {
    const Tensor by_gene = weight.t();  // contiguous: see Parameter::transposed
    Tensor out = at::empty({static_cast<int64_t>(x->n_cells()), weight.size(0)}, weight.options());
    by_type(weight, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      sparse_linear(*x, values.data_ptr<T>(), by_gene.data_ptr<T>(), bias.data_ptr<T>(),
                    out.data_ptr<T>(), weight.size(0));
    });
    ctx->saved_data["batch"] = reinterpret_cast<int64_t>(x);
    ctx->saved_data["values"] = values;
    ctx->saved_data["weight_grad"] = weight_grad;
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto* x = reinterpret_cast<const CellBatch*>(ctx->saved_data["batch"].toInt());
    const Tensor weight_grad = ctx->saved_data["weight_grad"].toTensor();
    const Tensor values = ctx->saved_data["values"].toTensor();
    const Tensor grad = grads[0].contiguous();
    by_type(grad, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      sparse_linear_grad(*x, values.data_ptr<T>(), grad.data_ptr<T>(),
                         weight_grad.t().data_ptr<T>(), grad.size(1));
    });
    return {Tensor(), grad.sum(0), Tensor(), Tensor(), Tensor()};
  }
};

struct LikelihoodHead : public Function<LikelihoodHead> {
  static Tensor forward(AutogradContext* ctx, const Tensor& hidden, const Tensor& weight,
                        const Tensor& bias, const CellBatch* target, int64_t likelihood,
                        bool relu_mean, Tensor raw, Tensor weight_grad) {
    at::addmm_out(raw, bias, hidden, weight.t());
    double loss = 0;
    by_type(raw, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      T* values = raw.data_ptr<T>();
      loss = likelihood == static_cast<int64_t>(Likelihood::kGaussian)
                 ? gaussian_sweep(values, *target, relu_mean)
                 : nb_sweep(values, *target);
    });
    ctx->save_for_backward({hidden, weight});
    ctx->saved_data["raw"] = raw;  // now the gradient
    ctx->saved_data["weight_grad"] = weight_grad;
    return at::full({}, loss, hidden.options());
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor gradient = ctx->saved_data["raw"].toTensor();
    Tensor weight_grad = ctx->saved_data["weight_grad"].toTensor();
    const double factor = grads[0].item<double>();
    weight_grad.addmm_(gradient.t(), saved[0], 1, factor);
    Tensor bias_grad = gradient.sum(0), hidden_grad = gradient.mm(saved[1]);
    if (factor != 1) {
      bias_grad.mul_(factor);
      hidden_grad.mul_(factor);
    }
    return {hidden_grad, Tensor(), bias_grad, Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

Tensor gradient_view(const Parameter* p) { return p->value.grad(); }

/// The likelihoods from LibTorch's own operations, for devices without the sweeps.
Tensor composed_loss(const Tensor& raw, const CellBatch& target, Likelihood likelihood, bool relu) {
  const Decoded d = decoded(raw, likelihood, relu);
  const Tensor x =
      dense_tensor(target, stored_values(target, raw.scalar_type(), false), raw.device());
  if (likelihood == Likelihood::kGaussian)
    return (d.second.log() + (d.mean - x).square() / d.second).mean() * 0.5;
  const double eps = 1e-8;
  const Tensor &mu = d.mean, &theta = d.second, log_total = (theta + mu + eps).log();
  return -(theta * ((theta + eps).log() - log_total) + x * ((mu + eps).log() - log_total) +
           (x + theta).lgamma() - theta.lgamma() - (x + 1).lgamma())
              .mean();
}

}  // namespace

Tensor stored_values(const CellBatch& x, at::ScalarType type, bool log) {
  Tensor out = at::empty({static_cast<int64_t>(x.n_stored())}, type);
  by_type(out, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    T* to = out.data_ptr<T>();
    if (log)
      std::transform(x.values.begin(), x.values.end(), to,
                     [](float v) { return std::log1p(static_cast<T>(v)); });
    else
      std::copy(x.values.begin(), x.values.end(), to);
  });
  return out;
}

Tensor dense_tensor(const CellBatch& x, const Tensor& values, at::Device device) {
  Tensor out = at::empty({static_cast<int64_t>(x.n_cells()), static_cast<int64_t>(x.n_genes)},
                         at::TensorOptions(values.scalar_type()));
  by_type(out, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    to_dense(x, values.data_ptr<T>(), out.data_ptr<T>());
  });
  return out.to(device);
}

Tensor first_layer(const CellBatch& x, const Tensor& values, const Mlp::Layer& layer, bool dense) {
  const Tensor &weight = layer.weight->value, &bias = layer.bias->value;
  if (dense || weight.is_cuda())
    return at::linear(dense_tensor(x, values, weight.device()), weight, bias);
  return SparseFirstLayer::apply(weight, bias, &x, values, gradient_view(layer.weight));
}

Tensor reconstruction_loss(const Tensor& hidden, const Mlp::Layer& last, const CellBatch& target,
                           Likelihood likelihood, bool relu_mean, Tensor& scratch) {
  const Tensor &weight = last.weight->value, &bias = last.bias->value;
  if (weight.is_cuda())
    return composed_loss(at::linear(hidden, weight, bias), target, likelihood, relu_mean);
  if (!scratch.defined() || scratch.size(0) != hidden.size(0))
    scratch = at::empty({hidden.size(0), weight.size(0)}, weight.options().requires_grad(false));
  return LikelihoodHead::apply(hidden, weight, bias, &target, static_cast<int64_t>(likelihood),
                               relu_mean, scratch, gradient_view(last.weight));
}

Decoded decoded(const Tensor& raw, Likelihood likelihood, bool relu_mean) {
  const int64_t genes = raw.size(1) / 2;
  Tensor mean = raw.narrow(1, 0, genes);
  const Tensor second = at::softplus(raw.narrow(1, genes, genes), 1, 40) + 1e-3;
  if (likelihood == Likelihood::kNegativeBinomial)
    mean = at::softplus(mean, 1, 40) + 1e-3;
  else if (relu_mean)
    mean = mean.relu();
  return {mean, second};
}

}  // namespace compert
