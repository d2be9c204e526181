// Cells that a device holds for a whole fit, so that a batch is gathered there.
#pragma once
#include <memory>
#include <vector>

#include "compert/cells.h"
#include "torch_util.h"

namespace compert {

class DeviceCells {
 public:
  /// The cells `which` as a dense tensor; null on a processor, and where the device has not the room and as
  /// much again as a fit may take beside it.
  static std::unique_ptr<DeviceCells> hold(const CellSource& cells, const std::vector<int64_t>& which,
                                           const at::TensorOptions& options);
  /// The rows that hold these cells (int64, in the processor's memory).
  Tensor rows(const int64_t* cells, std::size_t n) const;
  /// Those rows, of an index that is on the device.
  Tensor take(const Tensor& rows) const { return values_.index_select(0, rows); }

 private:
  Tensor values_;             // cells x rows of the data
  std::vector<int64_t> row_;  // per cell of the source; -1: not held
};

}  // namespace compert
