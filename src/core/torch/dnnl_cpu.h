// The processor as oneDNN's engine; included where the package was built with oneDNN.
#pragma once
#include <string>
#include <vector>

#include <dnnl.hpp>

#include "compert/error.h"
#include "held_signals.h"

namespace compert {

inline const dnnl::engine& dnnl_cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

inline dnnl::stream& dnnl_stream() {
  thread_local dnnl::stream stream(dnnl_cpu());
  return stream;
}

/// Another oneDNN may have come first into the process, with a LibTorch that brought its own.
inline bool dnnl_as_compiled() {
  static const bool same = dnnl_version()->major == DNNL_VERSION_MAJOR;
  return same;
}

/// The product a b + bias, as both versions of oneDNN's interface describe it.
inline dnnl::matmul::primitive_desc dnnl_product(const dnnl::memory::desc& a,
                                                 const dnnl::memory::desc& b,
                                                 const dnnl::memory::desc& bias,
                                                 const dnnl::memory::desc& out,
                                                 const dnnl::primitive_attr& attributes = {}) {
#if DNNL_VERSION_MAJOR >= 3
  return {dnnl_cpu(), a, b, bias, out, attributes};
#else
  return {bias.is_zero() ? dnnl::matmul::desc(a, b, out) : dnnl::matmul::desc(a, b, bias, out),
          attributes, dnnl_cpu()};
#endif
}

/// As primitive::execute(), without a map of the arguments.
inline void dnnl_run(const dnnl::primitive& primitive, const std::vector<dnnl_exec_arg_t>& arguments) {
  const HeldSignals held_signals;
  dnnl::stream& stream = dnnl_stream();
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive.get(), stream.get(), static_cast<int>(arguments.size()),
                             arguments.data()),
      "could not multiply matrices");
  stream.wait();
}

/// Runs `body`; an error of oneDNN becomes one of the core.
template <class Body>
auto translate_dnnl(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const dnnl::error& e) {
    throw Error("", std::string("oneDNN failed: ") + e.what());
  }
}

}  // namespace compert
