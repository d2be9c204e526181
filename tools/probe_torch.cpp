// Used by configure: is this LibTorch new enough, of our C++ ABI, and does it run?
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <dlfcn.h>

#include <cstdio>

namespace {

const char* loaded_from() {
  Dl_info info;
  const auto symbol = reinterpret_cast<void*>(&at::_ops::ones::call);
  return dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "?";
}

}  // namespace

int main() {
#if TORCH_VERSION_MAJOR < 1 || (TORCH_VERSION_MAJOR == 1 && TORCH_VERSION_MINOR < 13)
  std::fprintf(stderr, "LibTorch %s is too old: 1.13 or newer is needed\n", TORCH_VERSION);
  return 3;
#endif
  bool caught = false;
  try {
    at::ones({2, 3}).mm(at::ones({2, 3}));
  } catch (const c10::Error&) {
    caught = true;
  }
  if (!caught) {
    std::fprintf(stderr, "an error thrown by LibTorch was not caught: mixed C++ runtimes\n");
    return 4;
  }
  if (at::ones({2, 3}).sum().item<float>() != 6.0F) return 5;
#if defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
  const char* abi = "pre-C++11 ABI";
#else
  const char* abi = "C++11 ABI";
#endif
  std::printf("%s, %s, %s\n", TORCH_VERSION, abi, loaded_from());
  return 0;
}
