// The multilayer perceptron that encoder, decoder and adversaries are made of.
#pragma once
#include <string>
#include <vector>

#include "noise.h"
#include "parameters.h"

namespace compert {

/// Draws initial values in a fixed order from one seeded generator, with torch's distributions.
class Initialiser {
 public:
  Initialiser(int64_t seed, at::ScalarType type, Use use = Use::kFit);
  /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of a linear layer's weight and bias.
  Tensor linear(at::IntArrayRef shape, int64_t fan_in);
  /// N(0, 1), the default of an embedding.
  Tensor normal(at::IntArrayRef shape);
  Tensor constant(at::IntArrayRef shape, double value) const;
  at::ScalarType type() const { return type_; }

 private:
  at::Generator generator_;
  at::ScalarType type_;
  bool draws_;  // else the values are left as they are in memory
};

enum class Norm { kBatch, kLayer, kNone };
/// Layer norm has no parameters.
inline Tensor layer_norm(const Tensor& x) { return at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-5, false); }
Norm norm_of(const std::string& name);
/// input, `depth` hidden layers of `width`, output
std::vector<int64_t> hidden_sizes(int64_t in, int64_t width, int64_t depth, int64_t out);

/// Layers that take other genes to those of a model that was trained before, and back (chemCPA). They
/// have names of their own, so that the layers between keep theirs: the first linear map is
/// `henc_linear` with `henc_bn`, the last one `hdec_linear`, after `hdec_bn`.
enum class Appended { kNone, kFirst, kLast };

/// What an Mlp is made of, beside its place in the model.
struct MlpShape {
  std::vector<int64_t> sizes;  // input, hidden ..., output
  Norm norm = Norm::kBatch;
  double dropout = 0;
  double epsilon = 1e-5;   // of the batch norm
  double momentum = 0.1;
  /// The last layer reads the input beside the last hidden layer. With an appended last layer it is the one
  /// before, as in the model that was trained before.
  bool skip = false;
  Appended appended = Appended::kNone;
  double appended_lr_factor = 1;  // their learning rate beside that of the other layers
};

/// Linear, then normalisation, ReLU and dropout, for every layer but the last, which is a bare
/// linear map. Layer norm has no parameters. Parameters are named
/// `<name>.network.<index>.{weight,bias}` as torch's Sequential would.
class Mlp {
 public:
  struct Layer {
    Parameter *weight, *bias;
    // batch norm, null elsewhere
    Parameter *scale = nullptr, *offset = nullptr;
    Buffer *mean = nullptr, *variance = nullptr, *batches = nullptr;
  };

  struct Statistics {  // of batch norm
    double epsilon, momentum;
  };

  /// `transpose_first` stores the first weight gene by gene.
  Mlp(ParameterStore& store, Initialiser& init, const std::string& name, const MlpShape& shape,
      Group group, bool transpose_first = false, double lr_factor = 1);

  /// Where dropout masks come from while training; must be set before a forward pass in training
  /// when there is dropout.
  void set_noise(Noise* noise) { noise_ = noise; }

  Tensor forward(const Tensor& x, bool training) const;
  /// Continues from the output of the first linear map.
  Tensor after_first(Tensor first, bool training) const;
  /// Stops before the last linear map: what that one reads.
  Tensor before_last(const Tensor& x, bool training) const;
  /// The output for `x` while training, and the mean over cells and dimensions of
  /// (d sum(output) / d x)^2, the gradient penalty.
  struct Penalised {
    Tensor output, penalty;
  };
  Penalised forward_with_penalty(const Tensor& x) const;
  int64_t multiply_adds() const {  // per row
    int64_t sum = 0;
    for (const Layer& layer : layers_) sum += layer.weight->value.numel();
    return sum;
  }
  const Layer& first() const { return layers_.front(); }
  const Layer& last() const { return layers_.back(); }

 private:
  friend struct MlpPass;
  friend class FixedMlp;
  /// What a pass leaves out or adds: it begins with the output of the first linear map, ends before the
  /// last one, also returns the gradient penalty.
  struct Span {
    bool after_first = false, before_last = false, penalty = false;
  };
  /// Whether training goes through pass().
  bool swept(const Tensor& x) const {
    return norm_ == Norm::kBatch && x.is_cpu() && x.dim() == 2 && x.size(0) > 1;
  }
  /// All layers of the span, in one step of autograd: see mlp_pass.cpp.
  Penalised pass(const Tensor& x, Span span) const;
  /// The input of a layer: the last hidden values, and the input of all where the layer reads that too.
  Tensor joined(std::size_t layer, const Tensor& hidden, const Tensor& x) const {
    return layer == skip_to_ ? at::cat({hidden, x}, 1) : hidden;
  }
  /// Factors of dropout for hidden values.
  Tensor slopes(const Tensor& hidden) const;
  Tensor hidden(Tensor x, const Layer& layer, bool training) const;
  Tensor linear_of(const Layer& layer, const Tensor& x) const;
  std::vector<Layer> layers_;
  Norm norm_;
  double dropout_;
  std::size_t skip_to_;  // the layer that also reads the input; none: their number
  Statistics statistics_;
  Noise* noise_ = nullptr;
};

}  // namespace compert
