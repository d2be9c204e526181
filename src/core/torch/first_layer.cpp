#include "first_layer.h"

#include <algorithm>
#include <numeric>

#include "kernels_detail.h"
#include "product.h"

namespace compert {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

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

/// The same of a dense batch, cells x genes.
struct DenseFirstLayer : public Function<DenseFirstLayer> {
  static Tensor forward(AutogradContext* ctx, const Tensor& weight, const Tensor& bias, Tensor x,
                        Tensor weight_grad) {
    ctx->saved_data["x"] = x;
    ctx->saved_data["weight_grad"] = weight_grad;
    return product(x, weight.t(), bias);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor grad = grads[0].contiguous();
    product_into(ctx->saved_data["weight_grad"].toTensor().t(), ctx->saved_data["x"].toTensor().t(),
                 grad, {}, true);
    return {Tensor(), grad.sum(0), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor stored_values(const CellBatch& x, at::ScalarType type) {
  Tensor out = at::empty({static_cast<int64_t>(x.n_stored())}, type);
  by_type(out, [&](auto* typed) {
    std::copy(x.values.begin(), x.values.end(),
              out.data_ptr<std::remove_pointer_t<decltype(typed)>>());
  });
  return out;
}

Tensor dense_tensor(const CellBatch& x, const Tensor& values) {
  Tensor out = at::empty({static_cast<int64_t>(x.n_cells()), static_cast<int64_t>(x.n_genes)},
                         at::TensorOptions(values.scalar_type()));
  by_type(out, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    to_dense(x, values.data_ptr<T>(), out.data_ptr<T>());
  });
  return out;
}

Tensor CellValues::dense() const {
  return on_device.defined() ? on_device : dense_tensor(*stored, values);
}

Tensor first_layer(const CellValues& x, const Mlp::Layer& layer, bool dense) {
  const Tensor &weight = layer.weight->value, &bias = layer.bias->value;
  if (x.on_device.defined()) return linear(x.on_device, weight, bias);
  if (dense) return DenseFirstLayer::apply(weight, bias, x.dense(), layer.weight->value.grad());
  return SparseFirstLayer::apply(weight, bias, x.stored, x.values, layer.weight->value.grad());
}

Tensor library_sizes(const CellBatch& x, const Tensor& values) {
  const auto n = static_cast<int64_t>(x.n_cells());
  Tensor out = at::empty({n, 1}, values.options());
  by_type(out, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T* v = values.data_ptr<T>();
    T* sums = out.data_ptr<T>();
    in_parallel(n, sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
      for (auto b = static_cast<std::size_t>(begin); b < static_cast<std::size_t>(end); ++b)
        sums[b] = std::accumulate(v + x.offsets[b], v + x.offsets[b + 1], T(0));
    });
  });
  return out;
}

}  // namespace compert
