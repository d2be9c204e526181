#pragma once

// A small RAII wrapper over the HDF5 C library (1.10 to 1.14). Every call that fails throws
// compert::Error that names the file and the path inside it; HDF5 itself prints nothing. All calls
// take one lock, because the library is usually built without thread safety.

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace compert::hdf5 {

/// Owner of one HDF5 identifier.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();

  hid_t id() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }
  /// Closes now; negative when HDF5 could not (for instance because the disk is full).
  herr_t reset();

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

using Shape = std::vector<std::size_t>;

enum class Kind { integer, real, string, boolean, enumeration, compound, other };

/// One member of a compound type, or the type of a whole dataset (then without a name).
struct Type {
  std::string name;
  Kind kind = Kind::other;
  std::size_t size = 0;              ///< bytes per element
  bool is_signed = false;            ///< of integers
  bool is_variable = false;          ///< of strings
  std::vector<Type> members;         ///< of compounds
  std::vector<std::string> levels;   ///< names of an enumeration
  std::vector<std::int64_t> values;  ///< values of an enumeration
  std::vector<std::size_t> dims;     ///< of members that are arrays of the kind above
};

/// An open HDF5 file, on disk or in memory. Paths are like "obs/cell_type"; "/" is the root.
class File {
 public:
  static File open_read(const std::string& path);
  /// Creates the file; one that exists is emptied. HDF5 leaves `user_block` bytes (0, or a power of two
  /// from 512) before its own to others.
  static File create(const std::string& path, std::size_t user_block = 0);
  /// A file in memory only; image() gives its bytes.
  static File create_image();
  /// Opens the bytes that image() gave, for reading. They are copied.
  static File from_image(const std::vector<std::uint8_t>& bytes);

  /// The bytes of the file, as they would be on disk.
  std::vector<std::uint8_t> image() const;
  /// Writes everything out and closes; throws when that fails. The destructor closes silently.
  void close();
  hid_t id() const { return file_.id(); }
  /// What error messages call this file.
  const std::string& name() const { return name_; }

  bool exists(const std::string& path) const;
  bool is_group(const std::string& path) const;
  bool is_dataset(const std::string& path) const;
  /// Names of the members of a group, sorted.
  std::vector<std::string> children(const std::string& path = "/") const;
  /// Dimensions of a dataset; empty for a scalar, {0} for an empty dataspace.
  Shape shape(const std::string& path) const;
  Type type(const std::string& path) const;

  /// All values of a numeric dataset in row-major order, converted by HDF5 (values out of range
  /// are clipped, so read what must be checked as int64_t or double). T: double, float, int8_t,
  /// uint8_t, int32_t, uint32_t, int64_t or uint64_t.
  template <typename T>
  std::vector<T> read(const std::string& path, Shape* shape = nullptr) const;
  /// Rows begin to end - 1 of a dataset of any number of dimensions >= 1.
  template <typename T>
  std::vector<T> read_rows(const std::string& path, std::size_t begin, std::size_t end) const;
  /// The same of a dataset of one dimension, into memory for end - begin values.
  template <typename T>
  void read_into(const std::string& path, std::size_t begin, std::size_t end, T* out) const;
  /// Keeps a dataset open, so that the chunks of one read are still there for the next: many small reads
  /// of a chunked dataset would fetch and inflate each chunk again. Returns how many rows are read at
  /// least: those of a chunk, 1 where any part can be read by itself (no chunks, or one dimension and
  /// nothing to inflate).
  std::size_t keep_open(const std::string& path);
  /// Strings of fixed or variable length, ASCII or UTF-8.
  std::vector<std::string> read_strings(const std::string& path, Shape* shape = nullptr) const;
  std::string read_string(const std::string& path) const;
  /// One member of a dataset of compound type; members that are arrays are read in full.
  template <typename T>
  std::vector<T> read_member(const std::string& path, const std::string& member) const;
  std::vector<std::string> read_member_strings(const std::string& path,
                                               const std::string& member) const;

