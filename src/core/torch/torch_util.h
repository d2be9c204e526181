// The translation between LibTorch's world and the core's.
#pragma once
#include <utility>

#include "compert/arrays.h"
#include "compert/error.h"
#include "libtorch.h"

namespace compert {

using at::Tensor;

/// Runs `body`; an error of LibTorch becomes a core error with its one useful line.
template <class Body>
auto translate(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const c10::Error& e) {
    const std::string why = e.what_without_backtrace();
    const auto size = why.find("ried to allocate");  // after lines about the place in the code
    if (size == std::string::npos) throw Error("", "LibTorch failed: " + why);
    throw Error("", "There must be memory for the network and for what is computed", "LibTorch t" + why.substr(size),
                "Close what else needs it; a fit needs less with smaller autoencoder_width, decoder_width or batch_size");
  }
}

/// Calls body(float*) or body(double*) with a typed null pointer, by the tensor's type.
template <class Body>
void by_type(const Tensor& t, Body&& body) {
  if (t.scalar_type() == at::kFloat)
    body(static_cast<float*>(nullptr));
  else
    body(static_cast<double*>(nullptr));
}

/// Both halves of a tensor along a dimension; their derivatives become one again in a single step.
inline std::pair<Tensor, Tensor> halves(const Tensor& t, int64_t dim) {
  const std::vector<Tensor> both = t.chunk(2, dim);
  return {both[0], both[1]};
}

inline Array to_array(const Tensor& tensor) {
  const Tensor t = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  Array out;
  out.shape.assign(t.sizes().begin(), t.sizes().end());
  out.values.assign(t.data_ptr<double>(), t.data_ptr<double>() + t.numel());
  return out;
}

inline Tensor to_tensor(const Array& array) {
  const Tensor t = at::empty(array.shape, at::kDouble);
  if (static_cast<int64_t>(array.values.size()) != t.numel())
    throw Error("", "an array's values must fill its shape");
  std::copy(array.values.begin(), array.values.end(), t.data_ptr<double>());
  return t;
}

}  // namespace compert
