#include "dosers.h"

#include <torch/custom_class.h>

#include <algorithm>
#include <vector>

#include "kernels.h"

namespace compert {
namespace {

class LinearDoser final : public Doser {
 public:
  Tensor raw(const Slots& s, const DoserContext&) const override { return s.dose; }
  Tensor respond(const Tensor& raw, const Slots& s) const override { return raw * s.filled; }
};

/// sigmoid(beta u + b) - sigmoid(b), with u or log(1 + u).
class SigmoidDoser final : public Doser {
 public:
  SigmoidDoser(ParameterStore& store, Initialiser& init, const std::string& stem, int64_t n, bool log)
      : beta_(store.add(stem + ".beta", init.constant({1, n}, 1), Group::kDosers)),
        bias_(store.add(stem + ".bias", init.constant({1, n}, 0), Group::kDosers)),
        log_(log) {}

  Tensor raw(const Slots& s, const DoserContext&) const override {
    const Tensor u = log_ ? s.dose.log1p() : s.dose;
    const Tensor beta = pick(beta_, s), bias = pick(bias_, s);
    return (beta * u + bias).sigmoid() - bias.sigmoid();
  }
  Tensor respond(const Tensor& raw, const Slots& s) const override { return raw * s.filled; }

 private:
  static Tensor pick(const Parameter* p, const Slots& s) {
    return p->value.view({-1}).index_select(0, s.perturbation.reshape({-1})).view(s.dose.sizes());
  }
  Parameter *beta_, *bias_;
  bool log_;
};

/// 1 where there is something to respond to. theislab/chemCPA asks neither dose nor slot.
Tensor at_work(const Slots& s, bool everywhere) {
  if (everywhere) return at::ones_like(s.dose);
  return (s.dose > 0).to(s.dose.scalar_type()) * s.filled;
}

/// The networks of MlpDoser as one step of autograd, on a CPU.
struct MlpDoserPass : public torch::autograd::Function<MlpDoserPass> {
  struct Kept : public torch::CustomClassHolder {
    std::vector<Parameter*> parameters;  // weight and bias by layer
    Tensor doses;
    std::vector<int64_t> count;
    std::vector<Tensor> values;  // by layer
  };
  /// `parameters` are their values, for the graph alone.
  static Tensor forward(torch::autograd::AutogradContext* ctx, c10::intrusive_ptr<Kept> kept,
                        at::TensorList parameters) {
    for (std::size_t k = 0; k < parameters.size(); k += 2)
      kept->values.push_back(at::empty({kept->doses.size(0), kept->doses.size(1), parameters[k].size(1)},
                                       kept->doses.options()));
    by_type(kept->doses, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      std::vector<typename SmallNetworks<T>::Layer> layers;
      small_networks(described<T>(*kept, layers, {}));
    });
    ctx->saved_data["kept"] = c10::IValue::make_capsule(kept);
    return kept->values.back().detach();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto holder = ctx->saved_data["kept"].toCapsule();
    const Kept& kept = *static_cast<Kept*>(holder.get());
    std::vector<bool> moves;
    for (std::size_t k = 0; k < kept.parameters.size(); k += 2) moves.push_back(ctx->needs_input_grad(k));
    const Tensor d_out = grads[0].contiguous();
    by_type(d_out, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      std::vector<typename SmallNetworks<T>::Layer> layers;
      small_networks_grad(described<T>(kept, layers, moves), d_out.data_ptr<T>());
    });
    return torch::autograd::variable_list(1 + kept.parameters.size());
  }

 private:
  template <class T>
  static SmallNetworks<T> described(const Kept& kept,
                                    std::vector<typename SmallNetworks<T>::Layer>& layers,
                                    const std::vector<bool>& moves) {
    for (std::size_t k = 0; k < kept.values.size(); ++k) {
      const Tensor &weight = kept.parameters[2 * k]->value, &bias = kept.parameters[2 * k + 1]->value;
      const bool moved = k < moves.size() && moves[k];
      layers.push_back({weight.size(2), weight.size(1), weight.data_ptr<T>(), bias.data_ptr<T>(),
                        moved ? weight.grad().data_ptr<T>() : nullptr,
                        moved ? bias.grad().data_ptr<T>() : nullptr, kept.values[k].data_ptr<T>()});
    }
    return {layers.data(),          static_cast<int64_t>(layers.size()), kept.doses.size(0),
            kept.doses.size(1),     kept.doses.data_ptr<T>(),            kept.count.data()};
  }
};

constexpr std::size_t kDosesAtATime = 4;

