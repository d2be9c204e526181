#include "device_cells.h"

#include "first_layer.h"
#include "recording.h"

namespace compert {
namespace {

constexpr std::size_t kAtATime = 1024;             // cells
constexpr int64_t kLeftFree = int64_t(1) << 30;    // bytes, for a fit's own tensors

}  // namespace

std::unique_ptr<DeviceCells> DeviceCells::hold(const CellSource& cells, const std::vector<int64_t>& which,
                                               const at::TensorOptions& options) {
  if (options.device().is_cpu()) return nullptr;
  auto out = std::make_unique<DeviceCells>();
  bool fits = true;
  try {
    out->values_ = at::empty({static_cast<int64_t>(which.size()), static_cast<int64_t>(cells.n_genes())}, options);
    at::empty({kLeftFree}, options.dtype(at::kByte));
  } catch (const c10::OutOfMemoryError&) {
    out->values_ = Tensor();
    fits = false;
  }
  release_kept_memory(options.device());  // what was only tried
  if (!fits) return nullptr;
  out->row_.assign(cells.n_cells(), -1);
  CellBatch batch;
  for (std::size_t begin = 0; begin < which.size(); begin += kAtATime) {
    const std::size_t n = std::min(kAtATime, which.size() - begin);
    cells.fetch(which.data() + begin, n, batch);
    const auto type = c10::typeMetaToScalarType(options.dtype());
    out->values_.narrow(0, static_cast<int64_t>(begin), static_cast<int64_t>(n))
        .copy_(dense_tensor(batch, stored_values(batch, type)));
    for (std::size_t k = begin; k < begin + n; ++k)
      out->row_[static_cast<std::size_t>(which[k])] = static_cast<int64_t>(k);
  }
  return out;
}

Tensor DeviceCells::rows(const int64_t* cells, std::size_t n) const {
  Tensor out = at::empty({static_cast<int64_t>(n)}, at::kLong);
  for (std::size_t k = 0; k < n; ++k) out.data_ptr<int64_t>()[k] = row_[static_cast<std::size_t>(cells[k])];
  return out;
}

}  // namespace compert
