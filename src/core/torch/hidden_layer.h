// Batch norm, ReLU and dropout of a hidden layer while training, in sweeps.
#pragma once
#include "mlp.h"

namespace compert {

/// What a pass leaves: the output, and what its derivatives need.
struct HiddenPass {
  Tensor out, normalised, inverse;
  Tensor slope;  // of every value: 0 below zero, else 1 or the factor of dropout
};

/// `slope` holds ones or the factors of dropout, and is changed. The running statistics move.
HiddenPass hidden_pass(const Tensor& a, const Mlp::Layer& layer, const Mlp::Statistics& statistics,
                       Tensor slope);
/// The same for autograd.
Tensor hidden_layer(const Tensor& a, const Mlp::Layer& layer, const Mlp::Statistics& statistics,
                    Tensor slope);

}  // namespace compert
