#include "heads.h"

#include <cmath>
#include <tuple>

#include "product.h"

namespace compert {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr double kHalfLog2Pi = 0.91893853320467274178;

/// The last layer joined with a likelihood whose sweep leaves the gradient in `raw`.
struct LikelihoodHead : public Function<LikelihoodHead> {
  static Tensor forward(AutogradContext* ctx, const Tensor& hidden, const Tensor& weight,
                        const Tensor& bias, const Tensor& dispersion, const CellBatch* target,
                        const Head* head, Tensor values, Tensor library, Tensor raw,
                        Tensor weight_grad) {
    product_into(raw, hidden, weight.t(), bias);
    double loss = 0;
    Tensor d_dispersion, d_bias;
    by_type(raw, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      T* r = raw.data_ptr<T>();
      const T* v = values.data_ptr<T>();
      if (head->family == Head::Family::kGaussian) {
        d_bias = at::empty_like(bias);
        loss = gaussian_sweep(r, *target, v, head->relu_mean, head->spread, d_bias.data_ptr<T>());
        if (head->sum_genes) loss += kHalfLog2Pi;
      } else if (!head->library) {
        loss = nb_sweep(r, *target, v);
      } else {
        const Tensor theta = dispersion.exp();
        d_dispersion = at::empty_like(theta);
        const auto sweep = head->zero_inflated()
                               ? static_cast<double (*)(T*, const CellBatch&, const T*, const T*,
                                                        const T*, T*)>(zinb_library_sweep)
                               : static_cast<double (*)(T*, const CellBatch&, const T*, const T*,
                                                        const T*, T*)>(nb_library_sweep);
        loss = sweep(r, *target, v, library.data_ptr<T>(), theta.data_ptr<T>(),
                     d_dispersion.data_ptr<T>());
        d_dispersion.mul_(theta);
      }
    });
    const double scale = head->sum_genes ? static_cast<double>(target->n_genes) : 1;
    ctx->save_for_backward({hidden, weight});
    ctx->saved_data["raw"] = raw;  // now the gradient
    ctx->saved_data["weight_grad"] = weight_grad;
    ctx->saved_data["bias_grad"] = bias.grad();
    ctx->saved_data["d_bias"] = d_bias;
    ctx->saved_data["d_dispersion"] = d_dispersion;
    ctx->saved_data["scale"] = scale;
    return at::full({}, loss * scale, hidden.options());
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor gradient = ctx->saved_data["raw"].toTensor();
    const Tensor d_dispersion = ctx->saved_data["d_dispersion"].toTensor();
    Tensor weight_grad = ctx->saved_data["weight_grad"].toTensor();
    const double factor = grads[0].item<double>() * ctx->saved_data["scale"].toDouble();
    if (factor != 1) gradient.mul_(factor);
    product_into(weight_grad, gradient.t(), saved[0], {}, true);
    Tensor bias_grad = ctx->saved_data["bias_grad"].toTensor();
    if (const Tensor d_bias = ctx->saved_data["d_bias"].toTensor(); d_bias.defined())
      bias_grad.add_(d_bias, factor);
    else
      by_type(gradient, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        add_column_sums(gradient.data_ptr<T>(), gradient.size(0), gradient.size(1),
                        bias_grad.data_ptr<T>());
      });
    return {product(gradient, saved[1]), Tensor(), Tensor(),
            d_dispersion.defined() ? d_dispersion * factor : Tensor(),
            Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

Tensor log_zinb(const Tensor& x, const Decoded& d) {
  const Tensor &pi = d.zero_logit, nb = log_nb(x, d.mean, d.second);
  const Tensor zero = at::softplus(nb - pi), stored = nb - pi;
  return at::where(x > 0, stored, zero) - at::softplus(-pi);
}

}  // namespace

Tensor log_nb(const Tensor& x, const Tensor& mu, const Tensor& theta) {
  const double eps = 1e-8;
  const Tensor log_total = (theta + mu + eps).log();
  return theta * ((theta + eps).log() - log_total) + x * ((mu + eps).log() - log_total) +
         (x + theta).lgamma() - theta.lgamma() - (x + 1).lgamma();
}

Tensor log_nb_multicpa(const Tensor& x, const Tensor& mu, const Tensor& theta) {
  const double eps = 1e-8;
  const Tensor t = theta + eps;
  return (x + t).lgamma() - t.lgamma() - (x + 1).lgamma() - (theta + x) * (mu / t).log1p() +
         x * ((mu + eps).log() - t.log());
}

Tensor reconstruction_loss(const Tensor& hidden, const Mlp::Layer& last, const CellValues& target,
                           const Head& head, const HeadInput& input, Tensor& scratch) {
  const Tensor &weight = last.weight->value, &bias = last.bias->value;
  if (target.on_device.defined() || !head.swept())
    return composed_loss(linear(hidden, weight, bias), target, head, input);
  if (!scratch.defined() || scratch.size(0) != hidden.size(0))
    scratch = at::empty({hidden.size(0), weight.size(0)}, weight.options().requires_grad(false));
  // An autograd function takes no undefined tensors.
  const auto given = [&](const Tensor& t) { return t.defined() ? t : at::empty({0}, scratch.options()); };
  return LikelihoodHead::apply(hidden, weight, bias, given(input.dispersion), target.stored, &head,
                               target.values, given(input.library), scratch, weight.grad());
}

Tensor composed_loss(const Tensor& raw, const CellValues& target, const Head& head,
                     const HeadInput& input) {
  const Decoded d = decoded(raw, head, input);
  const Tensor x = target.dense();
  const double scale = head.sum_genes ? static_cast<double>(x.size(1)) : 1;
  if (head.family == Head::Family::kGaussian) {
    Tensor v = d.second;
    if (head.spread == Spread::kClampedSoftplus) v = v + (v.clamp_min(1e-6) - v).detach();
    return ((v.log() + (d.mean - x).square() / v).mean() * 0.5 +
            (head.sum_genes ? kHalfLog2Pi : 0)) * scale;
  }
  const Tensor log_p = head.zero_inflated() ? log_zinb(x, d)
                       : head.multicpa      ? log_nb_multicpa(x, d.mean, d.second)
                                            : log_nb(x, d.mean, d.second);
  return log_p.mean() * -scale;
}

/// Both parameters of a Gaussian in one sweep.
static Decoded decoded_gaussian(const Tensor& raw, const Head& head) {
  const int64_t rows = raw.size(0), genes = raw.size(1) / 2;
  Decoded d;
  d.mean = at::empty({rows, genes}, raw.options());
  d.second = at::empty_like(d.mean);
  by_type(raw, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    gaussian_outputs(raw.data_ptr<T>(), rows, genes, head.relu_mean, head.spread,
                     d.mean.data_ptr<T>(), d.second.data_ptr<T>());
  });
  return d;
}

