// Recordings as CUDA graphs.
#include "recording.h"

#ifdef COMPERT_HAVE_CUDA_GRAPHS
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

namespace compert {
namespace {

using Memory = decltype(at::cuda::graph_pool_handle());

class CudaRecording final : public Recording {
 public:
  explicit CudaRecording(Memory memory) : memory_(memory) {}
  void record(const std::function<void()>& work) override {
    graph_.capture_begin(memory_);
    try {
      work();
      graph_.capture_end();
    } catch (const c10::Error& e) {
      try {
        graph_.capture_end();
      } catch (const c10::Error&) {  // of a capture that is broken already
      }
      throw Error("device", "must be one whose training steps can be captured as CUDA graphs",
                  e.what_without_backtrace(),
                  "Use device = \"cpu\", or install compert where CUDA's headers are not found: steps are then "
                  "done kernel by kernel");
    }
    graph_.replay();  // capturing does nothing yet
  }
  void replay() override { graph_.replay(); }

 private:
  Memory memory_;
  at::cuda::CUDAGraph graph_;
};

/// A stream of this thread's own: the default one cannot be captured. What was asked of one is done before
/// the other begins.
class CudaSession final : public RecordingSession {
 public:
  explicit CudaSession(at::Device device)
      : guard_((wait(device), c10::cuda::getStreamFromPool(false, device.index()))), device_(device) {}
  ~CudaSession() override {
    try {
      wait(device_);
    } catch (const c10::Error&) {  // which the next call to the device will report
    }
  }
  std::unique_ptr<Recording> make() override { return std::make_unique<CudaRecording>(memory_); }

 private:
  static void wait(at::Device device) {
    const c10::cuda::CUDAGuard guard(device);
    c10::cuda::device_synchronize();
  }
  c10::cuda::CUDAStreamGuard guard_;
  at::Device device_;
  Memory memory_ = at::cuda::graph_pool_handle();
};

}  // namespace

BeginSession cuda_recording() {
  return [](at::Device device) { return std::make_unique<CudaSession>(device); };
}

}  // namespace compert

#else

namespace compert {

BeginSession cuda_recording() { return {}; }

}  // namespace compert

#endif
