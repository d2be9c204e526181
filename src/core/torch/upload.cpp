#include "upload.h"

#include <cstring>

namespace compert {
namespace {

constexpr int64_t kAlign = 16;  // bytes

int64_t room_for(const Tensor& t) {
  return (static_cast<int64_t>(t.nbytes()) + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

void Upload::add(Tensor host, Tensor& place) { items_.push_back({host.contiguous(), &place}); }

void Upload::add(const std::vector<int64_t>& host, Tensor& place) {
  add(at::tensor(host, at::kLong), place);
}

void Upload::send(at::Device device, Tensor& memory) {
  if (device.is_cpu()) {
    for (const Item& item : items_) *item.place = item.host;
    items_.clear();
    return;
  }
  int64_t bytes = 0;
  for (const Item& item : items_) bytes += room_for(item.host);
  if (bytes > 0) {
    Tensor host = at::empty({bytes}, at::TensorOptions(at::kByte).pinned_memory(device.is_cuda()));
    int64_t at = 0;
    for (const Item& item : items_) {
      if (item.host.numel() > 0)
        std::memcpy(host.data_ptr<uint8_t>() + at, item.host.data_ptr(), item.host.nbytes());
      at += room_for(item.host);
    }
    if (!memory.defined() || memory.numel() < bytes)
      memory = at::empty({bytes}, at::TensorOptions(at::kByte).device(device));
    memory.narrow(0, 0, bytes).copy_(host, true);
  }
  int64_t at = 0;
  for (const Item& item : items_) {
    const auto type = item.host.scalar_type();
    const auto size = static_cast<int64_t>(item.host.nbytes());
    *item.place = size == 0 ? at::empty(item.host.sizes(), item.host.options().device(device))
                            : memory.narrow(0, at, size).view(type).view(item.host.sizes());
    at += room_for(item.host);
  }
  items_.clear();
}

}  // namespace compert
