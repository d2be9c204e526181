/// Reader of golden files: HDF5 files with arrays computed by a reference implementation.
///
/// The directory is the environment variable COMPERT_GOLDEN, or the compile definition
/// COMPERT_GOLDEN_DEFAULT where the variable is not set.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace golden {

/// A numeric array in row-major order; a scalar has an empty shape and one value.
struct Array {
  std::vector<std::size_t> shape;
  std::vector<double> values;

  std::size_t size() const { return values.size(); }
  std::size_t rows() const { return shape.empty() ? 1 : shape[0]; }
  std::size_t cols() const { return shape.size() < 2 ? 1 : size() / shape[0]; }
  double at(std::size_t row, std::size_t col) const { return values[row * cols() + col]; }
  double scalar() const { return values.at(0); }
};

/// One open file. Paths are absolute or relative to the root; every failure throws
/// std::runtime_error with the file's name and the path.
class File {
 public:
  explicit File(const std::string& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// File name without directory and ".h5".
  const std::string& stem() const { return stem_; }
  bool has(const std::string& path) const;
  bool is_group(const std::string& path) const;
  /// Names of the direct members of a group, sorted. Empty when the group does not exist.
  std::vector<std::string> children(const std::string& path) const;
  /// Integers and floats of any width, as double.
  Array read(const std::string& path) const;
  std::vector<std::string> read_strings(const std::string& path) const;
  bool has_attribute(const std::string& name) const;
  /// Attribute of the root group; a number comes back as text.
  std::string attribute(const std::string& name) const;

 private:
  [[noreturn]] void fail(const std::string& path, const std::string& what) const;

  std::string path_;
  std::string stem_;
  std::int64_t id_ = -1;
};

/// The directory searched by files().
std::string directory();

/// Full paths of all "<prefix>*.h5" of directory(), sorted. May be empty: the caller fails then.
std::vector<std::string> files(const std::string& prefix);

/// max |ours - reference| / max |reference| (absolute where the reference is all zero).
/// Infinities and NaN must agree place by place; else, or when sizes differ, the result is inf.
double relative_error(const std::vector<double>& ours, const std::vector<double>& reference);

/// The tolerance for a number of single precision: no nearer than the reference is to its own double
/// precision, by a factor of 10, as far as that is near at all.
double single_tolerance(double tolerance, const std::vector<double>& reference_single,
                        const std::vector<double>& reference_double);

/// Worst relative error per group, for one printed table at the end of a test.
class Tally {
 public:
  /// Returns true when `error` is within `tolerance`; keeps the worst ratio of the group.
  bool add(const std::string& group, const std::string& item, double error, double tolerance);
  bool add(const std::string& group, const std::string& item, const std::vector<double>& ours,
           const std::vector<double>& reference, double tolerance);
  /// One line per group: number of comparisons, worst error, its tolerance, where it was.
  std::string table() const;
  std::size_t count() const;
  std::size_t failures() const;

 private:
  struct Entry {
    std::size_t count = 0;
    std::size_t failed = 0;
    double error = 0;
    double tolerance = 0;
    std::string where;
  };
  std::map<std::string, Entry> groups_;
};

}  // namespace golden