Decoded decoded(const Tensor& raw, const Head& head, const HeadInput& input) {
  if (!head.counts() && !head.sigmoid_mean && raw.is_cpu() && raw.is_contiguous() &&
      !at::GradMode::is_enabled())
    return decoded_gaussian(raw, head);
  Decoded d;
  if (head.library) {
    Tensor means = raw;
    if (head.zero_inflated()) std::tie(means, d.zero_logit) = halves(raw, 1);
    d.mean = at::softmax(means, 1) * input.library;
    d.second = input.dispersion.exp();
    return d;
  }
  auto [first, second] = halves(raw, 1);
  if (head.relu_mean) first = first.relu();
  if (head.sigmoid_mean) first = first.sigmoid();
  d.second = head.spread == Spread::kExp ? second.exp() + 1e-4 : at::softplus(second, 1, 40);
  if (head.spread == Spread::kSoftplus) d.second = d.second + 1e-3;
  d.mean = head.counts() ? at::softplus(first, 1, 40) + head.least_mean() : first;
  return d;
}

Tensor expected(const Decoded& d, bool ignore_zeros) {
  if (!d.zero_logit.defined() || ignore_zeros) return d.mean;
  return d.mean * (-d.zero_logit).sigmoid();
}

Tensor variance(const Decoded& d, const Head& head, bool ignore_zeros) {
  if (!head.counts()) return d.second;
  const Tensor nb = d.mean + d.mean.square() / d.second;
  if (!d.zero_logit.defined() || ignore_zeros) return nb;
  const Tensor absent = d.zero_logit.sigmoid();
  return (1 - absent) * (nb + absent * d.mean.square());
}

}  // namespace compert
