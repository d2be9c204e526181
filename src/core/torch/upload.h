// Small tensors on their way to where the model is.
#pragma once
#include <vector>

#include "torch_util.h"

namespace compert {

/// Takes tensors to a device in one copy; on a processor they stay what they are.
class Upload {
 public:
  /// `place` is to become what `host` holds; both must live until send().
  void add(Tensor host, Tensor& place);
  void add(const std::vector<int64_t>& host, Tensor& place);
  /// `memory` is the device's, kept from call to call: what has the same sizes comes to the same place, once
  /// the largest was there, and after everything that was asked of the device before.
  void send(at::Device device, Tensor& memory);

 private:
  struct Item {
    Tensor host;
    Tensor* place;
  };
  std::vector<Item> items_;
};

}  // namespace compert
