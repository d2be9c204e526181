#include "recording.h"

#include <cstring>

namespace compert {
namespace {

constexpr int64_t kTimesBefore = 3;         // that a work is done before it is recorded: libraries settle
constexpr std::size_t kMostRecordings = 32;  // each keeps the memory of its step
constexpr std::size_t kMostKnown = 1024;
constexpr int64_t kLong = 256;  // runs

std::map<c10::DeviceType, BeginSession>& devices() {
  static std::map<c10::DeviceType, BeginSession> all = {{c10::DeviceType::CUDA, cuda_recording()}};
  return all;
}

}  // namespace

void set_recording(c10::DeviceType type, BeginSession begin) { devices()[type] = std::move(begin); }

std::unique_ptr<RecordingSession> begin_recording_session(at::Device device) {
  const auto found = devices().find(device.type());
  return found == devices().end() || !found->second ? nullptr : found->second(device);
}

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

Recorder::Recorder(at::Device device) : device_(device), session_(begin_recording_session(device)) {}

bool Recorder::may_record() {
  if (recordings_ < kMostRecordings) return true;
  auto oldest = known_.end();
  for (auto i = known_.begin(); i != known_.end(); ++i)
    if (i->second.recording && (oldest == known_.end() || i->second.last < oldest->second.last)) oldest = i;
  if (runs_ - oldest->second.last < kLong) return false;
  at::zeros({1}, at::TensorOptions(device_)).item<float>();  // it may still be at work
  known_.erase(oldest);
  --recordings_;
  return true;
}

void Recorder::run(const WorkKey& key, const std::function<void()>& work) {
  if (known_.size() > kMostKnown)
    for (auto i = known_.begin(); i != known_.end();) i = i->second.recording ? std::next(i) : known_.erase(i);
  Known& known = known_[key];
  known.last = ++runs_;
  if (known.recording) {
    known.noise.draw(device_);
    return known.recording->replay();
  }
  if (++known.times <= kTimesBefore || !may_record()) return known.noise.play(device_, work);
  auto recording = session_->make();
  known.noise.play(device_, [&] { recording->record(work); });
  known.recording = std::move(recording);
  ++recordings_;
}

}  // namespace compert
