#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace compert {

/// What LibTorch can compute on, here and now.
struct DeviceInfo {
  std::string libtorch;               ///< version that runs
  bool cuda_built = false;            ///< LibTorch was built with CUDA
  std::vector<std::string> cuda_devices;
  std::string cuda_reason;            ///< why CUDA cannot be used; empty when it can
  int64_t threads = 1;                ///< threads of one parallel region
  std::string parallel;               ///< LibTorch's own account of BLAS and threads
  std::string dnnl;                   ///< version of oneDNN; empty where it is not built in
  std::string no_bfloat16;            ///< why the CPU cannot multiply bfloat16; empty when it can
};
DeviceInfo device_info();

/// Threads of parallel regions started from the calling thread, at least 1.
void set_threads(int64_t n);

}  // namespace compert
