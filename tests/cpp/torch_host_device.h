/// A device for tests that have no card: LibTorch's slot for backends from outside, "privateuseone".
///
/// Its memory is the host's, but only its kernels (which are the processor's) can read it: code that takes a
/// device's pointer for its own ends at once. Tensors of two devices in one kernel
/// are an error, as on a card. What a card would be asked to do is counted.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace host_device {

constexpr const char* kName = "privateuseone";

struct Counts {
  int64_t kernels = 0;    ///< launched, without those that only view what is there
  int64_t uploads = 0;    ///< copies to the device
  int64_t downloads = 0;  ///< copies from it: the host waits for every kernel before
  int64_t replays = 0;    ///< of recordings, whose kernels are in `kernels`
  int64_t strays = 0;     ///< uploads of other threads than the one with a session of recordings
  std::map<std::string, int64_t> by_kernel;
};
/// Since the last call.
Counts take_counts();

}  // namespace host_device
