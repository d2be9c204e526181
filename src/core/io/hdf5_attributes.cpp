#include <cstring>

#include "compert/error.h"
#include "hdf5.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

using detail::Quiet;

bool File::has_attribute(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  const Handle object = open_object(path);
  return H5Aexists(object.id(), name.c_str()) > 0;
}

Handle File::open_attribute(const std::string& path, const std::string& name) const {
  const Handle object = open_object(path);
  Handle attribute(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute) fail("opening the attribute \"" + name + "\" of", path);
  return attribute;
}

Type File::attribute_type(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  const Handle attribute = open_attribute(path, name);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose);
  return detail::describe(type.id());
}

std::size_t File::attribute_count(hid_t attribute, const std::string& path) const {
  const Handle space(H5Aget_space(attribute), H5Sclose);
  if (!space) fail("measuring an attribute of", path);
  if (detail::dimensions(space.id()) == Shape{0}) return 0;
  const hssize_t n = H5Sget_simple_extent_npoints(space.id());
  constexpr hssize_t kMost = hssize_t{1} << 27;  // more is not an attribute but damage
  if (n < 0 || n > kMost) fail("measuring an attribute of", path);
  return static_cast<std::size_t>(n);
}

std::vector<std::string> File::attribute_strings(const std::string& path,
                                                 const std::string& name) const {
  const Quiet quiet;
  const Handle attribute = open_attribute(path, name);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose);
  std::vector<std::string> out;
  const auto read = [&](hid_t memory, void* buffer) {
    return H5Aread(attribute.id(), memory, buffer);
  };
  if (H5Tget_class(type.id()) != H5T_STRING ||
      !detail::collect_strings(type.id(), attribute_count(attribute.id(), path), read, out)) {
    fail("reading text from the attribute \"" + name + "\" of", path);
  }
  return out;
}

template <typename T>
std::vector<T> File::attribute_values(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  const Handle attribute = open_attribute(path, name);
  std::vector<T> out(attribute_count(attribute.id(), path));
  if (!out.empty() && H5Aread(attribute.id(), detail::native<T>(), out.data()) < 0) {
    fail("reading the attribute \"" + name + "\" of", path);
  }
  return out;
}

template <typename T>
T File::single(std::vector<T> values, const std::string& path, const std::string& name) const {
  if (values.size() != 1) {
    throw Error("path", "must hold one value in the attribute \"" + name + "\" of \"" + path + "\"",
                "\"" + name_ + "\" has " + std::to_string(values.size()) + " there");
  }
  return std::move(values[0]);
}

std::string File::attribute_string(const std::string& path, const std::string& name) const {
  return single(attribute_strings(path, name), path, name);
}

double File::attribute_number(const std::string& path, const std::string& name) const {
  return single(attribute_values<double>(path, name), path, name);
}

std::int64_t File::attribute_int(const std::string& path, const std::string& name) const {
  return single(attribute_values<std::int64_t>(path, name), path, name);
}

std::vector<std::int64_t> File::attribute_ints(const std::string& path,
                                               const std::string& name) const {
  return attribute_values<std::int64_t>(path, name);
}

std::string File::attribute_target(const std::string& path, const std::string& name) const {
  const Quiet quiet;
  const Handle attribute = open_attribute(path, name);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose);
  hobj_ref_t reference = 0;
  if (H5Tequal(type.id(), H5T_STD_REF_OBJ) <= 0 || attribute_count(attribute.id(), path) != 1 ||
      H5Aread(attribute.id(), H5T_STD_REF_OBJ, &reference) < 0) {
    fail("reading the reference \"" + name + "\" of", path);
  }
  const Handle target(H5Rdereference2(id(), H5P_DEFAULT, H5R_OBJECT, &reference), H5Oclose);
  if (!target) fail("following the reference \"" + name + "\" of", path);
  const ssize_t length = H5Iget_name(target.id(), nullptr, 0);
  if (length <= 0) fail("naming the target of the reference \"" + name + "\" of", path);
  std::vector<char> text(static_cast<std::size_t>(length) + 1);
  H5Iget_name(target.id(), text.data(), text.size());
  return std::string(text.data());
}

void File::put_attribute(const std::string& path, const std::string& name, hid_t type,
                         const Shape& shape, const void* data) {
  const Handle object = open_object(path);
  if (H5Aexists(object.id(), name.c_str()) > 0) H5Adelete(object.id(), name.c_str());
  const Handle space = detail::make_space(shape);
  const Handle creation(H5Pcreate(H5P_ATTRIBUTE_CREATE), H5Pclose);
  H5Pset_char_encoding(creation.id(), H5T_CSET_UTF8);
  const Handle attribute(
      H5Acreate2(object.id(), name.c_str(), type, space.id(), creation.id(), H5P_DEFAULT),
      H5Aclose);
  if (!attribute || (detail::count(shape) > 0 && H5Awrite(attribute.id(), type, data) < 0)) {
    fail("writing the attribute \"" + name + "\" of", path);
  }
}

void File::set_attribute(const std::string& path, const std::string& name,
                         const std::string& value) {
  const Quiet quiet;
  const Handle type = detail::utf8_type();
  const char* raw = value.c_str();
  put_attribute(path, name, type.id(), {}, &raw);
}

void File::set_attribute(const std::string& path, const std::string& name, const char* value) {
  set_attribute(path, name, std::string(value));
}

void File::set_attribute(const std::string& path, const std::string& name, double value) {
  const Quiet quiet;
  put_attribute(path, name, H5T_NATIVE_DOUBLE, {}, &value);
}

void File::set_attribute(const std::string& path, const std::string& name, std::int64_t value) {
  const Quiet quiet;
  put_attribute(path, name, H5T_NATIVE_INT64, {}, &value);
}

void File::set_attribute(const std::string& path, const std::string& name, int value) {
  set_attribute(path, name, static_cast<std::int64_t>(value));
}

void File::set_attribute(const std::string& path, const std::string& name, bool value) {
  const Quiet quiet;
  const Handle type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
  const std::int8_t no = 0, yes = 1, given = value ? 1 : 0;
  H5Tenum_insert(type.id(), "FALSE", &no);
  H5Tenum_insert(type.id(), "TRUE", &yes);
  put_attribute(path, name, type.id(), {}, &given);
}

void File::set_attribute(const std::string& path, const std::string& name,
                         const std::vector<std::string>& values) {
  const Quiet quiet;
  const Handle type = detail::utf8_type();
  std::vector<const char*> raw;
  raw.reserve(values.size());
  for (const std::string& value : values) raw.push_back(value.c_str());
  put_attribute(path, name, type.id(), Shape{values.size()}, raw.data());
}

void File::set_attribute(const std::string& path, const std::string& name,
                         const std::vector<std::int64_t>& values) {
  const Quiet quiet;
  put_attribute(path, name, H5T_NATIVE_INT64, Shape{values.size()}, values.data());
}

}  // namespace compert::hdf5
