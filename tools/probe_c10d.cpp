// Used by configure: can data-parallel training over Gloo be built with this LibTorch?
// The class is declared here because its own header costs 13 s; gloo's headers and the symbol are
// what decides.
#include <gloo/transport/tcp/device.h>

#include <cstdio>
#include <memory>
#include <string>

#if !__has_include(<torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>)
#error "this LibTorch has no c10d headers"
#endif

namespace c10d {

class ProcessGroupGloo {
 public:
  static std::shared_ptr<::gloo::transport::Device> createDeviceForHostname(const std::string& name);
};

}  // namespace c10d

int main() {
  const auto device = c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  if (device == nullptr) return 4;
  std::printf("Gloo\n");
  return 0;
}
