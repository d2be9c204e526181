#include "torch_host_device.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "torch/recording.h"

namespace host_device {
namespace {

using at::Tensor;
using Stack = torch::jit::Stack;

constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;
const c10::Device kDevice(kType, 0);

/// Memory with two addresses: at the one that tensors have nothing can be read or written, at the other one
/// kernels work.
class Memory {
 public:
  Memory() {
    const int file = ::memfd_create("device", 0);
    TORCH_CHECK(file >= 0 && ::ftruncate(file, kBytes) == 0, "no memory for a device");
    const auto map = [file](int protection) {
      return static_cast<char*>(::mmap(nullptr, kBytes, protection, MAP_SHARED | MAP_NORESERVE, file, 0));
    };
    base_ = map(PROT_NONE);
    open_ = map(PROT_READ | PROT_WRITE);
    ::close(file);
  }
  void* take(std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    bytes = (std::max<std::size_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
      if (gap->second < bytes) continue;
      const std::size_t begin = gap->first, left = gap->second - bytes;
      gaps_.erase(gap);
      if (left > 0) gaps_.emplace(begin + bytes, left);
      taken_.emplace(begin, bytes);
      return base_ + begin;
    }
    TORCH_CHECK(false, "the device's memory is full");
  }
  void give_back(void* p) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = taken_.find(static_cast<std::size_t>(static_cast<char*>(p) - base_));
    auto gap = gaps_.emplace(found->first, found->second).first;
    taken_.erase(found);
    const auto after = std::next(gap);
    if (after != gaps_.end() && gap->first + gap->second == after->first) {
      gap->second += after->second;
      gaps_.erase(after);
    }
    if (gap == gaps_.begin()) return;
    const auto before = std::prev(gap);
    if (before->first + before->second != gap->first) return;
    before->second += gap->second;
    gaps_.erase(gap);
  }
  void* for_kernels(void* p) const { return open_ + (static_cast<char*>(p) - base_); }

 private:
  static constexpr std::size_t kAlign = 64, kBytes = std::size_t(4) << 30;
  char *base_, *open_;
  std::map<std::size_t, std::size_t> gaps_{{0, kBytes}}, taken_;  // size by beginning
  std::mutex mutex_;
};

Memory& memory() {
  static Memory* one = new Memory;  // tensors may outlive everything else
  return *one;
}

std::mutex counts_mutex;
Counts counts;

std::thread::id session_thread;  // of a session of recordings; none without one

template <class Change>
void count(Change&& change) {
  const std::lock_guard<std::mutex> lock(counts_mutex);
  change(counts);
}

using Launch = std::function<void()>;
std::mutex launches_mutex;
std::vector<Launch>* launches = nullptr;  // of the recording that is being made

void remember(Launch&& launch) {
  const std::lock_guard<std::mutex> lock(launches_mutex);
  if (launches != nullptr) launches->push_back(std::move(launch));
}

void check_not_recording(const char* what) {
  const std::lock_guard<std::mutex> lock(launches_mutex);
  TORCH_CHECK(launches == nullptr, what, " while a recording is made");
}

bool is_ours(const Tensor& t) { return t.defined() && t.device().type() == kType; }

/// A tensor of the processor over the same memory, for a kernel.
Tensor over_memory(const Tensor& t) {
  if (t.storage().nbytes() == 0) return at::empty(t.sizes(), t.options().device(at::kCPU));
  const auto whole = static_cast<int64_t>(t.storage().nbytes() / t.itemsize());
  Tensor out = at::from_blob(memory().for_kernels(t.storage().data_ptr().get()), {whole},
                             t.options().device(at::kCPU));
  out.unsafeGetTensorImpl()->set_storage_offset(t.storage_offset());
  out.unsafeGetTensorImpl()->set_sizes_and_strides(t.sizes(), t.strides());
  return out;
}

Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, c10::ScalarType type) {
  int64_t span = 1;
  for (std::size_t k = 0; k < size.size(); ++k) span += (size[k] - 1) * stride[k];
  for (const int64_t n : size)
    if (n == 0) span = 0;
  const std::size_t bytes = static_cast<std::size_t>(span) * c10::elementSize(type);
  void* p = memory().take(bytes);
  c10::DataPtr data(p, p, [](void* q) { memory().give_back(q); }, kDevice);
  Tensor out = at::detail::make_tensor<c10::TensorImpl>(
      c10::Storage(c10::Storage::use_byte_size_t(), bytes, std::move(data), nullptr, false),
      c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::scalarTypeToTypeMeta(type));
  out.unsafeGetTensorImpl()->set_sizes_and_strides(size, stride);
  return out;
}

