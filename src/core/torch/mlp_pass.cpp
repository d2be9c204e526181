// An Mlp with batch norm while training, as one step of autograd with its derivatives written out.
// As operations of autograd it would be some twenty per layer, each with memory of its own; and the
// gradient penalty of the adversaries, differentiated by autograd, a backward pass through a
// backward pass.
//
// A hidden layer takes z to
//   z' = M h,   h = scale x + offset,   x = (a - mean(a)) inverse,   a = z W' + b
// where M is 0 where h is below 0. For the penalty, G' goes back to
//   G = (k P(G' M)) W,   k = scale * inverse,   P(r) = r - mean(r) - x mean(r x)
// with a projection P that is its own transpose; the penalty is mean(G^2) at the input. Names with d_
// are derivatives of the whole objective. The bias before a batch norm has no derivative. Gradients
// of parameters are added where they are kept.
#include <torch/custom_class.h>

#include "kernels.h"
#include "mlp.h"
#include "product.h"

namespace compert {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct MlpPass : public Function<MlpPass> {
  /// What a hidden layer leaves for the way back.
  struct Hidden {
    Tensor input, normalised, inverse, out;
    // For the penalty: G' M, P(G' M), k P(G' M), mean(G' M x).
    Tensor back, projected, scaled, shared;
  };
  struct Kept : public torch::CustomClassHolder {
    const Mlp* mlp = nullptr;
    Mlp::Span span;
    std::vector<Hidden> hidden;
    Tensor last_input, gradient;  // of the last layer; for the penalty: G at the input
    int64_t width = 0;            // of the pass' input
  };

  /// `parameters` are those of parameters_of(), for the graph alone.
  static variable_list forward(AutogradContext* ctx, const Mlp* mlp, Mlp::Span span,
                               const Tensor& x, at::TensorList) {
    auto kept = c10::make_intrusive<Kept>();
    kept->mlp = mlp;
    kept->span = span;
    kept->width = x.size(1);
    const std::size_t count = mlp->layers_.size() - 1;
    kept->hidden.resize(count);
    const Tensor begin = x.contiguous();
    Tensor z = begin;
    for (std::size_t i = 0; i < count; ++i) {
      const Mlp::Layer& layer = mlp->layers_[i];
      const bool given = i == 0 && span.after_first;
      if (!given) kept->hidden[i].input = mlp->joined(i, z, begin);
      const Tensor a =
          given ? begin
                : product(kept->hidden[i].input, layer.weight->value.t(), layer.bias->value);
      normalise(*mlp, layer, a, kept->hidden[i]);
      z = kept->hidden[i].out;
    }
    z = mlp->joined(count, z, begin);
    kept->last_input = z;
    const Mlp::Layer& last = mlp->layers_.back();
    // What is kept must not be the output itself, which will hold this node.
    const Tensor output =
        span.before_last ? z.detach() : product(z, last.weight->value.t(), last.bias->value);
    const Tensor penalty = span.penalty ? penalise(*kept) : at::empty({0}, x.options());
    ctx->saved_data["kept"] = c10::IValue::make_capsule(kept);
    return {output, penalty};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto holder = ctx->saved_data["kept"].toCapsule();
    Kept& kept = *static_cast<Kept*>(holder.get());
    const Mlp& mlp = *kept.mlp;
    const std::size_t count = kept.hidden.size();
    variable_list out(3 + parameters_of(mlp, kept.span).size());  // the first two are no tensors
    const bool of_input = ctx->needs_input_grad(0);
    const std::vector<bool> moves = moving(*ctx, kept);
    std::vector<Tensor> d_normalised(count), d_inverse(count);
    Tensor d_last = grads[0].contiguous(), d_z, d_x;
    Tensor from_penalty;
    if (kept.span.penalty) from_penalty = way_up(kept, grads[1], moves, d_normalised, d_inverse);
    const Mlp::Layer& last = mlp.layers_.back();
    if (kept.span.before_last) {
      d_z = d_last;
    } else {
      if (moves[count]) {
        product_into(last.weight->value.grad(), d_last.t(), kept.last_input, {}, true);
        by_type(d_last, [&](auto* type) {
          using T = std::remove_pointer_t<decltype(type)>;
          add_column_sums(d_last.data_ptr<T>(), d_last.size(0), d_last.size(1),
                          last.bias->value.grad().data_ptr<T>());
        });
        if (from_penalty.defined()) last.weight->value.grad().add_(from_penalty.sum(0, true));
      }
      if (count > 0 || of_input) d_z = product(d_last, last.weight->value);
    }
    const auto apart = [&](std::size_t layer) {  // what joined() put together
      if (layer != mlp.skip_to_) return;
      const int64_t n = d_z.size(1) - kept.width;
      d_x = d_z.narrow(1, n, kept.width);
      d_z = d_z.narrow(1, 0, n).contiguous();
    };
    apart(count);
    for (std::size_t i = count; i-- > 0;) {
      const Mlp::Layer& layer = mlp.layers_[i];
      const Hidden& h = kept.hidden[i];
      const Tensor d_a = kept.span.penalty
                             ? way_down(mlp, layer, h, d_z, moves[i], d_normalised[i], d_inverse[i])
                             : gradient_of(mlp, layer, h, d_z, moves[i]);
      if (i == 0 && kept.span.after_first) {
        d_z = d_a;
        break;
      }
      if (moves[i]) product_into(layer.weight->value.grad(), d_a.t(), h.input, {}, true);
      if (i == 0 && !of_input) break;
      d_z = product(d_a, layer.weight->value);
      apart(i);
    }
    if (of_input) out[2] = d_x.defined() ? d_z + d_x : d_z;
    return out;
  }