  /// Creates the group and those above it; one that exists is kept.
  void create_group(const std::string& path);
  /// Writes a dataset (row-major); groups above it are created. deflate: gzip level 1-9, 0 none.
  template <typename T>
  void write(const std::string& path, const T* data, const Shape& shape, int deflate = 0);
  template <typename T>
  void write(const std::string& path, const std::vector<T>& data, int deflate = 0) {
    write(path, data.data(), Shape{data.size()}, deflate);
  }
  template <typename T>
  void write_scalar(const std::string& path, T value) {
    write(path, &value, Shape{}, 0);
  }
  /// Variable-length UTF-8 strings.
  void write_strings(const std::string& path, const std::vector<std::string>& values,
                     const Shape& shape, int deflate = 0);
  void write_strings(const std::string& path, const std::vector<std::string>& values,
                     int deflate = 0) {
    write_strings(path, values, Shape{values.size()}, deflate);
  }
  void write_string(const std::string& path, const std::string& value);
  /// Truth values in the encoding of h5py: an enumeration of FALSE and TRUE.
  void write_booleans(const std::string& path, const std::uint8_t* data, const Shape& shape,
                      int deflate = 0);

  bool has_attribute(const std::string& path, const std::string& name) const;
  Type attribute_type(const std::string& path, const std::string& name) const;
  std::string attribute_string(const std::string& path, const std::string& name) const;
  std::vector<std::string> attribute_strings(const std::string& path,
                                             const std::string& name) const;
  double attribute_number(const std::string& path, const std::string& name) const;
  std::int64_t attribute_int(const std::string& path, const std::string& name) const;
  std::vector<std::int64_t> attribute_ints(const std::string& path, const std::string& name) const;
  /// Path of the object that an attribute holding an object reference points to.
  std::string attribute_target(const std::string& path, const std::string& name) const;

  // Writing an attribute that exists replaces it.
  void set_attribute(const std::string& path, const std::string& name, const std::string& value);
  void set_attribute(const std::string& path, const std::string& name, const char* value);
  void set_attribute(const std::string& path, const std::string& name, double value);
  void set_attribute(const std::string& path, const std::string& name, std::int64_t value);
  void set_attribute(const std::string& path, const std::string& name, int value);
  void set_attribute(const std::string& path, const std::string& name, bool value);
  void set_attribute(const std::string& path, const std::string& name,
                     const std::vector<std::string>& values);
  void set_attribute(const std::string& path, const std::string& name,
                     const std::vector<std::int64_t>& values);

 private:
  File(Handle file, std::string name, bool on_disk = false)
      : file_(std::move(file)), name_(std::move(name)), writes_to_disk_(on_disk) {}

  Handle open_object(const std::string& path) const;
  Handle open_dataset(const std::string& path) const;
  /// Opens a dataset and its size, refusing sizes that the file cannot hold.
  std::vector<hsize_t> select_rows(const Handle& dataset, const Handle& space, const std::string& path,
                                   std::size_t begin, std::size_t end) const;
  template <typename T>
  void read_selected(const Handle& dataset, const Handle& space, const std::string& path,
                     const std::vector<hsize_t>& size, T* out) const;
  /// The dataset that is kept open, else `opened`, which is opened now.
  const Handle& kept_or_opened(const std::string& path, Handle& opened) const;
  Handle open_sized(const std::string& path, Shape& shape, std::size_t& n) const;
  /// Throws where the library lacks a filter of the dataset.
  void check_filters(hid_t dataset, const std::string& path) const;
  Handle open_attribute(const std::string& path, const std::string& name) const;
  Handle create_dataset(const std::string& path, hid_t type, const Shape& shape, int deflate);
  void put(const std::string& path, hid_t type, hid_t memory, const Shape& shape, int deflate,
           const void* data);
  std::size_t attribute_count(hid_t attribute, const std::string& path) const;
  template <typename T>
  std::vector<T> attribute_values(const std::string& path, const std::string& name) const;
  template <typename T>
  T single(std::vector<T> values, const std::string& path, const std::string& name) const;
  void put_attribute(const std::string& path, const std::string& name, hid_t type,
                     const Shape& shape, const void* data);
  [[noreturn]] void fail(const std::string& what, const std::string& path) const;

  Handle file_;
  std::string name_;
  bool writes_to_disk_;
  std::map<std::string, Handle> kept_;  // closed before the file
};

/// Runs `act`, which reads the file, in a copy of the process first, because a damaged file can
/// make the HDF5 library itself crash or loop. Throws what `act` throws there, or says that the
/// file is damaged; returns when `act` is safe to run here. Does nothing on Windows.
void rehearse(const std::string& path, const std::function<void()>& act);

}  // namespace compert::hdf5
