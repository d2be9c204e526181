// The LZF filter of h5py, which anndata offers beside gzip: the HDF5 library has none of its own. Only
// reading. The format is LibLZF's: a byte below 32 says that one more literal bytes follow than it counts;
// any other has a length in its upper 3 bits (7: a byte is added) and begins, with the last byte, a distance.
#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include "hdf5_detail.h"

namespace compert::hdf5::detail {

namespace {

using Bytes = std::vector<unsigned char>;

class Input {
 public:
  Input(const unsigned char* bytes, std::size_t n) : at_(bytes), end_(bytes + n) {}
  bool is_empty() const { return at_ == end_; }
  std::size_t next() { return *take(1); }
  const unsigned char* take(std::size_t n) {
    if (static_cast<std::size_t>(end_ - at_) < n) throw std::out_of_range("the bytes end too early");
    at_ += n;
    return at_ - n;
  }

 private:
  const unsigned char *at_, *end_;
};

// Copies what was written before; what is copied may be copied again.
void repeat(Bytes& out, std::size_t distance, std::size_t n) {
  if (distance > out.size()) throw std::out_of_range("a distance before the first byte");
  for (; n > 0; --n) out.push_back(out[out.size() - distance]);
}

Bytes inflate(Input in) {
  Bytes out;
  while (!in.is_empty()) {
    const std::size_t control = in.next();
    if (control < 32) {
      const unsigned char* literals = in.take(control + 1);
      out.insert(out.end(), literals, literals + control + 1);
      continue;
    }
    std::size_t length = control >> 5U;
    if (length == 7) length += in.next();
    const std::size_t distance = ((control & 31U) << 8U) + in.next() + 1;
    repeat(out, distance, length + 2);
  }
  return out;
}

// As HDF5 calls it: the size of what it leaves in `buffer`, 0 on failure.
std::size_t run_filter(unsigned flags, std::size_t n_options, const unsigned* options, std::size_t n,
                       std::size_t* size, void** buffer) {
  if ((flags & H5Z_FLAG_REVERSE) == 0) return 0;
  try {
    const Bytes out = inflate(Input(static_cast<const unsigned char*>(*buffer), n));
    // h5py writes the size of a chunk among the options. HDF5 would read so much, whatever is there.
    if (out.empty() || (n_options > 2 && out.size() != options[2])) return 0;
    void* copy = H5allocate_memory(out.size(), false);
    if (copy == nullptr) return 0;
    std::copy(out.begin(), out.end(), static_cast<unsigned char*>(copy));
    H5free_memory(*buffer);
    *buffer = copy;
    *size = out.size();
    return out.size();
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

void add_lzf() {
  if (H5Zfilter_avail(kLzf) > 0) return;
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, kLzf, 0, 1, "lzf", nullptr, nullptr, run_filter};
  H5Zregister(&filter);
}

}  // namespace compert::hdf5::detail