  /// Weight, bias, scale and offset of the layers that a pass goes through.
  static variable_list parameters_of(const Mlp& mlp, const Mlp::Span& span) {
    variable_list out;
    for (const Mlp::Layer& layer : mlp.layers_) {
      const bool first = &layer == &mlp.layers_.front(), last = &layer == &mlp.layers_.back();
      if (!(first && span.after_first) && !(last && span.before_last))
        out.insert(out.end(), {layer.weight->value, layer.bias->value});
      if (!last) out.insert(out.end(), {layer.scale->value, layer.offset->value});
    }
    return out;
  }

 private:
  /// Whether this backward pass is to find the derivatives of a layer's parameters, by layer.
  static std::vector<bool> moving(const AutogradContext& ctx, const Kept& kept) {
    const std::size_t count = kept.hidden.size();
    std::vector<bool> out(count + 1);
    std::size_t edge = 1;  // after that of the input, in the order of parameters_of()
    for (std::size_t i = 0; i <= count; ++i) {
      const bool hidden = i < count,
                 bare = (i == 0 && kept.span.after_first) || (!hidden && kept.span.before_last);
      if (!bare) edge += 2;
      if (hidden) edge += 2;
      out[i] = (hidden || !bare) && ctx.needs_input_grad(edge - 1);
    }
    return out;
  }

  static double kept_factor(const Mlp& mlp) { return 1 / (1 - mlp.dropout_); }

  static void normalise(const Mlp& mlp, const Mlp::Layer& layer, const Tensor& a, Hidden& h) {
    const int64_t rows = a.size(0), width = a.size(1);
    h.normalised = at::empty_like(a);
    h.out = at::empty_like(a);
    h.inverse = at::empty({width}, a.options());
    const Tensor keep = mlp.dropout_ > 0 ? mlp.slopes(a) : Tensor();
    std::vector<double> mean(static_cast<std::size_t>(width)), variance(mean.size());
    by_type(a, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      hidden_sweep(HiddenLayer<T>{
          a.data_ptr<T>(), rows, width, mlp.statistics_.epsilon, layer.scale->value.data_ptr<T>(),
          layer.offset->value.data_ptr<T>(), keep.defined() ? keep.data_ptr<T>() : nullptr,
          h.normalised.data_ptr<T>(), h.inverse.data_ptr<T>(), h.out.data_ptr<T>(), mean.data(),
          variance.data()});
      // Of the running statistics the variance is the unbiased one.
      T *running = layer.mean->value.data_ptr<T>(), *spread = layer.variance->value.data_ptr<T>();
      const double m = mlp.statistics_.momentum,
                   unbiased = static_cast<double>(rows) / static_cast<double>(rows - 1);
      for (int64_t j = 0; j < width; ++j) {
        const auto k = static_cast<std::size_t>(j);
        running[j] = static_cast<T>((1 - m) * running[j] + m * mean[k]);
        spread[j] = static_cast<T>((1 - m) * spread[j] + m * variance[k] * unbiased);
      }
    });
    ++*layer.batches->value.data_ptr<int64_t>();
  }

