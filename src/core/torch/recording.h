// Steps of a device that are recorded once and then repeated as a whole: a step is hundreds of small
// kernels, and asking for each of them takes longer than the device works on it.
#pragma once
#include <functional>
#include <map>
#include <memory>
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

/// While there is one, its thread works where a device can record. The recordings share their memory: only one
/// is made or replayed at a time, and nothing of it is read after the next.
class RecordingSession {
 public:
  virtual ~RecordingSession() = default;
  virtual std::unique_ptr<Recording> make() = 0;
};
using BeginSession = std::function<std::unique_ptr<RecordingSession>(at::Device)>;
/// How devices of a kind that LibTorch did not bring itself begin one.
void set_recording(c10::DeviceType type, BeginSession begin);
/// Null where a device cannot record, as a processor.
std::unique_ptr<RecordingSession> begin_recording_session(at::Device device);
/// CUDA graphs, where the package was built with them (recording_cuda.cpp); else empty.
BeginSession cuda_recording();

/// Gives back to a CUDA device what LibTorch keeps of its memory for later: recordings cannot take from that.
void release_kept_memory(at::Device device);

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
  bool records() const { return session_ != nullptr; }
  /// `work` must be all that it depends on in `key`, beside memory that stays.
  void run(const WorkKey& key, const std::function<void()>& work);

 private:
  struct Known {
    int64_t times = 0;
    std::unique_ptr<Recording> recording;
    NoiseTape noise;
    int64_t last = 0;  // the run that it was last part of
  };
  /// Makes room for one more, where the one that has not been replayed for longest has not been for long.
  bool may_record();
  at::Device device_;
  std::unique_ptr<RecordingSession> session_;
  std::map<WorkKey, Known> known_;
  std::size_t recordings_ = 0;
  int64_t runs_ = 0;
};

}  // namespace compert
