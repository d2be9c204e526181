#include <cstring>

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

using detail::Quiet;

namespace detail {

bool collect_strings(hid_t type, std::size_t n, const Reader& read, std::vector<std::string>& out) {
  out.clear();
  if (n == 0) return true;
  const bool variable = H5Tis_variable_str(type) > 0;
  const Handle memory(H5Tcopy(type), H5Tclose);
  if (variable) {
    std::vector<char*> raw(n, nullptr);
    const bool good = read(memory.id(), raw.data()) >= 0;
    if (good) {
      out.reserve(n);
      for (const char* text : raw) out.emplace_back(text == nullptr ? "" : text);
    }
    const hsize_t length = n;
    const Handle space(H5Screate_simple(1, &length, nullptr), H5Sclose);
    if (good) H5Dvlen_reclaim(memory.id(), space.id(), H5P_DEFAULT, raw.data());
    return good;
  }
  const std::size_t size = H5Tget_size(type);
  std::vector<char> raw(n * size);
  if (read(memory.id(), raw.data()) < 0) return false;
  const bool padded = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  out.reserve(n);
  for (std::size_t k = 0; k < n; ++k) {
    const char* begin = raw.data() + k * size;
    std::size_t length = ::strnlen(begin, size);
    while (padded && length > 0 && begin[length - 1] == ' ') --length;
    out.emplace_back(begin, length);
  }
  return true;
}

}  // namespace detail

std::vector<std::string> File::read_strings(const std::string& path, Shape* shape) const {
  const Quiet quiet;
  Shape dims;
  std::size_t n = 0;
  const Handle dataset = open_sized(path, dims, n);
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  if (H5Tget_class(type.id()) != H5T_STRING) fail("reading text from", path);
  std::vector<std::string> out;
  const auto read = [&](hid_t memory, void* buffer) {
    return H5Dread(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
  };
  if (!detail::collect_strings(type.id(), n, read, out)) fail("reading text from", path);
  if (shape != nullptr) *shape = dims;
  return out;
}

std::string File::read_string(const std::string& path) const {
  const std::vector<std::string> values = read_strings(path);
  if (values.size() != 1) {
    throw Error("path", "must hold a single string at \"" + path + "\"",
                "\"" + name_ + "\" has " + std::to_string(values.size()) + " there");
  }
  return values[0];
}

std::vector<std::string> File::read_member_strings(const std::string& path,
                                                   const std::string& member) const {
  const Quiet quiet;
  Shape dims;
  std::size_t n = 0;
  const Handle dataset = open_sized(path, dims, n);
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  const int index =
      H5Tget_class(type.id()) == H5T_COMPOUND ? H5Tget_member_index(type.id(), member.c_str()) : -1;
  if (index < 0) fail("finding the member \"" + member + "\" of", path);
  const Handle part(H5Tget_member_type(type.id(), static_cast<unsigned>(index)), H5Tclose);
  if (H5Tget_class(part.id()) != H5T_STRING) {
    fail("reading text from the member \"" + member + "\" of", path);
  }
  std::vector<std::string> out;
  const auto read = [&](hid_t memory, void* buffer) -> herr_t {
    const Handle record(H5Tcreate(H5T_COMPOUND, H5Tget_size(memory)), H5Tclose);
    if (H5Tinsert(record.id(), member.c_str(), 0, memory) < 0) return -1;
    return H5Dread(dataset.id(), record.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
  };
  if (!detail::collect_strings(part.id(), n, read, out)) {
    fail("reading the member \"" + member + "\" of", path);
  }
  return out;
}

}  // namespace compert::hdf5
