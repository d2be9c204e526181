// Steps of a device that are recorded once and then repeated as a whole: a step is hundreds of small
// kernels, and asking for each of them takes longer than the device works on it.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "noise.h"

namespace compert {

/// Kernels in their order, with the memory that they read and write.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Does the work and keeps how. It may ask nothing of the device and bring nothing there.
  virtual void record(const std::function<void()>& work) = 0;
  /// Does it again: on what is then in the memory that the work read.
  virtual void replay() = 0;
};

/// How a kind of device records.
struct RecordingDevice {
  std::function<std::unique_ptr<Recording>()> make;
  /// Until the returned object goes, this thread works where recordings can be made.
  std::function<std::shared_ptr<void>(at::Device)> enter;
};
/// Of a device that LibTorch did not bring itself.
void set_recording_device(c10::DeviceType type, RecordingDevice device);
/// Its members are empty where a device cannot record, as a processor.
const RecordingDevice& recording_device(at::Device device);
/// CUDA graphs, where the package was built with them (recording_cuda.cpp).
RecordingDevice cuda_recording();

/// What distinguishes works that look alike: addresses and sizes of tensors that they read, and numbers that
/// they were made with.
class WorkKey {
 public:
  void add(const Tensor& t);
  void add(double value);
  bool operator<(const WorkKey& other) const { return values_ < other.values_; }

 private:
  std::vector<int64_t> values_;
};

/// Does works one after the other, those that return by recordings.
class Recorder {
 public:
  explicit Recorder(at::Device device);
  bool records() const { return static_cast<bool>(device_.make); }
  /// `work` must be all that it depends on in `key`, beside memory that stays.
  void run(const WorkKey& key, const std::function<void()>& work);

 private:
  struct Known {
    int64_t times = 0;
    std::unique_ptr<Recording> recording;
    NoiseTape noise;
  };
  at::Device where_;
  RecordingDevice device_;
  std::shared_ptr<void> entered_;
  std::map<WorkKey, Known> known_;
  std::size_t recordings_ = 0;
};

}  // namespace compert
