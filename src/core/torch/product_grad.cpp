// The products that autograd knows the derivatives of.
#include "product.h"

namespace compert {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct Linear : public Function<Linear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x,
                        const Tensor& weight, const Tensor& bias) {
    ctx->save_for_backward({x, weight});
    return product(x, weight.t(), bias);
  }
  static variable_list backward(AutogradContext* ctx,
                                                 variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor grad = grads[0].contiguous();
    const auto if_needed = [&](std::size_t i, auto&& of) {
      return ctx->needs_input_grad(i) ? of() : Tensor();
    };
    return {if_needed(0, [&] { return product(grad, saved[1]); }),
            if_needed(1, [&] { return product(grad.t(), saved[0]); }),
            if_needed(2, [&] { return grad.sum(0); })};
  }
};

struct ExactProduct : public Function<ExactProduct> {
  static Tensor forward(AutogradContext* ctx, const Tensor& a, const Tensor& b) {
    const ReducedProducts unreduced(false);
    ctx->save_for_backward({a, b});
    return product(a, b);
  }
  static variable_list backward(AutogradContext* ctx,
                                                 variable_list grads) {
    const ReducedProducts unreduced(false);
    const auto saved = ctx->get_saved_variables();
    const Tensor grad = grads[0].contiguous();
    return {ctx->needs_input_grad(0) ? product(grad, saved[1].t()) : Tensor(),
            ctx->needs_input_grad(1) ? product(saved[0].t(), grad) : Tensor()};
  }
};

struct ExactProductOfLeaf : public Function<ExactProductOfLeaf> {
  static Tensor forward(AutogradContext* ctx, const Tensor& a, const Tensor& leaf,
                        int64_t rows, Tensor leaf_grad) {
    const ReducedProducts unreduced(false);
    ctx->save_for_backward({a, leaf});
    ctx->saved_data["rows"] = rows;
    ctx->saved_data["leaf_grad"] = leaf_grad;
    return product(a, leaf.narrow(0, 0, rows).t());
  }
  static variable_list backward(AutogradContext* ctx,
                                                 variable_list grads) {
    const ReducedProducts unreduced(false);
    const auto saved = ctx->get_saved_variables();
    const Tensor grad = grads[0].contiguous();
    const int64_t rows = ctx->saved_data["rows"].toInt();
    if (ctx->needs_input_grad(1))
      product_into(ctx->saved_data["leaf_grad"].toTensor().narrow(0, 0, rows), grad.t(), saved[0], {},
                   true);
    return {ctx->needs_input_grad(0) ? product(grad, saved[1].narrow(0, 0, rows)) : Tensor(), Tensor(),
            Tensor(), Tensor()};
  }
};

/// On a device products of single precision may be of TF32: these are not.
Tensor exact_on_device(const Tensor& a, const Tensor& b) {
  return at::mm(a.to(at::kDouble), b.to(at::kDouble)).to(a.scalar_type());
}

Tensor linear_on_device(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!ReducedProducts::on()) return at::linear(x, weight, bias);
  const auto reduced = [](const Tensor& t) { return t.to(at::kBFloat16); };
  return at::linear(reduced(x), reduced(weight), reduced(bias)).to(x.scalar_type());
}

}  // namespace

Tensor exact_product(const Tensor& a, const Tensor& b) {
  return !a.is_cpu() ? exact_on_device(a, b) : ExactProduct::apply(a, b);
}

Tensor exact_product_of_leaf(const Tensor& a, const Tensor& leaf, int64_t rows) {
  if (!a.is_cpu()) return exact_on_device(a, leaf.narrow(0, 0, rows).t());
  return ExactProductOfLeaf::apply(a, leaf, rows, leaf.grad());
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!x.is_cpu()) return linear_on_device(x, weight, bias);
  if (x.dim() != 2) return at::linear(x, weight, bias);
  return Linear::apply(x, weight, bias);
}

}  // namespace compert
