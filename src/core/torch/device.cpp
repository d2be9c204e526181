#include "compert/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "impl.h"
#include "product.h"

namespace compert {

DeviceInfo device_info() {
  DeviceInfo info;
  info.libtorch = TORCH_VERSION;
  info.cuda_built = at::globalContext().hasCUDA() || at::detail::getCUDAHooks().hasCUDA();
  info.threads = at::get_num_threads();
  info.parallel = at::get_parallel_info();
  const ProductLibrary products = product_library();
  info.dnnl = products.dnnl;
  info.no_bfloat16 = products.no_bfloat16;
  if (!at::globalContext().hasCUDA()) {
    info.cuda_reason = "this LibTorch was built without CUDA, or its CUDA library is not loaded";
    return info;
  }
  const auto n = static_cast<int64_t>(torch::cuda::device_count());
  for (int64_t i = 0; i < n; ++i) info.cuda_devices.push_back("cuda:" + std::to_string(i));
  if (n == 0) info.cuda_reason = "no CUDA device or driver was found";
  return info;
}

void set_threads(int64_t n) {
  if (n < 1) throw Error("threads", "must be at least 1", std::to_string(n));
  // LibTorch starts further threads, which wait busily for a while, even where the number stays.
  if (at::get_num_threads() == n) return;
  translate([n] { at::set_num_threads(static_cast<int>(n)); });
}

namespace {

// LibTorch alone would count physical cores: one on a machine of two hardware threads.
int64_t cores() { return std::max<int64_t>(1, std::thread::hardware_concurrency()); }

/// Threads that wait for each other in every product need a core each: a step by 32 of them on two cores takes ten
/// times as long as by two, and one by a thousand does not end.
bool too_many(int64_t threads) { return threads > 2 * cores(); }

}  // namespace

void check_threads(int64_t n) {
  if (!too_many(n)) return;
  throw Error("threads", "must be at most twice the number of cores, since threads wait for each other",
              std::to_string(n) + " was given, for " + std::to_string(cores()) + (cores() == 1 ? " core" : " cores"),
              "Give threads = 0 to use every core");
}

void use_threads(int64_t n) {
  if (n == 0) {  // whatever an earlier fit has used
    const char* asked = std::getenv("OMP_NUM_THREADS");
    n = asked == nullptr ? 0 : std::atoi(asked);
  }
  set_threads(n > 0 && !too_many(n) ? n : cores());
}

at::Device pick_device(const std::string& setting) {
  if (setting == "cpu") return at::kCPU;
  if (setting == "privateuseone") {
    const at::Device device(c10::DeviceType::PrivateUse1, 0);
    if (c10::impl::hasDeviceGuardImpl(device.type())) return device;
    throw Error("device", "must be a device that LibTorch can use",
                "\"privateuseone\" was given, and no backend from outside has registered itself",
                "Load the backend's library first, or use device = \"cpu\"");
  }
  const DeviceInfo info = device_info();
  const auto n = static_cast<int64_t>(info.cuda_devices.size());
  if (setting == "auto") return n > 0 ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  const int64_t index = setting == "cuda" ? 0 : std::stoll(setting.substr(5));
  if (index >= n)
    throw Error("device", "must be a device that LibTorch can use",
                "\"" + setting + "\" was given; " +
                    (n == 0 ? info.cuda_reason : std::to_string(n) + " CUDA devices are there"),
                "Use device = \"cpu\" or \"auto\"; device_info() shows what is there");
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace compert
