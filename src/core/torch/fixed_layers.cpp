#include "fixed_layers.h"

#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "kernels_detail.h"
#include "product.h"

#ifdef COMPERT_HAVE_DNNL
#include "dnnl_cpu.h"
#endif

namespace compert {

#ifdef COMPERT_HAVE_DNNL

/// The weight in the layout that oneDNN prefers, with a product for every number of rows that came in a
/// thread: what oneDNN prepares is for the thread that asked, and for as many as it had.
struct FixedLayer::Packed {
  using Dims = dnnl::memory::dims;
  static constexpr auto kFloat = dnnl::memory::data_type::f32;
  static constexpr int64_t kUsualRows = 256;
  using Key = std::tuple<std::thread::id, int, int64_t>;

  struct Product {
    dnnl::matmul product;
    dnnl::memory x, out;  // without data
    std::vector<dnnl_exec_arg_t> arguments;
  };
  Packed(const Tensor& weight, const Tensor& bias)
      : outputs(weight.size(0)),
        inputs(weight.size(1)),
        bias_layout({1, outputs}, kFloat, Dims{outputs, 1}),
        held_bias(bias_layout, dnnl_cpu(), bias.data_ptr()) {
    const dnnl::memory::desc any({inputs, outputs}, kFloat, dnnl::memory::format_tag::any);
    layout = dnnl_product(rows_of(kUsualRows, inputs), any, bias_layout, rows_of(kUsualRows, outputs))
                 .weights_desc();
    dnnl::memory given({{inputs, outputs}, kFloat, Dims{1, inputs}}, dnnl_cpu(), weight.data_ptr());
    held = dnnl::memory(layout, dnnl_cpu());
    dnnl::reorder(given, held).execute(dnnl_stream(), given, held);
    dnnl_stream().wait();
  }

  static dnnl::memory::desc rows_of(int64_t rows, int64_t columns) {
    return {{rows, columns}, kFloat, Dims{columns, 1}};
  }

  Product& of_rows(int64_t rows) {
    const Key key{std::this_thread::get_id(), sweep_threads(), rows};
    const std::lock_guard<std::mutex> lock(mutex);
    const auto found = known.find(key);
    if (found != known.end()) return found->second;
    const dnnl::memory::desc x = rows_of(rows, inputs), out = rows_of(rows, outputs);
    Product p{dnnl::matmul(dnnl_product(x, layout, bias_layout, out)),
              dnnl::memory(x, dnnl_cpu(), nullptr),
              dnnl::memory(out, dnnl_cpu(), nullptr),
              {}};
    p.arguments = {{DNNL_ARG_SRC, p.x.get()},
                   {DNNL_ARG_WEIGHTS, held.get()},
                   {DNNL_ARG_BIAS, held_bias.get()},
                   {DNNL_ARG_DST, p.out.get()}};
    return known.emplace(key, std::move(p)).first->second;
  }

  void multiply(const Tensor& out, const Tensor& x) {
    Product& p = of_rows(x.size(0));
    p.x.set_data_handle(x.data_ptr());
    p.out.set_data_handle(out.data_ptr());
    dnnl_run(p.product, p.arguments);
  }

  int64_t outputs, inputs;
  dnnl::memory::desc bias_layout, layout;
  dnnl::memory held_bias, held;
  std::mutex mutex;
  std::map<Key, Product> known;
};

FixedLayer::FixedLayer(const Tensor& weight, const Tensor& bias)
    : weight_(weight.detach().contiguous()), bias_(bias.detach().contiguous()) {
  if (weight_.scalar_type() == at::kFloat && weight_.is_cpu() && weight_.numel() > 0 &&
      dnnl_as_compiled())
    translate_dnnl([&] { packed_ = std::make_unique<Packed>(weight_, bias_); });
}

void FixedLayer::into(const Tensor& out, const Tensor& x) const {
  if (packed_ && x.size(0) > 0 && x.is_contiguous() && out.is_contiguous() && !ReducedProducts::on())
    translate_dnnl([&] { packed_->multiply(out, x); });
  else
    product_into(out, x, weight_.t(), bias_);
}

#else

struct FixedLayer::Packed {};

FixedLayer::FixedLayer(const Tensor& weight, const Tensor& bias)
    : weight_(weight.detach().contiguous()), bias_(bias.detach().contiguous()) {}

void FixedLayer::into(const Tensor& out, const Tensor& x) const {
  product_into(out, x, weight_.t(), bias_);
}

#endif

FixedLayer::~FixedLayer() = default;
FixedLayer::FixedLayer(FixedLayer&&) noexcept = default;

Tensor FixedLayer::operator()(const Tensor& x) const {
  Tensor out = at::empty({x.size(0), weight_.size(0)}, weight_.options());
  into(out, x);
  return out;
}

FixedMlp::FixedMlp(const Mlp& mlp) : mlp_(mlp) {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i + 1 < mlp.layers_.size(); ++i) {
    const Mlp::Layer& layer = mlp.layers_[i];
    const Tensor &weight = layer.weight->value, &bias = layer.bias->value;
    if (mlp.norm_ == Norm::kBatch) {
      const Tensor factor = layer.scale->value * (layer.variance->value + mlp.statistics_.epsilon).rsqrt();
      layers_.emplace_back(weight * factor.unsqueeze(1),
                           (bias - layer.mean->value) * factor + layer.offset->value);
    } else {
      layers_.emplace_back(weight, bias);
    }
  }
}

Tensor FixedMlp::before_last(const Tensor& x) const {
  at::NoGradGuard no_grad;
  Tensor h = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    h = layers_[i](mlp_.joined(i, h, x));
    if (mlp_.norm_ == Norm::kLayer) h = layer_norm(h);
    h.relu_();  // NaN stays NaN, which it would not in oneDNN
  }
  return mlp_.joined(layers_.size(), h, x);
}

}  // namespace compert
