// Some rows of a dataset, of one that may be kept open from read to read.
#include <algorithm>
#include <stdexcept>

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

using detail::Quiet;

namespace {

constexpr double kLeastCache = 8e6, kMostCache = 64e6;  // bytes
constexpr std::size_t kChunkSlots = 12421;  // of the cache's hash table: a prime, as HDF5 asks

}  // namespace

std::size_t File::keep_open(const std::string& path) {
  const Quiet quiet;
  Handle dataset = open_dataset(path);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose), type(H5Dget_type(dataset.id()), H5Tclose),
      creation(H5Dget_create_plist(dataset.id()), H5Pclose);
  if (!space || !type || !creation) fail("measuring", path);
  const Shape dims = detail::dimensions(space.id());
  std::size_t rows = 1;
  if (!dims.empty() && H5Pget_layout(creation.id()) == H5D_CHUNKED) {
    std::vector<hsize_t> chunk(dims.size());
    if (H5Pget_chunk(creation.id(), static_cast<int>(chunk.size()), chunk.data()) < 0)
      fail("measuring", path);
    rows = static_cast<std::size_t>(std::max<hsize_t>(1, chunk[0]));
    // Room for all chunks that a row runs through, twice.
    double bytes = 2 * static_cast<double>(H5Tget_size(type.id())) * static_cast<double>(rows);
    for (std::size_t k = 1; k < dims.size(); ++k) bytes *= static_cast<double>(dims[k]);
    bytes = std::clamp(bytes, kLeastCache, kMostCache);
    // Without a cache HDF5 reads just what is asked for, which a filter does not allow.
    if (dims.size() == 1 && H5Pget_nfilters(creation.id()) == 0) {
      rows = 1;
      bytes = 0;
    }
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    if (!access || H5Pset_chunk_cache(access.id(), kChunkSlots, static_cast<std::size_t>(bytes),
                                      H5D_CHUNK_CACHE_W0_DEFAULT) < 0)
      fail("opening", path);
    dataset = Handle(H5Dopen2(id(), path.c_str(), access.id()), H5Dclose);
    if (!dataset) fail("opening the dataset", path);
  }
  kept_[path] = std::move(dataset);
  return rows;
}

const Handle& File::kept_or_opened(const std::string& path, Handle& opened) const {
  const auto kept = kept_.find(path);
  if (kept != kept_.end()) return kept->second;
  opened = open_dataset(path);
  return opened;
}

/// Selects rows begin to end - 1 of `space`, and checks that they are there. Returns what they measure.
std::vector<hsize_t> File::select_rows(const Handle& dataset, const Handle& space, const std::string& path,
                                       std::size_t begin, std::size_t end) const {
  if (!space) fail("measuring", path);
  const Shape dims = detail::dimensions(space.id());
  if (dims.empty() || begin > end || end > dims[0]) {
    throw Error("path", "must hold the rows asked for",
                "In \"" + name_ + "\", \"" + path + "\" has " +
                    std::to_string(dims.empty() ? 0 : dims[0]) + " rows; rows " +
                    std::to_string(begin) + " to " + std::to_string(end) + " were asked for");
  }
  std::vector<hsize_t> start{begin}, size{end - begin};
  start.resize(dims.size(), 0);
  size.insert(size.end(), dims.begin() + 1, dims.end());
  std::size_t n = 0;
  try {
    n = detail::count(Shape(size.begin(), size.end()));
  } catch (const std::overflow_error&) {
    fail("measuring", path);
  }
  check_filters(dataset.id(), path);
  if (n > 0 && !detail::is_plausible(dataset.id(), n)) fail("measuring", path);
  if (n > 0 && H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, size.data(),
                                   nullptr) < 0)
    fail("reading rows of", path);
  return size;
}

template <typename T>
std::vector<T> File::read_rows(const std::string& path, std::size_t begin, std::size_t end) const {
  const Quiet quiet;
  Handle opened;
  const Handle& dataset = kept_or_opened(path, opened);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  const std::vector<hsize_t> size = select_rows(dataset, space, path, begin, end);
  std::vector<T> out(detail::count(Shape(size.begin(), size.end())));
  read_selected(dataset, space, path, size, out.data());
  return out;
}

template <typename T>
void File::read_into(const std::string& path, std::size_t begin, std::size_t end, T* out) const {
  const Quiet quiet;
  Handle opened;
  const Handle& dataset = kept_or_opened(path, opened);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  const std::vector<hsize_t> size = select_rows(dataset, space, path, begin, end);
  if (size.size() != 1) fail("reading a row of", path);
  read_selected(dataset, space, path, size, out);
}

template <typename T>
void File::read_selected(const Handle& dataset, const Handle& space, const std::string& path,
                         const std::vector<hsize_t>& size, T* out) const {
  if (std::find(size.begin(), size.end(), 0) != size.end()) return;
  const Handle memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
  if (H5Dread(dataset.id(), detail::native<T>(), memory.id(), space.id(), H5P_DEFAULT, out) < 0)
    fail("reading rows of", path);
}

#define COMPERT_INSTANTIATE(T)                                                                    \
  template std::vector<T> File::read_rows<T>(const std::string&, std::size_t, std::size_t) const; \
  template void File::read_into<T>(const std::string&, std::size_t, std::size_t, T*) const;

COMPERT_FOR_NUMBERS(COMPERT_INSTANTIATE)

#undef COMPERT_INSTANTIATE

}  // namespace compert::hdf5
