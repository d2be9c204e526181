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
  template std::vector<T> File::read_member<T>(const std::string&, const std::string&) const;

COMPERT_FOR_NUMBERS(COMPERT_INSTANTIATE)

#undef COMPERT_INSTANTIATE

}  // namespace compert::hdf5