/// One small network per perturbation, sigmoid at the end, 0 at dose 0. Each runs only on the distinct
/// doses that the batch holds for it.
class MlpDoser final : public Doser {
 public:
  MlpDoser(ParameterStore& store, Initialiser& init, const std::string& stem, int64_t n, int64_t width,
           int64_t depth, bool everywhere, Idle idle = Idle::kMoves)
      : n_(n), everywhere_(everywhere) {
    std::vector<int64_t> sizes(static_cast<std::size_t>(depth), width);
    sizes.insert(sizes.begin(), 1);
    sizes.push_back(1);
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      const int64_t in = sizes[i], out = sizes[i + 1];
      const std::string name = stem + ".*.network." + std::to_string(2 * i);
      layers_.push_back({store.add(name + ".weight", init.linear({n, out, in}, in), Group::kDosers),
                         store.add(name + ".bias", init.linear({n, out}, in), Group::kDosers)});
      for (Parameter* p : {layers_.back().weight, layers_.back().bias}) p->idle = idle;
    }
  }

  Tensor respond(const Tensor& raw, const Slots& s) const override {
    return raw.sigmoid() * at_work(s, everywhere_);
  }

  void prepare(Slots& s) const override { s.grid = distinct_doses(s); }

  Tensor raw(const Slots& s, const DoserContext&) const override {
    const DoseGrid& grid = s.grid;
    Tensor x;
    if (!s.dose.is_cpu()) {
      x = grid.doses.unsqueeze(2);  // perturbations x doses x 1
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        x = at::baddbmm(layers_[i].bias->value.unsqueeze(1), x, layers_[i].weight->value.transpose(1, 2));
        if (i + 1 < layers_.size()) x = x.relu();
      }
    } else {
      auto kept = c10::make_intrusive<MlpDoserPass::Kept>();
      kept->doses = grid.doses;
      kept->count = grid.count;
      std::vector<Tensor> values;
      for (const Layer& layer : layers_)
        for (Parameter* p : {layer.weight, layer.bias}) {
          kept->parameters.push_back(p);
          values.push_back(p->value);
        }
      x = MlpDoserPass::apply(kept, at::TensorList(values));
    }
    return x.reshape({-1}).index_select(0, grid.where).view(s.dose.sizes());
  }

 private:
  struct Layer {
    Parameter *weight, *bias;
  };
  DoseGrid distinct_doses(const Slots& s) const {
    const Tensor codes = s.perturbation.contiguous(), doses = s.dose.detach().to(at::kDouble).contiguous();
    const int64_t* code = codes.data_ptr<int64_t>();
    const double* dose = doses.data_ptr<double>();
    std::vector<std::vector<double>> known(static_cast<std::size_t>(n_));
    std::vector<int64_t> place(static_cast<std::size_t>(codes.numel()));
    std::size_t longest = 1;
    for (std::size_t k = 0; k < place.size(); ++k) {
      auto& list = known[static_cast<std::size_t>(code[k])];
      const auto found = std::find(list.begin(), list.end(), dose[k]);
      place[k] = found - list.begin();
      if (found == list.end()) list.push_back(dose[k]);
      longest = std::max(longest, list.size());
    }
    // In steps, so that batches have few different sizes.
    const auto width = static_cast<int64_t>((longest + kDosesAtATime - 1) / kDosesAtATime * kDosesAtATime);
    const Tensor grid = at::zeros({n_, width}, at::kDouble), where = at::empty_like(codes);
    for (std::size_t j = 0; j < known.size(); ++j)
      std::copy(known[j].begin(), known[j].end(),
                grid.data_ptr<double>() + static_cast<int64_t>(j) * width);
    for (std::size_t k = 0; k < place.size(); ++k)
      where.data_ptr<int64_t>()[k] = code[k] * width + place[k];
    std::vector<int64_t> count;
    for (const auto& list : known) count.push_back(static_cast<int64_t>(list.size()));
    return {grid.to(s.dose.scalar_type()), where.view({-1}), std::move(count)};
  }

  int64_t n_;
  bool everywhere_;
  std::vector<Layer> layers_;
};

/// One network for all perturbations, fed with what is known of them and the dose (chemCPA): also a
/// perturbation that training never met has a curve.
class AmortizedDoser final : public Doser {
 public:
  AmortizedDoser(ParameterStore& store, Initialiser& init, const Settings& s, int64_t n_inputs)
      : everywhere_(s.parity == "chemcpa" || s.parity == "chemcpa_v2"),
        bounded_(s.parity != "chemcpa_v2"),
        network_(store, init, "dosers",
                 {hidden_sizes(n_inputs + 1, s.dosers_width, s.dosers_depth, 1),
                  norm_of(s.embedding_encoder_norm)},
                 Group::kDosers) {}

  Tensor respond(const Tensor& raw, const Slots& s) const override {
    return (bounded_ ? raw.sigmoid() : raw) * at_work(s, everywhere_);
  }

  /// Slot by slot: batch norm sees the rows of one.
  Tensor raw(const Slots& s, const DoserContext& context) const override {
    std::vector<Tensor> columns;
    for (int64_t m = 0; m < s.dose.size(1); ++m) {
      const Tensor input = at::cat({context.known.select(1, m), s.dose.narrow(1, m, 1)}, 1);
      columns.push_back(network_.forward(input, context.training));
    }
    return at::cat(columns, 1);
  }

 private:
  bool everywhere_, bounded_;
  Mlp network_;
};

}  // namespace

std::unique_ptr<Doser> Doser::make(const Settings& s, ParameterStore& store, Initialiser& init,
                                   int64_t n, int64_t n_inputs) {
  if (s.doser_type == "linear") return std::make_unique<LinearDoser>();
  if (s.doser_type == "sigm") return std::make_unique<SigmoidDoser>(store, init, "dosers", n, false);
  if (s.doser_type == "logsigm") return std::make_unique<SigmoidDoser>(store, init, "dosers", n, true);
  if (s.doser_type == "amortized") return std::make_unique<AmortizedDoser>(store, init, s, n_inputs);
  return std::make_unique<MlpDoser>(store, init, "dosers", n, s.dosers_width, s.dosers_depth,
                                    s.model == "chemcpa" && s.parity != "none",
                                    s.parity == "chemcpa"      ? Idle::kRests
                                    : s.parity == "chemcpa_v2" ? Idle::kRestsUntilRun
                                                               : Idle::kMoves);
}

std::unique_ptr<Doser> Doser::make_continuous(const Settings& s, ParameterStore& store, Initialiser& init,
                                              int64_t n) {
  const std::string stem = "continuous_dosers";
  if (s.continuous_doser == "linear") return std::make_unique<LinearDoser>();
  if (s.continuous_doser == "sigm") return std::make_unique<SigmoidDoser>(store, init, stem, n, false);
  return std::make_unique<MlpDoser>(store, init, stem, n, s.dosers_width, s.dosers_depth, true);
}

}  // namespace compert
