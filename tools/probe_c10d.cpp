// Used by configure: can data-parallel training over Gloo be built with this LibTorch?
// The class is declared here because its own header costs 13 s; gloo's headers and the symbol are
// what decides. Since LibTorch 2.8 the function has a further argument: PROBE_LAZY_INIT.
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
#ifdef PROBE_LAZY_INIT
  static std::shared_ptr<::gloo::transport::Device> createDeviceForHostname(const std::string& name,
                                                                            bool lazy_init = false);
#else
  static std::shared_ptr<::gloo::transport::Device> createDeviceForHostname(const std::string& name);
#endif
};

}  // namespace c10d

int main() {
  const auto device = c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  if (device == nullptr) return 4;
  std::printf("Gloo\n");
  return 0;
}
