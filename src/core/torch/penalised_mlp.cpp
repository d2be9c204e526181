// The gradient penalty of the adversaries with the derivatives written out. Differentiating the penalty
// by autograd means a backward pass through a backward pass, some hundred small operations: two thirds
// of an adversaries' turn.
//
// A hidden layer takes z to z' = M h with h = scale x + offset, x = (a - mean(a)) inverse, a = z W' + b;
// M is 0 where h is below 0. Going back, G' becomes G = (k P(G' M)) W with k = scale * inverse and the
// projection P(r) = r - mean(r) - x mean(r x), which is its own transpose. The penalty is mean(G^2) at the
// input. Names with d_ are derivatives of the whole objective.
#include "first_layer.h"
#include "hidden_layer.h"
#include "kernels.h"

namespace compert {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

namespace {

Tensor projected(const Tensor& r, const Tensor& x, Tensor& shared) {
  Tensor out = at::empty_like(r);
  shared = at::empty({r.size(1)}, r.options());
  by_type(out, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    norm_projection(r.data_ptr<T>(), x.data_ptr<T>(), r.size(0), r.size(1), out.data_ptr<T>(),
                    shared.data_ptr<T>());
  });
  return out;
}

}  // namespace

struct PenalisedMlp : public Function<PenalisedMlp> {
  /// What a hidden layer leaves for the way back.
  struct Kept : HiddenPass {
    Tensor input;
    Tensor back, projected, shared;  // G' M, P(G' M), mean(G' M x)
  };
  static constexpr std::size_t kKept = 7, kPerHidden = 4;

  /// `parameters`: weight, bias, scale and offset of the hidden layers, weight and bias of the last.
  static variable_list forward(AutogradContext* ctx, const Mlp* mlp, Tensor x,
                               at::TensorList parameters) {
    const std::size_t hidden = mlp->layers_.size() - 1;
    std::vector<Kept> kept(hidden);
    Tensor z = x.contiguous();
    for (std::size_t i = 0; i < hidden; ++i) {
      const Mlp::Layer& layer = mlp->layers_[i];
      kept[i].input = z;
      const Tensor a = at::addmm(layer.bias->value, z, layer.weight->value.t());
      static_cast<HiddenPass&>(kept[i]) = hidden_pass(a, layer, mlp->statistics_, mlp->slopes(a));
      z = kept[i].out;
    }
    const Mlp::Layer& last = mlp->layers_.back();
    const Tensor output = at::addmm(last.bias->value, z, last.weight->value.t());

    Tensor gradient = last.weight->value.sum(0, true).expand_as(z);
    for (std::size_t i = hidden; i-- > 0;) {
      Kept& k = kept[i];
      k.back = gradient * k.slope;
      k.projected = projected(k.back, k.normalised, k.shared);
      const Tensor factor = mlp->layers_[i].scale->value * k.inverse;
      gradient = at::mm(k.projected * factor, mlp->layers_[i].weight->value);
    }
    const Tensor penalty = gradient.square().mean();
    std::vector<Tensor> saved{z, gradient};
    for (const Kept& k : kept)
      saved.insert(saved.end(), {k.input, k.normalised, k.inverse, k.slope, k.back, k.projected, k.shared});
    ctx->saved_data["kept"] = saved;
    ctx->saved_data["parameters"] = detached(parameters);
    ctx->saved_data["of_input"] = x.requires_grad();
    return {output, penalty};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const std::vector<Tensor> saved = ctx->saved_data["kept"].toTensorVector();
    const std::vector<Tensor> parameters = ctx->saved_data["parameters"].toTensorVector();
    const std::size_t hidden = (saved.size() - 2) / kKept;
    const Tensor &last_weight = parameters[hidden * kPerHidden], &z = saved[0], &gradient = saved[1];
    const auto kept = [&saved](std::size_t i) { return &saved[2 + i * kKept]; };
    const auto weight = [&](std::size_t i) { return parameters[i * kPerHidden]; };
    const auto scale = [&](std::size_t i) { return parameters[i * kPerHidden + 2]; };
    variable_list out(2 + parameters.size());  // the first is for the pointer
    const auto result = [&out](std::size_t i, std::size_t which) -> Tensor& {
      return out[2 + i * kPerHidden + which];
    };

    // The way of the gradient, backwards: from the input up.
    const double n = static_cast<double>(z.size(0));
    std::vector<Tensor> d_normalised(hidden), d_inverse(hidden);
    Tensor d_gradient = gradient * (grads[1] * (2 / static_cast<double>(gradient.numel())));
    for (std::size_t i = 0; i < hidden; ++i) {
      const Tensor* k = kept(i);
      const Tensor &x = k[1], &inverse = k[2], &slope = k[3], &back = k[4], &q = k[5], &shared = k[6];
      const Tensor factor = scale(i) * inverse;
      const Tensor r = at::mm(d_gradient, weight(i).t());
      result(i, 0) = at::mm((q * factor).t(), d_gradient);
      Tensor along;
      const Tensor p = projected(r, x, along);
      const Tensor d_factor = (r * q).sum(0);
      result(i, 2) = d_factor * inverse;
      d_inverse[i] = d_factor * scale(i);
      d_normalised[i] = at::addcmul(r * shared, back, along).mul_(factor).neg_();
      d_gradient = p.mul_(factor).mul_(slope);
    }
    const Tensor d_output = grads[0];
    Tensor& d_last = out[2 + hidden * kPerHidden];
    d_last = at::mm(d_output.t(), z).add_(d_gradient.sum(0, true));
    out[3 + hidden * kPerHidden] = d_output.sum(0);

    // The way of the output.
    Tensor d_z = at::mm(d_output, last_weight);
    for (std::size_t i = hidden; i-- > 0;) {
      const Tensor* k = kept(i);
      const Tensor &input = k[0], &x = k[1], &inverse = k[2], &slope = k[3];
      const Tensor d_h = d_z.mul_(slope);
      result(i, 2).add_((d_h * x).sum(0));
      result(i, 3) = d_h.sum(0);
      d_normalised[i].addcmul_(d_h, scale(i));
      Tensor along;
      Tensor d_a = projected(d_normalised[i], x, along).mul_(inverse);
      d_a.sub_(x * (d_inverse[i] * inverse.square() / n));
      result(i, 0).addmm_(d_a.t(), input);
      result(i, 1) = d_a.sum(0);
      if (i > 0 || ctx->saved_data["of_input"].toBool()) d_z = at::mm(d_a, weight(i));
    }
    if (ctx->saved_data["of_input"].toBool()) out[1] = d_z;
    return out;
  }

 private:
  static std::vector<Tensor> detached(at::TensorList all) {
    std::vector<Tensor> out;
    for (const Tensor& t : all) out.push_back(t.detach());
    return out;
  }
};

Mlp::Penalised Mlp::forward_with_penalty(const Tensor& x) const {
  if (!swept(x)) {
    const Tensor input = x.requires_grad() ? x : x.detach().set_requires_grad(true),
                 output = forward(input, true);
    return {output,
            torch::autograd::grad({output.sum()}, {input}, {}, true, true)[0].square().mean()};
  }
  variable_list parameters;
  for (const Layer& layer : layers_) {
    parameters.insert(parameters.end(), {layer.weight->value, layer.bias->value});
    if (layer.scale != nullptr)
      parameters.insert(parameters.end(), {layer.scale->value, layer.offset->value});
  }
  const variable_list out = PenalisedMlp::apply(this, x, at::TensorList(parameters));
  return {out[0], out[1]};
}

}  // namespace compert