Tensor new_from(const Tensor& host) {
  Tensor out = empty_strided(host.sizes(), host.strides(), host.scalar_type());
  over_memory(out).copy_(host);
  return out;
}

/// Of an output that a kernel gave its size.
void take_memory_of(const Tensor& to, const Tensor& from) {
  to.unsafeGetTensorImpl()->set_storage_keep_dtype(from.storage());
  to.unsafeGetTensorImpl()->set_sizes_and_strides(from.sizes(), from.strides());
}

/// What the processor made of a tensor of the device by viewing it.
Tensor view_of(const Tensor& of, const Tensor& host) {
  Tensor out = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(of.storage()),
                                                        of.key_set(), host.dtype());
  out.unsafeGetTensorImpl()->set_storage_offset(host.storage_offset());
  out.unsafeGetTensorImpl()->set_sizes_and_strides(host.sizes(), host.strides());
  return out;
}

/// The arguments of a kernel, once as they are and once as the processor may read them.
class Arguments {
 public:
  void on_host(c10::IValue& value) {
    if (value.isTensor() && value.toTensor().defined()) {
      value = on_host(value.toTensor());
    } else if (value.isTensorList()) {
      c10::List<Tensor> all;
      for (const Tensor& t : value.toTensorVector()) all.push_back(on_host(t));
      value = all;
    } else if (value.isOptionalTensorList()) {
      c10::List<c10::optional<Tensor>> all;
      for (const c10::optional<Tensor>& t : value.toOptionalTensorVector())
        all.push_back(t.has_value() && t->defined() ? c10::make_optional(on_host(*t)) : t);
      value = all;
    } else if (value.isDevice() && value.toDevice().type() == kType) {
      value = c10::Device(at::kCPU);
    }
  }
  void check(const std::string& name) const {
    for (const Tensor& t : foreign_)
      TORCH_CHECK(pairs_.empty() || t.dim() == 0, name, ": tensors of the processor and of the device");
  }
  /// The device's tensor for one that a kernel returned; `viewed`: no memory is new.
  Tensor on_device(const Tensor& host, bool& viewed) const {
    if (!host.defined()) return host;
    for (const auto& [ours, theirs] : pairs_)
      if (theirs.unsafeGetTensorImpl() == host.unsafeGetTensorImpl()) {
        if (ours.sizes() != host.sizes()) take_memory_of(ours, new_from(host));
        return ours;
      }
    for (const auto& [ours, theirs] : pairs_)
      if (theirs.storage().unsafeGetStorageImpl() == host.storage().unsafeGetStorageImpl())
        return view_of(ours, host);
    viewed = false;
    return new_from(host);
  }

 private:
  Tensor on_host(const Tensor& t) {
    if (!is_ours(t)) {
      foreign_.push_back(t);
      return t;
    }
    pairs_.emplace_back(t, over_memory(t));
    return pairs_.back().second;
  }
  std::vector<std::pair<Tensor, Tensor>> pairs_;
  std::vector<Tensor> foreign_;
};

/// Of the last `n` values.
std::vector<Tensor> tensors_of(const Stack& stack, std::size_t n) {
  std::vector<Tensor> out;
  for (std::size_t k = stack.size() - n; k < stack.size(); ++k) {
    if (stack[k].isTensor()) out.push_back(stack[k].toTensor());
    if (stack[k].isTensorList())
      for (const Tensor& t : stack[k].toTensorVector()) out.push_back(t);
  }
  return out;
}

/// The same into the memory that its results had.
void launch_again(const c10::OperatorHandle& kernel, Stack stack, const std::vector<Tensor>& results);

void run(const c10::OperatorHandle& kernel, Stack* stack) {
  const auto& schema = kernel.schema();
  const std::string name = schema.operator_name().name;
  const Stack given(stack->end() - static_cast<std::ptrdiff_t>(schema.arguments().size()), stack->end());
  Arguments arguments;
  const std::size_t n = schema.arguments().size(), first = stack->size() - n;
  for (std::size_t k = 0; k < n; ++k) arguments.on_host((*stack)[first + k]);
  arguments.check(name);
  kernel.callBoxed(stack);
  bool viewed = true;
  for (std::size_t k = 0; k < schema.returns().size(); ++k) {
    const auto* alias = schema.returns()[k].alias_info();
    viewed = viewed && alias != nullptr && !alias->isWrite();
  }
  for (std::size_t k = stack->size() - schema.returns().size(); k < stack->size(); ++k) {
    c10::IValue& value = (*stack)[k];
    if (value.isTensor()) {
      value = arguments.on_device(value.toTensor(), viewed);
    } else if (value.isTensorList()) {
      c10::List<Tensor> all;
      for (const Tensor& t : value.toTensorVector()) all.push_back(arguments.on_device(t, viewed));
      value = all;
    }
  }
  if (viewed) return;
  count([&](Counts& c) {
    ++c.kernels;
    ++c.by_kernel[name];
  });
  remember([kernel, given, results = tensors_of(*stack, schema.returns().size())] {
    launch_again(kernel, given, results);
  });
}

