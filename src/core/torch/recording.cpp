#include "recording.h"

#include <cstring>

namespace compert {
namespace {

constexpr int64_t kTimesBefore = 3;         // that a work is done before it is recorded: libraries settle
constexpr std::size_t kMostRecordings = 32;  // each keeps the memory of its step
constexpr std::size_t kMostKnown = 1024;

std::map<c10::DeviceType, RecordingDevice>& devices() {
  static std::map<c10::DeviceType, RecordingDevice> all = {{c10::DeviceType::CUDA, cuda_recording()}};
  return all;
}

}  // namespace

void set_recording_device(c10::DeviceType type, RecordingDevice device) {
  devices()[type] = std::move(device);
}

const RecordingDevice& recording_device(at::Device device) { return devices()[device.type()]; }

void WorkKey::add(const Tensor& t) {
  if (!t.defined()) return values_.push_back(-1);
  values_.push_back(reinterpret_cast<int64_t>(t.data_ptr()));
  values_.push_back(t.dim());
  values_.insert(values_.end(), t.sizes().begin(), t.sizes().end());
}

void WorkKey::add(double value) {
  int64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  values_.push_back(bits);
}

Recorder::Recorder(at::Device device) : where_(device), device_(recording_device(device)) {
  if (device_.enter) entered_ = device_.enter(device);
}

void Recorder::run(const WorkKey& key, const std::function<void()>& work) {
  if (known_.size() > kMostKnown)
    for (auto i = known_.begin(); i != known_.end();) i = i->second.recording ? std::next(i) : known_.erase(i);
  Known& known = known_[key];
  if (known.recording) {
    known.noise.draw(where_);
    return known.recording->replay();
  }
  if (++known.times <= kTimesBefore || recordings_ == kMostRecordings) return known.noise.play(where_, work);
  auto recording = device_.make();
  known.noise.play(where_, [&] { recording->record(work); });
  known.recording = std::move(recording);
  ++recordings_;
}

}  // namespace compert
