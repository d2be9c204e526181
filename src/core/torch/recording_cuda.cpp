// Recordings as CUDA graphs.
#include "recording.h"

#ifdef COMPERT_HAVE_CUDA_GRAPHS
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

#include <utility>

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
    } catch (const c10::Error& e) {
      give_up();
      refuse(e);
    } catch (...) {
      give_up();
      throw;
    }
    try {
      graph_.capture_end();
    } catch (const c10::Error& e) {
      refuse(e);
    }
    graph_.replay();  // capturing does nothing yet
  }
  void replay() override { graph_.replay(); }

 private:
  /// The stream must not stay in a capture.
  void give_up() {
    try {
      graph_.capture_end();
    } catch (const c10::Error&) {  // of a capture that is broken already
    }
  }
  [[noreturn]] static void refuse(const c10::Error& e) {
    throw Error("device", "must be one whose training steps can be captured as CUDA graphs",
                e.what_without_backtrace(),
                "Use device = \"cpu\", or install compert where CUDA's headers are not found: steps are then "
                "done kernel by kernel");
  }
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
  std::unique_ptr<Recording> make() override {
    if (!std::exchange(began_, true)) release_kept_memory(device_);
    return std::make_unique<CudaRecording>(memory_);
  }

 private:
  static void wait(at::Device device) {
    const c10::cuda::CUDAGuard guard(device);
    c10::cuda::device_synchronize();
  }
  c10::cuda::CUDAStreamGuard guard_;
  at::Device device_;
  Memory memory_ = at::cuda::graph_pool_handle();
  bool began_ = false;
};

}  // namespace

void release_kept_memory(at::Device device) {
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
}

BeginSession cuda_recording() {
  return [](at::Device device) { return std::make_unique<CudaSession>(device); };
}

}  // namespace compert

#else

namespace compert {

void release_kept_memory(at::Device) {}

BeginSession cuda_recording() { return {}; }

}  // namespace compert

#endif
