// The multilayer perceptron that encoder, decoder and adversaries are made of.
#pragma once
#include <string>
#include <vector>

#include "parameters.h"

namespace compert {

/// Draws initial values in a fixed order from one seeded generator, with torch's distributions.
class Initialiser {
 public:
  Initialiser(int64_t seed, at::ScalarType type);
  /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of a linear layer's weight and bias.
  Tensor linear(at::IntArrayRef shape, int64_t fan_in);
  /// N(0, 1), the default of an embedding.
  Tensor normal(at::IntArrayRef shape);
  Tensor constant(at::IntArrayRef shape, double value) const;

 private:
  at::Generator generator_;
  at::ScalarType type_;
};

/// Linear, then batch norm and ReLU, for every layer but the last, which is a bare linear map.
/// Parameters are named `<name>.network.<index>.{weight,bias}` as torch's Sequential would.
class Mlp {
 public:
  struct Layer {
    Parameter *weight, *bias;
    // batch norm, absent in the last layer
    Parameter *scale = nullptr, *offset = nullptr;
    Buffer *mean = nullptr, *variance = nullptr, *batches = nullptr;
  };

  /// `sizes` = input, hidden ..., output. `transpose_first` stores the first weight gene by gene.
  Mlp(ParameterStore& store, Initialiser& init, const std::string& name,
      const std::vector<int64_t>& sizes, Group group, bool transpose_first = false);

  Tensor forward(const Tensor& x, bool training) const;
  /// Continues from the output of the first linear map.
  Tensor after_first(Tensor first, bool training) const;
  /// Stops before the last linear map.
  Tensor before_last(const Tensor& x, bool training) const;
  const Layer& first() const { return layers_.front(); }
  const Layer& last() const { return layers_.back(); }

 private:
  Tensor hidden(Tensor x, const Layer& layer, bool training) const;
  std::vector<Layer> layers_;
};

}  // namespace compert