  /// From the derivative of a hidden layer's output to that of what it normalises.
  static Tensor gradient_of(const Mlp& mlp, const Mlp::Layer& layer, const Hidden& h,
                            const Tensor& d_out, bool moves) {
    Tensor d_in = at::empty_like(d_out);
    by_type(d_out, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      hidden_sweep_grad(HiddenGradient<T>{
          d_out.data_ptr<T>(), h.out.data_ptr<T>(), h.normalised.data_ptr<T>(),
          layer.scale->value.data_ptr<T>(), h.inverse.data_ptr<T>(), d_out.size(0), d_out.size(1),
          static_cast<T>(kept_factor(mlp)), d_in.data_ptr<T>(),
          moves ? layer.scale->value.grad().data_ptr<T>() : nullptr,
          moves ? layer.offset->value.grad().data_ptr<T>() : nullptr});
    });
    return d_in;
  }

  template <class T>
  static PenalisedLayer<T> described(const Mlp& mlp, const Mlp::Layer& layer, const Hidden& h) {
    return {h.out.data_ptr<T>(),
            h.normalised.data_ptr<T>(),
            layer.scale->value.data_ptr<T>(),
            h.inverse.data_ptr<T>(),
            h.out.size(0),
            h.out.size(1),
            static_cast<T>(kept_factor(mlp))};
  }

  static Tensor penalise(Kept& kept) {
    const Mlp& mlp = *kept.mlp;
    Tensor gradient = mlp.layers_.back().weight->value.sum(0, true);  // of every row
    if (kept.hidden.empty()) gradient = gradient.expand_as(kept.last_input).contiguous();
    for (std::size_t i = kept.hidden.size(); i-- > 0;) {
      Hidden& h = kept.hidden[i];
      const Mlp::Layer& layer = mlp.layers_[i];
      h.back = at::empty_like(h.out);
      h.projected = at::empty_like(h.out);
      h.scaled = at::empty_like(h.out);
      h.shared = at::empty_like(h.inverse);
      by_type(h.out, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        penalty_back(
            described<T>(mlp, layer, h),
            PenaltyBack<T>{gradient.data_ptr<T>(), gradient.size(0) == 1 ? 0 : gradient.size(1),
                           h.back.data_ptr<T>(), h.projected.data_ptr<T>(), h.scaled.data_ptr<T>(),
                           h.shared.data_ptr<T>()});
      });
      gradient = product(h.scaled, layer.weight->value);
    }
    kept.gradient = gradient;
    double sum = 0;
    by_type(gradient, [&](auto* type) {
      sum =
          square_sum(gradient.data_ptr<std::remove_pointer_t<decltype(type)>>(), gradient.numel());
    });
    return at::full({}, sum / static_cast<double>(gradient.numel()), gradient.options());
  }

  /// The way of the penalty's gradient, backwards: from the input up. Returns the derivative of G
  /// at the last hidden layer.
  static Tensor way_up(const Kept& kept, const Tensor& grad, const std::vector<bool>& moves,
                       std::vector<Tensor>& d_normalised, std::vector<Tensor>& d_inverse) {
    Tensor d_gradient = kept.gradient * (grad * (2 / static_cast<double>(kept.gradient.numel())));
    for (std::size_t i = 0; i < kept.hidden.size(); ++i) {
      const Hidden& h = kept.hidden[i];
      const Mlp::Layer& layer = kept.mlp->layers_[i];
      const Tensor r = product(d_gradient, layer.weight->value.t());
      if (moves[i]) product_into(layer.weight->value.grad(), h.scaled.t(), d_gradient, {}, true);
      d_normalised[i] = at::empty_like(r);
      d_inverse[i] = at::empty_like(h.inverse);
      by_type(r, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        penalty_up(described<T>(*kept.mlp, layer, h),
                   PenaltyUp<T>{r.data_ptr<T>(), h.back.data_ptr<T>(), h.projected.data_ptr<T>(),
                                h.shared.data_ptr<T>(), d_normalised[i].data_ptr<T>(),
                                d_inverse[i].data_ptr<T>(),
                                moves[i] ? layer.scale->value.grad().data_ptr<T>() : nullptr});
      });
      d_gradient = r;
    }
    return d_gradient;
  }

  /// As gradient_of(), with what the penalty adds: `d_normalised` becomes the result.
  static Tensor way_down(const Mlp& mlp, const Mlp::Layer& layer, const Hidden& h,
                         const Tensor& d_out, bool moves, const Tensor& d_normalised,
                         const Tensor& d_inverse) {
    by_type(d_out, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      penalty_down(
          described<T>(mlp, layer, h),
          PenaltyDown<T>{d_out.data_ptr<T>(), d_normalised.data_ptr<T>(), d_inverse.data_ptr<T>(),
                         moves ? layer.scale->value.grad().data_ptr<T>() : nullptr,
                         moves ? layer.offset->value.grad().data_ptr<T>() : nullptr});
    });
    return d_normalised;
  }
};

Mlp::Penalised Mlp::pass(const Tensor& x, Span span) const {
  const variable_list parameters = MlpPass::parameters_of(*this, span);
  const variable_list out = MlpPass::apply(this, span, x, at::TensorList(parameters));
  return {out[0], span.penalty ? out[1] : Tensor()};
}

Mlp::Penalised Mlp::forward_with_penalty(const Tensor& x) const {
  if (swept(x)) return pass(x, {false, false, true});
  const Tensor input = x.requires_grad() ? x : x.detach().set_requires_grad(true),
               output = forward(input, true);
  return {output,
          torch::autograd::grad({output.sum()}, {input}, {}, true, true)[0].square().mean()};
}

}  // namespace compert
