#include "hdf5.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <future>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>

#include "compert/error.h"
#include "compert/stored_cells.h"
#include "hdf5_detail.h"

namespace compert::hdf5 {

namespace detail {

namespace {

std::recursive_mutex& library_lock() {
  static std::recursive_mutex mutex;
  return mutex;
}

/// Whether a file that was written could not be (the disk was full).
std::atomic<bool> unwritten{false};

// At the end of the process HDF5 closes what is open, and crashes on a file that it could not write out. Asked to leave
// that out (which it does where nobody has used it before), it closes the files of others here.
void start_library() {
  if (H5dont_atexit() >= 0) std::atexit([] { if (!unwritten) H5close(); });
  H5open();
}

herr_t keep_first_cause(unsigned, const H5E_error2_t* error, void* out) {
  auto* text = static_cast<std::string*>(out);
  if (text->empty() && error->desc != nullptr) *text = error->desc;
  return 0;
}

std::string level_name(hid_t type, unsigned index) {
  char* raw = H5Tget_member_name(type, index);
  if (raw == nullptr) return "";
  std::string name(raw);
  H5free_memory(raw);
  return name;
}

void describe_levels(hid_t type, Type& out) {
  const int n = H5Tget_nmembers(type);
  const Handle base(H5Tget_super(type), H5Tclose);
  for (int k = 0; k < n; ++k) {
    std::vector<unsigned char> raw(std::max<std::size_t>(H5Tget_size(type), 8));
    std::int64_t value = 0;
    if (H5Tget_member_value(type, static_cast<unsigned>(k), raw.data()) < 0 ||
        H5Tconvert(base.id(), H5T_NATIVE_INT64, 1, raw.data(), nullptr, H5P_DEFAULT) < 0) {
      continue;
    }
    std::memcpy(&value, raw.data(), sizeof value);
    out.levels.push_back(level_name(type, static_cast<unsigned>(k)));
    out.values.push_back(value);
  }
  const bool truth = out.levels == std::vector<std::string>{"FALSE", "TRUE"} &&
                     out.values == std::vector<std::int64_t>{0, 1};
  out.kind = truth ? Kind::boolean : Kind::enumeration;
}

}  // namespace

Quiet::Quiet() : lock_(library_lock()) {
  start_library();
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Quiet::~Quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

void renew_lock() { new (&library_lock()) std::recursive_mutex; }

std::string last_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first_cause, &text);
  // What the system says is in the middle of the time, names and numbers.
  const std::string mark = "error message = '";
  const std::size_t begin = text.find(mark);
  if (begin == std::string::npos) return text;
  return text.substr(begin + mark.size(), text.find('\'', begin + mark.size()) - begin - mark.size());
}

template <>
hid_t native<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t native<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native<std::int8_t>() {
  return H5T_NATIVE_INT8;
}
template <>
hid_t native<std::uint8_t>() {
  return H5T_NATIVE_UINT8;
}
template <>
hid_t native<std::int32_t>() {
  return H5T_NATIVE_INT32;
}
template <>
hid_t native<std::uint32_t>() {
  return H5T_NATIVE_UINT32;
}
template <>
hid_t native<std::int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
hid_t native<std::uint64_t>() {
  return H5T_NATIVE_UINT64;
}

Type describe(hid_t type) {
  Type out;
  out.size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      out.kind = Kind::integer;
      out.is_signed = H5Tget_sign(type) == H5T_SGN_2;
      break;
    case H5T_FLOAT:
      out.kind = Kind::real;
      break;
    case H5T_STRING:
      out.kind = Kind::string;
      out.is_variable = H5Tis_variable_str(type) > 0;
      break;
    case H5T_ENUM:
      describe_levels(type, out);
      break;
    case H5T_COMPOUND: {
      out.kind = Kind::compound;
      const int n = H5Tget_nmembers(type);
      for (int k = 0; k < n; ++k) {
        const Handle member(H5Tget_member_type(type, static_cast<unsigned>(k)), H5Tclose);
        out.members.push_back(describe(member.id()));
        out.members.back().name = level_name(type, static_cast<unsigned>(k));
      }
      break;
    }
    case H5T_ARRAY: {
      const Handle base(H5Tget_super(type), H5Tclose);
      std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(0, H5Tget_array_ndims(type))));
      H5Tget_array_dims2(type, dims.data());
      out = describe(base.id());
      out.dims.insert(out.dims.begin(), dims.begin(), dims.end());
      break;
    }
    default:
      break;
  }
  return out;
}

void use_checksums(hid_t access) { H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18); }

Handle creation_list() {
  Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.id(), 0);
  return creation;
}

}  // namespace detail

using detail::Quiet;

Handle::Handle(Handle&& other) noexcept : id_(other.id_), close_(other.close_) { other.id_ = -1; }

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    reset();
    id_ = other.id_;
    close_ = other.close_;
    other.id_ = -1;
  }
  return *this;
}

Handle::~Handle() { reset(); }

herr_t Handle::reset() {
  if (id_ < 0) return 0;
  const Quiet quiet;
  const hid_t id = id_;
  id_ = -1;
  return close_(id);
}

namespace {

constexpr std::chrono::seconds kAnswerTime{5};  // a call that does nothing takes a microsecond

Handle access_list() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 11, 0))
  // Some network file systems refuse locks; HDF5 then does without instead of failing.
  H5Pset_file_locking(access.id(), 1, 1);
#endif
  return access;
}

}  // namespace

File File::open_read(const std::string& path) {
  const Quiet quiet;
  const Handle access = access_list();
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
  if (!file) {
    throw Error("path", "must name a complete HDF5 file",
                "\"" + path + "\" could not be opened: " + detail::last_error(),
                "Check that the file exists, was copied in full and is not being written");
  }
  return File(std::move(file), path);
}

File File::create(const std::string& path, std::size_t user_block) {
  const Quiet quiet;
  const Handle access = access_list();
  const Handle creation = detail::creation_list();
  H5Pset_userblock(creation.id(), user_block);
  detail::use_checksums(access.id());
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), H5Fclose);
  if (!file) {
    throw Error("path", "must name a file that can be written",
                "\"" + path + "\" could not be created: " + detail::last_error(),
                "Check that the folder exists and that you may write there");
  }
  return File(std::move(file), path, true);
}

void File::close() {
  const Quiet quiet;
  kept_.clear();
  const bool flushed = !writes_to_disk_ || H5Fflush(id(), H5F_SCOPE_LOCAL) >= 0;
  if (!flushed || file_.reset() < 0) fail("closing", "/");
}

void File::fail(const std::string& what, const std::string& path) const {
  const std::string cause = detail::last_error();
  if (writes_to_disk_) {
    detail::unwritten = true;
    throw Error("path", "must name a file that can be written",
                "On " + what + " \"" + path + "\": " + (cause.empty() ? "HDF5 failed" : cause),
                "Check that there is room on the disk and that you may write there");
  }
  throw Error("path", "must name an intact HDF5 file",
              "In \"" + name_ + "\", " + what + " \"" + path + "\" failed" +
                  (cause.empty() ? "" : ": " + cause),
              "The file may be damaged, incomplete or made by a program with other conventions");
}

}  // namespace compert::hdf5

bool compert::hdf5_serves_threads() {
  const auto answered = std::make_shared<std::promise<void>>();
  auto answer = answered->get_future();
  std::thread([answered] {
    hdf5::detail::start_library();
    answered->set_value();
  }).detach();
  return answer.wait_for(hdf5::kAnswerTime) == std::future_status::ready;
}
