#include <algorithm>
#include <utility>

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

using detail::Quiet;

namespace detail {

Handle utf8_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), H5T_VARIABLE);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  return type;
}

Handle make_space(const Shape& shape) {
  if (shape.empty()) return Handle(H5Screate(H5S_SCALAR), H5Sclose);
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  return Handle(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
}

}  // namespace detail

namespace {

// Chunks of about half a megabyte, whole rows together.
std::vector<hsize_t> chunk_of(const Shape& shape, std::size_t size) {
  constexpr std::size_t kBytes = std::size_t{1} << 19;
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  std::size_t room = std::max<std::size_t>(1, kBytes / std::max<std::size_t>(1, size));
  for (std::size_t d = chunk.size(); d-- > 0;) {
    chunk[d] = std::max<hsize_t>(1, std::min<hsize_t>(chunk[d], room));
    room = std::max<std::size_t>(1, room / chunk[d]);
  }
  return chunk;
}

Handle link_list() {
  Handle list(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(list.id(), 1);
  H5Pset_char_encoding(list.id(), H5T_CSET_UTF8);
  return list;
}

// Chunks are written at once: from its cache HDF5 would write them on closing, where nobody hears of a failure.
Handle uncached() {
  Handle list(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  H5Pset_chunk_cache(list.id(), 0, 0, H5D_CHUNK_CACHE_W0_DEFAULT);
  return list;
}

}  // namespace

void File::create_group(const std::string& path) {
  const Quiet quiet;
  if (is_group(path)) return;
  const Handle links = link_list();
  const Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.id(), 0);
  const Handle group(H5Gcreate2(id(), path.c_str(), links.id(), creation.id(), H5P_DEFAULT),
                     H5Gclose);
  if (!group) fail("creating the group", path);
}

Handle File::create_dataset(const std::string& path, hid_t type, const Shape& shape, int deflate) {
  // Groups made by the link list would carry time stamps, so they are made one by one.
  for (std::size_t end = path.find('/', 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    create_group(path.substr(0, end));
  }
  const Handle space = detail::make_space(shape);
  const Handle links = link_list();
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const Handle access = uncached();
  H5Pset_obj_track_times(creation.id(), 0);
  // Chunks have a price of their own; what is small is not cut into them.
  constexpr std::size_t kSmall = 1024;
  if (deflate > 0 && !shape.empty() && detail::count(shape) * H5Tget_size(type) > kSmall) {
    const std::vector<hsize_t> chunk = chunk_of(shape, H5Tget_size(type));
    if (H5Pset_chunk(creation.id(), static_cast<int>(chunk.size()), chunk.data()) < 0 ||
        H5Pset_deflate(creation.id(), static_cast<unsigned>(deflate)) < 0) {
      fail("asking HDF5 to compress", path);
    }
  }
  Handle dataset(
      H5Dcreate2(id(), path.c_str(), type, space.id(), links.id(), creation.id(), access.id()),
      H5Dclose);
  if (!dataset) fail("creating the dataset", path);
  return dataset;
}

void File::put(const std::string& path, hid_t type, hid_t memory, const Shape& shape, int deflate,
               const void* data) {
  const Handle dataset = create_dataset(path, type, shape, deflate);
  if (detail::count(shape) > 0 &&
      H5Dwrite(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
    fail("writing", path);
  }
}

template <typename T>
void File::write(const std::string& path, const T* data, const Shape& shape, int deflate) {
  const Quiet quiet;
  put(path, detail::native<T>(), detail::native<T>(), shape, deflate, data);
}

void File::write_strings(const std::string& path, const std::vector<std::string>& values,
                         const Shape& shape, int deflate) {
  const Quiet quiet;
  const Handle type = detail::utf8_type();
  std::vector<const char*> raw;
  raw.reserve(values.size());
  for (const std::string& value : values) raw.push_back(value.c_str());
  put(path, type.id(), type.id(), shape, deflate, raw.data());
}

void File::write_string(const std::string& path, const std::string& value) {
  const Quiet quiet;
  const Handle type = detail::utf8_type();
  const char* raw = value.c_str();
  put(path, type.id(), type.id(), Shape{}, 0, &raw);
}

void File::write_booleans(const std::string& path, const std::uint8_t* data, const Shape& shape,
                          int deflate) {
  const Quiet quiet;
  const Handle type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
  const std::int8_t no = 0, yes = 1;
  H5Tenum_insert(type.id(), "FALSE", &no);
  H5Tenum_insert(type.id(), "TRUE", &yes);
  std::vector<std::int8_t> values(detail::count(shape));
  std::transform(data, data + values.size(), values.begin(),
                 [](std::uint8_t value) { return static_cast<std::int8_t>(value != 0); });
  put(path, type.id(), type.id(), shape, deflate, values.data());
}

template void File::write(const std::string&, const double*, const Shape&, int);
template void File::write(const std::string&, const float*, const Shape&, int);
template void File::write(const std::string&, const std::int8_t*, const Shape&, int);
template void File::write(const std::string&, const std::uint8_t*, const Shape&, int);
template void File::write(const std::string&, const std::int32_t*, const Shape&, int);
template void File::write(const std::string&, const std::uint32_t*, const Shape&, int);
template void File::write(const std::string&, const std::int64_t*, const Shape&, int);
template void File::write(const std::string&, const std::uint64_t*, const Shape&, int);

}  // namespace compert::hdf5
