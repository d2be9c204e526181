#include <algorithm>
#include <limits>
#include <stdexcept>

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

using detail::Quiet;

namespace detail {

Shape dimensions(hid_t space) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) return {0};
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank <= 0) return {};
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  return Shape(dims.begin(), dims.end());
}

std::size_t count(const Shape& shape) {
  std::size_t n = 1;
  for (const std::size_t dim : shape) {
    if (dim != 0 && n > std::numeric_limits<std::size_t>::max() / dim) {
      throw std::overflow_error("more values than can be counted");
    }
    n *= dim;
  }
  return n;
}

}  // namespace detail

namespace {

constexpr double kLeastCache = 8e6, kMostCache = 64e6;  // bytes
constexpr std::size_t kChunkSlots = 12421;  // of the cache's hash table: a prime, as HDF5 asks

}  // namespace

bool File::exists(const std::string& path) const {
  const Quiet quiet;
  std::size_t begin = 0;
  while (begin < path.size() && path[begin] == '/') ++begin;
  if (begin == path.size()) return true;
  // HDF5 wants every group on the way checked before the next.
  for (std::size_t end = begin; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (H5Lexists(id(), part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (H5Oexists_by_name(id(), part.c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return true;
}

Handle File::open_object(const std::string& path) const {
  Handle object(H5Oopen(id(), path.empty() ? "/" : path.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object) fail("opening", path);
  return object;
}

Handle File::open_dataset(const std::string& path) const {
  Handle dataset(H5Dopen2(id(), path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset) fail("opening the dataset", path);
  return dataset;
}

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

bool File::is_group(const std::string& path) const {
  const Quiet quiet;
  return exists(path) && H5Iget_type(open_object(path).id()) == H5I_GROUP;
}

bool File::is_dataset(const std::string& path) const {
  const Quiet quiet;
  return exists(path) && H5Iget_type(open_object(path).id()) == H5I_DATASET;
}

std::vector<std::string> File::children(const std::string& path) const {
  const Quiet quiet;
  const Handle group(H5Gopen2(id(), path.empty() ? "/" : path.c_str(), H5P_DEFAULT), H5Gclose);
  if (!group) fail("opening the group", path);
  std::vector<std::string> names;
  const auto keep = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  if (H5Literate(group.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, keep, &names) < 0) {
    fail("listing the group", path);
  }
  return names;
}

Shape File::shape(const std::string& path) const {
  const Quiet quiet;
  const Handle dataset = open_dataset(path);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  if (!space) fail("measuring", path);
  return detail::dimensions(space.id());
}

Type File::type(const std::string& path) const {
  const Quiet quiet;
  const Handle dataset = open_dataset(path);
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  if (!type) fail("reading the type of", path);
  return detail::describe(type.id());
}

Handle File::open_sized(const std::string& path, Shape& shape, std::size_t& n) const {
  Handle dataset = open_dataset(path);
  check_filters(dataset.id(), path);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  if (!space) fail("measuring", path);
  shape = detail::dimensions(space.id());
  n = shape == Shape{0} ? 0 : static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.id()));
  bool fits = true;
  try {
    fits = detail::count(shape) == n && detail::is_plausible(dataset.id(), n);
  } catch (const std::overflow_error&) {
    fits = false;
  }
  if (!fits) {
    throw Error("path", "must name an intact HDF5 file",
                "In \"" + name_ + "\", \"" + path + "\" claims more values than the file can hold",
                "The file is damaged; copy or download it again");
  }
  return dataset;
}

template <typename T>
std::vector<T> File::read(const std::string& path, Shape* shape) const {
  const Quiet quiet;
  Shape dims;
  std::size_t n = 0;
  const Handle dataset = open_sized(path, dims, n);
  std::vector<T> out(n);
  if (n > 0 &&
      H5Dread(dataset.id(), detail::native<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0) {
    fail("reading", path);
  }
  if (shape != nullptr) *shape = dims;
  return out;
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

template <typename T>
T File::read_scalar(const std::string& path) const {
  const std::vector<T> values = read<T>(path);
  if (values.size() != 1) {
    throw Error("path", "must hold a single value at \"" + path + "\"",
                "\"" + name_ + "\" has " + std::to_string(values.size()) + " there");
  }
  return values[0];
}

template <typename T>
std::vector<T> File::read_member(const std::string& path, const std::string& member) const {
  const Quiet quiet;
  std::size_t width = 1;
  std::vector<hsize_t> dims;
  for (const Type& candidate : type(path).members) {
    if (candidate.name != member) continue;
    dims.assign(candidate.dims.begin(), candidate.dims.end());
    for (const hsize_t dim : dims) width *= dim;
  }
  Shape shape;
  std::size_t n = 0;
  const Handle dataset = open_sized(path, shape, n);
  const hid_t value = detail::native<T>();
  const Handle array(H5Tarray_create2(value, static_cast<unsigned>(dims.size()), dims.data()),
                     H5Tclose);
  const Handle memory(H5Tcreate(H5T_COMPOUND, sizeof(T) * width), H5Tclose);
  std::vector<T> out(n * width);
  if (H5Tinsert(memory.id(), member.c_str(), 0, dims.empty() ? value : array.id()) < 0 ||
      (!out.empty() &&
       H5Dread(dataset.id(), memory.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0)) {
    fail("reading the member \"" + member + "\" of", path);
  }
  return out;
}

#define COMPERT_INSTANTIATE(T)                                                                    \
  template std::vector<T> File::read<T>(const std::string&, Shape*) const;                        \
  template std::vector<T> File::read_rows<T>(const std::string&, std::size_t, std::size_t) const; \
  template void File::read_into<T>(const std::string&, std::size_t, std::size_t, T*) const;       \
  template T File::read_scalar<T>(const std::string&) const;                                      \
  template std::vector<T> File::read_member<T>(const std::string&, const std::string&) const;

COMPERT_INSTANTIATE(double)
COMPERT_INSTANTIATE(float)
COMPERT_INSTANTIATE(std::int8_t)
COMPERT_INSTANTIATE(std::uint8_t)
COMPERT_INSTANTIATE(std::int32_t)
COMPERT_INSTANTIATE(std::uint32_t)
COMPERT_INSTANTIATE(std::int64_t)
COMPERT_INSTANTIATE(std::uint64_t)

#undef COMPERT_INSTANTIATE

}  // namespace compert::hdf5