void launch_again(const c10::OperatorHandle& kernel, Stack stack, const std::vector<Tensor>& results) {
  run(kernel, &stack);
  const std::vector<Tensor> anew = tensors_of(stack, stack.size());
  for (std::size_t k = 0; k < anew.size(); ++k)
    if (anew[k].defined() && anew[k].data_ptr() != results[k].data_ptr())
      over_memory(results[k]).copy_(over_memory(anew[k]));
}

/// As a card's: while it is made nothing may come from the processor or go there.
class HostRecording final : public compert::Recording {
 public:
  void record(const std::function<void()>& work) override {
    set(&launches_);
    try {
      work();
    } catch (...) {
      set(nullptr);
      throw;
    }
    set(nullptr);
  }
  void replay() override {
    count([](Counts& c) { ++c.replays; });
    for (const Launch& launch : launches_) launch();
  }

 private:
  static void set(std::vector<Launch>* to) {
    const std::lock_guard<std::mutex> lock(launches_mutex);
    launches = to;
  }
  std::vector<Launch> launches_;
};

[[maybe_unused]] const bool records = [] {
  struct Session final : compert::RecordingSession {
    Session() { work_in(std::this_thread::get_id()); }
    ~Session() override { work_in({}); }
    static void work_in(std::thread::id thread) {
      const std::lock_guard<std::mutex> lock(counts_mutex);
      session_thread = thread;
    }
    std::unique_ptr<compert::Recording> make() override { return std::make_unique<HostRecording>(); }
  };
  compert::set_recording(kType, [](at::Device) { return std::make_unique<Session>(); });
  return true;
}();

Tensor empty_memory_format(at::IntArrayRef size, c10::optional<c10::ScalarType> type, c10::optional<c10::Layout>,
                           c10::optional<c10::Device>, c10::optional<bool>, c10::optional<c10::MemoryFormat>) {
  std::vector<int64_t> stride(size.size(), 1);
  for (std::size_t k = size.size(); k-- > 1;) stride[k - 1] = stride[k] * std::max<int64_t>(size[k], 1);
  return empty_strided(size, stride, type.value_or(at::kFloat));
}

Tensor empty_strided_of(at::IntArrayRef size, at::IntArrayRef stride, c10::optional<c10::ScalarType> type,
                        c10::optional<c10::Layout>, c10::optional<c10::Device>, c10::optional<bool>) {
  return empty_strided(size, stride, type.value_or(at::kFloat));
}

void copy_within(const Tensor& from, const Tensor& to) {
  over_memory(to).copy_(over_memory(from));
  count([](Counts& c) {
    ++c.kernels;
    ++c.by_kernel["copy"];
  });
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  if (is_ours(from) && is_ours(to)) {
    copy_within(from, to);
    remember([from, to] { copy_within(from, to); });
    return to;
  }
  check_not_recording("a copy between processor and device");
  const bool up = is_ours(to);
  (up ? over_memory(to) : Tensor(to)).copy_(up ? from : over_memory(from));
  count([up](Counts& c) {
    ++(up ? c.uploads : c.downloads);
    if (up && session_thread != std::thread::id() && session_thread != std::this_thread::get_id()) ++c.strays;
  });
  return to;
}

at::Scalar local_scalar(const Tensor& t) {
  check_not_recording("a value was asked for");
  count([](Counts& c) { ++c.downloads; });
  return over_memory(t).item();
}

struct Guard final : public c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  // Kernels are done when they return: there is nothing to wait for.
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&run>()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", empty_memory_format);
  m.impl("empty_strided", empty_strided_of);
  m.impl("_copy_from", copy_from);
  m.impl("_local_scalar_dense", local_scalar);
}

}  // namespace

Counts take_counts() {
  const std::lock_guard<std::mutex> lock(counts_mutex);
  return std::exchange(counts, {});
}

}  // namespace host_device
