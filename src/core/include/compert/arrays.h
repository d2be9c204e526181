#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace compert {

/// A dense array of doubles in row-major order; a scalar has an empty shape and one value.
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

/// Arrays by name, for example all parameters of a model under the names of its state.
using NamedArrays = std::map<std::string, Array>;

}  // namespace compert
